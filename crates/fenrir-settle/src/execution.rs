//! What Step Functions says of an execution.

use fenrir_core::deployment::Deployment;
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::problem::printable;
use fenrir_lambda::Environment;
use time::OffsetDateTime;

/// Events that are read from the end of a history. The last state is among them: a task that is tried again and again
/// has four events for each try (Step Functions API, `HistoryEvent`), and the machine tries none more than 40 times.
pub const LAST_EVENTS: i32 = 300;

/// For so long after its execution was stopped a step may still run: a function lives for 15 minutes at most (Lambda
/// quotas, "Function timeout"), and clocks differ.
pub(crate) const LONGEST_STEP: time::Duration = time::Duration::minutes(16);

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Somebody stopped it.
    Aborted,
    /// It ran into the machine's own timeout.
    TimedOut,
    /// It failed.
    Failed,
    /// It succeeded.
    Succeeded,
    /// Nobody knows any more: Step Functions forgets an execution 90 days after its end (Step Functions quotas,
    /// "Execution history retention time").
    Forgotten,
}

impl How {
    /// As the history of an execution calls its end.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aborted => "ExecutionAborted",
            Self::TimedOut => "ExecutionTimedOut",
            Self::Failed => "ExecutionFailed",
            Self::Succeeded => "ExecutionSucceeded",
            Self::Forgotten => "ExecutionForgotten",
        }
    }
}

/// An execution that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub how: How,
    /// When, where it is known.
    pub at: Option<OffsetDateTime>,
    /// Its error, printable; empty when it has none.
    pub error: String,
    /// Its cause, printable; empty when it has none.
    pub cause: String,
}

impl Ended {
    /// Until when one of its functions may still run; `None` when none does. A step that has verified the lock goes on
    /// when its execution is stopped, and CloudFormation knows no fencing token that would stop it.
    #[must_use]
    pub fn may_run_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        match self.how {
            How::Succeeded | How::Forgotten => return None,
            // The machine's own Fail states come after the answer of its last step.
            How::Failed if self.error.starts_with("Failure") => return None,
            How::Aborted | How::TimedOut | How::Failed => {}
        }
        let until = self.at.unwrap_or(now) + LONGEST_STEP;
        (now < until).then_some(until)
    }

    /// For how long it has been at its end; the whole of time when nobody knows.
    #[must_use]
    pub fn since(&self, now: OffsetDateTime) -> time::Duration {
        self.at.map_or(time::Duration::MAX, |at| now - at)
    }
}

/// The state in which an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastState {
    /// Its name.
    pub name: String,
    /// What it was handed; none before Lock, where it is the client's.
    pub deployment: Option<Deployment>,
}

/// Whether this is an execution of the deployer's own state machine.
///
/// # Errors
/// `InternalError` when the installation does not say which machine that is.
pub fn is_ours(env: &Environment, execution: &str) -> Result<bool, StepError> {
    let machine = env.required("FENRIR_STATE_MACHINE", env.settings().state_machine.as_ref())?;
    let ours = format!("{}:", machine.replacen(":stateMachine:", ":execution:", 1));
    let name = execution.strip_prefix(&ours);
    Ok(name.is_some_and(|name| !name.is_empty() && !name.contains(':')))
}

/// How an execution of this state machine has ended; `None` while it runs. What is no such execution has not ended: only
/// who knows what it is may say so.
///
/// # Errors
/// `TransientError`; `InternalError` for a missing right; otherwise `name`.
pub async fn ended(env: &Environment, execution: &str, name: ErrorName) -> Result<Option<Ended>, StepError> {
    if !is_ours(env, execution)? {
        return Ok(None);
    }
    let answer = aws_sdk_sfn::Client::new(env.own())
        .describe_execution()
        .execution_arn(execution)
        .send()
        .await;
    let found = match answer.map_err(|error| fenrir_aws::fault("states:DescribeExecution", &error)) {
        Ok(found) => found,
        Err(fault) if fault.is("ExecutionDoesNotExist") => {
            return Ok(Some(Ended {
                how: How::Forgotten,
                at: None,
                error: String::new(),
                cause: String::new(),
            }));
        }
        Err(fault) => return Err(fault.into_step(name, "looking at the execution that holds the lock")),
    };
    let how = match found.status().as_str() {
        "ABORTED" => How::Aborted,
        "TIMED_OUT" => How::TimedOut,
        "FAILED" => How::Failed,
        "SUCCEEDED" => How::Succeeded,
        // `RUNNING`, `PENDING_REDRIVE`, and what is younger than Fenrir.
        _ => return Ok(None),
    };
    let at = found
        .stop_date()
        .map(|at| OffsetDateTime::from_unix_timestamp(at.secs()));
    Ok(Some(Ended {
        how,
        at: at.and_then(Result::ok),
        error: printable(found.error().unwrap_or_default()),
        cause: printable(found.cause().unwrap_or_default()),
    }))
}

/// The state in which the execution ended; `None` when its history is gone.
///
/// # Errors
/// As [`ended`].
pub async fn last_state(env: &Environment, execution: &str, name: ErrorName) -> Result<Option<LastState>, StepError> {
    let answer = aws_sdk_sfn::Client::new(env.own())
        .get_execution_history()
        .execution_arn(execution)
        .reverse_order(true)
        .max_results(LAST_EVENTS)
        .send()
        .await;
    let found = match answer.map_err(|error| fenrir_aws::fault("states:GetExecutionHistory", &error)) {
        Ok(found) => found,
        Err(fault) if fault.is("ExecutionDoesNotExist") => return Ok(None),
        Err(fault) => return Err(fault.into_step(name, "reading the history of the execution")),
    };
    let entered = found
        .events()
        .iter()
        .find_map(|event| event.state_entered_event_details());
    Ok(entered.map(|state| LastState {
        name: printable(state.name()),
        deployment: state
            .input()
            .and_then(|input| serde_json::from_str::<Deployment>(input).ok())
            // The states that refuse a release hold what the client sent.
            .filter(|deployment| deployment.execution.arn == execution),
    }))
}
