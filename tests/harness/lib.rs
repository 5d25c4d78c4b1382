//! The real state machine, interpreted, with the real steps: each with the rights and settings of its Lambda.
//!
//! What the tests of the whole share: `e2e` compares it with the local Step Functions, `faults` breaks what it calls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "a harness that cannot go on fails the test"
)]

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use fenrir_core::deployment::{Deployment, Failure, Start, cut};
use fenrir_core::error::{ErrorName, StepError};
use fenrir_lambda::{Environment, Settings, Step};
use fenrir_testkit::{Application, Deployer, Ended, Failed, Machine, Run, Task, root};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What a second of a Wait state and of a retry pause lasts, as on the local Step Functions.
pub const WAIT_SCALE: f64 = 0.1;

/// The steps, by the name that the definition's substitution gives them.
pub const STEPS: [(&str, &Step); 8] = [
    ("${ValidateFunctionArn}", &validate::STEP),
    ("${LockFunctionArn}", &lock::STEP),
    ("${CreateChangeSetFunctionArn}", &create_changeset::STEP),
    ("${WaitChangeSetFunctionArn}", &wait_changeset::STEP),
    ("${ExecuteFunctionArn}", &execute::STEP),
    ("${WaitExecuteFunctionArn}", &wait_execute::STEP),
    ("${CleanUpFunctionArn}", &cleanup::STEP),
    ("${ReleaseLockFunctionArn}", &release_lock::STEP),
];

/// What a Lambda answers.
pub type Answer = Result<Value, Failed>;

/// What invokes the Lambda of a step, named by its crate, with an event.
pub type Invoke<'a> = dyn Fn(&'static str, Value) -> Pin<Box<dyn Future<Output = Answer> + 'a>> + 'a;

/// Uploads the release and runs the machine to its end.
pub async fn deploy(deployer: &Deployer, application: &Application, release_id: &str) -> Ended {
    let release = deployer.upload(application, release_id).await;
    run(deployer, release_id, release).await
}

/// Runs the machine with any input.
pub async fn run(deployer: &Deployer, name: &str, input: Value) -> Ended {
    let steps = Steps::of(deployer).await;
    let invoke: Box<Invoke<'_>> = Box::new(|step, event| Box::pin(steps.invoke(step, event)));
    let run = execute(deployer, &machine(&*invoke, WAIT_SCALE), name, input).await;
    ended(run)
}

/// The machine whose Lambdas are what `invoke` invokes.
pub fn machine<'m, 'a: 'm>(invoke: &'m Invoke<'a>, wait_scale: f64) -> Machine<'m> {
    let text = std::fs::read_to_string(root().join("state_machine.asl.json")).unwrap();
    let tasks = STEPS
        .iter()
        .map(|(resource, step)| {
            let task: Task<'_> = Box::new(move |event| invoke(step.name, event));
            ((*resource).to_owned(), task)
        })
        .collect();
    Machine::new(serde_json::from_str(&text).unwrap(), tasks, wait_scale)
}

/// The ARN of the execution of this name.
pub fn execution_arn(deployer: &Deployer, name: &str) -> String {
    deployer.state_machine().replace(":stateMachine:", ":execution:") + ":" + name
}

/// Runs an execution that starts now. Whoever asks the local Step Functions hears that it runs, and how it ended.
pub async fn execute(deployer: &Deployer, machine: &Machine<'_>, name: &str, input: Value) -> Run {
    execute_since(deployer, machine, name, input, OffsetDateTime::now_utc()).await
}

/// Runs an execution as if it had started at `started`.
pub async fn execute_since(
    deployer: &Deployer,
    machine: &Machine<'_>,
    name: &str,
    input: Value,
    started: OffsetDateTime,
) -> Run {
    let arn = execution_arn(deployer, name);
    deployer.aws().tell_execution(&arn, "RUNNING", None);
    let run = machine.run(&arn, &started.format(&Rfc3339).unwrap(), input).await;
    let status = if run.outcome.is_ok() { "SUCCEEDED" } else { "FAILED" };
    deployer.aws().tell_execution(&arn, status, run.outcome.as_ref().err());
    run
}

/// How a run ended, in the words of Step Functions.
pub fn ended(run: Run) -> Ended {
    let path = run.folded_path();
    match run.outcome {
        Ok(_) => Ended {
            status: "SUCCEEDED".to_owned(),
            error: String::new(),
            cause: String::new(),
            path,
        },
        Err(failed) => Ended {
            status: "FAILED".to_owned(),
            error: failed.error,
            cause: failed.cause,
            path,
        },
    }
}

/// The Lambdas of all steps, and the watchdog.
#[derive(Debug)]
pub struct Steps {
    environments: BTreeMap<&'static str, Environment>,
}

impl Steps {
    /// With the rights and settings that the installation gives them.
    pub async fn of(deployer: &Deployer) -> Self {
        let mut environments = BTreeMap::new();
        let mut http = None;
        for step in STEPS.map(|(_, step)| step).into_iter().chain([&watchdog::STEP]) {
            let context = deployer.lambda(step.name).await;
            let settings = Settings::read(|name| context.environment.get(name).cloned()).unwrap();
            // One for all: each of its own would read the system's certificates anew.
            let http = http.get_or_insert(context.config.http_client()).clone();
            let mut config = context.config.into_builder();
            config.set_http_client(http);
            environments.insert(step.name, Environment::new(step, settings, config.build()));
        }
        Self { environments }
    }

    /// As [`Environment::hurried`].
    #[must_use]
    pub fn hurried(self, attempt: Duration, pace: f64) -> Self {
        let hurried = self.environments.into_iter();
        Self {
            environments: hurried
                .map(|(name, environment)| (name, environment.hurried(attempt, pace)))
                .collect(),
        }
    }

    /// Does what `fenrir_lambda::serve` does with an event.
    pub async fn invoke(&self, step: &str, event: Value) -> Answer {
        let env = &self.environments[step];
        let answer = match step {
            "validate" => to_value(Box::pin(async { validate::answer(env, decode::<Start>(event)?).await }).await),
            "watchdog" => to_value(Box::pin(async { watchdog::run(env, decode(event)?).await }).await),
            _ => to_value(self.go_on(step, event).await),
        };
        answer.map_err(|error| Failed::of_lambda(error.name.as_str(), &cut(&error.message, Failure::CAUSE_LIMIT)))
    }

    async fn go_on(&self, step: &str, event: Value) -> Result<Deployment, StepError> {
        let (env, deployment) = (&self.environments[step], decode(event)?);
        match step {
            "lock" => Box::pin(lock::run(env, deployment)).await,
            "create-changeset" => Box::pin(create_changeset::run(env, deployment)).await,
            "wait-changeset" => Box::pin(wait_changeset::run(env, deployment)).await,
            "execute" => Box::pin(execute::run(env, deployment)).await,
            "wait-execute" => Box::pin(wait_execute::run(env, deployment)).await,
            "cleanup" => Box::pin(cleanup::run(env, deployment)).await,
            "release-lock" => Box::pin(release_lock::run(env, deployment)).await,
            other => panic!("no step `{other}`"),
        }
    }
}

fn to_value(answer: Result<impl Serialize, StepError>) -> Result<Value, StepError> {
    answer.map(|answer| serde_json::to_value(answer).unwrap())
}

fn decode<I: DeserializeOwned>(event: Value) -> Result<I, StepError> {
    serde_json::from_value(event).map_err(|error| {
        let message = format!("the state machine handed over what this step does not understand: {error}");
        StepError::new(ErrorName::InternalError, message)
    })
}
