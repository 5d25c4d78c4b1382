//! The matrix: every call of every step, each step itself, and what can go wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Instant;

use crate::laws::{End, Inspection, error};
use crate::scenario::Scenario;
use crate::strike::{Call, Kind, Strike, Tenacity};
use crate::world::{Told, World};

/// Local AWSs at work at once: their faults are ordered for each as a whole. They mostly wait; but beside other tests they
/// are not to wait for each other.
pub(crate) const WORKERS: usize = 2;
/// When nothing else is at work.
pub(crate) const WORKERS_ALONE: usize = 4;

/// How often a fault is tried before it is said that it does not strike.
const ATTEMPTS: usize = 4;

/// What strikes until the SDK's retries give up: with and without an effect, with and without an answer.
pub(crate) const TENACIOUS: [Kind; 4] = [Kind::Throttled, Kind::TimedOut, Kind::Lost, Kind::Garbled];
/// What strikes to the end. A denial is not tried again, so that one of them is to the end already.
pub(crate) const ENDLESS: [Kind; 3] = [Kind::Unavailable, Kind::Lost, Kind::Garbage];
pub(crate) const ENDLESS_OF_STEPS: [Kind; 2] = [Kind::KilledBefore, Kind::KilledAfter];

/// One execution to be struck.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) strike: Strike,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.scenario, self.strike)
    }
}

/// What became of it.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) case: Case,
    pub(crate) end: End,
    pub(crate) error: String,
    pub(crate) struck: bool,
    pub(crate) broken: Vec<String>,
    pub(crate) seconds: f64,
}

impl Outcome {
    /// Which laws were broken, if any were.
    pub(crate) fn broken(&self) -> Option<String> {
        let Self { case, error, .. } = self;
        (!self.broken.is_empty()).then(|| format!("{case}: {error}\n    {}", self.broken.join("\n    ")))
    }
}

/// The calls of each step in an execution in which nothing goes wrong.
pub(crate) type Calls = BTreeMap<&'static str, BTreeSet<Call>>;

fn calls_of(told: &Told) -> Calls {
    let mut calls = Calls::new();
    for (step, seen) in &told.calls {
        let of_step = calls.entry(step).or_default();
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for call in seen {
            // The third of the same and what comes after are the polls of one wait: how many there are is chance.
            let nth = count.entry(&call.action).or_default();
            if *nth < 2 {
                of_step.insert(Call {
                    action: call.action.clone(),
                    nth: *nth,
                });
            }
            *nth += 1;
        }
    }
    calls
}

/// Runs a scenario without a fault: its calls, and which laws it breaks.
async fn profile(world: &World, scenario: Scenario) -> (Calls, Vec<String>) {
    let name = format!("profile-{scenario}");
    let prepared = scenario.prepare(world, &name).await;
    let told = scenario.run(world, &prepared, &format!("{name}-1"), &[]).await;
    let mut broken = Inspection::broken(world, scenario, &prepared, None, &told).await;
    if error(&told) != scenario.end() {
        broken.push(format!(
            "{scenario} ends with {:?}: {:?}",
            told.run.outcome,
            told.run.folded_path()
        ));
    }
    (calls_of(&told), broken)
}

/// All cases, in the order of the table.
pub(crate) fn cases(profiles: &BTreeMap<Scenario, Calls>) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut known = BTreeSet::new();
    for scenario in Scenario::ALL {
        let Some(calls) = profiles.get(&scenario) else {
            continue;
        };
        for step in scenario.steps() {
            let mut add = |call: Option<&Call>, kinds: &[Kind], tenacity| {
                cases.extend(kinds.iter().map(|&kind| Case {
                    scenario,
                    strike: Strike {
                        step,
                        call: call.cloned(),
                        kind,
                        tenacity,
                    },
                }));
            };
            let Some(of_step) = calls.get(step) else { continue };
            add(None, &Kind::OF_STEPS, Tenacity::Once);
            add(None, &ENDLESS_OF_STEPS, Tenacity::Machine);
            for call in of_step {
                add(Some(call), &Kind::OF_CALLS, Tenacity::Once);
                // Once per action: where the call stands makes no difference when every one of them fails. What a step
                // does before it does anything is the same in every deploy.
                let is_new = known.insert((step, call.action.clone()));
                let begins =
                    ["dynamodb:BatchGetItem", "dynamodb:GetItem", "sts:AssumeRole"].contains(&call.action.as_str());
                if call.nth == 0 && (is_new || !begins) {
                    add(Some(call), &TENACIOUS, Tenacity::Sdk);
                    add(Some(call), &ENDLESS, Tenacity::Machine);
                }
            }
        }
    }
    cases
}

