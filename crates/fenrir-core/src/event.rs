//! The events by which other tooling hears of releases: what the crate `herald` puts on the account's event bus
//! whenever a release's record comes to say something new.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::deployment::{Operation, cut};

/// The `source` of every event of Fenrir.
pub const SOURCE: &str = "fenrir.release";

/// The version of [`Detail`]. It rises when a field changes or goes; new fields may come without.
pub const VERSION: u32 = 1;

/// Bytes of `metadata` as JSON: whole entries, by name, as long as they fit. The record holds all. With a cause of 3,000
/// bytes an event stays far below the 256 KB that ten of them may have together (EventBridge quotas, `PutEvents`).
pub const METADATA_LIMIT: usize = 4_000;

/// Characters of other text that people wrote.
const TEXT_LIMIT: usize = 3_000;

/// An event, as a rule sees it. EventBridge adds `id`, `time`, `account`, `region` and `resources`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Fenrir release event")]
pub struct Event {
    /// Whose event it is.
    #[schemars(extend("const" = SOURCE))]
    pub source: String,
    /// What happened.
    #[serde(rename = "detail-type")]
    pub kind: Kind,
    /// To which release.
    pub detail: Detail,
}

/// What happened to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// It was validated, and holds the lock.
    #[serde(rename = "Release Started")]
    Started,
    /// The stack is what the release says, or already was, or the plan is told.
    #[serde(rename = "Release Succeeded")]
    Succeeded,
    /// It failed, or was refused.
    #[serde(rename = "Release Failed")]
    Failed,
}

impl Kind {
    /// The event's `detail-type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "Release Started",
            Self::Succeeded => "Release Succeeded",
            Self::Failed => "Release Failed",
        }
    }
}

/// How a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It runs.
    Started,
    /// The stack is what the release says.
    Success,
    /// It failed, and nothing half-made is left.
    FailureClean,
    /// It failed, and something is left that a person must look at; the lock is kept.
    FailureDirty,
    /// It was refused before anything was touched.
    Refused,
}

impl Status {
    /// What is told when a release comes to stand like this.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Started => Kind::Started,
            Self::Success => Kind::Succeeded,
            Self::FailureClean | Self::FailureDirty | Self::Refused => Kind::Failed,
        }
    }
}

/// The event's `detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Detail {
    /// Version of this form.
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// The release; with `status` it tells one event from another, should the same one come twice.
    pub release_id: String,
    /// Whether it deploys or only plans.
    pub operation: Operation,
    /// How it stands.
    pub status: Status,
    /// Account that is deployed to.
    pub aws_account_id: String,
    /// Region that is deployed to.
    pub aws_region: String,
    /// Project.
    pub project_name: String,
    /// Config.
    pub config_name: String,
    /// Name of the stack.
    pub stack: String,
    /// ARN of the stack, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_arn: Option<String>,
    /// ARN of the execution that deploys it.
    pub execution: String,
    /// The execution in the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    /// When it started.
    #[schemars(extend("format" = "date-time"))]
    pub started_at: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub ended_at: Option<String>,
    /// The stack was what the release says: nothing was executed.
    #[serde(default)]
    pub no_changes: bool,
    /// The machine's error, when it failed or was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The sentence for people, when it failed or was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What the release says of itself: commit, author and whatever else, up to 4,000 bytes of it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

impl Detail {
    /// The same, in bounds: what people wrote is cut, so that one event never keeps others from being sent.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let mut left = METADATA_LIMIT;
        self.metadata.retain(|name, value| {
            // Both between quotes, a colon and a comma.
            let bytes = bytes(name) + bytes(value) + 6;
            let fits = bytes <= left;
            left = left.saturating_sub(bytes);
            fits
        });
        for text in [&mut self.error, &mut self.cause].into_iter().flatten() {
            *text = cut(text, TEXT_LIMIT);
        }
        self
    }
}

/// Bytes of a text as JSON writes it, without the quotes.
fn bytes(text: &str) -> usize {
    serde_json::Value::from(text).to_string().len() - 2
}

/// The JSON schema of an event, made from the types; `docs/events.schema.json` is its committed text.
#[must_use]
pub fn schema() -> Schema {
    schemars::schema_for!(Event)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]
    use serde_json::json;

    use super::*;

    fn detail() -> Detail {
        Detail {
            version: VERSION,
            release_id: "release-1".into(),
            operation: Operation::Deploy,
            status: Status::FailureClean,
            aws_account_id: "222222222222".into(),
            aws_region: "eu-west-1".into(),
            project_name: "p".into(),
            config_name: "c".into(),
            stack: "fenrir-p-c--x".into(),
            stack_arn: None,
            execution: "arn:e".into(),
            console: None,
            started_at: "2026-11-21T22:06:31Z".into(),
            ended_at: None,
            no_changes: false,
            error: Some("e".into()),
            cause: None,
            metadata: BTreeMap::new(),
        }
    }

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/events.schema.json");
        let text = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
        if std::env::var_os("FENRIR_BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == text,
            "docs/events.schema.json drifted; FENRIR_BLESS=1 writes it anew"
        );
    }

    #[test]
    fn the_schema_names_every_field_and_kind() {
        let schema = serde_json::to_value(schema()).unwrap();
        let mut full = detail();
        for field in [
            &mut full.stack_arn,
            &mut full.console,
            &mut full.ended_at,
            &mut full.cause,
        ] {
            *field = Some("x".into());
        }
        let written = json!(full);
        let known = schema["$defs"]["Detail"]["properties"].as_object().unwrap();
        for name in written.as_object().unwrap().keys() {
            assert!(known.contains_key(name), "{name}");
        }
        assert_eq!(known.len(), written.as_object().unwrap().len());
        let kinds = schema["$defs"]["Kind"].to_string();
        for kind in [Kind::Started, Kind::Succeeded, Kind::Failed] {
            assert_eq!(json!(kind), kind.as_str());
            assert!(kinds.contains(kind.as_str()));
        }
    }

    #[test]
    fn whatever_people_write_an_event_is_small() {
        for piece in ["x", "\"", "\n", "\u{1f43a}", "\u{1}"] {
            let long = piece.repeat(100_000);
            let value = piece.repeat(100);
            let metadata = (0..1_000).map(|number| (format!("key-{number}"), value.clone()));
            let full = Detail {
                error: Some(long.clone()),
                cause: Some(long),
                metadata: metadata.collect(),
                ..detail()
            };
            let bounded = full.bounded();
            assert!(!bounded.metadata.is_empty(), "what fits stays");
            assert!(bounded.metadata.values().all(|kept| *kept == value), "whole entries");
            let size = json!(bounded).to_string().len();
            assert!(size < 12_000, "{size}");
        }
        assert_eq!(detail().bounded(), detail());
    }
}
