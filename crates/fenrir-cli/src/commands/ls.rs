//! `fenrir ls`: every project and config that this deployer knows.

use std::collections::BTreeMap;

use fenrir_core::error::FaultKind;
use fenrir_core::keys;
use fenrir_core::owner::Owner;
use fenrir_core::timestamp;
use fenrir_store::history::{Filter, Wanted};
use fenrir_store::records::{Error, Status};
use fenrir_store::{Current, Summary};
use serde::Serialize;
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::arguments::Ls;
use crate::arguments::records::{Sort, State};
use crate::aws::Aws;
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;
use crate::releases::{self, Place, short_commit, short_who};
use crate::scope::Tables;
use crate::text::{Cell, Style, Table, Text, when};

/// Lists the applications.
///
/// # Errors
/// They cannot be read.
pub fn run(arguments: &Ls, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(ls(arguments, printer))
}

async fn ls(arguments: &Ls, printer: &mut Printer) -> Result<Exit, Stop> {
    let aws = Aws::connect(&arguments.aws).await?;
    let tables = Tables::of(&aws)?;
    let account = arguments.aws.account.clone().filter(|_| !arguments.all_accounts);
    let now = OffsetDateTime::now_utc();
    let mut applications = read(&aws, &tables, account).await?;
    applications.retain(|application| application.is_wanted(arguments, now));
    unlocked(&tables, &mut applications).await;
    let states = &arguments.states;
    applications.retain(|application| states.is_empty() || states.contains(&application.state));
    sort(&mut applications, arguments.sort);
    if printer.is_json() {
        for application in &applications {
            printer.answer(application);
        }
    } else {
        printer.answer(&Listing { applications, now });
    }
    Ok(Exit::Success)
}

/// All applications of the account, or of all accounts: what is deployed, and what runs.
async fn read(aws: &Aws, tables: &Tables, account: Option<String>) -> Result<Vec<Application>, Stop> {
    let filter = Filter {
        account: account.clone(),
        region: None,
    };
    let mut found: BTreeMap<String, Application> = BTreeMap::new();
    let mut wanted = Wanted::default();
    loop {
        let page = tables.records.list(&filter, &wanted).await;
        let page = page.map_err(|error| unread(aws, error))?;
        for current in page.items {
            if let Some(owner) = keys::parse_owner(&current.owner) {
                found.insert(current.owner.clone(), Application::of(&owner, current));
            }
        }
        let Some(after) = page.next else { break };
        wanted.after = Some(after);
    }
    let open = tables.records.open_all().await;
    for key in open.map_err(|error| unread(aws, error))? {
        let Some(owner) = keys::parse_owner(&key.owner) else {
            continue;
        };
        if account.as_ref().is_some_and(|account| *account != owner.account) {
            continue;
        }
        let application = found
            .entry(key.owner)
            .or_insert_with(|| Application::of(&owner, Current::default()));
        application.state = State::Running;
        application.running = Some(key.release_id);
    }
    Ok(found.into_values().collect())
}

fn unread(aws: &Aws, error: Error) -> Fault {
    let is_denied = matches!(&error, Error::Fault(fault) if fault.kind == FaultKind::Denied);
    let fault = releases::unread(aws, "listing the applications", error);
    if is_denied {
        return fault.help(
            "a list of all applications needs the operator's policy (docs/install.md); `fenrir status` tells of one",
        );
    }
    fault
}

/// A dirty end that somebody has looked at is a failure like any other. There are few, and each is asked for by its key.
async fn unlocked(tables: &Tables, applications: &mut [Application]) {
    for application in applications.iter_mut().filter(|one| one.state == State::Dirty) {
        let Some(last) = &application.last else { continue };
        let record = tables.records.entry(&application.owner, &last.release_id).await;
        if record.ok().flatten().is_some_and(|record| record.unlocked.is_some()) {
            application.state = State::Failed;
        }
    }
}

