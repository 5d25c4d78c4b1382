//! The state `CleanUp`: nothing half-made of this very execution stays.
//!
//! It removes the change set, deletes a stack that this execution made and that never completed, and waits for a
//! rollback. It runs before the lock is released, touches nothing without the lock, and deletes nothing that ever
//! stood whole. What it cannot clean it says, and the end is dirty.

use std::time::Duration;

use fenrir_core::deployment::{ChangeSetStatus, Deployment, Progress, StackAction};
use fenrir_core::error::{ErrorName, Fault, StepError};
use fenrir_core::owner::Owner;
use fenrir_lambda::{Environment, Step};
use fenrir_stacks::changes::Answer;
use fenrir_stacks::events;
use fenrir_stacks::marks::Marks;
use fenrir_stacks::status::{Conclude, Tidy};
use fenrir_stacks::{Deletion, Stacks, Status};
use fenrir_store::locks::Locks;
use tokio::time::{Instant, sleep};

/// Calls with the step's own role.
pub const OWN_ACTIONS: &[&str] = &["dynamodb:GetItem", "sts:AssumeRole", "sts:TagSession"];

/// Calls with `fenrir-deployer`. A stack is deleted with the role that is passed.
pub const DEPLOYER_ACTIONS: &[&str] = &[
    "cloudformation:CancelUpdateStack",
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "iam:PassRole",
];

/// The step.
pub const STEP: Step = Step {
    name: "cleanup",
    own_actions: OWN_ACTIONS,
    deployer_actions: DEPLOYER_ACTIONS,
};

/// How long one run waits for CloudFormation; then the machine tries the step again. A Lambda lives for 15 minutes at
/// most (Lambda quotas, "Function timeout").
const PATIENCE: Duration = Duration::from_mins(10);

/// Pause before another try to delete a change set that is still being made.
const PAUSE: Duration = Duration::from_secs(3);

/// Leaves nothing half-made.
///
/// # Errors
/// `LockLostError`; `CleanUpError` for what a person must look at; `TransientError`, also while CloudFormation is still
/// at it; `InternalError`.
pub async fn run(env: &Environment, mut deployment: Deployment) -> Result<Deployment, StepError> {
    let head = &deployment.release;
    let owner = head.owner();
    let fence = Fence {
        locks: Locks::new(env.own(), &env.settings().locks_table),
        owner: owner.clone(),
        execution: deployment.execution.arn.clone(),
    };
    fence.verify().await?;
    let work = Work {
        stacks: Stacks::new(&env.deployer(head).await?),
        fence,
        marks: Marks::of(&deployment.execution.arn),
        name: deployment.stack.name.clone(),
        owner,
        until: Instant::now() + env.patience(PATIENCE),
    };
    if let Some(left) = work.find(&deployment).await? {
        if let Some(change_set) = &left.change_set {
            work.remove_change_set(&left.stack, change_set).await?;
        }
        let end = if left.is_touched {
            work.tidy(&left).await?
        } else {
            End::Clean
        };
        match end {
            // WaitExecute could not look, or gave up too early. What stands whole is not deleted, and is told as it is.
            End::Whole if work.is_done(&left, &deployment.execution.started_at).await? => {
                if let Some(failure) = &deployment.failure {
                    tracing::warn!(cause = failure.cause, "the stack reached the wanted state after all");
                }
                deployment.stack.progress = Some(Progress::Succeeded);
                deployment.failure = None;
                deployment.error = None;
            }
            End::Whole if left.is_own => add(&mut deployment, "; it was completed after all, and stays"),
            End::Clean | End::Whole => {}
            End::Recovered => add(
                &mut deployment,
                "; the rollback was gone on with and is complete now: the stack is what it was before; mend that and run \
                 `fenrir deploy` again",
            ),
        }
    }
    deployment.cleaned = true;
    Ok(deployment)
}

/// Tells more about the failure, once.
fn add(deployment: &mut Deployment, words: &str) {
    if let Some(failure) = deployment
        .failure
        .as_mut()
        .filter(|failure| !failure.cause.ends_with(words))
    {
        failure.cause.push_str(words);
    }
}

/// What this execution may have left behind.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// ARN of the stack.
    stack: String,
    /// ARN of the change set.
    change_set: Option<String>,
    /// This execution made the stack.
    is_own: bool,
    /// This execution may have been at work on the stack itself, not only on a change set.
    is_touched: bool,
}

/// How a stack was found at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing of this execution's is in it, or it is gone.
    Clean,
    /// It stands whole, by whomever.
    Whole,
    /// Its rollback had failed, and was completed here.
    Recovered,
}

/// The lock, looked at before whatever changes the stack: of a run that its caller gave up on Lambda may begin another
/// while it goes on, and that other may have released the lock.
struct Fence {
    locks: Locks,
    owner: Owner,
    execution: String,
}

