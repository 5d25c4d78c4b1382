//! The state `Execute`: executes the change set that was checked.
//!
//! An error of this step is no verdict. Whatever it answers, `WaitExecute` reads from the stack what really happened.

use fenrir_core::deployment::{ChangeSetStatus, Deployment, Operation, Progress, Wait};
use fenrir_core::error::{ErrorName, StepError};
use fenrir_lambda::{Environment, Step};
use fenrir_stacks::Stacks;
use fenrir_stacks::marks::Marks;
use fenrir_store::locks::Locks;

/// Calls with the step's own role.
pub const OWN_ACTIONS: &[&str] = &["dynamodb:BatchGetItem", "sts:AssumeRole", "sts:TagSession"];

/// Calls with `fenrir-deployer`.
pub const DEPLOYER_ACTIONS: &[&str] = &["cloudformation:ExecuteChangeSet"];

/// The step.
pub const STEP: Step = Step {
    name: "execute",
    own_actions: OWN_ACTIONS,
    deployer_actions: DEPLOYER_ACTIONS,
};

/// Executes the change set.
///
/// # Errors
/// `LockLostError`; `TimeoutError` when the timeout has passed; `HaltError` when somebody halted the deploy; `StackError` when CloudFormation refuses;
/// `TransientError`; `InternalError`, also for a change set that did not pass the second check.
pub async fn run(env: &Environment, mut deployment: Deployment) -> Result<Deployment, StepError> {
    let (stack, change_set) = checked(&deployment)?;
    let head = &deployment.release;
    if !deployment.overdue(env.now()).is_negative() {
        return Err(StepError::new(ErrorName::TimeoutError, "the timeout passed before"));
    }
    let locks = Locks::new(env.own(), &env.settings().locks_table);
    let standing = locks
        .standing(&head.owner(), &deployment.execution.arn, &head.release_id)
        .await;
    if let Some(halt) = standing.map_err(|error| error.into_step("checking the lock"))? {
        return Err(StepError::new(ErrorName::HaltError, halt.describe()));
    }
    let stacks = Stacks::new(&env.deployer(head).await?);
    let executed = stacks
        .execute(&stack, &change_set, &Marks::of(&deployment.execution.arn))
        .await;
    executed.map_err(|fault| {
        let doing = format!("executing the change set of stack `{}`", deployment.stack.name);
        fault.into_step(ErrorName::StackError, &doing)
    })?;
    deployment.stack.progress = Some(Progress::InProgress);
    deployment.wait = Wait::first();
    Ok(deployment)
}

/// The ARNs of a stack and a change set that may be executed: a deploy's, checked, and nothing went wrong so far.
fn checked(deployment: &Deployment) -> Result<(String, String), StepError> {
    let change_set = deployment.change_set.as_ref();
    let arn = change_set
        .filter(|change_set| change_set.status == ChangeSetStatus::Ready)
        .and_then(|change_set| change_set.arn.clone());
    let may = deployment.release.operation == Operation::Deploy && deployment.failure.is_none();
    deployment.stack.arn.clone().zip(arn).filter(|_| may).ok_or_else(|| {
        let words = "the state names no change set that was checked and may be executed";
        StepError::new(ErrorName::InternalError, words)
    })
}
