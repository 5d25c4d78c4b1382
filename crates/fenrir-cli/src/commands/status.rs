//! `fenrir status`: what is deployed, what runs, and who keeps others from deploying.

use std::collections::BTreeMap;

use fenrir_core::owner::Owner;
use fenrir_core::{console, keys, names, timestamp};
use fenrir_stacks::Stack;
use fenrir_stacks::status::Status as StackStatus;
use fenrir_store::{Current, Freeze, Holder, Summary};
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::answer::Answer;
use crate::arguments::Status;
use crate::aws::{Aws, words};
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::Stop;
use crate::printer::Printer;
use crate::releases::{self, Execution, Place};
use crate::scope::{self, Tables};
use crate::text::{Cell, Style, Text, when};

/// Clocks of CloudFormation and of the steps may differ by so much.
const CLOCKS: Duration = Duration::minutes(1);

/// Says how the application stands.
///
/// # Errors
/// It cannot be found out.
pub fn run(arguments: &Status, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(status(arguments, printer))
}

async fn status(arguments: &Status, printer: &mut Printer) -> Result<Exit, Stop> {
    let aws = Aws::connect(&arguments.aws).await?;
    let tables = Tables::of(&aws)?;
    let owner = scope::owner(&aws, &arguments.scope)?;
    let current = releases::current(&aws, &tables, &owner).await?.unwrap_or_default();
    let holder = tables.holder(&owner).await?;
    let lock = match holder {
        Some(holder) => Some(Lock::of(&aws, holder).await),
        None => None,
    };
    let freezing = tables.freezing(&keys::freezes(&owner)).await?;
    let mut notes: Vec<String> = freezing.unseen().into_iter().collect();
    let stack = look_at_stack(&aws, &owner, &mut notes).await;
    let drift = drift(&owner, &current, lock.as_ref(), stack.as_ref());
    printer.answer(&Standing {
        place: Place::from(&owner),
        deployed: current.deployed,
        last: current.last,
        lock,
        freezes: freezing.on,
        stack,
        drift,
        notes,
        now: OffsetDateTime::now_utc(),
    });
    Ok(Exit::Success)
}

/// The lock of the application, and what is known of its execution.
#[derive(Debug, Serialize)]
struct Lock {
    state: LockState,
    #[serde(flatten)]
    holder: Holder,
    console: Option<String>,
    /// How the execution ended that left it behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Execution>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum LockState {
    /// Its execution runs.
    Running,
    /// Its execution has ended, and did not give it back.
    LeftBehind,
    /// Its execution left something half-made.
    Dirty,
    /// Whether its execution runs cannot be seen.
    Held,
}

impl Lock {
    async fn of(aws: &Aws, holder: Holder) -> Self {
        let execution = releases::execution(aws, &holder.execution).await;
        let (state, ended) = match execution {
            _ if holder.dirty => (LockState::Dirty, None),
            Ok(Some(execution)) if execution.runs() => (LockState::Running, None),
            Ok(ended) => (LockState::LeftBehind, ended),
            Err(_) => (LockState::Held, None),
        };
        Self {
            state,
            console: console::execution(&holder.execution),
            holder,
            ended,
        }
    }
}

/// The stack, as far as the caller may see it.
#[derive(Debug, Serialize)]
struct StackSeen {
    name: String,
    /// `None` when there is none.
    #[serde(flatten)]
    found: Option<StackFound>,
}

#[derive(Debug, Serialize)]
struct StackFound {
    arn: String,
    stack_status: String,
    updated_at: Option<String>,
    console: Option<String>,
    outputs: BTreeMap<String, String>,
    #[serde(skip)]
    stack: Stack,
}

async fn look_at_stack(aws: &Aws, owner: &Owner, notes: &mut Vec<String>) -> Option<StackSeen> {
    let name = names::stack(owner);
    if aws.account != aws.caller.account {
        notes.push(format!("the stack is not looked at: it is in account {}", aws.account));
        return None;
    }
    // By name: who finds another stack there wants to know it.
    match aws.stacks.describe(&name).await {
        Ok(found) => Some(StackSeen {
            name,
            found: found.map(|stack| StackFound {
                arn: stack.arn.clone(),
                stack_status: stack.status.to_string(),
                updated_at: stack.updated_at.clone(),
                console: console::stack(&stack.arn),
                outputs: stack.outputs.iter().cloned().collect(),
                stack,
            }),
        }),
        Err(fault) => {
            notes.push(format!("the stack is not looked at: {}", words(&fault)));
            None
        }
    }
}

