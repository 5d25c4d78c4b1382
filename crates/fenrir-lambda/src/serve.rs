//! From the Lambda's event to the step and back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use fenrir_aws::calls::{Tally, total};
use fenrir_core::deployment::{Deployment, Failure, Start, cut};
use fenrir_core::error::{ErrorName, StepError};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::{Instrument, Span};

use crate::environment::{Environment, Step};
use crate::logs;
use crate::metrics::Measure;

/// Why the Lambda's process ended.
pub type Error = lambda_runtime::Error;

/// What a step takes: something that can say of which release it is, for the logs.
pub trait Subject: DeserializeOwned {
    /// A span with the release's fields.
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
        // What the client says of itself, unproven: so much of it as a real one could need.
        let field = |name: &str| cut(self.release.get(name).and_then(Value::as_str).unwrap_or_default(), 100);
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
    let is_cold = AtomicBool::new(true);
    let lambda = lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let invocation = Invocation {
            request_id: &event.context.request_id,
            trace: event.context.xray_trace_id.as_deref(),
            is_cold: is_cold.swap(false, Ordering::Relaxed),
        };
        let answer = invoke(&environment, &run, event.payload, &invocation).await;
        environment.metrics().take().iter().for_each(|line| logs::print(line));
        answer.map_err(|error| Diagnostic {
            error_type: error.name.to_string(),
            // Step Functions cuts a cause at 32 KiB, and half a JSON text is none: the sentence would be lost.
            error_message: cut(&error.message, Failure::CAUSE_LIMIT),
        })
    }));
    Box::pin(lambda).await
}

/// What Lambda says of an invocation.
struct Invocation<'a> {
    request_id: &'a str,
    trace: Option<&'a str>,
    /// The first of its process.
    is_cold: bool,
}

async fn invoke<I, O, F>(
    environment: &Environment,
    run: &F,
    event: Value,
    invocation: &Invocation<'_>,
) -> Result<Value, StepError>
where
    I: Subject,
    O: Answer,
    F: AsyncFn(&Environment, I) -> Result<O, StepError>,
{
    let step = environment.step().name;
    let input: I = serde_json::from_value(event).map_err(|error| {
        let message = format!("this step was handed what it does not understand: {error}");
        tracing::error!(step, request_id = invocation.request_id, "{message}");
        environment.measure(&Measure::Failed(step, ErrorName::InternalError));
        StepError::new(ErrorName::InternalError, message)
    })?;
    let span = input.span(step, invocation.request_id);
    let began = Instant::now();
    // What an invocation that was cut off left behind is not this one's.
    let _ = environment.calls().take();
    // Boxed: the types of the SDK's futures nest so deeply that the compiler gives up on a step's main otherwise.
    let answer = Box::pin(run(environment, input)).instrument(span.clone()).await;
    let tally = environment.calls().take();
    span.in_scope(|| log(&answer, began, &tally, invocation));
    measure(environment, answer.as_ref().err(), &tally);
    let answer = answer?;
    serde_json::to_value(&answer).map_err(|error| StepError::new(ErrorName::InternalError, error.to_string()))
}

fn log<O: Answer>(answer: &Result<O, StepError>, began: Instant, tally: &Tally, invocation: &Invocation<'_>) {
    let (failure, error) = match answer {
        Ok(answer) => (answer.failure(), None),
        Err(error) => (None, Some(error)),
    };
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    // Macros want the level as a constant, so a span carries what both lines have in common.
    let span = tracing::info_span!(
        "invocation",
        duration_ms,
        failure,
        error = error.map(|error| error.name.as_str()),
        cause = error.map(|error| error.message.as_str()),
        calls = total(&tally.calls),
        retries = total(&tally.retries),
        throttles = total(&tally.throttles),
        called = list(&tally.calls),
        tried_again = list(&tally.retries),
        throttled = list(&tally.throttles),
        cold = invocation.is_cold,
        trace = invocation.trace,
    );
    span.in_scope(|| {
        if error.is_some() {
            tracing::warn!("failed");
        } else {
            tracing::info!("done");
        }
    });
}

/// `dynamodb:PutItem 1, sts:AssumeRole 1`; nothing when there is nothing.
fn list(counts: &BTreeMap<String, u64>) -> Option<String> {
    let list: Vec<String> = counts
        .iter()
        .map(|(action, count)| format!("{action} {count}"))
        .collect();
    (!list.is_empty()).then(|| list.join(", "))
}

