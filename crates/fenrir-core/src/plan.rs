//! What a change set would do to a stack, told so that a person can decide: what is added, changed, replaced and
//! removed, property by property, and what of it deserves a second look.
//!
//! CloudFormation's list of changes ([`Reported`]) says what happens to which resource. It shows values cut short, and of
//! what is added none at all; so the values come from the two processed templates, the deployed one and the new one,
//! wherever these can be read. What the list says of a property that is the same in both (it depends on another that
//! changes) is kept with it.
//!
//! The warnings ([`warnings`]) are one file per concern. None of them stops anything: what may not be is refused by
//! [`crate::policy`].

mod callers;
mod data;
pub mod diff;
mod exposure;
mod hidden;
mod network;
mod reported;
mod rights;
mod words;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::deployment::StackAction;
use crate::problem::{Problem, Severity, pointer};

pub use hidden::{HIDDEN, HIDDEN_AND_CHANGED};
pub use reported::{Detail, Reported};
pub use words::plain;

/// What a change set would do: `changes.json` of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the stack.
    pub stack: String,
    /// Whether the stack would be made or changed.
    pub action: StackAction,
    /// All changes: first what is added, then changed, replaced, removed, each by logical id.
    pub changes: Vec<Change>,
    /// What differs outside of the resources: outputs, conditions, mappings, ... Only of a stack that is there, and whose
    /// template can be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Property>,
    /// The stack is what the template says: CloudFormation says that there is nothing to do. Without any change listed
    /// there may still be something, such as another output or another tag of the stack.
    #[serde(default)]
    pub no_changes: bool,
    /// What a deploy would be refused for, then what deserves a second look.
    pub problems: Vec<Problem>,
}

/// What happens to one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What.
    pub kind: Kind,
    /// CloudFormation decides only while it deploys whether a change becomes a replacement.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_replace: bool,
    /// Logical id.
    pub logical_id: String,
    /// Physical id, of what is there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub physical_id: String,
    /// Resource type.
    pub resource_type: String,
    /// Whether losing it loses data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holds_data: bool,
    /// What becomes of the resource that is replaced or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Fate>,
    /// What of it changes; of what is added or removed, everything it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

/// What a change comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A new resource.
    Add,
    /// The same resource, changed.
    Change,
    /// A new resource in place of the old one.
    Replace,
    /// It leaves the stack.
    Remove,
}

/// What becomes of a resource that leaves the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is deleted.
    Deleted,
    /// It stays, outside of any stack.
    Kept,
    /// It is deleted, and a snapshot stays.
    Snapshot,
}

/// One property, or one attribute such as `DeletionPolicy`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Property {
    /// JSON pointer below the resource: `/Properties/KeySchema`.
    pub path: String,
    /// The value before, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Whether this is why the resource is made anew: `always`, `conditionally`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recreation: Option<Recreation>,
    /// What else changes it, such as `Table.Arn`: the property itself is the same in both templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because_of: Option<String>,
}

/// Whether a property can be changed only by making the resource anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recreation {
    /// It depends.
    Conditionally,
    /// Always.
    Always,
}

/// How many changes of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// New resources.
    pub add: usize,
    /// Changed ones.
    pub change: usize,
    /// Replaced ones.
    pub replace: usize,
    /// Removed ones.
    pub remove: usize,
}

/// The two processed templates.
#[derive(Debug, Clone, Copy)]
pub struct Templates<'a> {
    /// What the stack runs now. `None` for a stack that is new, and for a template that nobody can read.
    pub deployed: Option<&'a Value>,
    /// What it would run.
    pub processed: &'a Value,
}

/// One resource before and after, for the warnings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides<'a> {
    pub(crate) change: &'a Change,
    pub(crate) before: Option<&'a Value>,
    pub(crate) after: Option<&'a Value>,
    /// The whole stack is new.
    pub(crate) new_stack: bool,
}

impl Plan {
    /// Makes a plan of what CloudFormation lists, with the `problems` that the second check found.
    #[must_use]
    pub fn make(
        stack: &str,
        action: StackAction,
        reported: &[Reported],
        templates: Templates<'_>,
        mut problems: Vec<Problem>,
    ) -> Self {
        let mut changes: Vec<Change> = reported.iter().map(|one| one.change(templates)).collect();
        changes.sort_by(|one, other| (one.kind, &one.logical_id).cmp(&(other.kind, &other.logical_id)));
        problems.extend(warnings(&changes, action, templates));
        problems.sort_by_key(|problem| problem.severity != Severity::Error);
        for change in &mut changes {
            hidden::hide(&mut change.properties);
        }
        let mut others = templates
            .deployed
            .map(|deployed| reported::others(deployed, templates.processed))
            .unwrap_or_default();
        hidden::hide(&mut others);
        Self {
            stack: stack.to_owned(),
            action,
            changes,
            others,
            no_changes: false,
            problems,
        }
    }

    /// The plan for a stack that is what the template says already.
    #[must_use]
    pub fn of_nothing(stack: &str) -> Self {
        Self {
            stack: stack.to_owned(),
            action: StackAction::Update,
            changes: Vec::new(),
            others: Vec::new(),
            no_changes: true,
            problems: Vec::new(),
        }
    }

    /// How many changes of each kind.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |kind| self.changes.iter().filter(|change| change.kind == kind).count();
        Counts {
            add: of(Kind::Add),
            change: of(Kind::Change),
            replace: of(Kind::Replace),
            remove: of(Kind::Remove),
        }
    }
}

/// Everything about these changes that deserves a second look.
fn warnings(changes: &[Change], action: StackAction, templates: Templates<'_>) -> Vec<Problem> {
    let new_stack = action == StackAction::Create;
    let mut found = Vec::new();
    if !new_stack && templates.deployed.is_none() {
        found.push(rights::not_compared());
    }
    for change in changes {
        // Of another type it is another resource with the same id.
        let is_it = |found: &&Value| found.get("Type").and_then(Value::as_str) == Some(&change.resource_type);
        let of = |template| resource(template, &change.logical_id).filter(is_it);
        let sides = Sides {
            change,
            before: templates.deployed.and_then(of).filter(|_| change.kind != Kind::Add),
            after: of(templates.processed).filter(|_| change.kind != Kind::Remove),
            new_stack,
        };
        for rule in [
            data::lost,
            data::less_protected,
            rights::wider,
            rights::another_role,
            callers::new,
            exposure::public,
            network::moved,
        ] {
            found.extend(rule(&sides));
        }
    }
    found
}

impl Sides<'_> {
    /// A warning about this resource.
    fn warning(&self, code: &'static str, message: String, help: &str) -> Problem {
        let path = pointer("/Resources", &self.change.logical_id);
        Problem::error(code, path, message)
            .severity(Severity::Warning)
            .help(help)
    }

    fn id(&self) -> &str {
        &self.change.logical_id
    }
}

/// The resource of this logical id.
fn resource<'v>(template: &'v Value, id: &str) -> Option<&'v Value> {
    template.get("Resources")?.get(id)
}

/// What of a resource a person wants to see: its properties, and the attributes that do something.
fn parts(resource: &Value) -> Map<String, Value> {
    let mut parts = Map::new();
    let properties = resource.get("Properties").and_then(Value::as_object);
    for (name, value) in properties.into_iter().flatten() {
        parts.insert(pointer("/Properties", name), value.clone());
    }
    for name in ["DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy"] {
        if let Some(value) = resource.get(name) {
            parts.insert(pointer("", name), value.clone());
        }
    }
    parts
}

#[cfg(test)]
mod tests;
