//! The state `ReleaseLock`: decides how the deploy ended, records it, and gives the lock back.
//!
//! A good end is recorded and unlocked at once, so that nobody deploys over a release whose end is not written down. A
//! dirty end is locked first: whatever fails after that, the lock stays and says why. With the record goes what is
//! deployed now, in the same transaction. Every write may be made twice.

mod verdict;

use std::collections::BTreeMap;

use fenrir_core::deployment::{ChangeSetStatus, Deployment, End, Outcome};
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::timestamp;
use fenrir_lambda::alert::{Alert, Tidings};
use fenrir_lambda::metrics::{Ended, Measure, Phase};
use fenrir_lambda::{Environment, Step};
use fenrir_store::locks::Error;
use fenrir_store::records::Error as RecordError;
use fenrir_store::{Locks, Objects, Record, Records};

pub use verdict::verdict;

/// Calls with the step's own role.
pub const OWN_ACTIONS: &[&str] = &[
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "sns:Publish",
];
/// Calls with `fenrir-deployer` of the target account: none.
pub const DEPLOYER_ACTIONS: &[&str] = &[];
/// The step.
pub const STEP: Step = Step {
    name: "release-lock",
    own_actions: OWN_ACTIONS,
    deployer_actions: DEPLOYER_ACTIONS,
};

/// Ends the deploy.
///
/// # Errors
/// `ReleaseLockError`, `TransientError`, `InternalError`: the lock is still held, or the record not written.
pub async fn run(env: &Environment, mut deployment: Deployment) -> Result<Deployment, StepError> {
    let end = verdict(&deployment);
    let locks = Locks::new(env.own(), &env.settings().locks_table);
    if end.outcome == Outcome::FailureDirty {
        let kept = keep(&locks, &deployment, &end).await;
        if kept.is_err() {
            // The mark may be there although its answer was lost, and somebody has to look in any case.
            alert(env, &deployment, &end).await?;
        }
        kept?;
    }
    deployment.end = Some(end.clone());
    let owner = deployment.release.owner();
    let records = Records::new(env.own(), &env.settings().releases_table);
    let record = record(env, &deployment, &end).await?;
    if end.outcome == Outcome::FailureDirty {
        let written = records.write_held(&owner, &record, &env.settings().locks_table).await;
        // Also without a record: somebody has to look.
        alert(env, &deployment, &end).await?;
        match written {
            // The first try wrote it, its answer was lost, and somebody has unlocked it since.
            Err(RecordError::Used(_)) => tracing::warn!("the record says another end, or was unlocked already"),
            written => written.map_err(|error| error.into_step(ErrorName::ReleaseLockError, "writing the record"))?,
        }
    } else {
        let released = locks
            .along(records.along(&owner, &record))
            .release(&owner, &deployment.execution.arn)
            .await;
        released.map_err(|error| failed(error, "releasing the lock"))?;
    }
    measure(env, &deployment, &end);
    Ok(deployment)
}

/// How it ended, and how long its phases took: those that it came to.
fn measure(env: &Environment, deployment: &Deployment, end: &End) {
    let head = &deployment.release;
    env.measure(&Measure::Ended(head, Ended::As(end.outcome)));
    let times = &deployment.times;
    let at = |time: &Option<String>| time.as_deref().and_then(timestamp::parse);
    let started = timestamp::parse(&deployment.execution.started_at);
    let (validated, change_set, executed) = (at(&times.validated), at(&times.change_set), at(&times.executed));
    for (phase, from, to) in [
        (Phase::Validate, started, validated),
        (Phase::ChangeSet, validated, change_set),
        (Phase::Execute, change_set, executed),
        (Phase::Whole, started, Some(env.now())),
    ] {
        if let Some((from, to)) = from.zip(to) {
            env.measure(&Measure::Took(head, phase, to - from));
        }
    }
}

/// The team hears that something is left. To hear it twice is better than not at all.
async fn alert(env: &Environment, deployment: &Deployment, end: &End) -> Result<(), StepError> {
    let alert = Alert {
        tidings: Tidings::Dirty,
        head: &deployment.release,
        execution: &deployment.execution.arn,
        stack: deployment.stack.arn.as_ref().unwrap_or(&deployment.stack.name),
        reason: end.cause.as_deref().unwrap_or_default(),
    };
    alert.publish(env).await
}

/// Keeps the lock, marked dirty with the reason.
async fn keep(locks: &Locks, deployment: &Deployment, end: &End) -> Result<(), StepError> {
    let reason = end.cause.as_deref().unwrap_or_default();
    let marked = locks
        .mark_dirty(&deployment.release.owner(), &deployment.execution.arn, reason)
        .await;
    match marked {
        // Somebody removed or took it: there is nothing of ours to mark. The record and the alert still tell.
        Err(Error::Lost(_)) => {
            tracing::error!("the deploy ends dirty, and the lock is not held by this execution");
            Ok(())
        }
        other => other.map_err(|error| failed(error, "marking the lock as dirty")),
    }
}

fn failed(error: Error, doing: &str) -> StepError {
    match error {
        Error::Fault(fault) => fault.into_step(ErrorName::ReleaseLockError, doing),
        other => StepError::new(ErrorName::ReleaseLockError, format!("{doing}: {other}")),
    }
}

/// The final record. It names the result, the whole deployment in S3, if that could be stored: a lock is worse than a
/// gap, and what a person needs is in the record itself.
async fn record(env: &Environment, deployment: &Deployment, end: &End) -> Result<Record, StepError> {
    let head = &deployment.release;
    let body = serde_json::to_vec_pretty(deployment)
        .map_err(|error| StepError::new(ErrorName::ReleaseLockError, error.to_string()))?;
    let objects = Objects::new(&env.own_in(&head.owner.aws_region));
    let mut stored = deployment.stored();
    match objects.put_own(head, "result.json", "application/json", body).await {
        Ok(result) => {
            stored.insert("result".to_owned(), result);
        }
        Err(error) => tracing::error!(%error, "the record is written without the result"),
    }
    Ok(Record {
        release_id: head.release_id.clone(),
        status: end.outcome.into(),
        execution: deployment.execution.arn.clone(),
        operation: head.operation,
        started_at: deployment.execution.started_at.clone(),
        deadline: Some(head.deadline.clone()),
        ended_at: Some(timestamp::format(env.now())),
        metadata: metadata(&objects, deployment).await,
        stack: deployment.stack.name.clone(),
        stack_arn: deployment.stack.arn.clone(),
        no_changes: has_no_changes(deployment),
        error: end.error.clone(),
        cause: end.cause.clone(),
        stored,
        unlocked: None,
    })
}

/// What the release says of itself. Without it the end is written down all the same: a lock is worse than a gap.
async fn metadata(objects: &Objects, deployment: &Deployment) -> BTreeMap<String, String> {
    match objects.manifest(&deployment.release, &deployment.manifest).await {
        Ok(manifest) => manifest.metadata,
        Err(error) => {
            tracing::warn!(%error, "the record is written without the release's metadata");
            BTreeMap::new()
        }
    }
}

fn has_no_changes(deployment: &Deployment) -> bool {
    let change_set = deployment.change_set.as_ref();
    change_set.is_some_and(|change_set| change_set.status == ChangeSetStatus::NoChanges)
}
