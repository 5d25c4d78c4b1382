//! What is deployed: one item for each owner beside its records, and what it says of the newest of them.
//!
//! The item is written along with the end of a deploy. Who holds the lock while it writes (a dirty end keeps it) is the
//! newest by that, and writes without a condition of times. Who does not (an end that is mended) never overwrites what is
//! newer, and its record is written all the same.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use fenrir_core::deployment::Operation;
use fenrir_core::owner::Owner;
use fenrir_core::{house, keys};
use serde::{Deserialize, Serialize};

use crate::attributes::{text, to_item};
use crate::history::Said;
use crate::records::{Record, Status};

/// The sort key of the item. Seven characters: a release id has at least eight, so no record has this key.
pub(crate) const KEY: &str = "current";

/// The value of [`house::CURRENT`]: one for all, so that one query lists every owner, in the order of their keys. A
/// partition takes 1,000 writes a second (DynamoDB Developer Guide, "Partitions"), and each deploy makes one.
pub(crate) const IS_CURRENT: &str = "yes";

/// Characters of what a release says of itself that are repeated here: a listing reads many of these items.
const LIMIT: usize = 200;

/// What is deployed, and how the last deploy ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// Whose: [`keys::owner`].
    pub owner: String,
    /// The newest deploy that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<Summary>,
    /// The newest deploy that has ended, whatever its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Summary>,
}

/// The short of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The release.
    pub release_id: String,
    /// How it stands.
    #[serde(default)]
    pub status: Said<Status>,
    /// When its execution started, RFC 3339.
    #[serde(default)]
    pub started_at: String,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// `author` of the release's metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// `commit` of the release's metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The stack was what the release says: nothing was executed.
    #[serde(default)]
    pub no_changes: bool,
    /// The machine's error, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The stack's name.
    #[serde(default)]
    pub stack: String,
    /// The stack's ARN, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_arn: Option<String>,
}

impl Summary {
    /// The short of `record`.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let metadata = |name: &str| {
            let value = record.metadata.get(name).filter(|value| !value.is_empty());
            value.map(|value| value.chars().take(LIMIT).collect())
        };
        Self {
            release_id: record.release_id.clone(),
            status: Said::Known(record.status),
            started_at: record.started_at.clone(),
            ended_at: record.ended_at.clone(),
            who: metadata("author"),
            commit: metadata("commit"),
            no_changes: record.no_changes,
            error: record.error.clone(),
            stack: record.stack.clone(),
            stack_arn: record.stack_arn.clone(),
        }
    }
}

/// What of the item is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `last`, and `deployed` if it succeeded: without a condition.
    Held,
    /// The same, unless `last` is newer.
    Newest,
    /// `deployed` alone, unless that is newer: of a success that is mended when a later deploy has failed.
    Deployed,
}

/// The parts to be tried of this record's end by who does not hold the lock.
pub(crate) fn parts(record: &Record) -> &'static [Part] {
    match record.status {
        _ if !tells(record) => &[],
        Status::Success => &[Part::Newest, Part::Deployed],
        _ => &[Part::Newest],
    }
}

/// Whether the item tells of this record: an ended deploy. A plan changes nothing, and of a refusal nothing was begun.
pub(crate) fn tells(record: &Record) -> bool {
    record.operation == Operation::Deploy && !matches!(record.status, Status::Started | Status::Refused)
}

/// The update of the owner's item.
pub(crate) fn update(table: &str, owner: &Owner, record: &Record, part: Part) -> Result<Update, Error> {
    let summary = AttributeValue::M(to_item(&Summary::of(record))?);
    let mut set = vec!["#current = :yes"];
    let mut update = Update::builder()
        .table_name(table)
        .key("owner", text(keys::owner(owner)))
        .key("release_id", text(KEY))
        .expression_attribute_names("#current", house::CURRENT)
        .expression_attribute_values(":yes", text(IS_CURRENT))
        .expression_attribute_values(":summary", summary);
    if part != Part::Deployed {
        set.push("#last = :summary");
        update = update.expression_attribute_names("#last", "last");
    }
    if record.status == Status::Success {
        set.push("#deployed = :summary");
        update = update.expression_attribute_names("#deployed", "deployed");
    }
    let guard = match part {
        Part::Held => None,
        Part::Newest => Some("#last"),
        Part::Deployed => Some("#deployed"),
    };
    if let Some(other) = guard {
        // Either time alone would do nearly always. But a deploy that started earlier may have taken the lock later,
        // and then it also ended later.
        update = update
            .condition_expression(format!(
                "attribute_not_exists({other}) OR ({other}.#started_at <= :started_at AND {other}.#ended_at <= :ended_at)"
            ))
            .expression_attribute_names("#started_at", "started_at")
            .expression_attribute_names("#ended_at", "ended_at")
            .expression_attribute_values(":started_at", text(&record.started_at))
            .expression_attribute_values(":ended_at", text(record.ended_at.clone().unwrap_or_default()));
    }
    Ok(update.update_expression(format!("SET {}", set.join(", "))).build()?)
}

/// Why there is no update.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Build(#[from] BuildError),
}
