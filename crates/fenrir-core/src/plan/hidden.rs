//! Secrets do not belong into a template, but they do get there: into the environment of a function. A plan is printed
//! in terminals and in the logs of pipelines, so it says that such a value changes, and not what it is.

use serde_json::Value;

use super::{Property, plain};
use crate::template::intrinsic::{is_intrinsic, target};

/// In place of a value that is not shown.
pub const HIDDEN: &str = "(hidden)";
/// In place of the new value of one that changes.
pub const HIDDEN_AND_CHANGED: &str = "(hidden, and another one)";

/// Parts of names that a secret has, in capitals and without what separates words.
const NAMES: [&str; 16] = [
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PWD",
    "TOKEN",
    "CREDENTIAL",
    "APIKEY",
    "ACCESSKEY",
    "AUTHKEY",
    "ENCRYPTIONKEY",
    "MASTERKEY",
    "PRIVATEKEY",
    "SHAREDKEY",
    "SIGNINGKEY",
    "CONNECTIONSTRING",
];

/// What only the end of a name says: `DB_PASS`, and not `PASSENGERS`.
const ENDS: [&str; 2] = ["PASS", "DSN"];

/// Where names and values are the author's own: a function's environment, an API's stage variables, the outputs.
const PLACES: [&str; 4] = [
    "/Properties/Environment",
    "/Properties/Variables",
    "/Properties/StageVariables",
    "/Outputs",
];

/// Where nothing but a map belongs. A text in its place is what CloudFormation shows of the map, cut short.
const MAPS: [&str; 4] = [
    "/Properties/Environment",
    "/Properties/Environment/Variables",
    "/Properties/Variables",
    "/Properties/StageVariables",
];

/// Hides what looks like a secret: by its name where names are the author's own, and by its form everywhere.
pub(super) fn hide(properties: &mut [Property]) {
    for property in properties {
        let is_here = |place: &&str| property.path == **place || property.path.starts_with(&format!("{place}/"));
        let by_name = PLACES.iter().any(is_here);
        let name = property.path.rsplit('/').next().unwrap_or_default().to_owned();
        if MAPS.contains(&property.path.as_str()) {
            for side in [property.before.as_mut(), property.after.as_mut()]
                .into_iter()
                .flatten()
            {
                cut(side);
            }
        }
        both(&name, by_name, property.before.as_mut(), property.after.as_mut());
    }
}

/// Hides a text where a map belongs, and where its `Variables` belong.
fn cut(value: &mut Value) {
    if value.is_string() {
        *value = Value::String(HIDDEN.to_owned());
    } else if let Some(variables @ Value::String(_)) = value.get_mut("Variables") {
        *variables = Value::String(HIDDEN.to_owned());
    }
}

/// Hides the value of `name` on both sides, or of what lies below it.
fn both(name: &str, by_name: bool, before: Option<&mut Value>, after: Option<&mut Value>) {
    let is_secret = by_name && is_secret(name);
    let is_whole = |side: Option<&Value>| side.is_none_or(|value| is_secret || is_single(value));
    if is_whole(before.as_deref()) && is_whole(after.as_deref()) {
        let is_changed = before.is_some() && before.as_deref() != after.as_deref();
        for (side, words) in [
            (before, HIDDEN),
            (after, if is_changed { HIDDEN_AND_CHANGED } else { HIDDEN }),
        ] {
            if let Some(value) = side.filter(|value| is_secret && !names_one(value) || has_login(value)) {
                *value = Value::String(words.to_owned());
            }
        }
        return;
    }
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            for (name, value) in before.iter_mut() {
                both(name, by_name, Some(value), after.get_mut(name));
            }
            for (name, value) in after.iter_mut().filter(|(name, _)| !before.contains_key(*name)) {
                both(name, by_name, None, Some(value));
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            let mut rest = after.iter_mut();
            for value in before {
                both(name, by_name, Some(value), rest.next());
            }
            rest.for_each(|value| both(name, by_name, None, Some(value)));
        }
        (before, after) => {
            for side in [before, after].into_iter().flatten() {
                alone(name, by_name, side);
            }
        }
    }
}

/// Hides what is on one side only, or of another form on the other.
fn alone(name: &str, by_name: bool, side: &mut Value) {
    match side {
        side if is_single(side) => both(name, by_name, None, Some(side)),
        Value::Object(members) => {
            for (name, value) in members {
                both(name, by_name, None, Some(value));
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|value| both(name, by_name, None, Some(value))),
        _ => {}
    }
}

/// Whether it is one value for a person: no map and no list, or an intrinsic.
fn is_single(value: &Value) -> bool {
    !(value.is_object() || value.is_array()) || is_intrinsic(value)
}

/// A reference and an ARN say where a secret is, and not what it is.
fn names_one(value: &Value) -> bool {
    let text = value.as_str().or_else(|| value.get("Fn::Sub")?.as_str());
    target(value).is_some() || text.is_some_and(|text| text.starts_with("arn:"))
}

/// Whether it has an address with a password in it, such as `postgres://me:secret@host`.
fn has_login(value: &Value) -> bool {
    let is_in = |text: &str| {
        text.split("://").skip(1).any(|rest| {
            let rest = rest.split([' ', '\n', '\t', '"', '\'']).next().unwrap_or_default();
            rest.split_once('@').is_some_and(|(login, _)| login.contains(':'))
        })
    };
    match value {
        Value::String(text) => is_in(text),
        // What an intrinsic puts together, and each of its pieces.
        value if is_intrinsic(value) => is_in(&plain(value)) || is_in(&value.to_string()),
        _ => false,
    }
}

fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.to_uppercase();
    NAMES.iter().any(|part| name.contains(part)) || ENDS.iter().any(|end| name.ends_with(end))
}