impl Fence {
    async fn verify(&self) -> Result<(), StepError> {
        let verified = self.locks.verify(&self.owner, &self.execution).await;
        verified.map_err(|error| error.into_step("checking the lock"))
    }
}

struct Work {
    stacks: Stacks,
    fence: Fence,
    marks: Marks,
    name: String,
    owner: Owner,
    until: Instant,
}

impl Work {
    /// What is left, by the state; where the state knows nothing because an answer was lost, by the execution's marks.
    async fn find(&self, deployment: &Deployment) -> Result<Option<Left>, StepError> {
        if let Some(mut left) = known(deployment) {
            if is_outdated(deployment) {
                // CreateChangeSet was to make it anew under its name, and did not come so far as to say so.
                let seen = self.stacks.own_change_set(&left.stack, &self.marks).await;
                let seen = seen.map_err(|fault| reading(fault, "the change set"))?;
                left.change_set = seen.map(|seen| seen.arn).or(left.change_set);
            }
            return Ok(Some(left));
        }
        let stack = self.stacks.describe(&self.name).await;
        let Some(stack) = stack.map_err(|fault| reading(fault, "the stack"))? else {
            return Ok(None);
        };
        // CreateChangeSet had begun to make room, or an earlier run of this step to clean up. Where that failed, the next
        // deploy cannot do it either.
        let is_deleted = matches!(stack.status, Status::DeleteInProgress | Status::DeleteFailed);
        if is_deleted && self.is_last_own(&stack.arn).await? {
            return Ok(Some(Left {
                stack: stack.arn,
                change_set: None,
                is_own: true,
                is_touched: true,
            }));
        }
        let seen = self.stacks.own_change_set(&self.name, &self.marks).await;
        if let Some(seen) = seen.map_err(|fault| reading(fault, "the change set"))? {
            // A stack under review that bears our change set was made for it: whatever was there before, CreateChangeSet
            // deleted first.
            let is_own = stack.status == Status::ReviewInProgress;
            if is_own && seen.answer == Answer::Pending {
                return Err(self.later("its change set is still being made"));
            }
            return Ok(Some(Left {
                stack: seen.stack_arn,
                // Removed first, it would leave a stack of which the next try could not tell whose it is. It goes with it.
                change_set: (!is_own).then_some(seen.arn),
                is_own,
                is_touched: is_own,
            }));
        }
        // CreateChangeSet had gone on with the rollback of an earlier update. However that ends, it was so before.
        let rolls_back = stack.status.row().tidy == Tidy::Await && stack.status != Status::DeleteInProgress;
        if rolls_back && self.has_recovered_before(&stack.arn).await? {
            let settled = self.stacks.settled(&stack.arn, self.patience()).await;
            return match settled.map_err(|fault| reading(fault, "the stack"))? {
                Some(_) => Ok(None),
                None => Err(self.later("the rollback of an earlier update is gone on with")),
            };
        }
        Ok(None)
    }

    async fn has_recovered_before(&self, stack: &str) -> Result<bool, StepError> {
        let tried = self.stacks.has_recovered(stack, &self.marks.recover_before()).await;
        tried.map_err(|fault| reading(fault, "the stack's events"))
    }

    async fn is_last_own(&self, stack: &str) -> Result<bool, StepError> {
        let own = self.stacks.is_last_own(stack, &self.marks).await;
        own.map_err(|fault| reading(fault, "the stack's events"))
    }

    /// Removes the change set, so that nobody can execute it any more, and looks whether it is gone. One that is executed
    /// stays with its stack.
    async fn remove_change_set(&self, stack: &str, change_set: &str) -> Result<(), StepError> {
        loop {
            let deleted = self.stacks.delete_change_set(stack, change_set).await;
            let deleted =
                deleted.map_err(|fault| fault.into_step(ErrorName::CleanUpError, "removing the change set"))?;
            let seen = self.stacks.describe_change_set(stack, change_set).await;
            let seen = seen.map_err(|fault| reading(fault, "the change set"))?;
            match seen.map(|seen| seen.answer) {
                None | Some(Answer::Gone) => return Ok(()),
                Some(_) if deleted => return Err(self.later("its change set is still there")),
                Some(Answer::Pending) => {}
                Some(_) => return Ok(()),
            }
            if Instant::now() + PAUSE > self.until {
                return Err(self.later("its change set is still being made"));
            }
            sleep(PAUSE).await;
        }
    }

