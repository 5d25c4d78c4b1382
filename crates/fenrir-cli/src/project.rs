//! Whose template it is, and what is known of its world.

use fenrir_core::owner::Owner;
use fenrir_core::ownership::{Wanted, World};
use serde_json::Value;

/// The owner that the template's `ProjectName` and `ConfigName` name. What is missing or no text stays empty, which
/// the policy refuses with its place.
#[must_use]
pub fn owner(template: &Value, account: String, region: String) -> Owner {
    let text = |key: &str| template.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Owner {
        account,
        region,
        project: text("ProjectName"),
        config: text("ConfigName"),
    }
}

/// A world of which nothing is known, because nobody asked.
#[must_use]
pub fn unasked(wanted: &Wanted) -> World {
    let sets = [
        &wanted.artifacts,
        &wanted.texts,
        &wanted.roles,
        &wanted.security_groups,
        &wanted.subnets,
        &wanted.resources,
        &wanted.kms_aliases,
    ];
    let asked = sets.into_iter().flatten();
    World {
        unknown: asked
            .map(|asked| (asked.clone(), "AWS was not asked".to_owned()))
            .collect(),
        ..World::default()
    }
}
