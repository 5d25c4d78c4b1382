//! What anybody on the internet, or in AWS, can reach after it and not now.

use std::collections::BTreeSet;

use serde_json::Value;

use super::callers::{principals, statements};
use super::words::{each, several, worst_first};
use super::{Sides, plain};
use crate::codes;
use crate::problem::Problem;

/// Something becomes open to everybody.
pub(super) fn public(sides: &Sides<'_>) -> Vec<Problem> {
    let before = sides.before.map(openings).unwrap_or_default();
    let after = sides.after.map(openings).unwrap_or_default();
    let new: Vec<String> = after.difference(&before).cloned().collect();
    if new.is_empty() {
        return Vec::new();
    }
    let new = worst_first(new);
    let message = format!(
        "`{}` (`{}`) is open to everybody: {}",
        sides.id(),
        sides.change.resource_type,
        several(new.clone())
    );
    let help = "is that meant? if not, ask for a signature or a token, or keep it inside of the VPC";
    vec![sides.warning(codes::PLAN_PUBLIC, message, help).details(new)]
}

/// Each way in that asks nobody who he is, as a part of a sentence.
fn openings(resource: &Value) -> BTreeSet<String> {
    let at = |path: &str| resource.pointer(path);
    let text = |path: &str| at(path).map(plain).unwrap_or_default();
    let mut open = BTreeSet::new();
    match resource.get("Type").and_then(Value::as_str).unwrap_or_default() {
        "AWS::Lambda::Url" if text("/Properties/AuthType") == "NONE" => {
            open.insert("its address takes calls without a signature (`AuthType` is `NONE`)".to_owned());
        }
        "AWS::Lambda::Permission" if text("/Properties/Principal") == "*" => {
            open.insert(format!("everybody may call `{}`", text("/Properties/FunctionName")));
        }
        "AWS::ApiGateway::RestApi" => {
            let is_private = each(at("/Properties/EndpointConfiguration/Types"))
                .iter()
                .any(|kind| kind.as_str() == Some("PRIVATE"));
            let body = at("/Properties/Body");
            let policy = at("/Properties/Policy").or_else(|| body?.get("x-amazon-apigateway-policy"));
            if !is_private && !policy.is_some_and(is_limiting) {
                open.extend(open_routes(body));
            }
        }
        "AWS::ApiGatewayV2::Api" => open.extend(open_routes(at("/Properties/Body"))),
        // Source: Elastic Load Balancing API, `CreateLoadBalancer`, `Scheme`: without it the load balancer faces the
        // internet.
        "AWS::ElasticLoadBalancingV2::LoadBalancer" if text("/Properties/Scheme") != "internal" => {
            open.insert("it faces the internet (`Scheme` is not `internal`)".to_owned());
        }
        "AWS::CloudFront::Distribution" if text("/Properties/DistributionConfig/Enabled") == "true" => {
            open.insert("CloudFront answers everybody".to_owned());
        }
        "AWS::S3::Bucket" => {
            let off = BLOCKS.iter().filter(|block| {
                let path = format!("/Properties/PublicAccessBlockConfiguration/{block}");
                text(&path) != "true"
            });
            open.extend(off.map(|block| format!("`{block}` is off")));
            if text("/Properties/AccessControl").starts_with("Public") {
                open.insert(format!("`AccessControl` is `{}`", text("/Properties/AccessControl")));
            }
        }
        "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy" | "AWS::S3::BucketPolicy" => {
            open.extend(open_statements(at("/Properties/PolicyDocument")));
        }
        "AWS::IAM::Role" => open.extend(open_statements(at("/Properties/AssumeRolePolicyDocument"))),
        _ => {}
    }
    open
}

/// Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage".
const BLOCKS: [&str; 4] = [
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
];

