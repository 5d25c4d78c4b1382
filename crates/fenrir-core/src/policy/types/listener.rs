//! `AWS::ElasticLoadBalancingV2::Listener`.

use serde_json::Value;

use super::super::judge::Judge;
use super::super::kind;
use super::super::place::Place;
use super::super::registry::ResourceType;
use super::super::rule::{Property, Rule, Shape, check, refused, safe};
use super::elb::{self, Attribute};

/// The type.
pub static LISTENER: ResourceType = ResourceType {
    name: elb::LISTENER,
    about: "A port of a load balancer, and where it leads.",
    properties: PROPERTIES,
    attributes: &["ListenerArn"],
    ..ResourceType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("AlpnPolicy", Shape::List),
    safe("Port", Shape::Whole).example("443"),
    safe("Protocol", Shape::Text).example("HTTPS"),
    safe("SslPolicy", Shape::Text),
    elb::TAGS,
    check(
        "Certificates",
        Rule::Each(&Rule::Map(CERTIFICATE)),
        "certificates of this account and region whose tags allow it",
    ),
    check(
        "DefaultActions",
        Rule::Each(&Rule::Map(elb::ACTION)),
        "see the table of actions",
    )
    .required()
    .example("[{Type: forward, TargetGroupArn: !Ref Targets}]"),
    check("ListenerAttributes", Rule::Custom(attributes), "HTTP routing only"),
    check(
        "LoadBalancerArn",
        Rule::LocalRef(&[elb::LOAD_BALANCER]),
        "`!Ref` of a load balancer of this template: a listener of another one would take its traffic",
    )
    .required()
    .example("!Ref Balancer"),
    refused("MutualAuthentication", "it takes a trust store of others"),
];

const CERTIFICATE: &[Property] = &[check(
    "CertificateArn",
    Rule::Reference(&kind::CERTIFICATE),
    "the ARN of a certificate whose tags allow it",
)
.required()];

fn attributes(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    elb::attributes(judge, place, value, &[Attribute::Free("routing.http.")]);
}
