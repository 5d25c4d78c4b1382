//! The value rules, everywhere: which intrinsics may stand in a template, what they may name, and no dynamic
//! reference in any disguise. One walk over everything that goes to CloudFormation, before any table is looked at.

use serde_json::Value;

use super::judge::{Judge, Local, Members};
use super::place::Place;
use super::rule::any_of;
use crate::codes;
use crate::suggest::nearest;
use crate::template::intrinsic::{self, Piece, is_function, pieces};
use crate::template::shown;

/// The pseudo parameters that name nothing but where the stack is. `AWS::NoValue` would remove what was checked.
const PSEUDO: &[&str] = &[
    "AWS::AccountId",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Walks a value. `joined`: it is a part of a text that Join or Sub puts together.
pub(super) fn value(judge: &mut Judge<'_>, place: &Place<'_>, value: &Value, joined: bool) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            if joined {
                piece(judge, place, text);
            } else {
                literal(judge, place, text);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                self::value(judge, &place.index(at), item, joined);
            }
        }
        Value::Object(members) => match intrinsic::sole(members) {
            Some((name, argument)) if is_function(name) => function(judge, &place.key(name), name, argument, joined),
            _ => {
                for (key, member) in members {
                    let place = place.key(key);
                    if is_function(key) {
                        malformed(judge, &place, &format!("`{}` does not stand alone", shown(key)));
                    }
                    literal(judge, &place, key);
                    self::value(judge, &place, member, joined);
                }
            }
        },
    }
}

fn dynamic(judge: &mut Judge<'_>, place: &Place<'_>, message: &str) {
    judge.refuse(
        codes::DYNAMIC_REFERENCE,
        place,
        message,
        "give the function the right to read the secret or parameter (`AWSSecretsManagerGetSecretValuePolicy`, \
         `SSMParameterReadPolicy`) and read it at run time",
    );
}

/// A text that stays as it is: `{{ name }}` is harmless, `{{resolve` is not, wherever the `resolve` stands.
fn literal(judge: &mut Judge<'_>, place: &Place<'_>, text: &str) {
    let is_dynamic = text
        .split_once("{{")
        .is_some_and(|(_, after)| after.to_ascii_lowercase().contains("resolve"));
    if is_dynamic {
        dynamic(judge, place, &format!("`{}` is a dynamic reference", shown(text)));
    }
}

/// A text that others are joined to: nothing in it may be a part of `{{resolve:...}}`.
fn piece(judge: &mut Judge<'_>, place: &Place<'_>, text: &str) {
    if is_suspicious(text) || text.starts_with('{') || text.ends_with('{') {
        dynamic(
            judge,
            place,
            &format!("joined to others, `{}` could become a dynamic reference", shown(text)),
        );
    }
}

fn is_suspicious(text: &str) -> bool {
    text.contains("{{") || text.to_ascii_lowercase().contains("resolve:")
}

fn malformed(judge: &mut Judge<'_>, place: &Place<'_>, message: &str) {
    judge.refuse(
        codes::INTRINSIC,
        place,
        message,
        "write `!Ref id`, `!GetAtt id.attribute`, `!Sub text` or `!Join [text, [values]]`",
    );
}

fn function(judge: &mut Judge<'_>, place: &Place<'_>, name: &str, argument: &Value, joined: bool) {
    match (name, argument) {
        ("Ref", Value::String(id)) => named(judge, place, id, None),
        ("Fn::GetAtt", _) => match get_att(argument) {
            Some((id, attribute)) => named(judge, place, id, Some(attribute)),
            None => malformed(
                judge,
                place,
                "`Fn::GetAtt` takes a logical id and an attribute, both literal",
            ),
        },
        ("Fn::Sub", Value::String(text)) => sub(judge, place, text, None, joined),
        ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
            [Value::String(text), Value::Object(variables)] => {
                let variables_place = place.index(1);
                for (name, value) in variables {
                    let place = variables_place.key(name);
                    if name.contains('.') || judge.local(name).is_some() || name.starts_with("AWS::") {
                        malformed(
                            judge,
                            &place,
                            &format!("the variable `{}` hides something else of that name", shown(name)),
                        );
                    }
                    literal(judge, &place, name);
                    self::value(judge, &place, value, true);
                }
                sub(judge, &place.index(0), text, Some(variables), joined);
            }
            _ => malformed(judge, place, "`Fn::Sub` takes a text, or a list of a text and a map"),
        },
        ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
            [Value::String(between), Value::Array(items)] => {
                piece(judge, &place.index(0), between);
                let place = place.index(1);
                for (at, item) in items.iter().enumerate() {
                    self::value(judge, &place.index(at), item, true);
                }
            }
            _ => malformed(judge, place, "`Fn::Join` takes a literal text and a list"),
        },
        ("Ref" | "Fn::Sub" | "Fn::Join", _) => malformed(judge, place, &format!("`{name}` has the wrong argument")),
        _ => malformed(judge, place, &format!("`{}` is not allowed", shown(name))),
    }
}

