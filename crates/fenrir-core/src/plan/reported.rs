//! What CloudFormation lists, and what a plan makes of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Change, Fate, Kind, Property, Recreation, Templates, data, parts, resource};
use crate::problem::pointer;

/// One entry of a change set's list of changes, in CloudFormation's words.
///
/// Source: CloudFormation API Reference, `ResourceChange`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic`.
    pub action: String,
    /// Logical id.
    pub logical_id: String,
    /// Physical id, of what is there.
    pub physical_id: String,
    /// Resource type.
    pub resource_type: String,
    /// `True`, `False`, `Conditional`, where CloudFormation says.
    pub replacement: Option<String>,
    /// What happens to the resource itself (`Delete`, `Retain`, ...), where CloudFormation says.
    pub policy_action: Option<String>,
    /// What of it changes.
    pub details: Vec<Detail>,
}

/// What of a resource changes. Source: CloudFormation API Reference, `ResourceChangeDetail` and
/// `ResourceTargetDefinition`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// `Properties`, `Tags`, `Metadata`, ...
    pub attribute: String,
    /// The property's name, for `Properties`.
    pub name: Option<String>,
    /// JSON pointer of what changes within the resource, where CloudFormation says.
    pub path: Option<String>,
    /// The value before, where CloudFormation says; it cuts long ones.
    pub before: Option<String>,
    /// The value after, where CloudFormation says; it cuts long ones.
    pub after: Option<String>,
    /// `Never`, `Conditionally`, `Always`: whether the resource is made anew for it.
    pub recreation: Option<String>,
    /// What causes it when the template does not: `Table.Arn`.
    pub causing_entity: Option<String>,
}

impl Reported {
    fn kind(&self) -> Kind {
        match (self.action.as_str(), self.replacement.as_deref()) {
            ("Add" | "Import", _) => Kind::Add,
            ("Remove", _) => Kind::Remove,
            (_, Some("True")) => Kind::Replace,
            _ => Kind::Change,
        }
    }

    /// What a plan says of it.
    pub(super) fn change(&self, templates: Templates<'_>) -> Change {
        let kind = self.kind();
        let deployed = templates
            .deployed
            .and_then(|template| resource(template, &self.logical_id));
        let processed = resource(templates.processed, &self.logical_id);
        let properties = match kind {
            Kind::Add => of_all(processed, |value| Property {
                after: Some(value),
                ..Property::default()
            }),
            Kind::Remove => of_all(deployed, |value| Property {
                before: Some(value),
                ..Property::default()
            }),
            Kind::Change | Kind::Replace => self.changed(deployed.zip(processed)),
        };
        let is_unsure = self.replacement.as_deref() == Some("Conditional") || self.action == "Dynamic";
        let leaves = match kind {
            Kind::Remove => deployed.and_then(|resource| resource.get("DeletionPolicy")),
            _ => processed.and_then(|resource| resource.get("UpdateReplacePolicy")),
        };
        let may_replace = kind == Kind::Change && is_unsure;
        let is_left = matches!(kind, Kind::Remove | Kind::Replace) || may_replace;
        Change {
            kind,
            may_replace,
            logical_id: self.logical_id.clone(),
            physical_id: self.physical_id.clone(),
            resource_type: self.resource_type.clone(),
            holds_data: data::is_held_by(&self.resource_type),
            old: is_left.then(|| fate(self.policy_action.as_deref(), leaves)),
            properties,
        }
    }

    /// The properties that differ between the templates, and those that CloudFormation lists besides.
    fn changed(&self, sides: Option<(&Value, &Value)>) -> Vec<Property> {
        let mut changed = sides
            .map(|(before, after)| differing(before, after))
            .unwrap_or_default();
        for detail in &self.details {
            let top = match detail.name.as_deref().filter(|name| !name.is_empty()) {
                Some(name) => pointer("/Properties", name),
                None => pointer("", &detail.attribute),
            };
            let known = changed
                .iter_mut()
                .find(|property| property.path == top || detail.path.as_ref() == Some(&property.path));
            let wanted = recreation(detail.recreation.as_deref());
            if let Some(known) = known {
                known.recreation = known.recreation.max(wanted);
            } else {
                changed.push(Property {
                    path: detail.path.clone().unwrap_or(top),
                    before: detail.before.as_deref().map(value),
                    after: detail.after.as_deref().map(value),
                    because_of: detail.causing_entity.clone(),
                    recreation: wanted,
                });
            }
        }
        changed
    }
}

fn of_all(resource: Option<&Value>, make: impl Fn(Value) -> Property) -> Vec<Property> {
    let parts = resource.map(parts).unwrap_or_default();
    parts
        .into_iter()
        .map(|(path, value)| Property { path, ..make(value) })
        .collect()
}

/// What differs between two templates besides the resources.
pub(super) fn others(before: &Value, after: &Value) -> Vec<Property> {
    let parts = |template: &Value| {
        let mut parts = Map::new();
        for (section, value) in template.as_object().into_iter().flatten() {
            match value {
                _ if section == "Resources" => {}
                Value::Object(members) => {
                    let all = members.iter();
                    parts.extend(all.map(|(name, value)| (pointer(&pointer("", section), name), value.clone())));
                }
                value => {
                    parts.insert(pointer("", section), value.clone());
                }
            }
        }
        parts
    };
    of_both(parts(before), parts(after))
}

fn differing(before: &Value, after: &Value) -> Vec<Property> {
    of_both(parts(before), parts(after))
}

fn of_both(before: Map<String, Value>, mut after: Map<String, Value>) -> Vec<Property> {
    let mut found = Vec::new();
    for (path, old) in before {
        let new = after.remove(&path);
        if new.as_ref() != Some(&old) {
            found.push(Property {
                path,
                before: Some(old),
                after: new,
                ..Property::default()
            });
        }
    }
    found.extend(after.into_iter().map(|(path, new)| Property {
        path,
        after: Some(new),
        ..Property::default()
    }));
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// CloudFormation writes maps and lists as JSON, and everything else as it is.
fn value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

fn recreation(text: Option<&str>) -> Option<Recreation> {
    match text {
        Some("Always") => Some(Recreation::Always),
        Some("Conditionally") => Some(Recreation::Conditionally),
        _ => None,
    }
}

/// What becomes of the old resource: what CloudFormation says, or else the policy that says it to CloudFormation. Without
/// any it is deleted.
fn fate(said: Option<&str>, policy: Option<&Value>) -> Fate {
    match said.or_else(|| policy.and_then(Value::as_str)) {
        Some("Retain" | "ReplaceAndRetain" | "RetainExceptOnCreate") => Fate::Kept,
        Some("Snapshot" | "ReplaceAndSnapshot") => Fate::Snapshot,
        _ => Fate::Deleted,
    }
}
