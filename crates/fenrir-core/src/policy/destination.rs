//! Where failures and results go: dead-letter queues, on-failure and on-success destinations.

use serde_json::Value;

use super::arn::Arn;
use super::judge::{Judge, Members};
use super::kind::{self, Kind};
use super::place::Place;
use super::role::Statement;
use super::rule::{Property, Rule, check, refused};
use crate::codes;
use crate::template::intrinsic;

/// What may be sent to: its `Type` in SAM, the kind, and the action that the role needs.
struct Sink {
    name: &'static str,
    kind: &'static Kind,
    actions: &'static [&'static str],
}

static SINKS: &[Sink] = &[
    Sink {
        name: "SQS",
        kind: &kind::QUEUE,
        actions: &["sqs:SendMessage"],
    },
    Sink {
        name: "SNS",
        kind: &kind::TOPIC,
        actions: &["sns:Publish"],
    },
    Sink {
        name: "Lambda",
        kind: &kind::FUNCTION,
        actions: &["lambda:InvokeFunction"],
    },
    Sink {
        name: "EventBridge",
        kind: &kind::EVENT_BUS,
        actions: &["events:PutEvents"],
    },
];

/// `Type` and target of a dead-letter queue.
pub(super) fn dead_letter(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const TABLE: &[Property] = &[
        check("Type", Rule::OneOf(&["SQS", "SNS"]), "what kind of target it is").required(),
        check("TargetArn", Rule::Custom(|_, _, _| {}), "where it goes").required(),
    ];
    sink(judge, place, value, TABLE, "TargetArn");
}

/// `Type` and target of an on-failure destination of an event source. SAM needs no `Type` where it writes no role; what
/// the role needs follows from the target.
/// Source: aws-sam-translator 1.115, `samtranslator/model/eventsources/pull.py`.
pub(super) fn on_failure(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const TABLE: &[Property] = &[
        check("Type", Rule::OneOf(&["SQS", "SNS"]), "what kind of target it is"),
        check("Destination", Rule::Custom(|_, _, _| {}), "where it goes").required(),
    ];
    let Some(members) = judge.map(place, value) else { return };
    judge.table(TABLE, place, members);
    let sink = match members.get("Type") {
        Some(name) => named(name),
        None => members
            .get("Destination")
            .and_then(|target| seen(judge, &place.key("Destination"), target)),
    };
    if let Some(sink) = sink {
        send(judge, place, members, sink, "Destination");
    }
}

/// What kind of target it is, by the target itself: a queue or a topic; or a problem.
fn seen(judge: &mut Judge<'_>, place: &Place<'_>, target: &Value) -> Option<&'static Sink> {
    let of_sources = || SINKS.iter().filter(|sink| matches!(sink.name, "SQS" | "SNS"));
    if let Some(target) = intrinsic::target(target) {
        let local = judge.local(target.id())??;
        let is_of = |sink: &&Sink| sink.kind.local.iter().any(|(name, _)| *name == local.kind.name);
        let found = of_sources().find(is_of);
        if found.is_none() {
            judge.refuse(
                codes::LOCAL,
                place,
                format!("`{}` (`{}`) is neither a queue nor a topic", local.id, local.kind.name),
                "write `!GetAtt` of a queue or `!Ref` of a topic of this template",
            );
        }
        return found;
    }
    let service = target.as_str().and_then(Arn::parse).map(|arn| arn.service);
    let found = of_sources().find(|sink| Some(sink.kind.service) == service);
    if found.is_none() {
        judge.refuse(
            codes::REQUIRED,
            place.parent().unwrap_or(place),
            "`OnFailure` needs `Type` where the `Destination` does not tell what it is",
            "write `Type: SQS` or `Type: SNS` beside it",
        );
    }
    found
}

/// `Type` and target of an asynchronous invocation.
pub(super) fn invocation(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const TABLE: &[Property] = &[
        check(
            "Type",
            Rule::OneOf(&["SQS", "SNS", "Lambda", "EventBridge"]),
            "what kind of target it is",
        )
        .required(),
        // Without it SAM would make a queue or topic that nobody named.
        check("Destination", Rule::Custom(|_, _, _| {}), "where it goes").required(),
    ];
    sink(judge, place, value, TABLE, "Destination");
}

/// A dead-letter queue by its ARN only.
pub(super) const QUEUE_BY_ARN: &[Property] = &[
    check("Arn", Rule::Reference(&kind::QUEUE), "the queue").required(),
    refused("Type", "SAM would make a queue that nobody named"),
    refused("QueueLogicalId", "SAM would make a queue under this logical id"),
];

fn sink(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value, table: &'static [Property], target: &'static str) {
    let Some(members) = judge.map(place, value) else { return };
    judge.table(table, place, members);
    if let Some(sink) = members.get("Type").and_then(named) {
        send(judge, place, members, sink, target);
    }
}

fn named(name: &Value) -> Option<&'static Sink> {
    SINKS.iter().find(|sink| name == sink.name)
}

/// Checks the target as one of this kind, and lets the role send to it.
fn send(judge: &mut Judge<'_>, place: &Place<'_>, members: &mut Members, sink: &Sink, target: &str) {
    if let Some(value) = members.get_mut(target)
        && let Some(arn) = sink.kind.reference(judge, &place.key(target), value)
    {
        judge.grant(Statement::on(sink.actions, arn));
        judge.grant_key(value);
    }
}
