//! One release whose execution has ended: look, act, look again, and write down the end.

use std::time::Duration;

use fenrir_core::deployment::{Head, Outcome, StackAction};
use fenrir_core::error::{ErrorName, Fault, StepError};
use fenrir_core::owner::Owner;
use fenrir_core::{names, timestamp};
use fenrir_lambda::Environment;
use fenrir_lambda::NoSession;
use fenrir_lambda::alert::{Alert, Tidings};
use fenrir_lambda::metrics::{self, Measure};
use fenrir_stacks::changes::Answer;
use fenrir_stacks::events::{self, Event};
use fenrir_stacks::marks::Marks;
use fenrir_stacks::status::{Conclude, Prepare, Tidy};
use fenrir_stacks::{ChangeSetSeen, Stacks, Status};
use fenrir_store::locks::Error as LockError;
use fenrir_store::records::Error as RecordError;
use fenrir_store::{Holder, Locks, Record, Records};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::execution::{self, Ended, LastState};
use crate::judgement::{self, Evidence, Found, Next};
use crate::words::{self, Story};

/// How long one look at a release may wait for CloudFormation; what takes longer is looked at again the next time.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// Pause before another look.
const PAUSE: Duration = Duration::from_secs(1);

/// How long after an execution's end what is not seen will not be seen any more.
const OLD: time::Duration = time::Duration::hours(1);

/// The largest timeout of a release (docs/release.md), for a record that does not say it.
const LONGEST: time::Duration = time::Duration::hours(12);

/// What became of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Its record tells its end already, or is another execution's.
    NothingToDo,
    /// Its execution runs.
    Running,
    /// Its stack is in progress, or what was done to it cannot be seen yet.
    LeftAlone,
    /// Its end is written down.
    Settled(fenrir_store::Status),
}

/// Settles the release, if its execution has ended and its record does not say so: finds out how, removes what only that
/// execution made and never completed, gives the lock back or marks it dirty, writes the record, and tells the team.
///
/// # Errors
/// `TransientError`; `InternalError` for a missing right; `LockError` and `StackError` for what is refused.
pub async fn settle(env: &Environment, owner: &Owner, release_id: &str) -> Result<Settlement, StepError> {
    let Some(record) = started(env, owner, release_id).await? else {
        return Ok(Settlement::NothingToDo);
    };
    let settled = settle_open(env, owner, &record).await;
    if !matches!(settled, Ok(Settlement::NothingToDo | Settlement::Settled(_))) {
        let (age, is_overdue) = age(&record, env.now());
        env.measure(&Measure::Open(&head(owner, &record), age, is_overdue));
    }
    settled
}

/// How long ago a release started, and whether it should have ended by now: its own time is over, so is what `WaitExecute`
/// gives a rollback after that (as long again, at least an hour), and so is an hour for cleaning up.
fn age(record: &Record, now: OffsetDateTime) -> (time::Duration, bool) {
    const HOUR: time::Duration = time::Duration::hours(1);
    let Some(started) = timestamp::parse(&record.started_at) else {
        return (time::Duration::ZERO, true);
    };
    let timeout = record.deadline.as_deref().and_then(timestamp::parse);
    let timeout = timeout.map_or(LONGEST, |deadline| deadline - started);
    let age = now - started;
    (age, age > timeout + timeout.max(HOUR) + HOUR)
}

