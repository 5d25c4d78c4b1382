//! Secrets do not belong into a template, but they do get there: into the environment of a function. A plan is printed
//! in terminals and in the logs of pipelines, so it says that such a value changes, and not what it is.

use serde_json::Value;

use super::Property;

/// In place of a value that is not shown.
pub const HIDDEN: &str = "(hidden)";
/// In place of the new value of one that changes.
pub const HIDDEN_AND_CHANGED: &str = "(hidden, and another one)";

/// Parts of names that a secret has.
const NAMES: [&str; 9] = [
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "TOKEN",
    "CREDENTIAL",
    "APIKEY",
    "API_KEY",
    "PRIVATE_KEY",
];

/// Where names and values are the author's own: a function's environment, an API's stage variables.
const PLACES: [&str; 3] = [
    "/Properties/Environment",
    "/Properties/Variables",
    "/Properties/StageVariables",
];

/// Hides what looks like a secret.
pub(super) fn hide(properties: &mut [Property]) {
    for property in properties {
        let is_here = |place: &&str| property.path == **place || property.path.starts_with(&format!("{place}/"));
        if !PLACES.iter().any(is_here) {
            continue;
        }
        // CloudFormation's own text of the whole, cut short: nobody knows what is in it.
        for value in [&mut property.before, &mut property.after].into_iter().flatten() {
            if value.is_string() && PLACES.contains(&property.path.as_str()) {
                *value = Value::String(HIDDEN.to_owned());
            }
        }
        let name = property.path.rsplit('/').next().unwrap_or_default().to_owned();
        both(&name, property.before.as_mut(), property.after.as_mut());
    }
}

/// Hides the value of `name` on both sides, or of what lies below it.
fn both(name: &str, before: Option<&mut Value>, after: Option<&mut Value>) {
    if is_secret(name) {
        let same = before.as_deref() == after.as_deref();
        let is_changed = before.is_some() && !same;
        for (side, words) in [
            (before, HIDDEN),
            (after, if is_changed { HIDDEN_AND_CHANGED } else { HIDDEN }),
        ] {
            if let Some(value) = side.filter(|value| is_shown(value)) {
                *value = Value::String(words.to_owned());
            }
        }
        return;
    }
    let mut nobody = serde_json::Map::new();
    let mut nobody_either = serde_json::Map::new();
    let before = before.and_then(Value::as_object_mut).unwrap_or(&mut nobody);
    let after = after.and_then(Value::as_object_mut).unwrap_or(&mut nobody_either);
    for (name, value) in before.iter_mut() {
        both(name, Some(value), after.get_mut(name));
    }
    for (name, value) in after.iter_mut().filter(|(name, _)| !before.contains_key(*name)) {
        both(name, None, Some(value));
    }
}

/// Only a text can be a secret; an ARN and a reference say where one is.
fn is_shown(value: &Value) -> bool {
    matches!(value, Value::String(text) if !text.starts_with("arn:"))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    NAMES.iter().any(|part| name.contains(part))
}
