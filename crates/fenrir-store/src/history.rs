//! Reading the records: by owner, by release, and over all owners. Every question is a query of a key or of an index,
//! page by page; nothing reads the whole table.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use fenrir_core::deployment::{Operation, Pointer};
use fenrir_core::owner::Owner;
use fenrir_core::{house, keys};
use serde::{Deserialize, Serialize};

use crate::attributes::{Item, from_item, text};
use crate::current::{self, Current, Summary};
use crate::records::{Error, GET, Key, QUERY, Record, Records, Status, Unlocked};

/// A word of a record. A deployer of another version may have written one that this one does not know: it is shown as
/// it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Said<T> {
    /// One of ours.
    Known(T),
    /// Another's.
    Other(String),
}

impl<T> Default for Said<T> {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl<T: PartialEq> Said<T> {
    /// Whether it is this word.
    #[must_use]
    pub fn is(&self, word: &T) -> bool {
        matches!(self, Self::Known(known) if known == word)
    }
}

impl<T: Serialize> std::fmt::Display for Said<T> {
    /// The word as the table has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Other(word) => f.write_str(word),
            Self::Known(known) => match serde_json::to_value(known) {
                Ok(serde_json::Value::String(word)) => f.write_str(&word),
                _ => f.write_str("?"),
            },
        }
    }
}

/// A record as whoever shows it takes it. The steps take [`Record`], and refuse what they do not understand; here only
/// the release's id must be there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose: [`keys::owner`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// The release.
    pub release_id: String,
    /// How it stands.
    #[serde(default)]
    pub status: Said<Status>,
    /// ARN of the execution.
    #[serde(default)]
    pub execution: String,
    /// Deploy or plan.
    #[serde(default)]
    pub operation: Said<Operation>,
    /// When the execution started, RFC 3339.
    #[serde(default)]
    pub started_at: String,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// The release's `metadata`.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// The stack's name.
    #[serde(default)]
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
    /// What Fenrir stored about it, by name.
    #[serde(default)]
    pub stored: BTreeMap<String, Pointer>,
    /// Who removed the lock that its dirty end had kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlocked: Option<Unlocked>,
}

impl Entry {
    /// Whether it is a deploy that began: no plan, and nothing that was refused.
    #[must_use]
    pub fn is_deploy(&self) -> bool {
        !self.operation.is(&Operation::Plan) && !self.status.is(&Status::Refused)
    }
}

impl From<&Entry> for Summary {
    fn from(entry: &Entry) -> Self {
        Self {
            release_id: entry.release_id.clone(),
            status: entry.status.clone(),
            started_at: entry.started_at.clone(),
            ended_at: entry.ended_at.clone(),
            who: entry.metadata.get("author").cloned(),
            commit: entry.metadata.get("commit").cloned(),
            no_changes: entry.no_changes,
            error: entry.error.clone(),
            stack: entry.stack.clone(),
            stack_arn: entry.stack_arn.clone(),
        }
    }
}

impl From<Record> for Entry {
    fn from(record: Record) -> Self {
        Self {
            owner: String::new(),
            release_id: record.release_id,
            status: Said::Known(record.status),
            execution: record.execution,
            operation: Said::Known(record.operation),
            started_at: record.started_at,
            ended_at: record.ended_at,
            metadata: record.metadata,
            stack: record.stack,
            stack_arn: record.stack_arn,
            no_changes: record.no_changes,
            error: record.error,
            cause: record.cause,
            stored: record.stored,
            unlocked: record.unlocked,
        }
    }
}

/// Where the next page begins, as the page before says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct After(BTreeMap<String, String>);

impl After {
    /// Of the last key of a page. All keys of the table and of its indexes are strings.
    fn of(key: Option<HashMap<String, AttributeValue>>) -> Option<Self> {
        let key = key.filter(|key| !key.is_empty())?;
        let part = |(name, value): (String, AttributeValue)| Some((name, value.as_s().ok()?.clone()));
        key.into_iter().map(part).collect::<Option<_>>().map(Self)
    }

    fn key(&self) -> HashMap<String, AttributeValue> {
        self.0.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    }
}

/// Which page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Items at most; as many as the table gives at once otherwise (1 MB; DynamoDB `Query`, "Paginating the results").
    pub limit: Option<u16>,
    /// Behind this one; the first page otherwise.
    pub after: Option<After>,
}

/// Some items, and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<After>,
}

/// Which owners [`Records::list`] tells of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this account.
    pub account: Option<String>,
    /// Only of this region of the account. Without an account every page is read and this is looked at afterwards.
    pub region: Option<String>,
}

impl Filter {
    /// What the owner's key begins with.
    fn prefix(&self) -> String {
        match (&self.account, &self.region) {
            (Some(account), Some(region)) => format!("{account}/{region}/"),
            (Some(account), None) => format!("{account}/"),
            (None, _) => String::new(),
        }
    }

    fn lets_through(&self, current: &Current) -> bool {
        let region = current.owner.split('/').nth(1);
        self.region.as_deref().is_none_or(|wanted| region == Some(wanted))
    }
}

