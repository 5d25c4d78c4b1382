//! The state `WaitChangeSet`: one look at the change set.
//!
//! It is ready only after what SAM made of the template, and the list of changes, passed the second check. So whatever
//! the transform does, nothing is executed that the rewritten template does not explain.

mod explanation;

use fenrir_core::deployment::{ChangeSetStatus, Deployment, Halt, Operation, Pointer, StackAction};
use fenrir_core::error::{ErrorName, Fault, StepError};
use fenrir_core::plan::{Plan, Templates};
use fenrir_core::policy;
use fenrir_core::problem::{Problem, Severity, printable};
use fenrir_core::timestamp;
use fenrir_lambda::{Environment, Step};
use fenrir_stacks::changes::Answer;
use fenrir_stacks::{ChangeSetSeen, Stacks};
use fenrir_store::Halts;
use fenrir_store::objects::Objects;
use serde_json::{Value, json};

/// Calls with the step's own role.
pub const OWN_ACTIONS: &[&str] = &[
    "dynamodb:GetItem",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "sts:AssumeRole",
    "sts:TagSession",
];

/// Calls with `fenrir-deployer`.
pub const DEPLOYER_ACTIONS: &[&str] = &[
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:GetTemplate",
];

/// The step.
pub const STEP: Step = Step {
    name: "wait-changeset",
    own_actions: OWN_ACTIONS,
    deployer_actions: DEPLOYER_ACTIONS,
};

/// Problems that fit into a cause; all of them are in `problems.json`.
const SHOWN: usize = 10;

/// Looks at the change set once.
///
/// # Errors
/// `ChangeSetError` when CloudFormation does not let it be read, `TransientError`, `InternalError`.
pub async fn run(env: &Environment, mut deployment: Deployment) -> Result<Deployment, StepError> {
    let (stack, change_set) = arns(&deployment)?;
    let stacks = Stacks::new(&env.deployer(&deployment.release).await?);
    let seen = stacks.describe_change_set(&stack, &change_set).await;
    let seen = seen.map_err(|fault| reading(fault, "the change set"))?;
    let overdue = !deployment.overdue(env.now()).is_negative();
    let status = match seen {
        None => gone(&mut deployment),
        Some(seen) => match seen.answer {
            Answer::Pending | Answer::Made if overdue => late(&mut deployment),
            Answer::Pending => pending(env, &mut deployment).await?,
            Answer::Obsolete => obsolete(&mut deployment),
            Answer::Gone => gone(&mut deployment),
            // A success, of a stack that is there. A stack that would be created of nothing is none.
            Answer::NoChanges if deployment.stack.action == Some(StackAction::Update) => {
                no_changes(env, &mut deployment).await?
            }
            Answer::NoChanges | Answer::Failed => failed(env, &stacks, &mut deployment, &seen).await,
            Answer::Made => made(env, &stacks, &stack, &mut deployment, &seen).await?,
        },
    };
    if let Some(change_set) = deployment.change_set.as_mut() {
        change_set.status = status;
    }
    let is_over = !matches!(status, ChangeSetStatus::Pending | ChangeSetStatus::Obsolete);
    if is_over && deployment.times.change_set.is_none() {
        // Once: the step may run twice.
        deployment.times.change_set = Some(timestamp::exact(env.now()));
    }
    Ok(deployment)
}

fn arns(deployment: &Deployment) -> Result<(String, String), StepError> {
    let change_set = deployment
        .change_set
        .as_ref()
        .and_then(|change_set| change_set.arn.clone());
    deployment
        .stack
        .arn
        .clone()
        .zip(change_set)
        .ok_or_else(|| StepError::new(ErrorName::InternalError, "the state names no change set to wait for"))
}

fn reading(fault: Fault, what: &str) -> StepError {
    fault.into_step(ErrorName::ChangeSetError, &format!("reading {what}"))
}

/// Still being made. Somebody may have had enough of it; of one that is made, Execute looks.
async fn pending(env: &Environment, deployment: &mut Deployment) -> Result<ChangeSetStatus, StepError> {
    let head = &deployment.release;
    let halt = if deployment.wait.looks_for_a_halt() {
        let halts = Halts::new(env.own(), &env.settings().locks_table);
        let halt = halts.get(&head.owner(), &head.release_id).await;
        halt.map_err(|error| error.into_step(ErrorName::LockError))?
    } else {
        None
    };
    if let Some(halt) = halt {
        let cause = format!(
            "the deploy was stopped while the change set of stack `{}` was made: {}; nothing was changed; {}",
            deployment.stack.name,
            halt.describe(),
            Halt::THEN
        );
        deployment.fail(ErrorName::HaltError, &cause);
        deployment.halt = Some(halt);
        return Ok(ChangeSetStatus::Failed);
    }
    deployment.wait = deployment.wait.next();
    Ok(ChangeSetStatus::Pending)
}

/// Another change set was executed meanwhile. The template is what it was, so the change set is made anew, against the
/// stack as it is now; but only once: whoever works on the stack without Fenrir may go on doing so.
fn obsolete(deployment: &mut Deployment) -> ChangeSetStatus {
    if deployment
        .change_set
        .as_ref()
        .is_some_and(|change_set| change_set.remade)
    {
        return gone(deployment);
    }
    ChangeSetStatus::Obsolete
}

fn late(deployment: &mut Deployment) -> ChangeSetStatus {
    let cause = format!(
        "the timeout passed before the change set of stack `{}` was ready; nothing was changed; run `fenrir deploy` \
         again, with a longer `--timeout` if this is usual",
        deployment.stack.name
    );
    deployment.fail(ErrorName::TimeoutError, &cause);
    ChangeSetStatus::Failed
}

