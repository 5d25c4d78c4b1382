//! `AWS::Events::Rule`.

use serde_json::Value;

use super::super::destination;
use super::super::judge::Judge;
use super::super::kind::{self, Kind};
use super::super::place::Place;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Property, Rule, Shape, TagForm, check, generated, refused, safe};
use crate::codes;
use crate::names::Style;
use crate::template::intrinsic;
use crate::template::shown;

/// The type.
pub static RULE: ResourceType = ResourceType {
    name: "AWS::Events::Rule",
    about: "A rule of EventBridge: sends matching events, or the ticks of a clock, to targets.",
    properties: PROPERTIES,
    attributes: &["Arn", "RuleName"],
    naming: Some(Naming {
        // Limit: EventBridge API, `PutRule`, `Name`.
        style: |_| Style::up_to(64),
        identifies: true,
    }),
    arn: "events:{region}:{account}:rule/{name}",
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("Description", Shape::Text),
    safe("EventPattern", Shape::Map).example("{source: [orders]}"),
    safe("ScheduleExpression", Shape::Text).example("rate(1 hour)"),
    safe("State", Shape::Text),
    generated("Name"),
    check(
        "Tags",
        Rule::Tags(TagForm::List),
        "literal texts, no reserved keys; the own tags are added",
    ),
    check(
        "EventBusName",
        Rule::Custom(kind::event_bus_rule),
        "left out, `default`, or the name or ARN of a bus whose tags allow it; rewritten to the ARN",
    ),
    check(
        "Targets",
        Rule::Each(&Rule::Map(TARGET)),
        "functions, queues and topics of this template",
    )
    .example("[{Id: orders, Arn: !GetAtt Orders.Arn}]"),
    refused("RoleArn", "it hands over a role"),
];

const RUNS: &str = "it runs something with another role";

const TARGET: &[Property] = &[
    safe("Id", Shape::Text).required(),
    safe("Input", Shape::Text),
    safe("InputPath", Shape::Text),
    safe("InputTransformer", Shape::Map),
    safe("KinesisParameters", Shape::Map),
    safe("RetryPolicy", Shape::Map),
    safe("SqsParameters", Shape::Map),
    check(
        "Arn",
        Rule::Custom(target),
        "`!GetAtt` of a function or queue, or `!Ref` of a topic, of this template",
    )
    .required(),
    check(
        "DeadLetterConfig",
        Rule::Map(destination::QUEUE_BY_ARN),
        "a queue of this template, or one whose tags allow it",
    )
    .example("{Arn: !GetAtt Dead.Arn}"),
    refused("AppSyncParameters", RUNS),
    refused("BatchParameters", RUNS),
    refused("EcsParameters", RUNS),
    refused("HttpParameters", RUNS),
    refused("RedshiftDataParameters", RUNS),
    refused("RoleArn", RUNS),
    refused("RunCommandParameters", RUNS),
    refused("SageMakerPipelineParameters", RUNS),
];

fn target(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const KINDS: &[&Kind] = &[&kind::FUNCTION, &kind::QUEUE, &kind::TOPIC];
    local_of(judge, place, value, KINDS);
}

/// A resource of the template of one of these kinds, rewritten to what gives its ARN. Its literal ARN.
pub(in super::super) fn local_of(
    judge: &mut Judge<'_>,
    place: &Place<'_>,
    value: &mut Value,
    kinds: &[&'static Kind],
) -> Option<String> {
    let local = intrinsic::target(value).map(|target| judge.local(target.id()));
    let kind = match local {
        // Of no type that is supported, or not there: told where it stands.
        Some(None | Some(None)) => return None,
        Some(Some(Some(local))) => {
            let is_kind = |kind: &&&'static Kind| kind.local.iter().any(|(name, _)| *name == local.kind.name);
            kinds.iter().find(is_kind)
        }
        None => None,
    };
    let Some(kind) = kind else {
        let nouns: Vec<_> = kinds.iter().map(|kind| kind.noun).collect();
        judge.refuse(
            codes::LOCAL,
            place,
            format!(
                "`{}` must be a {} of this template",
                shown(place.name()),
                nouns.join(", ")
            ),
            "write `!GetAtt <id>.Arn` of a resource of this template (`!Ref` of a topic)",
        );
        return None;
    };
    kind.local_reference(judge, place, value)
}
