//! A model of the lock and the machine: two executions of one owner, CloudFormation, somebody who halts, freezes and
//! unlocks, somebody else at the stack, and the watchdog. Every interleaving of their calls is explored, with calls whose
//! answer is lost, and steps that die before and after any effect, are tried again, and go on after their execution was
//! stopped. Laws 1, 2, 5 and 9 of the design hold in every state.
//!
//! What decides is the code's own where it is pure: the table of statuses (`fenrir_stacks::status`), the verdict of
//! `ReleaseLock`, and the watchdog's judgement (`fenrir_settle::judgement`). The rest is restated call by call in
//! [`machine`] and [`watchdog`]; `tests/faults` runs the real steps. All that can happen at once is too much for one
//! exploration, so there are several, each with its own troublemakers ([`Fenrir`]).
//!
//! # The window that a lock alone cannot close
//! CloudFormation knows no fencing token. A Lambda that verified the lock, was frozen, and wakes up after somebody else
//! took the lock over, still may call. Two things close the window in time instead: the timeouts nest, so that the machine
//! does not go on while an earlier try runs (`tests/house`), and a lock is taken over only so long after its execution
//! was stopped that none of its Lambdas can still run ([`Guards::late_calls_are_over`]). Without either, the model shows
//! a stack deleted that somebody was told is complete. What bounds the damage even then: change sets and stacks are
//! named by ARN, CloudFormation refuses to update what is in progress, and only one's own token is success.
//!
//! The nesting has one exception, which the model has as [`Guards::timeouts_nest`] switched off: of an invocation that
//! its caller gave up on (`Lambda.SdkClientException`, `Lambda.ClientExecutionTimeoutException`, `Lambda.Unknown`) the
//! machine begins another after seconds, and the first may run on. No wait is long enough for all of these and short
//! enough for people. `CleanUp` looks at the lock again before each change; between that look and its call the window
//! stays.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::indexing_slicing,
    clippy::struct_excessive_bools,
    missing_docs,
    reason = "a test that cannot go on has failed, and its parts explain each other"
)]

mod aws;
mod machine;
mod watchdog;

use fenrir_stacks::Status;
use stateright::{Checker, HasDiscoveries, Model, Path, Property};

use crate::aws::{ChangeSet, Exec, Stack};
use crate::machine::{End, Execution, Life, Step};
use crate::watchdog::{Act, At, Watch};

/// The lock's item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lock {
    pub by: Exec,
    pub dirty: bool,
}

/// What the record of a release says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Record {
    None,
    Started,
    Ended,
}

/// A law that was broken on the way to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    FalseSuccess,
    HalfMade,
    Stolen,
    TakenInProgress,
    DirtyLockGone,
    BegunWithoutLock,
    TouchedWithoutLock,
    WholeStackDeleted,
    TakenWhileFrozen,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub lock: Option<Lock>,
    pub stack: Option<Stack>,
    pub next_id: u8,
    pub execs: [Execution; 2],
    /// Its time is over, or somebody halted it.
    pub late: [bool; 2],
    /// CloudFormation said that its change set changes nothing.
    pub needed_nothing: [bool; 2],
    /// Its own operation brought the stack to the wanted state.
    pub reached: [bool; 2],
    /// The stack of which success was said last.
    pub told: Option<u8>,
    pub taken_over: bool,
    /// Somebody removed the lock of a running execution in the console.
    pub vanished: bool,
    pub records: [Record; 2],
    /// The watchdog wrote into the lock that it is at it.
    pub claimed: bool,
    /// What it is at.
    pub watched: Option<Watch>,
    /// Somebody froze the project.
    pub frozen: bool,
    /// Faults, halts, freezes, unlocks and strangers that are still to come.
    pub faults: u8,
    pub halts: u8,
    pub freezes: u8,
    pub unlocks: u8,
    pub strangers: u8,
    pub broken: Option<Broken>,
}

