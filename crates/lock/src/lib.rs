//! The state Lock: one deploy at a time per account, region, project and config; the release is recorded as started.
//!
//! A lock cannot strand: when the execution that holds it has ended without a dirty end, and the stack is not in
//! progress, the next deploy takes it over. It cannot be stolen either: of several that try, one gets it, and a lock
//! that is dirty or whose stack is in progress stays. The record of the execution that left its lock behind is mended.
//!
//! An execution that was stopped from outside leaves a step behind that goes on: it has verified the lock, and
//! CloudFormation knows no fencing token that would stop it. So its lock is taken over only when no function of it can
//! still run. `tests/model` shows what would happen otherwise.

use std::time::Duration;

use fenrir_core::deployment::{Deployment, Head, Manifest};
use fenrir_core::error::{ErrorName, FaultKind, StepError};
use fenrir_core::problem::printable;
use fenrir_core::timestamp;
use fenrir_lambda::metrics::Ended::Refused;
use fenrir_lambda::metrics::{Held, Measure};
use fenrir_lambda::{Environment, Step};
use fenrir_settle::execution::{self, Ended};
use fenrir_stacks::Stacks;
use fenrir_stacks::status::Takeover;
use fenrir_store::locks::Error;
use fenrir_store::records::Error as RecordError;
use fenrir_store::{Holder, Locks, Objects, Record, Records, Status};
use tokio::time::timeout;

/// Calls with the step's own role.
pub const OWN_ACTIONS: &[&str] = &[
    "dynamodb:ConditionCheckItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "s3:GetObjectVersion",
    "states:DescribeExecution",
    "sts:AssumeRole",
    "sts:TagSession",
];
/// Calls with `fenrir-deployer` of the target account.
pub const DEPLOYER_ACTIONS: &[&str] = &[
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
];
/// The step.
pub const STEP: Step = Step {
    name: "lock",
    own_actions: OWN_ACTIONS,
    deployer_actions: DEPLOYER_ACTIONS,
};

/// How long a deploy may be kept by the record of another.
const MENDING: Duration = Duration::from_secs(20);

/// Takes the lock and records the release as started.
///
/// # Errors
/// `LockExistsError` when another deploy holds the lock or somebody froze the project; `LockError`, `TransientError`,
/// `InternalError`.
pub async fn run(env: &Environment, deployment: Deployment) -> Result<Deployment, StepError> {
    let head = &deployment.release;
    let manifest: Manifest = Objects::new(&env.own_in(&head.owner.aws_region))
        .manifest(head, &deployment.manifest)
        .await
        .map_err(|error| error.into_step(ErrorName::LockError, "reading the manifest"))?;
    let holder = Holder {
        execution: deployment.execution.arn.clone(),
        release_id: head.release_id.clone(),
        who: manifest.metadata.get("author").cloned(),
        // The execution's own start: taking the lock again writes the same item.
        since: deployment.execution.started_at.clone(),
        dirty: false,
        reason: None,
    };
    let records = Records::new(env.own(), &env.settings().releases_table);
    let started = started(&deployment, manifest);
    let record = records.along(&head.owner(), &started);
    // In one transaction: nobody holds a lock for a release that nothing is known of.
    let locks = Locks::new(env.own(), &env.settings().locks_table).along(record);
    match take(env, &deployment, &locks, &records, &holder).await {
        Ok(()) => Ok(deployment),
        Err(error) if error.name == ErrorName::LockExistsError => {
            Err(refused(env, &records, &deployment, started, error).await)
        }
        Err(error) => Err(error),
    }
}

/// Records that the release was refused: the machine ends here, and no later step does. What cannot be recorded here is
/// recorded by `ReleaseLock`, with another role.
async fn refused(
    env: &Environment,
    records: &Records,
    deployment: &Deployment,
    started: Record,
    error: StepError,
) -> StepError {
    let record = Record {
        status: Status::Refused,
        ended_at: Some(timestamp::format(env.now())),
        error: Some(error.name.to_string()),
        cause: Some(error.message.clone()),
        ..started
    };
    match records.write(&deployment.release.owner(), &record).await {
        Err(RecordError::Fault(fault)) if fault.kind == FaultKind::Transient => {
            fault.into_step(ErrorName::LockError, "recording that the lock is held")
        }
        Err(RecordError::Fault(fault)) => {
            let message = format!("{}; and this could not be recorded: {fault}", error.message);
            StepError::new(ErrorName::LockError, message)
        }
        Err(fault) => {
            tracing::error!(%fault, "the refusal could not be recorded");
            error
        }
        Ok(()) => {
            env.measure(&Measure::Ended(&deployment.release, Refused));
            error
        }
    }
}