    /// Brings the stack to rest.
    async fn tidy(&self, left: &Left) -> Result<End, StepError> {
        let mut recovered = false;
        loop {
            let stack = self.stacks.describe(&left.stack).await;
            let stack = stack.map_err(|fault| reading(fault, "the stack"))?;
            let status = stack.map_or(Status::Absent, |stack| stack.status);
            match next(status, left.is_own) {
                Next::Gone => return self.check_nothing_left(left).await,
                Next::End(End::Clean) if recovered => return Ok(End::Recovered),
                Next::End(end) => return Ok(end),
                Next::Delete => self.delete(left).await?,
                Next::Settle(tidy) => {
                    let is_last_own = self.is_last_own(&left.stack).await?;
                    let Some(tidy) = allowed(tidy, left.is_own, is_last_own) else {
                        return Ok(End::Clean);
                    };
                    // Once: whatever CloudFormation answered, what still failed then is for a person.
                    let tidy = if recovered && tidy == Tidy::Recover {
                        Tidy::Dirty
                    } else {
                        tidy
                    };
                    self.settle(left, status, tidy).await?;
                    recovered |= tidy == Tidy::Recover;
                }
            }
        }
    }

    async fn delete(&self, left: &Left) -> Result<(), StepError> {
        tracing::info!(
            stack = left.stack,
            "deleting the stack that this execution made and that never completed"
        );
        self.fence.verify().await?;
        let deleted = self.stacks.delete_stack(&left.stack, &self.owner, &self.marks).await;
        deleted
            .map_err(|fault| fault.into_step(ErrorName::CleanUpError, &format!("deleting stack `{}`", self.name)))?;
        let end = self.stacks.deletion(&left.stack, self.patience()).await;
        match end.map_err(|fault| reading(fault, "the stack"))? {
            Deletion::Gone => Ok(()),
            Deletion::Underway => Err(self.later("it is still being deleted")),
            Deletion::Failed(reason) => Err(self.dirty(Status::DeleteFailed, &reason)),
        }
    }

    /// An operation is under way, or came to an end that only a person can mend.
    async fn settle(&self, left: &Left, status: Status, tidy: Tidy) -> Result<(), StepError> {
        if tidy == Tidy::Dirty || (tidy == Tidy::Recover && self.has_recovered(left).await?) {
            let reason = self.reason(left).await?;
            return Err(self.dirty(status, &reason));
        }
        if matches!(tidy, Tidy::Cancel | Tidy::Recover) {
            self.fence.verify().await?;
        }
        if tidy == Tidy::Cancel {
            let cancelled = self.stacks.cancel_update(&left.stack, &self.marks).await;
            cancelled.map_err(|fault| {
                fault.into_step(
                    ErrorName::CleanUpError,
                    &format!("cancelling the update of stack `{}`", self.name),
                )
            })?;
        }
        if tidy == Tidy::Recover {
            tracing::info!(stack = left.stack, "going on with a rollback that failed");
            let begun = self
                .stacks
                .continue_rollback(&left.stack, &self.owner, &self.marks.recover_own())
                .await;
            begun.map_err(|fault| {
                fault.into_step(
                    ErrorName::CleanUpError,
                    &format!("going on with the rollback of stack `{}`", self.name),
                )
            })?;
        }
        let settled = self.stacks.settled(&left.stack, self.patience()).await;
        match settled.map_err(|fault| reading(fault, "the stack"))? {
            Some(_) => Ok(()),
            None => Err(self.later(&format!("it is still in status `{status}`"))),
        }
    }

    async fn has_recovered(&self, left: &Left) -> Result<bool, StepError> {
        let tried = self.stacks.has_recovered(&left.stack, &self.marks.recover_own()).await;
        tried.map_err(|fault| reading(fault, "the stack's events"))
    }

    /// Whether the stack, which stands whole, does so by this execution's own doing.
    async fn is_done(&self, left: &Left, started: &str) -> Result<bool, StepError> {
        let is_done = |status: Status| status.row().conclude == Conclude::Succeeded;
        let operation = self.stacks.own_operation(&left.stack, &self.marks, started).await;
        let operation = operation.map_err(|fault| reading(fault, "the stack's events"))?;
        Ok(events::outcome(&operation, &left.stack).is_some_and(is_done))
    }

    /// CloudFormation's words about why the stack is where it is.
    async fn reason(&self, left: &Left) -> Result<String, StepError> {
        let is_start = |event: &events::Event| event.of_stack(&left.stack).is_some_and(Status::is_start);
        let read = self.stacks.events(&left.stack, is_start).await;
        let mut read = read.map_err(|fault| reading(fault, "the stack's events"))?;
        read.reverse();
        let cause = events::rollback_cause(&read, &left.stack).or_else(|| events::root_cause(&read, &left.stack));
        Ok(cause.map_or_else(
            || "CloudFormation gives no reason".to_owned(),
            |event| events::explain(&read, event, &left.stack),
        ))
    }