impl State {
    pub fn is_broken_if(&mut self, is: bool, broken: Broken) {
        if is {
            self.broken.get_or_insert(broken);
        }
    }
}

/// What keeps the laws. Each can be switched off, and then some law breaks: the model is not empty.
#[derive(Debug, Clone, Copy)]
pub struct Guards {
    /// Lock takes over only from an execution that has ended.
    pub holder_has_ended: bool,
    /// Lock and watchdog wait until no Lambda of a stopped execution can still run.
    pub late_calls_are_over: bool,
    /// Lock does not take over while the stack is in progress.
    pub stack_is_at_rest: bool,
    /// Nobody but a person removes a dirty lock.
    pub dirty_stays: bool,
    /// A step that failed for the machine runs no longer: the timeouts nest.
    pub timeouts_nest: bool,
    /// Execute and `CleanUp` verify the lock first.
    pub execute_verifies: bool,
    pub clean_up_verifies: bool,
    /// `WaitExecute` believes only what its own token brought about.
    pub success_is_ones_own: bool,
    /// `ReleaseLock`'s write is conditional on the execution.
    pub release_only_ones_own: bool,
    /// The watchdog leaves the lock alone while the stack is in progress.
    pub watchdog_looks: bool,
    /// It makes sure of the lock before it touches anything,
    pub watchdog_verifies: bool,
    /// and in that very write keeps others from taking it over meanwhile.
    pub watchdog_claims: bool,
    /// `CleanUp` deletes a stack under review with the change set that shows whose it is, and not that one first.
    pub review_goes_whole: bool,
    /// The watchdog does not believe that `CreateChangeSet` has nothing to do any more once its change set is gone.
    pub create_is_not_fenced: bool,
    /// Lock looks for a freeze in the transaction that takes the lock,
    pub freeze_is_checked: bool,
    /// and goes on when it took the lock before that.
    pub begun_goes_on: bool,
}

impl Guards {
    const ALL: Self = Self {
        holder_has_ended: true,
        late_calls_are_over: true,
        stack_is_at_rest: true,
        dirty_stays: true,
        timeouts_nest: true,
        execute_verifies: true,
        clean_up_verifies: true,
        success_is_ones_own: true,
        release_only_ones_own: true,
        watchdog_looks: true,
        watchdog_verifies: true,
        watchdog_claims: true,
        review_goes_whole: true,
        create_is_not_fenced: true,
        freeze_is_checked: true,
        begun_goes_on: true,
    };
}

const SUCCESS: &str = "law 1: success is said only when the stack was brought there";
const HELD: &str = "law 2: no lock is held after a good end";
const HALF_MADE: &str = "law 2: nothing half-made is left after a good end";
const STOLEN: &str = "law 5: no lock is stolen";
const IN_PROGRESS: &str = "law 5: no lock goes while the stack is in progress";
const DIRTY: &str = "law 5: a dirty lock stays until a person removes it";
const TOUCHED: &str = "law 5: nobody touches the stack without the lock";
const BELIEVED: &str = "law 5: never do two believe that they may touch the stack";
const BEGUN: &str = "law 5: a vanished lock is noticed before Execute and CleanUp";
const STRANDED: &str = "law 5: no lock strands";
const FROZEN: &str = "law 5: no lock is taken while somebody has frozen it";
const DELETED: &str = "law 9: what stood whole is not deleted";

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Action {
    Start(Exec),
    /// The next call of the invocation that the machine waits for.
    Call(Exec),
    /// The next call of one that nobody waits for.
    LateCall(Exec),
    /// The invocation dies here.
    Crash(Exec),
    /// The machine waits no longer, and the invocation goes on.
    Lose(Exec),
    /// The next call takes effect, and its answer is lost: the SDK makes it again.
    CallUnheard(Exec),
    LateCallUnheard(Exec),
    /// The execution is stopped from outside.
    Stop(Exec),
    /// The same, in a Wait.
    StopWaiting(Exec),
    /// As long as a Lambda can run passes after its end.
    Rest(Exec),
    /// Its time is over, or somebody halts it.
    Halt(Exec),
    ChangeSetBecomes(Exec, ChangeSet),
    StackBecomes(Status),
    /// Somebody else executes a change set of his own.
    Outdate(Exec),
    /// Somebody freezes the project, and lifts that.
    Freeze,
    Thaw,
    /// The watchdog looks at what a stopped execution left.
    Watch(Exec),
    /// The next call of the watchdog.
    WatchdogCall,
    /// Its invocation dies here.
    WatchdogDies,
    /// As long as a Lambda can run passes after it said that it is at it.
    ClaimEnds,
    /// A person removes a dirty lock, having looked.
    Unlock,
    /// Somebody removes the lock of a running execution.
    Vandalise,
    /// Somebody lets a stopped execution go on.
    Redrive(Exec),
}