/// Both forms of the argument of `Fn::GetAtt`.
fn get_att(argument: &Value) -> Option<(&str, &str)> {
    match argument {
        Value::String(text) => text.split_once('.'),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(id), Value::String(attribute)] => Some((id, attribute)),
            _ => None,
        },
        _ => None,
    }
}

fn sub(judge: &mut Judge<'_>, place: &Place<'_>, text: &str, variables: Option<&Members>, joined: bool) {
    // What CloudFormation will make of it, with a gap for every variable.
    const GAP: char = '\u{0}';
    let mut folded = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => folded.push_str(text),
            Piece::Open => malformed(judge, place, "a `${` is never closed"),
            Piece::Variable(name) => {
                folded.push(GAP);
                if variables.is_some_and(|variables| variables.contains_key(name)) {
                    continue;
                }
                match name.split_once('.') {
                    Some((id, attribute)) => named(judge, place, id, Some(attribute)),
                    None => named(judge, place, name, None),
                }
            }
        }
    }
    let parts: Vec<_> = folded.split(GAP).collect();
    let meets_gap = parts
        .windows(2)
        .any(|pair| matches!(pair, [before, after] if before.ends_with('{') || after.starts_with('{')));
    let meets_outside = joined && (folded.starts_with('{') || folded.ends_with('{'));
    if is_suspicious(&folded) || meets_gap || meets_outside {
        dynamic(
            judge,
            place,
            &format!("put together, `{}` could become a dynamic reference", shown(text)),
        );
    }
}

/// What is wrong with a name that no resource has, and what to write instead.
fn unknown(judge: &Judge<'_>, id: &str) -> (String, String) {
    let name = shown(id);
    if id == "AWS::NoValue" {
        let message = "`AWS::NoValue` is not allowed: it would remove what was checked".to_owned();
        return (message, "leave the property out".to_owned());
    }
    if id.starts_with("AWS::") {
        let message = format!("`{name}` is no pseudo parameter that may be used");
        return (message, format!("write {}", any_of(PSEUDO)));
    }
    if judge.has_parameter(id) {
        let message = format!("`{name}` is a parameter, and Fenrir takes none");
        let help = "write the value out; what differs between configs belongs into a template of its own";
        return (message, help.to_owned());
    }
    if let Some((owner, attribute)) = id.split_once('.')
        && let Some(Some(local)) = judge.local(owner)
    {
        return of_resource(local, attribute);
    }
    let is_role_of = |id: &str| id.strip_suffix("Role").is_some_and(|id| judge.local(id).is_some());
    let help = match id {
        "ServerlessRestApi" | "ServerlessHttpApi" => {
            "no API is made by itself here: add an `AWS::Serverless::Api` or `HttpApi`, and name that".to_owned()
        }
        _ if is_role_of(id) => "Fenrir writes that role only where no `Role` is given".to_owned(),
        _ => match nearest(id, judge.ids()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a resource of this template, or write the value out".to_owned(),
        },
    };
    (format!("there is no resource `{name}` in this template"), help)
}

/// `!Ref F.Arn`, and `!Ref F.Version`, by which SAM lets a template name what it makes of `F`.
fn of_resource(local: Local<'_>, attribute: &str) -> (String, String) {
    let id = local.id;
    let name = shown(attribute);
    if local.kind.attributes.contains(&attribute) {
        let message = format!("`Ref` names a resource, and `{id}.{name}` is an attribute");
        return (message, format!("write `!GetAtt {id}.{name}`"));
    }
    (
        format!("`{id}.{name}` is no resource of this template, and what SAM makes of it cannot be named that way"),
        format!("write `!Ref {id}` for the resource itself"),
    )
}

/// A logical id with an attribute, or a logical id or pseudo parameter without one.
fn named(judge: &mut Judge<'_>, place: &Place<'_>, id: &str, attribute: Option<&str>) {
    if attribute.is_none() && PSEUDO.contains(&id) {
        return;
    }
    match (judge.local(id), attribute) {
        (None, _) if judge.is_full() => {}
        (None, _) => {
            let (message, help) = unknown(judge, id);
            judge.refuse(codes::UNKNOWN_TARGET, place, message, help);
        }
        (Some(Some(local)), Some(attribute)) if !local.kind.attributes.contains(&attribute) => {
            let help = match (
                nearest(attribute, local.kind.attributes.iter().copied()),
                local.kind.attributes,
            ) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, []) => "the type has none; write `!Ref`".to_owned(),
                (None, all) => format!("it has {}", any_of(all)),
            };
            judge.refuse(
                codes::UNKNOWN_ATTRIBUTE,
                place,
                format!(
                    "`{}` (`{}`) has no attribute `{}`",
                    id,
                    local.kind.name,
                    shown(attribute)
                ),
                help,
            );
        }
        // Right, or of a type that is not supported, which is told where it stands.
        (Some(_), _) => {}
    }
}
