//! The watchdog under faults: what a broken off execution left is settled as if nothing had gone wrong, by the first run that
//! is well again, and never is a lock released on something half-made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fenrir_testkit::Application;
use serde_json::json;

use crate::matrix::{Workers, drawn};
use crate::scenario::{broken, said_clean, topic};
use crate::strike::{Call, Kind, Strike, Tenacity};
use crate::world::{Seen, Watched, World};

/// What an execution left when it broke off, holding its lock unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Left {
    /// A change set, and the stack that was made for it.
    Review,
    /// A stack that was made whole.
    Created,
    /// A stack that could not be made.
    RolledBack,
    /// An update that could not be rolled back at the first try.
    Stuck,
    /// An update that cannot be rolled back.
    Dirty,
    /// A stack that was made whole, and no lock: somebody removed it.
    Unlocked,
}

/// Runs of the watchdog until what a fault kept it from is done: the clock calls it again and again.
const RUNS: usize = 4;

impl Left {
    pub(crate) const ALL: [Self; 6] = [
        Self::Review,
        Self::Created,
        Self::RolledBack,
        Self::Stuck,
        Self::Dirty,
        Self::Unlocked,
    ];

    fn is_update(self) -> bool {
        matches!(self, Self::Stuck | Self::Dirty)
    }

    /// How many resources a rollback cannot bring back.
    fn failing_reverts(self) -> u32 {
        match self {
            Self::Stuck => 1,
            Self::Dirty => 1_000,
            _ => 0,
        }
    }

    /// What the record says in the end, and what then is there: the status of the stack, and whether a lock is.
    pub(crate) fn end(self) -> (&'static str, Option<&'static str>, bool) {
        match self {
            Self::Review | Self::RolledBack => ("FAILURE_CLEAN", None, false),
            Self::Created | Self::Unlocked => ("SUCCESS", Some("CREATE_COMPLETE"), false),
            Self::Stuck => ("FAILURE_CLEAN", Some("UPDATE_ROLLBACK_COMPLETE"), false),
            Self::Dirty => ("FAILURE_DIRTY", Some("UPDATE_ROLLBACK_FAILED"), true),
        }
    }

    /// Brings it about. Returns the application and the execution that broke off.
    async fn prepare(self, world: &World, project: &str) -> (Application, String) {
        let aws = world.deployer.aws();
        let base = world.deployer.application(project);
        let owner = base.owner().clone();
        if self.is_update() {
            let told = world
                .deploy(&base.clone().with("Topic", topic("before")), &format!("{project}-0"))
                .await;
            assert!(told.run.outcome.is_ok(), "{project}: {:?}", told.run);
        }
        let mut application = base.with("Topic", topic("wanted"));
        if self == Self::RolledBack || self.is_update() {
            application = application.with("Broken", broken());
        }
        let first = if self == Self::Review {
            "wait-changeset"
        } else {
            "wait-execute"
        };
        aws.turn(&json!({"failing_reverts": self.failing_reverts()}));
        let told = world
            .leave(
                &application,
                &format!("{project}-1"),
                &[first, "cleanup", "release-lock"],
            )
            .await;
        aws.tell_execution(&told.arn, "FAILED", Some(&said_clean()));
        if self == Self::Unlocked {
            world.remove_lock(&owner).await;
        }
        (application, told.arn)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Review => "review",
            Self::Created => "created",
            Self::RolledBack => "rolled-back",
            Self::Stuck => "stuck",
            Self::Dirty => "dirty",
            Self::Unlocked => "unlocked",
        })
    }
}

/// One run of the watchdog to be struck.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) left: Left,
    pub(crate) strike: Strike,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.left, self.strike)
    }
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) case: Case,
    pub(crate) struck: bool,
    pub(crate) broken: Vec<String>,
}

impl Outcome {
    /// Which laws were broken, if any were.
    pub(crate) fn broken(&self) -> Option<String> {
        let Self { case, broken, .. } = self;
        (!broken.is_empty()).then(|| format!("{case}:\n    {}", broken.join("\n    ")))
    }
}

/// All cases: every call that the watchdog makes about what is left, and every fault.
pub(crate) fn cases(workers: &Workers) -> Vec<Case> {
    let profiles = workers.each(&Left::ALL, |world, _, left| {
        Box::pin(async move {
            let project = format!("watched-{left}");
            let (application, execution) = left.prepare(world, &project).await;
            let watched = world.watch(&execution, &[]).await;
            let broken = settled(world, *left, &application, None, std::slice::from_ref(&watched)).await;
            assert!(broken.is_empty(), "{left}, without a fault: {broken:#?}");
            (*left, calls_of(&watched.calls))
        })
    });
    let mut cases = Vec::new();
    for (left, calls) in profiles {
        let mut add = |call: Option<&Call>, kinds: &[Kind], tenacity| {
            cases.extend(kinds.iter().map(|&kind| Case {
                left,
                strike: Strike {
                    step: ::watchdog::STEP.name,
                    call: call.cloned(),
                    kind,
                    tenacity,
                },
            }));
        };
        add(None, &Kind::OF_STEPS, Tenacity::Once);
        for call in &calls {
            add(Some(call), &Kind::OF_CALLS, Tenacity::Once);
            if call.nth == 0 {
                add(Some(call), &crate::matrix::TENACIOUS, Tenacity::Sdk);
            }
        }
    }
    cases
}

/// The first and the second of the same: how often the watchdog looks is chance.
fn calls_of(seen: &[Seen]) -> BTreeSet<Call> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    let mut calls = BTreeSet::new();
    for call in seen {
        let nth = count.entry(&call.action).or_default();
        if *nth < 2 {
            calls.insert(Call {
                action: call.action.clone(),
                nth: *nth,
            });
        }
        *nth += 1;
    }
    calls
}

