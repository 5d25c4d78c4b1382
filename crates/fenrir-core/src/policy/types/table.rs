//! `AWS::DynamoDB::Table`.

use super::super::kind;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Property, Rule, Shape, TagForm, check, generated, refused, safe};
use crate::names::Style;

/// The type.
pub static TABLE: ResourceType = ResourceType {
    name: "AWS::DynamoDB::Table",
    about: "A table of DynamoDB.",
    properties: PROPERTIES,
    attributes: &["Arn", "StreamArn"],
    naming: Some(Naming {
        // Limit: DynamoDB API, `CreateTable`, `TableName`.
        style: |_| Style::up_to(255),
        identifies: true,
    }),
    arn: "dynamodb:{region}:{account}:table/{name}",
    holds_data: true,
    ..ResourceType::PLAIN
};

const WARM: Property = check(
    "WarmThroughput",
    Rule::Map(WARM_THROUGHPUT),
    "at most what one table gets without asking: warming is paid at once, and takes from the account's quota",
);

const PROPERTIES: &[Property] = &[
    safe("AttributeDefinitions", Shape::List).example("[{AttributeName: id, AttributeType: S}]"),
    safe("BillingMode", Shape::Text).example("PAY_PER_REQUEST"),
    safe("ContributorInsightsSpecification", Shape::Map),
    safe("DeletionProtectionEnabled", Shape::Flag),
    check(
        "GlobalSecondaryIndexes",
        Rule::Each(&Rule::Map(INDEX)),
        "indexes; their `WarmThroughput` is limited as the table's",
    ),
    safe("KeySchema", Shape::List)
        .required()
        .example("[{AttributeName: id, KeyType: HASH}]"),
    safe("LocalSecondaryIndexes", Shape::List),
    safe("OnDemandThroughput", Shape::Map),
    safe("PointInTimeRecoverySpecification", Shape::Map),
    safe("ProvisionedThroughput", Shape::Map),
    safe("TableClass", Shape::Text),
    safe("TimeToLiveSpecification", Shape::Map),
    generated("TableName"),
    check(
        "Tags",
        Rule::Tags(TagForm::List),
        "literal texts, no reserved keys; the own tags are added",
    ),
    check(
        "KinesisStreamSpecification",
        Rule::Map(KINESIS),
        "changes go only to a stream whose tags allow it",
    )
    .example("{StreamArn: clicks}"),
    check(
        "SSESpecification",
        Rule::Map(ENCRYPTION),
        "AWS's own key (leave `KMSMasterKeyId` out), or one whose tags allow it; rewritten to its ARN",
    )
    .example("{SSEEnabled: true, SSEType: KMS}"),
    check(
        "StreamSpecification",
        Rule::Map(STREAM),
        "what the stream shows; it has no policy of its own",
    )
    .example("{StreamViewType: NEW_IMAGE}"),
    WARM,
    refused(
        "ImportSourceSpecification",
        "it reads a bucket with the deployer's rights",
    ),
    refused("ResourcePolicy", "it lets others in"),
    refused("VectorIndexes", "it is new, and was not examined yet"),
];

const INDEX: &[Property] = &[
    safe("ContributorInsightsSpecification", Shape::Map),
    safe("IndexName", Shape::Text).required(),
    safe("KeySchema", Shape::List).required(),
    safe("OnDemandThroughput", Shape::Map),
    safe("Projection", Shape::Map).required(),
    safe("ProvisionedThroughput", Shape::Map),
    WARM,
];

/// Source: DynamoDB quotas, "Per table read/write throughput quota" (40,000 units, on-demand, without asking).
const MOST_WARM: i64 = 40_000;

const WARM_THROUGHPUT: &[Property] = &[
    check(
        "ReadUnitsPerSecond",
        Rule::Between(1, MOST_WARM),
        "a literal number up to 40,000",
    ),
    check(
        "WriteUnitsPerSecond",
        Rule::Between(1, MOST_WARM),
        "a literal number up to 40,000",
    ),
];

const KINESIS: &[Property] = &[
    safe("ApproximateCreationDateTimePrecision", Shape::Text),
    check(
        "StreamArn",
        Rule::Reference(&kind::STREAM),
        "the name or ARN of a stream whose tags allow it",
    )
    .required(),
];

const ENCRYPTION: &[Property] = &[
    safe("SSEEnabled", Shape::Flag).required(),
    safe("SSEType", Shape::Text),
    check(
        "KMSMasterKeyId",
        Rule::Custom(kind::key_rule),
        "a key whose tags allow it; rewritten to its ARN",
    ),
];

const STREAM: &[Property] = &[
    safe("StreamViewType", Shape::Text).required(),
    refused("ResourcePolicy", "it lets others read the stream"),
];
