//! The locks: one deploy at a time per account, region, project and config.
//!
//! An item says which execution holds the lock. It has no time to live: a lock ends when its execution releases it, or
//! when a later deploy proves that nothing is under way any more and takes it over. Every write is conditional on the
//! execution, so that nobody releases, marks or overwrites what is not his.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Delete, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use aws_types::SdkConfig;
use fenrir_core::deployment::Halt;
use fenrir_core::error::{ErrorName, Fault, FaultKind, StepError};
use fenrir_core::keys;
use fenrir_core::owner::Owner;
use fenrir_core::problem::printable;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::attributes::{Item, from_item, text, to_attribute, to_item};
use crate::batch;
use crate::freezes::{self, Freeze};
use crate::halts;
use crate::records::{Along, Error as RecordError, Unlocked};

const PUT: &str = "dynamodb:PutItem";
const GET: &str = "dynamodb:GetItem";
const UPDATE: &str = "dynamodb:UpdateItem";
const BATCH: &str = "dynamodb:BatchGetItem";
const DELETE: &str = "dynamodb:DeleteItem";

/// Until when nobody takes the lock over, because somebody is at what its execution has left.
const CLAIMED: &str = "claimed_until";

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// ARN of the execution.
    pub execution: String,
    /// Its release.
    pub release_id: String,
    /// Who started it, as the release says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// Something half-made is left: the lock stays until somebody has looked.
    #[serde(default)]
    pub dirty: bool,
    /// Why it is dirty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Why a lock was not to be had, or is not ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The call failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Another execution holds it.
    #[error("{}", held(.0))]
    Held(Box<Holder>),
    /// Somebody froze it.
    #[error("{}", .0.describe())]
    Frozen(Box<Freeze>),
    /// This execution does not hold it (any more).
    #[error("this execution does not hold the lock: {}", .0.as_ref().map_or_else(|| "nobody does".to_owned(), |holder| held(holder)))]
    Lost(Option<Box<Holder>>),
    /// The release's record is another execution's, or tells another end.
    #[error("the release is recorded already; a release id is used once")]
    Recorded,
    /// An item that Fenrir did not write.
    #[error("the lock's item cannot be understood: {0}")]
    Garbled(String),
}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Fault(fault) => Self::Fault(fault),
            RecordError::Used(_) => Self::Recorded,
            RecordError::Garbled(words) => Self::Garbled(words),
        }
    }
}

fn held(holder: &Holder) -> String {
    let who = holder
        .who
        .as_deref()
        .map(|who| format!(" by `{}`", printable(who)))
        .unwrap_or_default();
    let since = format!(
        "release `{}`{who} holds the lock since `{}` (execution `{}`)",
        printable(&holder.release_id),
        printable(&holder.since),
        printable(&holder.execution)
    );
    match (&holder.reason, holder.dirty) {
        (Some(reason), true) => format!("{since} and ended dirty: {}", printable(reason)),
        (None, true) => format!("{since} and ended dirty"),
        _ => since,
    }
}

impl Error {
    /// The error of a step that could not go on while `doing` something.
    #[must_use]
    pub fn into_step(self, doing: &str) -> StepError {
        match self {
            Self::Fault(fault) => fault.into_step(ErrorName::LockError, doing),
            Self::Held(_) | Self::Frozen(_) => StepError::new(ErrorName::LockExistsError, self.to_string()),
            Self::Lost(_) => StepError::new(
                ErrorName::LockLostError,
                format!("{doing}: {self}; nothing was touched"),
            ),
            Self::Garbled(_) | Self::Recorded => StepError::new(ErrorName::LockError, format!("{doing}: {self}")),
        }
    }
}

/// The table of the locks.
#[derive(Debug, Clone)]
pub struct Locks {
    client: Client,
    table: String,
    along: Option<Along>,
}

