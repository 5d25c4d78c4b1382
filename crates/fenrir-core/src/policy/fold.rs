//! What CloudFormation will make of a text that intrinsics put together, as far as it can be known.

use serde_json::Value;

use super::judge::{Judge, Members};
use crate::names;
use crate::template::intrinsic::{self, Piece, pieces};

/// Stands for what only CloudFormation knows. No template contains it: control characters are refused.
pub(super) const GAP: char = '\u{0}';

/// The text that a value will be, with a [`GAP`] for everything that a resource gives. `None` when it is no text.
pub(super) fn fold(judge: &Judge<'_>, value: &Value) -> Option<String> {
    let members = match value {
        Value::String(text) => return Some(text.clone()),
        Value::Number(number) => return Some(number.to_string()),
        Value::Bool(flag) => return Some(flag.to_string()),
        Value::Object(members) => members,
        Value::Null | Value::Array(_) => return None,
    };
    let (name, argument) = intrinsic::sole(members)?;
    match (name.as_str(), argument) {
        ("Ref", Value::String(id)) => Some(variable(judge, id, None)),
        ("Fn::GetAtt", _) => Some(GAP.to_string()),
        ("Fn::Sub", Value::String(text)) => Some(sub(judge, text, None)),
        ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
            [Value::String(text), Value::Object(variables)] => Some(sub(judge, text, Some(variables))),
            _ => None,
        },
        ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
            [Value::String(between), Value::Array(items)] => {
                let items: Option<Vec<_>> = items.iter().map(|item| fold(judge, item)).collect();
                Some(items?.join(between))
            }
            _ => None,
        },
        _ => None,
    }
}

fn sub(judge: &Judge<'_>, text: &str, variables: Option<&Members>) -> String {
    let mut folded = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => folded.push_str(text),
            Piece::Variable(name) => folded.push_str(&variable(judge, name, variables)),
            Piece::Open => folded.push(GAP),
        }
    }
    folded
}

fn variable(judge: &Judge<'_>, name: &str, variables: Option<&Members>) -> String {
    let gap = || GAP.to_string();
    if let Some(value) = variables.and_then(|variables| variables.get(name)) {
        return fold(judge, value).unwrap_or_else(gap);
    }
    let owner = judge.owner();
    match name {
        "AWS::AccountId" => owner.account.clone(),
        "AWS::Region" => owner.region.clone(),
        "AWS::Partition" => owner.partition().to_owned(),
        "AWS::URLSuffix" => url_suffix(judge).to_owned(),
        "AWS::StackName" => names::stack(owner),
        _ => gap(),
    }
}

/// What `AWS::URLSuffix` is.
/// Source: CloudFormation User Guide, "Pseudo parameters reference".
pub(super) fn url_suffix(judge: &Judge<'_>) -> &'static str {
    if judge.owner().partition() == "aws-cn" {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    }
}
