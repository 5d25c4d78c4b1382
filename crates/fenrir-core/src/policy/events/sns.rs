//! `SNS`: messages of a topic.

use super::super::judge::Members;
use super::super::kind;
use super::super::registry::{Generated, Others};
use super::super::rule::{Property, Rule, Shape, check, refused, safe};
use super::EventType;

/// The event.
pub static SNS: EventType = EventType {
    name: "SNS",
    about: "Messages of a topic call the function.",
    properties: PROPERTIES,
    generates,
    ..EventType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("FilterPolicy", Shape::Map),
    safe("FilterPolicyScope", Shape::Text),
    check(
        "RedrivePolicy",
        Rule::Map(REDRIVE),
        "a queue of this template, or one whose tags allow it",
    )
    .example("{deadLetterTargetArn: !GetAtt Dead.Arn}"),
    check(
        "Topic",
        Rule::Reference(&kind::TOPIC),
        "`!Ref` of a topic of this template, or the name or ARN of one whose tags allow it; rewritten to the ARN",
    )
    .required()
    .example("orders"),
    refused("Region", "tags were read in the release's own region"),
    refused(
        "SqsSubscription",
        "it replaces the policies of queues, and makes one under a logical id of its own",
    ),
];

const REDRIVE: &[Property] = &[check(
    "deadLetterTargetArn",
    Rule::Reference(&kind::QUEUE),
    "where failed messages go",
)
.required()];

/// Source: aws-sam-translator 1.115, `samtranslator/model/eventsources/push.py`, `SNS`.
fn generates(id: &str, _properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    vec![
        Generated::exactly(id.to_owned(), "AWS::SNS::Subscription"),
        Generated::exactly(format!("{id}Permission"), "AWS::Lambda::Permission"),
    ]
}