fn sort(applications: &mut [Application], by: Sort) {
    let name = |one: &Application| {
        let Place {
            project,
            config,
            account,
            region,
        } = &one.place;
        [project, config, account, region].map(Clone::clone)
    };
    match by {
        Sort::Name => applications.sort_by_cached_key(name),
        Sort::State => applications.sort_by_cached_key(|one| (one.state, name(one))),
        // What was never deployed has no age: last.
        Sort::Age => applications.sort_by_cached_key(|one| {
            let at = one.deployed_at().map(OffsetDateTime::unix_timestamp);
            (at.unwrap_or(i64::MAX), name(one))
        }),
    }
}

/// An application.
#[derive(Debug, Serialize)]
struct Application {
    #[serde(flatten)]
    place: Place,
    state: State,
    /// The newest success.
    deployed: Option<Summary>,
    /// What ended last.
    last: Option<Summary>,
    /// The release that is being deployed.
    running: Option<String>,
    #[serde(skip)]
    owner: Owner,
}

impl Application {
    fn of(owner: &Owner, current: Current) -> Self {
        let state = match current.last.as_ref().map(|last| &last.status) {
            Some(status) if status.is(&Status::FailureDirty) => State::Dirty,
            Some(status) if status.is(&Status::Success) => State::Deployed,
            Some(_) => State::Failed,
            None => State::Deployed,
        };
        Self {
            place: Place::from(owner),
            state,
            deployed: current.deployed,
            last: current.last,
            running: None,
            owner: owner.clone(),
        }
    }

    fn deployed_at(&self) -> Option<OffsetDateTime> {
        timestamp::parse(self.deployed.as_ref()?.ended_at.as_deref()?)
    }

    fn is_wanted(&self, arguments: &Ls, now: OffsetDateTime) -> bool {
        let of_project = |wanted: &String| {
            let rest = self.place.project.strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_old = |age: time::Duration| self.deployed_at().is_some_and(|at| now - at > age);
        arguments.project.as_ref().is_none_or(of_project)
            && arguments
                .config
                .as_ref()
                .is_none_or(|wanted| self.place.config == *wanted)
            && arguments.older_than.is_none_or(is_old)
    }
}

impl Answer for Application {
    const TYPE: &'static str = "application";

    fn human(&self, text: &mut Text) {
        text.line(format!("{}: {}", self.place, self.state.name()));
    }
}

/// All of them, for people.
#[derive(Debug, Serialize)]
struct Listing {
    applications: Vec<Application>,
    #[serde(skip)]
    now: OffsetDateTime,
}

impl Answer for Listing {
    const TYPE: &'static str = "application";

    fn human(&self, text: &mut Text) {
        if self.applications.is_empty() {
            text.line("no application is known that is like this");
            return;
        }
        let mut table = Table::new(&[
            "PROJECT", "CONFIG", "ACCOUNT", "REGION", "STATE", "DEPLOYED", "RELEASE", "COMMIT", "BY",
        ]);
        for one in &self.applications {
            let deployed = one.deployed.as_ref();
            let style = match one.state {
                State::Running => Style::Accent,
                State::Dirty => Style::Bad,
                State::Failed => Style::Warn,
                State::Deployed => Style::Good,
            };
            let at = deployed.and_then(|deployed| deployed.ended_at.as_deref());
            table.row([
                Cell::of(Style::Strong, one.place.project.as_str()),
                Cell::plain(one.place.config.as_str()),
                Cell::plain(one.place.account.as_str()),
                Cell::plain(one.place.region.as_str()),
                Cell::of(style, one.state.name()),
                Cell::plain(at.map_or_else(|| "never".to_owned(), |at| when(at, self.now))),
                Cell::plain(deployed.map(|deployed| deployed.release_id.clone()).unwrap_or_default()),
                Cell::plain(
                    deployed
                        .and_then(|one| one.commit.as_deref())
                        .map(short_commit)
                        .unwrap_or_default(),
                ),
                Cell::plain(
                    deployed
                        .and_then(|one| one.who.as_deref())
                        .map(short_who)
                        .unwrap_or_default(),
                ),
            ]);
        }
        text.table(&table);
    }
}
