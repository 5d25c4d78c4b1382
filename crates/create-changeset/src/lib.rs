//! The state `CreateChangeSet`: creates or updates, as the real stack demands, and never a stack of somebody else's.
//!
//! A stack that is in the way because an earlier deploy never completed is deleted here (law 9): only under the
//! owner's own tags, and only when its events show that it never stood whole.

use std::time::Duration;

use fenrir_core::deployment::{
    ChangeSet, ChangeSetStatus, Deployment, Halt, Head, Manifest, Operation, StackAction, Wait,
};
use fenrir_core::error::{ErrorName, Fault, FaultKind, StepError};
use fenrir_core::owner::Owner;
use fenrir_core::problem::printable;
use fenrir_core::{house, names};
use fenrir_lambda::{Environment, Step};
use fenrir_stacks::events;
use fenrir_stacks::marks::Marks;
use fenrir_stacks::status::Prepare;
use fenrir_stacks::{Deletion, MadeChangeSet, NewChangeSet, Stack, Stacks, Status};
use fenrir_store::locks::Locks;
use fenrir_store::objects::Objects;

/// Calls with the step's own role.
pub const OWN_ACTIONS: &[&str] = &[
    "dynamodb:BatchGetItem",
    "s3:GetObjectVersion",
    "sts:AssumeRole",
    "sts:TagSession",
];

/// Calls with `fenrir-deployer`. CloudFormation reads the template with the caller's rights, and the role it is to
/// work with is passed.
pub const DEPLOYER_ACTIONS: &[&str] = &[
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:ListChangeSets",
    "cloudformation:ListStackResources",
    "iam:PassRole",
    "s3:GetObject",
    "s3:GetObjectVersion",
];

/// The step.
pub const STEP: Step = Step {
    name: "create-changeset",
    own_actions: OWN_ACTIONS,
    deployer_actions: DEPLOYER_ACTIONS,
};

/// How long a deletion is waited for before the machine tries the step again.
const PATIENCE: Duration = Duration::from_mins(5);

/// Makes the change set.
///
/// # Errors
/// `LockLostError`; `HaltError`; `TimeoutError`; `StackError` when the stack is somebody else's, in progress, or in a state that a person must
/// mend; `ChangeSetError` when CloudFormation refuses; `TransientError`, also while an old stack is being deleted;
/// `InternalError`.
pub async fn run(env: &Environment, mut deployment: Deployment) -> Result<Deployment, StepError> {
    let head = &deployment.release;
    let owner = head.owner();
    let locks = Locks::new(env.own(), &env.settings().locks_table);
    let standing = locks
        .standing(&owner, &deployment.execution.arn, &head.release_id)
        .await;
    if let Some(halt) = standing.map_err(|error| error.into_step("checking the lock"))? {
        return Err(StepError::new(
            ErrorName::HaltError,
            format!(
                "the deploy was stopped before its change set was made: {}; nothing was changed; {}",
                halt.describe(),
                Halt::THEN
            ),
        ));
    }
    if !deployment.overdue(env.now()).is_negative() {
        return Err(StepError::new(
            ErrorName::TimeoutError,
            "the timeout passed before the change set was made; run `fenrir deploy` again, with a longer `--timeout` if this \
             is usual",
        ));
    }
    if !deployment.template.is_own(head) || deployment.stack.name != names::stack(&owner) {
        return Err(StepError::new(
            ErrorName::InternalError,
            "the state names a template or a stack that is not this release's",
        ));
    }
    let manifest = Objects::new(&env.own_in(&head.owner.aws_region))
        .manifest(head, &deployment.manifest)
        .await
        .map_err(|error| error.into_step(ErrorName::InternalError, "reading the release's manifest"))?;
    let work = Work {
        stacks: Stacks::new(&env.deployer(head).await?),
        marks: Marks::of(&deployment.execution.arn),
        name: deployment.stack.name.clone(),
        owner,
        patience: env.patience(PATIENCE),
        is_plan: head.operation == Operation::Plan,
    };
    let (action, made) = match work.prepare().await? {
        Prepared::Made(made) => (StackAction::Create, made),
        Prepared::Create => (
            StackAction::Create,
            work.make(StackAction::Create, &deployment, &manifest).await?,
        ),
        Prepared::Update(arn) => {
            let made = work.make(StackAction::Update, &deployment, &manifest).await?;
            if made.stack_arn != arn {
                return Err(
                    work.refusal("was replaced by another while the change set was made; run `fenrir deploy` again")
                );
            }
            (StackAction::Update, made)
        }
    };
    deployment.stack.arn = Some(made.stack_arn);
    deployment.stack.action = Some(action);
    deployment.change_set = Some(ChangeSet {
        name: work.marks.change_set().to_owned(),
        arn: Some(made.arn),
        status: ChangeSetStatus::Pending,
        changes: None,
        // What is there before was outdated by another.
        remade: deployment.change_set.is_some(),
    });
    deployment.wait = Wait::first();
    Ok(deployment)
}

