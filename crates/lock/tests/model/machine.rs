//! The two executions: what `state_machine.asl.json` does with the steps, and what each step does, call by call. Between
//! any two calls anything else may happen.

use std::sync::LazyLock;

use fenrir_core::deployment::{self, Caught, ChangeSetStatus, Deployment, Failure, Outcome, Progress, StackAction};
use fenrir_core::error::ErrorName;
use fenrir_stacks::Status;
use fenrir_stacks::status::{Conclude, Prepare, Tidy};
use serde_json::json;

use crate::aws::{ChangeSet, Exec, Stack, is_updatable};
use crate::{Broken, Guards, Record, State};

/// A state of the machine that runs a Lambda. Validate is left out: it touches nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    Lock,
    CreateChangeSet,
    WaitChangeSet,
    Execute,
    WaitExecute,
    CleanUp,
    ReleaseLock,
}

impl Step {
    /// As the state is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lock => "Lock",
            Self::CreateChangeSet => "CreateChangeSet",
            Self::WaitChangeSet => "WaitChangeSet",
            Self::Execute => "Execute",
            Self::WaitExecute => "WaitExecute",
            Self::CleanUp => "CleanUp",
            Self::ReleaseLock => "ReleaseLock",
        }
    }
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Before it had a lock.
    Refused,
    Success,
    FailureClean,
    FailureDirty,
    /// From outside: stopped by hand, timed out, out of history.
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Life {
    Unborn,
    At(Step),
    Ended(End),
}

/// What goes from state to state: the part of [`Deployment`] that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Data {
    pub stack: Option<u8>,
    pub creates: bool,
    change_set: Option<Kept>,
    pub remade: bool,
    succeeded: bool,
    failure: bool,
    error: bool,
    cleaned: bool,
}

/// [`ChangeSetStatus`], which cannot be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kept {
    Pending,
    Ready,
    NoChanges,
    Failed,
    Obsolete,
}

/// One invocation of a Lambda: how far it is, and what it remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    pub step: Step,
    at: At,
    data: Data,
}

/// The next call that an invocation makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    /// The first, which in `CreateChangeSet`, Execute and `CleanUp` is to verify the lock.
    Begin,
    /// Lock: whether `Exec`, which holds the lock, has ended.
    HasEnded(Exec),
    /// Lock: whether the stack is in progress.
    LookBeforeTaking(Exec),
    /// Lock: the conditional write.
    TakeOver(Exec),
    /// What the stack is.
    Look,
    /// `CreateChangeSet`: whether the stack never stood whole.
    CheckUnfinished(u8),
    /// `CreateChangeSet`: other executions' change sets.
    RemoveLeftovers(u8),
    Delete(u8),
    AwaitDeletion(u8),
    /// `CreateChangeSet`: of a new stack, or of this one.
    Make(Option<u8>),
    ExecuteChangeSet,
    /// `WaitExecute`: the stack's events, after it showed this status.
    ReadEvents(Status),
    Cancel,
    /// `CleanUp`: the change set on this stack; whether the stack is our own, and whether we were at work on it.
    RemoveChangeSet(Left),
    Tidy(Left),
    DeleteLeft(Left),
    CancelLeft(Left),
    /// `ReleaseLock`: the write of this end.
    Write(End),
    Record(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Left {
    stack: u8,
    own: bool,
    touched: bool,
}

/// One execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Execution {
    pub life: Life,
    /// What the state was handed that it is, or was last, in.
    pub data: Data,
    /// The invocation that the machine waits for.
    pub call: Option<Call>,
    /// An invocation that nobody waits for any more, and that goes on.
    pub late_call: Option<Call>,
    /// Tries of the step that failed.
    failed: u8,
    /// So long after its end that none of its Lambdas can still run.
    pub rested: bool,
    /// The state at which it was stopped, unless that was a Wait.
    pub stopped_at: Option<Step>,
}

