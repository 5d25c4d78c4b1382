//! `AWS::ElasticLoadBalancingV2::LoadBalancer`.

use serde_json::Value;

use super::super::by_name;
use super::super::judge::Judge;
use super::super::place::Place;
use super::super::registry::{Naming, ResourceType};
use super::super::rule::{Property, Rule, Shape, check, generated, refused, safe};
use super::elb::{self, Attribute};
use super::function;
use crate::names::Style;

/// The type.
pub static LOAD_BALANCER: ResourceType = ResourceType {
    name: elb::LOAD_BALANCER,
    about: "An application load balancer.",
    properties: PROPERTIES,
    attributes: &[
        "CanonicalHostedZoneID",
        "DNSName",
        "LoadBalancerArn",
        "LoadBalancerFullName",
        "LoadBalancerName",
    ],
    naming: Some(Naming {
        // Limit: Elastic Load Balancing API, `CreateLoadBalancer`, `Name`.
        style: |_| Style::up_to(32),
        identifies: true,
    }),
    ..ResourceType::PLAIN
};

const SHARED: &str = "it takes from what the account shares";

const PROPERTIES: &[Property] = &[
    safe("Scheme", Shape::Text).example("internal"),
    generated("Name"),
    check(
        "SecurityGroups",
        Rule::Custom(function::security_groups),
        "security groups by their Name tag, each tagged for this load balancer; rewritten to ids. Without one it \
         would join the VPC's default group, which others share",
    )
    .required()
    .example("[orders]"),
    elb::TAGS,
    elb::IPV4,
    check(
        "LoadBalancerAttributes",
        Rule::Custom(attributes),
        "timeouts, deletion protection and HTTP routing; logs go to a bucket of this template, or to one whose tags \
         allow it",
    )
    .example("[{Key: idle_timeout.timeout_seconds, Value: '30'}]"),
    check(
        "Subnets",
        Rule::Custom(function::subnets),
        "subnets by Name tag or id, each open to deploys; rewritten to ids",
    )
    .required()
    .example("[private-a, private-b]"),
    check(
        "Type",
        Rule::OneOf(&["application"]),
        "left out, or `application`; the others have no security groups",
    ),
    refused("EnableCapacityReservationProvisionStabilize", SHARED),
    refused("EnablePrefixForIpv6SourceNat", SHARED),
    refused("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic", SHARED),
    refused("Ipv4IpamPoolId", SHARED),
    refused("MinimumLoadBalancerCapacity", SHARED),
    refused("SubnetMappings", "it names subnets and addresses a second way"),
];

const BUCKET: Rule = Rule::Custom(by_name::bucket_rule);

fn attributes(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const ALLOWED: &[Attribute] = &[
        Attribute::Free("idle_timeout."),
        Attribute::Free("deletion_protection."),
        Attribute::Free("routing.http."),
        Attribute::Free("access_logs.s3.enabled"),
        Attribute::Free("access_logs.s3.prefix"),
        Attribute::Ruled("access_logs.s3.bucket", BUCKET),
        Attribute::Free("connection_logs.s3.enabled"),
        Attribute::Free("connection_logs.s3.prefix"),
        Attribute::Ruled("connection_logs.s3.bucket", BUCKET),
        Attribute::Free("health_check_logs.s3.enabled"),
        Attribute::Free("health_check_logs.s3.prefix"),
        Attribute::Ruled("health_check_logs.s3.bucket", BUCKET),
    ];
    elb::attributes(judge, place, value, ALLOWED);
}
