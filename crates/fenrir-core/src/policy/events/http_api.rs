//! `HttpApi`: a path and method of an HTTP API.

use super::super::judge::Members;
use super::super::registry::{Generated, Others};
use super::super::rule::{Property, Rule, Shape, check, refused, safe};
use super::super::types::http_api;
use super::EventType;
use super::api::{METHOD, PASTED, PATH};

/// The event.
pub static HTTP_API: EventType = EventType {
    name: "HttpApi",
    about: "A path and method of an HTTP API of this template call the function.",
    properties: PROPERTIES,
    generates,
    ..EventType::PLAIN
};

const PROPERTIES: &[Property] = &[
    check("Method", Rule::Literal(&METHOD), PASTED).example("get"),
    check("Path", Rule::Literal(&PATH), PASTED).example("/orders"),
    safe("PayloadFormatVersion", Shape::Text),
    safe("RouteSettings", Shape::Map),
    safe("TimeoutInMillis", Shape::Whole),
    check(
        "ApiId",
        Rule::LocalRef(&[http_api::NAME]),
        "`!Ref` of an HTTP API of this template; without it SAM would make one that nobody configured",
    )
    .required()
    .example("!Ref Api"),
    check("Auth", Rule::Map(AUTH), "an authorizer of the API"),
    refused("Stage", "it is not documented"),
];

const AUTH: &[Property] = &[
    safe("AuthorizationScopes", Shape::List),
    safe("Authorizer", Shape::Text),
];

/// Source: aws-sam-translator 1.115, `samtranslator/model/eventsources/push.py`, `HttpApi`.
fn generates(id: &str, _properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    vec![Generated::exactly(format!("{id}Permission"), "AWS::Lambda::Permission")]
}
