//! `AWS::Serverless::SimpleTable`.

use super::super::kind;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Property, Rule, Shape, TagForm, check, generated, safe};
use crate::names::Style;

/// The type.
pub static SIMPLE_TABLE: ResourceType = ResourceType {
    name: "AWS::Serverless::SimpleTable",
    about: "A DynamoDB table with one key.",
    becomes: "AWS::DynamoDB::Table",
    properties: PROPERTIES,
    attributes: &["Arn"],
    naming: Some(Naming {
        // Limit: DynamoDB API, `CreateTable`, `TableName`.
        style: |_| Style::up_to(255),
        identifies: true,
    }),
    arn: "dynamodb:{region}:{account}:table/{name}",
    holds_data: true,
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("PointInTimeRecoverySpecification", Shape::Map),
    safe("PrimaryKey", Shape::Map).example("{Name: id, Type: String}"),
    safe("ProvisionedThroughput", Shape::Map),
    generated("TableName"),
    check(
        "Tags",
        Rule::Tags(TagForm::Map),
        "literal texts, no reserved keys; the own tags are added",
    ),
    check(
        "SSESpecification",
        Rule::Map(SSE),
        "the key, if any, is one whose tags allow it",
    )
    .example("{SSEEnabled: true}"),
];

/// Encryption of a table.
pub(in super::super) const SSE: &[Property] = &[
    safe("SSEEnabled", Shape::Flag),
    safe("SSEType", Shape::Text),
    check(
        "KMSMasterKeyId",
        Rule::Custom(kind::key_rule),
        "a key whose tags allow it; rewritten to its ARN",
    ),
];
