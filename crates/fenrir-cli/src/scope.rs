//! Whose deploys a command means, and the tables that keep their locks.

use aws_sdk_sfn::types::ExecutionStatus;
use fenrir_core::error::FaultKind;
use fenrir_core::owner::{Owner, config_problem, project_problem};
use fenrir_core::{house, keys, timestamp};
use fenrir_store::{Freeze, Freezes, Halts, Holder, Locks, Records, freezes, locks};
use time::OffsetDateTime;

use crate::arguments::{BreadthArguments, ScopeArguments};
use crate::aws::{Aws, unusable};
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::project;
use crate::source::{self, Source};

/// What becomes of a lock whose execution has ended and that is not dirty.
pub const SETTLED_SOON: &str =
    "the watchdog settles it within 15 minutes: `fenrir status` shows how, and what is left to do";

/// Whether the execution is known to have ended. What cannot be looked at may run.
pub async fn has_ended(aws: &Aws, execution: &str) -> bool {
    let answer = aws.sfn.describe_execution().execution_arn(execution).send().await;
    answer.is_ok_and(|answer| *answer.status() != ExecutionStatus::Running)
}

/// A config of a project, in the account and region of the command.
///
/// # Errors
/// Neither the arguments nor a template say which, or what they say is no name.
pub fn owner(aws: &Aws, scope: &ScopeArguments) -> Result<Owner, Stop> {
    let named = |project: &str, config: &str| Owner {
        account: aws.account.clone(),
        region: aws.region.clone(),
        project: project.to_owned(),
        config: config.to_owned(),
    };
    let owner = match (&scope.project, &scope.config) {
        (Some(project), Some(config)) => named(project, config),
        (project, config) => {
            let found = source::find(scope.template.template.as_deref());
            let path = found.map_err(|fault| fault.or_help("say `--project NAME --config NAME`"))?;
            let source = Source::read(&path)?;
            let of_file = project::owner(source.document()?.value(), aws.account.clone(), aws.region.clone());
            named(
                project.as_ref().unwrap_or(&of_file.project),
                config.as_ref().unwrap_or(&of_file.config),
            )
        }
    };
    let problems = [
        ("project", &owner.project, project_problem(&owner.project)),
        ("config", &owner.config, config_problem(&owner.config)),
    ];
    for (what, name, problem) in problems {
        if let Some(problem) = problem {
            let fault = Fault::usage(format!("`{name}` is no {what}: it {problem}"));
            return Err(fault
                .help("say `--project NAME --config NAME`, or run it where the template is")
                .into());
        }
    }
    Ok(owner)
}

/// What a freeze is of: its key, and how to call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// [`keys::freezes`].
    pub key: String,
    /// For people.
    pub name: String,
    /// The owner, when it is of one config.
    pub owner: Option<Owner>,
    /// The keys of the freezes that hold for it as well, the widest first.
    pub above: Vec<String>,
}

impl Frozen {
    /// What the arguments mean.
    ///
    /// # Errors
    /// As [`owner`].
    pub fn of(aws: &Aws, scope: &ScopeArguments, breadth: BreadthArguments) -> Result<Self, Stop> {
        let account = &aws.account;
        if breadth.whole_account {
            return Ok(Self {
                key: keys::freeze_of_account(account),
                name: format!("everything in account {account}"),
                owner: None,
                above: Vec::new(),
            });
        }
        let owner = owner(aws, scope)?;
        let [of_account, of_project, of_config] = keys::freezes(&owner);
        if breadth.whole_project {
            return Ok(Self {
                key: of_project,
                name: format!("every config of `{}` in account {account}", owner.project),
                owner: None,
                above: vec![of_account],
            });
        }
        Ok(Self {
            above: vec![of_account, of_project],
            key: of_config,
            name: format!("`{}` `{}` in account {account}", owner.project, owner.config),
            owner: Some(owner),
        })
    }
}

/// The tables of the deployer, with the caller's rights.
#[derive(Debug)]
pub struct Tables {
    /// The locks.
    pub locks: Locks,
    /// The freezes.
    pub freezes: Freezes,
    /// The halts.
    pub halts: Halts,
    /// The records.
    pub records: Records,
}

impl Tables {
    /// The tables of the deployer's account.
    ///
    /// # Errors
    /// The caller is of another account: a table's name means one of his own there.
    pub fn of(aws: &Aws) -> Result<Self, Fault> {
        if aws.caller.account != aws.machine.account {
            let (own, deployer) = (&aws.caller.account, &aws.machine.account);
            return Err(Fault::usage(format!(
                "the locks and records are in the deployer's account {deployer}, and the credentials are of account {own}"
            ))
            .help("choose a profile of the deployer's account with `--profile`"));
        }
        Ok(Self {
            locks: Locks::new(&aws.home, house::LOCKS_TABLE),
            freezes: Freezes::new(&aws.home, house::LOCKS_TABLE),
            halts: Halts::new(&aws.home, house::LOCKS_TABLE),
            records: Records::new(&aws.home, house::RELEASES_TABLE),
        })
    }

    /// Which of the freezes of these keys are on.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn freezing(&self, keys: &[String]) -> Result<Freezing, Fault> {
        let mut freezing = Freezing::default();
        // One by one: a caller may see some of them and others not.
        for key in keys {
            match self.freezes.get(key).await {
                Ok(freeze) => freezing.on.extend(freeze),
                Err(freezes::Error::Fault(fault)) if fault.kind == FaultKind::Denied => {
                    let what = key.trim_start_matches("freeze/").replace('!', "/");
                    freezing.unseen.push(what);
                }
                Err(freezes::Error::Fault(fault)) => return Err(unusable("looking for freezes", &fault)),
                Err(other) => return Err(Fault::failed(other.to_string())),
            }
        }
        Ok(freezing)
    }

    /// Who holds the lock.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn holder(&self, owner: &Owner) -> Result<Option<Holder>, Fault> {
        self.locks.holder(owner).await.map_err(|error| match error {
            locks::Error::Fault(fault) => unusable("reading the lock", &fault),
            other => Fault::new(Exit::Failed, format!("reading the lock: {other}")),
        })
    }
}

/// Freezes that were looked for.
#[derive(Debug, Default)]
pub struct Freezing {
    /// Those that are on.
    pub on: Vec<Freeze>,
    /// What of it the caller may not see.
    pub unseen: Vec<String>,
}

impl Freezing {
    /// That something may not be seen, for people.
    #[must_use]
    pub fn unseen(&self) -> Option<String> {
        let what = self.unseen.join("` and `");
        (!what.is_empty()).then(|| format!("whether `{what}` is frozen you may not see"))
    }

    /// All that are on, for people.
    #[must_use]
    pub fn described(&self) -> String {
        let all: Vec<String> = self.on.iter().map(Freeze::describe).collect();
        all.join("; ")
    }

    /// How to end those that are on.
    #[must_use]
    pub fn remedy(&self) -> String {
        let all: Vec<String> = self
            .on
            .iter()
            .map(|freeze| format!("`{}`", freeze.ended_by()))
            .collect();
        let end = if all.len() == 1 { "ends" } else { "end" };
        format!("ask whoever froze it; {} {end} it", all.join(" and "))
    }
}

/// The time, as the tables keep it.
#[must_use]
pub fn now() -> String {
    timestamp::format(OffsetDateTime::now_utc())
}
