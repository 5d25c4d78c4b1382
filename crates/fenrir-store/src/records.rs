//! The records: one item for each release, whatever its end.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use aws_types::SdkConfig;
use fenrir_core::deployment::{Operation, Outcome, Pointer};
use fenrir_core::error::{ErrorName, Fault, FaultKind, StepError};
use fenrir_core::owner::Owner;
use fenrir_core::{house, keys};
use serde::{Deserialize, Serialize};

use crate::attributes::{from_item, text, to_attribute, to_item};
use crate::current::{self, Part};

const PUT: &str = "dynamodb:PutItem";
pub(crate) const GET: &str = "dynamodb:GetItem";
pub(crate) const QUERY: &str = "dynamodb:Query";

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
    /// By when it should have ended, RFC 3339: the execution's start and the release's timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
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
    /// What Fenrir stored about it, by name: `template`, `manifest`, `problems`, `result`, of a plan `changes`.
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
    pub(crate) client: Client,
    pub(crate) table: String,
}

/// The record of a release, to be written in the transaction that takes or releases a lock ([`crate::Locks::along`]).
#[derive(Debug, Clone)]
pub struct Along {
    records: Records,
    owner: Owner,
    record: Record,
}

impl Along {
    /// The items of the transaction in which the lock is taken or released. Whoever makes it holds the lock: what he says
    /// of what is deployed is the newest.
    ///
    /// # Errors
    /// [`Error::Garbled`].
    pub(crate) fn items(&self) -> Result<Vec<TransactWriteItem>, Error> {
        let put = self.records.put(&self.owner, &self.record, Again::Yes)?;
        let mut items = vec![TransactWriteItem::builder().put(put).build()];
        if current::tells(&self.record) {
            items.push(self.records.current_item(&self.owner, &self.record, Part::Held)?);
        }
        Ok(items)
    }

    /// Writes it without a lock.
    ///
    /// # Errors
    /// As [`Records::write`].
    pub(crate) async fn write(&self) -> Result<(), Error> {
        self.records.write(&self.owner, &self.record).await
    }
}