/// Where lock, records and stack do not agree: somebody, or something, was there beside Fenrir.
fn drift(owner: &Owner, current: &Current, lock: Option<&Lock>, seen: Option<&StackSeen>) -> Vec<String> {
    let mut drift = Vec::new();
    if let Some(lock) = lock.filter(|lock| lock.state == LockState::LeftBehind) {
        let how = lock
            .ended
            .as_ref()
            .map_or_else(|| "ended long ago".to_owned(), Execution::ending);
        drift.push(format!(
            "the lock is left behind: the execution of release `{}` {how}; the watchdog settles it within 15 minutes, or \
             the next deploy takes it over",
            lock.holder.release_id
        ));
    }
    let Some(seen) = seen else { return drift };
    let name = &seen.name;
    let runs = lock.is_some_and(|lock| lock.state != LockState::Dirty);
    let Some(found) = seen.found.as_ref().map(|found| &found.stack) else {
        if let Some(deployed) = &current.deployed {
            drift.push(format!(
                "there is no stack `{name}`: it was deleted after release `{}`, and not by Fenrir",
                deployed.release_id
            ));
        }
        return drift;
    };
    if !found.is_of(owner) && found.status != StackStatus::ReviewInProgress {
        drift.push(format!(
            "the stack `{name}` does not bear this project's tags: somebody has changed them"
        ));
    }
    let Some(deployed) = &current.deployed else {
        if !runs && current.last.is_none() {
            drift.push(format!("there is a stack `{name}`, and no release made it"));
        }
        return drift;
    };
    if deployed.stack_arn.as_ref().is_some_and(|arn| *arn != found.arn) {
        drift.push(format!(
            "the stack `{name}` is another one than release `{}` deployed: that one was deleted, and this one made since",
            deployed.release_id
        ));
    }
    if runs {
        return drift;
    }
    if found.status.in_progress() {
        drift.push(format!(
            "the stack `{name}` is {}, and no release is being deployed",
            found.status
        ));
    }
    let last_end = [Some(deployed), current.last.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(|summary| timestamp::parse(summary.ended_at.as_deref()?))
        .max();
    let updated = found.updated_at.as_deref().and_then(timestamp::parse);
    if updated
        .zip(last_end)
        .is_some_and(|(updated, end)| updated > end + CLOCKS)
    {
        drift.push(format!(
            "the stack `{name}` was updated at {}, after the last release: not by Fenrir",
            found.updated_at.as_deref().unwrap_or_default()
        ));
    }
    drift
}

/// How an application stands.
#[derive(Debug, Serialize)]
struct Standing {
    #[serde(flatten)]
    place: Place,
    deployed: Option<Summary>,
    last: Option<Summary>,
    lock: Option<Lock>,
    freezes: Vec<Freeze>,
    stack: Option<StackSeen>,
    /// Where the lock, the records and the stack do not agree.
    drift: Vec<String>,
    /// What could not be seen.
    notes: Vec<String>,
    #[serde(skip)]
    now: OffsetDateTime,
}

impl Answer for Standing {
    const TYPE: &'static str = "status";

    fn human(&self, text: &mut Text) {
        text.heading(self.place.to_string());
        self.releases(text);
        self.locks(text);
        if let Some(seen) = &self.stack {
            text.field("stack", seen.name.as_str());
            if let Some(found) = &seen.found {
                text.field("", found.stack_status.as_str());
                if let Some(console) = &found.console {
                    text.field("", Cell::of(Style::Accent, console.as_str()));
                }
                if !found.outputs.is_empty() {
                    text.heading("Outputs");
                    for (name, value) in &found.outputs {
                        text.field(name, value.as_str());
                    }
                }
            } else {
                text.field("", "there is none");
            }
        }
        if !self.drift.is_empty() {
            text.heading("Look at this");
            for line in &self.drift {
                text.put(Style::Warn, line);
                text.end();
            }
        }
        for note in &self.notes {
            text.put(Style::Dim, format!("({note})"));
            text.end();
        }
    }
}

impl Standing {
    fn releases(&self, text: &mut Text) {
        match &self.deployed {
            None => text.field("deployed", "nothing"),
            Some(deployed) => {
                text.field("deployed", Cell::of(Style::Good, deployed.release_id.as_str()));
                if let Some(at) = &deployed.ended_at {
                    text.field("since", when(at, self.now));
                }
                if let Some(who) = &deployed.who {
                    text.field("by", who.as_str());
                }
                if let Some(commit) = &deployed.commit {
                    text.field("commit", commit.as_str());
                }
                if deployed.no_changes {
                    text.field("changed", "nothing: the stack was like this already");
                }
            }
        }
        let is_same = |last: &&Summary| {
            let deployed = self.deployed.as_ref();
            deployed.is_none_or(|deployed| deployed.release_id != last.release_id)
        };
        if let Some(last) = self.last.as_ref().filter(is_same) {
            let status = last.status.to_string();
            text.field(
                "last",
                Cell::of(releases::style(&status), format!("{status} {}", last.release_id)),
            );
            if let Some(at) = &last.ended_at {
                text.field("", when(at, self.now));
            }
            if let Some(error) = &last.error {
                text.field("", error.as_str());
            }
        }
    }

    fn locks(&self, text: &mut Text) {
        if let Some(lock) = &self.lock {
            let holder = &lock.holder;
            let (name, style) = match lock.state {
                LockState::Running => ("running", Style::Accent),
                LockState::LeftBehind => ("left behind", Style::Warn),
                LockState::Dirty => ("dirty", Style::Bad),
                LockState::Held => ("locked", Style::Warn),
            };
            text.field(name, Cell::of(style, holder.release_id.as_str()));
            text.field("", when(&holder.since, self.now));
            if let Some(who) = &holder.who {
                text.field("", who.as_str());
            }
            if let Some(reason) = &holder.reason {
                text.field("", reason.as_str());
            }
            if let Some(console) = &lock.console {
                text.field("", Cell::of(Style::Accent, console.as_str()));
            }
        }
        for freeze in &self.freezes {
            let what = freeze.key.trim_start_matches("freeze/").replace('!', "/");
            text.field("frozen", Cell::of(Style::Warn, format!("{what}: {}", freeze.reason)));
            text.field("", format!("by {}", freeze.who));
            text.field("", when(&freeze.since, self.now));
        }
    }
}