impl Records {
    /// The releases of one owner, newest first: deploys, plans and refusals; only those that started at `since` (RFC 3339,
    /// in UTC) or later, if that is given.
    ///
    /// An index tells, which lags behind the table by moments.
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::Garbled`].
    pub async fn history(&self, owner: &Owner, since: Option<&str>, wanted: &Wanted) -> Result<Page<Entry>, Error> {
        let mut query = self
            .query(house::BY_TIME_INDEX)
            .scan_index_forward(false)
            .key_condition_expression(match since {
                Some(_) => "#owner = :owner AND #started_at >= :since",
                None => "#owner = :owner",
            })
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", text(keys::owner(owner)));
        if let Some(since) = since {
            query = query
                .expression_attribute_names("#started_at", "started_at")
                // As text `31.5Z` comes before `31Z`.
                .expression_attribute_values(":since", text(since.trim_end_matches('Z')));
        }
        page(query, wanted).await
    }

    /// The record of a release as it is, read consistently; also one that another version wrote.
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::Garbled`].
    pub async fn entry(&self, owner: &Owner, release_id: &str) -> Result<Option<Entry>, Error> {
        // The item of what is deployed is no record.
        if release_id == current::KEY {
            return Ok(None);
        }
        self.read(owner, release_id).await
    }

    /// What is deployed of this owner, read consistently.
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::Garbled`].
    pub async fn current(&self, owner: &Owner) -> Result<Option<Current>, Error> {
        self.read(owner, current::KEY).await
    }

    /// What is deployed of every owner, in the order of their keys: account, region, project, config.
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::Garbled`].
    pub async fn list(&self, filter: &Filter, wanted: &Wanted) -> Result<Page<Current>, Error> {
        let prefix = filter.prefix();
        let mut query = self
            .query(house::CURRENT_INDEX)
            .key_condition_expression(if prefix.is_empty() {
                "#current = :yes"
            } else {
                "#current = :yes AND begins_with(#owner, :prefix)"
            })
            .expression_attribute_names("#current", house::CURRENT)
            .expression_attribute_values(":yes", text(current::IS_CURRENT));
        if !prefix.is_empty() {
            query = query
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":prefix", text(prefix));
        }
        let mut page: Page<Current> = page(query, wanted).await?;
        page.items.retain(|current| filter.lets_through(current));
        Ok(page)
    }

    /// The keys of all records that say that their release has started, of every owner. There are as many as deploys
    /// run. An index tells, which lags behind the table.
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::Garbled`].
    pub async fn open_all(&self) -> Result<Vec<Key>, Error> {
        self.open(None).await
    }

    fn query(&self, index: &str) -> QueryFluentBuilder {
        self.client.query().table_name(&self.table).index_name(index)
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, owner: &Owner, sort: &str) -> Result<Option<T>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("owner", text(keys::owner(owner)))
            .key("release_id", text(sort))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fenrir_aws::fault(GET, &error))?;
        answer.item.as_ref().map(decode).transpose()
    }
}

fn decode<T: serde::de::DeserializeOwned>(item: &Item) -> Result<T, Error> {
    from_item(item).map_err(|error| Error::Garbled(error.to_string()))
}

async fn page<T: serde::de::DeserializeOwned>(query: QueryFluentBuilder, wanted: &Wanted) -> Result<Page<T>, Error> {
    let answer = query
        .set_limit(wanted.limit.map(i32::from))
        .set_exclusive_start_key(wanted.after.as_ref().map(After::key))
        .send()
        .await
        .map_err(|error| fenrir_aws::fault(QUERY, &error))?;
    let items: Result<Vec<T>, Error> = answer.items().iter().map(decode).collect();
    Ok(Page {
        items: items?,
        next: After::of(answer.last_evaluated_key),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_another_version_wrote_is_shown_as_it_is() {
        let entry: Entry = serde_json::from_value(json!({
            "owner": "o", "release_id": "release-1", "status": "PAUSED", "operation": "destroy",
            "started_at": "2030-01-01T00:00:00Z", "approved_by": ["x"],
        }))
        .unwrap();
        assert_eq!(
            (entry.status.to_string(), entry.operation.to_string()),
            ("PAUSED".into(), "destroy".into())
        );
        assert_eq!(serde_json::to_value(&entry).unwrap()["status"], "PAUSED");
        let known: Entry =
            serde_json::from_value(json!({"release_id": "release-1", "status": "FAILURE_CLEAN"})).unwrap();
        assert!(known.status.is(&Status::FailureClean) && known.is_deploy());
        assert_eq!(known.status.to_string(), "FAILURE_CLEAN");
    }

    #[test]
    fn where_a_page_ends_survives_as_text() {
        let key = HashMap::from([("owner".to_owned(), text("o")), ("release_id".to_owned(), text("r"))]);
        let after = After::of(Some(key.clone())).unwrap();
        let again: After = serde_json::from_str(&serde_json::to_string(&after).unwrap()).unwrap();
        assert_eq!(again.key(), key);
        assert_eq!(After::of(None), None);
        assert_eq!(After::of(Some(HashMap::new())), None);
    }
}