fn started(deployment: &Deployment, manifest: Manifest) -> Record {
    Record {
        release_id: deployment.release.release_id.clone(),
        status: Status::Started,
        execution: deployment.execution.arn.clone(),
        operation: deployment.release.operation,
        started_at: deployment.execution.started_at.clone(),
        deadline: Some(deployment.release.deadline.clone()),
        ended_at: None,
        metadata: manifest.metadata,
        stack: deployment.stack.name.clone(),
        stack_arn: None,
        no_changes: false,
        error: None,
        cause: None,
        stored: deployment.stored(),
        unlocked: None,
    }
}

/// Takes the lock, if need be from an execution that left it behind.
async fn take(
    env: &Environment,
    deployment: &Deployment,
    locks: &Locks,
    records: &Records,
    holder: &Holder,
) -> Result<(), StepError> {
    let head = &deployment.release;
    let error = match locks.acquire(&head.owner(), holder).await {
        Ok(()) => return Ok(()),
        Err(Error::Held(other)) if other.execution != holder.execution && !other.dirty => {
            match look_at(env, deployment, &other).await? {
                Found::LeftBehind(ended) => {
                    tracing::warn!(
                        left_behind_by = other.execution,
                        "taking over the lock of an execution that ended"
                    );
                    match locks
                        .take_over(&head.owner(), &other.execution, holder, env.now())
                        .await
                    {
                        Ok(()) => {
                            env.measure(&Measure::LockTakenOver(head));
                            mend(env, deployment, &other, &ended).await;
                            return Ok(());
                        }
                        Err(Error::Frozen(_)) if is_started(records, deployment).await? => return Ok(()),
                        Err(error) => {
                            let is_claimed =
                                matches!(&error, Error::Held(now) if now.execution == other.execution && !now.dirty);
                            let stays = is_claimed.then(|| Stays {
                                why: "the watchdog is at what its execution has left".to_owned(),
                                help: "run `fenrir deploy` again in a few minutes".to_owned(),
                            });
                            refusal(env, head, error, stays)
                        }
                    }
                }
                Found::Stays(stays) => refusal(env, head, Error::Held(other), Some(stays)),
            }
        }
        // The first try took the lock, its answer was lost, and since then somebody froze the project: what has begun goes on.
        Err(Error::Frozen(_)) if is_started(records, deployment).await? => return Ok(()),
        Err(error) => refusal(env, head, error, None),
    };
    Err(error)
}

/// Whether this very execution has recorded the release as started, which it does in the transaction that takes the lock.
async fn is_started(records: &Records, deployment: &Deployment) -> Result<bool, StepError> {
    let head = &deployment.release;
    let record = records.get(&head.owner(), &head.release_id).await;
    let record = record.map_err(|error| error.into_step(ErrorName::LockError, "reading the release's record"))?;
    Ok(record.is_some_and(|record| record.status == Status::Started && record.execution == deployment.execution.arn))
}

fn refusal(env: &Environment, head: &Head, error: Error, stays: Option<Stays>) -> StepError {
    let why = match &error {
        Error::Held(holder) if holder.dirty => Some(Held::Dirty),
        Error::Held(_) => Some(Held::Held),
        Error::Frozen(_) => Some(Held::Frozen),
        _ => None,
    };
    if let Some(why) = why {
        env.measure(&Measure::LockRefused(head, why));
    }
    let help = match &error {
        Error::Held(holder) if holder.dirty => {
            "an operator mends what it says and runs `fenrir unlock --reason WHY`".to_owned()
        }
        Error::Held(holder) => stays
            .as_ref()
            .map_or_else(|| while_it_runs(holder), |stays| stays.help.clone()),
        Error::Frozen(freeze) => format!("ask whoever froze it; `{}` ends the freeze", freeze.ended_by()),
        _ => return error.into_step("taking the lock"),
    };
    let mut refused = error.into_step("taking the lock");
    let why = stays.map(|stays| format!("; {}", stays.why)).unwrap_or_default();
    let owner = &head.owner;
    refused.message = format!(
        "`{}` `{}` cannot be deployed now: {}{why}; {help}",
        owner.project_name, owner.config_name, refused.message
    );
    refused
}