/// The model.
#[derive(Debug, Clone)]
struct Fenrir {
    guards: Guards,
    executions: Exec,
    faults: u8,
    halts: u8,
    freezes: u8,
    strangers: u8,
    /// Somebody may remove the lock of a running execution in the console. Then no law about locks can hold for what is
    /// between a check and its call, but whoever begins afterwards notices.
    vandal: bool,
    /// Somebody may redrive a stopped execution, also the moment before its lock is taken over.
    redriver: bool,
}

impl Fenrir {
    fn of(guards: Guards) -> Self {
        Self {
            guards,
            executions: 2,
            faults: 2,
            halts: 1,
            freezes: 0,
            strangers: 0,
            vandal: false,
            redriver: false,
        }
    }

    /// One execution, and all that can go wrong with it.
    fn alone(guards: Guards) -> Self {
        Self {
            executions: 1,
            faults: 5,
            strangers: 1,
            ..Self::of(guards)
        }
    }

    fn with_stranger(guards: Guards) -> Self {
        Self {
            halts: 0,
            strangers: 1,
            ..Self::of(guards)
        }
    }

    fn with_freeze(guards: Guards) -> Self {
        Self {
            halts: 0,
            freezes: 1,
            ..Self::of(guards)
        }
    }

    fn with_vandal(guards: Guards) -> Self {
        Self {
            faults: 1,
            halts: 0,
            vandal: true,
            ..Self::of(guards)
        }
    }

    fn with_redriver(guards: Guards) -> Self {
        Self {
            halts: 0,
            redriver: true,
            ..Self::of(guards)
        }
    }
}