fn measure(environment: &Environment, error: Option<&StepError>, tally: &Tally) {
    let step = environment.step().name;
    let retries = total(&tally.retries);
    if retries > 0 {
        environment.measure(&Measure::Retries(step, retries));
    }
    let mut throttles: BTreeMap<&str, u64> = BTreeMap::new();
    for (action, count) in &tally.throttles {
        let service = action.split(':').next().unwrap_or_default();
        *throttles.entry(service).or_default() += count;
    }
    for (service, count) in throttles {
        environment.measure(&Measure::Throttles(service, count));
    }
    // To refuse is no fault.
    let fault = error.filter(|error| !matches!(error.name, ErrorName::BadReleaseError | ErrorName::LockExistsError));
    if let Some(fault) = fault {
        environment.measure(&Measure::Failed(step, fault.name));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use fenrir_testkit::{Answer as Recording, Recorded};
    use serde_json::json;

    use super::*;
    use crate::Settings;

    const STEP: Step = Step {
        name: "lock",
        own_actions: &[],
        deployer_actions: &[],
    };

    fn start(project: &str) -> Value {
        json!({
            "execution": {"arn": "arn:e", "name": "release-1", "started_at": "2026-11-21T22:06:31Z"},
            "release": {"release_id": "release-1", "project_name": project, "config_name": "c",
                        "aws_account_id": "222222222222", "aws_region": "eu-west-1", "template": {"secret": "s3cr3t"}},
        })
    }

    #[derive(Serialize)]
    struct Empty {}

    impl Answer for Empty {}

    /// Who am I, twice.
    async fn twice(env: &Environment, _: Start) -> Result<Empty, StepError> {
        let client = aws_sdk_sts::Client::new(env.own());
        for _ in 0..2 {
            let answer = client.get_caller_identity().send().await;
            answer.map_err(|error| {
                let fault = fenrir_aws::fault("sts:GetCallerIdentity", &error);
                fault.into_step(ErrorName::LockError, "asking who I am")
            })?;
        }
        Ok(Empty {})
    }

    /// What the step logs, and what it measures.
    async fn invoked(answers: Vec<Recording>, event: Value) -> (Vec<Value>, Vec<Value>) {
        let server = Recorded::start(answers);
        let environment =
            Environment::new(&STEP, Settings::default(), server.config().await).hurried(Duration::from_secs(5), 0.001);
        let written = Arc::new(Mutex::new(Vec::<Value>::new()));
        let sink = Arc::clone(&written);
        let lines = logs::subscriber(move |line| sink.lock().unwrap().push(serde_json::from_str(line).unwrap()));
        let invocation = Invocation {
            request_id: "request-1",
            trace: Some("Root=1-2-3"),
            is_cold: true,
        };
        let guard = tracing::subscriber::set_default(lines);
        let _ = invoke(&environment, &twice, event, &invocation).await;
        drop(guard);
        let metrics = environment.metrics().take();
        let lines = written.lock().unwrap().clone();
        let metrics = metrics.iter().map(|line| serde_json::from_str(line).unwrap());
        (lines, metrics.collect())
    }

    fn identity() -> Recording {
        Recording::xml(
            200,
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>\
             </GetCallerIdentityResponse>",
        )
    }

    fn error(status: u16, code: &str) -> Recording {
        Recording::xml(
            status,
            format!("<ErrorResponse><Error><Code>{code}</Code><Message>slow\ndown</Message></Error></ErrorResponse>"),
        )
    }

    #[tokio::test]
    async fn a_step_logs_whose_it_was_how_long_it_took_and_what_it_asked_of_aws() {
        let answers = vec![
            error(400, "Throttling"),
            error(500, "InternalFailure"),
            identity(),
            identity(),
        ];
        let (lines, metrics) = invoked(answers, start("payments")).await;
        let mut line = lines.last().unwrap().as_object().unwrap().clone();
        assert!(line.remove("duration_ms").unwrap().is_u64() && line.remove("time").unwrap().is_string());
        assert_eq!(
            Value::Object(line),
            json!({
                "level": "INFO", "message": "done",
                "calls": 2, "called": "sts:GetCallerIdentity 2",
                "retries": 2, "tried_again": "sts:GetCallerIdentity 2",
                "throttles": 1, "throttled": "sts:GetCallerIdentity 1",
                "cold": true, "trace": "Root=1-2-3",
                "step": "lock", "request_id": "request-1", "execution": "arn:e", "release_id": "release-1",
                "project": "payments", "config": "c", "account": "222222222222", "region": "eu-west-1",
            })
        );
        assert_eq!(metrics.len(), 2, "{metrics:?}");
        assert_eq!(
            (&metrics[0]["Retries"], &metrics[0]["Step"]),
            (&json!(2), &json!("lock"))
        );
        assert_eq!(
            (&metrics[1]["Throttles"], &metrics[1]["Service"]),
            (&json!(1), &json!("sts"))
        );
    }

    #[tokio::test]
    async fn a_step_that_fails_says_why_and_is_counted() {
        let (lines, metrics) = invoked(vec![error(400, "Throttling")], start("payments")).await;
        let line = lines.last().unwrap();
        assert_eq!(
            (&line["level"], &line["message"], &line["error"]),
            (&json!("WARN"), &json!("failed"), &json!("TransientError"))
        );
        assert!(line["cause"].as_str().unwrap().contains("slow"), "{line}");
        assert_eq!(
            (&line["calls"], &line["retries"], &line["throttles"]),
            (&json!(1), &json!(3), &json!(4))
        );
        let failed = metrics.last().unwrap();
        assert_eq!(
            (&failed["StepErrors"], &failed["Step"], &failed["Error"]),
            (&json!(1), &json!("lock"), &json!("TransientError"))
        );
    }

    #[tokio::test]
    async fn what_a_client_sends_is_neither_believed_nor_logged_at_length() {
        let evil = format!("{}\n{{\"level\":\"INFO\"}}\u{202e}", "p".repeat(100_000));
        let (lines, metrics) = invoked(vec![identity()], start(&evil)).await;
        let line = lines.last().unwrap();
        assert!(line["project"].as_str().unwrap().len() <= 100);
        let text = json!([lines, metrics]).to_string();
        assert!(!text.contains("s3cr3t") && !text.contains('\u{202e}'), "{text}");
        assert!(metrics.is_empty(), "{metrics:?}");
    }

    #[tokio::test]
    async fn an_event_that_is_none_is_an_error_of_the_step() {
        let (lines, metrics) = invoked(vec![identity()], json!({"release": "s3cr3t"})).await;
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["request_id"], "request-1");
        assert!(!lines[0].to_string().contains("s3cr3t"), "{}", lines[0]);
        assert_eq!(metrics[0]["Error"], "InternalError");
    }
}
