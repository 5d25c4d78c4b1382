//! The watchdog, call by call. What it does next, and after which states a step may still be at work, its own code says
//! (`fenrir_settle::judgement`).

use fenrir_settle::judgement::{self, Evidence, Found};
use fenrir_stacks::Status;
use fenrir_stacks::changes::Execution;

use crate::aws::{ChangeSet, Exec, Stack};
use crate::machine::{self, End, Step};
use crate::{Broken, Guards, Lock, Record, State};

/// One run over the release of one execution that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Watch {
    of: Exec,
    pub at: At,
    /// The stack, once known.
    stack: Option<u8>,
    is_own: bool,
    is_fenced: bool,
    is_continued: bool,
}

/// The next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    Look,
    /// It makes sure that the execution still holds its lock, before it does this.
    Claim(Act),
    Do(Act),
    /// The lock and the record.
    Write(End),
}

/// What it does to what was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    RemoveChangeSet,
    DeleteStack,
    ContinueRollback,
}

impl Watch {
    /// It looks at what the execution left; `None` when it leaves that alone.
    pub fn begin(guards: &Guards, state: &State, e: Exec) -> Option<Self> {
        let known = state.execs[e].data;
        let mut watch = Self {
            of: e,
            at: At::Look,
            stack: known.stack,
            is_own: known.stack.is_some() && known.creates,
            is_fenced: false,
            is_continued: false,
        };
        watch.at = watch.look(guards, state)?;
        Some(watch)
    }

    /// Whether it is about to touch what this execution left, having made sure that it may.
    pub fn believes(self, e: Exec) -> bool {
        self.of == e && matches!(self.at, At::Do(_))
    }

    /// The next call.
    pub fn go(mut self, guards: &Guards, before: &State) -> State {
        let mut state = before.clone();
        let next = match self.at {
            At::Look => self.look(guards, &state),
            At::Claim(act) if machine::verified(&state, self.of) || !guards.watchdog_verifies => {
                state.claimed = true;
                Some(At::Do(act))
            }
            // Whoever took the lock over may be at the stack already.
            At::Claim(_) => None,
            At::Do(act) => {
                self.act(&mut state, act);
                Some(At::Look)
            }
            At::Write(end) => {
                self.write(&mut state, end);
                None
            }
        };
        state.watched = next.map(|at| Self { at, ..self });
        state
    }

    fn look(&mut self, guards: &Guards, state: &State) -> Option<At> {
        let e = self.of;
        let stack = match self.stack {
            Some(id) => machine::by_arn(state, id),
            None => state.stack.as_ref(),
        };
        let status = match (stack, self.stack) {
            (Some(stack), _) => stack.status,
            (None, Some(_)) => Status::DeleteComplete,
            (None, None) => Status::Absent,
        };
        let mut evidence = Evidence {
            status,
            outcome: None,
            change_set: None,
            is_own: false,
            is_last_own: false,
            may_recover: false,
            // Nothing is retained here.
            left_behind: false,
            may_be_at_work: self.may_be_at_work(guards, state),
            // What was executed shows at once.
            is_old: true,
        };
        if let Some(stack) = stack {
            self.stack.get_or_insert(stack.id);
            let is_for_it = status == Status::ReviewInProgress && stack.change_sets[e].is_some();
            self.is_own |= is_for_it || stack.created_by == Some(e);
            evidence.outcome = stack.outcomes[e];
            evidence.change_set = stack.change_sets[e].map(execution);
            evidence.is_own = self.is_own;
            evidence.is_last_own = stack.last == Some(e);
            evidence.may_recover = evidence.is_last_own && !self.is_continued && !stack.recovered;
        }
        match judgement::next(&evidence) {
            judgement::Next::LeaveAlone if status.in_progress() && !guards.watchdog_looks => {
                Some(At::Write(End::FailureClean))
            }
            judgement::Next::LeaveAlone => None,
            judgement::Next::RemoveChangeSet => Some(At::Claim(Act::RemoveChangeSet)),
            // Its change set is not yet made: it looks again.
            judgement::Next::DeleteStack if stack?.change_sets[e] == Some(ChangeSet::Pending) => Some(At::Look),
            judgement::Next::DeleteStack => Some(At::Claim(Act::DeleteStack)),
            judgement::Next::ContinueRollback => Some(At::Claim(Act::ContinueRollback)),
            judgement::Next::End(found) => Some(At::Write(end(found))),
        }
    }

    fn may_be_at_work(&self, guards: &Guards, state: &State) -> bool {
        let execution = &state.execs[self.of];
        let is_at_work = |step: Step| {
            let is_over = !guards.create_is_not_fenced && step == Step::CreateChangeSet && self.is_fenced;
            !is_over && judgement::is_at_work(step.name(), self.is_fenced)
        };
        guards.late_calls_are_over && !execution.rested && execution.stopped_at.is_some_and(is_at_work)
    }

    fn act(&mut self, state: &mut State, act: Act) {
        let Some(id) = self.stack else { return };
        let stack = state.stack.as_mut().filter(|stack| stack.id == id);
        match (act, stack) {
            // Of the stack itself nothing is changed by that.
            (Act::RemoveChangeSet, Some(stack)) => self.is_fenced |= stack.delete_change_set(self.of),
            (Act::RemoveChangeSet, None) => self.is_fenced = true,
            (Act::DeleteStack, Some(stack)) => {
                // Unlike CleanUp it has looked at what is over.
                let is_whole = stack.whole;
                state.is_broken_if(is_whole, Broken::WholeStackDeleted);
                machine::delete(state, self.of, id);
            }
            (Act::ContinueRollback, stack) => {
                self.is_continued = true;
                if stack.is_some_and(Stack::continue_rollback) {
                    machine::touches(state, self.of);
                }
            }
            (Act::DeleteStack, None) => {}
        }
    }

    fn write(self, state: &mut State, end: End) {
        let e = self.of;
        let is_held = state.lock == Some(Lock { by: e, dirty: false });
        if end == End::FailureDirty {
            if let Some(lock) = state.lock.as_mut().filter(|lock| lock.by == e) {
                lock.dirty = true;
            }
        } else if is_held {
            let busy = state.stack.as_ref().is_some_and(|stack| stack.status.in_progress());
            state.is_broken_if(busy, Broken::TakenInProgress);
            machine::tell(state, e, end);
            state.lock = None;
            state.claimed = false;
        }
        state.records[e] = Record::Ended;
    }
}

const fn execution(change_set: ChangeSet) -> Execution {
    match change_set {
        ChangeSet::Available => Execution::NotBegun,
        ChangeSet::Executed => Execution::Complete,
        ChangeSet::Pending | ChangeSet::Refused | ChangeSet::NoChanges | ChangeSet::Obsolete => Execution::Impossible,
    }
}

const fn end(found: Found) -> End {
    match found.status() {
        fenrir_store::Status::Success => End::Success,
        fenrir_store::Status::FailureDirty => End::FailureDirty,
        _ => End::FailureClean,
    }
}
