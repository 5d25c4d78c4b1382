//! OpenAPI definitions of an API: walked as a whole, because an integration works wherever API Gateway finds it.

use serde_json::Value;

use super::artifact;
use super::judge::{Judge, Members};
use super::kind;
use super::place::Place;
use super::rule::{Custom, Property, Rule, Shape, any_of, check, describe, refused, safe};
use super::scan;
use super::types::function;
use crate::codes;
use crate::template::intrinsic::{Piece, pieces};
use crate::template::{Document, shown, size};

/// Extensions that only describe, or that are walked like everything else.
/// Source: API Gateway Developer Guide, "OpenAPI extensions for API Gateway".
const HARMLESS: &[&str] = &[
    "x-amazon-apigateway-any-method",
    "x-amazon-apigateway-api-key-source",
    "x-amazon-apigateway-auth",
    "x-amazon-apigateway-authtype",
    "x-amazon-apigateway-binary-media-types",
    "x-amazon-apigateway-cors",
    "x-amazon-apigateway-documentation",
    "x-amazon-apigateway-gateway-responses",
    "x-amazon-apigateway-importexport-version",
    "x-amazon-apigateway-integrations",
    "x-amazon-apigateway-minimum-compression-size",
    "x-amazon-apigateway-request-validator",
    "x-amazon-apigateway-request-validators",
];
const INTEGRATION: &str = "x-amazon-apigateway-integration";
const INTEGRATIONS: &str = "x-amazon-apigateway-integrations";
const AUTHORIZER: &str = "x-amazon-apigateway-authorizer";
const POLICY: &str = "x-amazon-apigateway-policy";

/// The rule of `DefinitionBody`, and of whatever becomes a part of it.
pub(super) fn body(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    if judge.map(place, value).is_some() {
        walk(judge, place, value);
    }
}

/// The definition in a file of the release, checked by `check`; its value rules too, because the walk over the template
/// did not see it. Where there is no release yet, nobody has read the file behind a local path.
pub(super) fn of_file(judge: &mut Judge<'_>, place: &Place<'_>, uri: &Value, check: Custom) -> Option<Value> {
    let uri = artifact::location(judge, place, uri)?;
    if judge.context().artifacts.is_none() && !uri.starts_with("s3:") {
        if !artifact::is_path(uri) {
            artifact::no_artifact(judge, place, uri);
            return None;
        }
        judge.not_checked(
            place,
            format!("the definition in `{}` is only checked when it is deployed", shown(uri)),
            Some("write the definition into the template to have it checked with it"),
        );
        return None;
    }
    let text = judge.ask_text(place, uri)?;
    match Document::load(&text) {
        Ok(document) => {
            if !judge.has_room(place, size(document.value())) {
                return None;
            }
            let mut definition = document.value().clone();
            scan::value(judge, place, &definition, false);
            check(judge, place, &mut definition);
            Some(definition)
        }
        Err(problems) => {
            for problem in problems {
                let place = place.pointer();
                let line = problem.position.map_or(0, |position| position.line);
                judge.tell(crate::problem::Problem {
                    message: format!("in `{}`, line {line}: {}", shown(uri), problem.message),
                    path: place,
                    position: None,
                    ..problem
                });
            }
            None
        }
    }
}

fn walk(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                walk(judge, &place.index(at), item);
            }
        }
        Value::Object(members) => {
            for (key, value) in members.iter_mut() {
                member(judge, &place.key(key), key, value);
            }
        }
        _ => {}
    }
}

fn member(judge: &mut Judge<'_>, place: &Place<'_>, key: &str, value: &mut Value) {
    match key {
        INTEGRATION => integration(judge, place, value),
        INTEGRATIONS => {
            if let Some(members) = judge.map(place, value) {
                for (key, value) in members.iter_mut() {
                    integration(judge, &place.key(key), value);
                }
            }
        }
        AUTHORIZER => Rule::Map(AUTHORIZER_TABLE).apply(judge, place, value),
        POLICY => resource_policy(judge, place, value),
        "$ref" => {
            let inside = value.as_str().is_some_and(|to| {
                to.starts_with("#/") && !to.contains('%') && !to.to_ascii_lowercase().contains("x-amazon")
            });
            if !inside {
                judge.refuse(
                    codes::API_DEFINITION,
                    place,
                    "`$ref` may only name a schema or another part of this definition",
                    "write `#/components/schemas/<name>`, or the part itself",
                );
            }
        }
        _ if key.to_ascii_lowercase().starts_with("x-amazon-") && !HARMLESS.contains(&key) => judge.refuse(
            codes::API_DEFINITION,
            place,
            format!("`{}` is not allowed in a definition", shown(key)),
            "leave it out",
        ),
        _ => walk(judge, place, value),
    }
}

const WALKED: &str = "walked like the rest: what stands in it can be referred to";

const INTEGRATION_TABLE: &[Property] = &[
    check("type", Rule::Custom(integration_type), "`mock`, `aws` or `aws_proxy`").required(),
    check("uri", Rule::Custom(function_uri), "a function of this template"),
    safe("cacheKeyParameters", Shape::List),
    safe("cacheNamespace", Shape::Text),
    safe("contentHandling", Shape::Text),
    safe("httpMethod", Shape::Text),
    safe("passthroughBehavior", Shape::Text),
    safe("payloadFormatVersion", Shape::Text),
    check("requestParameters", Rule::Custom(body), WALKED),
    check("requestTemplates", Rule::Custom(body), WALKED),
    check("responses", Rule::Custom(body), WALKED),
    safe("responseTransferMode", Shape::Text),
    safe("timeoutInMillis", Shape::Whole),
    refused("connectionId", "it leads into a network"),
    refused("connectionType", "it leads into a network"),
    refused("credentials", "the call would be made with the rights of a role"),
    refused("integrationSubtype", "it calls a service of AWS directly"),
    refused("integrationTarget", "it leads to another load balancer"),
    refused("stageVariables", "what they hold is decided later"),
    refused("tlsConfig", "integrations lead only to functions"),
    refused("$ref", "an integration is written where it is used"),
];

