//! Values and lists as a sentence has them.

use serde_json::Value;

use crate::template::intrinsic::{Target, target};

/// A value as a developer writes it: texts as they are, references in their short form, the rest as JSON.
#[must_use]
pub fn plain(value: &Value) -> String {
    if let Some(target) = target(value) {
        return match target {
            Target::Ref(id) => format!("!Ref {id}"),
            Target::GetAtt(id, attribute) => format!("!GetAtt {id}.{attribute}"),
        };
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) => match (members.get("Fn::Sub"), members.get("Fn::Join")) {
            (Some(Value::String(text)), _) => text.clone(),
            (Some(Value::Array(parts)), _) => parts.first().map(plain).unwrap_or_default(),
            (_, Some(Value::Array(parts))) => joined(parts),
            _ => value.to_string(),
        },
        _ => value.to_string(),
    }
}

/// An `Fn::Join` with its parts put together: `${...}` stands for what is filled in.
fn joined(parts: &[Value]) -> String {
    let [Value::String(between), Value::Array(parts)] = parts else {
        return Value::Array(parts.to_vec()).to_string();
    };
    let parts: Vec<String> = parts
        .iter()
        .map(|part| match target(part) {
            Some(Target::Ref(id)) => format!("${{{id}}}"),
            Some(Target::GetAtt(id, attribute)) => format!("${{{id}.{attribute}}}"),
            None => plain(part),
        })
        .collect();
    parts.join(between)
}

/// Entries that fit into a sentence.
const SHOWN: usize = 6;

/// The first of them, and how many more there are.
pub(super) fn several(entries: impl IntoIterator<Item = String>) -> String {
    let mut entries: Vec<String> = entries.into_iter().collect();
    let more = entries.len().saturating_sub(SHOWN);
    if more > 0 {
        entries.truncate(SHOWN);
        entries.push(format!("and {more} more"));
    }
    entries.join(", ")
}

/// What is about everybody or everything first: a sentence has room for the first only.
pub(super) fn worst_first(mut entries: Vec<String>) -> Vec<String> {
    entries.sort_by_key(|entry| {
        let is_all = entry.contains("`*`") || entry.contains("everybody") || entry.contains("everything");
        (!is_all, !entry.contains('*'))
    });
    entries
}

/// A value's members: those of a list, or the value itself, as IAM reads them.
pub(super) fn each(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    }
}