async fn settle_open(env: &Environment, owner: &Owner, record: &Record) -> Result<Settlement, StepError> {
    let Some(ended) = execution::ended(env, &record.execution, ErrorName::LockError).await? else {
        return Ok(Settlement::Running);
    };
    let head = head(owner, record);
    let holder = Locks::new(env.own(), &env.settings().locks_table).holder(owner).await;
    let holder = holder.map_err(|error| error.into_step("reading the lock"))?;
    let own_lock = holder.filter(|holder| holder.execution == record.execution);
    if let Some(holder) = own_lock.as_ref().filter(|holder| holder.dirty) {
        // ReleaseLock, or a watchdog, came no further.
        let cause = holder
            .reason
            .clone()
            .unwrap_or_else(|| head.sign(&words::how(&ended, None)));
        let end = End::new(Found::Unclear, cause, record.stack_arn.clone());
        tell(env, &head, record, &end).await?;
        return write(env, owner, record, &ended, &end, Keeps::Lock).await;
    }
    let holds = own_lock.is_some();
    let last = if holds {
        execution::last_state(env, &record.execution, ErrorName::LockError).await?
    } else {
        None
    };
    let stacks = match env.enter(&head).await {
        Ok(config) => Stacks::new(&config),
        // It was let in when the release was proven, and a deploy of Fenrir's own stacks is over by now.
        Err(NoSession::Closed { what, help }) if ended.since(env.now()) > OLD => {
            let cause = words::closed(&head, &record.stack, &ended, last.as_ref(), (&what, &help), holds);
            let end = End::new(Found::Unclear, cause, record.stack_arn.clone());
            if holds && let Some(kept) = keep(env, &head, record, &ended, &end).await? {
                return Ok(kept);
            }
            tell(env, &head, record, &end).await?;
            return write(env, owner, record, &ended, &end, Keeps::Nothing).await;
        }
        Err(none) => return Err(none.into()),
    };
    let mut case = Case::new(env, stacks, head, record, &ended, last);
    if holds {
        case.settle().await
    } else {
        case.mend(true).await
    }
}

/// Writes the end into the record of the execution that `holder` names, whose lock was taken over. Touches nothing else,
/// and tells nobody: who took it over tells how that ends.
///
/// # Errors
/// As [`settle`].
pub async fn mend(
    env: &Environment,
    stacks: Stacks,
    owner: &Owner,
    holder: &Holder,
    ended: &Ended,
) -> Result<Settlement, StepError> {
    match started(env, owner, &holder.release_id).await? {
        Some(record) if record.execution == holder.execution => {
            let head = head(owner, &record);
            Case::new(env, stacks, head, &record, ended, None).mend(false).await
        }
        _ => Ok(Settlement::NothingToDo),
    }
}

/// Whether what the execution that `holder` names has left is for a person to look at: its lock is then not to be taken
/// over, and the watchdog marks it. `false` where nothing is known of it.
///
/// # Errors
/// As [`settle`].
pub async fn is_dirty(
    env: &Environment,
    stacks: Stacks,
    owner: &Owner,
    holder: &Holder,
    ended: &Ended,
) -> Result<bool, StepError> {
    let Some(record) = started(env, owner, &holder.release_id).await? else {
        return Ok(false);
    };
    if record.execution != holder.execution {
        return Ok(false);
    }
    let head = head(owner, &record);
    let look = Case::new(env, stacks, head, &record, ended, None).look().await?;
    // It holds its lock: the watchdog judges it so, too.
    let Next::End(found) = judgement::next(&look.evidence) else {
        return Ok(false);
    };
    // A rollback that failed the next deploy goes on with by itself.
    let recovers = look.evidence.status.row().prepare == Prepare::Recover;
    Ok(found.status() == fenrir_store::Status::FailureDirty && !recovers)
}

/// The record, if it says that the release has started.
async fn started(env: &Environment, owner: &Owner, release_id: &str) -> Result<Option<Record>, StepError> {
    let record = records(env).get(owner, release_id).await;
    let record = record.map_err(|error| error.into_step(ErrorName::LockError, "reading the record"))?;
    Ok(record.filter(|record| record.status == fenrir_store::Status::Started))
}

fn records(env: &Environment) -> Records {
    Records::new(env.own(), &env.settings().releases_table)
}

/// What a session, a sentence and an alert need of the release. No pointer is followed for it, so it has no bucket.
fn head(owner: &Owner, record: &Record) -> Head {
    Head {
        operation: record.operation,
        release_id: record.release_id.clone(),
        owner: owner.clone().into(),
        bucket: String::new(),
        deadline: String::new(),
    }
}

/// How a release ended.
struct End {
    status: fenrir_store::Status,
    cause: String,
    stack_arn: Option<String>,
}