fn gone(deployment: &mut Deployment) -> ChangeSetStatus {
    let cause = format!(
        "the change set of stack `{}` was removed, or outdated by another that was executed; somebody works on the \
         stack without Fenrir; nothing was changed by this deploy; find out who, then run `fenrir deploy` again",
        deployment.stack.name
    );
    deployment.fail(ErrorName::ChangeSetError, &cause);
    ChangeSetStatus::Failed
}

async fn failed(
    env: &Environment,
    stacks: &Stacks,
    deployment: &mut Deployment,
    seen: &ChangeSetSeen,
) -> ChangeSetStatus {
    let cause = explanation::tell(env, stacks, deployment, seen).await;
    deployment.fail(ErrorName::ChangeSetError, &cause);
    ChangeSetStatus::Failed
}

/// The second check; then ready, or for a plan told.
async fn made(
    env: &Environment,
    stacks: &Stacks,
    stack: &str,
    deployment: &mut Deployment,
    seen: &ChangeSetSeen,
) -> Result<ChangeSetStatus, StepError> {
    let head = deployment.release.clone();
    let objects = Objects::new(&env.own_in(&head.owner.aws_region));
    let processed = stacks.processed_template(stack, &seen.arn).await;
    let processed = processed.map_err(|fault| reading(fault, "the processed template"))?;
    // What cannot be read cannot be checked, and is not executed.
    let processed: Value = serde_json::from_str(&processed).map_err(|error| {
        StepError::new(
            ErrorName::ChangeSetError,
            format!("CloudFormation shows a processed template that cannot be read: {error}; nothing was changed"),
        )
    })?;
    let rewritten = objects.get_own(&head, &deployment.template).await;
    let rewritten = rewritten.map_err(|error| error.into_step(ErrorName::InternalError, "reading the template"))?;
    let rewritten: Value = serde_json::from_slice(&rewritten)
        .map_err(|error| StepError::new(ErrorName::InternalError, format!("the rewritten template: {error}")))?;
    let problems = policy::second_check(&rewritten, &processed, &seen.changes, &head.owner());
    if head.operation == Operation::Plan {
        // Also of what is refused: the changes show why.
        let deployed = deployed(stacks, stack, deployment.stack.action).await?;
        let templates = Templates {
            deployed: deployed.as_ref(),
            processed: &processed,
        };
        let action = deployment.stack.action.unwrap_or(StackAction::Update);
        let plan = Plan::make(
            &deployment.stack.name,
            action,
            &seen.changes,
            templates,
            problems.clone(),
        );
        tell(&objects, deployment, &plan).await?;
    }
    if problems.iter().any(|problem| problem.severity != Severity::Warning) {
        put(&objects, deployment, "problems.json", &json!(problems)).await?;
        env.measure_refusal(&problems);
        deployment.fail(ErrorName::ChangeSetError, &refusal(&deployment.stack.name, &problems));
        return Ok(ChangeSetStatus::Failed);
    }
    Ok(match head.operation {
        Operation::Deploy => ChangeSetStatus::Ready,
        Operation::Plan => ChangeSetStatus::Planned,
    })
}

/// The stack is what the template says already. A plan says that, too.
async fn no_changes(env: &Environment, deployment: &mut Deployment) -> Result<ChangeSetStatus, StepError> {
    if deployment.release.operation == Operation::Plan {
        let objects = Objects::new(&env.own_in(&deployment.release.owner.aws_region));
        let plan = Plan::of_nothing(&deployment.stack.name);
        tell(&objects, deployment, &plan).await?;
    }
    Ok(ChangeSetStatus::NoChanges)
}

/// What the stack runs now: `None` for a new one, and for one whose template somebody wrote otherwise than Fenrir does.
async fn deployed(stacks: &Stacks, stack: &str, action: Option<StackAction>) -> Result<Option<Value>, StepError> {
    if action != Some(StackAction::Update) {
        return Ok(None);
    }
    let text = stacks.deployed_template(stack).await;
    let text = text.map_err(|fault| reading(fault, "the template of the stack as it is"))?;
    Ok(serde_json::from_str(&text).ok())
}

/// Stores the plan, and names it in the state and so in the record.
async fn tell(objects: &Objects, deployment: &mut Deployment, plan: &Plan) -> Result<(), StepError> {
    let stored = put(objects, deployment, "changes.json", &json!(plan)).await?;
    if let Some(change_set) = deployment.change_set.as_mut() {
        change_set.changes = Some(stored);
    }
    Ok(())
}

async fn put(objects: &Objects, deployment: &Deployment, name: &str, value: &Value) -> Result<Pointer, StepError> {
    let bytes = value.to_string().into_bytes();
    let stored = objects
        .put_own(&deployment.release, name, "application/json", bytes)
        .await;
    stored.map_err(|error| error.into_step(ErrorName::InternalError, &format!("storing `{name}`")))
}

fn refusal(stack: &str, problems: &[Problem]) -> String {
    let refused: Vec<&Problem> = problems.iter().filter(|p| p.severity != Severity::Warning).collect();
    let mut lines = vec![format!(
        "the change set of stack `{stack}` would do what the template does not explain; nothing was changed:"
    )];
    lines.extend(refused.iter().take(SHOWN).map(|problem| {
        let help = problem
            .help
            .as_ref()
            .map(|help| format!("; {help}"))
            .unwrap_or_default();
        printable(&format!(
            "{} at `{}`: {}{help}",
            problem.code, problem.path, problem.message
        ))
    }));
    if refused.len() > SHOWN {
        lines.push(format!(
            "and {} more, in `problems.json` of the release",
            refused.len() - SHOWN
        ));
    }
    lines.join("\n")
}