impl Model for Fenrir {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let with = |stack: Option<Stack>| State {
            lock: None,
            stack,
            next_id: 1,
            execs: [Execution::UNBORN; 2],
            late: [false; 2],
            needed_nothing: [false; 2],
            reached: [false; 2],
            told: None,
            taken_over: false,
            vanished: false,
            records: [Record::None; 2],
            claimed: false,
            watched: None,
            frozen: false,
            faults: self.faults,
            halts: self.halts,
            freezes: self.freezes,
            unlocks: 1,
            strangers: self.strangers,
            broken: None,
        };
        vec![
            with(None),
            with(Some(Stack::new(0, Status::CreateComplete, None))),
            with(Some(Stack::new(0, Status::RollbackComplete, None))),
        ]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // What was broken stays broken: there is nothing more to learn.
        if state.broken.is_some() {
            return;
        }
        for e in 0..self.executions {
            let execution = &state.execs[e];
            match execution.life {
                // The two are alike: the first is the one that starts first.
                Life::Unborn if e == 0 || state.execs[0].life != Life::Unborn => actions.push(Action::Start(e)),
                Life::Unborn => {}
                Life::At(step) => {
                    actions.push(Action::Call(e));
                    if state.faults > 0 {
                        actions.extend([Action::CallUnheard(e), Action::Crash(e), Action::Stop(e)]);
                        if execution.may_wait() && !self.redriver {
                            actions.push(Action::StopWaiting(e));
                        }
                        if !self.guards.timeouts_nest && execution.late_call.is_none() {
                            actions.push(Action::Lose(e));
                        }
                    }
                    let waits = matches!(step, Step::WaitChangeSet | Step::WaitExecute);
                    if state.halts > 0 && waits && !state.late[e] {
                        actions.push(Action::Halt(e));
                    }
                }
                Life::Ended(end) => {
                    if !execution.rested {
                        actions.push(Action::Rest(e));
                    }
                    if self.redriver && state.faults > 0 && execution.stopped_at.is_some() {
                        actions.push(Action::Redrive(e));
                    }
                    let holds = state.lock == Some(Lock { by: e, dirty: false });
                    let is_open = state.records[e] == Record::Started && state.watched.is_none();
                    if holds && is_open && matches!(end, End::Stopped | End::FailureDirty) {
                        actions.push(Action::Watch(e));
                    }
                }
            }
            if execution.late_call.is_some() {
                actions.push(Action::LateCall(e));
                if state.faults > 0 {
                    actions.push(Action::LateCallUnheard(e));
                }
            }
        }
        if let Some(stack) = &state.stack {
            actions.extend(stack.next().iter().map(|status| Action::StackBecomes(*status)));
            for e in 0..2 {
                if stack.change_sets[e] == Some(ChangeSet::Pending) {
                    actions.extend([
                        Action::ChangeSetBecomes(e, ChangeSet::Available),
                        Action::ChangeSetBecomes(e, ChangeSet::Refused),
                    ]);
                    if stack.whole {
                        actions.push(Action::ChangeSetBecomes(e, ChangeSet::NoChanges));
                    }
                }
                if state.strangers > 0 && stack.is_updatable_with(e) {
                    actions.push(Action::Outdate(e));
                }
            }
        }
        if state.watched.is_some() {
            actions.push(Action::WatchdogCall);
            if state.faults > 0 {
                actions.push(Action::WatchdogDies);
            }
        }
        let looks = state.execs.iter().any(Execution::takes_over);
        if state.claimed && state.watched.is_none() && !looks {
            actions.push(Action::ClaimEnds);
        }
        if state.frozen {
            actions.push(Action::Thaw);
        } else if state.freezes > 0 {
            actions.push(Action::Freeze);
        }
        let at_rest = state.stack.as_ref().is_none_or(|stack| !stack.status.in_progress());
        let is_running = |lock: Lock| matches!(state.execs[lock.by].life, Life::At(_));
        if self.vandal && !state.vanished && state.lock.is_some_and(is_running) {
            actions.push(Action::Vandalise);
        }
        if state.unlocks > 0 && at_rest && state.lock.is_some_and(|lock| lock.dirty) {
            actions.push(Action::Unlock);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Start(e) => state.execs[e].begin(Step::Lock),
            Action::Call(e) => return machine::go(&self.guards, before, e, false),
            Action::LateCall(e) => return machine::go(&self.guards, before, e, true),
            Action::CallUnheard(e) | Action::LateCallUnheard(e) => {
                let late = matches!(action, Action::LateCallUnheard(_));
                state = machine::go_unheard(&self.guards, before, e, late)?;
                state.faults -= 1;
            }
            Action::Crash(e) => {
                state.faults -= 1;
                state.execs[e].lose();
            }
            Action::Lose(e) => {
                state.faults -= 1;
                state.execs[e].late_call = state.execs[e].call;
                state.execs[e].lose();
            }
            Action::Stop(e) => {
                state.faults -= 1;
                state.execs[e].stop();
            }
            Action::StopWaiting(e) => {
                state.faults -= 1;
                state.execs[e].stop_waiting();
            }
            Action::Rest(e) => {
                state.execs[e].late_call = None;
                state.execs[e].rested = true;
                if !self.redriver {
                    state.execs[e].stopped_at = None;
                }
            }
            Action::Halt(e) => {
                state.halts -= 1;
                state.late[e] = true;
            }
            Action::ChangeSetBecomes(e, change_set) => {
                state.needed_nothing[e] |= change_set == ChangeSet::NoChanges;
                state.stack.as_mut()?.change_sets[e] = Some(change_set);
            }
            Action::StackBecomes(Status::Absent) => state.stack = None,
            Action::StackBecomes(status) => {
                let stack = state.stack.as_mut()?;
                stack.goes_to(status);
                if let Some(e) = stack.last.filter(|e| stack.shows == Some(*e)) {
                    state.reached[e] = true;
                }
            }
            Action::Redrive(e) => {
                state.faults -= 1;
                state.execs[e].redrive();
            }
            Action::Vandalise => {
                state.vanished = true;
                state.lock = None;
            }
            Action::Outdate(e) => {
                state.strangers -= 1;
                state.stack.as_mut()?.outdate(e);
            }
            Action::Freeze => {
                state.freezes -= 1;
                state.frozen = true;
            }
            Action::Thaw => state.frozen = false,
            Action::Watch(e) => state.watched = Some(Watch::begin(&self.guards, before, e)?),
            Action::WatchdogCall => state = before.watched?.go(&self.guards, before),
            Action::WatchdogDies => {
                state.faults -= 1;
                state.watched = None;
            }
            Action::ClaimEnds => state.claimed = false,
            Action::Unlock => {
                state.unlocks -= 1;
                state.claimed = false;
                state.lock = None;
            }
        }
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn not(state: &State, broken: Broken) -> bool {
            state.broken != Some(broken)
        }
        let begun = Property::always(BEGUN, |_, s| not(s, Broken::BegunWithoutLock));
        let true_success = Property::always(SUCCESS, |_, s| not(s, Broken::FalseSuccess));
        if self.vandal {
            return vec![begun, true_success];
        }
        let mut laws = vec![
            begun,
            true_success,
            Property::always(HELD, |_, s: &State| {
                (0..2).all(|e| {
                    let good = [End::Success, End::FailureClean, End::Refused]
                        .iter()
                        .any(|end| ended(s, e, *end));
                    !good || s.lock.is_none_or(|lock| lock.by != e)
                })
            }),
            Property::always(HALF_MADE, |_, s| not(s, Broken::HalfMade)),
            Property::always(STOLEN, |_, s| not(s, Broken::Stolen)),
            Property::always(IN_PROGRESS, |_, s| not(s, Broken::TakenInProgress)),
            Property::always(DIRTY, |_, s| not(s, Broken::DirtyLockGone)),
            Property::always(TOUCHED, |_, s| not(s, Broken::TouchedWithoutLock)),
            Property::always(BELIEVED, |_, s: &State| {
                let believes = |e: Exec| machine::believes(s, e) || s.watched.is_some_and(|watch| watch.believes(e));
                !(believes(0) && believes(1))
            }),
            Property::always(STRANDED, |model: &Self, s: &State| {
                let mut actions = Vec::new();
                model.actions(s, &mut actions);
                let stuck = s.broken.is_none() && actions.iter().all(|action| model.next_state(s, *action).is_none());
                !stuck || s.lock.is_none_or(|lock| lock.dirty)
            }),
            Property::always(FROZEN, |_, s| not(s, Broken::TakenWhileFrozen)),
            Property::always(DELETED, |_, s| not(s, Broken::WholeStackDeleted)),
        ];
        laws.extend(self.signs_of_life());
        laws
    }
}

