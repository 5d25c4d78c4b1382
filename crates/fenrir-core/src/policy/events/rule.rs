//! `Schedule`, `CloudWatchEvent`, `EventBridgeRule`: rules of EventBridge.

use super::super::destination;
use super::super::judge::Members;
use super::super::kind;
use super::super::registry::{Generated, Others};
use super::super::rule::{Property, Rule, Shape, check, refused, safe};
use super::EventType;

/// A rule that fires by the clock.
pub static SCHEDULE: EventType = EventType {
    name: "Schedule",
    about: "The function is called by the clock.",
    properties: &[
        safe("Description", Shape::Text),
        safe("Enabled", Shape::Flag),
        safe("Input", Shape::Text),
        safe("RetryPolicy", Shape::Map),
        safe("Schedule", Shape::Text).required().example("rate(5 minutes)"),
        safe("State", Shape::Text),
        refused("Name", "CloudFormation makes one that no other rule has"),
        DEAD_LETTER,
        refused("RuleName", "it is not documented"),
    ],
    generates,
    ..EventType::PLAIN
};

/// A rule that fires by a pattern; the older of the two names.
pub static CLOUD_WATCH_EVENT: EventType = EventType {
    name: "CloudWatchEvent",
    about: "Events of a bus that match a pattern call the function. The older name of `EventBridgeRule`.",
    properties: PATTERN,
    generates,
    ..EventType::PLAIN
};

/// A rule that fires by a pattern.
pub static EVENT_BRIDGE_RULE: EventType = EventType {
    name: "EventBridgeRule",
    about: "Events of a bus that match a pattern call the function.",
    properties: PATTERN,
    generates,
    ..EventType::PLAIN
};

const PATTERN: &[Property] = &[
    safe("Enabled", Shape::Flag),
    safe("Input", Shape::Text),
    safe("InputPath", Shape::Text),
    safe("InputTransformer", Shape::Map),
    safe("Pattern", Shape::Map).required().example("{source: [ledger]}"),
    safe("RetryPolicy", Shape::Map),
    safe("State", Shape::Text),
    safe("Target", Shape::Map),
    DEAD_LETTER,
    check(
        "EventBusName",
        Rule::Custom(kind::event_bus_rule),
        "absent, `default`, or a bus whose tags allow it",
    )
    .example("default"),
    refused("RuleName", "it would become the rule's name"),
];

/// What a rule could not deliver.
const DEAD_LETTER: Property = check(
    "DeadLetterConfig",
    Rule::Map(destination::QUEUE_BY_ARN),
    "a queue of this template, or one whose tags allow it",
)
.example("{Arn: !GetAtt Dead.Arn}");

/// Source: aws-sam-translator 1.115, `samtranslator/model/eventsources/push.py`, `Schedule` and `CloudWatchEvent`.
fn generates(id: &str, _properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    vec![
        Generated::exactly(id.to_owned(), "AWS::Events::Rule"),
        Generated::exactly(format!("{id}Permission"), "AWS::Lambda::Permission"),
    ]
}