/// What the real stack asks for.
enum Prepared {
    /// There is none, or none any more.
    Create,
    /// The stack with this ARN is to be updated.
    Update(String),
    /// This execution made its change set already, and the answer was lost.
    Made(MadeChangeSet),
}

struct Work {
    stacks: Stacks,
    marks: Marks,
    name: String,
    owner: Owner,
    patience: Duration,
    /// Nothing that is there is changed.
    is_plan: bool,
}

impl Work {
    async fn prepare(&self) -> Result<Prepared, StepError> {
        let stack = self.stacks.describe(&self.name).await;
        let Some(stack) = stack.map_err(|fault| reading(fault, "the stack"))? else {
            return Ok(Prepared::Create);
        };
        match stack.status.row().prepare {
            Prepare::Create => Ok(Prepared::Create),
            Prepare::Update => {
                self.check_owner(&stack)?;
                self.remove_leftovers().await?;
                Ok(Prepared::Update(stack.arn))
            }
            Prepare::Recover => self.recover(&stack).await,
            Prepare::Replace => self.replace(&stack).await,
            Prepare::Busy if self.is_own_deletion(&stack).await? => {
                self.await_deletion(&stack.arn).await?;
                Ok(Prepared::Create)
            }
            Prepare::Busy if self.is_own_recovery(&stack).await? => self.await_recovery(&stack.arn).await,
            Prepare::Busy | Prepare::Refuse => Err(self.refusal(&refusal(stack.status))),
        }
    }

    /// An update that could not be rolled back: often what was in the way is gone by now.
    async fn recover(&self, stack: &Stack) -> Result<Prepared, StepError> {
        self.check_owner(stack)?;
        self.check_may_change(stack, "goes on with the rollback")?;
        let tried = self
            .stacks
            .has_recovered(&stack.arn, &self.marks.recover_before())
            .await;
        if tried.map_err(|fault| reading(fault, "the stack's events"))? {
            return Err(self.refusal(&refusal(stack.status)));
        }
        tracing::info!(stack = stack.arn, "going on with a rollback that failed");
        let begun = self
            .stacks
            .continue_rollback(&stack.arn, &self.owner, &self.marks.recover_before())
            .await;
        begun.map_err(|fault| {
            fault.into_step(
                ErrorName::StackError,
                &self.doing("going on with the rollback of", stack),
            )
        })?;
        self.await_recovery(&stack.arn).await
    }

    /// Whether the rollback under way is the one that this execution went on with before its answer was lost.
    async fn is_own_recovery(&self, stack: &Stack) -> Result<bool, StepError> {
        let rolls_back = matches!(
            stack.status,
            Status::UpdateRollbackInProgress | Status::UpdateRollbackCompleteCleanupInProgress
        );
        if !rolls_back {
            return Ok(false);
        }
        let own = self
            .stacks
            .has_recovered(&stack.arn, &self.marks.recover_before())
            .await;
        own.map_err(|fault| reading(fault, "the stack's events"))
    }

