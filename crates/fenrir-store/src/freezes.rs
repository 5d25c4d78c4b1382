//! The freezes: somebody keeps everybody from deploying a config, a project, or anything in an account.
//!
//! A freeze that was lifted stays as an item, with who lifted it and why, until the next one replaces it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, ReturnValuesOnConditionCheckFailure};
use aws_types::SdkConfig;
use fenrir_core::error::Fault;
use fenrir_core::problem::printable;
use serde::{Deserialize, Serialize};

use crate::attributes::{Item, from_item, text, to_attribute, to_item};
use crate::batch;

const PUT: &str = "dynamodb:PutItem";
const GET: &str = "dynamodb:GetItem";
const UPDATE: &str = "dynamodb:UpdateItem";

/// A freeze that is not lifted does not let anybody deploy. The condition under which it does.
const THAWED: &str = "attribute_not_exists(#key) OR attribute_exists(#lifted)";

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// What is frozen: the item's key ([`fenrir_core::keys::freezes`]).
    pub key: String,
    /// ARN of who froze it, as STS names the caller to the command.
    #[serde(default)]
    pub who: String,
    /// Since when, RFC 3339.
    #[serde(default)]
    pub since: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

impl Freeze {
    /// The freeze that an item holds; of an item that cannot be understood, that there is one.
    pub(crate) fn of_item(item: Option<&Item>, key: String) -> Self {
        item.and_then(|item| from_item(item).ok()).unwrap_or(Self {
            key,
            who: "somebody".to_owned(),
            since: "an unknown time".to_owned(),
            reason: "no reason is given".to_owned(),
        })
    }

    /// The command that ends it.
    #[must_use]
    pub fn ended_by(&self) -> &'static str {
        match self.key.matches('/').count() {
            1 => "fenrir unlock --whole-account --reason WHY",
            2 => "fenrir unlock --whole-project --reason WHY",
            _ => "fenrir unlock --reason WHY",
        }
    }

    /// Who froze what, since when, and why.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "`{}` froze `{}` at `{}`: {}",
            printable(&self.who),
            printable(self.key.trim_start_matches("freeze/")),
            printable(&self.since),
            printable(&self.reason)
        )
    }
}

/// Who ended a freeze, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    /// ARN of the caller, as STS names it to the command.
    pub who: String,
    /// When, RFC 3339.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// Why a freeze was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The call failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It is frozen already.
    #[error("{}", .0.describe())]
    Frozen(Box<Freeze>),
    /// What is to be written is no item.
    #[error("the freeze cannot be written: {0}")]
    Garbled(String),
}

/// The freezes in the table of the locks.
#[derive(Debug, Clone)]
pub struct Freezes {
    client: Client,
    table: String,
}

impl Freezes {
    /// The table as `config` reaches it.
    #[must_use]
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        Self {
            client: Client::new(config),
            table: table.to_owned(),
        }
    }

    /// The freezes of these keys ([`fenrir_core::keys::freezes`]) that are not lifted, read consistently.
    ///
    /// # Errors
    /// [`Error::Fault`].
    pub async fn standing(&self, keys: &[String]) -> Result<Vec<Freeze>, Error> {
        let items = batch::get(&self.client, &self.table, keys).await?;
        let key = |item: &Item| Some(item.get("key")?.as_s().ok()?.clone());
        let standing = items.iter().filter(|item| !item.contains_key("lifted"));
        Ok(standing
            .filter_map(|item| Some(Freeze::of_item(Some(item), key(item)?)))
            .collect())
    }

    /// Writes a freeze. The very same one again is success.
    ///
    /// # Errors
    /// [`Error::Frozen`] by another; [`Error::Fault`].
    pub async fn put(&self, freeze: &Freeze) -> Result<(), Error> {
        let item = to_item(freeze).map_err(|error| Error::Garbled(error.to_string()))?;
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(format!(
                "{THAWED} OR (#who = :who AND #since = :since AND #reason = :reason)"
            ))
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#lifted", "lifted")
            .expression_attribute_names("#who", "who")
            .expression_attribute_names("#since", "since")
            .expression_attribute_names("#reason", "reason")
            .expression_attribute_values(":who", text(&freeze.who))
            .expression_attribute_values(":since", text(&freeze.since))
            .expression_attribute_values(":reason", text(&freeze.reason))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => Err(Error::Frozen(Box::new(
                Freeze::of_item(failed.item(), freeze.key.clone()),
            ))),
            _ => Err(fenrir_aws::fault(PUT, &error).into()),
        }
    }

    /// The freeze of this key that is on, read consistently.
    ///
    /// # Errors
    /// [`Error::Fault`].
    pub async fn get(&self, key: &str) -> Result<Option<Freeze>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("key", text(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fenrir_aws::fault(GET, &error))?;
        let on = answer.item().filter(|item| !item.contains_key("lifted"));
        Ok(on.map(|item| Freeze::of_item(Some(item), key.to_owned())))
    }

    /// Lifts a freeze. Returns whether there was one.
    ///
    /// # Errors
    /// [`Error::Fault`].
    pub async fn lift(&self, key: &str, lifted: &Lifted) -> Result<bool, Error> {
        let lifted = serde_json::to_value(lifted).map_err(|error| Error::Garbled(error.to_string()))?;
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("key", text(key))
            .update_expression("SET #lifted = :lifted")
            .condition_expression("attribute_exists(#key) AND (attribute_not_exists(#lifted) OR #lifted = :lifted)")
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#lifted", "lifted")
            .expression_attribute_values(":lifted", to_attribute(lifted))
            .send()
            .await;
        let Err(error) = sent else { return Ok(true) };
        match error.as_service_error().map(UpdateItemError::code) {
            Some(Some("ConditionalCheckFailedException")) => Ok(false),
            _ => Err(fenrir_aws::fault(UPDATE, &error).into()),
        }
    }
}

/// The part of a transaction that holds only where there is no freeze of this key.
pub(crate) fn absent(table: &str, key: &str) -> Result<ConditionCheck, BuildError> {
    ConditionCheck::builder()
        .table_name(table)
        .set_key(Some([("key".to_owned(), AttributeValue::S(key.to_owned()))].into()))
        .condition_expression(THAWED)
        .expression_attribute_names("#key", "key")
        .expression_attribute_names("#lifted", "lifted")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
}