/// Calls that a step may make (its `Step`) and does in no scenario: they are not in the matrix.
pub(crate) fn missing(profiles: &BTreeMap<Scenario, Calls>) -> Vec<String> {
    let made: BTreeSet<(&str, &str)> = profiles
        .values()
        .flat_map(|calls| calls.iter())
        .flat_map(|(step, calls)| calls.iter().map(|call| (*step, call.action.as_str())))
        .collect();
    let mut missing = Vec::new();
    for (_, step) in fenrir_harness::STEPS {
        for action in step.own_actions.iter().chain(step.deployer_actions) {
            if !made.contains(&(step.name, *action)) {
                missing.push(format!("{} {action}", step.name));
            }
        }
    }
    missing
}

/// Some of the cases, always the same ones of the same cases, with every fault, every step and every tenacity among
/// them.
pub(crate) fn chosen(mut cases: Vec<Case>, count: usize) -> Vec<Case> {
    cases.sort_by_cached_key(|case| drawn(&case.to_string()));
    let mut seen = BTreeSet::new();
    let mut rest = Vec::new();
    let mut chosen = Vec::new();
    for case in cases {
        let strike = &case.strike;
        let news = [
            seen.insert(format!("{}", strike.kind)),
            seen.insert(format!("{} {:?}", strike.step, strike.tenacity)),
            seen.insert(format!("{}", case.scenario)),
        ];
        if news.contains(&true) {
            chosen.push(case);
        } else {
            rest.push(case);
        }
    }
    assert!(
        chosen.len() <= count,
        "{} cases are needed to have one of each",
        chosen.len()
    );
    chosen.extend(rest.into_iter().take(count - chosen.len()));
    chosen.sort();
    chosen
}

/// The cases of each call (by its action), and of each step, with each thing that can go wrong; of a step also for as long
/// as it goes wrong. One of each is to strike: which scenario, and of a call for how long, is drawn, always the same ones
/// of the same cases.
pub(crate) fn one_of_each(mut cases: Vec<Case>) -> Vec<Vec<Case>> {
    cases.sort_by_cached_key(|case| drawn(&case.to_string()));
    let mut groups: BTreeMap<_, Vec<Case>> = BTreeMap::new();
    for case in cases {
        let strike = &case.strike;
        let action = strike.call.as_ref().map(|call| call.action.clone());
        let tenacity = action.is_none().then_some(strike.tenacity);
        groups
            .entry((strike.step, action, strike.kind, tenacity))
            .or_default()
            .push(case);
    }
    groups.into_values().collect()
}

