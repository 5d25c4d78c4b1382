//! The files under test.

use std::fs;
use std::path::PathBuf;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value, json};

/// A path from the root of the repository.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The text of a file of the repository.
pub fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A CloudFormation template; short forms such as `!Sub` have become their long forms.
///
/// Not read by `fenrir_core::template`: that is for applications, and refuses intrinsics that Fenrir's own stacks need.
pub fn template(name: &str) -> Value {
    let text = text(name);
    let events = Parser::new_from_str(&text).map(|event| event.unwrap_or_else(|error| panic!("{name}: {error}")).0);
    let is_part = |event: &Event| match event {
        Event::Alias(_) => panic!("{name}: CloudFormation knows no aliases"),
        Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => false,
        _ => true,
    };
    let mut parts = events.filter(is_part);
    let first = parts.next().unwrap();
    value(first, &mut parts)
}

/// The value that begins with `event`.
fn value<'a>(event: Event<'a>, parts: &mut impl Iterator<Item = Event<'a>>) -> Value {
    match event {
        Event::Scalar(text, style, _, tag) => long_form(tag.as_deref(), scalar(&text, style)),
        Event::SequenceStart(_, tag) => {
            let mut list = Vec::new();
            loop {
                match parts.next().unwrap() {
                    Event::SequenceEnd => return long_form(tag.as_deref(), Value::Array(list)),
                    event => list.push(value(event, parts)),
                }
            }
        }
        Event::MappingStart(_, tag) => {
            let mut map = Map::new();
            loop {
                match parts.next().unwrap() {
                    Event::MappingEnd => return long_form(tag.as_deref(), Value::Object(map)),
                    Event::Scalar(key, ..) => {
                        let member = parts.next().unwrap();
                        let before = map.insert(key.to_string(), value(member, parts));
                        assert!(before.is_none(), "`{key}` is there twice");
                    }
                    other => panic!("a key that is no text: {other:?}"),
                }
            }
        }
        other => panic!("no value begins with {other:?}"),
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    match text {
        "true" | "false" if plain => json!(text == "true"),
        _ if plain && text.parse::<u64>().is_ok() => json!(text.parse::<u64>().unwrap()),
        _ => json!(text),
    }
}

fn long_form(tag: Option<&Tag>, value: Value) -> Value {
    match tag.map(|tag| tag.suffix.as_str()) {
        None => value,
        Some(name @ ("Ref" | "Condition")) => json!({name: value}),
        Some("GetAtt") => json!({"Fn::GetAtt": value.as_str().unwrap().splitn(2, '.').collect::<Vec<_>>()}),
        Some(name) => json!({format!("Fn::{name}"): value}),
    }
}

/// The state machine.
pub fn machine() -> Value {
    serde_json::from_str(&text("state_machine.asl.json")).unwrap()
}

/// The members of a JSON object.
pub fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("not an object: {value}"))
        .iter()
        .map(|(key, value)| (key.as_str(), value))
}

/// The texts of a list, or the one text that stands for a list.
pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().map(|item| item.as_str().unwrap()).collect(),
        _ => panic!("neither a text nor a list: {value}"),
    }
}