impl Locks {
    /// The table as `config` reaches it.
    #[must_use]
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        Self {
            client: Client::new(config),
            table: table.to_owned(),
            along: None,
        }
    }

    /// Writes a release's record ([`crate::Records::along`]) in the very transaction that takes or releases the lock.
    #[must_use]
    pub fn along(mut self, record: Along) -> Self {
        self.along = Some(record);
        self
    }

    /// Takes the lock for `holder`, unless somebody else has it or a freeze is on. Taking it again is success.
    ///
    /// # Errors
    /// [`Error::Held`] by another execution, or by this one and dirty; [`Error::Frozen`]; [`Error::Recorded`];
    /// [`Error::Fault`].
    pub async fn acquire(&self, owner: &Owner, holder: &Holder) -> Result<(), Error> {
        // Of its own lock it need not ask who is at it.
        self.put(owner, holder, "#execution = :me AND #dirty = :false", &[])
            .await
    }

    /// Takes the lock for `holder`, also when the execution `ended` left it behind, it is not dirty, and nobody claims it
    /// ([`Locks::claim`]) at the time `now`. Of several that try, one gets it.
    ///
    /// The caller has proven that the execution has ended and that the stack is not in progress.
    ///
    /// # Errors
    /// As [`Locks::acquire`].
    pub async fn take_over(
        &self,
        owner: &Owner,
        ended: &str,
        holder: &Holder,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let free = "(#execution = :me OR (#execution = :ended AND (attribute_not_exists(#claimed) OR #claimed < :now))) \
                    AND #dirty = :false";
        let values = [(":ended", text(ended)), (":now", instant(now))];
        self.put(owner, holder, free, &values).await
    }

    /// Writes the lock's item where there is none, or where what is there is `free` to be replaced.
    async fn put(
        &self,
        owner: &Owner,
        holder: &Holder,
        free: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<(), Error> {
        let garbled = |error: &dyn std::error::Error| Error::Garbled(error.to_string());
        let mut item = to_item(holder).map_err(|error| garbled(&error))?;
        item.insert("key".to_owned(), text(keys::owner(owner)));
        let mut put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(format!("attribute_not_exists(#key) OR ({free})"))
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#execution", "execution")
            .expression_attribute_names("#dirty", "dirty")
            .expression_attribute_values(":me", text(&holder.execution))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if free.contains("#claimed") {
            put = put.expression_attribute_names("#claimed", CLAIMED);
        }
        for (name, value) in values {
            put = put.expression_attribute_values(*name, value.clone());
        }
        let put = put.build().map_err(|error| garbled(&error))?;
        let mut items = vec![TransactWriteItem::builder().put(put).build()];
        for key in keys::freezes(owner) {
            let check = freezes::absent(&self.table, &key).map_err(|error| garbled(&error))?;
            items.push(TransactWriteItem::builder().condition_check(check).build());
        }
        match self.transact(PUT, items).await? {
            None => Ok(()),
            Some(reasons) => Err(why_not_taken(&reasons, owner)),
        }
    }

    /// Does all of it, and writes what goes along, or nothing. Returns why it was cancelled.
    async fn transact(
        &self,
        action: &'static str,
        mut items: Vec<TransactWriteItem>,
    ) -> Result<Option<Vec<CancellationReason>>, Error> {
        if let Some(along) = &self.along {
            items.extend(along.items()?);
        }
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send();
        let Err(error) = sent.await else { return Ok(None) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                Ok(Some(cancelled.cancellation_reasons().to_vec()))
            }
            _ => Err(fenrir_aws::fault(action, &error).into()),
        }
    }

    /// Who holds the lock, read consistently.
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::Garbled`].
    pub async fn holder(&self, owner: &Owner) -> Result<Option<Holder>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("key", text(keys::owner(owner)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fenrir_aws::fault(GET, &error))?;
        answer.item.as_ref().map(holder_of).transpose()
    }

    /// Who holds the locks of these owners, by [`keys::owner`], read consistently. Who holds none is left out.
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::Garbled`].
    pub async fn holders(&self, owners: &[Owner]) -> Result<BTreeMap<String, Holder>, Error> {
        let keys: Vec<String> = owners.iter().map(keys::owner).collect();
        let items = batch::get(&self.client, &self.table, &keys).await?;
        let holder = |item: &Item| Some((item.get("key")?.as_s().ok()?.clone(), holder_of(item)));
        items
            .iter()
            .filter_map(holder)
            .map(|(key, holder)| Ok((key, holder?)))
            .collect()
    }

    /// Makes sure that `execution` holds the lock, and that it is not dirty.
    ///
    /// # Errors
    /// [`Error::Lost`]: whoever gets it touches nothing. [`Error::Fault`].
    pub async fn verify(&self, owner: &Owner, execution: &str) -> Result<(), Error> {
        holds(self.holder(owner).await?, execution)
    }

    /// Makes sure that `execution` holds the lock, as [`Locks::verify`], and tells whether somebody asked `release_id` to
    /// stop: one call for both.
    ///
    /// # Errors
    /// [`Error::Lost`]: whoever gets it touches nothing. [`Error::Fault`].
    pub async fn standing(&self, owner: &Owner, execution: &str, release_id: &str) -> Result<Option<Halt>, Error> {
        let garbled = |error: &dyn std::error::Error| Error::Garbled(error.to_string());
        let (lock, halt) = (keys::owner(owner), keys::halt(owner));
        let wanted = [&lock, &halt].map(|key| Item::from([("key".to_owned(), text(key))]));
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(wanted.into()))
            .consistent_read(true)
            .build()
            .map_err(|error| garbled(&error))?;
        let answer = self
            .client
            .batch_get_item()
            .request_items(&self.table, wanted)
            .send()
            .await;
        let answer = answer.map_err(|error| fenrir_aws::fault(BATCH, &error))?;
        if answer.unprocessed_keys().is_some_and(|left| !left.is_empty()) {
            return Err(Error::Fault(Fault {
                kind: FaultKind::Transient,
                action: BATCH,
                code: None,
                message: "the table is throttled".to_owned(),
            }));
        }
        let items = answer.responses().and_then(|tables| tables.get(&self.table));
        let item = |key: &str| {
            let mut items = items.into_iter().flatten();
            items.find(|item| item.get("key").is_some_and(|have| *have == text(key)))
        };
        holds(item(&lock).map(holder_of).transpose()?, execution)?;
        Ok(item(&halt).and_then(|item| halts::of_release(item, release_id)))
    }

    /// Releases the lock of `execution`. That it is gone, or another's, is success: this execution does not hold it,
    /// and what goes along is written all the same. A dirty lock stays.
    ///
    /// # Errors
    /// [`Error::Recorded`]; [`Error::Fault`].
    pub async fn release(&self, owner: &Owner, execution: &str) -> Result<(), Error> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("key", text(keys::owner(owner)))
            .condition_expression("#execution = :me AND #dirty = :false")
            .expression_attribute_names("#execution", "execution")
            .expression_attribute_names("#dirty", "dirty")
            .expression_attribute_values(":me", text(execution))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .build()
            .map_err(|error| Error::Garbled(error.to_string()))?;
        let delete = TransactWriteItem::builder().delete(delete).build();
        let Some(reasons) = self.transact(DELETE, vec![delete]).await? else {
            return Ok(());
        };
        if !reasons.first().is_some_and(is_failed) {
            return Err(why_cancelled(DELETE, &reasons));
        }
        match &self.along {
            None => Ok(()),
            Some(along) => Ok(along.write().await?),
        }
    }

    /// Removes a dirty lock, and writes into its release's record of `releases` who did it and why, both or neither.
    ///
    /// Who calls has looked at the holder: another one's lock, or one that is no longer dirty, stays.
    ///
    /// # Errors
    /// [`Error::Lost`] when the lock is no longer this one; [`Error::Fault`].
    pub async fn unlock(
        &self,
        owner: &Owner,
        holder: &Holder,
        unlocked: &Unlocked,
        releases: &str,
    ) -> Result<(), Error> {
        let garbled = |error: &dyn std::error::Error| Error::Garbled(error.to_string());
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("key", text(keys::owner(owner)))
            .condition_expression("#execution = :it AND #dirty = :true")
            .expression_attribute_names("#execution", "execution")
            .expression_attribute_names("#dirty", "dirty")
            .expression_attribute_values(":it", text(&holder.execution))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .build()
            .map_err(|error| garbled(&error))?;
        let unlocked = serde_json::to_value(unlocked).map_err(|error| garbled(&error))?;
        let note = Update::builder()
            .table_name(releases)
            .key("owner", text(keys::owner(owner)))
            .key("release_id", text(&holder.release_id))
            .update_expression("SET #unlocked = :unlocked")
            // A lock without a record is removed all the same: an update would make half a record.
            .condition_expression("attribute_exists(#owner)")
            .expression_attribute_names("#unlocked", "unlocked")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":unlocked", to_attribute(unlocked))
            .build()
            .map_err(|error| garbled(&error))?;
        let delete = TransactWriteItem::builder().delete(delete).build();
        let note = TransactWriteItem::builder().update(note).build();
        let Some(reasons) = self.transact(DELETE, vec![delete.clone(), note]).await? else {
            return Ok(());
        };
        if reasons.first().is_some_and(is_failed) {
            return Err(Error::Lost(self.holder(owner).await?.map(Box::new)));
        }
        if !reasons.iter().any(is_failed) {
            return Err(why_cancelled(DELETE, &reasons));
        }
        match self.transact(DELETE, vec![delete]).await? {
            None => Ok(()),
            Some(reasons) if reasons.iter().any(is_failed) => Err(Error::Lost(self.holder(owner).await?.map(Box::new))),
            Some(reasons) => Err(why_cancelled(DELETE, &reasons)),
        }
    }

    /// Makes sure that `execution` holds the lock, as [`Locks::verify`], and that nobody takes it over before `until`: for
    /// who acts for an execution that has ended.
    ///
    /// # Errors
    /// [`Error::Lost`]: whoever gets it touches nothing. [`Error::Fault`].
    pub async fn claim(&self, owner: &Owner, execution: &str, until: OffsetDateTime) -> Result<(), Error> {
        let claim = self
            .update(owner, execution)
            .update_expression("SET #claimed = :until")
            .condition_expression("#execution = :me AND #dirty = :false")
            .expression_attribute_names("#claimed", CLAIMED)
            .expression_attribute_values(":until", instant(until))
            .expression_attribute_values(":false", AttributeValue::Bool(false));
        match claim.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_condition_failed(error.code()) => {
                Err(Error::Lost(self.holder(owner).await?.map(Box::new)))
            }
            Err(error) => Err(fenrir_aws::fault(UPDATE, &error).into()),
        }
    }

    /// Marks the lock of `execution` dirty: it stays until somebody has looked.
    ///
    /// # Errors
    /// [`Error::Lost`] when this execution does not hold it; [`Error::Fault`].
    pub async fn mark_dirty(&self, owner: &Owner, execution: &str, reason: &str) -> Result<(), Error> {
        let mark = self
            .update(owner, execution)
            .update_expression("SET #dirty = :true, #reason = :reason")
            .condition_expression("#execution = :me")
            .expression_attribute_names("#reason", "reason")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":reason", text(reason));
        match mark.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_condition_failed(error.code()) => Err(Error::Lost(None)),
            Err(error) => Err(fenrir_aws::fault(UPDATE, &error).into()),
        }
    }

    /// A change of the lock of `execution`.
    fn update(&self, owner: &Owner, execution: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("key", text(keys::owner(owner)))
            .expression_attribute_names("#execution", "execution")
            .expression_attribute_names("#dirty", "dirty")
            .expression_attribute_values(":me", text(execution))
    }
}