impl End {
    fn new(found: Found, cause: String, stack_arn: Option<String>) -> Self {
        Self {
            status: found.status(),
            cause,
            stack_arn,
        }
    }

    fn is_dirty(&self) -> bool {
        self.status == fenrir_store::Status::FailureDirty
    }

    /// The record with this end. The same end is the same record, whoever writes it.
    fn record(&self, record: &Record, ended: &Ended, env: &Environment) -> Record {
        let mut record = record.clone();
        let state = match self.status {
            fenrir_store::Status::FailureClean => Some("FailureClean"),
            fenrir_store::Status::FailureDirty => Some("FailureDirty"),
            _ => None,
        };
        record.status = self.status;
        record.ended_at = Some(timestamp::format(ended.at.unwrap_or_else(|| env.now())));
        record.stack_arn.clone_from(&self.stack_arn);
        record.error = state.map(|state| format!("{state}.{}", ended.how.name()));
        record.cause = Some(self.cause.clone());
        record
    }
}

/// Whether the execution keeps its lock, dirty.
#[derive(Debug, Clone, Copy)]
enum Keeps {
    Lock,
    Nothing,
}

/// Writes the record alone.
async fn write(
    env: &Environment,
    owner: &Owner,
    record: &Record,
    ended: &Ended,
    end: &End,
    keeps: Keeps,
) -> Result<Settlement, StepError> {
    let record = end.record(record, ended, env);
    let written = match keeps {
        Keeps::Lock => {
            records(env)
                .write_held(owner, &record, &env.settings().locks_table)
                .await
        }
        Keeps::Nothing => records(env).write(owner, &record).await,
    };
    match written {
        Ok(()) => Ok(said(env, owner, &record)),
        Err(RecordError::Used(_)) => Ok(Settlement::NothingToDo),
        Err(error) => Err(error.into_step(ErrorName::LockError, "writing the record")),
    }
}

/// Keeps the lock of a dirty end: marks it with the reason, tells the team, and writes the record. `None` when somebody
/// took or removed it meanwhile: then there is nothing of its to mark, and no lock that stays.
async fn keep(
    env: &Environment,
    head: &Head,
    record: &Record,
    ended: &Ended,
    end: &End,
) -> Result<Option<Settlement>, StepError> {
    let owner = head.owner();
    let locks = Locks::new(env.own(), &env.settings().locks_table);
    match locks.mark_dirty(&owner, &record.execution, &end.cause).await {
        Ok(()) => {}
        Err(LockError::Lost(_)) => {
            tracing::warn!("the lock went to somebody else meanwhile");
            return Ok(None);
        }
        Err(error) => return Err(error.into_step("marking the lock as dirty")),
    }
    tell(env, head, record, end).await?;
    write(env, &owner, record, ended, end, Keeps::Lock).await.map(Some)
}

fn said(env: &Environment, owner: &Owner, record: &Record) -> Settlement {
    let outcome = match record.status {
        fenrir_store::Status::Success => Some(Outcome::Success),
        fenrir_store::Status::FailureClean => Some(Outcome::FailureClean),
        fenrir_store::Status::FailureDirty => Some(Outcome::FailureDirty),
        fenrir_store::Status::Started | fenrir_store::Status::Refused => None,
    };
    if let Some(outcome) = outcome {
        env.measure(&Measure::Ended(&head(owner, record), metrics::Ended::As(outcome)));
    }
    tracing::warn!(
        status = ?record.status,
        cause = record.cause,
        "settled a release whose execution ended outside the machine"
    );
    Settlement::Settled(record.status)
}

/// Tells the team.
async fn tell(env: &Environment, head: &Head, record: &Record, end: &End) -> Result<(), StepError> {
    let alert = Alert {
        tidings: if end.is_dirty() {
            Tidings::Dirty
        } else {
            Tidings::Settled
        },
        head,
        execution: &record.execution,
        stack: end.stack_arn.as_ref().unwrap_or(&record.stack),
        reason: &end.cause,
    };
    alert.publish(env).await
}

