//! `AWS::Serverless::LayerVersion`.

use super::super::artifact;
use super::super::judge::Members;
use super::super::registry::{Generated, Naming, Others, ResourceType};
use super::super::rule::{Property, Rule, Shape, check, generated, safe};
use crate::names::Style;

/// The type.
pub static LAYER: ResourceType = ResourceType {
    name: "AWS::Serverless::LayerVersion",
    about: "A layer: code that functions share.",
    becomes: "AWS::Lambda::LayerVersion",
    properties: PROPERTIES,
    naming: Some(Naming {
        // Limit: Lambda API, `PublishLayerVersion`, `LayerName` (140, ARN included; the name is kept as a function's).
        style: |_| Style::up_to(64),
        identifies: false,
    }),
    arn: "lambda:{region}:{account}:layer:{name}",
    generates,
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("CompatibleArchitectures", Shape::List),
    safe("CompatibleRuntimes", Shape::List),
    safe("Description", Shape::Text),
    safe("LicenseInfo", Shape::Text),
    safe("PublishLambdaVersion", Shape::Flag),
    generated("LayerName"),
    check(
        "ContentUri",
        Rule::Custom(artifact::code),
        "a local path, which `fenrir package` replaces by an artifact of the release; its bytes are hashed again, and \
         the very version that was hashed is deployed",
    )
    .required()
    .example("layer/"),
    check(
        "RetentionPolicy",
        Rule::OneOf(&["Retain", "Delete"]),
        "what becomes of old versions",
    ),
];

/// SAM puts a hash behind the logical id, and what refers to it follows.
/// Source: aws-sam-translator 1.115, `samtranslator/model/sam_resources.py`, `SamLayerVersion`.
fn generates(id: &str, _properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    vec![Generated::hashed(id.to_owned(), "AWS::Lambda::LayerVersion")]
}
