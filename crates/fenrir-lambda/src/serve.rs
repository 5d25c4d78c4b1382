//! From the Lambda's event to the step and back.

use std::time::Instant;

use fenrir_core::deployment::{Deployment, Failure, Start, cut};
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::problem::printable;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::{Instrument, Span};

use crate::environment::{Environment, Step};
use crate::logs;

/// Why the Lambda's process ended.
pub type Error = lambda_runtime::Error;

/// What a step takes: something that can say of which release it is, for the logs.
pub trait Subject: DeserializeOwned {
    /// A span with the release's fields. Values that the client sent go through [`printable`].
    fn span(&self, step: &'static str, request_id: &str) -> Span;
}

impl Subject for Deployment {
    fn span(&self, step: &'static str, request_id: &str) -> Span {
        let release = &self.release;
        tracing::info_span!(
            "step",
            step,
            request_id,
            release_id = release.release_id,
            project = release.owner.project_name,
            config = release.owner.config_name,
            account = release.owner.aws_account_id,
            region = release.owner.aws_region,
            execution = self.execution.arn,
        )
    }
}

impl Subject for Start {
    fn span(&self, step: &'static str, request_id: &str) -> Span {
        let field = |name: &str| printable(self.release.get(name).and_then(Value::as_str).unwrap_or_default());
        tracing::info_span!(
            "step",
            step,
            request_id,
            release_id = field("release_id"),
            project = field("project_name"),
            config = field("config_name"),
            account = field("aws_account_id"),
            region = field("aws_region"),
            execution = self.execution.arn,
        )
    }
}

/// What a step answers.
pub trait Answer: Serialize {
    /// What went wrong although the step itself did not fail, for the logs.
    fn failure(&self) -> Option<&str> {
        None
    }
}

impl Answer for Deployment {
    fn failure(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.error.as_str())
    }
}

/// Runs the Lambda of `step` until its process ends: decodes each event, runs the step, and turns its error into the
/// name and the sentence that Step Functions sees.
///
/// # Errors
/// When the settings are wrong or the Lambda runtime cannot be reached: the process is to end.
pub async fn serve<I, O, F>(step: &'static Step, run: F) -> Result<(), Error>
where
    I: Subject,
    O: Answer,
    F: AsyncFn(&Environment, I) -> Result<O, StepError>,
{
    logs::begin();
    let environment = Environment::load(step)?;
    let lambda = lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let request_id = event.context.request_id;
        let answer = invoke(&environment, &run, event.payload, &request_id).await;
        answer.map_err(|error| Diagnostic {
            error_type: error.name.to_string(),
            // Step Functions cuts a cause at 32 KiB, and half a JSON text is none: the sentence would be lost.
            error_message: cut(&error.message, Failure::CAUSE_LIMIT),
        })
    }));
    Box::pin(lambda).await
}

async fn invoke<I, O, F>(environment: &Environment, run: &F, event: Value, request_id: &str) -> Result<Value, StepError>
where
    I: Subject,
    O: Answer,
    F: AsyncFn(&Environment, I) -> Result<O, StepError>,
{
    let input: I = serde_json::from_value(event).map_err(|error| {
        let message = format!("this step was handed what it does not understand: {error}");
        tracing::error!(request_id, message);
        StepError::new(ErrorName::InternalError, message)
    })?;
    let span = input.span(environment.step().name, request_id);
    let began = Instant::now();
    // Boxed: the types of the SDK's futures nest so deeply that the compiler gives up on a step's main otherwise.
    let answer = Box::pin(run(environment, input)).instrument(span.clone()).await;
    span.in_scope(|| log(&answer, began));
    let answer = answer?;
    serde_json::to_value(&answer).map_err(|error| StepError::new(ErrorName::InternalError, error.to_string()))
}

fn log<O: Answer>(answer: &Result<O, StepError>, began: Instant) {
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match answer {
        Ok(answer) => tracing::info!(duration_ms, failure = answer.failure(), "done"),
        Err(error) => tracing::warn!(duration_ms, error = %error.name, cause = error.message, "failed"),
    }
}
