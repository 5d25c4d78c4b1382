//! Reads a [`Board`] from the deployer's tables and from Step Functions, with the caller's rights.
//!
//! What he may not read is left out, and the board says so. Every question is one of keys or of an index, and how many
//! are asked does not grow with the number of releases: the histories of the configs that moved last, the pictures of the
//! executions that started last.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws_sdk_sfn::primitives::DateTimeFormat;
use fenrir_aws::fault;
use fenrir_core::error::{self, FaultKind};
use fenrir_core::owner::Owner;
use fenrir_core::{house, keys, timestamp};
use fenrir_store::history::{Entry, Filter, Wanted};
use fenrir_store::{Freeze, Freezes, Holder, Locks, Records, Status, freezes, locks, records};
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinSet};

use super::board::{Board, Config, Entered, Release, Run};
use crate::aws::{Aws, unusable};
use crate::fault::Fault;

/// Configs that are shown. The page of more would be read by nobody; `--project` and `--account` narrow it down.
const CONFIGS: usize = 2_000;
/// Configs whose history is read, unless they were asked for.
const HISTORIES: usize = 30;
/// Executions whose way is read.
const RUNS: usize = 12;
/// Calls at once.
const AT_ONCE: usize = 8;
/// Events of a page of an execution's history, the most that there are (Step Functions `GetExecutionHistory`).
const EVENTS: i32 = 1_000;

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Only this project, and those under it.
    pub project: Option<String>,
    /// Only this config.
    pub config: Option<String>,
    /// Only this account.
    pub account: Option<String>,
    /// Only what was released since, RFC 3339.
    pub since: Option<String>,
    /// Releases of each history.
    pub limit: u16,
}

/// Where boards are read from.
#[derive(Debug, Clone)]
pub struct Source {
    records: Records,
    locks: Locks,
    freezes: Freezes,
    sfn: aws_sdk_sfn::Client,
    account: String,
    region: String,
    wishes: Wishes,
    /// Whom to show who may not list.
    fallback: Option<Owner>,
    /// The ways of executions as far as they are known.
    ways: Arc<Mutex<HashMap<String, Way>>>,
}

/// The way of an execution so far.
#[derive(Debug, Clone, Default)]
struct Way {
    newest: i64,
    run: Run,
}

/// What is held in an account: locks, and freezes of each kind.
struct Held {
    holders: Result<BTreeMap<String, Holder>, locks::Error>,
    standing: Vec<Result<Vec<Freeze>, freezes::Error>>,
}

/// Whose record was asked for, and what came of it.
type Answered = (Owner, Result<Option<Entry>, records::Error>);

/// A board while it is read.
struct Reading {
    notes: Vec<String>,
    configs: BTreeMap<String, Config>,
}

