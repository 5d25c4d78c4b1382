//! The alert of a dirty end: what the team hears.

use fenrir_core::deployment::{Deployment, End, cut};
use fenrir_core::error::{ErrorName, FaultKind, StepError};
use fenrir_core::problem::printable;
use fenrir_lambda::Environment;

/// Characters of a subject (SNS, `Publish`: fewer than 100, ASCII, no line break).
const SUBJECT_LIMIT: usize = 99;

/// Publishes the alert. A second one of the same deploy is better than none.
///
/// # Errors
/// `TransientError`: it is tried again. A missing right or topic is logged only, because the deploy must end: the rule on
/// failed executions is the second way to hear of it.
pub(crate) async fn publish(env: &Environment, deployment: &Deployment, end: &End) -> Result<(), StepError> {
    let Some(topic) = &env.settings().alert_topic else {
        tracing::error!("nobody hears of the dirty end: `FENRIR_ALERT_TOPIC` is not set");
        return Ok(());
    };
    let sent = aws_sdk_sns::Client::new(env.own())
        .publish()
        .topic_arn(topic)
        .subject(subject(deployment))
        .message(message(deployment, end))
        .send()
        .await;
    let Err(error) = sent else { return Ok(()) };
    let fault = fenrir_aws::fault("sns:Publish", &error);
    if fault.kind == FaultKind::Transient {
        return Err(fault.into_step(ErrorName::ReleaseLockError, "publishing the alert"));
    }
    tracing::error!(fault = %fault, topic, "the alert could not be published");
    Ok(())
}

fn subject(deployment: &Deployment) -> String {
    let owner = &deployment.release.owner;
    cut(
        &format!("FailureDirty: {} {}", owner.project_name, owner.config_name),
        SUBJECT_LIMIT,
    )
}

fn message(deployment: &Deployment, end: &End) -> String {
    let owner = &deployment.release.owner;
    let region = deployment.execution.arn.split(':').nth(3).unwrap_or_default();
    format!(
        "a deploy failed and left something behind; its lock stays until somebody has looked\n\
         project: {}\nconfig: {}\naccount: {}\nregion: {}\nrelease: {}\nstack: {}\nreason: {}\n\
         execution: https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{}\n",
        owner.project_name,
        owner.config_name,
        owner.aws_account_id,
        owner.aws_region,
        deployment.release.release_id,
        deployment.stack.arn.as_ref().unwrap_or(&deployment.stack.name),
        printable(end.cause.as_deref().unwrap_or_default()),
        deployment.execution.arn,
    )
}