    async fn await_recovery(&self, arn: &str) -> Result<Prepared, StepError> {
        let end = self.stacks.settled(arn, PATIENCE).await;
        match end.map_err(|fault| reading(fault, "the stack"))? {
            Some(status) if status.row().prepare == Prepare::Update => {
                self.remove_leftovers().await?;
                Ok(Prepared::Update(arn.to_owned()))
            }
            Some(status) => Err(self.refusal(&refusal(status))),
            None => Err(StepError::new(
                ErrorName::TransientError,
                format!(
                    "stack `{}`, whose last update failed, is still being rolled back; it is looked at again",
                    self.name
                ),
            )),
        }
    }

    /// A stack that never completed makes room for a new one; unless it is this execution's own.
    async fn replace(&self, stack: &Stack) -> Result<Prepared, StepError> {
        if stack.status == Status::ReviewInProgress {
            let own = self.stacks.own_change_set(&self.name, &self.marks).await;
            if let Some(own) = own.map_err(|fault| reading(fault, "the change set"))? {
                return Ok(Prepared::Made(MadeChangeSet {
                    arn: own.arn,
                    stack_arn: own.stack_arn,
                }));
            }
        }
        self.check_unfinished(stack).await?;
        if stack.status != Status::ReviewInProgress {
            self.check_may_change(stack, "deletes it, since it never completed, and makes it anew")?;
        }
        tracing::info!(stack = stack.arn, status = %stack.status, "deleting a stack that never completed");
        let deleted = self.stacks.delete_stack(&stack.arn, &self.owner, &self.marks).await;
        deleted.map_err(|fault| fault.into_step(ErrorName::StackError, &self.doing("deleting", stack)))?;
        self.await_deletion(&stack.arn).await?;
        Ok(Prepared::Create)
    }

    /// Law 9: what is deleted is this very owner's, and never stood whole.
    async fn check_unfinished(&self, stack: &Stack) -> Result<(), StepError> {
        // A stack under review shows no tags before its first change set is executed. Its generated name, which no
        // other owner's stack can have, and that nothing is in it, are the proof.
        if stack.status == Status::ReviewInProgress && stack.tags.is_empty() {
            let filled = self.stacks.has_resources(&stack.arn).await;
            if filled.map_err(|fault| reading(fault, "the stack's resources"))? {
                return Err(
                    self.refusal("is under review but has resources; nobody but a person can tell whose they are")
                );
            }
        } else {
            self.check_owner(stack)?;
        }
        let all = self.stacks.events(&stack.arn, |_| false).await;
        let all = all.map_err(|fault| reading(fault, "the stack's events"))?;
        if events::never_completed(&all, &stack.arn) {
            return Ok(());
        }
        let words = format!(
            "is in status `{}`, and its events do not show that it never completed, so Fenrir does not delete it; look \
             at it in the CloudFormation console, delete it if nothing in it is needed, then run `fenrir \
             deploy` again",
            stack.status
        );
        Err(self.refusal(&words))
    }

    /// A stack under review is nothing yet, and a plan makes one itself. Whatever else a deploy does first, a plan leaves.
    fn check_may_change(&self, stack: &Stack, first: &str) -> Result<(), StepError> {
        if !self.is_plan {
            return Ok(());
        }
        let words = format!(
            "is in status `{}`, in which CloudFormation makes no change set, and a plan changes nothing; `fenrir deploy` \
             first {first}",
            stack.status
        );
        Err(self.refusal(&words))
    }

    fn check_owner(&self, stack: &Stack) -> Result<(), StepError> {
        if stack.is_of(&self.owner) {
            return Ok(());
        }
        let tag = |key: &str| {
            stack
                .tags
                .get(key)
                .map_or_else(|| "nothing".to_owned(), |value| format!("`{}`", printable(value)))
        };
        let words = format!(
            "is not this project's: its tag `ProjectName` is {} and `ConfigName` is {}, and the release's are `{}` and \
             `{}`; who made it under Fenrir's name must remove it",
            tag("ProjectName"),
            tag("ConfigName"),
            self.owner.project,
            self.owner.config
        );
        Err(self.refusal(&words))
    }

