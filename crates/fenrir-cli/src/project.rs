//! Whose template it is.

use fenrir_core::owner::Owner;
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