    /// A deletion in the midst of a create leaves what is to be retained, and its name would block the next deploy.
    async fn check_nothing_left(&self, left: &Left) -> Result<End, StepError> {
        if !left.is_own {
            return Ok(End::Clean);
        }
        let left_behind = self.stacks.left_behind(&left.stack, &self.marks).await;
        let left_behind = left_behind.map_err(|fault| reading(fault, "the stack's events"))?;
        if left_behind.is_empty() {
            return Ok(End::Clean);
        }
        let message = format!(
            "stack `{}` was deleted, but CloudFormation left {} because of its deletion policy; delete it by hand if \
             nothing in it is needed, then run `fenrir unlock --reason WHY` and `fenrir deploy` again",
            self.name,
            events::names(&left_behind)
        );
        Err(StepError::new(ErrorName::CleanUpError, message))
    }

    fn patience(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    fn later(&self, words: &str) -> StepError {
        let message = format!("stack `{}` is not at rest: {words}; it is looked at again", self.name);
        StepError::new(ErrorName::TransientError, message)
    }

    fn dirty(&self, status: Status, reason: &str) -> StepError {
        let message = format!(
            "stack `{}` in account `{}`, region `{}`, is left in status `{status}`: {reason}; {}; \
             `fenrir unlock --reason WHY` comes before that deploy",
            self.name,
            self.owner.account,
            self.owner.region,
            status.row().advice
        );
        StepError::new(ErrorName::CleanUpError, message)
    }
}

fn reading(fault: Fault, what: &str) -> StepError {
    fault.into_step(ErrorName::CleanUpError, &format!("reading {what}"))
}

/// What the state says is left; nothing where `CreateChangeSet` never came to its end.
fn known(deployment: &Deployment) -> Option<Left> {
    let change_set = deployment.change_set.as_ref()?;
    let is_own = deployment.stack.action == Some(StackAction::Create);
    Some(Left {
        stack: deployment.stack.arn.clone()?,
        change_set: change_set.arn.clone(),
        is_own,
        // A change set that never became ready was never executed: an updated stack is as it was.
        is_touched: is_own || change_set.status == ChangeSetStatus::Ready,
    })
}

/// Whether the change set that the state names is one that another has outdated.
fn is_outdated(deployment: &Deployment) -> bool {
    let change_set = deployment.change_set.as_ref();
    change_set.is_some_and(|change_set| change_set.status == ChangeSetStatus::Obsolete)
}

/// What to do next about a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// It is gone.
    Gone,
    /// Nothing.
    End(End),
    /// It is ours and never completed.
    Delete,
    /// This, as far as [`allowed`].
    Settle(Tidy),
}

fn next(status: Status, is_own: bool) -> Next {
    match status.row().tidy {
        Tidy::Clean if matches!(status, Status::Absent | Status::DeleteComplete) => Next::Gone,
        Tidy::Clean if is_own || status.row().conclude == Conclude::Succeeded => Next::End(End::Whole),
        Tidy::DeleteOwn if is_own => Next::Delete,
        Tidy::Clean | Tidy::DeleteOwn => Next::End(End::Clean),
        tidy @ (Tidy::Await | Tidy::Cancel | Tidy::Recover | Tidy::Dirty) => Next::Settle(tidy),
    }
}