    /// Removes the change sets of earlier deploys. One that cannot be removed does no harm: executing ours does it.
    async fn remove_leftovers(&self) -> Result<(), StepError> {
        let listed = self.stacks.unexecuted_change_sets(&self.name).await;
        let listed = listed.map_err(|fault| reading(fault, "the stack's change sets"))?;
        for (name, arn) in listed {
            if !Marks::is_change_set(&name) || name == self.marks.change_set() {
                continue;
            }
            match self.stacks.delete_change_set(&self.name, &arn).await {
                Ok(_) => {}
                Err(fault) if fault.kind == FaultKind::Refused => tracing::warn!(%fault, arn, "a leftover stays"),
                Err(fault) => return Err(fault.into_step(ErrorName::StackError, "removing an old change set")),
            }
        }
        Ok(())
    }

    /// Whether the deletion under way is the one that this execution began before its answer was lost.
    async fn is_own_deletion(&self, stack: &Stack) -> Result<bool, StepError> {
        if stack.status != Status::DeleteInProgress {
            return Ok(false);
        }
        let own = self.stacks.is_last_own(&stack.arn, &self.marks).await;
        own.map_err(|fault| reading(fault, "the stack's events"))
    }

    async fn await_deletion(&self, arn: &str) -> Result<(), StepError> {
        let end = self.stacks.deletion(arn, self.patience).await;
        match end.map_err(|fault| reading(fault, "the stack"))? {
            Deletion::Gone => Ok(()),
            Deletion::Underway => Err(StepError::new(
                ErrorName::TransientError,
                format!(
                    "stack `{}`, which never completed, is still being deleted; it is looked at again",
                    self.name
                ),
            )),
            Deletion::Failed(reason) => {
                let words = format!(
                    "never completed and could not be deleted: {reason}; mend that and delete it in the CloudFormation \
                     console, then run `fenrir deploy` again"
                );
                Err(self.refusal(&words))
            }
        }
    }

    async fn make(
        &self,
        action: StackAction,
        deployment: &Deployment,
        manifest: &Manifest,
    ) -> Result<MadeChangeSet, StepError> {
        let new = NewChangeSet {
            owner: &self.owner,
            stack: &self.name,
            action,
            template: &deployment.template,
            tags: &manifest.tags,
            marks: &self.marks,
            again: deployment.change_set.is_some(),
        };
        let made = self.stacks.create_change_set(new).await;
        let made = made.map_err(|fault| not_made(fault, &self.name, &deployment.release))?;
        if made.arn.is_empty() || made.stack_arn.is_empty() {
            let words = "CloudFormation made a change set and did not say which; it is looked at again";
            return Err(StepError::new(ErrorName::TransientError, words));
        }
        Ok(made)
    }

    fn refusal(&self, words: &str) -> StepError {
        let message = format!(
            "stack `{}` in account `{}`, region `{}`, {words}",
            self.name, self.owner.account, self.owner.region
        );
        StepError::new(ErrorName::StackError, message)
    }

    fn doing(&self, what: &str, stack: &Stack) -> String {
        format!("{what} stack `{}`, which is in status `{}`", self.name, stack.status)
    }
}

/// The error of a change set that could not be made. `CloudFormation` reads the template with the rights of the account's
/// role, and says `S3 error: Access Denied` where the bucket's policy does not name the account.
fn not_made(fault: Fault, stack: &str, head: &Head) -> StepError {
    let is_unreadable = fault.message.contains("S3 error");
    let doing = format!("making the change set of stack `{stack}`");
    let error = fault.into_step(ErrorName::ChangeSetError, &doing);
    if !is_unreadable || error.name != ErrorName::ChangeSetError {
        return error;
    }
    let (account, region) = (&head.owner.aws_account_id, &head.owner.aws_region);
    let message = format!(
        "{}; account `{account}` may not read `{}`: an administrator updates `Accounts` of the stack that made the bucket \
         (`{}`, or `{}` in `{region}`), and the stack `{}` of the account",
        error.message,
        head.bucket,
        house::STATE_MACHINE,
        house::REGION_STACK,
        house::ACCOUNT_STACK,
    );
    StepError::new(error.name, message)
}