/// The routes of an OpenAPI definition that ask for nothing. A preflight asks for nothing by its nature.
///
/// Source: OpenAPI Specification, "Operation Object", `security`: it takes the place of the whole definition's, and an
/// empty requirement in it asks for nothing.
fn open_routes(body: Option<&Value>) -> Vec<String> {
    let Some(body) = body else { return Vec::new() };
    let asks = |security: Option<&Value>| {
        let all = security
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let is_empty = |one: &Value| one.as_object().is_none_or(serde_json::Map::is_empty);
        !all.is_empty() && !all.iter().any(is_empty)
    };
    let paths = body.get("paths").and_then(Value::as_object);
    let mut open = Vec::new();
    for (path, operations) in paths.into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let method = match method.to_lowercase().as_str() {
                "x-amazon-apigateway-any-method" => "ANY".to_owned(),
                known @ ("get" | "put" | "post" | "delete" | "patch" | "head") => known.to_uppercase(),
                _ => continue,
            };
            if !asks(operation.get("security").or_else(|| body.get("security"))) {
                open.push(format!("`{method} {path}` asks for no authorization"));
            }
        }
    }
    open
}

/// Whether an API's resource policy keeps anybody out: by a denial, or because all that it allows it allows to somebody
/// or under a condition. Without any statement that allows, nobody comes in.
fn is_limiting(policy: &Value) -> bool {
    let denies = each(policy.get("Statement"))
        .iter()
        .any(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Deny"));
    denies || open_statements(Some(policy)).is_empty()
}

/// What a policy allows to everybody, under no condition that keeps anybody out.
fn open_statements(document: Option<&Value>) -> Vec<String> {
    let open = statements(document).filter(|statement| {
        let is_everybody = principals(statement)
            .iter()
            .any(|who| who == "*" || who.starts_with("everybody but"));
        is_everybody && !statement.get("Condition").is_some_and(keeps_out)
    });
    open.map(|statement| {
        let actions = each(statement.get("Action"))
            .iter()
            .map(|action| format!("`{}`", plain(action)))
            .chain(
                each(statement.get("NotAction"))
                    .iter()
                    .map(|action| format!("everything but `{}`", plain(action))),
            );
        format!("everybody may {}", several(worst_first(actions.collect())))
    })
    .collect()
}

/// Whether a condition keeps anybody out. All of its parts must hold, so one that does is enough.
fn keeps_out(condition: &Value) -> bool {
    let operators = condition.as_object().into_iter().flatten();
    operators
        .filter(|(operator, _)| is_limiting_operator(operator))
        .flat_map(|(_, keys)| keys.as_object().into_iter().flat_map(serde_json::Map::values))
        // Of the values of a key one is enough.
        .any(|values| !each(Some(values)).iter().any(is_anything))
}

/// Whether an operator names those who may. A negated one names who may not, `...IfExists` and `ForAllValues` let in
/// who brings no such key, and `Null`, `Bool`, dates and numbers say how and when, and not who.
///
/// Source: IAM User Guide, "IAM JSON policy elements: Condition operators"; "Single-valued vs. multivalued context keys".
fn is_limiting_operator(operator: &str) -> bool {
    let operator = operator.to_lowercase();
    let plain = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
    let is_of_those = ["string", "arn", "ipaddress", "binary"]
        .iter()
        .any(|kind| plain.starts_with(kind));
    is_of_those && !plain.contains("not") && !plain.ends_with("ifexists")
}

/// Whether everybody has, or can make himself, a value like it.
fn is_anything(value: &Value) -> bool {
    let text = plain(value);
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let is_any_arn = match parts.as_slice() {
        // A bucket's name is its owner's alone; of everything else the account says whose it is.
        ["arn", _, _, _, "", name] => is_stars(name),
        ["arn", _, _, _, account, _] => is_stars(account),
        ["arn", .., last] => is_stars(last),
        _ => false,
    };
    is_stars(&text) || is_any_arn || matches!(text.as_str(), "0.0.0.0/0" | "::/0")
}

fn is_stars(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c == '*')
}