fn ended(state: &State, e: Exec, end: End) -> bool {
    state.execs[e].life == Life::Ended(end)
}

impl Fenrir {
    /// What can happen does.
    fn signs_of_life(&self) -> Vec<Property<Self>> {
        fn does(state: &State, act: Act) -> bool {
            state.watched.is_some_and(|watch| watch.at == At::Do(act))
        }
        let mut signs = vec![
            Property::sometimes("a lost execution is found in the stack", |_, s: &State| {
                s.faults == 0 && ended(s, 0, End::Success)
            }),
            Property::sometimes("a dirty end keeps the lock", |_, s: &State| {
                ended(s, 0, End::FailureDirty) && s.lock == Some(Lock { by: 0, dirty: true })
            }),
            Property::sometimes("a call is made after its execution was stopped", |_, s: &State| {
                ended(s, 0, End::Stopped) && s.execs[0].late_call.is_some()
            }),
            Property::sometimes("the watchdog gives a lock back", |_, s: &State| {
                ended(s, 0, End::Stopped) && s.lock.is_none()
            }),
            Property::sometimes("the watchdog marks a lock as dirty", |_, s: &State| {
                ended(s, 0, End::Stopped) && s.lock == Some(Lock { by: 0, dirty: true })
            }),
            Property::sometimes("the watchdog removes a change set", |_, s: &State| {
                does(s, Act::RemoveChangeSet)
            }),
            Property::sometimes("the watchdog deletes a stack", |_, s: &State| does(s, Act::DeleteStack)),
            Property::sometimes("the watchdog goes on with a rollback", |_, s: &State| {
                does(s, Act::ContinueRollback)
            }),
        ];
        if self.halts > 0 {
            signs.push(Property::sometimes("a halted deploy ends clean", |_, s: &State| {
                s.late[0] && ended(s, 0, End::FailureClean)
            }));
        }
        if self.strangers > 0 {
            signs.push(Property::sometimes(
                "an outdated change set is made anew",
                |_, s: &State| s.execs[0].data.remade && ended(s, 0, End::Success),
            ));
        }
        if self.freezes > 0 {
            signs.extend([
                Property::sometimes("a freeze keeps a deploy from beginning", |_, s: &State| {
                    s.frozen && ended(s, 1, End::Refused)
                }),
                Property::sometimes("what has begun goes on under a freeze", |_, s: &State| {
                    s.frozen && ended(s, 0, End::Success)
                }),
            ]);
        }
        if self.executions > 1 {
            signs.extend([
                Property::sometimes("both succeed", |_, s: &State| {
                    ended(s, 0, End::Success) && ended(s, 1, End::Success)
                }),
                Property::sometimes("a lock is taken over, and the second succeeds", |_, s: &State| {
                    s.taken_over && ended(s, 0, End::Stopped) && ended(s, 1, End::Success)
                }),
                Property::sometimes("one is refused while the other deploys", |_, s: &State| {
                    ended(s, 1, End::Refused) && matches!(s.execs[0].life, Life::At(_))
                }),
            ]);
        }
        signs
    }
}