/// FNV-1a, with a seed: what is chosen depends on no version of any crate, and hardly on which other cases there are.
pub(crate) fn drawn(name: &str) -> u64 {
    let seed: u64 = 0xcbf2_9ce4_8422_2325;
    name.bytes().fold(seed, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Does every piece of work, each worker on a local AWS of its own, and gives the results in the order of the work.
pub(crate) struct Workers {
    worlds: Vec<(tokio::runtime::Runtime, World)>,
}

impl Workers {
    pub(crate) fn start(count: usize) -> Self {
        let start = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let world = runtime.block_on(World::start());
            (runtime, world)
        };
        Self {
            worlds: std::thread::scope(|scope| {
                let started: Vec<_> = (0..count).map(|_| scope.spawn(start)).collect();
                started.into_iter().map(|started| started.join().unwrap()).collect()
            }),
        }
    }

    fn all<T: Sync, R: Send>(
        &self,
        work: &[T],
        one: impl Fn(&tokio::runtime::Runtime, &World, usize, &T) -> R + Sync,
    ) -> Vec<R> {
        let next = Mutex::new(0..work.len());
        let results = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for (runtime, world) in &self.worlds {
                let (next, results, one) = (&next, &results, &one);
                scope.spawn(move || {
                    loop {
                        let taken = next.lock().unwrap().next();
                        let Some(number) = taken else { return };
                        let result = one(runtime, world, number, &work[number]);
                        results.lock().unwrap().push((number, result));
                    }
                });
            }
        });
        let mut results = results.into_inner().unwrap();
        results.sort_by_key(|(number, _)| *number);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// As `all`, of pieces of work that take nothing but a world.
    pub(crate) fn each<T: Sync, R: Send>(
        &self,
        work: &[T],
        one: impl for<'a> Fn(&'a World, usize, &'a T) -> Pin<Box<dyn Future<Output = R> + 'a>> + Sync,
    ) -> Vec<R> {
        self.all(work, |runtime, world, number, item| {
            runtime.block_on(one(world, number, item))
        })
    }

    /// The calls of each scenario.
    ///
    /// # Panics
    /// When a law is broken although nothing goes wrong.
    pub(crate) fn profiles(&self, scenarios: &[Scenario]) -> BTreeMap<Scenario, Calls> {
        let profiles = self.all(scenarios, |runtime, world, _, scenario| {
            runtime.block_on(Box::pin(profile(world, *scenario)))
        });
        let broken: Vec<&String> = profiles.iter().flat_map(|(_, broken)| broken).collect();
        assert!(broken.is_empty(), "without a fault: {broken:#?}");
        let calls = profiles.into_iter().map(|(calls, _)| calls);
        scenarios.iter().copied().zip(calls).collect()
    }

    /// What became of one case of each group: of the first in which the fault struck. A deploy that went another way than
    /// the one without a fault did not make the call, and shows nothing.
    pub(crate) fn strike(&self, groups: &[Vec<Case>], talk: bool) -> Vec<Outcome> {
        self.all(groups, |runtime, world, number, group| {
            let mut last = None;
            for (attempt, case) in group.iter().cycle().take(ATTEMPTS.max(group.len())).enumerate() {
                let began = Instant::now();
                let project = format!("case-{number}-{attempt}-{}", case.scenario);
                let (told, broken) = runtime.block_on(Box::pin(strike(world, &project, case)));
                let outcome = Outcome {
                    case: case.clone(),
                    end: End::of(&told),
                    error: error(&told).to_owned(),
                    struck: told.struck,
                    broken,
                    seconds: began.elapsed().as_secs_f64(),
                };
                if talk {
                    report(number, &outcome);
                }
                let is_enough = outcome.struck || !outcome.broken.is_empty();
                last = Some(outcome);
                if is_enough {
                    break;
                }
            }
            last.unwrap()
        })
    }
}

#[allow(
    clippy::print_stderr,
    reason = "whoever waits for half an hour wants to see something"
)]
fn report(number: usize, outcome: &Outcome) {
    let Outcome { case, seconds, .. } = outcome;
    let without = if outcome.struck { "" } else { ", without a strike" };
    eprintln!("{number}: {case}: {} in {seconds:.1} s{without}", outcome.error);
    for broken in &outcome.broken {
        eprintln!("    BROKEN {broken}");
    }
}

async fn strike(world: &World, project: &str, case: &Case) -> (Told, Vec<String>) {
    let prepared = case.scenario.prepare(world, project).await;
    let strikes = [case.strike.clone()];
    let told = case
        .scenario
        .run(world, &prepared, &format!("{project}-1"), &strikes)
        .await;
    let broken = Inspection::broken(world, case.scenario, &prepared, Some(&case.strike), &told).await;
    (told, broken)
}
