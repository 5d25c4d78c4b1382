//! The state `WaitExecute`: one look at the stack, which says whether a deploy succeeded.
//!
//! A stack that stands at `UPDATE_COMPLETE` says nothing by itself: it may have stood there before. Success is what
//! the operation that carries this execution's token brought about. See `docs/states.md`.

mod sentence;
mod verdict;

use fenrir_core::deployment::{Deployment, Pointer, Progress, Wait};
use fenrir_core::error::{ErrorName, Fault, StepError};
use fenrir_core::timestamp;
use fenrir_lambda::{Environment, Step};
use fenrir_stacks::changes::Execution;
use fenrir_stacks::events::{self, Event};
use fenrir_stacks::marks::Marks;
use fenrir_stacks::{Stacks, Status};
use fenrir_store::Halts;
use fenrir_store::objects::Objects;

pub use crate::verdict::patience;

use crate::sentence::Story;
use crate::verdict::{Evidence, Verdict};

/// Calls with the step's own role.
pub const OWN_ACTIONS: &[&str] = &["dynamodb:GetItem", "s3:PutObject", "sts:AssumeRole", "sts:TagSession"];

/// Calls with `fenrir-deployer`.
pub const DEPLOYER_ACTIONS: &[&str] = &[
    "cloudformation:CancelUpdateStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
];

/// The step.
pub const STEP: Step = Step {
    name: "wait-execute",
    own_actions: OWN_ACTIONS,
    deployer_actions: DEPLOYER_ACTIONS,
};

/// Looks at the stack once.
///
/// # Errors
/// `StackError` when CloudFormation does not let it be read, `TransientError`, `InternalError`.
pub async fn run(env: &Environment, mut deployment: Deployment) -> Result<Deployment, StepError> {
    let (stack, change_set) = arns(&deployment)?;
    if deployment.stack.progress.is_none() {
        // Execute failed, and the machine came here with what was before it.
        deployment.wait = Wait::first();
    }
    deployment.stack.progress = Some(Progress::InProgress);
    let look = Look {
        stacks: Stacks::new(&env.deployer(&deployment.release).await?),
        marks: Marks::of(&deployment.execution.arn),
        stack,
        change_set,
    };
    let status = look.status().await?;
    if status.in_progress() && deployment.wait.looks_for_a_halt() && deployment.halt.is_none() {
        // Once seen, a halt stands.
        let head = &deployment.release;
        let halts = Halts::new(env.own(), &env.settings().locks_table);
        let halt = halts.get(&head.owner(), &head.release_id).await;
        deployment.halt = halt.map_err(|error| error.into_step(ErrorName::LockError))?;
    }
    let mut evidence = Evidence::first(&deployment, status, env.now());
    let mut operation = Vec::new();
    if evidence.needs_history() {
        operation = look.operation(&deployment.execution.started_at).await?;
        evidence.outcome = events::outcome(&operation, &look.stack);
        if evidence.outcome.is_none() {
            evidence.execution = look.execution().await?;
        }
    }
    match evidence.verdict() {
        Verdict::Wait => deployment.wait = deployment.wait.next(),
        Verdict::Cancel => {
            let cancelled = look.stacks.cancel_update(&look.stack, &look.marks).await;
            cancelled.map_err(|fault| reading(fault, "the update that is to be cancelled"))?;
            deployment.wait = deployment.wait.next();
        }
        Verdict::Succeeded => {
            deployment.stack.progress = Some(Progress::Succeeded);
            // Execute's error, if there was one, was no verdict. This is.
            deployment.error = None;
        }
        Verdict::Failed(why) => {
            operation = look.stacks.with_validation(&look.stack, operation).await;
            let stored = store(env, &deployment, &operation).await?;
            let story = Story {
                why,
                status,
                operation: &operation,
                stack: &look.stack,
                marks: &look.marks,
                stopping: evidence.stopping,
                events: stored.as_ref(),
            };
            let cause = story.tell(&deployment);
            let name = story.name(&deployment);
            deployment.fail(name, &cause);
            deployment.stack.progress = Some(Progress::Failed);
        }
    }
    if deployment.stack.progress != Some(Progress::InProgress) && deployment.times.executed.is_none() {
        // Once: the step may run twice.
        deployment.times.executed = Some(timestamp::exact(env.now()));
    }
    Ok(deployment)
}

fn arns(deployment: &Deployment) -> Result<(String, String), StepError> {
    let change_set = deployment
        .change_set
        .as_ref()
        .and_then(|change_set| change_set.arn.clone());
    deployment.stack.arn.clone().zip(change_set).ok_or_else(|| {
        StepError::new(
            ErrorName::InternalError,
            "the state names no stack and change set to wait for",
        )
    })
}

fn reading(fault: Fault, what: &str) -> StepError {
    fault.into_step(ErrorName::StackError, &format!("reading {what}"))
}

struct Look {
    stacks: Stacks,
    marks: Marks,
    stack: String,
    change_set: String,
}

impl Look {
    async fn status(&self) -> Result<Status, StepError> {
        let stack = self.stacks.describe(&self.stack).await;
        let stack = stack.map_err(|fault| reading(fault, "the stack"))?;
        Ok(stack.map_or(Status::Absent, |stack| stack.status))
    }

    async fn operation(&self, started: &str) -> Result<Vec<Event>, StepError> {
        let operation = self.stacks.own_operation(&self.stack, &self.marks, started).await;
        operation.map_err(|fault| reading(fault, "the stack's events"))
    }

    async fn execution(&self) -> Result<Execution, StepError> {
        let seen = self.stacks.describe_change_set(&self.stack, &self.change_set).await;
        let seen = seen.map_err(|fault| reading(fault, "the change set"))?;
        Ok(seen.map_or(Execution::Impossible, |seen| seen.execution))
    }
}

/// Keeps the operation's events beside the release; none when there are none.
async fn store(env: &Environment, deployment: &Deployment, operation: &[Event]) -> Result<Option<Pointer>, StepError> {
    if operation.is_empty() {
        return Ok(None);
    }
    let head = &deployment.release;
    let bytes = serde_json::to_vec(operation)
        .map_err(|error| StepError::new(ErrorName::InternalError, format!("the stack's events: {error}")))?;
    let objects = Objects::new(&env.own_in(&head.owner.aws_region));
    let stored = objects.put_own(head, "events.json", "application/json", bytes).await;
    stored
        .map(Some)
        .map_err(|error| error.into_step(ErrorName::InternalError, "storing the stack's events"))
}