/// What a call comes to.
enum Next {
    Go(At),
    Done(Data),
    Fail(Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Error {
    LockExists,
    LockLost,
    Other,
}

impl Execution {
    pub const UNBORN: Self = Self {
        life: Life::Unborn,
        data: Data {
            stack: None,
            creates: false,
            change_set: None,
            remade: false,
            succeeded: false,
            failure: false,
            error: false,
            cleaned: false,
        },
        call: None,
        late_call: None,
        failed: 0,
        rested: false,
        stopped_at: None,
    };

    pub fn begin(&mut self, step: Step) {
        self.life = Life::At(step);
        self.failed = 0;
        self.invoke(step);
    }

    fn invoke(&mut self, step: Step) {
        self.call = Some(Call {
            step,
            at: At::Begin,
            data: self.data,
        });
    }

    fn end(&mut self, end: End) {
        self.life = Life::Ended(end);
        self.call = None;
        self.rested = self.late_call.is_none();
    }

    /// Stopped from outside: what its step is at goes on.
    pub fn stop(&mut self) {
        if let Life::At(step) = self.life {
            self.stopped_at = Some(step);
        }
        self.late_call = self.call.take().or(self.late_call);
        self.life = Life::Ended(End::Stopped);
        self.rested = false;
    }

    /// Whether it may be in the Wait before its step: nothing was invoked yet.
    pub fn may_wait(&self) -> bool {
        let is_first = |call: Call| call.at == At::Begin && self.failed == 0;
        let waits = matches!(self.life, Life::At(Step::WaitChangeSet | Step::WaitExecute));
        waits && self.call.is_some_and(is_first)
    }

    /// Stopped from outside in that Wait.
    pub fn stop_waiting(&mut self) {
        self.call = None;
        self.stop();
        self.stopped_at = None;
    }

    /// Somebody lets it go on where it was stopped.
    pub fn redrive(&mut self) {
        if let Some(step) = self.stopped_at.take() {
            self.rested = false;
            self.begin(step);
        }
    }

    /// The invocation died, or its answer was lost: the machine tries again, or catches.
    pub fn lose(&mut self) {
        let Life::At(step) = self.life else { return };
        if self.failed == 0 {
            self.failed = 1;
            self.invoke(step);
        } else {
            self.call = None;
            self.caught(step, Error::Other);
        }
    }

    /// The Catch of a step.
    fn caught(&mut self, step: Step, error: Error) {
        match (step, error) {
            (Step::Lock, Error::LockExists) => self.end(End::Refused),
            (Step::Lock, _) => {
                // `NothingWasTouched`.
                self.data.error = true;
                self.data.cleaned = true;
                self.begin(Step::ReleaseLock);
            }
            (Step::ReleaseLock, _) => self.end(End::FailureDirty),
            _ => {
                self.data.error = true;
                self.begin(match (step, error) {
                    (Step::Execute, Error::LockExists | Error::Other) => Step::WaitExecute,
                    (Step::CleanUp, _) => Step::ReleaseLock,
                    _ => Step::CleanUp,
                });
            }
        }
    }

    /// The answer of a step.
    fn answered(&mut self, step: Step, data: Data) {
        self.data = data;
        let next = match step {
            Step::Lock => Step::CreateChangeSet,
            Step::CreateChangeSet => Step::WaitChangeSet,
            Step::WaitChangeSet => match data.change_set {
                Some(Kept::Pending) => Step::WaitChangeSet,
                Some(Kept::Ready) => Step::Execute,
                Some(Kept::Obsolete) => Step::CreateChangeSet,
                _ => Step::CleanUp,
            },
            Step::WaitExecute if data.succeeded => Step::ReleaseLock,
            Step::WaitExecute if data.failure => Step::CleanUp,
            Step::Execute | Step::WaitExecute => Step::WaitExecute,
            Step::CleanUp => Step::ReleaseLock,
            Step::ReleaseLock => return self.end(verdict(data)),
        };
        self.begin(next);
    }

    /// Whether it is about to take a lock over, having looked whether it may.
    pub fn takes_over(&self) -> bool {
        let is_about_to = |call: Call| matches!(call.at, At::LookBeforeTaking(_) | At::TakeOver(_));
        [self.call, self.late_call].into_iter().flatten().any(is_about_to)
    }
}

/// Whether some invocation of `e` has proven that it holds the lock, and has yet to touch the stack. Execute cannot any
/// more, once its change set is gone.
pub fn believes(state: &State, e: Exec) -> bool {
    let execution = &state.execs[e];
    let is_fenced = |call: Call| {
        let stack = call.data.stack.and_then(|id| by_arn(state, id));
        call.step == Step::Execute && stack.is_none_or(|stack| stack.change_sets[e].is_none())
    };
    [execution.call, execution.late_call].into_iter().flatten().any(|call| {
        let writes = matches!(call.step, Step::CreateChangeSet | Step::Execute | Step::CleanUp);
        (writes && call.at != At::Begin && !is_fenced(call)) || call.at == At::Cancel
    })
}

/// The next call of an invocation of `e`; `late` is the one that nobody waits for. `None` where it changes nothing.
pub fn go(guards: &Guards, before: &State, e: Exec, late: bool) -> Option<State> {
    advance(guards, before, e, late, false)
}

/// The same, and the answer is lost: the SDK makes the call again. `None` where the call has no effect.
pub fn go_unheard(guards: &Guards, before: &State, e: Exec, late: bool) -> Option<State> {
    advance(guards, before, e, late, true)
}

fn advance(guards: &Guards, before: &State, e: Exec, late: bool, is_unheard: bool) -> Option<State> {
    let mut state = before.clone();
    let call = if late {
        state.execs[e].late_call
    } else {
        state.execs[e].call
    }?;
    let next = match call.step {
        Step::Lock => lock(guards, &mut state, e, call),
        Step::CreateChangeSet => create(&mut state, e, call),
        Step::WaitChangeSet => wait_change_set(&state, e, call),
        Step::Execute => execute(guards, &mut state, e, call),
        Step::WaitExecute => wait_execute(guards, &mut state, e, call),
        Step::CleanUp => clean_up(guards, &mut state, e, call),
        Step::ReleaseLock => release(guards, &mut state, e, call),
    };
    if is_unheard {
        return (state != *before).then_some(state);
    }
    let execution = &mut state.execs[e];
    let rest = match next {
        Next::Go(at) => Some(Call { at, ..call }),
        Next::Done(_) | Next::Fail(_) => None,
    };
    if late {
        execution.late_call = rest;
    } else {
        execution.call = rest;
        match next {
            Next::Go(_) => {}
            Next::Done(data) => execution.answered(call.step, data),
            Next::Fail(error) => execution.caught(call.step, error),
        }
    }
    (state != *before).then_some(state)
}

/// `Locks::verify`.
pub fn verified(state: &State, e: Exec) -> bool {
    state.lock.is_some_and(|lock| lock.by == e && !lock.dirty)
}

fn lock(guards: &Guards, state: &mut State, e: Exec, call: Call) -> Next {
    let data = call.data;
    match call.at {
        // One transaction: whether it is frozen, the lock, and the record.
        At::Begin | At::TakeOver(_) if state.frozen && guards.freeze_is_checked => frozen(guards, state, e, data),
        At::Begin => match state.lock {
            None if state.records[e] == Record::Ended => Next::Fail(Error::Other),
            None => {
                takes(state, e);
                Next::Done(data)
            }
            Some(lock) if lock.by == e && !lock.dirty => Next::Done(data),
            Some(lock) if lock.dirty && guards.dirty_stays => Next::Fail(Error::LockExists),
            Some(lock) => Next::Go(At::HasEnded(lock.by)),
        },
        At::HasEnded(other) => {
            let execution = &state.execs[other];
            let may = match execution.life {
                Life::Ended(_) => execution.rested || !guards.late_calls_are_over,
                Life::Unborn | Life::At(_) => !guards.holder_has_ended,
            };
            if may {
                Next::Go(At::LookBeforeTaking(other))
            } else {
                Next::Fail(Error::LockExists)
            }
        }
        At::LookBeforeTaking(other) => {
            let busy = state.stack.as_ref().is_some_and(|stack| stack.status.in_progress());
            if busy && guards.stack_is_at_rest {
                Next::Fail(Error::LockExists)
            } else {
                Next::Go(At::TakeOver(other))
            }
        }
        At::TakeOver(other) => {
            if let Some(lock) = state.lock {
                let may = lock.by == e || lock.by == other;
                let is_claimed = guards.watchdog_claims && state.claimed && lock.by != e;
                if !may || is_claimed || (lock.dirty && guards.dirty_stays) {
                    return Next::Fail(Error::LockExists);
                }
                state.is_broken_if(lock.dirty, Broken::DirtyLockGone);
                let running = matches!(state.execs[lock.by].life, Life::At(_));
                state.is_broken_if(lock.by != e && running, Broken::Stolen);
                let busy = state.stack.as_ref().is_some_and(|stack| stack.status.in_progress());
                state.is_broken_if(busy, Broken::TakenInProgress);
                state.taken_over = true;
            } else if state.records[e] == Record::Ended {
                return Next::Fail(Error::LockExists);
            }
            takes(state, e);
            Next::Done(data)
        }
        at => panic!("{at:?}"),
    }
}

/// It is told of the freeze. What took the lock before that goes on.
fn frozen(guards: &Guards, state: &State, e: Exec, data: Data) -> Next {
    if state.records[e] == Record::Started && guards.begun_goes_on {
        Next::Done(data)
    } else {
        Next::Fail(Error::LockExists)
    }
}

fn takes(state: &mut State, e: Exec) {
    state.is_broken_if(state.frozen, Broken::TakenWhileFrozen);
    state.claimed = false;
    state.lock = Some(crate::Lock { by: e, dirty: false });
    state.records[e] = Record::Started;
}

fn create(state: &mut State, e: Exec, call: Call) -> Next {
    let mut data = call.data;
    match call.at {
        At::Begin => {
            if verified(state, e) {
                Next::Go(At::Look)
            } else {
                Next::Fail(Error::LockLost)
            }
        }
        At::Look => {
            let Some(stack) = &state.stack else {
                return Next::Go(At::Make(None));
            };
            match stack.status.row().prepare {
                Prepare::Create => Next::Go(At::Make(None)),
                Prepare::Update => Next::Go(At::RemoveLeftovers(stack.id)),
                Prepare::Replace if stack.status == Status::ReviewInProgress && stack.change_sets[e].is_some() => {
                    Next::Done(made(data, stack.id, true))
                }
                Prepare::Replace => Next::Go(At::CheckUnfinished(stack.id)),
                Prepare::Busy if stack.status == Status::DeleteInProgress && stack.last == Some(e) => {
                    Next::Go(At::AwaitDeletion(stack.id))
                }
                // To go on with a rollback first comes to the same as a person who does it before the deploy.
                Prepare::Recover | Prepare::Busy | Prepare::Refuse => Next::Fail(Error::Other),
            }
        }
        At::CheckUnfinished(id) => match by_arn(state, id) {
            Some(stack) if stack.whole => Next::Fail(Error::Other),
            _ => Next::Go(At::Delete(id)),
        },
        At::Delete(id) => {
            delete(state, e, id);
            Next::Go(At::AwaitDeletion(id))
        }
        At::AwaitDeletion(id) => match by_arn(state, id).map(|stack| stack.status) {
            None => Next::Go(At::Make(None)),
            Some(Status::DeleteFailed) => Next::Fail(Error::Other),
            Some(_) => Next::Go(call.at),
        },
        At::RemoveLeftovers(id) => {
            if let Some(stack) = state.stack.as_mut().filter(|stack| stack.id == id) {
                // One that stays does no harm.
                stack.delete_change_set(1 - e);
            }
            Next::Go(At::Make(Some(id)))
        }
        At::Make(target) => {
            touches(state, e);
            let id = match (&mut state.stack, target) {
                (None, None) => {
                    let id = state.next_id;
                    state.next_id += 1;
                    let mut stack = Stack::new(id, Status::ReviewInProgress, Some(e));
                    stack.change_sets[e] = Some(ChangeSet::Pending);
                    state.stack = Some(stack);
                    id
                }
                (Some(stack), Some(id)) if stack.id == id && is_updatable(stack.status) => {
                    // The one of this name that another has outdated is removed.
                    stack.change_sets[e].take_if(|seen| *seen == ChangeSet::Obsolete);
                    stack.change_sets[e].get_or_insert(ChangeSet::Pending);
                    id
                }
                (Some(stack), None) if stack.status == Status::ReviewInProgress => {
                    stack.change_sets[e].get_or_insert(ChangeSet::Pending);
                    stack.id
                }
                _ => return Next::Fail(Error::Other),
            };
            data = made(data, id, target.is_none());
            Next::Done(data)
        }
        at => panic!("{at:?}"),
    }
}

fn made(mut data: Data, stack: u8, creates: bool) -> Data {
    data.stack = Some(stack);
    data.creates = creates;
    data.remade = data.change_set.is_some();
    data.change_set = Some(Kept::Pending);
    data
}

fn wait_change_set(state: &State, e: Exec, call: Call) -> Next {
    let mut data = call.data;
    let seen = data
        .stack
        .and_then(|id| by_arn(state, id))
        .and_then(|stack| stack.change_sets[e]);
    let kept = match seen {
        Some(ChangeSet::Pending | ChangeSet::Available) if state.late[e] => Kept::Failed,
        Some(ChangeSet::Pending) => Kept::Pending,
        Some(ChangeSet::Available | ChangeSet::Executed) => Kept::Ready,
        Some(ChangeSet::NoChanges) if !data.creates => Kept::NoChanges,
        Some(ChangeSet::Obsolete) if !data.remade && !state.late[e] => Kept::Obsolete,
        None | Some(ChangeSet::Refused | ChangeSet::NoChanges | ChangeSet::Obsolete) => Kept::Failed,
    };
    data.change_set = Some(kept);
    data.failure |= kept == Kept::Failed;
    Next::Done(data)
}

fn execute(guards: &Guards, state: &mut State, e: Exec, call: Call) -> Next {
    match call.at {
        At::Begin if state.late[e] => Next::Fail(Error::Other),
        At::Begin if guards.execute_verifies && !verified(state, e) => Next::Fail(Error::LockLost),
        At::Begin => {
            begins(state, e);
            Next::Go(At::ExecuteChangeSet)
        }
        At::ExecuteChangeSet => {
            if let Some(stack) = state.stack.as_mut().filter(|stack| Some(stack.id) == call.data.stack)
                && stack.execute(e)
            {
                touches(state, e);
            }
            Next::Done(call.data)
        }
        at => panic!("{at:?}"),
    }
}

fn wait_execute(guards: &Guards, state: &mut State, e: Exec, call: Call) -> Next {
    let mut data = call.data;
    let status = |state: &State| {
        let stack = data.stack.and_then(|id| by_arn(state, id));
        stack.map_or(Status::DeleteComplete, |stack| stack.status)
    };
    match call.at {
        At::Begin => {
            let status = status(state);
            match status.row().conclude {
                Conclude::Gone => failed(data),
                // One call a poll, while there is time and nobody doubts.
                Conclude::Wait if !state.late[e] && !data.error => Next::Done(data),
                _ => Next::Go(At::ReadEvents(status)),
            }
        }
        At::ReadEvents(seen) => {
            let stack = data.stack.and_then(|id| by_arn(state, id));
            let own = stack.and_then(|stack| stack.outcomes[e]);
            let outcome = if guards.success_is_ones_own { own } else { Some(seen) };
            let waits = seen.row().conclude == Conclude::Wait;
            match outcome {
                None => failed(data),
                Some(_) if waits => match seen {
                    Status::UpdateInProgress if state.late[e] => Next::Go(At::Cancel),
                    Status::CreateInProgress if state.late[e] => failed(data),
                    _ => Next::Done(data),
                },
                Some(outcome) => match outcome.row().conclude {
                    Conclude::Succeeded if seen.row().conclude != Conclude::Stuck => {
                        data.succeeded = true;
                        data.error = false;
                        Next::Done(data)
                    }
                    // The events are newer than the status.
                    Conclude::Wait => Next::Done(data),
                    _ => failed(data),
                },
            }
        }
        At::Cancel => {
            if let Some(stack) = state.stack.as_mut().filter(|stack| Some(stack.id) == data.stack)
                && stack.cancel()
            {
                touches(state, e);
            }
            Next::Done(data)
        }
        at => panic!("{at:?}"),
    }
}

fn is_deleted(stack: &Stack) -> bool {
    matches!(stack.status, Status::DeleteInProgress | Status::DeleteFailed)
}

fn failed(mut data: Data) -> Next {
    data.failure = true;
    Next::Done(data)
}

fn clean_up(guards: &Guards, state: &mut State, e: Exec, call: Call) -> Next {
    let mut data = call.data;
    let cleaned = {
        data.cleaned = true;
        Next::Done(data)
    };
    match call.at {
        At::Begin if guards.clean_up_verifies && !verified(state, e) => Next::Fail(Error::LockLost),
        At::Begin => {
            begins(state, e);
            Next::Go(At::Look)
        }
        At::Look => match (data.stack, &state.stack) {
            (Some(stack), _) => Next::Go(At::RemoveChangeSet(Left {
                stack,
                own: data.creates,
                touched: data.creates || data.change_set == Some(Kept::Ready),
            })),
            (None, Some(stack)) if is_deleted(stack) && stack.last == Some(e) => Next::Go(At::Tidy(Left {
                stack: stack.id,
                own: true,
                touched: true,
            })),
            (None, Some(stack)) if stack.change_sets[e].is_some() => {
                let own = stack.status == Status::ReviewInProgress;
                let left = Left {
                    stack: stack.id,
                    own,
                    touched: own,
                };
                match stack.change_sets[e] {
                    Some(ChangeSet::Pending) if own => Next::Go(call.at),
                    // It goes with its stack.
                    _ if own && guards.review_goes_whole => Next::Go(At::Tidy(left)),
                    _ => Next::Go(At::RemoveChangeSet(left)),
                }
            }
            _ => cleaned,
        },
        At::RemoveChangeSet(left) => {
            if let Some(stack) = state.stack.as_mut().filter(|stack| stack.id == left.stack)
                && !stack.delete_change_set(e)
                && stack.change_sets[e] == Some(ChangeSet::Pending)
            {
                return Next::Go(call.at);
            }
            if left.touched {
                Next::Go(At::Tidy(left))
            } else {
                cleaned
            }
        }
        At::Tidy(left) => {
            let Some(stack) = by_arn(state, left.stack) else {
                return cleaned;
            };
            let is_last = stack.last == Some(e);
            match stack.status.row().tidy {
                Tidy::DeleteOwn if left.own => Next::Go(At::DeleteLeft(left)),
                Tidy::Cancel if is_last => Next::Go(At::CancelLeft(left)),
                Tidy::Await if is_last => Next::Go(call.at),
                // That the rollback, gone on with, fails again is the worse of the two.
                Tidy::Recover | Tidy::Dirty if is_last => Next::Fail(Error::Other),
                Tidy::Clean | Tidy::DeleteOwn | Tidy::Cancel | Tidy::Await | Tidy::Recover | Tidy::Dirty => cleaned,
            }
        }
        At::DeleteLeft(left) => {
            delete(state, e, left.stack);
            Next::Go(At::Tidy(left))
        }
        At::CancelLeft(left) => {
            if let Some(stack) = state.stack.as_mut().filter(|stack| stack.id == left.stack)
                && stack.cancel()
            {
                touches(state, e);
            }
            Next::Go(At::Tidy(left))
        }
        at => panic!("{at:?}"),
    }
}

fn release(guards: &Guards, state: &mut State, e: Exec, call: Call) -> Next {
    match call.at {
        At::Begin => Next::Go(At::Write(verdict(call.data))),
        At::Write(end) => {
            let is_held = state.lock.is_some_and(|lock| lock.by == e);
            if end == End::FailureDirty {
                if let Some(lock) = state.lock.as_mut().filter(|lock| lock.by == e) {
                    lock.dirty = true;
                }
                return Next::Go(At::Record(end));
            }
            tell(state, e, end);
            state.records[e] = Record::Ended;
            if is_held || !guards.release_only_ones_own {
                let dirty = state.lock.is_some_and(|lock| lock.dirty);
                let running = state.lock.is_some_and(|lock| lock.by != e);
                state.is_broken_if(running, Broken::Stolen);
                if !dirty {
                    state.lock = None;
                }
            }
            Next::Done(call.data)
        }
        At::Record(_) => {
            state.records[e] = Record::Ended;
            Next::Done(call.data)
        }
        at => panic!("{at:?}"),
    }
}

/// A good end is said, in the very write that releases the lock.
pub fn tell(state: &mut State, e: Exec, end: End) {
    let stack = state.stack.as_ref();
    let is_held = state.lock.is_some_and(|lock| lock.by == e);
    // Said again, because the first answer was lost, it is still true of the first time.
    let shows = !is_held || state.vanished || stack.is_some_and(|stack| stack.shows == Some(e) && stack.whole);
    let reached = state.needed_nothing[e] || (state.reached[e] && shows);
    let left = stack.is_some_and(|stack| {
        let change_set = stack.change_sets[e].is_some_and(|change_set| change_set != ChangeSet::Executed);
        let half_made = stack.made_by == Some(e) && !stack.whole;
        let busy = stack.last == Some(e) && stack.status.in_progress();
        change_set || half_made || busy
    });
    state.is_broken_if(end == End::Success && !reached, Broken::FalseSuccess);
    state.is_broken_if(left && is_held, Broken::HalfMade);
    if end == End::Success {
        state.told = state.stack.as_ref().map(|stack| stack.id);
    }
}

pub fn by_arn(state: &State, id: u8) -> Option<&Stack> {
    state.stack.as_ref().filter(|stack| stack.id == id)
}

/// `DeleteStack` by ARN.
pub fn delete(state: &mut State, e: Exec, id: u8) {
    let told = state.told;
    let Some(stack) = state.stack.as_mut().filter(|stack| stack.id == id) else {
        return;
    };
    // CleanUp may delete what its own execution made, even if it was completed the moment before.
    let is_wrong = stack.whole && (stack.made_by != Some(e) || told == Some(id));
    let began = stack.delete(e);
    state.is_broken_if(began && is_wrong, Broken::WholeStackDeleted);
    if began {
        touches(state, e);
    }
}

/// A step that changes things goes on from its first call.
fn begins(state: &mut State, e: Exec) {
    state.is_broken_if(!verified(state, e), Broken::BegunWithoutLock);
}

/// Something of the stack was changed for `e`.
pub fn touches(state: &mut State, e: Exec) {
    let is_held = state.lock.is_some_and(|lock| lock.by == e);
    state.is_broken_if(!is_held && !state.vanished, Broken::TouchedWithoutLock);
}

/// How `ReleaseLock` ends a deploy: its own code says.
fn verdict(data: Data) -> End {
    static BLANK: LazyLock<Deployment> = LazyLock::new(|| {
        let pointer = json!({"bucket": "b", "key": "k", "version_id": "v", "sha256": "s"});
        let deployment = json!({
            "release": {
                "operation": "deploy", "release_id": "release-1", "aws_account_id": "1", "aws_region": "r",
                "project_name": "p", "config_name": "c", "bucket": "b", "deadline": "2026-01-01T00:00:00Z"
            },
            "execution": {"arn": "a", "started_at": "2026-01-01T00:00:00Z"},
            "template": pointer, "manifest": {"here": {"tags": {}, "metadata": {}}}, "stack": {"name": "s"},
            "wait": {"seconds": 1, "polls": 0}
        });
        serde_json::from_value(deployment).unwrap()
    });
    let mut deployment = BLANK.clone();
    deployment.stack.action = Some(if data.creates {
        StackAction::Create
    } else {
        StackAction::Update
    });
    deployment.stack.progress = data.succeeded.then_some(Progress::Succeeded);
    deployment.change_set = data.change_set.map(|kept| deployment::ChangeSet {
        name: String::new(),
        arn: None,
        changes: None,
        remade: data.remade,
        status: match kept {
            Kept::Pending => ChangeSetStatus::Pending,
            Kept::Ready => ChangeSetStatus::Ready,
            Kept::NoChanges => ChangeSetStatus::NoChanges,
            Kept::Failed => ChangeSetStatus::Failed,
            Kept::Obsolete => ChangeSetStatus::Obsolete,
        },
    });
    deployment.failure = data.failure.then(|| Failure::new(ErrorName::StackError, ""));
    deployment.error = data.error.then(|| Caught {
        error: String::new(),
        cause: String::new(),
    });
    deployment.cleaned = data.cleaned;
    match release_lock::verdict(&deployment).outcome {
        Outcome::Success => End::Success,
        Outcome::FailureClean => End::FailureClean,
        Outcome::FailureDirty => End::FailureDirty,
    }
}
