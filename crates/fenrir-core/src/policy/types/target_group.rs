//! `AWS::ElasticLoadBalancingV2::TargetGroup`.

use serde_json::{Value, json};

use super::super::judge::Judge;
use super::super::kind;
use super::super::place::Place;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Property, Rule, Shape, check, generated, refused, safe};
use super::elb::{self, Attribute};
use crate::codes;
use crate::names::Style;
use crate::template::shown;

/// The type.
pub static TARGET_GROUP: ResourceType = ResourceType {
    name: elb::TARGET_GROUP,
    about: "What a load balancer sends to.",
    properties: PROPERTIES,
    attributes: &[
        "LoadBalancerArns",
        "TargetGroupArn",
        "TargetGroupFullName",
        "TargetGroupName",
    ],
    naming: Some(Naming {
        // Limit: Elastic Load Balancing API, `CreateTargetGroup`, `Name`.
        style: |_| Style::up_to(32),
        identifies: true,
    }),
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("HealthCheckEnabled", Shape::Flag),
    safe("HealthCheckIntervalSeconds", Shape::Whole),
    safe("HealthCheckPath", Shape::Text),
    safe("HealthCheckPort", Shape::Text),
    safe("HealthCheckProtocol", Shape::Text),
    safe("HealthCheckTimeoutSeconds", Shape::Whole),
    safe("HealthyThresholdCount", Shape::Whole),
    safe("Matcher", Shape::Map),
    safe("Port", Shape::Whole),
    safe("Protocol", Shape::Text),
    safe("ProtocolVersion", Shape::Text),
    safe("UnhealthyThresholdCount", Shape::Whole),
    generated("Name"),
    elb::TAGS,
    elb::IPV4,
    check(
        "TargetGroupAttributes",
        Rule::Custom(attributes),
        "deregistration delay, stickiness, and headers for functions",
    )
    .example("[{Key: lambda.multi_value_headers.enabled, Value: 'true'}]"),
    check(
        "TargetType",
        Rule::OneOf(&["lambda", "instance"]),
        "literal; addresses and other load balancers could be anybody's",
    )
    .required(),
    check(
        "Targets",
        Rule::Custom(targets),
        "with `lambda`: a function of this template, or one whose tags allow it. With `instance`: none, instances \
         register themselves",
    )
    .example("[{Id: !GetAtt Fn.Arn}]"),
    check(
        "VpcId",
        Rule::Custom(vpc),
        "literal; the VPC of a subnet that is open to deploys",
    ),
    refused("TargetControlPort", "nothing needs it"),
];

const TARGET: &[Property] = &[
    check(
        "Id",
        Rule::Reference(&kind::FUNCTION),
        "a function; rewritten to its ARN",
    )
    .required(),
    refused("AvailabilityZone", "a function has none"),
    refused("Port", "a function has none"),
    refused("QuicServerId", "a function has none"),
];

fn attributes(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const ALLOWED: &[Attribute] = &[
        Attribute::Free("deregistration_delay."),
        Attribute::Free("lambda.multi_value_headers.enabled"),
        Attribute::Free("stickiness."),
    ];
    elb::attributes(judge, place, value, ALLOWED);
}

fn vpc(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(id) = judge.literal(place, value) else { return };
    if judge
        .ask_vpcs(place)
        .is_some_and(|vpcs| !vpcs.iter().any(|vpc| vpc == id))
    {
        judge.refuse(
            codes::NOT_OWNED,
            place,
            format!("there is no VPC `{}` that is open to deploys", shown(id)),
            "write the id of a VPC with a subnet tagged `DeployWithFenrir` = `true`",
        );
    }
}

/// Instances register themselves; named here they could be anybody's.
fn targets(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let is_filled = value.as_array().is_none_or(|targets| !targets.is_empty());
    if judge.properties().get("TargetType") == Some(&json!("instance")) && is_filled {
        return judge.refuse(
            codes::TOGETHER,
            place,
            "a target group of instances cannot name them: they could be anybody's",
            "leave `Targets` out and let the instances register themselves, or write `TargetType: lambda`",
        );
    }
    Rule::Each(&Rule::Map(TARGET)).apply(judge, place, value);
}
