//! `ScheduleV2`: a schedule of EventBridge Scheduler.

use serde_json::{Value, json};

use super::super::judge::{Judge, Members};
use super::super::place::Place;
use super::super::registry::{Generated, Others};
use super::super::role::ROLE;
use super::super::rule::{Property, Rule, Shape, check, refused, safe};
use super::super::types::schedule;
use super::super::{by_name, destination, kind};
use super::EventType;
use crate::names;

/// The event, of a function and of a state machine alike.
pub static SCHEDULE_V2: EventType = EventType {
    name: "ScheduleV2",
    about: "EventBridge Scheduler calls the function, or starts the state machine, by the clock.",
    properties: PROPERTIES,
    generates,
    finish,
};

const PROPERTIES: &[Property] = &[
    safe("Description", Shape::Text),
    safe("EndDate", Shape::Text),
    safe("FlexibleTimeWindow", Shape::Map),
    safe("Input", Shape::Text),
    safe("RetryPolicy", Shape::Map),
    safe("ScheduleExpression", Shape::Text)
        .required()
        .example("rate(1 hour)"),
    safe("ScheduleExpressionTimezone", Shape::Text),
    safe("StartDate", Shape::Text),
    safe("State", Shape::Text),
    refused(
        "Name",
        "Fenrir makes it: SAM would take the logical id, which two stacks share",
    ),
    refused("OmitName", "Fenrir makes the name"),
    check(
        "PermissionsBoundary",
        Rule::Forced(|judge| json!(judge.boundary())),
        "always Fenrir's: the role that SAM makes for the schedule takes it from here",
    ),
    check(
        "DeadLetterConfig",
        Rule::Map(destination::QUEUE_BY_ARN),
        "a queue of this template, or one whose tags allow it",
    )
    .example("{Arn: !GetAtt Dead.Arn}"),
    check(
        "GroupName",
        Rule::Custom(by_name::schedule_group),
        "left out, `default`, or a group whose tags allow it",
    ),
    check(
        "KmsKeyArn",
        Rule::Custom(kind::key_rule),
        "a key whose tags allow it; rewritten to its ARN",
    ),
    refused("RoleArn", "it hands over a role"),
];

/// The name: that of a schedule with the logical id that SAM gives to it.
fn finish(judge: &mut Judge<'_>, place: &Place<'_>, properties: &mut Members) {
    let Some(event) = place.parent().map(Place::name) else {
        return;
    };
    let id = format!("{}{event}", judge.id());
    let name = names::resource(judge.owner(), schedule::NAME, &id, schedule::NAME_STYLE);
    properties.insert("Name".to_owned(), Value::String(name));
}

/// Source: aws-sam-translator 1.115, `samtranslator/model/eventsources/scheduler.py`.
fn generates(id: &str, _properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    vec![
        Generated::exactly(id.to_owned(), schedule::NAME),
        Generated::exactly(format!("{id}Role"), ROLE),
    ]
}
