//! Event types, one file each (those that read a stream or queue share one).

pub mod api;
pub mod http_api;
pub mod logs;
pub mod of_machine;
pub mod pull;
pub mod rule;
pub mod s3;
pub mod schedule_v2;
pub mod sns;

use serde_json::Value;

use super::judge::{Judge, Members};
use super::place::Place;
use super::registry::{Generated, Generates, Others};
use super::rule::{Property, belongs_inside, describe};
use crate::codes;
use crate::suggest::nearest;
use crate::template::shown;

/// One event type of a function or state machine.
#[derive(Debug)]
pub struct EventType {
    /// `SQS`.
    pub name: &'static str,
    /// What it does, in a sentence of the reference page.
    pub about: &'static str,
    /// Every property that is allowed or refused by name.
    pub properties: &'static [Property],
    /// The logical ids that SAM makes from it; the id is the resource's followed by the event's.
    pub generates: Generates,
    /// What cannot be said property by property.
    pub finish: fn(&mut Judge<'_>, &Place<'_>, &mut Members),
}

impl EventType {
    pub(super) const PLAIN: Self = Self {
        name: "",
        about: "",
        properties: &[],
        generates: |_, _, _| Vec::new(),
        finish: |_, _, _| {},
    };
}

/// The event types of a function, in the order of the reference page.
pub static OF_FUNCTION: &[&EventType] = &[
    &api::API,
    &http_api::HTTP_API,
    &s3::S3,
    &sns::SNS,
    &pull::KINESIS,
    &pull::DYNAMODB,
    &pull::SQS,
    &rule::SCHEDULE,
    &schedule_v2::SCHEDULE_V2,
    &rule::CLOUD_WATCH_EVENT,
    &rule::EVENT_BRIDGE_RULE,
    &logs::CLOUD_WATCH_LOGS,
];

/// The event types of a state machine, in the order of the reference page.
pub static OF_STATE_MACHINE: &[&EventType] = &[
    &of_machine::API,
    &of_machine::SCHEDULE,
    &schedule_v2::SCHEDULE_V2,
    &of_machine::EVENT_BRIDGE_RULE,
];

/// The rule of the `Events` of a function.
pub fn of_function(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    events(judge, place, value, OF_FUNCTION);
}

/// The rule of the `Events` of a state machine.
pub fn of_state_machine(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    events(judge, place, value, OF_STATE_MACHINE);
}

/// Checks a map of events against these event types.
pub(super) fn events(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value, types: &[&'static EventType]) {
    let Some(events) = judge.map(place, value) else { return };
    for (name, event) in events.iter_mut() {
        let place = place.key(name);
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            judge.refuse(
                codes::LOGICAL_ID,
                &place,
                format!("`{}` cannot be the name of an event", shown(name)),
                "use letters and digits: SAM makes logical ids from it",
            );
        }
        if let Some(members) = judge.map(&place, event) {
            self::event(judge, &place, members, types);
        }
    }
}

fn event(judge: &mut Judge<'_>, place: &Place<'_>, members: &mut Members, types: &[&'static EventType]) {
    let table = members.get("Type").and_then(Value::as_str);
    let table = table.and_then(|name| types.iter().find(|kind| kind.name == name));
    let table = table.map_or(&[][..], |kind| kind.properties);
    for key in members
        .keys()
        .filter(|key| !["Type", "Properties"].contains(&key.as_str()))
    {
        let help = match nearest(key, ["Type", "Properties"]) {
            _ if belongs_inside(table, key) => "it belongs under `Properties`".to_owned(),
            Some(near) => format!("did you mean `{near}`?"),
            None => "an event has `Type` and `Properties`".to_owned(),
        };
        judge.refuse(
            codes::PROPERTY,
            &place.key(key),
            format!("an event cannot have `{}`", shown(key)),
            help,
        );
    }
    let Some(kind) = event_type(judge, place, members.get("Type"), types) else {
        return;
    };
    let properties = members
        .entry("Properties")
        .or_insert_with(|| Value::Object(Members::new()));
    let place = place.key("Properties");
    if let Some(properties) = judge.map(&place, properties) {
        judge.table(kind.properties, &place, properties);
        (kind.finish)(judge, &place, properties);
    }
}

fn event_type(
    judge: &mut Judge<'_>,
    place: &Place<'_>,
    given: Option<&Value>,
    types: &[&'static EventType],
) -> Option<&'static EventType> {
    let found = given
        .and_then(Value::as_str)
        .and_then(|name| types.iter().find(|kind| kind.name == name));
    if found.is_none() {
        let names = || types.iter().map(|kind| kind.name);
        let near = given.and_then(Value::as_str).and_then(|name| nearest(name, names()));
        judge.refuse(
            codes::EVENT_TYPE,
            &given.map_or(*place, |_| place.key("Type")),
            match given {
                None => format!("the event `{}` has no `Type`", shown(place.name())),
                Some(Value::String(name)) => format!("events of type `{}` are not allowed here", shown(name)),
                Some(other) => format!("`Type` is {} where a literal text is needed", describe(other)),
            },
            match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("allowed are {}", super::rule::any_of(&names().collect::<Vec<_>>())),
            },
        );
    }
    found.copied()
}

/// The logical ids that SAM makes from the events of a resource.
pub(super) fn generated(
    types: &[&'static EventType],
    id: &str,
    properties: &Members,
    others: &Others<'_>,
) -> Vec<Generated> {
    let events = properties.get("Events").and_then(Value::as_object);
    events
        .into_iter()
        .flatten()
        .filter_map(|(name, event)| {
            let kind = event.get("Type")?.as_str()?;
            let kind = types.iter().find(|known| known.name == kind)?;
            let properties = event.get("Properties").and_then(Value::as_object)?;
            Some((kind.generates)(&format!("{id}{name}"), properties, others))
        })
        .flatten()
        .collect()
}
