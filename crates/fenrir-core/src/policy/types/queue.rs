//! `AWS::SQS::Queue`.

use serde_json::{Value, json};

use super::super::judge::{Judge, Members};
use super::super::kind;
use super::super::place::Place;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Property, Rule, Shape, TagForm, check, flag, generated, safe};
use crate::names::Style;

/// The type.
pub static QUEUE: ResourceType = ResourceType {
    name: "AWS::SQS::Queue",
    about: "A message queue.",
    properties: PROPERTIES,
    attributes: &["Arn", "QueueName", "QueueUrl"],
    naming: Some(Naming {
        style,
        identifies: true,
    }),
    arn: "sqs:{region}:{account}:{name}",
    holds_data: true,
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("ContentBasedDeduplication", Shape::Flag),
    safe("DeduplicationScope", Shape::Text),
    safe("DelaySeconds", Shape::Whole),
    safe("FifoQueue", Shape::Flag),
    safe("FifoThroughputLimit", Shape::Text),
    safe("KmsDataKeyReusePeriodSeconds", Shape::Whole),
    safe("MaximumMessageSize", Shape::Whole),
    safe("MessageRetentionPeriod", Shape::Whole),
    safe("ReceiveMessageWaitTimeSeconds", Shape::Whole),
    safe("SqsManagedSseEnabled", Shape::Flag),
    safe("VisibilityTimeout", Shape::Whole),
    generated("QueueName"),
    check(
        "Tags",
        Rule::Tags(TagForm::List),
        "literal texts, no reserved keys; the own tags are added",
    ),
    check(
        "KmsMasterKeyId",
        Rule::Custom(master_key),
        "`alias/aws/sqs`, or a key whose tags allow it; another team's key could be taken away or watched",
    )
    .example("alias/aws/sqs"),
    check(
        "RedriveAllowPolicy",
        Rule::Map(REDRIVE_ALLOW),
        "only queues of this template may use it as their dead-letter queue",
    )
    .example("{redrivePermission: byQueue, sourceQueueArns: [!GetAtt Orders.Arn]}"),
    check(
        "RedrivePolicy",
        Rule::Map(REDRIVE),
        "a map; messages go only to a queue of this template, or one whose tags allow it",
    )
    .example("{deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}"),
];

const REDRIVE: &[Property] = &[
    check(
        "deadLetterTargetArn",
        Rule::Reference(&kind::QUEUE),
        "`!GetAtt` of a queue, or the name or ARN of one whose tags allow it",
    )
    .required(),
    safe("maxReceiveCount", Shape::Whole).required(),
];

const REDRIVE_ALLOW: &[Property] = &[
    check(
        "redrivePermission",
        Rule::OneOf(&["byQueue", "denyAll"]),
        "`allowAll` would let every queue of the account send here",
    )
    .required(),
    check(
        "sourceQueueArns",
        Rule::Each(&Rule::Custom(source_queue)),
        "`!GetAtt` of queues of this template",
    ),
];

fn source_queue(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    // A literal, because the source refers to this queue too, and CloudFormation refuses a cycle.
    if let Some(arn) = kind::QUEUE.local_reference(judge, place, value) {
        *value = Value::String(arn);
    }
}

/// Limit: SQS API, `CreateQueue`, `QueueName`.
fn style(properties: &Members) -> Style {
    let is_fifo = properties.get("FifoQueue").and_then(flag) == Some(true);
    Style::up_to(80).ending(if is_fifo { ".fifo" } else { "" })
}

fn master_key(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if *value != json!("alias/aws/sqs") {
        kind::key_rule(judge, place, value);
    }
}
