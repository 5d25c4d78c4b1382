//! `AWS::Scheduler::Schedule`.

use serde_json::Value;

use super::super::by_name;
use super::super::destination;
use super::super::judge::Judge;
use super::super::kind::{self, Kind};
use super::super::place::Place;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Property, Rule, Shape, check, generated, refused, safe};
use super::event_rule::local_of;
use super::function;
use crate::names::Style;

/// The type's name.
pub(in super::super) const NAME: &str = "AWS::Scheduler::Schedule";

/// The type.
pub static SCHEDULE: ResourceType = ResourceType {
    name: NAME,
    about: "A schedule of EventBridge Scheduler. It takes no tags.",
    properties: PROPERTIES,
    attributes: &["Arn"],
    naming: Some(Naming {
        style: |_| NAME_STYLE,
        identifies: true,
    }),
    arn: "scheduler:{region}:{account}:schedule/default/{name}",
    ..ResourceType::PLAIN
};

/// Limit: EventBridge Scheduler API, `CreateSchedule`, `Name`.
pub(in super::super) const NAME_STYLE: Style = Style::up_to(64);

const PROPERTIES: &[Property] = &[
    safe("Description", Shape::Text),
    safe("EndDate", Shape::Text),
    safe("FlexibleTimeWindow", Shape::Map)
        .required()
        .example("{Mode: 'OFF'}"),
    safe("ScheduleExpression", Shape::Text)
        .required()
        .example("rate(1 hour)"),
    safe("ScheduleExpressionTimezone", Shape::Text),
    safe("StartDate", Shape::Text),
    safe("State", Shape::Text),
    generated("Name"),
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
    check(
        "Target",
        Rule::Map(TARGET),
        "a function, queue, topic or state machine of this template, called with a role tagged for the schedule",
    )
    .required()
    .example("{Arn: !GetAtt Fn.Arn, RoleArn: orders-schedule}"),
];

const RUNS: &str = "it calls something that is not of this template";

const TARGET: &[Property] = &[
    check("Arn", Rule::Custom(target), "what is called; of this template").required(),
    check(
        "RoleArn",
        Rule::Custom(function::role),
        "the name of a role (or its ARN, without a path) tagged for this schedule",
    )
    .required(),
    safe("Input", Shape::Text),
    safe("RetryPolicy", Shape::Map),
    safe("SqsParameters", Shape::Map),
    check(
        "DeadLetterConfig",
        Rule::Map(destination::QUEUE_BY_ARN),
        "a queue of this template, or one whose tags allow it",
    ),
    refused("EcsParameters", RUNS),
    refused("EventBridgeParameters", RUNS),
    refused("KinesisParameters", RUNS),
    refused("SageMakerPipelineParameters", RUNS),
];

fn target(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const KINDS: &[&Kind] = &[&kind::FUNCTION, &kind::QUEUE, &kind::TOPIC, &kind::STATE_MACHINE];
    local_of(judge, place, value, KINDS);
}