/// A release at work on.
struct Case<'a> {
    env: &'a Environment,
    stacks: Stacks,
    marks: Marks,
    head: Head,
    owner: Owner,
    /// The stack's name: the owner's own, whatever the record says.
    name: String,
    record: &'a Record,
    ended: &'a Ended,
    last: Option<LastState>,
    /// ARN of the stack, once known.
    arn: Option<String>,
    /// The execution made the stack.
    is_own: bool,
    /// Its change set was removed here: whatever runs on cannot execute it any more.
    is_fenced: bool,
    /// Its rollback was gone on with here.
    is_continued: bool,
}

/// What one look finds.
struct Look {
    evidence: Evidence,
    change_set: Option<ChangeSetSeen>,
    operation: Vec<Event>,
    left_behind: Vec<Event>,
}

impl Look {
    /// Its change set is not yet made.
    fn is_being_made(&self) -> bool {
        let seen = self.change_set.as_ref();
        seen.is_some_and(|seen| seen.answer == Answer::Pending)
    }
}

impl<'a> Case<'a> {
    fn new(
        env: &'a Environment,
        stacks: Stacks,
        head: Head,
        record: &'a Record,
        ended: &'a Ended,
        last: Option<LastState>,
    ) -> Self {
        let known = last.as_ref().and_then(|last| last.deployment.as_ref());
        let stack = known.map(|deployment| &deployment.stack);
        Self {
            env,
            stacks,
            marks: Marks::of(&record.execution),
            owner: head.owner(),
            name: names::stack(&head.owner()),
            head,
            record,
            ended,
            arn: stack.and_then(|stack| stack.arn.clone()),
            is_own: stack.is_some_and(|stack| stack.arn.is_some() && stack.action == Some(StackAction::Create)),
            is_fenced: false,
            is_continued: false,
            last,
        }
    }

    /// The execution holds its lock, and it is not dirty.
    async fn settle(&mut self) -> Result<Settlement, StepError> {
        let Some((look, found)) = self.bring_to_rest().await? else {
            return Ok(Settlement::LeftAlone);
        };
        let end = self.end(look, found, true).await;
        if end.is_dirty() {
            return match keep(self.env, &self.head, self.record, self.ended, &end).await? {
                Some(kept) => Ok(kept),
                None => self.mend(true).await,
            };
        }
        let locks = Locks::new(self.env.own(), &self.env.settings().locks_table);
        let record = end.record(self.record, self.ended, self.env);
        let along = records(self.env).along(&self.owner, &record);
        // Told before it is written down: told twice is better than never.
        tell(self.env, &self.head, self.record, &end).await?;
        match locks.along(along).release(&self.owner, &self.record.execution).await {
            Ok(()) => Ok(said(self.env, &self.owner, &record)),
            Err(LockError::Recorded) => Ok(Settlement::NothingToDo),
            Err(error) => Err(error.into_step("releasing the lock")),
        }
    }

    /// The execution does not hold its lock any more.
    async fn mend(&mut self, tells: bool) -> Result<Settlement, StepError> {
        let look = self.look().await?;
        let Some(found) = judgement::of_record(&look.evidence) else {
            return Ok(Settlement::LeftAlone);
        };
        let end = self.end(look, found, false).await;
        if tells {
            tell(self.env, &self.head, self.record, &end).await?;
        }
        write(self.env, &self.owner, self.record, self.ended, &end, Keeps::Nothing).await
    }

    async fn end(&self, look: Look, found: Found, keeps_lock: bool) -> End {
        let operation = match &self.arn {
            Some(arn) => self.stacks.with_validation(arn, look.operation).await,
            None => look.operation,
        };
        let story = Story {
            head: &self.head,
            stack: &self.name,
            ended: self.ended,
            last: self.last.as_ref(),
            found,
            arn: self.arn.as_deref(),
            status: look
                .evidence
                .outcome
                .filter(|_| !keeps_lock)
                .unwrap_or(look.evidence.status),
            operation: &operation,
            left_behind: &look.left_behind,
            keeps_lock,
        };
        End::new(found, story.tell(), self.arn.clone())
    }