/// `count` of the cases, always the same ones, with every fault and everything that can be left among them.
pub(crate) fn chosen(mut cases: Vec<Case>, count: usize) -> Vec<Case> {
    cases.sort_by_cached_key(|case| drawn(&case.to_string()));
    let mut seen = BTreeSet::new();
    let (mut chosen, rest): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| {
        let news = [
            seen.insert(case.strike.kind.to_string()),
            seen.insert(case.left.to_string()),
        ];
        news.contains(&true)
    });
    let more = count.saturating_sub(chosen.len());
    chosen.extend(rest.into_iter().take(more));
    chosen
}

/// One case of each call (by its action) and each fault; what is left is drawn.
pub(crate) fn one_of_each(mut cases: Vec<Case>) -> Vec<Case> {
    cases.sort_by_cached_key(|case| drawn(&case.to_string()));
    let mut seen = BTreeSet::new();
    cases.retain(|case| {
        let action = case.strike.call.as_ref().map(|call| call.action.clone());
        seen.insert((action, case.strike.kind))
    });
    cases
}

/// Strikes each of them; one whose fault did not strike, because the watchdog went another way, once more.
pub(crate) fn strike(workers: &Workers, cases: &[Case]) -> Vec<Outcome> {
    workers.each(cases, |world, number, case| {
        Box::pin(async move {
            let first = strike_once(world, &format!("watched-{number}-{}", case.left), case).await;
            if first.struck || !first.broken.is_empty() {
                return first;
            }
            strike_once(world, &format!("watched-{number}-{}-2", case.left), case).await
        })
    })
}

async fn strike_once(world: &World, project: &str, case: &Case) -> Outcome {
    let (application, execution) = case.left.prepare(world, project).await;
    let mut runs = vec![world.watch(&execution, std::slice::from_ref(&case.strike)).await];
    let mut broken = released_on_nothing_half_made(world, case.left, &application).await;
    while runs.len() < RUNS && is_open(world, &application, &execution).await {
        runs.push(world.watch(&execution, &[]).await);
    }
    broken.extend(settled(world, case.left, &application, Some(&case.strike), &runs).await);
    Outcome {
        case: case.clone(),
        struck: runs.first().is_some_and(|run| run.struck),
        broken,
    }
}

async fn record(world: &World, application: &Application, execution: &str) -> BTreeMap<String, String> {
    let release_id = execution.rsplit(':').next().unwrap();
    world.record(application.owner(), release_id).await.unwrap()
}

async fn is_open(world: &World, application: &Application, execution: &str) -> bool {
    record(world, application, execution).await["status"] == "STARTED"
}

/// Law 2, also of a run that a fault broke off.
async fn released_on_nothing_half_made(world: &World, left: Left, application: &Application) -> Vec<String> {
    let owner = application.owner();
    if left == Left::Unlocked || world.lock(owner).await.is_some() {
        return Vec::new();
    }
    let stack = world.stack(owner).await;
    let change_sets = world.change_sets(owner).await;
    if stack.as_ref().is_none_or(super::world::StackSeen::is_whole) && change_sets.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "law 2: the lock is released, and there are {stack:?} and {change_sets:?}"
    )]
}

/// The laws of an end that the watchdog wrote down in the last of `runs`; the next deploy succeeds.
async fn settled(
    world: &World,
    left: Left,
    application: &Application,
    strike: Option<&Strike>,
    runs: &[Watched],
) -> Vec<String> {
    let owner = application.owner();
    let project = &owner.project;
    let execution = fenrir_harness::execution_arn(&world.deployer, &format!("{project}-1"));
    let (status, stack, keeps_lock) = left.end();
    let mut broken = Vec::new();
    let mut must = |holds: bool, law: &str, but: String| {
        if !holds {
            broken.push(format!("{law}: {but}"));
        }
    };
    let record = record(world, application, &execution).await;
    let answers: Vec<_> = runs.iter().map(|run| &run.answer).collect();
    must(
        record["status"] == status,
        "the record",
        format!("{record:?} after {answers:?}"),
    );
    let cause = record.get("cause").cloned().unwrap_or_default();
    must(
        cause.ends_with(&format!("(release {project}-1)")),
        "the record",
        format!("says {cause}"),
    );
    let seen = world.stack(owner).await.map(|stack| stack.status);
    must(
        seen.as_deref() == stack,
        "law 1",
        format!("the stack is {seen:?}: {cause}"),
    );
    let change_sets = world.change_sets(owner).await;
    must(change_sets.is_empty(), "law 2", format!("{change_sets:?} are left"));
    let lock = world.lock(owner).await;
    let is_dirty = lock
        .as_ref()
        .is_some_and(|lock| lock["dirty"] == "true" && lock["execution"] == execution);
    must(
        if keeps_lock { is_dirty } else { lock.is_none() },
        "law 2",
        format!("the lock is {lock:?}"),
    );
    must(
        runs.iter().any(Watched::told) || strike.is_some_and(Strike::silences),
        "the alert",
        "nobody was told".to_owned(),
    );
    let standing = world.standing(owner).await;
    must(standing.agrees(), "what is deployed", format!("{standing:?}"));

    // An operator mends what is dirty, and unlocks.
    world.deployer.aws().turn(&json!({"failing_reverts": 0}));
    world.remove_lock(owner).await;
    let after = application.clone().with("Topic", topic("after")).without("Broken");
    let told = world.deploy(&after, &format!("{project}-after")).await;
    must(
        told.run.outcome.is_ok(),
        "afterwards",
        format!("the next deploy ends {:?}", told.run.outcome),
    );
    broken
}
