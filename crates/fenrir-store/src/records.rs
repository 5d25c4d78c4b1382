//! The records: one item for each release, whatever its end.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::Put;
use aws_types::SdkConfig;
use fenrir_core::deployment::{Operation, Outcome, Pointer};
use fenrir_core::error::{ErrorName, Fault, StepError};
use fenrir_core::owner::Owner;
use fenrir_core::{house, keys};
use serde::{Deserialize, Serialize};

use crate::attributes::{from_item, text, to_attribute, to_item};

const PUT: &str = "dynamodb:PutItem";
const GET: &str = "dynamodb:GetItem";
const QUERY: &str = "dynamodb:Query";

/// The value of [`house::OPEN`]: one for all, so that one query finds them. A partition takes 1,000 writes a second
/// (DynamoDB Developer Guide, "Partitions"), and a release makes two.
const IS_OPEN: &str = "yes";

/// How a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It runs, or its execution ended outside the machine.
    Started,
    /// The stack is what the release says.
    Success,
    /// It failed, and nothing half-made is left.
    FailureClean,
    /// It failed, and something is left.
    FailureDirty,
    /// It was refused before anything was touched.
    Refused,
}

impl From<Outcome> for Status {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::FailureClean => Self::FailureClean,
            Outcome::FailureDirty => Self::FailureDirty,
        }
    }
}

/// What is known of a release. Its owner ([`keys::owner`]) and its id are the item's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The release.
    pub release_id: String,
    /// How it stands.
    pub status: Status,
    /// ARN of the execution.
    pub execution: String,
    /// Deploy or plan.
    pub operation: Operation,
    /// When the execution started, RFC 3339.
    pub started_at: String,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// The release's `metadata`.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// The stack's name.
    pub stack: String,
    /// The stack's ARN, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_arn: Option<String>,
    /// The stack was what the release says: nothing was executed.
    #[serde(default)]
    pub no_changes: bool,
    /// The machine's error, when it failed or was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The sentence for people, when it failed or was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What Fenrir stored about it, by name: `template`, `manifest`, `problems`, `result`.
    #[serde(default)]
    pub stored: BTreeMap<String, Pointer>,
    /// Who removed the lock that its dirty end had kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlocked: Option<Unlocked>,
}

/// Who removed the lock that a dirty end had kept, and why (`fenrir unlock`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlocked {
    /// ARN of the caller, as STS names it to the command.
    pub who: String,
    /// When, RFC 3339.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// The key of a record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Key {
    /// Whose: [`keys::owner`].
    pub owner: String,
    /// The release.
    pub release_id: String,
}

/// Why a record could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The call failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The release id is another execution's, or this execution has recorded another end.
    #[error("release `{0}` is recorded already; a release id is used once")]
    Used(String),
    /// An item that Fenrir did not write.
    #[error("the record cannot be understood: {0}")]
    Garbled(String),
}

impl Error {
    /// The error of a step that could not go on while `doing` something.
    #[must_use]
    pub fn into_step(self, name: ErrorName, doing: &str) -> StepError {
        match self {
            Self::Fault(fault) => fault.into_step(name, doing),
            other => StepError::new(name, format!("{doing}: {other}")),
        }
    }
}

/// The table of the records.
#[derive(Debug, Clone)]
pub struct Records {
    client: Client,
    table: String,
}

impl Records {
    /// The table as `config` reaches it.
    #[must_use]
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        Self {
            client: Client::new(config),
            table: table.to_owned(),
        }
    }

    /// Writes the record of a release that starts, was refused or ended. The same execution may write it again, and
    /// replaces what it wrote when it started, or when it was refused and nobody heard the answer; what has ended otherwise
    /// stays as it is.
    ///
    /// # Errors
    /// [`Error::Used`]; [`Error::Fault`].
    pub async fn write(&self, owner: &Owner, record: &Record) -> Result<(), Error> {
        let put = self.put(owner, record)?;
        let answer = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
                Err(Error::Used(record.release_id.clone()))
            }
            Err(error) => Err(fenrir_aws::fault(PUT, &error).into()),
        }
    }

    /// What [`Records::write`] writes, for a transaction: [`crate::Locks::along`].
    ///
    /// # Errors
    /// [`Error::Garbled`].
    pub fn put(&self, owner: &Owner, record: &Record) -> Result<Put, Error> {
        let garbled = |error: serde_json::Error| Error::Garbled(error.to_string());
        let mut item = to_item(record).map_err(garbled)?;
        item.insert("owner".to_owned(), text(keys::owner(owner)));
        if record.status == Status::Started {
            // The end replaces the whole item, and this with it.
            item.insert(house::OPEN.to_owned(), text(IS_OPEN));
        }
        let status = |status: Status| serde_json::to_value(status).map(to_attribute).map_err(garbled);
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(
                "attribute_not_exists(#owner) OR (#execution = :me AND #status IN (:started, :refused, :this))",
            )
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#execution", "execution")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":me", text(&record.execution))
            .expression_attribute_values(":started", status(Status::Started)?)
            .expression_attribute_values(":refused", status(Status::Refused)?)
            .expression_attribute_values(":this", status(record.status)?)
            .build()
            .map_err(|error| Error::Garbled(error.to_string()))
    }

    /// The record of a release, read consistently.
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::Garbled`].
    pub async fn get(&self, owner: &Owner, release_id: &str) -> Result<Option<Record>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("owner", text(keys::owner(owner)))
            .key("release_id", text(release_id))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fenrir_aws::fault(GET, &error))?;
        let decoded = answer.item.as_ref().map(from_item).transpose();
        decoded.map_err(|error| Error::Garbled(error.to_string()))
    }

    /// The keys of the records that say that their release has started; only those of `release_id`, if one is given.
    /// An index tells, which lags behind the table: who acts on a record reads it first.
    ///
    /// # Errors
    /// [`Error::Fault`].
    pub async fn open(&self, release_id: Option<&str>) -> Result<Vec<Key>, Error> {
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(house::OPEN_INDEX)
            .key_condition_expression(if release_id.is_some() {
                "#open = :open AND #release_id = :release_id"
            } else {
                "#open = :open"
            })
            .expression_attribute_names("#open", house::OPEN)
            .expression_attribute_values(":open", text(IS_OPEN));
        if let Some(release_id) = release_id {
            query = query
                .expression_attribute_names("#release_id", "release_id")
                .expression_attribute_values(":release_id", text(release_id));
        }
        let mut items = query.into_paginator().items().send();
        let mut keys = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| fenrir_aws::fault(QUERY, &error))?;
            keys.push(from_item(&item).map_err(|error| Error::Garbled(error.to_string()))?);
        }
        Ok(keys)
    }
}