/// Explores all of it; how many different states there are.
fn explore(model: Fenrir) -> usize {
    let began = std::time::Instant::now();
    let checker = model.checker().threads(2).spawn_bfs().join();
    let (all, different) = (checker.state_count(), checker.unique_state_count());
    println!(
        "{all} states explored, {different} of them different, in {:.1?}",
        began.elapsed()
    );
    checker.assert_properties();
    different
}

#[test]
fn the_laws_hold_whatever_happens_when() {
    let states = explore(Fenrir::of(Guards::ALL));
    assert!(states > 500_000, "{states}");
}

#[test]
fn the_laws_hold_however_much_goes_wrong_with_one() {
    explore(Fenrir::alone(Guards::ALL));
}

#[test]
fn the_laws_hold_whoever_else_is_at_the_stack() {
    explore(Fenrir::with_stranger(Guards::ALL));
}

#[test]
fn the_laws_hold_while_somebody_freezes_the_project() {
    explore(Fenrir::with_freeze(Guards::ALL));
}

/// A way to switch a guard off, and the law that then breaks.
type Mutation = (&'static str, fn(Guards) -> Fenrir, fn(&mut Guards), &'static str);

#[test]
fn a_vanished_lock_is_noticed_and_no_success_is_false() {
    explore(Fenrir::with_vandal(Guards::ALL));
}

