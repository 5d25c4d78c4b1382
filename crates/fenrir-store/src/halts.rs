//! The halts: somebody asks a running deploy to stop. The steps look at them and stop at the next safe place.

use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;
use fenrir_core::deployment::Halt;
use fenrir_core::error::{ErrorName, Fault, StepError};
use fenrir_core::keys;
use fenrir_core::owner::Owner;
use serde::{Deserialize, Serialize};

use crate::attributes::{Item, from_item, text, to_item};

const PUT: &str = "dynamodb:PutItem";
const GET: &str = "dynamodb:GetItem";

/// The item: a halt names the release that it is for, so that it never stops another.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    release_id: String,
    #[serde(flatten)]
    halt: Halt,
}

/// Why a halt was not written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The call failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What is to be written is no item.
    #[error("the halt cannot be written: {0}")]
    Garbled(String),
}

impl Error {
    /// The error of a step that could not look whether it is to stop.
    #[must_use]
    pub fn into_step(self, name: ErrorName) -> StepError {
        const DOING: &str = "looking whether somebody halted the deploy";
        match self {
            Self::Fault(fault) => fault.into_step(name, DOING),
            Self::Garbled(words) => StepError::new(name, format!("{DOING}: {words}")),
        }
    }
}

/// The halts in the table of the locks.
#[derive(Debug, Clone)]
pub struct Halts {
    client: Client,
    table: String,
}

impl Halts {
    /// The table as `config` reaches it.
    #[must_use]
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        Self {
            client: Client::new(config),
            table: table.to_owned(),
        }
    }

    /// Asks the release to stop. A later halt of the same owner replaces an earlier one.
    ///
    /// # Errors
    /// [`Error::Fault`].
    pub async fn put(&self, owner: &Owner, release_id: &str, halt: Halt) -> Result<(), Error> {
        let item = Asked {
            release_id: release_id.to_owned(),
            halt,
        };
        let mut item = to_item(&item).map_err(|error| Error::Garbled(error.to_string()))?;
        item.insert("key".to_owned(), text(keys::halt(owner)));
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await;
        sent.map_err(|error| fenrir_aws::fault(PUT, &error))?;
        Ok(())
    }

    /// Whether somebody asked the release to stop, read consistently.
    ///
    /// # Errors
    /// [`Error::Fault`].
    pub async fn get(&self, owner: &Owner, release_id: &str) -> Result<Option<Halt>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("key", text(keys::halt(owner)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fenrir_aws::fault(GET, &error))?;
        Ok(answer.item().and_then(|item| of_release(item, release_id)))
    }
}

/// The halt in an item, if it is for this release. What is for it and cannot be understood still asks it to stop.
pub(crate) fn of_release(item: &Item, release_id: &str) -> Option<Halt> {
    (item.get("release_id") == Some(&text(release_id))).then(|| {
        let unknown = || Halt {
            who: "somebody".to_owned(),
            since: "an unknown time".to_owned(),
            reason: "no reason is given".to_owned(),
        };
        from_item::<Asked>(item).map_or_else(|_| unknown(), |item| item.halt.short())
    })
}