fn integration(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(members) = judge.map(place, value) else { return };
    judge.table(INTEGRATION_TABLE, place, members);
    let is_mock = text(members, "type").eq_ignore_ascii_case("mock");
    if members.contains_key("uri") == is_mock {
        judge.refuse(
            codes::API_DEFINITION,
            place,
            if is_mock {
                "a `mock` integration has no `uri`"
            } else {
                "the integration has no `uri`"
            },
            URI_HELP,
        );
    }
}

fn text<'m>(members: &'m Members, key: &str) -> &'m str {
    members.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn integration_type(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const TYPES: [&str; 3] = ["mock", "aws", "aws_proxy"];
    if let Some(given) = judge.literal(place, value)
        && !TYPES.iter().any(|known| known.eq_ignore_ascii_case(given))
    {
        judge.refuse(
            codes::API_DEFINITION,
            place,
            format!("integrations of type `{}` are not allowed", shown(given)),
            format!("write {}", any_of(&TYPES)),
        );
    }
}

const URI_HELP: &str = "write `!Sub arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}\
                        /invocations` with a function of this template";

/// Exactly the address by which API Gateway calls a function, as `Fn::Sub` in its text form.
/// Source: API Gateway Developer Guide, "x-amazon-apigateway-integration object", `uri`.
fn function_uri(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let id = value.get("Fn::Sub").and_then(Value::as_str).and_then(|text| {
        let pieces = pieces(text);
        let (partition, rest) = match pieces.as_slice() {
            [
                Piece::Text("arn:"),
                Piece::Variable("AWS::Partition"),
                Piece::Text(service),
                rest @ ..,
            ] => (*service, rest),
            [Piece::Text(start), rest @ ..] => (start.strip_prefix("arn:aws")?, rest),
            _ => return None,
        };
        match (partition, rest) {
            (
                ":apigateway:",
                [
                    Piece::Variable("AWS::Region"),
                    Piece::Text(":lambda:path/2015-03-31/functions/"),
                    Piece::Variable(target),
                    Piece::Text("/invocations"),
                ],
            ) => target.strip_suffix(".Arn"),
            _ => None,
        }
    });
    let is_own = id
        .and_then(|id| judge.local(id).flatten())
        .is_some_and(|local| local.kind.name == function::NAME);
    if !is_own || value.as_object().is_none_or(|map| map.len() != 1) {
        judge.refuse(
            codes::API_DEFINITION,
            place,
            format!(
                "`uri` is {} that does not lead to a function of this template",
                describe(value)
            ),
            URI_HELP,
        );
    }
}

static USER_POOL: Rule = Rule::Reference(&kind::USER_POOL);

static AUTHORIZER_TABLE: &[Property] = &[
    check(
        "type",
        Rule::OneOf(&["token", "request", "cognito_user_pools", "jwt"]),
        "what decides",
    )
    .required(),
    check(
        "authorizerUri",
        Rule::Custom(function_uri),
        "a function of this template",
    ),
    check("providerARNs", Rule::Each(&USER_POOL), "user pools whose tags allow it"),
    safe("authorizerPayloadFormatVersion", Shape::Text),
    safe("authorizerResultTtlInSeconds", Shape::Whole),
    safe("enableSimpleResponses", Shape::Flag),
    safe("identitySource", Shape::Any),
    safe("identityValidationExpression", Shape::Text),
    check("jwtConfiguration", Rule::Custom(body), WALKED),
    refused(
        "authorizerCredentials",
        "the call would be made with the rights of a role",
    ),
];

/// A resource policy of the own API: a map with statements.
pub(super) fn resource_policy(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const DOCUMENT: &[Property] = &[
        check(
            "Version",
            Rule::OneOf(&["2012-10-17", "2008-10-17"]),
            "the language's version",
        ),
        safe("Id", Shape::Text),
        check("Statement", Rule::Custom(statements), "about the own API").required(),
    ];
    Rule::Map(DOCUMENT).apply(judge, place, value);
}

/// Statements of a resource policy of the own API, one or a list.
pub(super) fn statements(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const STATEMENT: &[Property] = &[
        check("Effect", Rule::OneOf(&["Allow", "Deny"]), "literal").required(),
        check(
            "Action",
            Rule::Custom(|judge, place, value| each_text(judge, place, value, |text| text == "execute-api:Invoke")),
            "execute-api:Invoke",
        )
        .required(),
        check(
            "Resource",
            Rule::Custom(|judge, place, value| {
                each_text(judge, place, value, |text| text.starts_with("execute-api:/"));
            }),
            "execute-api:/...",
        )
        .required(),
        safe("Principal", Shape::Any),
        safe("Condition", Shape::Map),
        safe("Sid", Shape::Text),
    ];
    if let Value::Array(items) = value {
        for (at, item) in items.iter_mut().enumerate() {
            Rule::Map(STATEMENT).apply(judge, &place.index(at), item);
        }
    } else {
        Rule::Map(STATEMENT).apply(judge, place, value);
    }
}

fn each_text(judge: &mut Judge<'_>, place: &Place<'_>, value: &Value, fits: fn(&str) -> bool) {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    for item in items {
        if !item.as_str().is_some_and(fits) {
            judge.refuse(
                codes::LITERAL,
                place,
                format!("`{}` goes beyond the own API", place.name()),
                "write `execute-api:Invoke` on `execute-api:/*`, or on paths below it",
            );
        }
    }
}