/// What is said of a stack that is not touched in this status.
fn refusal(status: Status) -> String {
    let row = status.row();
    let why = match row.prepare {
        Prepare::Busy => "and it is not this deploy that is at it",
        Prepare::Recover => "and its rollback, gone on with, failed again",
        _ => "and CloudFormation accepts no change set then",
    };
    format!("is in status `{status}`, {why}; {}", row.advice)
}

fn reading(fault: Fault, what: &str) -> StepError {
    fault.into_step(ErrorName::StackError, &format!("reading {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use fenrir_core::deployment::Pointer;
    use fenrir_stacks::status::TABLE;
    use fenrir_testkit::{Answer, Recorded};

    use super::*;

    const STACK: &str = "arn:aws:cloudformation:us-east-1:111111111111:stack/s/1";

    fn owner() -> Owner {
        Owner {
            account: "111111111111".into(),
            region: "us-east-1".into(),
            project: "p".into(),
            config: "c".into(),
        }
    }

    fn ok(operation: &str, result: &str) -> Answer {
        let body = format!("<{operation}Result>{result}</{operation}Result>");
        Answer::xml(200, format!("<{operation}Response>{body}</{operation}Response>"))
    }

    fn stack(status: Status, project: &str) -> Answer {
        let tag = |key: &str, value: &str| format!("<member><Key>{key}</Key><Value>{value}</Value></member>");
        let tags = match status {
            Status::ReviewInProgress => String::new(),
            _ => tag("ProjectName", project) + &tag("ConfigName", "c"),
        };
        let member = format!(
            "<member><StackId>{STACK}</StackId><StackName>s</StackName><StackStatus>{status}</StackStatus>\
             <CreationTime>2026-01-01T00:00:00Z</CreationTime><Tags>{tags}</Tags></member>"
        );
        ok("DescribeStacks", &format!("<Stacks>{member}</Stacks>"))
    }

    fn events(statuses: &[(&str, &str)]) -> Answer {
        let member = |(status, token): &(&str, &str)| {
            format!(
                "<member><EventId>{status}</EventId><StackId>{STACK}</StackId><StackName>s</StackName>\
                 <PhysicalResourceId>{STACK}</PhysicalResourceId><Timestamp>2026-01-01T00:00:00Z</Timestamp>\
                 <ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>{status}</ResourceStatus>\
                 <ClientRequestToken>{token}</ClientRequestToken></member>"
            )
        };
        let members: String = statuses.iter().map(member).collect();
        ok("DescribeStackEvents", &format!("<StackEvents>{members}</StackEvents>"))
    }

    fn gone() -> Answer {
        stack(Status::DeleteComplete, "p")
    }

    fn no_change_set() -> Answer {
        Answer::xml(
            404,
            "<ErrorResponse><Error><Code>ChangeSetNotFound</Code><Message>ChangeSet does not exist</Message></Error>\
             </ErrorResponse>",
        )
    }

    /// What the step prepares, and which calls it makes for it.
    async fn prepare(answers: Vec<Answer>) -> (Result<Prepared, StepError>, Vec<String>) {
        prepare_for(false, answers).await
    }

    async fn prepare_for(is_plan: bool, answers: Vec<Answer>) -> (Result<Prepared, StepError>, Vec<String>) {
        let server = Recorded::start(answers);
        let work = Work {
            stacks: Stacks::new(&server.config().await),
            marks: Marks::of("arn:execution"),
            name: "s".to_owned(),
            owner: owner(),
            patience: PATIENCE,
            is_plan,
        };
        let prepared = Box::pin(work.prepare()).await;
        let calls = server.requests().into_iter().map(|request| request.operation);
        (prepared, calls.collect())
    }

    #[tokio::test]
    async fn every_status_of_a_stack_of_ours_has_the_outcome_of_the_table() {
        for row in TABLE.iter().filter(|row| row.status != Status::Absent) {
            let first = stack(row.status, "p");
            let unfinished = events(&[(row.name, ""), ("REVIEW_IN_PROGRESS", "")]);
            let answers = match (row.prepare, row.status) {
                (Prepare::Update, _) => vec![first, ok("ListChangeSets", "<Summaries/>")],
                (Prepare::Replace, Status::ReviewInProgress) => {
                    let resources = ok("ListStackResources", "<StackResourceSummaries/>");
                    vec![
                        first,
                        no_change_set(),
                        resources,
                        unfinished,
                        ok("DeleteStack", ""),
                        gone(),
                    ]
                }
                (Prepare::Replace, _) => vec![first, unfinished, ok("DeleteStack", ""), gone()],
                (Prepare::Recover, _) => vec![
                    first,
                    events(&[(row.name, "theirs"), ("UPDATE_IN_PROGRESS", "theirs")]),
                    ok("ContinueUpdateRollback", ""),
                    stack(Status::UpdateRollbackInProgress, "p"),
                    stack(Status::UpdateRollbackComplete, "p"),
                    ok("ListChangeSets", "<Summaries/>"),
                ],
                (Prepare::Busy, Status::DeleteInProgress) => vec![first, events(&[("DELETE_IN_PROGRESS", "theirs")])],
                (Prepare::Busy, Status::UpdateRollbackInProgress | Status::UpdateRollbackCompleteCleanupInProgress) => {
                    vec![first, events(&[(row.name, "theirs"), ("UPDATE_IN_PROGRESS", "theirs")])]
                }
                _ => vec![first],
            };
            let expected = answers.len();
            let (prepared, calls) = prepare(answers).await;
            assert_eq!(calls.len(), expected, "{}: {calls:?}", row.name);
            match row.prepare {
                Prepare::Create | Prepare::Replace => assert!(matches!(prepared, Ok(Prepared::Create)), "{}", row.name),
                Prepare::Update | Prepare::Recover => assert!(
                    matches!(prepared, Ok(Prepared::Update(arn)) if arn == STACK),
                    "{}",
                    row.name
                ),
                Prepare::Busy | Prepare::Refuse => {
                    let error = prepared.err().unwrap();
                    assert_eq!(error.name, ErrorName::StackError, "{}", row.name);
                    assert!(error.message.contains(row.advice), "{}", error.message);
                    assert!(!calls.iter().any(|call| call.starts_with("Delete")), "{calls:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_plan_deletes_no_stack_and_goes_on_with_no_rollback() {
        for row in &TABLE {
            let words = match (row.prepare, row.status) {
                (Prepare::Replace, status) if status != Status::ReviewInProgress => "deletes it",
                (Prepare::Recover, _) => "goes on with the rollback",
                _ => continue,
            };
            let unfinished = events(&[(row.name, ""), ("REVIEW_IN_PROGRESS", "")]);
            let (prepared, calls) = prepare_for(true, vec![stack(row.status, "p"), unfinished]).await;
            let error = prepared.err().unwrap();
            assert!(error.message.contains(words), "{}: {}", row.name, error.message);
            assert!(
                calls.iter().all(|call| call.starts_with("Describe")),
                "{}: {calls:?}",
                row.name
            );
        }
    }

    #[tokio::test]
    async fn nothing_of_anothers_is_deleted_or_updated() {
        for row in TABLE.iter().filter(|row| row.status != Status::ReviewInProgress) {
            if matches!(row.prepare, Prepare::Update | Prepare::Replace | Prepare::Recover) {
                let (prepared, calls) = prepare(vec![stack(row.status, "another")]).await;
                assert_eq!(prepared.err().unwrap().name, ErrorName::StackError, "{}", row.name);
                assert_eq!(calls, ["DescribeStacks"], "{}", row.name);
            }
        }
    }

    #[tokio::test]
    async fn a_rollback_is_gone_on_with_once_and_no_resource_is_skipped() {
        let token = Marks::of("arn:execution").recover_before();
        let stuck = || stack(Status::UpdateRollbackFailed, "p");
        let begun = events(&[("UPDATE_ROLLBACK_FAILED", "theirs"), ("UPDATE_IN_PROGRESS", "theirs")]);
        let (prepared, calls) = prepare(vec![stuck(), begun, ok("ContinueUpdateRollback", ""), stuck()]).await;
        let error = prepared.err().unwrap();
        assert_eq!(error.name, ErrorName::StackError);
        assert!(error.message.contains("continue-update-rollback"), "{}", error.message);
        assert_eq!(calls.last().unwrap(), "DescribeStacks");
        // The step again, after that: the events tell that it was tried.
        let tried = events(&[
            ("UPDATE_ROLLBACK_FAILED", &token),
            ("UPDATE_ROLLBACK_IN_PROGRESS", &token),
            ("UPDATE_ROLLBACK_FAILED", "theirs"),
        ]);
        let (prepared, calls) = prepare(vec![stuck(), tried]).await;
        assert_eq!(prepared.err().unwrap().name, ErrorName::StackError);
        assert_eq!(calls, ["DescribeStacks", "DescribeStackEvents"]);
        // Or in the midst of it.
        let rolling = events(&[("UPDATE_ROLLBACK_IN_PROGRESS", &token)]);
        let (prepared, _) = prepare(vec![
            stack(Status::UpdateRollbackInProgress, "p"),
            rolling,
            stack(Status::UpdateRollbackComplete, "p"),
            ok("ListChangeSets", "<Summaries/>"),
        ])
        .await;
        assert!(matches!(prepared, Ok(Prepared::Update(_))));
    }

    /// A change set of the very name that is not this execution's, or is outdated, makes room.
    #[tokio::test]
    async fn a_change_set_of_the_same_name_makes_room_unless_it_is_the_one() {
        let marks = Marks::of("arn:execution");
        let taken = || {
            Answer::xml(
                400,
                "<ErrorResponse><Error><Code>AlreadyExistsException</Code><Message>exists</Message></Error></ErrorResponse>",
            )
        };
        let seen = |description: &str, execution: &str| {
            let body = format!(
                "<ChangeSetId>arn:c</ChangeSetId><StackId>{STACK}</StackId><Description>{description}</Description>\
                 <Status>CREATE_COMPLETE</Status><ExecutionStatus>{execution}</ExecutionStatus>"
            );
            ok("DescribeChangeSet", &body)
        };
        let made = || {
            ok(
                "CreateChangeSet",
                &format!("<Id>arn:new</Id><StackId>{STACK}</StackId>"),
            )
        };
        for (description, execution, remade) in [
            (marks.description().as_str(), "AVAILABLE", false),
            (marks.description().as_str(), "OBSOLETE", true),
            ("by hand", "AVAILABLE", true),
        ] {
            let mut answers = vec![taken(), seen(description, execution)];
            if remade {
                answers.extend([ok("DeleteChangeSet", ""), made()]);
            }
            let server = Recorded::start(answers);
            let template = Pointer {
                bucket: "b".into(),
                key: "k".into(),
                version_id: "v".into(),
                sha256: "s".into(),
            };
            let owner = Owner {
                account: "111111111111".into(),
                region: "us-east-1".into(),
                project: "p".into(),
                config: "c".into(),
            };
            let new = NewChangeSet {
                owner: &owner,
                stack: STACK,
                action: StackAction::Update,
                template: &template,
                tags: &[].into(),
                marks: &marks,
                again: remade,
            };
            let stacks = Stacks::new(&server.config().await);
            let arn = stacks.create_change_set(new).await.unwrap().arn;
            assert_eq!(
                arn,
                if remade { "arn:new" } else { "arn:c" },
                "{description} {execution}"
            );
        }
    }

    #[tokio::test]
    async fn a_stack_that_once_completed_is_not_deleted() {
        let rolled_back = stack(Status::RollbackFailed, "p");
        for history in [
            &[
                ("ROLLBACK_FAILED", ""),
                ("CREATE_COMPLETE", ""),
                ("CREATE_IN_PROGRESS", ""),
            ][..],
            &[],
        ] {
            let (prepared, calls) = prepare(vec![rolled_back.clone(), events(history)]).await;
            assert_eq!(prepared.err().unwrap().name, ErrorName::StackError);
            assert_eq!(calls, ["DescribeStacks", "DescribeStackEvents"]);
        }
    }

    #[tokio::test]
    async fn a_stack_under_review_with_resources_is_not_deleted() {
        let resource = "<StackResourceSummaries><member><LogicalResourceId>A</LogicalResourceId>\
                        <ResourceType>T</ResourceType></member></StackResourceSummaries>";
        let review = stack(Status::ReviewInProgress, "p");
        let (prepared, calls) = prepare(vec![review, no_change_set(), ok("ListStackResources", resource)]).await;
        assert_eq!(prepared.err().unwrap().name, ErrorName::StackError);
        assert_eq!(calls, ["DescribeStacks", "DescribeChangeSet", "ListStackResources"]);
    }

    #[tokio::test]
    async fn a_deletion_of_its_own_is_waited_for() {
        let token = Marks::of("arn:execution").delete();
        let deleting = events(&[("DELETE_IN_PROGRESS", &token)]);
        let (prepared, calls) = prepare(vec![stack(Status::DeleteInProgress, "p"), deleting, gone()]).await;
        assert!(matches!(prepared, Ok(Prepared::Create)));
        assert_eq!(calls, ["DescribeStacks", "DescribeStackEvents", "DescribeStacks"]);
    }

    #[tokio::test]
    async fn leftover_change_sets_of_fenrirs_are_removed_and_no_others() {
        let leftover = |name: &str, execution: &str| {
            format!(
                "<member><ChangeSetName>{name}</ChangeSetName><ChangeSetId>arn:{name}</ChangeSetId>\
                 <ExecutionStatus>{execution}</ExecutionStatus></member>"
            )
        };
        let own = Marks::of("arn:execution");
        let earlier = Marks::of("arn:earlier");
        let executed = Marks::of("arn:executed");
        let listed = [
            leftover(own.change_set(), "AVAILABLE"),
            leftover(earlier.change_set(), "AVAILABLE"),
            leftover(executed.change_set(), "EXECUTE_COMPLETE"),
            leftover("by-hand", "AVAILABLE"),
        ];
        let listed = ok("ListChangeSets", &format!("<Summaries>{}</Summaries>", listed.concat()));
        let (prepared, calls) = prepare(vec![
            stack(Status::UpdateComplete, "p"),
            listed,
            ok("DeleteChangeSet", ""),
        ])
        .await;
        assert!(matches!(prepared, Ok(Prepared::Update(_))));
        assert_eq!(calls, ["DescribeStacks", "ListChangeSets", "DeleteChangeSet"]);
    }

    #[test]
    fn a_bucket_that_does_not_name_the_account_is_told_as_such() {
        let fault = |kind, message: &str| Fault {
            kind,
            action: "cloudformation:CreateChangeSet",
            code: Some("ValidationError".to_owned()),
            message: message.to_owned(),
        };
        let head = Head {
            operation: Operation::Deploy,
            release_id: "release-1".to_owned(),
            owner: owner().into(),
            bucket: "fenrir-999999999999-r".to_owned(),
            deadline: String::new(),
        };
        let unreadable = not_made(fault(FaultKind::Refused, "S3 error: Access Denied"), "s", &head);
        assert_eq!(unreadable.name, ErrorName::ChangeSetError);
        for words in ["S3 error", "may not read `fenrir-999999999999-r`", "`fenrir-region`"] {
            assert!(unreadable.message.contains(words), "{words}: {}", unreadable.message);
        }
        for (kind, message) in [
            (FaultKind::Refused, "template format error"),
            (FaultKind::Transient, "S3 error: slow down"),
        ] {
            let other = not_made(fault(kind, message), "s", &head);
            assert!(!other.message.contains("may not read"), "{}", other.message);
        }
    }
}