    /// Looks and acts until there is nothing of this execution's left to do; `None` when that takes longer.
    async fn bring_to_rest(&mut self) -> Result<Option<(Look, Found)>, StepError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let look = self.look().await?;
            match judgement::next(&look.evidence) {
                Next::LeaveAlone => {
                    tracing::info!(status = %look.evidence.status, "the stack is not at rest, or was not long ago");
                    return Ok(None);
                }
                // There was only the change set that was removed here, by itself or with its stack.
                Next::End(Found::Gone) if self.is_fenced => return Ok(Some((look, Found::NotExecuted))),
                Next::End(found) => return Ok(Some((look, found))),
                Next::RemoveChangeSet => self.remove_change_set(look.change_set.as_ref()).await?,
                Next::DeleteStack if look.is_being_made() => sleep(PAUSE).await,
                Next::DeleteStack => {
                    // What was executed is fenced by nothing, and is told otherwise.
                    self.is_fenced |= look.change_set.is_some() && look.evidence.outcome.is_none();
                    self.delete_stack(until).await?;
                }
                Next::ContinueRollback => self.continue_rollback(until).await?,
            }
            if Instant::now() > until {
                return Ok(None);
            }
        }
    }

    /// Fencing: whoever took the lock over may be at the stack already. While this run lasts nobody takes it over, also
    /// not who looked at the stack before it was touched here.
    async fn claim(&self) -> Result<(), StepError> {
        let locks = Locks::new(self.env.own(), &self.env.settings().locks_table);
        let until = self.env.now() + execution::LONGEST_STEP;
        let claimed = locks.claim(&self.owner, &self.record.execution, until).await;
        claimed.map_err(|error| error.into_step("claiming the lock"))
    }

    async fn remove_change_set(&mut self, change_set: Option<&ChangeSetSeen>) -> Result<(), StepError> {
        let Some(seen) = change_set else { return Ok(()) };
        self.claim().await?;
        let deleted = self.stacks.delete_change_set(&seen.stack_arn, &seen.arn).await;
        let deleted = deleted.map_err(|fault| fault.into_step(ErrorName::StackError, "removing the change set"))?;
        if deleted {
            self.is_fenced = true;
        } else {
            // It is being made, or is being executed after all.
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn delete_stack(&self, until: Instant) -> Result<(), StepError> {
        let Some(arn) = &self.arn else { return Ok(()) };
        self.claim().await?;
        tracing::info!(
            stack = arn,
            "deleting the stack that the execution made and that never completed"
        );
        let deleted = self.stacks.delete_stack(arn, &self.owner, &self.marks).await;
        deleted.map_err(|fault| fault.into_step(ErrorName::StackError, &format!("deleting stack `{}`", self.name)))?;
        let patience = until.saturating_duration_since(Instant::now());
        let ended = self.stacks.deletion(arn, patience).await;
        ended.map(|_| ()).map_err(|fault| reading(fault, "the stack"))
    }

    async fn continue_rollback(&mut self, until: Instant) -> Result<(), StepError> {
        let Some(arn) = &self.arn else { return Ok(()) };
        self.claim().await?;
        self.is_continued = true;
        tracing::info!(stack = arn, "going on with a rollback that failed");
        let begun = self
            .stacks
            .continue_rollback(arn, &self.owner, &self.marks.recover_own())
            .await;
        begun.map_err(|fault| {
            let doing = format!("going on with the rollback of stack `{}`", self.name);
            fault.into_step(ErrorName::StackError, &doing)
        })?;
        let patience = until.saturating_duration_since(Instant::now());
        let settled = self.stacks.settled(arn, patience).await;
        settled.map(|_| ()).map_err(|fault| reading(fault, "the stack"))
    }

    async fn look(&mut self) -> Result<Look, StepError> {
        let stack = self.stacks.describe(self.arn.as_ref().unwrap_or(&self.name)).await;
        let stack = stack.map_err(|fault| reading(fault, "the stack"))?;
        let status = stack.as_ref().map_or(Status::Absent, |stack| stack.status);
        if let Some(stack) = stack {
            self.arn.get_or_insert(stack.arn);
        }
        let mut look = Look {
            evidence: self.nothing_seen(status),
            change_set: None,
            operation: Vec::new(),
            left_behind: Vec::new(),
        };
        let Some(arn) = self.arn.clone() else {
            return Ok(look);
        };
        let operation = self
            .stacks
            .own_operation(&arn, &self.marks, &self.record.started_at)
            .await;
        look.operation = operation.map_err(|fault| reading(fault, "the stack's events"))?;
        look.evidence.outcome = events::outcome(&look.operation, &arn);
        if status.row().conclude == Conclude::Gone {
            let left_behind = self.stacks.left_behind(&arn, &self.marks).await;
            look.left_behind = left_behind.map_err(|fault| reading(fault, "the stack's events"))?;
            look.evidence.left_behind = !look.left_behind.is_empty();
            return Ok(look);
        }
        let seen = self.stacks.own_change_set(&arn, &self.marks).await;
        look.change_set = seen.map_err(|fault| reading(fault, "the change set"))?;
        look.evidence.change_set = look.change_set.as_ref().map(|seen| seen.execution);
        let begins_with = look.operation.first().and_then(|event| event.of_stack(&arn));
        // A stack under review that bears its change set was made for it (crate `cleanup`).
        self.is_own |= begins_with == Some(Status::CreateInProgress)
            || (status == Status::ReviewInProgress && look.change_set.is_some());
        look.evidence.is_own = self.is_own;
        let tidy = status.row().tidy;
        if matches!(tidy, Tidy::Dirty | Tidy::Recover) {
            let own = self.stacks.is_last_own(&arn, &self.marks).await;
            look.evidence.is_last_own = own.map_err(|fault| reading(fault, "the stack's events"))?;
        }
        if tidy == Tidy::Recover && look.evidence.is_last_own && !self.is_continued {
            let tried = self.stacks.has_recovered(&arn, &self.marks.recover_own()).await;
            look.evidence.may_recover = !tried.map_err(|fault| reading(fault, "the stack's events"))?;
        }
        Ok(look)
    }

    fn nothing_seen(&self, status: Status) -> Evidence {
        let since = self.ended.since(self.env.now());
        Evidence {
            status,
            outcome: None,
            change_set: None,
            is_own: self.is_own,
            is_last_own: false,
            may_recover: false,
            left_behind: false,
            may_be_at_work: self.was_at_work(),
            is_old: since > OLD,
        }
    }

    /// Whether a step that changes something may still run, as far as is known. Where the execution ended in a state in
    /// which nothing is at work, nobody has to wait.
    fn was_at_work(&self) -> bool {
        let may_run = self.ended.may_run_until(self.env.now()).is_some();
        let is_at_work = |last: &LastState| judgement::is_at_work(&last.name, self.is_fenced);
        may_run && self.last.as_ref().is_none_or(is_at_work)
    }
}

fn reading(fault: Fault, what: &str) -> StepError {
    fault.into_step(ErrorName::StackError, &format!("reading {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_release_is_overdue_when_its_time_that_of_its_rollback_and_an_hour_are_over() {
        let record = |deadline: Option<&str>| -> Record {
            serde_json::from_value(json!({
                "release_id": "release-1", "status": "STARTED", "execution": "arn:e", "operation": "deploy", "stack": "s",
                "started_at": "2026-11-21T00:00:00Z", "deadline": deadline,
            }))
            .unwrap()
        };
        for (deadline, last) in [
            // Ten minutes, an hour at least, and an hour.
            (Some("2026-11-21T00:10:00Z"), "2026-11-21T02:10:00Z"),
            (Some("2026-11-21T03:00:00Z"), "2026-11-21T07:00:00Z"),
            (None, "2026-11-22T01:00:00Z"),
        ] {
            let record = record(deadline);
            let last = timestamp::parse(last).unwrap();
            let began = timestamp::parse(&record.started_at).unwrap();
            assert_eq!(age(&record, last), (last - began, false), "{deadline:?}");
            assert!(age(&record, last + time::Duration::seconds(1)).1, "{deadline:?}");
        }
    }
}
