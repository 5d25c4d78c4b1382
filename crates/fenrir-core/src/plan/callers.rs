//! Who may call, assume or use something after it that may not now.

use std::collections::BTreeSet;

use serde_json::Value;

use super::words::{each, several, worst_first};
use super::{Sides, plain};
use crate::codes;
use crate::problem::Problem;

/// A permission, a trust or a resource's policy lets somebody new in.
pub(super) fn new(sides: &Sides<'_>) -> Vec<Problem> {
    // In a new stack everybody is new; whom it opens to the world `exposure` says.
    if sides.new_stack {
        return Vec::new();
    }
    let before = sides.before.map(callers).unwrap_or_default();
    let after = sides.after.map(callers).unwrap_or_default();
    let new: Vec<String> = after.difference(&before).cloned().collect();
    if new.is_empty() {
        return Vec::new();
    }
    let new = worst_first(new);
    let message = format!("`{}` lets in somebody new: {}", sides.id(), several(new.clone()));
    let help = "should they? an event of a function brings such a permission along";
    vec![sides.warning(codes::PLAN_NEW_CALLER, message, help).details(new)]
}

/// Everybody whom the resource lets in, as a part of a sentence.
fn callers(resource: &Value) -> BTreeSet<String> {
    let properties = |name: &str| resource.get("Properties").and_then(|properties| properties.get(name));
    let text = |name: &str| properties(name).map(plain).unwrap_or_default();
    match resource.get("Type").and_then(Value::as_str).unwrap_or_default() {
        "AWS::Lambda::Permission" => {
            let from = match properties("SourceArn").map(plain) {
                Some(arn) => format!(" for `{arn}`"),
                None => String::new(),
            };
            let (who, function) = (text("Principal"), text("FunctionName"));
            BTreeSet::from([format!("`{who}` may call `{function}`{from}")])
        }
        "AWS::IAM::Role" => {
            let all = statements(properties("AssumeRolePolicyDocument"));
            all.flat_map(principals)
                .map(|who| format!("`{who}` may assume it"))
                .collect()
        }
        "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy" | "AWS::S3::BucketPolicy" => {
            let all = statements(properties("PolicyDocument"));
            all.flat_map(|statement| {
                let actions = several(
                    each(statement.get("Action"))
                        .iter()
                        .map(|action| format!("`{}`", plain(action))),
                );
                principals(statement)
                    .into_iter()
                    .map(move |who| format!("`{who}` may {actions}"))
            })
            .collect()
        }
        _ => BTreeSet::new(),
    }
}

/// The statements of a policy that allow something.
pub(super) fn statements(document: Option<&Value>) -> impl Iterator<Item = &Value> {
    let all = each(document.and_then(|document| document.get("Statement"))).iter();
    all.filter(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Allow"))
}

/// Whom a statement speaks of: services, accounts, roles, or `*`.
pub(super) fn principals(statement: &Value) -> Vec<String> {
    if let Some(but) = statement.get("NotPrincipal") {
        return vec![format!("everybody but {}", plain(but))];
    }
    match statement.get("Principal") {
        Some(Value::Object(kinds)) => kinds.values().flat_map(|who| each(Some(who))).map(plain).collect(),
        Some(who) => vec![plain(who)],
        None => Vec::new(),
    }
}
