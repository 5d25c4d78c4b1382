//! Where failures and results go: dead-letter queues, on-failure and on-success destinations.

use serde_json::Value;

use super::judge::Judge;
use super::kind::{self, Kind};
use super::place::Place;
use super::role::Statement;
use super::rule::{Property, Rule, check, refused};

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

/// `Type` and target of an on-failure destination of an event source.
pub(super) fn on_failure(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const TABLE: &[Property] = &[
        check("Type", Rule::OneOf(&["SQS", "SNS"]), "what kind of target it is").required(),
        // Without it SAM would make a queue that nobody named.
        check("Destination", Rule::Custom(|_, _, _| {}), "where it goes").required(),
    ];
    sink(judge, place, value, TABLE, "Destination");
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
    let name = members.get("Type").and_then(Value::as_str);
    let Some(sink) = SINKS.iter().find(|sink| Some(sink.name) == name) else {
        return;
    };
    if let Some(value) = members.get_mut(target)
        && let Some(arn) = sink.kind.reference(judge, &place.key(target), value)
    {
        judge.grant(Statement::on(sink.actions, arn));
        judge.grant_key(value);
    }
}
