//! Past releases, as the commands that read them ask: which one is meant, whose it is, how it stands.

use fenrir_aws::fault;
use fenrir_core::error;
use fenrir_core::owner::Owner;
use fenrir_core::release::{Release, release_id_problem};
use fenrir_core::timestamp;
use fenrir_store::history::Wanted;
use fenrir_store::records::{Error, Status};
use fenrir_store::{Current, Entry, Summary};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::arguments::ScopeArguments;
use crate::aws::{Aws, unusable};
use crate::fault::{Fault, Stop};
use crate::scope::{self, Tables};
use crate::source;
use crate::text::Style;

/// Releases of an owner that are asked for at once.
pub const PAGE: u16 = 100;

/// Where an application is, under the names that a release gives them.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Project.
    pub project: String,
    /// Config.
    pub config: String,
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
}

impl From<&Owner> for Place {
    fn from(owner: &Owner) -> Self {
        Self {
            project: owner.project.clone(),
            config: owner.config.clone(),
            account: owner.account.clone(),
            region: owner.region.clone(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            project,
            config,
            account,
            region,
        } = self;
        write!(f, "{project} {config} in account {account}, {region}")
    }
}

/// An execution, as Step Functions tells of it.
#[derive(Debug, Clone, Serialize)]
pub struct Execution {
    /// ARN.
    pub arn: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`.
    pub status: String,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// When it ended, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What it was started with. Whoever may start an execution writes it: nothing of it is believed but whose it says it
    /// is, and then that owner's own records are asked.
    #[serde(skip)]
    pub input: Option<String>,
}

impl Execution {
    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(self.status.as_str(), "RUNNING" | "PENDING_REDRIVE")
    }

    /// How it ended, in words.
    #[must_use]
    pub fn ending(&self) -> String {
        match self.status.as_str() {
            "ABORTED" => "was stopped by hand".to_owned(),
            "TIMED_OUT" => "ran into its timeout".to_owned(),
            "SUCCEEDED" => "succeeded".to_owned(),
            "FAILED" => format!("failed ({})", self.error.as_deref().unwrap_or("without an error")),
            other => format!("is `{other}`"),
        }
    }

    /// Whose release it says it is.
    fn owner(&self) -> Option<Owner> {
        let input: Value = serde_json::from_str(self.input.as_deref()?).ok()?;
        Some(Release::parse(&input).ok()?.owner())
    }
}

/// The execution of this ARN; `None` when Step Functions knows none, or no longer: it forgets after 90 days (Step Functions
/// quotas, "Execution history retention time").
///
/// # Errors
/// It cannot be asked for.
pub async fn execution(aws: &Aws, arn: &str) -> Result<Option<Execution>, error::Fault> {
    let answer = aws.sfn.describe_execution().execution_arn(arn).send().await;
    let found = match answer.map_err(|error| fault("states:DescribeExecution", &error)) {
        Ok(found) => found,
        Err(fault) if is_absent(&fault) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let at = |at: &aws_sdk_sfn::primitives::DateTime| {
        timestamp::format(OffsetDateTime::from_unix_timestamp(at.secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH))
    };
    Ok(Some(Execution {
        arn: found.execution_arn().to_owned(),
        status: found.status().as_str().to_owned(),
        started_at: at(found.start_date()),
        ended_at: found.stop_date().map(at),
        error: found.error().map(str::to_owned),
        cause: found.cause().map(str::to_owned),
        input: found.input().map(str::to_owned),
    }))
}

fn is_absent(fault: &error::Fault) -> bool {
    ["ExecutionDoesNotExist", "InvalidArn", "StateMachineDoesNotExist"]
        .iter()
        .any(|code| fault.is(code))
}

/// Why the records were not to be had.
#[must_use]
pub fn unread(aws: &Aws, doing: &str, error: Error) -> Fault {
    match error {
        Error::Fault(fault) if fault.is("ResourceNotFoundException") => {
            let machine = &aws.machine;
            Fault::usage(format!(
                "{doing}: there is no deployer in account {}, {}: it has no table of releases, or none that knows this \
                 question",
                machine.account, machine.region
            ))
            .help(
                "say where it is with `--deployer-account`, or with `--state-machine` when it lives in another region \
                 than the application, or let an administrator install or update it",
            )
        }
        Error::Fault(fault) => unusable(doing, &fault),
        other => Fault::failed(format!("{doing}: {other}"))
            .help("a deployer of another version may have written it; `fenrir --version` says which this is"),
    }
}

/// A release that was asked for.
#[derive(Debug)]
pub struct Found {
    /// Whose.
    pub owner: Owner,
    /// Its id.
    pub release_id: String,
    /// Its record; none while it is being validated, and of a release that nobody has proven.
    pub entry: Option<Entry>,
    /// Its execution, where it was asked for.
    pub execution: Option<Execution>,
}

impl Found {
    /// When it started, RFC 3339.
    #[must_use]
    pub fn started_at(&self) -> Option<&str> {
        let of_record = self.entry.as_ref().map(|entry| entry.started_at.as_str());
        of_record.or_else(|| Some(self.execution.as_ref()?.started_at.as_str()))
    }

    /// ARN of the execution.
    #[must_use]
    pub fn execution_arn(&self, aws: &Aws) -> String {
        let of_record = self.entry.as_ref().map(|entry| entry.execution.clone());
        of_record
            .filter(|arn| !arn.is_empty())
            .unwrap_or_else(|| aws.machine.execution(&self.release_id))
    }

    /// The execution, asked for now if it was not yet; `None` where it is forgotten or may not be seen.
    pub async fn look_at_execution(&mut self, aws: &Aws) -> Option<&Execution> {
        if self.execution.is_none() {
            self.execution = execution(aws, &self.execution_arn(aws)).await.ok().flatten();
        }
        self.execution.as_ref()
    }
}

/// The owner whom the arguments or the template at hand name; `None` where nothing does.
fn at_hand(aws: &Aws, scope: &ScopeArguments) -> Result<Option<Owner>, Stop> {
    let is_said = scope.project.is_some() || scope.config.is_some() || scope.template.template.is_some();
    if !is_said && source::find(None).is_err() {
        return Ok(None);
    }
    match scope::owner(aws, scope) {
        Ok(owner) => Ok(Some(owner)),
        Err(stop) if is_said => Err(stop),
        // A template that cannot be read is not what was asked for.
        Err(_) => Ok(None),
    }
}

/// The release of this id: among those of the owner at hand, or else by its execution, whose name it is. `aws` then is where
/// it was deployed to.
///
/// # Errors
/// There is none, or it cannot be looked for.
pub async fn find(aws: &mut Aws, tables: &Tables, scope: &ScopeArguments, release_id: &str) -> Result<Found, Stop> {
    const DOING: &str = "looking for the release";
    if let Some(problem) = release_id_problem(release_id) {
        let fault = Fault::usage(format!("`{release_id}` is no release: its id {problem}"));
        return Err(fault.help("`fenrir history` lists the releases").into());
    }
    let mut denied = None;
    let owner = at_hand(aws, scope)?;
    if let Some(owner) = &owner {
        match tables.records.entry(owner, release_id).await {
            Ok(Some(entry)) => {
                return Ok(Found {
                    owner: owner.clone(),
                    release_id: release_id.to_owned(),
                    entry: Some(entry),
                    execution: None,
                });
            }
            Ok(None) => {}
            // The template at hand need not be the release's.
            Err(Error::Fault(fault)) if fault.kind == error::FaultKind::Denied => denied = Some(fault),
            Err(error) => return Err(unread(aws, DOING, error).into()),
        }
    }
    let execution = execution(aws, &aws.machine.execution(release_id)).await;
    let execution = execution.map_err(|fault| unusable(DOING, &fault))?;
    let Some((execution, of_execution)) = execution.and_then(|execution| {
        let owner = execution.owner()?;
        Some((execution, owner))
    }) else {
        return Err(denied
            .map_or_else(
                || none(aws, owner.as_ref(), release_id),
                |fault| unusable(DOING, &fault),
            )
            .into());
    };
    aws.go_to(&of_execution);
    let entry = tables.records.entry(&of_execution, release_id).await;
    Ok(Found {
        entry: entry.map_err(|error| unread(aws, DOING, error))?,
        owner: of_execution,
        release_id: release_id.to_owned(),
        execution: Some(execution),
    })
}

fn none(aws: &Aws, owner: Option<&Owner>, release_id: &str) -> Fault {
    let of = owner
        .map(|owner| format!(" of {}, nor", Place::from(owner)))
        .unwrap_or_default();
    Fault::usage(format!(
        "there is no release `{release_id}`{of} at the deployer `{}`",
        aws.machine.arn
    ))
    .help(
        "`fenrir history` lists the releases; an old one is found with `--project`, `--config`, `--account` and \
         `--region`",
    )
}

/// What is deployed of this owner. Where the deployer is of a version that does not write it down, the history tells.
///
/// # Errors
/// It cannot be read.
pub async fn current(aws: &Aws, tables: &Tables, owner: &Owner) -> Result<Option<Current>, Fault> {
    const DOING: &str = "reading what is deployed";
    let found = tables.records.current(owner).await;
    if let Some(found) = found.map_err(|error| unread(aws, DOING, error))? {
        return Ok(Some(found));
    }
    let mut current = Current::default();
    let mut history = Successes::of(tables, owner);
    while let Some(entry) = history.next().await.map_err(|error| unread(aws, DOING, error))? {
        if current.last.is_none() && entry.is_deploy() && !entry.status.is(&Status::Started) {
            current.last = Some(Summary::from(&entry));
        }
        if is_success(&entry) {
            current.deployed = Some(Summary::from(&entry));
            break;
        }
    }
    Ok(current.last.is_some().then_some(current))
}

/// Whether it is a deploy that succeeded.
#[must_use]
pub fn is_success(entry: &Entry) -> bool {
    entry.is_deploy() && entry.status.is(&Status::Success)
}

/// The releases of an owner, newest first, read page by page as they are asked for.
#[derive(Debug)]
pub struct Successes<'a> {
    tables: &'a Tables,
    owner: &'a Owner,
    page: std::vec::IntoIter<Entry>,
    wanted: Option<Wanted>,
}

impl<'a> Successes<'a> {
    /// All of them.
    #[must_use]
    pub fn of(tables: &'a Tables, owner: &'a Owner) -> Self {
        Self {
            tables,
            owner,
            page: Vec::new().into_iter(),
            wanted: Some(Wanted {
                limit: Some(PAGE),
                after: None,
            }),
        }
    }

    /// The next one.
    ///
    /// # Errors
    /// A page cannot be read.
    pub async fn next(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            if let Some(entry) = self.page.next() {
                return Ok(Some(entry));
            }
            let Some(wanted) = self.wanted.take() else {
                return Ok(None);
            };
            let page = self.tables.records.history(self.owner, None, &wanted).await?;
            self.page = page.items.into_iter();
            self.wanted = page.next.map(|after| Wanted {
                after: Some(after),
                ..wanted
            });
        }
    }
}

/// How a status looks.
#[must_use]
pub fn style(status: &str) -> Style {
    match status {
        "SUCCESS" => Style::Good,
        "STARTED" => Style::Accent,
        "REFUSED" => Style::Warn,
        status if status.starts_with("FAILURE") => Style::Bad,
        _ => Style::Plain,
    }
}

/// The first characters of a commit.
#[must_use]
pub fn short_commit(commit: &str) -> String {
    let is_hash = commit.len() >= 20 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    commit.chars().take(if is_hash { 10 } else { 40 }).collect()
}

/// The last part of a caller's ARN, which is who it is: `arn:aws:sts::1:assumed-role/dev/ada` is `ada`.
#[must_use]
pub fn short_who(who: &str) -> String {
    let who = if who.starts_with("arn:") {
        who.rsplit(['/', ':']).next().unwrap_or(who)
    } else {
        who
    };
    who.chars().take(40).collect()
}

/// Seconds between two times.
#[must_use]
pub fn seconds(from: &str, to: Option<&str>) -> Option<i64> {
    let (from, to) = (timestamp::parse(from)?, timestamp::parse(to?)?);
    Some((to - from).whole_seconds().max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_and_commit_fit_into_a_column() {
        assert_eq!(short_who("arn:aws:sts::111122223333:assumed-role/developer/ada"), "ada");
        assert_eq!(short_who("arn:aws:iam::111122223333:root"), "root");
        assert_eq!(short_who("ci / build 7"), "ci / build 7");
        assert_eq!(short_commit("5f0c9a7e415f0c9a7e415f0c9a7e415f0c9a7e41"), "5f0c9a7e41");
        assert_eq!(short_commit("v1.2.3"), "v1.2.3");
    }

    #[test]
    fn a_duration_needs_both_ends() {
        assert_eq!(
            seconds("2026-01-01T00:00:00.500Z", Some("2026-01-01T00:01:01Z")),
            Some(60)
        );
        assert_eq!(seconds("2026-01-01T00:00:05Z", Some("2026-01-01T00:00:04Z")), Some(0));
        assert_eq!(seconds("2026-01-01T00:00:05Z", None), None);
        assert_eq!(seconds("", Some("2026-01-01T00:00:04Z")), None);
    }
}