/// What to do about an execution that is under way.
fn while_it_runs(holder: &Holder) -> String {
    format!(
        "run `fenrir deploy` again when it has ended; `fenrir attach {}` follows it, `fenrir halt --reason WHY` stops it",
        printable(&holder.release_id)
    )
}

/// What to do where only the watchdog can tell.
const SETTLED_SOON: &str =
    "the watchdog settles it within 15 minutes: `fenrir status` shows how, and what is left to do";

/// The lock of another execution.
enum Found {
    /// It can be taken over: the execution has ended like this.
    LeftBehind(Ended),
    /// It cannot.
    Stays(Stays),
}

/// Why a lock is not taken over.
struct Stays {
    why: String,
    /// What to do.
    help: String,
}

impl Found {
    fn stays(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Stays(Stays {
            why: why.into(),
            help: help.into(),
        })
    }
}

async fn look_at(env: &Environment, deployment: &Deployment, other: &Holder) -> Result<Found, StepError> {
    let Some(ended) = execution::ended(env, &other.execution, ErrorName::LockError).await? else {
        return Ok(Found::stays("its execution is under way", while_it_runs(other)));
    };
    if let Some(until) = ended.may_run_until(env.now()) {
        let until = timestamp::format(until);
        return Ok(Found::stays(
            format!("its execution was stopped from outside, and a step of it may run until `{until}`"),
            "run `fenrir deploy` again after that",
        ));
    }
    if ended.error.starts_with("FailureDirty") {
        let why = format!("its execution ended dirty and could not mark the lock: {}", ended.cause);
        return Ok(Found::stays(why, SETTLED_SOON));
    }
    let stacks = Stacks::new(&env.deployer(&deployment.release).await?);
    let stack = stacks.describe(&deployment.stack.name).await.map_err(|fault| {
        fault.into_step(
            ErrorName::LockError,
            "looking at the stack of a lock that was left behind",
        )
    })?;
    let name = &deployment.stack.name;
    let status = stack.map_or(fenrir_stacks::Status::Absent, |stack| stack.status);
    if status.takeover() == Takeover::Never {
        return Ok(Found::stays(
            format!("its execution has ended, but its stack `{name}` is still in progress (`{status}`)"),
            "run `fenrir deploy` again when CloudFormation is done; `fenrir status` shows the stack",
        ));
    }
    let owner = deployment.release.owner();
    match Box::pin(fenrir_settle::is_dirty(env, stacks, &owner, other, &ended)).await {
        Ok(false) => Ok(Found::LeftBehind(ended)),
        Ok(true) => Ok(Found::stays(
            format!("its execution has ended and left something behind in its stack `{name}` (`{status}`)"),
            SETTLED_SOON,
        )),
        Err(error) if error.name == ErrorName::TransientError => Err(error),
        Err(error) => {
            // Trying again would not help, and CreateChangeSet judges the stack itself.
            tracing::warn!(%error, "what the execution that ended has left cannot be looked at");
            Ok(Found::LeftBehind(ended))
        }
    }
}

/// Writes the end into the record of the execution whose lock was taken over. That this cannot be done keeps nobody from
/// deploying: the watchdog does it later.
async fn mend(env: &Environment, deployment: &Deployment, other: &Holder, ended: &Ended) {
    let owner = deployment.release.owner();
    let mending = async {
        let stacks = Stacks::new(&env.deployer(&deployment.release).await?);
        fenrir_settle::mend(env, stacks, &owner, other, ended).await
    };
    match timeout(MENDING, Box::pin(mending)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the record of the execution that ended is not mended"),
        Err(_) => tracing::warn!("the record of the execution that ended is not mended in time"),
    }
}