/// A redrive makes one execution out of two that overlap, and no lock tells them apart: its own late call is fenced by
/// nothing. Nobody is given the right to redrive; this is what holds even so.
#[test]
fn a_redriven_execution_tells_no_false_success_and_frees_no_dirty_lock() {
    let checker = Fenrir::with_redriver(Guards::ALL)
        .checker()
        .threads(2)
        .spawn_bfs()
        .join();
    println!("{} different states explored", checker.unique_state_count());
    for law in [SUCCESS, DIRTY, BEGUN] {
        checker.assert_no_discovery(law);
    }
}

#[test]
fn without_any_one_guard_a_law_breaks() {
    let plain: fn(Guards) -> Fenrir = Fenrir::of;
    let vandal: fn(Guards) -> Fenrir = Fenrir::with_vandal;
    let alone: fn(Guards) -> Fenrir = Fenrir::alone;
    let freeze: fn(Guards) -> Fenrir = Fenrir::with_freeze;
    let mutations: [Mutation; 21] = [
        ("holder_has_ended", plain, |g| g.holder_has_ended = false, STOLEN),
        ("late_calls_are_over", plain, |g| g.late_calls_are_over = false, TOUCHED),
        (
            "late_calls_are_over",
            plain,
            |g| g.late_calls_are_over = false,
            BELIEVED,
        ),
        ("late_calls_are_over", plain, |g| g.late_calls_are_over = false, DELETED),
        ("stack_is_at_rest", plain, |g| g.stack_is_at_rest = false, IN_PROGRESS),
        ("dirty_stays", plain, |g| g.dirty_stays = false, DIRTY),
        ("timeouts_nest", plain, |g| g.timeouts_nest = false, TOUCHED),
        ("timeouts_nest", plain, |g| g.timeouts_nest = false, HELD),
        ("success_is_ones_own", plain, |g| g.success_is_ones_own = false, SUCCESS),
        (
            "release_only_ones_own",
            plain,
            |g| g.release_only_ones_own = false,
            STOLEN,
        ),
        ("watchdog_looks", plain, |g| g.watchdog_looks = false, IN_PROGRESS),
        (
            "create_is_not_fenced",
            alone,
            |g| g.create_is_not_fenced = false,
            TOUCHED,
        ),
        (
            "create_is_not_fenced",
            alone,
            |g| g.create_is_not_fenced = false,
            HALF_MADE,
        ),
        ("review_goes_whole", alone, |g| g.review_goes_whole = false, HALF_MADE),
        ("watchdog_verifies", plain, |g| g.watchdog_verifies = false, TOUCHED),
        ("watchdog_claims", plain, |g| g.watchdog_claims = false, TOUCHED),
        ("watchdog_claims", plain, |g| g.watchdog_claims = false, IN_PROGRESS),
        ("freeze_is_checked", freeze, |g| g.freeze_is_checked = false, FROZEN),
        ("begun_goes_on", freeze, |g| g.begun_goes_on = false, HELD),
        ("execute_verifies", vandal, |g| g.execute_verifies = false, BEGUN),
        ("clean_up_verifies", vandal, |g| g.clean_up_verifies = false, BEGUN),
    ];
    for (name, model, switch_off, law) in mutations {
        let mut guards = Guards::ALL;
        switch_off(&mut guards);
        let checker = model(guards)
            .checker()
            .threads(2)
            .finish_when(HasDiscoveries::AllOf([law].into()))
            .spawn_bfs()
            .join();
        let path = checker.discovery(law);
        assert!(path.is_some(), "without {name} this holds still: {law}");
        println!("without {name} breaks {law}: {:?}", path.map(Path::into_actions));
    }
}