/// What is to be done about the operation that is, or was last, at work on the stack. To somebody else's nothing is done;
/// on a stack that this execution made its end is awaited, and what it left half-made is for a person.
fn allowed(tidy: Tidy, is_own: bool, is_last_own: bool) -> Option<Tidy> {
    match tidy {
        _ if is_last_own => Some(tidy),
        Tidy::Await | Tidy::Cancel if is_own => Some(Tidy::Await),
        Tidy::Recover | Tidy::Dirty if is_own => Some(Tidy::Dirty),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use fenrir_stacks::status::TABLE;
    use fenrir_testkit::{Answer, Recorded, Request};
    use serde_json::{Value, json};

    use super::*;

    const STACK: &str = "arn:aws:cloudformation:us-east-1:111111111111:stack/s/1";

    fn ok(operation: &str, result: &str) -> Answer {
        let body = format!("<{operation}Result>{result}</{operation}Result>");
        Answer::xml(200, format!("<{operation}Response>{body}</{operation}Response>"))
    }

    fn stack(status: Status) -> Answer {
        let member = format!(
            "<member><StackId>{STACK}</StackId><StackName>s</StackName><StackStatus>{status}</StackStatus>\
             <StackStatusReason>reason of the stack</StackStatusReason><CreationTime>2026-01-01T00:00:00Z</CreationTime>\
             </member>"
        );
        ok("DescribeStacks", &format!("<Stacks>{member}</Stacks>"))
    }

    /// Newest first: status, token, and for a resource its logical id.
    fn events(lines: &[(&str, &str, &str)]) -> Answer {
        let member = |(status, token, logical_id): &(&str, &str, &str)| {
            let (physical_id, kind) = match *logical_id {
                "" => (STACK, "AWS::CloudFormation::Stack"),
                _ => ("physical", "AWS::DynamoDB::Table"),
            };
            format!(
                "<member><EventId>{status}{logical_id}</EventId><StackId>{STACK}</StackId><StackName>s</StackName>\
                 <LogicalResourceId>{logical_id}</LogicalResourceId><PhysicalResourceId>{physical_id}\
                 </PhysicalResourceId><ResourceType>{kind}</ResourceType><Timestamp>2026-01-01T00:00:00Z</Timestamp>\
                 <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>why {status}</ResourceStatusReason>\
                 <ClientRequestToken>{token}</ClientRequestToken></member>"
            )
        };
        let members: String = lines.iter().map(member).collect();
        ok("DescribeStackEvents", &format!("<StackEvents>{members}</StackEvents>"))
    }

    fn owner() -> Owner {
        Owner {
            account: "111111111111".into(),
            region: "us-east-1".into(),
            project: "p".into(),
            config: "c".into(),
        }
    }

    /// A lock that `holder` holds.
    async fn fence(holder: &str) -> (Recorded, Fence) {
        let item = json!({"Item": {
            "key": {"S": "k"}, "execution": {"S": holder}, "release_id": {"S": "r"}, "since": {"S": "2026-01-01T00:00:00Z"},
            "dirty": {"BOOL": false},
        }});
        let server = Recorded::answering(move |_| Answer::json(200, item.to_string()));
        let fence = Fence {
            locks: Locks::new(&server.config().await, "locks"),
            owner: owner(),
            execution: "arn:execution".to_owned(),
        };
        (server, fence)
    }

    struct Worked {
        server: Recorded,
        _locks: Recorded,
    }

    impl Worked {
        fn requests(&self) -> Vec<Request> {
            self.server.requests()
        }
    }

    async fn work(answers: Vec<Answer>, patience: Duration) -> (Worked, Work) {
        let server = Recorded::start(answers);
        let (locks, fence) = fence("arn:execution").await;
        let work = Work {
            stacks: Stacks::new(&server.config().await),
            fence,
            marks: Marks::of("arn:execution"),
            name: "s".to_owned(),
            owner: owner(),
            until: Instant::now() + patience,
        };
        (Worked { server, _locks: locks }, work)
    }

    fn left(is_own: bool) -> Left {
        Left {
            stack: STACK.to_owned(),
            change_set: None,
            is_own,
            is_touched: true,
        }
    }

    /// How a stack is brought to rest, and by which calls.
    async fn tidy(is_own: bool, answers: Vec<Answer>) -> (Result<End, StepError>, Vec<String>) {
        let (server, work) = work(answers, Duration::from_secs(3)).await;
        let end = Box::pin(work.tidy(&left(is_own))).await;
        let calls = server.requests().into_iter().map(|request| request.operation);
        (end, calls.collect())
    }

    fn token() -> String {
        Marks::of("arn:execution").execute()
    }

    fn only_looks(calls: &[String]) -> bool {
        calls.iter().all(|call| call.starts_with("Describe"))
    }

    #[tokio::test]
    async fn somebody_elses_operation_on_a_stack_that_stood_before_is_left_alone_in_every_status() {
        for row in &TABLE {
            let theirs = events(&[("UPDATE_IN_PROGRESS", "theirs", "")]);
            let (end, calls) = tidy(false, vec![stack(row.status), theirs]).await;
            let is_whole = row.conclude == Conclude::Succeeded;
            let wanted = if is_whole { End::Whole } else { End::Clean };
            assert_eq!(end, Ok(wanted), "{}", row.name);
            assert!(only_looks(&calls), "{}: {calls:?}", row.name);
        }
    }

    /// Somebody deletes, or changes, the stack that this execution is making.
    #[tokio::test]
    async fn of_somebody_elses_operation_on_its_own_stack_the_end_is_awaited_and_what_it_left_is_dirty() {
        for row in &TABLE {
            let theirs = || events(&[("DELETE_FAILED", "", "Table"), ("DELETE_IN_PROGRESS", "theirs", "")]);
            let answers = match row.tidy {
                // It comes to its end, and its deletion failed.
                Tidy::Await | Tidy::Cancel => {
                    let failed = || stack(Status::DeleteFailed);
                    vec![stack(row.status), theirs(), failed(), failed(), theirs(), theirs()]
                }
                Tidy::Recover | Tidy::Dirty => vec![stack(row.status), theirs(), theirs()],
                Tidy::Clean | Tidy::DeleteOwn => continue,
            };
            let (end, calls) = tidy(true, answers).await;
            let error = end.unwrap_err();
            assert_eq!(error.name, ErrorName::CleanUpError, "{}", row.name);
            assert!(error.message.contains("`Table`"), "{}: {}", row.name, error.message);
            assert!(only_looks(&calls), "{}: {calls:?}", row.name);
        }
    }

    /// `CreateChangeSet` deleted a leftover, and never came to its end.
    #[tokio::test]
    async fn a_deletion_to_make_room_that_failed_is_dirty_and_somebody_elses_is_not() {
        let (mine, theirs) = (Marks::of("arn:execution").delete(), "theirs".to_owned());
        for (token, is_found) in [(mine, true), (theirs, false)] {
            let deletion = || events(&[("DELETE_FAILED", &token, "Table"), ("DELETE_IN_PROGRESS", &token, "")]);
            let none = Answer::xml(
                404,
                "<ErrorResponse><Error><Code>ChangeSetNotFound</Code><Message>gone</Message></Error></ErrorResponse>",
            );
            let failed = || stack(Status::DeleteFailed);
            let mut answers = vec![failed(), deletion()];
            if is_found {
                answers.extend([failed(), deletion(), deletion()]);
            } else {
                answers.push(none);
            }
            let (_server, work) = work(answers, Duration::from_secs(3)).await;
            let found = work.find(&deployment(&json!({"name": "s"}), &Value::Null)).await;
            let Some(found) = found.unwrap() else {
                assert!(!is_found, "{token}");
                continue;
            };
            assert!(is_found, "{token}");
            let error = Box::pin(work.tidy(&found)).await.unwrap_err();
            assert_eq!(error.name, ErrorName::CleanUpError);
            assert!(error.message.contains("`Table`"), "{}", error.message);
        }
    }

    #[tokio::test]
    async fn nothing_is_changed_after_the_lock_is_lost() {
        let own = || events(&[("UPDATE_IN_PROGRESS", &token(), "")]);
        for (status, is_own) in [
            (Status::CreateInProgress, true),
            (Status::UpdateInProgress, false),
            (Status::UpdateRollbackFailed, false),
        ] {
            let (server, mut work) = work(vec![stack(status), own(), own()], Duration::from_secs(3)).await;
            let (_locks, fence) = fence("another:execution").await;
            work.fence = fence;
            let end = Box::pin(work.tidy(&left(is_own))).await;
            assert_eq!(end.unwrap_err().name, ErrorName::LockLostError, "{status}");
            let calls: Vec<String> = server.requests().into_iter().map(|request| request.operation).collect();
            assert!(only_looks(&calls), "{status}: {calls:?}");
        }
    }

    #[tokio::test]
    async fn what_only_a_person_can_mend_is_dirty_and_says_why_and_what_to_do() {
        for row in TABLE.iter().filter(|row| row.tidy == Tidy::Dirty) {
            let own = events(&[("UPDATE_FAILED", "", "Table"), ("UPDATE_IN_PROGRESS", &token(), "")]);
            let (end, calls) = tidy(false, vec![stack(row.status), own]).await;
            let error = end.unwrap_err();
            assert_eq!(error.name, ErrorName::CleanUpError, "{}", row.name);
            assert!(
                error.message.contains("`Table`") && error.message.contains(row.advice),
                "{}",
                error.message
            );
            assert!(only_looks(&calls), "{}: {calls:?}", row.name);
        }
    }

    #[tokio::test]
    async fn a_rollback_of_its_own_that_failed_is_gone_on_with_once() {
        let own = |more: &[(&str, &str, &str)]| {
            let mut lines = more.to_vec();
            let token = token();
            lines.extend([
                ("UPDATE_FAILED", "", "Table"),
                ("UPDATE_IN_PROGRESS", token.as_str(), ""),
            ]);
            events(&lines)
        };
        let stuck = || stack(Status::UpdateRollbackFailed);
        let (end, calls) = tidy(
            false,
            vec![
                stuck(),
                own(&[]),
                own(&[]),
                ok("ContinueUpdateRollback", ""),
                stack(Status::UpdateRollbackInProgress),
                stack(Status::UpdateRollbackComplete),
                stack(Status::UpdateRollbackComplete),
            ],
        )
        .await;
        assert_eq!(end, Ok(End::Recovered), "{calls:?}");
        let recover = Marks::of("arn:execution").recover_own();
        let tried = || {
            own(&[
                ("UPDATE_ROLLBACK_FAILED", recover.as_str(), ""),
                ("UPDATE_ROLLBACK_IN_PROGRESS", recover.as_str(), ""),
            ])
        };
        let (end, calls) = tidy(false, vec![stuck(), tried(), tried(), tried()]).await;
        let error = end.unwrap_err();
        assert_eq!(error.name, ErrorName::CleanUpError);
        assert!(error.message.contains("continue-update-rollback"), "{}", error.message);
        assert!(only_looks(&calls), "{calls:?}");
    }

    /// What is left where the state knows nothing, and by which calls that is found.
    async fn find(answers: Vec<Answer>) -> (Result<Option<Left>, StepError>, Vec<String>) {
        let (server, work) = work(answers, Duration::ZERO).await;
        let found = work.find(&deployment(&json!({"name": "s"}), &Value::Null)).await;
        let calls = server.requests().into_iter().map(|request| request.operation);
        (found, calls.collect())
    }

    #[tokio::test]
    async fn a_stack_under_review_is_not_parted_from_the_change_set_that_shows_whose_it_is() {
        let seen = |status: &str| {
            let description = Marks::of("arn:execution").description();
            let result = format!(
                "<ChangeSetId>arn:c</ChangeSetId><StackId>{STACK}</StackId><Description>{description}</Description>\
                 <Status>{status}</Status><ExecutionStatus>AVAILABLE</ExecutionStatus>"
            );
            ok("DescribeChangeSet", &result)
        };
        let whole = Left {
            stack: STACK.to_owned(),
            change_set: None,
            is_own: true,
            is_touched: true,
        };
        let (found, _) = find(vec![stack(Status::ReviewInProgress), seen("CREATE_COMPLETE")]).await;
        assert_eq!(found, Ok(Some(whole)));
        let (found, _) = find(vec![stack(Status::ReviewInProgress), seen("CREATE_IN_PROGRESS")]).await;
        assert_eq!(found.unwrap_err().name, ErrorName::TransientError);
        // A stack that was there before has to be freed of it.
        let (found, _) = find(vec![stack(Status::UpdateComplete), seen("CREATE_COMPLETE")]).await;
        let left = found.unwrap().unwrap();
        assert_eq!((left.change_set.as_deref(), left.is_own), (Some("arn:c"), false));
    }

    #[tokio::test]
    async fn a_deletion_that_an_earlier_run_began_is_its_own() {
        for status in [Status::DeleteInProgress, Status::DeleteFailed] {
            let delete = Marks::of("arn:execution").delete();
            for (token, is_own) in [(delete.as_str(), true), ("theirs", false)] {
                let mut answers = vec![stack(status), events(&[("DELETE_IN_PROGRESS", token, "")])];
                if !is_own {
                    answers.push(Answer::xml(
                        404,
                        "<ErrorResponse><Error><Code>ChangeSetNotFound</Code><Message>no</Message></Error></ErrorResponse>",
                    ));
                }
                let (found, calls) = find(answers).await;
                assert_eq!(
                    found.unwrap().is_some_and(|left| left.is_own),
                    is_own,
                    "{status} {calls:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_change_set_is_gone_only_when_it_is_not_seen_any_more() {
        let seen = |status: &str| ok("DescribeChangeSet", &format!("<Status>{status}</Status>"));
        for (status, is_gone) in [("DELETE_IN_PROGRESS", true), ("CREATE_COMPLETE", false)] {
            let (_server, work) = work(vec![ok("DeleteChangeSet", ""), seen(status)], Duration::from_secs(1)).await;
            let removed = work.remove_change_set(STACK, "arn").await;
            assert_eq!(removed.is_ok(), is_gone, "{status}: {removed:?}");
        }
    }

    #[tokio::test]
    async fn what_its_own_operation_completed_is_done_and_what_stood_before_is_not() {
        let (mine, theirs) = (token(), "theirs".to_owned());
        for (status, by, done) in [
            (Status::UpdateComplete, &mine, true),
            (Status::CreateComplete, &mine, true),
            (Status::UpdateComplete, &theirs, false),
            (Status::UpdateRollbackComplete, &mine, false),
            (Status::UpdateInProgress, &mine, false),
        ] {
            let name = status.row().name;
            let history = events(&[(name, by, ""), ("UPDATE_IN_PROGRESS", by, "")]);
            let (_server, work) = work(vec![history], Duration::from_secs(1)).await;
            let found = work.is_done(&left(false), "2026-01-01T00:00:00Z").await;
            assert_eq!(found, Ok(done), "{name}");
        }
    }

    #[tokio::test]
    async fn an_update_of_its_own_is_cancelled_and_awaited() {
        let (end, calls) = tidy(
            false,
            vec![
                stack(Status::UpdateInProgress),
                events(&[("UPDATE_IN_PROGRESS", &token(), "")]),
                ok("CancelUpdateStack", ""),
                stack(Status::UpdateRollbackInProgress),
                stack(Status::UpdateRollbackComplete),
            ],
        )
        .await;
        assert_eq!(end, Ok(End::Clean));
        assert_eq!(calls[2], "CancelUpdateStack");
    }

    #[tokio::test]
    async fn what_a_deletion_leaves_behind_is_dirty_and_named() {
        let delete = Marks::of("arn:execution").delete();
        let (end, calls) = tidy(
            true,
            vec![
                stack(Status::CreateInProgress),
                ok("DeleteStack", ""),
                stack(Status::DeleteComplete),
                stack(Status::DeleteComplete),
                events(&[
                    ("DELETE_COMPLETE", &delete, ""),
                    ("DELETE_SKIPPED", &delete, "Table"),
                    ("DELETE_IN_PROGRESS", &delete, ""),
                ]),
            ],
        )
        .await;
        let error = end.unwrap_err();
        assert_eq!(error.name, ErrorName::CleanUpError);
        assert!(
            error.message.contains("`Table` (AWS::DynamoDB::Table, `physical`)"),
            "{}",
            error.message
        );
        assert_eq!(calls[1], "DeleteStack");
    }

    #[tokio::test]
    async fn a_deletion_that_fails_is_dirty_and_one_that_lasts_is_tried_again() {
        let begun = |then: Status| vec![stack(Status::RollbackComplete), ok("DeleteStack", ""), stack(then)];
        let (end, _) = tidy(true, begun(Status::DeleteFailed)).await;
        let error = end.unwrap_err();
        assert_eq!(error.name, ErrorName::CleanUpError);
        assert!(error.message.contains("reason of the stack"), "{}", error.message);
        let (end, _) = tidy(true, begun(Status::DeleteInProgress)).await;
        assert_eq!(end.unwrap_err().name, ErrorName::TransientError);
    }

    #[tokio::test]
    async fn a_change_set_that_is_still_being_made_is_tried_again() {
        let refused = Answer::xml(
            400,
            "<ErrorResponse><Error><Code>InvalidChangeSetStatus</Code><Message>busy</Message></Error></ErrorResponse>",
        );
        let seen = |status: &str, execution: &str| {
            ok(
                "DescribeChangeSet",
                &format!("<Status>{status}</Status><ExecutionStatus>{execution}</ExecutionStatus>"),
            )
        };
        let pending = seen("CREATE_IN_PROGRESS", "UNAVAILABLE");
        let (_server, late) = work(vec![refused.clone(), pending], Duration::ZERO).await;
        let error = late.remove_change_set(STACK, "arn:c").await.unwrap_err();
        assert_eq!(error.name, ErrorName::TransientError);
        let executed = seen("CREATE_COMPLETE", "EXECUTE_COMPLETE");
        let (_server, done) = work(vec![refused, executed], Duration::ZERO).await;
        assert_eq!(
            done.remove_change_set(STACK, "arn:c").await,
            Ok(()),
            "it stays with its stack"
        );
    }

    #[test]
    fn only_a_stack_of_our_own_that_never_completed_is_deleted() {
        for row in &TABLE {
            for is_own in [false, true] {
                if next(row.status, is_own) == Next::Delete {
                    assert!(is_own && !row.status.proves_completion(), "{}", row.name);
                }
            }
        }
    }

    #[test]
    fn what_stands_whole_stays() {
        for status in [
            Status::CreateComplete,
            Status::UpdateComplete,
            Status::UpdateRollbackComplete,
        ] {
            assert_eq!(next(status, true), Next::End(End::Whole));
            assert!(matches!(next(status, false), Next::End(_)));
        }
    }

    fn deployment(stack: &Value, change_set: &Value) -> Deployment {
        let pointer = json!({"bucket": "b", "key": "k", "version_id": "v", "sha256": "s"});
        serde_json::from_value(json!({
            "release": {
                "operation": "deploy", "release_id": "release-1", "aws_account_id": "1", "aws_region": "eu-west-1",
                "project_name": "p", "config_name": "c", "bucket": "b", "deadline": "2026-01-01T00:10:00Z"
            },
            "execution": {"arn": "arn:execution", "started_at": "2026-01-01T00:00:00Z"},
            "template": pointer, "manifest": {"here": {"tags": {}, "metadata": {}}}, "stack": stack, "change_set": change_set,
            "wait": {"seconds": 1, "polls": 0}
        }))
        .unwrap()
    }

    #[test]
    fn the_state_says_what_may_have_been_touched() {
        for (action, status, is_own, is_touched) in [
            ("CREATE", "PENDING", true, true),
            ("CREATE", "READY", true, true),
            ("UPDATE", "PENDING", false, false),
            ("UPDATE", "NO_CHANGES", false, false),
            ("UPDATE", "PLANNED", false, false),
            ("UPDATE", "FAILED", false, false),
            ("UPDATE", "READY", false, true),
        ] {
            let stack = json!({"name": "s", "arn": "arn:s", "action": action});
            let change_set = json!({"name": "c", "arn": "arn:c", "status": status});
            let left = known(&deployment(&stack, &change_set)).unwrap();
            assert_eq!(
                (left.is_own, left.is_touched),
                (is_own, is_touched),
                "{action} {status}"
            );
        }
        assert_eq!(known(&deployment(&json!({"name": "s"}), &Value::Null)), None);
    }

    #[test]
    fn a_second_run_says_the_same() {
        let mut deployment = deployment(&json!({"name": "s"}), &Value::Null);
        deployment.fail(ErrorName::StackError, "too late");
        add(&mut deployment, "; it stays");
        let once = deployment.clone();
        add(&mut deployment, "; it stays");
        assert_eq!(deployment, once);
    }
}