/// A time that can be compared, in seconds.
fn instant(at: OffsetDateTime) -> AttributeValue {
    AttributeValue::N(at.unix_timestamp().to_string())
}

/// Whether it is `execution` that holds the lock, and the lock is not dirty.
fn holds(holder: Option<Holder>, execution: &str) -> Result<(), Error> {
    match holder {
        Some(holder) if holder.execution == execution && !holder.dirty => Ok(()),
        other => Err(Error::Lost(other.map(Box::new))),
    }
}

fn is_condition_failed(code: Option<&str>) -> bool {
    code == Some("ConditionalCheckFailedException")
}

fn holder_of(item: &Item) -> Result<Holder, Error> {
    from_item(item).map_err(|error| Error::Garbled(error.to_string()))
}

fn is_failed(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// Why the lock was not taken. The transaction's first item is the lock, then come the freezes; a freeze is said first,
/// because waiting for the holder would not help.
fn why_not_taken(reasons: &[CancellationReason], owner: &Owner) -> Error {
    let keys = keys::freezes(owner);
    let freeze = reasons.iter().skip(1).zip(keys).find(|(reason, _)| is_failed(reason));
    if let Some((reason, key)) = freeze {
        return Error::Frozen(Box::new(Freeze::of_item(reason.item(), key)));
    }
    match reasons.first().filter(|reason| is_failed(reason)) {
        Some(reason) => match reason.item() {
            Some(item) => holder_of(item).map_or_else(|error| error, |holder| Error::Held(Box::new(holder))),
            None => Error::Garbled("it is held, and the table does not say by whom".to_owned()),
        },
        None => why_cancelled(PUT, reasons),
    }
}

/// What kept a transaction from happening when it was not the lock: the record that went along, or nobody's fault.
fn why_cancelled(action: &'static str, reasons: &[CancellationReason]) -> Error {
    if reasons.iter().any(is_failed) {
        return Error::Recorded;
    }
    // Two transactions met, or the table is throttled (TransactWriteItems, "Errors").
    Error::Fault(Fault {
        kind: FaultKind::Transient,
        action,
        code: reasons
            .iter()
            .find_map(|reason| reason.code().filter(|code| *code != "None").map(str::to_owned)),
        message: "the transaction was cancelled".to_owned(),
    })
}
