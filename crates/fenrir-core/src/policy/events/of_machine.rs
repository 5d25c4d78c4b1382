//! The events of a state machine: as those of a function, but each starts the machine with a role that SAM makes.

use super::super::destination;
use super::super::judge::Members;
use super::super::kind;
use super::super::registry::{Generated, Others};
use super::super::role::ROLE;
use super::super::rule::{Property, Rule, Shape, check, refused, safe};
use super::super::types::api as rest_api;
use super::{EventType, api};

/// A path and method of a REST API.
pub static API: EventType = EventType {
    name: "Api",
    about: "A path and method of a REST API of this template start the state machine.",
    properties: &[
        check("Method", Rule::Literal(&api::METHOD), api::PASTED)
            .required()
            .example("post"),
        check("Path", Rule::Literal(&api::PATH), api::PASTED)
            .required()
            .example("/orders"),
        check(
            "Auth",
            Rule::Map(api::AUTH),
            "an authorizer of the API; calls are made with no other role",
        ),
        check(
            "RestApiId",
            Rule::LocalRef(&[rest_api::NAME]),
            "`!Ref` of an API of this template",
        )
        .required()
        .example("!Ref Api"),
        refused("Stage", "it is not documented"),
    ],
    generates: |id, _, _| vec![Generated::exactly(format!("{id}Role"), ROLE)],
    ..EventType::PLAIN
};

/// A rule that fires by the clock.
pub static SCHEDULE: EventType = EventType {
    name: "Schedule",
    about: "The state machine is started by the clock.",
    properties: &[
        safe("Description", Shape::Text),
        safe("Enabled", Shape::Flag),
        safe("Input", Shape::Text),
        safe("RetryPolicy", Shape::Map),
        safe("Schedule", Shape::Text).required().example("rate(5 minutes)"),
        safe("State", Shape::Text),
        DEAD_LETTER,
        refused("Name", "CloudFormation makes one that no other rule has"),
        refused("RuleName", "it is not documented"),
        NO_ROLE,
    ],
    generates: rule_and_role,
    ..EventType::PLAIN
};

/// A rule that fires by a pattern.
pub static EVENT_BRIDGE_RULE: EventType = EventType {
    name: "EventBridgeRule",
    about: "Events of a bus that match a pattern start the state machine.",
    properties: &[
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
        NO_ROLE,
    ],
    generates: rule_and_role,
    ..EventType::PLAIN
};

const DEAD_LETTER: Property = check(
    "DeadLetterConfig",
    Rule::Map(destination::QUEUE_BY_ARN),
    "a queue of this template, or one whose tags allow it",
);

const NO_ROLE: Property = refused("RoleArn", "it hands over a role");

/// Source: aws-sam-translator 1.115, `samtranslator/model/stepfunctions/events.py`.
fn rule_and_role(id: &str, _properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    vec![
        Generated::exactly(id.to_owned(), "AWS::Events::Rule"),
        Generated::exactly(format!("{id}Role"), ROLE),
    ]
}
