//! `Api`: a path and method of a REST API.

use super::super::judge::Members;
use super::super::registry::{Generated, Others};
use super::super::rule::{Pattern, Property, Rule, Shape, check, refused, safe};
use super::super::types::api;
use super::EventType;
use crate::template::intrinsic;
use serde_json::Value;

/// The event.
pub static API: EventType = EventType {
    name: "Api",
    about: "A path and method of a REST API of this template call the function.",
    properties: PROPERTIES,
    generates,
    finish: |_, _, properties| api::call_without_role(properties.get_mut("Auth"), "Authorizer"),
};

const PROPERTIES: &[Property] = &[
    check("Method", Rule::Literal(&METHOD), PASTED)
        .required()
        .example("get"),
    check("Path", Rule::Literal(&PATH), PASTED)
        .required()
        .example("/orders"),
    safe("RequestModel", Shape::Map),
    safe("RequestParameters", Shape::List),
    safe("ResponseTransferMode", Shape::Text),
    safe("TimeoutInMillis", Shape::Whole),
    check(
        "Auth",
        Rule::Map(AUTH),
        "an authorizer of the API; calls are made with no role",
    ),
    check(
        "RestApiId",
        Rule::LocalRef(&[api::NAME]),
        "`!Ref` of an API of this template; without it SAM would make one that nobody configured",
    )
    .required()
    .example("!Ref Api"),
    refused("Stage", "it is not documented"),
];

/// Why methods and paths are literal.
pub(super) const PASTED: &str =
    "literal: SAM pastes it into an `Fn::Sub` of the permission, where `${...}` would be replaced";

/// Source: API Gateway Developer Guide, "x-amazon-apigateway-any-method object"; SAM takes `any` and `*` for it.
pub(super) static METHOD: Pattern = Pattern {
    describe: "a method such as `get`, or `any`",
    fits: |text| {
        text == "*" || (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
    },
};

/// Source: RFC 3986, "Path", and the `{name}` and `{name+}` of API Gateway; `$default` is that of HTTP APIs.
pub(super) static PATH: Pattern = Pattern {
    describe: "`/` and then letters, digits, `{name}`, `{name+}` and `-._~:@!'()*+,;=%/`",
    fits: |text| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:@!'()*+,;=%/{}".contains(&b);
        let is_doubled = text.contains("{{") || text.contains("}}");
        text == "$default" || text.starts_with('/') && text.bytes().all(is_plain) && !is_doubled
    },
};

pub(super) const AUTH: &[Property] = &[
    safe("ApiKeyRequired", Shape::Flag),
    safe("AuthorizationScopes", Shape::List),
    safe("Authorizer", Shape::Text),
    safe("OverrideApiAuth", Shape::Flag),
    check(
        "InvokeRole",
        Rule::OneOf(&["NONE"]),
        "functions are called by permission, not by a role",
    ),
    check(
        "ResourcePolicy",
        Rule::Map(api::RESOURCE_POLICY),
        "who may call this method",
    ),
];

/// Source: aws-sam-translator 1.115, `samtranslator/model/eventsources/push.py`, `Api`.
fn generates(id: &str, properties: &Members, others: &Others<'_>) -> Vec<Generated> {
    const PERMISSION: &str = "AWS::Lambda::Permission";
    let stage = properties
        .get("RestApiId")
        .and_then(intrinsic::target)
        .and_then(|target| others(target.id()))
        .and_then(|api| api.get("StageName"))
        .and_then(Value::as_str)
        .unwrap_or("Stage");
    let is_plain = stage.bytes().all(|b| b.is_ascii_alphanumeric());
    vec![if is_plain {
        Generated::exactly(format!("{id}Permission{stage}"), PERMISSION)
    } else {
        Generated::hashed(format!("{id}Permission"), PERMISSION)
    }]
}
