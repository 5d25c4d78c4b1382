//! What the types of Elastic Load Balancing share: attributes, actions, tags and addresses.

use serde_json::Value;

use super::super::judge::Judge;
use super::super::place::Place;
use super::super::rule::{Property, Rule, Shape, TagForm, check, refused, safe};
use crate::codes;
use crate::template::shown;

/// The types' names.
pub(super) const LOAD_BALANCER: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";
pub(super) const TARGET_GROUP: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";
pub(super) const LISTENER: &str = "AWS::ElasticLoadBalancingV2::Listener";

/// The tags of all of them.
pub(super) const TAGS: Property = check(
    "Tags",
    Rule::Tags(TagForm::List),
    "literal texts, no reserved keys; the own tags are added",
);

/// Only IPv4.
pub(super) const IPV4: Property = check(
    "IpAddressType",
    Rule::OneOf(&["ipv4"]),
    "left out, or `ipv4`: the security groups and subnets were examined for that",
);

/// What an action may be, of a listener and of a rule.
pub(super) const ACTION: &[Property] = &[
    safe("FixedResponseConfig", Shape::Map),
    safe("Order", Shape::Whole),
    safe("RedirectConfig", Shape::Map),
    check(
        "ForwardConfig",
        Rule::Map(FORWARD),
        "every target group is of this template",
    ),
    check(
        "TargetGroupArn",
        Rule::LocalRef(&[TARGET_GROUP]),
        "`!Ref` of a target group of this template",
    )
    .example("!Ref Targets"),
    check(
        "Type",
        Rule::OneOf(&["forward", "fixed-response", "redirect"]),
        "literal; the others take user pools and client secrets",
    )
    .required()
    .example("forward"),
    refused("AuthenticateCognitoConfig", "it takes user pools of others"),
    refused("AuthenticateOidcConfig", "it takes a client secret"),
    refused("JwtValidationConfig", "it takes keys of others"),
];

const FORWARD: &[Property] = &[
    check(
        "TargetGroups",
        Rule::Each(&Rule::Map(WEIGHTED)),
        "target groups of this template, with weights",
    ),
    safe("TargetGroupStickinessConfig", Shape::Map),
];

const WEIGHTED: &[Property] = &[
    check(
        "TargetGroupArn",
        Rule::LocalRef(&[TARGET_GROUP]),
        "`!Ref` of a target group of this template",
    )
    .required(),
    safe("Weight", Shape::Whole),
];

/// What the value of an attribute may be.
#[derive(Clone, Copy)]
pub(super) enum Attribute {
    /// Any text: the key is exactly this, or begins with it when it ends in a dot.
    Free(&'static str),
    /// By a rule: the key is exactly this.
    Ruled(&'static str, Rule),
}

const ATTRIBUTE: &[Property] = &[
    check("Key", Rule::Custom(|_, _, _| {}), "literal").required(),
    safe("Value", Shape::Text).required(),
];

/// Checks a list of `{Key, Value}`.
pub(super) fn attributes(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value, allowed: &[Attribute]) {
    let Some(items) = judge.list(place, value) else { return };
    for (at, item) in items.iter_mut().enumerate() {
        let place = place.index(at);
        let Some(members) = judge.map(&place, item) else {
            continue;
        };
        judge.table(ATTRIBUTE, &place, members);
        let Some(key) = members.get("Key") else { continue };
        let Some(key) = judge.literal(&place.key("Key"), key) else {
            continue;
        };
        let found = allowed.iter().find(|attribute| match attribute {
            Attribute::Free(name) if name.ends_with('.') => key.starts_with(name),
            Attribute::Free(name) | Attribute::Ruled(name, _) => key == *name,
        });
        match found {
            Some(Attribute::Ruled(_, rule)) => {
                if let Some(value) = members.get_mut("Value") {
                    rule.apply(judge, &place.key("Value"), value);
                }
            }
            Some(Attribute::Free(_)) => {}
            None => unknown(judge, &place.key("Key"), key, allowed),
        }
    }
}

fn unknown(judge: &mut Judge<'_>, place: &Place<'_>, key: &str, allowed: &[Attribute]) {
    let names: Vec<_> = allowed
        .iter()
        .map(|attribute| match attribute {
            Attribute::Free(name) if name.ends_with('.') => format!("`{name}*`"),
            Attribute::Free(name) | Attribute::Ruled(name, _) => format!("`{name}`"),
        })
        .collect();
    judge.refuse(
        codes::PROPERTY,
        place,
        format!("the attribute `{}` is not allowed", shown(key)),
        format!("allowed are {}", names.join(", ")),
    );
}
