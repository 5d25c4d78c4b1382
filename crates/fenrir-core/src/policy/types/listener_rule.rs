//! `AWS::ElasticLoadBalancingV2::ListenerRule`.

use super::super::registry::ResourceType;
use super::super::rule::{Property, Rule, Shape, check, safe};
use super::elb;

/// The type.
pub static LISTENER_RULE: ResourceType = ResourceType {
    name: "AWS::ElasticLoadBalancingV2::ListenerRule",
    about: "Which requests of a listener go where.",
    properties: PROPERTIES,
    attributes: &["IsDefault", "RuleArn"],
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("Conditions", Shape::List)
        .required()
        .example("[{Field: path-pattern, Values: [/orders/*]}]"),
    safe("Priority", Shape::Whole).required(),
    safe("Transforms", Shape::List),
    elb::TAGS,
    check(
        "Actions",
        Rule::Each(&Rule::Map(elb::ACTION)),
        "see the table of actions",
    )
    .required()
    .example("[{Type: forward, TargetGroupArn: !Ref Targets}]"),
    check(
        "ListenerArn",
        Rule::LocalRef(&[elb::LISTENER]),
        "`!Ref` of a listener of this template: a rule of another one would take its traffic",
    )
    .required()
    .example("!Ref Listener"),
];
