//! Data that is lost, left behind, or less protected than before.

use serde_json::Value;

use super::words::several;
use super::{Fate, Kind, Sides};
use crate::codes;
use crate::policy::registry;
use crate::problem::Problem;

/// Whether losing a resource of this type, as CloudFormation calls it, loses data.
pub(super) fn is_held_by(resource_type: &str) -> bool {
    registry::TYPES
        .iter()
        .any(|kind| kind.holds_data && kind.processed() == resource_type)
}

/// What holds data is removed or replaced.
pub(super) fn lost(sides: &Sides<'_>) -> Vec<Problem> {
    let change = sides.change;
    let (Some(fate), true) = (change.old, change.holds_data) else {
        return Vec::new();
    };
    let what = format!("`{}` (`{}`)", sides.id(), change.resource_type);
    let name = match change.physical_id.as_str() {
        "" => "the old one".to_owned(),
        id => format!("`{id}`"),
    };
    if change.kind == Kind::Remove {
        let (message, help) = match fate {
            Fate::Deleted => (
                format!("{what} is removed: {name} is deleted with everything in it"),
                "to keep it, give it `DeletionPolicy: Retain`, deploy that, and remove it then",
            ),
            Fate::Kept => (
                format!("{what} leaves the stack: {name} stays with its data, and nobody looks after it any longer"),
                "its name is taken as long as it is there: a resource of the same logical id cannot be made again",
            ),
            Fate::Snapshot => (
                format!("{what} is removed: {name} is deleted, and a snapshot of it stays"),
                "look whether the snapshot is all that is needed",
            ),
        };
        return vec![sides.warning(codes::PLAN_DATA_REMOVED, message, help)];
    }
    let causes = change
        .properties
        .iter()
        .filter(|property| property.recreation.is_some());
    let causes =
        several(causes.map(|property| format!("`{}`", property.path.trim_start_matches('/').replace('/', "."))));
    let because = if causes.is_empty() {
        String::new()
    } else {
        format!(", because of {causes}")
    };
    let is = if change.may_replace { "may be" } else { "is" };
    let old = match fate {
        Fate::Deleted => format!("{name} is deleted with everything in it"),
        Fate::Kept => format!("{name} stays with its data, outside of the stack"),
        Fate::Snapshot => format!("{name} is deleted, and a snapshot of it stays"),
    };
    let message = format!("{what} {is} replaced by an empty one{because}; {old}");
    let help = "to keep both, give the new one another logical id, move the data over, and remove the old one then";
    vec![sides.warning(codes::PLAN_DATA_REPLACED, message, help)]
}

/// Properties that protect data while they are so: the pointer, the value that protects, what it does.
const GUARDS: [(&str, Guard); 4] = [
    (
        "/Properties/DeletionProtectionEnabled",
        Guard("true", "deletion protection ends"),
    ),
    (
        "/Properties/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled",
        Guard(
            "true",
            "point-in-time recovery ends, and the backups it has made are lost",
        ),
    ),
    (
        "/Properties/VersioningConfiguration/Status",
        Guard("Enabled", "versioning ends: what is overwritten or deleted is gone"),
    ),
    ("/Properties/ObjectLockEnabled", Guard("true", "the object lock ends")),
];

/// The value that protects, and what ends with it.
#[derive(Clone, Copy)]
struct Guard(&'static str, &'static str);

/// Numbers that say how long data is kept: the pointer, what is kept without it, and the unit. Sources: CloudFormation,
/// `AWS::Logs::LogGroup` (`RetentionInDays`, kept for ever when left out) and `AWS::SQS::Queue`
/// (`MessageRetentionPeriod`, 4 days when left out).
const PERIODS: [(&str, u64, &str); 2] = [
    ("/Properties/RetentionInDays", u64::MAX, "days"),
    ("/Properties/MessageRetentionPeriod", 345_600, "seconds"),
];

/// What holds data loses a protection that it had.
pub(super) fn less_protected(sides: &Sides<'_>) -> Vec<Problem> {
    let (Some(before), Some(after), true) = (sides.before, sides.after, sides.change.holds_data) else {
        return Vec::new();
    };
    let mut lost = Vec::new();
    for (policy, when) in [
        ("DeletionPolicy", "it is removed from the template"),
        ("UpdateReplacePolicy", "it is replaced"),
    ] {
        if keeps(before.get(policy)) && !keeps(after.get(policy)) {
            lost.push(format!("from now on it is deleted when {when} (`{policy}`)"));
        }
    }
    for (path, Guard(guards, ends)) in GUARDS {
        let is_on = |resource: &Value| {
            resource
                .pointer(path)
                .is_some_and(|value| super::plain(value) == guards)
        };
        if is_on(before) && !is_on(after) {
            lost.push(ends.to_owned());
        }
    }
    for (path, default, unit) in PERIODS {
        let period = |resource: &Value| match resource.pointer(path) {
            None => Some(default),
            Some(value) => value.as_u64().or_else(|| value.as_str()?.parse().ok()),
        };
        if let (Some(old), Some(new)) = (period(before), period(after))
            && new < old
        {
            lost.push(format!("what is older than {new} {unit} is deleted"));
        }
    }
    if lost.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "`{}` (`{}`) is less protected: {}",
        sides.id(),
        sides.change.resource_type,
        lost.join("; ")
    );
    let help = "leave it as it was, or make sure that nobody needs what it kept";
    vec![sides.warning(codes::PLAN_LESS_PROTECTED, message, help)]
}

fn keeps(policy: Option<&Value>) -> bool {
    policy
        .and_then(Value::as_str)
        .is_some_and(|policy| matches!(policy, "Retain" | "RetainExceptOnCreate" | "Snapshot"))
}