/// Whether the end of a release may be written when it is written down already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Yes,
    No,
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
    /// replaces what it wrote when it started, or when it was refused and nobody heard the answer; what has ended stays as
    /// it is: of the same end the first try counts, and its time.
    ///
    /// With the end of a deploy goes what [`crate::Current`] says of it, when it is written for the first time, and unless
    /// something newer is there. In no case does that keep the record from being written.
    ///
    /// # Errors
    /// [`Error::Used`]; [`Error::Fault`].
    pub async fn write(&self, owner: &Owner, record: &Record) -> Result<(), Error> {
        for part in current::parts(record) {
            let put = self.put(owner, record, Again::No)?;
            let put = TransactWriteItem::builder().put(put).build();
            match self.both([put, self.current_item(owner, record, *part)?]).await? {
                Both::Written => return Ok(()),
                Both::Newer => {}
                // The first try wrote both, or nobody may: the write below tells the two apart, and changes neither.
                Both::Recorded => break,
            }
        }
        self.write_alone(owner, record).await
    }

    async fn write_alone(&self, owner: &Owner, record: &Record) -> Result<(), Error> {
        let put = self.put(owner, record, Again::No)?;
        let sent = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values)
            .set_return_values_on_condition_check_failure(put.return_values_on_condition_check_failure)
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else {
            return Err(fenrir_aws::fault(PUT, &error).into());
        };
        let there: Option<Record> = failed.item().and_then(|item| from_item(item).ok());
        let is_this = |there: &Record| {
            there.execution == record.execution && there.status == record.status && there.unlocked.is_none()
        };
        if there.as_ref().is_some_and(is_this) {
            return Ok(());
        }
        Err(Error::Used(record.release_id.clone()))
    }

    /// Writes the end of a release whose lock stays with it, as [`Records::write`] does. As long as it holds the lock, it is
    /// the newest, whatever the times of the others say: a deploy that began later may have ended before this one took
    /// the lock.
    ///
    /// # Errors
    /// As [`Records::write`].
    pub async fn write_held(&self, owner: &Owner, record: &Record, locks: &str) -> Result<(), Error> {
        if !current::tells(record) {
            return self.write(owner, record).await;
        }
        let is_mine = ConditionCheck::builder()
            .table_name(locks)
            .key("key", text(keys::owner(owner)))
            .condition_expression("#execution = :me")
            .expression_attribute_names("#execution", "execution")
            .expression_attribute_values(":me", text(&record.execution))
            .build()
            .map_err(|error| Error::Garbled(error.to_string()))?;
        let put = self.put(owner, record, Again::No)?;
        let items = [
            TransactWriteItem::builder().put(put).build(),
            self.current_item(owner, record, Part::Held)?,
            TransactWriteItem::builder().condition_check(is_mine).build(),
        ];
        match self.both(items).await? {
            Both::Written => Ok(()),
            // Somebody took the lock or removed it, or the first try wrote everything.
            Both::Newer | Both::Recorded => self.write(owner, record).await,
        }
    }

    /// The record and what is deployed, both or neither: the record first.
    async fn both(&self, items: impl IntoIterator<Item = TransactWriteItem>) -> Result<Both, Error> {
        let items = items.into_iter().collect();
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        let Err(error) = sent else { return Ok(Both::Written) };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
            return Err(fenrir_aws::fault(PUT, &error).into());
        };
        let codes: Vec<_> = cancelled
            .cancellation_reasons()
            .iter()
            .map(|reason| reason.code())
            .collect();
        match codes.as_slice() {
            [Some("ConditionalCheckFailed"), ..] => Ok(Both::Recorded),
            [_, others @ ..] if others.contains(&Some("ConditionalCheckFailed")) => Ok(Both::Newer),
            // Two transactions met, or the table is throttled (TransactWriteItems, "Errors").
            _ => Err(Error::Fault(Fault {
                kind: FaultKind::Transient,
                action: PUT,
                code: codes
                    .iter()
                    .flatten()
                    .find(|code| **code != "None")
                    .map(|code| (*code).to_owned()),
                message: "the transaction was cancelled".to_owned(),
            })),
        }
    }

    /// The record for a transaction: [`crate::Locks::along`].
    #[must_use]
    pub fn along(&self, owner: &Owner, record: &Record) -> Along {
        Along {
            records: self.clone(),
            owner: owner.clone(),
            record: record.clone(),
        }
    }

    fn current_item(&self, owner: &Owner, record: &Record, part: Part) -> Result<TransactWriteItem, Error> {
        let update = current::update(&self.table, owner, record, part);
        let update = update.map_err(|error| Error::Garbled(error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    fn put(&self, owner: &Owner, record: &Record, again: Again) -> Result<Put, Error> {
        let garbled = |error: serde_json::Error| Error::Garbled(error.to_string());
        let mut item = to_item(record).map_err(garbled)?;
        item.insert("owner".to_owned(), text(keys::owner(owner)));
        if record.status == Status::Started {
            // The end replaces the whole item, and this with it.
            item.insert(house::OPEN.to_owned(), text(IS_OPEN));
        }
        let status = |status: Status| serde_json::to_value(status).map(to_attribute).map_err(garbled);
        let mut put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#execution", "execution")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#unlocked", "unlocked")
            .expression_attribute_values(":me", text(&record.execution))
            .expression_attribute_values(":started", status(Status::Started)?)
            .expression_attribute_values(":refused", status(Status::Refused)?);
        let mut earlier = ":started, :refused";
        if again == Again::Yes {
            earlier = ":started, :refused, :this";
            put = put.expression_attribute_values(":this", status(record.status)?);
        }
        put.condition_expression(format!(
            "attribute_not_exists(#owner) OR (#execution = :me AND #status IN ({earlier}) AND \
             attribute_not_exists(#unlocked))"
        ))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
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

/// What came of writing a record and what is deployed.
enum Both {
    Written,
    /// What is deployed is newer, or the lock is not held: nothing was written.
    Newer,
    /// The release's end is written down already, or the record is another's: nothing was written.
    Recorded,
}
