//! `CloudWatchLogs`: lines of a log.

use serde_json::Value;

use super::super::judge::{Judge, Members};
use super::super::kind;
use super::super::place::Place;
use super::super::registry::{Generated, Others};
use super::super::rule::{Property, Rule, Shape, check, safe};
use super::EventType;
use crate::codes;

/// The event.
pub static CLOUD_WATCH_LOGS: EventType = EventType {
    name: "CloudWatchLogs",
    about: "Lines of a log group that match a pattern call the function.",
    properties: PROPERTIES,
    generates,
    ..EventType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("FilterPattern", Shape::Text).required().example("ERROR"),
    check(
        "LogGroupName",
        Rule::Custom(log_group),
        "`!Ref` of a log group of this template, or the name of one whose tags allow it; never the function's own, \
         which would call it for each line that it writes",
    )
    .required()
    .example("!Ref AccessLog"),
];

fn log_group(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if is_own(judge, value) {
        return judge.refuse(
            codes::TOGETHER,
            place,
            "this is the log group that the function itself writes to, so each line would call it again",
            "name another log group",
        );
    }
    match value {
        // A name only: an ARN is not what SAM hands on here.
        Value::String(name) if name.contains(':') => judge.refuse(
            codes::REFERENCE,
            place,
            "`LogGroupName` takes a name, without wildcards",
            "write the name of the log group",
        ),
        Value::String(name) => {
            kind::LOG_GROUP.existing(judge, place, name);
        }
        other => Rule::LocalRef(&["AWS::Logs::LogGroup"]).apply(judge, place, other),
    }
}

fn is_own(judge: &Judge<'_>, group: &Value) -> bool {
    let configured = judge
        .properties()
        .get("LoggingConfig")
        .and_then(|logging| logging.get("LogGroup"));
    let generated = judge
        .local(judge.id())
        .flatten()
        .map(|here| format!("/aws/lambda/{}", judge.name_of(here)));
    configured == Some(group) || generated.as_deref() == group.as_str()
}

/// Source: aws-sam-translator 1.115, `samtranslator/model/eventsources/cloudwatchlogs.py`.
fn generates(id: &str, _properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    vec![
        Generated::exactly(id.to_owned(), "AWS::Logs::SubscriptionFilter"),
        Generated::exactly(format!("{id}Permission"), "AWS::Lambda::Permission"),
    ]
}
