//! `AWS::S3::Bucket`.

use serde_json::{Value, json};

use super::super::by_name;
use super::super::judge::Judge;
use super::super::kind::{self, Kind};
use super::super::place::Place;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Property, Rule, Shape, TagForm, check, generated, refused, safe};
use crate::codes;
use crate::names::Style;

/// The type.
pub static BUCKET: ResourceType = ResourceType {
    name: "AWS::S3::Bucket",
    about: "A private bucket.",
    properties: PROPERTIES,
    attributes: &[
        "Arn",
        "DomainName",
        "DualStackDomainName",
        "RegionalDomainName",
        "WebsiteURL",
    ],
    naming: Some(Naming {
        // Limit: S3 User Guide, "General purpose bucket naming rules".
        style: |_| Style::up_to(63).lower(),
        identifies: true,
    }),
    arn: "s3:::{name}",
    holds_data: true,
    ..ResourceType::PLAIN
};

const COPIES: &str = "it copies the bucket's content, or what is known of it, somewhere else";
const PUBLIC: &str = "it opens the bucket to everybody";
const NAMES: &str = "Fenrir makes the name";

const PROPERTIES: &[Property] = &[
    safe("AbacStatus", Shape::Text),
    safe("AccelerateConfiguration", Shape::Map),
    safe("CorsConfiguration", Shape::Map),
    safe("IntelligentTieringConfigurations", Shape::List),
    safe("LifecycleConfiguration", Shape::Map),
    safe("MetricsConfigurations", Shape::List),
    safe("ObjectLockConfiguration", Shape::Map),
    safe("ObjectLockEnabled", Shape::Flag),
    safe("VersioningConfiguration", Shape::Map).example("{Status: Enabled}"),
    generated("BucketName"),
    check(
        "OwnershipControls",
        Rule::Forced(|_| json!({ "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] })),
        "always BucketOwnerEnforced: access lists cannot open the bucket",
    ),
    check(
        "PublicAccessBlockConfiguration",
        Rule::Forced(|_| {
            json!({
                "BlockPublicAcls": true,
                "BlockPublicPolicy": true,
                "IgnorePublicAcls": true,
                "RestrictPublicBuckets": true,
            })
        }),
        "always all four: no bucket is public",
    ),
    check(
        "Tags",
        Rule::Tags(TagForm::List),
        "literal texts, no reserved keys; the own tags are added",
    ),
    check(
        "BucketEncryption",
        Rule::Map(ENCRYPTION),
        "`AES256`, or a key whose tags allow it; rewritten to its ARN",
    ),
    check(
        "LoggingConfiguration",
        Rule::Map(LOGGING),
        "access logs go to a bucket of this template, or to one whose tags allow it",
    )
    .example("{DestinationBucketName: !Ref Logs}"),
    check(
        "NotificationConfiguration",
        Rule::Map(NOTIFICATION),
        "events go to functions, queues and topics of this template, and to EventBridge",
    )
    .example("{EventBridgeConfiguration: {EventBridgeEnabled: true}}"),
    refused("AccessControl", PUBLIC),
    refused("AnalyticsConfigurations", COPIES),
    refused("BucketNamePrefix", NAMES),
    refused("BucketNamespace", NAMES),
    refused("InventoryConfigurations", COPIES),
    refused("MetadataConfiguration", COPIES),
    refused("MetadataTableConfiguration", COPIES),
    refused("ReplicationConfiguration", COPIES),
    refused("WebsiteConfiguration", PUBLIC),
];

const ENCRYPTION: &[Property] = &[check(
    "ServerSideEncryptionConfiguration",
    Rule::Each(&Rule::Map(ENCRYPTION_RULE)),
    "one rule",
)
.required()];

const ENCRYPTION_RULE: &[Property] = &[
    safe("BlockedEncryptionTypes", Shape::Map),
    safe("BucketKeyEnabled", Shape::Flag),
    check(
        "ServerSideEncryptionByDefault",
        Rule::Custom(by_default),
        "algorithm and key",
    ),
];

const BY_DEFAULT: &[Property] = &[
    check(
        "SSEAlgorithm",
        Rule::OneOf(&["AES256", "aws:kms", "aws:kms:dsse"]),
        "with a key of KMS, name the key",
    )
    .required(),
    check(
        "KMSMasterKeyID",
        Rule::Custom(kind::key_rule),
        "a key whose tags allow it; rewritten to its ARN",
    ),
];

fn by_default(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(members) = judge.map(place, value) else { return };
    judge.table(BY_DEFAULT, place, members);
    let algorithm = members.get("SSEAlgorithm").and_then(Value::as_str);
    match (algorithm, members.contains_key("KMSMasterKeyID")) {
        (Some("aws:kms" | "aws:kms:dsse"), false) => judge.refuse(
            codes::TOGETHER,
            &place.key("SSEAlgorithm"),
            "encryption with KMS needs `KMSMasterKeyID`",
            "name a key whose tags allow it, or write `AES256`",
        ),
        (Some("AES256"), true) => judge.refuse(
            codes::TOGETHER,
            &place.key("KMSMasterKeyID"),
            "`AES256` takes no key",
            "write `SSEAlgorithm: aws:kms`, or leave the key out",
        ),
        _ => {}
    }
}

const LOGGING: &[Property] = &[
    check(
        "DestinationBucketName",
        Rule::Custom(by_name::bucket_rule),
        "`!Ref` of a bucket of this template, or the name of one whose tags allow it; left out: this bucket",
    ),
    safe("LogFilePrefix", Shape::Text),
    safe("TargetObjectKeyFormat", Shape::Map),
];

const NOTIFICATION: &[Property] = &[
    check(
        "EventBridgeConfiguration",
        Rule::Map(EVENT_BRIDGE),
        "sends events to the bus `default`",
    ),
    check(
        "LambdaConfigurations",
        Rule::Each(&Rule::Map(TO_FUNCTION)),
        "functions of this template",
    ),
    check(
        "QueueConfigurations",
        Rule::Each(&Rule::Map(TO_QUEUE)),
        "queues of this template",
    ),
    check(
        "TopicConfigurations",
        Rule::Each(&Rule::Map(TO_TOPIC)),
        "topics of this template",
    ),
];

const EVENT_BRIDGE: &[Property] = &[safe("EventBridgeEnabled", Shape::Flag).required()];
const EVENT: Property = safe("Event", Shape::Text).required();
const FILTER: Property = safe("Filter", Shape::Map);

const TO_FUNCTION: &[Property] = &[
    EVENT,
    FILTER,
    check(
        "Function",
        Rule::Custom(|judge, place, value| own(&kind::FUNCTION, judge, place, value)),
        "`!GetAtt` of a function of this template",
    )
    .required(),
];

const TO_QUEUE: &[Property] = &[
    EVENT,
    FILTER,
    check(
        "Queue",
        Rule::Custom(|judge, place, value| own(&kind::QUEUE, judge, place, value)),
        "`!GetAtt` of a queue of this template",
    )
    .required(),
];

const TO_TOPIC: &[Property] = &[
    EVENT,
    FILTER,
    check(
        "Topic",
        Rule::Custom(|judge, place, value| own(&kind::TOPIC, judge, place, value)),
        "`!Ref` of a topic of this template",
    )
    .required(),
];

fn own(kind: &'static Kind, judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    kind.local_reference(judge, place, value);
}
