//! `AWS::Logs::LogGroup`.

use super::super::kind;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Property, Rule, Shape, TagForm, check, generated, refused, safe};
use crate::names::Style;

/// The type.
pub static LOG_GROUP: ResourceType = ResourceType {
    name: "AWS::Logs::LogGroup",
    about: "A log group.",
    properties: PROPERTIES,
    attributes: &["Arn"],
    naming: Some(Naming {
        // Limit: CloudWatch Logs API, `CreateLogGroup`, `logGroupName`.
        style: |_| Style::up_to(512),
        identifies: true,
    }),
    arn: "logs:{region}:{account}:log-group:{name}",
    // Logs are what an audit asks for; nobody can write them again.
    holds_data: true,
    ..ResourceType::PLAIN
};

const OTHERS: &str = "it sends logs to others, or lets others in";

const PROPERTIES: &[Property] = &[
    safe("DeletionProtectionEnabled", Shape::Flag),
    safe("FieldIndexPolicies", Shape::List),
    safe("LogGroupClass", Shape::Text),
    safe("RetentionInDays", Shape::Whole).example("30"),
    generated("LogGroupName"),
    check(
        "Tags",
        Rule::Tags(TagForm::List),
        "literal texts, no reserved keys; the own tags are added",
    ),
    check(
        "KmsKeyId",
        Rule::Custom(kind::key_rule),
        "a key whose tags allow it; rewritten to its ARN",
    ),
    refused("BearerTokenAuthenticationEnabled", OTHERS),
    refused("DataProtectionPolicy", OTHERS),
    refused("ResourcePolicyDocument", OTHERS),
];
