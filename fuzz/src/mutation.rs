//! Changes a template part by part: properties get in where they do not belong, values get the wrong kind, references
//! name something else. What is put in comes from the tables of the policy and from the case files.

use std::sync::LazyLock;

use fenrir_core::policy::{events, policies, registry};
use serde_json::{Map, Value, json};

use crate::hostile;

/// Changes of one mutation, at most.
const MOST_CHANGES: u64 = 4;

/// The names that may stand before a colon, and everything that may stand behind one.
struct Parts {
    names: Vec<String>,
    values: Vec<Value>,
}

static PARTS: LazyLock<Parts> = LazyLock::new(|| {
    let mut parts = Parts {
        names: names(),
        values: values(),
    };
    for template in hostile::cases() {
        take_apart(&template, &mut parts);
    }
    parts.names.sort();
    parts.names.dedup();
    parts
});

fn names() -> Vec<String> {
    let types = registry::TYPES
        .iter()
        .flat_map(|kind| kind.properties)
        .map(|property| property.name);
    let events = events::OF_FUNCTION
        .iter()
        .flat_map(|kind| kind.properties)
        .map(|property| property.name);
    let policies = policies::TEMPLATES
        .iter()
        .flat_map(|template| template.parameters.iter().copied().chain([template.name]));
    let odd = [
        "Ref",
        "Fn::GetAtt",
        "Fn::Sub",
        "Fn::Join",
        "Fn::Transform",
        "Fn::ImportValue",
        "Fn::If",
        "Condition",
        "Globals",
        "Connectors",
        "Metadata",
        "IgnoreGlobals",
        "functionName",
        "Timeout ",
        "",
        "a/b",
        "~",
        "{{resolve:ssm:x}}",
        "FnRole",
    ];
    types
        .chain(events)
        .chain(policies)
        .chain(odd)
        .map(str::to_owned)
        .collect()
}

fn values() -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(0.5),
        json!(u64::MAX),
        json!(""),
        json!("*"),
        json!([]),
        json!({}),
        json!("{{resolve:ssm:x}}"),
        json!("{"),
        json!("{resolve:ssm:x}}"),
        json!("resolve:"),
        json!("${"),
        json!("${!X}"),
        json!("${Fn.Arn}"),
        json!("${AWS::Region}"),
        json!("\u{202e}"),
        json!("\u{0}"),
        json!("_all"),
        json!("arn:aws:sqs:eu-west-1:222222222222:theirs"),
        json!("arn:aws-cn:sqs:eu-west-1:111111111111:own"),
        json!("arn:aws:sqs:us-east-1:111111111111:own"),
        json!("foreign"),
        json!({"Ref": "AWS::NoValue"}),
        json!({"Ref": "AWS::Region"}),
        json!({"Fn::ImportValue": "x"}),
        json!({"Fn::GetAtt": "Queue.Arn"}),
        json!({"Fn::Sub": ["${a}${b}", {"a": "{{", "b": "resolve:ssm:x}}"}]}),
        json!({"Fn::Join": ["", ["{", "{resolve:ssm:x}}"]]}),
        json!({"Fn::Join": ["{", ["", "resolve:ssm:x}}"]]}),
        json!({"Fn::Sub": "${AWS::StackName}"}),
    ];
    let types = registry::TYPES.iter().map(|kind| kind.name);
    let events = events::OF_FUNCTION.iter().map(|kind| kind.name);
    values.extend(types.chain(events).map(Value::from));
    let world = hostile::world();
    let arns = world
        .resources
        .iter()
        .chain(&world.roles)
        .map(|tagged| tagged.arn.clone());
    let names = world
        .security_groups
        .iter()
        .chain(&world.subnets)
        .filter_map(|placed| placed.tags.get("Name").cloned());
    values.extend(
        arns.chain(names)
            .chain(world.artifacts.keys().cloned())
            .chain(world.kms_aliases.keys().cloned())
            .map(Value::from),
    );
    values
}

fn take_apart(value: &Value, parts: &mut Parts) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                parts.names.push(name.clone());
                take_apart(member, parts);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| take_apart(item, parts)),
        _ => {}
    }
    parts.values.push(value.clone());
}

/// Numbers that look random and are the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(usize::try_from(self.below(all.len() as u64)).unwrap_or_default())
    }
}

/// Another template, made from this one; `None` when this is no JSON.
#[must_use]
pub fn change(text: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut template: Value = serde_json::from_slice(text).ok()?;
    let mut dice = Dice(seed.into());
    for _ in 0..=dice.below(MOST_CHANGES) {
        let parts = count(&template);
        let mut at = dice.below(parts);
        change_part(&mut template, &mut at, &mut dice);
    }
    serde_json::to_vec(&template).ok()
}

fn count(value: &Value) -> u64 {
    1 + match value {
        Value::Object(members) => members.values().map(count).sum(),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

/// Changes the part number `at`, counted from the outside in. Returns whether it was found.
fn change_part(value: &mut Value, at: &mut u64, dice: &mut Dice) -> bool {
    if *at == 0 {
        change_value(value, dice);
        return true;
    }
    *at -= 1;
    match value {
        Value::Object(members) => members.values_mut().any(|member| change_part(member, at, dice)),
        Value::Array(items) => items.iter_mut().any(|item| change_part(item, at, dice)),
        _ => false,
    }
}

fn change_value(value: &mut Value, dice: &mut Dice) {
    let other = dice.one_of(&PARTS.values).cloned().unwrap_or_default();
    let name = dice.one_of(&PARTS.names).cloned().unwrap_or_default();
    match (dice.below(8), value) {
        (0..=3, Value::Object(members)) => change_map(members, name, other, dice),
        (0..=3, Value::Array(items)) => match dice.below(3) {
            0 => items.push(other),
            1 => drop(items.pop()),
            _ => items.extend(items.first().cloned()),
        },
        (4, value) => *value = json!([value.take()]),
        (5, value) => *value = Value::Object(Map::from_iter([(name, value.take())])),
        (_, value) => *value = other,
    }
}

fn change_map(members: &mut Map<String, Value>, name: String, other: Value, dice: &mut Dice) {
    let names: Vec<_> = members.keys().cloned().collect();
    let given = dice.one_of(&names).cloned().unwrap_or_default();
    match dice.below(4) {
        0 | 1 => drop(members.insert(name, other)),
        2 => drop(members.shift_remove(&given)),
        _ => {
            if let Some(value) = members.shift_remove(&given) {
                members.insert(name, value);
            }
        }
    }
}