impl Source {
    /// The deployer of `aws`.
    #[must_use]
    pub fn new(aws: &Aws, wishes: Wishes) -> Self {
        let fallback = wishes
            .project
            .as_ref()
            .zip(wishes.config.as_ref())
            .map(|(project, config)| Owner {
                account: aws.account.clone(),
                region: aws.region.clone(),
                project: project.clone(),
                config: config.clone(),
            });
        Self {
            records: Records::new(&aws.home, house::RELEASES_TABLE),
            locks: Locks::new(&aws.home, house::LOCKS_TABLE),
            freezes: Freezes::new(&aws.home, house::LOCKS_TABLE),
            sfn: aws.sfn.clone(),
            account: aws.machine.account.clone(),
            region: aws.machine.region.clone(),
            wishes,
            fallback,
            ways: Arc::default(),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// AWS cannot be reached, there is no deployer, or the caller may read nothing that was asked for.
    pub async fn read(&self) -> Result<Board, Fault> {
        let now = OffsetDateTime::now_utc();
        let mut reading = Reading {
            notes: Vec::new(),
            configs: BTreeMap::new(),
        };
        self.list(&mut reading).await?;
        self.running(&mut reading).await?;
        self.held(&mut reading).await?;
        self.histories(&mut reading).await?;
        self.ways(&mut reading).await?;
        let mut configs: Vec<Config> = reading
            .configs
            .into_values()
            .filter(|config| self.is_recent(config))
            .collect();
        configs.sort_by(|a, b| order(&a.owner).cmp(&order(&b.owner)));
        Ok(Board {
            made_at: timestamp::format(now),
            account: self.account.clone(),
            region: self.region.clone(),
            notes: self.narrowed().into_iter().chain(reading.notes).collect(),
            configs,
        })
    }

    /// What is deployed of every owner that is wanted.
    async fn list(&self, reading: &mut Reading) -> Result<(), Fault> {
        let filter = Filter {
            account: self.wishes.account.clone(),
            region: None,
        };
        let mut wanted = Wanted::default();
        loop {
            let page = match self.records.list(&filter, &wanted).await {
                Ok(page) => page,
                Err(error) => return self.listed_nothing(reading, error).await,
            };
            for current in page.items {
                let Some(owner) = keys::parse_owner(&current.owner).filter(|owner| self.wants(owner)) else {
                    continue;
                };
                if reading.configs.len() == CONFIGS {
                    reading.notes.push(format!(
                        "There are more than {CONFIGS} configs; the others are left out. `--project` and `--account` narrow it down."
                    ));
                    return Ok(());
                }
                let config = reading.config(&owner);
                config.deployed = current.deployed.as_ref().map(Release::in_short);
                config.last = current.last.as_ref().map(Release::in_short);
            }
            match page.next {
                Some(next) => wanted.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Who may not list is shown what he named.
    async fn listed_nothing(&self, reading: &mut Reading, error: records::Error) -> Result<(), Fault> {
        let fault = of_records(error, "listing what is deployed");
        let (denied, fault) = fault;
        let Some(owner) = self.fallback.as_ref().filter(|_| denied) else {
            let help = "an operator may list every config (docs/install.md); say `--project`, `--config` and `--account` to see one";
            return Err(if denied { fault.help(help) } else { fault });
        };
        let current = self.records.current(owner).await;
        let current = current.map_err(|error| of_records(error, "reading what is deployed").1)?;
        reading
            .notes
            .push("You may not list what others deployed: this is the one config that was asked for.".to_owned());
        let config = reading.config(owner);
        if let Some(current) = current {
            config.deployed = current.deployed.as_ref().map(Release::in_short);
            config.last = current.last.as_ref().map(Release::in_short);
        }
        Ok(())
    }

    /// The releases that run.
    async fn running(&self, reading: &mut Reading) -> Result<(), Fault> {
        let open = match self.records.open_all().await {
            Ok(open) => open,
            Err(error) => {
                // Their locks and histories tell, too.
                return reading.unless_denied(of_records(error, "looking for what runs"), None);
            }
        };
        let mut asked = JoinSet::new();
        let mut found: Vec<(Owner, Entry)> = Vec::new();
        for key in open {
            let Some(owner) = keys::parse_owner(&key.owner).filter(|owner| self.wants(owner)) else {
                continue;
            };
            if asked.len() >= AT_ONCE {
                reading.entry(asked.join_next().await, &mut found)?;
            }
            let records = self.records.clone();
            asked.spawn(async move {
                let entry = records.entry(&owner, &key.release_id).await;
                (owner, entry)
            });
        }
        while let Some(joined) = asked.join_next().await {
            reading.entry(Some(joined), &mut found)?;
        }
        for (owner, entry) in found {
            reading.config(&owner).runs(&entry);
        }
        Ok(())
    }

    /// Locks and freezes. What a role may read is told by the beginnings of keys, so each account and each kind is asked
    /// for by itself.
    async fn held(&self, reading: &mut Reading) -> Result<(), Fault> {
        let mut accounts: BTreeMap<String, Vec<Owner>> = BTreeMap::new();
        for config in reading.configs.values() {
            let owner = config.owner.clone();
            accounts.entry(owner.account.clone()).or_default().push(owner);
        }
        let mut asked = JoinSet::new();
        let mut told: BTreeMap<String, Held> = BTreeMap::new();
        for (account, owners) in accounts {
            if asked.len() >= AT_ONCE {
                told.extend(asked.join_next().await.and_then(Result::ok));
            }
            let (locks, freezes) = (self.locks.clone(), self.freezes.clone());
            asked.spawn(async move {
                let mut kinds: [BTreeSet<String>; 3] = Default::default();
                for owner in &owners {
                    for (kind, key) in kinds.iter_mut().zip(keys::freezes(owner)) {
                        kind.insert(key);
                    }
                }
                let holders = locks.holders(&owners).await;
                let mut standing = Vec::new();
                for kind in kinds {
                    let keys: Vec<String> = kind.into_iter().collect();
                    standing.push(freezes.standing(&keys).await);
                }
                (account, Held { holders, standing })
            });
        }
        while let Some(joined) = asked.join_next().await {
            told.extend(joined.ok());
        }
        let mut standing: Vec<Freeze> = Vec::new();
        for (account, held) in told {
            match held.holders {
                Ok(holders) => {
                    for (key, holder) in holders {
                        if let Some(config) = reading.configs.get_mut(&key) {
                            config.lock = Some(holder);
                        }
                    }
                }
                Err(error) => {
                    let note = format!("Locks of account {account} are not shown: you may not read them.");
                    reading.unless_denied(of_locks(error), Some(&note))?;
                }
            }
            for (found, what) in held
                .standing
                .into_iter()
                .zip(["the whole account", "projects", "configs"])
            {
                match found {
                    Ok(found) => standing.extend(found),
                    Err(error) => {
                        let note =
                            format!("Freezes of {what} in account {account} are not shown: you may not read them.")
                                .replace("of the whole account in account", "of the whole account");
                        reading.unless_denied(of_freezes(error), Some(&note))?;
                    }
                }
            }
        }
        for config in reading.configs.values_mut() {
            let keys = keys::freezes(&config.owner);
            config.freezes = standing
                .iter()
                .filter(|freeze| keys.contains(&freeze.key))
                .cloned()
                .collect();
        }
        Ok(())
    }

    /// The histories of the configs that need somebody, and of those that moved last.
    async fn histories(&self, reading: &mut Reading) -> Result<(), Fault> {
        let mut order: Vec<&Config> = reading.configs.values().collect();
        order.sort_by(|a, b| moved(b).cmp(&moved(a)));
        let all = order.len();
        let owners: Vec<Owner> = order
            .into_iter()
            .take(HISTORIES)
            .map(|config| config.owner.clone())
            .collect();
        if all > owners.len() {
            reading.notes.push(format!(
                "Histories are shown of the {HISTORIES} configs that moved last; `--project` shows others."
            ));
        }
        let mut asked = JoinSet::new();
        let mut told = Vec::new();
        for owner in owners {
            if asked.len() >= AT_ONCE {
                told.extend(asked.join_next().await);
            }
            let records = self.records.clone();
            let since = self.wishes.since.clone();
            let wanted = Wanted {
                limit: Some(self.wishes.limit),
                after: None,
            };
            asked.spawn(async move {
                let page = records.history(&owner, since.as_deref(), &wanted).await;
                (owner, page)
            });
        }
        while let Some(joined) = asked.join_next().await {
            told.push(joined);
        }
        let mut denied = 0;
        for (owner, page) in told.into_iter().filter_map(Result::ok) {
            match page {
                Ok(page) => {
                    let config = reading.config(&owner);
                    config.history = page.items.iter().map(Release::of).collect();
                    if let Some(entry) = page.items.iter().find(|entry| entry.status.is(&Status::Started)) {
                        config.runs(entry);
                    }
                }
                Err(error) => match of_records(error, "reading the releases") {
                    (true, _) => denied += 1,
                    (false, fault) => return Err(fault),
                },
            }
        }
        if denied > 0 {
            let configs = if denied == 1 { "config" } else { "configs" };
            reading.notes.push(format!(
                "The history of {denied} {configs} is not shown: you may not read it."
            ));
        }
        Ok(())
    }

    /// Where the executions are.
    async fn ways(&self, reading: &mut Reading) -> Result<(), Fault> {
        let mut running: Vec<(String, String, String)> = reading
            .configs
            .iter()
            .filter_map(|(key, config)| {
                let execution = match (&config.running, &config.lock) {
                    (Some(running), _) => (running.started_at.clone(), running.execution.clone()),
                    (None, Some(lock)) if !lock.dirty => (lock.since.clone(), lock.execution.clone()),
                    _ => return None,
                };
                Some((execution.0, execution.1, key.clone()))
            })
            .collect();
        running.sort_by(|a, b| b.cmp(a));
        let mut known = self.ways.lock().await;
        known.retain(|execution, _| running.iter().any(|(_, runs, _)| runs == execution));
        let mut asked = JoinSet::new();
        for (_, execution, key) in running.into_iter().take(RUNS) {
            let way = known.get(&execution).cloned().unwrap_or_default();
            let sfn = self.sfn.clone();
            asked.spawn(async move {
                let way = follow(&sfn, &execution, way).await;
                (key, execution, way)
            });
        }
        let mut denied = false;
        while let Some(joined) = asked.join_next().await {
            let Ok((key, execution, way)) = joined else { continue };
            match way {
                Ok(way) => {
                    if let Some(config) = reading.configs.get_mut(&key) {
                        config.run = Some(way.run.clone());
                    }
                    known.insert(execution, way);
                }
                Err(fault) if fault.kind == FaultKind::Transient => {
                    return Err(unusable("looking where deploys are", &fault));
                }
                // The execution of a record may be gone: Step Functions keeps them for 90 days.
                Err(fault) => denied |= fault.kind == FaultKind::Denied,
            }
        }
        if denied {
            reading
                .notes
                .push("Where running deploys are is not shown: you may not read the executions.".to_owned());
        }
        Ok(())
    }

    /// What was asked for, when that is not all.
    fn narrowed(&self) -> Option<String> {
        let Wishes {
            project,
            config,
            account,
            since,
            ..
        } = &self.wishes;
        let since = since.as_ref().map(|since| since.replace('T', " ").replace('Z', " UTC"));
        let parts: Vec<String> = [
            ("project", project),
            ("config", config),
            ("account", account),
            ("since", &since),
        ]
        .into_iter()
        .filter_map(|(what, name)| name.as_ref().map(|name| format!("{what} {name}")))
        .collect();
        (!parts.is_empty()).then(|| format!("Only {}.", parts.join(", ")))
    }

    fn wants(&self, owner: &Owner) -> bool {
        let of_project = |wanted: &String| {
            let rest = owner.project.strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.wishes.project.as_ref().is_none_or(of_project)
            && self.wishes.config.as_ref().is_none_or(|wanted| owner.config == *wanted)
            && self
                .wishes
                .account
                .as_ref()
                .is_none_or(|wanted| owner.account == *wanted)
    }

    /// Whether something happened to it since the time that is wanted, or still does.
    fn is_recent(&self, config: &Config) -> bool {
        let Some(since) = self.wishes.since.as_deref().and_then(timestamp::parse) else {
            return true;
        };
        let at = |release: &Release| timestamp::parse(release.ended_at.as_ref().unwrap_or(&release.started_at));
        let is_new = |release: &Release| at(release).is_some_and(|at| at >= since);
        config.running.is_some()
            || config.lock.is_some()
            || config.last.as_ref().is_some_and(is_new)
            || !config.history.is_empty()
    }
}

impl Reading {
    fn config(&mut self, owner: &Owner) -> &mut Config {
        self.configs.entry(keys::owner(owner)).or_insert_with(|| Config {
            owner: owner.clone(),
            deployed: None,
            last: None,
            running: None,
            history: Vec::new(),
            lock: None,
            freezes: Vec::new(),
            run: None,
        })
    }

    /// A note about what may not be read; every other fault stays one.
    fn unless_denied(&mut self, (denied, fault): (bool, Fault), note: Option<&str>) -> Result<(), Fault> {
        if !denied {
            return Err(fault);
        }
        self.notes.extend(note.map(str::to_owned));
        Ok(())
    }

    fn entry(
        &mut self,
        joined: Option<Result<Answered, JoinError>>,
        found: &mut Vec<(Owner, Entry)>,
    ) -> Result<(), Fault> {
        let Some(Ok((owner, entry))) = joined else {
            return Ok(());
        };
        match entry {
            Ok(entry) => {
                found.extend(entry.map(|entry| (owner, entry)));
                Ok(())
            }
            Err(error) => self.unless_denied(of_records(error, "reading what runs"), None),
        }
    }
}

impl Config {
    /// A record that says that its release has started. An index may still say so of one that has ended.
    fn runs(&mut self, entry: &Entry) {
        let is_newer = self
            .running
            .as_ref()
            .is_none_or(|running| running.started_at <= entry.started_at);
        if entry.status.is(&Status::Started) && is_newer {
            self.running = Some(Release::of(entry));
        }
    }
}

/// What was reached first belongs together: project, config, account, region.
fn order(owner: &Owner) -> (&str, &str, &str, &str) {
    (&owner.project, &owner.config, &owner.account, &owner.region)
}

/// What needs somebody is looked at first, then what moved last.
fn moved(config: &Config) -> (bool, bool, &str) {
    let Config {
        lock, running, last, ..
    } = config;
    let at = last
        .as_ref()
        .map_or("", |last| last.ended_at.as_ref().unwrap_or(&last.started_at));
    (
        running.is_some(),
        lock.as_ref().is_some_and(|lock: &Holder| lock.dirty),
        at,
    )
}

/// The states that an execution entered since it was looked at the last time. The newest come first, so that one page is
/// enough nearly always.
async fn follow(sfn: &aws_sdk_sfn::Client, execution: &str, mut way: Way) -> Result<Way, error::Fault> {
    let mut pages = sfn
        .get_execution_history()
        .execution_arn(execution)
        .reverse_order(true)
        .include_execution_data(false)
        .max_results(EVENTS)
        .into_paginator()
        .send();
    let known = way.newest;
    let mut new: Vec<(String, String)> = Vec::new();
    'pages: while let Some(page) = pages.next().await {
        let page = page.map_err(|error| fault("states:GetExecutionHistory", &error))?;
        for event in page.events() {
            if event.id() <= known {
                break 'pages;
            }
            way.newest = way.newest.max(event.id());
            if let Some(entered) = event.state_entered_event_details() {
                let at = event.timestamp().fmt(DateTimeFormat::DateTime).unwrap_or_default();
                new.push((entered.name().to_owned(), at));
            }
        }
    }
    for (state, at) in new.into_iter().rev() {
        way.run.enter(state, at);
    }
    Ok(way)
}

impl Run {
    /// It enters a state.
    pub fn enter(&mut self, state: String, at: String) {
        if let Some(before) = self.now.take() {
            let way = (before, state.clone());
            if !self.ways.contains(&way) {
                self.ways.push(way);
            }
        }
        match self.entered.iter_mut().find(|entered| entered.state == state) {
            Some(entered) => entered.times += 1,
            None => self.entered.push(Entered {
                state: state.clone(),
                at,
                times: 1,
            }),
        }
        self.now = Some(state);
    }
}

/// Whether a right was missing, and the fault for people.
fn told(fault: &error::Fault, doing: &str) -> (bool, Fault) {
    (fault.kind == FaultKind::Denied, unusable(doing, fault))
}

fn of_records(error: records::Error, doing: &str) -> (bool, Fault) {
    match error {
        records::Error::Fault(fault) if fault.is("ResourceNotFoundException") => (
            false,
            Fault::usage(format!(
                "{doing}: this account and region have no deployer, or one of an older version"
            ))
            .help("say where it is with `--deployer-account` or `--state-machine`, or let an administrator install it"),
        ),
        records::Error::Fault(fault) => told(&fault, doing),
        other => (false, Fault::failed(format!("{doing}: {other}"))),
    }
}

fn of_locks(error: locks::Error) -> (bool, Fault) {
    match error {
        locks::Error::Fault(fault) => told(&fault, "reading the locks"),
        other => (false, Fault::failed(format!("reading the locks: {other}"))),
    }
}

fn of_freezes(error: freezes::Error) -> (bool, Fault) {
    match error {
        freezes::Error::Fault(fault) => told(&fault, "reading the freezes"),
        other => (false, Fault::failed(format!("reading the freezes: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_goes_from_state_to_state() {
        let mut run = Run::default();
        for (number, state) in ["Validate", "Wait", "Look", "Wait", "Look"].into_iter().enumerate() {
            run.enter(state.to_owned(), format!("2026-11-22T08:00:0{number}Z"));
        }
        let entered: Vec<(&str, &str, usize)> = run
            .entered
            .iter()
            .map(|entered| (entered.state.as_str(), entered.at.as_str(), entered.times))
            .collect();
        assert_eq!(
            entered,
            [
                ("Validate", "2026-11-22T08:00:00Z", 1),
                ("Wait", "2026-11-22T08:00:01Z", 2),
                ("Look", "2026-11-22T08:00:02Z", 2)
            ]
        );
        let ways: Vec<(&str, &str)> = run.ways.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        assert_eq!(ways, [("Validate", "Wait"), ("Wait", "Look"), ("Look", "Wait")]);
        assert_eq!(run.now.as_deref(), Some("Look"));
    }
}
