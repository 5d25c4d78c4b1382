//! The whole deployer on the local AWS: the real state machine, the real steps, CloudFormation, IAM enforced.
//!
//! Each scenario runs twice: on the local Step Functions with the step Lambdas as they are shipped, and with the state
//! machine in process, where the same steps run as functions. Both must agree (`agreement`). One local AWS serves all tests of
//! this binary; each has a project of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod agreement;
mod bad_releases;
mod breakdowns;
mod command;
mod dashboard;
mod events;
mod failures;
mod halts;
mod people;
mod places;
mod plans;
mod project;
mod scenarios;
mod terminal;
mod workplace;

use std::sync::OnceLock;

use fenrir_testkit::{Application, Deployer, Ended};
use serde_json::Value;

/// The one installation.
fn deployer() -> &'static Deployer {
    static DEPLOYER: OnceLock<Deployer> = OnceLock::new();
    DEPLOYER.get_or_init(Deployer::install)
}

/// How the state machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// On the local Step Functions, with the step Lambdas.
    StepFunctions,
    /// Interpreted here, with the steps as functions.
    InProcess,
}

impl Way {
    /// A name that no other test has.
    fn name(self, scenario: &str) -> String {
        match self {
            Self::StepFunctions => format!("{scenario}-sf"),
            Self::InProcess => format!("{scenario}-ip"),
        }
    }

    /// Deploys, and waits for the end.
    async fn deploy(self, application: &Application, release_id: &str) -> Ended {
        self.deploy_with(deployer(), application, release_id).await
    }

    /// Deploys with this installation, and waits for the end.
    async fn deploy_with(self, deployer: &Deployer, application: &Application, release_id: &str) -> Ended {
        let ended = match self {
            Self::StepFunctions => deployer.deploy(application, release_id).await,
            Self::InProcess => fenrir_harness::deploy(deployer, application, release_id).await,
        };
        agreement::tell(deployer, application, release_id, &ended).await;
        ended
    }

    /// Runs the machine with any input for the application, and waits for the end.
    async fn run(self, application: &Application, name: &str, input: Value) -> Ended {
        let ended = match self {
            Self::StepFunctions => {
                let execution = deployer().start_execution(name, &input).await;
                deployer().end_of(&execution).await
            }
            Self::InProcess => fenrir_harness::run(deployer(), name, input).await,
        };
        agreement::tell(deployer(), application, name, &ended).await;
        ended
    }
}
