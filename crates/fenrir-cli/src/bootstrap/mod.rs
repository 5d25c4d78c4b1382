//! What `fenrir bootstrap` does, one part a file.

use std::collections::BTreeMap;

use fenrir_core::house;
use fenrir_install::Error;
use fenrir_install::stacks::{OwnStacks, Seen};
use fenrir_install::template::Kind;
use fenrir_stacks::events::Event;

use crate::arguments::Bootstrap;
use crate::aws::{self, Place, Session};
use crate::fault::Fault;
use crate::printer::Printer;

pub mod answers;
pub mod install;
pub mod listing;
pub mod removal;

/// An administrator at work: his own rights, in one account.
#[derive(Debug)]
pub struct Work<'a> {
    /// What he said.
    pub arguments: &'a Bootstrap,
    /// Who he is, and where.
    pub session: Session,
}

impl<'a> Work<'a> {
    /// Finds credentials and region.
    ///
    /// # Errors
    /// One of them is missing or not accepted.
    pub async fn begin(arguments: &'a Bootstrap) -> Result<Self, Fault> {
        let place = Place {
            profile: arguments.aws.profile.name.as_deref(),
            only_profile: arguments.aws.profile.is_flag,
            region: arguments.aws.region.as_deref(),
            endpoint_url: arguments.aws.endpoint_url.as_deref(),
        };
        let session = place.session().await?;
        Ok(Self { arguments, session })
    }

    /// The account of the credentials.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.session.caller.account
    }

    /// The region at hand: the deployer's home.
    #[must_use]
    pub fn home(&self) -> &str {
        &self.session.region
    }

    /// Fenrir's own stacks of a region.
    #[must_use]
    pub fn stacks(&self, region: &str) -> OwnStacks {
        OwnStacks::new(&self.session.config, self.account(), region)
    }

    /// The deployer's stack in its home.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub async fn deployer(&self) -> Result<Option<Seen>, Fault> {
        self.stacks(self.home()).look(Kind::Deployer).await.map_err(fault)
    }

    /// ARN of the deployer's state machine, where this account and region are its home.
    #[must_use]
    pub fn state_machine(&self) -> String {
        let (region, account) = (self.home(), self.account());
        let partition = self.stacks(region).partition();
        format!(
            "arn:{partition}:states:{region}:{account}:stateMachine:{}",
            house::STATE_MACHINE
        )
    }

    /// The accounts and regions that may be deployed to: as given, as before, or at first the administrator's own.
    #[must_use]
    pub fn lists(&self, deployer: Option<&Seen>) -> Lists {
        let wishes = &self.arguments.wishes;
        let list = |given: &[String], parameter: &str, first: &str| {
            let before = deployer.filter(|seen| seen.stands()).map(|seen| seen.list(parameter));
            match (given, before) {
                ([], Some(before)) => before,
                ([], None) => vec![first.to_owned()],
                (given, _) => given.to_vec(),
            }
        };
        Lists {
            accounts: list(&wishes.accounts, ACCOUNTS, self.account()),
            regions: list(&wishes.regions, REGIONS, self.home()),
        }
    }
}

/// The type of a stack's own events.
const STACK: &str = "AWS::CloudFormation::Stack";
/// The parameter of the accounts that may be deployed to.
pub const ACCOUNTS: &str = "Accounts";
/// The parameter of the regions that may be deployed to.
pub const REGIONS: &str = "Regions";

/// What may be deployed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lists {
    /// Accounts.
    pub accounts: Vec<String>,
    /// Regions.
    pub regions: Vec<String>,
}

/// An error of the installation, for the person in front of it.
#[must_use]
pub fn fault(error: Error) -> Fault {
    match error {
        Error::Unusable { message, help } => Fault::usage(message).help(help),
        Error::Failed { message, help } => Fault::failed(message).help(help),
        Error::Call { doing, fault } => {
            let unusable = aws::unusable(&doing, &fault);
            match fault.kind {
                fenrir_core::error::FaultKind::Denied => {
                    unusable.help("installing takes the rights of an administrator of the account (docs/install.md)")
                }
                fenrir_core::error::FaultKind::Transient => {
                    unusable.help("look at the network and the name of the region, and run `fenrir bootstrap` again")
                }
                fenrir_core::error::FaultKind::Refused => unusable,
            }
        }
    }
}

/// Shows the events of a stack as they come.
pub fn teller(printer: &mut Printer) -> impl FnMut(&Event) {
    |event: &Event| {
        // That one of dozens of resources is being made says little; that it is made, or is not, does.
        let is_news = !event.status.ends_with("_IN_PROGRESS") || event.resource_type == STACK;
        if is_news || printer.is_json() {
            printer.tell(event);
        }
    }
}

/// Parameters by name.
pub type Parameters = BTreeMap<String, String>;
