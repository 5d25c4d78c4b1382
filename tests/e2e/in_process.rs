//! The real state machine, interpreted, with the real steps: each with the rights and settings of its Lambda.

use std::collections::BTreeMap;

use fenrir_core::deployment::{Deployment, Start};
use fenrir_core::error::StepError;
use fenrir_lambda::{Environment, Settings, Step};
use fenrir_testkit::{Application, Deployer, Ended, Failed, Machine, Task, root};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What a second of a Wait state lasts, as on the local Step Functions.
const WAIT_SCALE: f64 = 0.1;

/// Uploads the release and runs the machine to its end.
pub(crate) async fn deploy(deployer: &Deployer, application: &Application, release_id: &str) -> Ended {
    let release = deployer.upload(application, release_id).await;
    run(deployer, release_id, release).await
}

/// Runs the machine with any input.
pub(crate) async fn run(deployer: &Deployer, name: &str, input: Value) -> Ended {
    let environments = environments(deployer).await;
    let machine = Machine::new(definition(), tasks(&environments), WAIT_SCALE);
    let execution = deployer.state_machine().replace(":stateMachine:", ":execution:") + ":" + name;
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap();
    let run = machine.run(&execution, &now, input).await;
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

fn definition() -> Value {
    let text = std::fs::read_to_string(root().join("state_machine.asl.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The steps, by the name that the definition's substitution gives them.
const STEPS: [(&str, &Step); 8] = [
    ("${ValidateFunctionArn}", &validate::STEP),
    ("${LockFunctionArn}", &lock::STEP),
    ("${CreateChangeSetFunctionArn}", &create_changeset::STEP),
    ("${WaitChangeSetFunctionArn}", &wait_changeset::STEP),
    ("${ExecuteFunctionArn}", &execute::STEP),
    ("${WaitExecuteFunctionArn}", &wait_execute::STEP),
    ("${CleanUpFunctionArn}", &cleanup::STEP),
    ("${ReleaseLockFunctionArn}", &release_lock::STEP),
];

async fn environments(deployer: &Deployer) -> BTreeMap<&'static str, Environment> {
    let mut environments = BTreeMap::new();
    for (resource, step) in STEPS {
        let context = deployer.lambda(step.name).await;
        let settings = Settings::read(|name| context.environment.get(name).cloned()).unwrap();
        environments.insert(resource, Environment::new(step, settings, context.config));
    }
    environments
}

fn tasks<'a>(environments: &'a BTreeMap<&'static str, Environment>) -> BTreeMap<String, Task<'a>> {
    environments
        .iter()
        .map(|(resource, environment)| {
            let task: Task<'_> = Box::new(move |input| Box::pin(invoke(environment, input)));
            ((*resource).to_owned(), task)
        })
        .collect()
}

/// What `fenrir_lambda::serve` does with an event.
async fn invoke(environment: &Environment, input: Value) -> Result<Value, Failed> {
    let name = environment.step().name;
    let answer = if name == validate::STEP.name {
        let start: Start = serde_json::from_value(input).unwrap();
        Box::pin(validate::run(environment, start)).await
    } else {
        let deployment: Deployment = serde_json::from_value(input).unwrap();
        step(name, environment, deployment).await
    };
    answer
        .map(|deployment| serde_json::to_value(deployment).unwrap())
        .map_err(|error| Failed::of_lambda(error.name.as_str(), &error.message))
}

async fn step(name: &str, environment: &Environment, deployment: Deployment) -> Result<Deployment, StepError> {
    match name {
        "lock" => Box::pin(lock::run(environment, deployment)).await,
        "create-changeset" => Box::pin(create_changeset::run(environment, deployment)).await,
        "wait-changeset" => Box::pin(wait_changeset::run(environment, deployment)).await,
        "execute" => Box::pin(execute::run(environment, deployment)).await,
        "wait-execute" => Box::pin(wait_execute::run(environment, deployment)).await,
        "cleanup" => Box::pin(cleanup::run(environment, deployment)).await,
        "release-lock" => Box::pin(release_lock::run(environment, deployment)).await,
        other => panic!("no step `{other}`"),
    }
}
