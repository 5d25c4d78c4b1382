//! `AWS::SNS::Topic`.

use serde_json::{Value, json};

use super::super::judge::{Judge, Members};
use super::super::kind;
use super::super::place::Place;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Property, Rule, Shape, TagForm, check, flag, generated, refused, safe};
use crate::names::Style;

/// The type.
pub static TOPIC: ResourceType = ResourceType {
    name: "AWS::SNS::Topic",
    about: "A topic, which passes messages on.",
    properties: PROPERTIES,
    attributes: &["TopicArn", "TopicName"],
    naming: Some(Naming {
        style,
        identifies: true,
    }),
    arn: "sns:{region}:{account}:{name}",
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("ArchivePolicy", Shape::Map),
    safe("ContentBasedDeduplication", Shape::Flag),
    safe("DisplayName", Shape::Text),
    safe("FifoThroughputScope", Shape::Text),
    safe("FifoTopic", Shape::Flag),
    safe("MaximumMessageSize", Shape::Whole),
    safe("SignatureVersion", Shape::Text),
    safe("TracingConfig", Shape::Text),
    check(
        "Tags",
        Rule::Tags(TagForm::List),
        "literal texts, no reserved keys; the own tags are added",
    ),
    generated("TopicName"),
    check(
        "KmsMasterKeyId",
        Rule::Custom(master_key),
        "`alias/aws/sns`, or a key whose tags allow it; another team's key could be taken away or watched",
    )
    .example("alias/aws/sns"),
    check(
        "Subscription",
        Rule::Each(&Rule::Custom(subscription)),
        "functions and queues of this template only: a subscription sends messages out",
    )
    .example("[{Protocol: sqs, Endpoint: !GetAtt Orders.Arn}]"),
    refused(
        "DataProtectionPolicy",
        "it writes findings into logs and buckets of others",
    ),
    refused("DeliveryStatusLogging", "it hands over a role"),
];

const SUBSCRIPTION: &[Property] = &[
    check("Protocol", Rule::OneOf(&["lambda", "sqs"]), "what the endpoint is").required(),
    check(
        "Endpoint",
        Rule::Custom(|_, _, _| {}),
        "`!GetAtt` of the function or queue; rewritten to it when `!Ref` was written",
    )
    .required(),
];

/// The endpoint must be what the protocol says.
fn subscription(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(members) = judge.map(place, value) else { return };
    judge.table(SUBSCRIPTION, place, members);
    let kind = match members.get("Protocol").and_then(Value::as_str) {
        Some("lambda") => &kind::FUNCTION,
        Some("sqs") => &kind::QUEUE,
        _ => return,
    };
    if let Some(endpoint) = members.get_mut("Endpoint") {
        kind.local_reference(judge, &place.key("Endpoint"), endpoint);
    }
}

/// Limit: SNS API, `CreateTopic`, `Name`.
fn style(properties: &Members) -> Style {
    let is_fifo = properties.get("FifoTopic").and_then(flag) == Some(true);
    Style::up_to(256).ending(if is_fifo { ".fifo" } else { "" })
}

fn master_key(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if *value != json!("alias/aws/sns") {
        kind::key_rule(judge, place, value);
    }
}
