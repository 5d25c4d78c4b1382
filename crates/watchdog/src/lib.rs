//! The watchdog: no state of the machine, but what looks after executions that end outside it.
//!
//! An execution that is stopped by hand, that runs into the machine's own timeout or that breaks off never reaches
//! `ReleaseLock`. EventBridge tells of it, at best; so the watchdog also runs by the clock, over all records that still
//! say that their release has started. Of an event it believes only which execution is meant, and only of the deployer's
//! own machine: what happened is read from Step Functions, CloudFormation and the two tables (crate `fenrir-settle`).

use std::time::{Duration, Instant};

use aws_lambda_events::cloudwatch_events::CloudWatchEvent;
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::keys;
use fenrir_core::problem::printable;
use fenrir_lambda::metrics::Measure;
use fenrir_lambda::{Answer, Environment, Step, Subject};
use fenrir_settle::{Settlement, execution, settle};
use fenrir_store::Records;
use fenrir_store::records::Key;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{Instrument, Span};

/// Calls with the watchdog's own role.
pub const OWN_ACTIONS: &[&str] = &[
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "sns:Publish",
    "states:DescribeExecution",
    "states:GetExecutionHistory",
    "sts:AssumeRole",
    "sts:TagSession",
];
/// Calls with `fenrir-deployer`. A stack is deleted, and rolled back, with the role that is passed.
pub const DEPLOYER_ACTIONS: &[&str] = &[
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "iam:PassRole",
];
/// Who it is, in the form in which the steps say it.
pub const STEP: Step = Step {
    name: "watchdog",
    own_actions: OWN_ACTIONS,
    deployer_actions: DEPLOYER_ACTIONS,
};

/// How long one run begins with further releases. The last one may take [`fenrir_settle::PATIENCE`] and its calls
/// longer, and then the function's time is not over yet; what is not reached is reached the next time.
pub const BUDGET: Duration = Duration::from_mins(10);

/// What EventBridge hands over.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Event(CloudWatchEvent<Value>);

impl Event {
    /// The execution that an event of Step Functions names; `None` when the clock has struck.
    fn execution(&self) -> Result<Option<&str>, StepError> {
        let (source, kind) = (self.0.source.as_deref(), self.0.detail_type.as_deref());
        let detail = self.0.detail.as_ref();
        match (source, kind) {
            (Some("aws.events"), Some("Scheduled Event")) => Ok(None),
            (Some("aws.states"), Some("Step Functions Execution Status Change")) => {
                let execution = detail.and_then(|detail| detail.get("executionArn")?.as_str());
                execution
                    .map(Some)
                    .ok_or_else(|| refused("an event of Step Functions that names no execution"))
            }
            _ => Err(refused(
                "an event that is neither the clock's nor one of Step Functions",
            )),
        }
    }
}

fn refused(what: &str) -> StepError {
    StepError::new(
        ErrorName::InternalError,
        format!("the watchdog was handed {what}; nothing was touched"),
    )
}

impl Subject for Event {
    fn span(&self, step: &'static str, request_id: &str) -> Span {
        let execution = self.execution().ok().flatten();
        tracing::info_span!("step", step, request_id, execution)
    }
}

/// What one run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records that said that their release has started.
    pub open: usize,
    /// Of these: their execution runs.
    pub running: usize,
    /// Their stack is not at rest: looked at again the next time.
    pub left_alone: usize,
    /// Their end is written down now.
    pub settled: usize,
    /// Not reached in time: looked at the next time.
    pub not_reached: usize,
}

impl Answer for Report {}

/// Looks after the execution that the event names, or after all of them.
///
/// # Errors
/// The first error, when some release could not be looked after; the others were all the same.
pub async fn run(env: &Environment, event: Event) -> Result<Report, StepError> {
    let began = Instant::now();
    let keys = match event.execution()? {
        None => open(env, None).await?,
        Some(execution) if execution::is_ours(env, execution)? => {
            // The name of an execution is its release's id. A record that has this id and says another execution is
            // looked after all the same: by the execution that it says.
            open(env, execution.rsplit(':').next()).await?
        }
        Some(_) => return Err(refused("an execution of another state machine")),
    };
    let mut report = Report {
        open: keys.len(),
        ..Report::default()
    };
    let mut failures = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        if began.elapsed() > BUDGET {
            report.not_reached = keys.len() - number;
            tracing::warn!(
                not_reached = report.not_reached,
                "the time is over; the next run goes on"
            );
            break;
        }
        let span = tracing::info_span!("release", release_id = key.release_id, owner = key.owner);
        let settlement = Box::pin(look_after(env, key)).instrument(span.clone()).await;
        match settlement {
            Ok(Settlement::NothingToDo) => {}
            Ok(Settlement::Running) => report.running += 1,
            Ok(Settlement::LeftAlone) => report.left_alone += 1,
            Ok(Settlement::Settled(_)) => report.settled += 1,
            Err(error) => {
                span.in_scope(
                    || tracing::error!(error = %error.name, cause = error.message, "it could not be settled"),
                );
                failures.push(error);
            }
        }
    }
    if event.execution()?.is_none() {
        env.measure(&Measure::Watched(report.open - report.settled));
    }
    match failures.first() {
        None => Ok(report),
        Some(first) => Err(StepError::new(
            first.name,
            format!(
                "{} of {} releases could not be looked after; the first: {}",
                failures.len(),
                report.open,
                first.message
            ),
        )),
    }
}

async fn open(env: &Environment, release_id: Option<&str>) -> Result<Vec<Key>, StepError> {
    let records = Records::new(env.own(), &env.settings().releases_table);
    let keys = records.open(release_id).await;
    keys.map_err(|error| error.into_step(ErrorName::LockError, "reading which releases have not ended"))
}

async fn look_after(env: &Environment, key: &Key) -> Result<Settlement, StepError> {
    let Some(owner) = keys::parse_owner(&key.owner) else {
        return Err(StepError::new(
            ErrorName::InternalError,
            format!(
                "a record of release `{}` belongs to `{}`, which is no owner; an administrator looks who wrote it",
                printable(&key.release_id),
                printable(&key.owner)
            ),
        ));
    };
    settle(env, &owner, &key.release_id).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use serde_json::json;

    use super::*;

    fn event(source: &str, kind: &str, detail: &Value) -> Event {
        serde_json::from_value(json!({
            "version": "0", "id": "1", "detail-type": kind, "source": source, "account": "111111111111",
            "time": "2026-11-21T22:06:31Z", "region": "us-east-1", "resources": ["arn"], "detail": detail,
        }))
        .unwrap()
    }

    #[test]
    fn an_event_names_an_execution_or_is_the_clocks() {
        let status = "Step Functions Execution Status Change";
        let named = event(
            "aws.states",
            status,
            &json!({"executionArn": "arn:e", "status": "ABORTED"}),
        );
        assert_eq!(named.execution(), Ok(Some("arn:e")));
        assert_eq!(event("aws.events", "Scheduled Event", &json!({})).execution(), Ok(None));
        for other in [
            event("aws.states", status, &json!({})),
            event("aws.states", status, &json!({"executionArn": 1})),
            event("aws.states", "Scheduled Event", &json!({"executionArn": "arn:e"})),
            event("mine", status, &json!({"executionArn": "arn:e"})),
            event("", "", &Value::Null),
        ] {
            assert_eq!(other.execution().unwrap_err().name, ErrorName::InternalError);
        }
    }
}
