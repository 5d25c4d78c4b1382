//! Whether this command and the deployer understand each other.
//!
//! The deployer's version is a tag of its state machine: to read the tags of one state machine is the narrowest right there
//! is on it. Whoever lacks it is not stopped: then a release that the deployer does not understand is refused by itself.

use fenrir_aws::fault;
use fenrir_core::error;
use fenrir_core::problem::printable;
use fenrir_install::version::{self, OWN, Relation};

use crate::aws::{Aws, words};
use crate::fault::Fault;
use crate::printer::Printer;

/// What the deployer says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deployer {
    /// Its version, and what it is to this command.
    Is(String, Relation),
    /// Nothing that is a version: it is older than these are written down.
    Silent,
    /// There is no such state machine.
    Absent,
    /// It could not be asked.
    Unasked(error::Fault),
}

/// Asks the deployer for its version.
pub async fn ask(aws: &Aws) -> Deployer {
    let answer = aws
        .sfn
        .list_tags_for_resource()
        .resource_arn(&aws.machine.arn)
        .send()
        .await;
    let answer = match answer.map_err(|error| fault("states:ListTagsForResource", &error)) {
        Ok(answer) => answer,
        Err(fault) if fault.is("ResourceNotFound") || fault.is("StateMachineDoesNotExist") => return Deployer::Absent,
        Err(fault) => return Deployer::Unasked(fault),
    };
    let tag = answer.tags().iter().find(|tag| tag.key() == Some(version::TAG));
    let said = tag.and_then(|tag| tag.value()).map(printable);
    let relation = said.as_deref().and_then(|said| version::relation(OWN, said));
    match (said, relation) {
        (Some(said), Some(relation)) => Deployer::Is(said, relation),
        _ => Deployer::Silent,
    }
}

impl Deployer {
    /// Stops a release that the deployer would not understand, and says what else there is to say.
    ///
    /// # Errors
    /// They do not understand each other.
    pub fn check(&self, printer: &mut Printer) -> Result<(), Fault> {
        match self {
            Self::Is(_, Relation::Same) | Self::Absent => Ok(()),
            Self::Is(said, Relation::Compatible) => {
                printer.warning(&differ(said));
                Ok(())
            }
            Self::Is(said, relation) => Err(Fault::usage(refuse(said)).help(remedy(*relation))),
            Self::Silent => {
                printer.detail("the deployer does not say its version");
                Ok(())
            }
            Self::Unasked(fault) => {
                printer.detail(&format!("the deployer's version is not known: {}", words(fault)));
                Ok(())
            }
        }
    }
}

/// They differ, and understand each other.
#[must_use]
pub fn differ(said: &str) -> String {
    format!("the deployer is Fenrir {said}, this command is {OWN}; they understand each other")
}

/// They do not understand each other.
#[must_use]
pub fn refuse(said: &str) -> String {
    format!("the deployer is Fenrir {said}, this command is {OWN}: they do not understand each other")
}

/// What to do about it.
#[must_use]
pub const fn remedy(relation: Relation) -> &'static str {
    match relation {
        Relation::DeployerTooOld => {
            "ask an administrator of the deployer to update it (`fenrir bootstrap`), or use an older `fenrir`"
        }
        _ => "update `fenrir` to the deployer's version",
    }
}
