//! Fenrir, installed in a local AWS by what `fenrir bootstrap` stands on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_cloudformation::types::Stack;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sfn::config::Credentials;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use fenrir_core::owner::Owner;
use fenrir_core::{house, keys, names};
use fenrir_install::bucket::Bucket;
use fenrir_install::lambdas::Code;
use fenrir_install::package;
use fenrir_install::stacks::OwnStacks;
use fenrir_install::template::{Kind, Local};
use serde_json::{Value, json};

use crate::local_aws::{LocalAws, root};
use crate::{Application, Run};

/// How long an execution may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_mins(3);

/// An installed deployer.
#[derive(Debug)]
pub struct Deployer {
    aws: LocalAws,
    bucket: String,
    state_machine: String,
    config: Option<SdkConfig>,
}

/// What a step's Lambda runs with.
pub struct LambdaContext {
    /// Clients with the credentials of the step's role.
    pub config: SdkConfig,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
}

/// What the table says of an owner's deploys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// What is said to be deployed.
    pub deployed: Option<String>,
    /// What is said to have ended last.
    pub last: Option<String>,
    /// When they ended and started, release id and status of all deploys that have ended; by time.
    pub ended: Vec<((String, String), String, String)>,
}

impl Standing {
    /// Whether what is deployed and what ended last are the newest records, of deploys that were made one after another.
    pub fn agrees(&self) -> bool {
        let is_newest = |named: Option<&String>, of: &mut dyn Iterator<Item = &((String, String), String, String)>| {
            let of: Vec<_> = of.collect();
            let newest = of.last().map(|(times, ..)| times);
            named.is_some() != of.is_empty()
                && of
                    .iter()
                    .any(|(times, id, _)| Some(times) == newest && Some(id) == named)
                    == named.is_some()
        };
        let mut succeeded = self.ended.iter().filter(|(.., status)| status == "SUCCESS");
        is_newest(self.last.as_ref(), &mut self.ended.iter()) && is_newest(self.deployed.as_ref(), &mut succeeded)
    }
}

/// How an execution ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// Error of a failed execution.
    pub error: String,
    /// Cause of a failed execution.
    pub cause: String,
    /// States entered, in order, repeated polls folded into one.
    pub path: Vec<String>,
}

impl Deployer {
    /// The deployer's own account, which is also a target.
    pub const ACCOUNT: &'static str = "111111111111";
    /// Another target account.
    pub const OTHER_ACCOUNT: &'static str = "222222222222";
    /// An account on the deployer's list that has no account stack.
    pub const CLOSED_ACCOUNT: &'static str = "444444444444";
    /// The deployer's region.
    pub const REGION: &'static str = LocalAws::REGION;
    /// Another region that may be deployed to, with a bucket of its own.
    pub const OTHER_REGION: &'static str = "eu-west-1";
    /// A region on the deployer's list that has no bucket.
    pub const CLOSED_REGION: &'static str = "ap-southeast-2";
    /// Another one, for a test that gives the bucket's name to somebody else.
    pub const TAKEN_REGION: &'static str = "ca-central-1";

    /// Starts a local AWS and installs Fenrir in it, from the templates and the step Lambdas of this repository.
    pub fn install() -> Self {
        Self::install_with(&lambdas())
    }

    /// As [`Deployer::install`], for the machine in process: Lambdas that are never invoked stand in for the steps, so
    /// that none need be built.
    pub fn install_in_process() -> Self {
        let folder = tempfile::tempdir().unwrap();
        stand_ins(folder.path());
        let deployer = Self::install_with(folder.path());
        // Nobody is there to hear of the table's stream.
        deployer.aws.turn(&json!({"streams": 0}));
        deployer
    }

    fn install_with(lambdas: &Path) -> Self {
        let aws = LocalAws::start(&["--stack-seconds", "0", "--change-set-seconds", "0.05"]);
        // On a thread of its own: whoever calls may have a runtime, which must not be blocked.
        std::thread::scope(|scope| {
            let installing = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(install(&aws, lambdas));
            });
            installing.join().unwrap();
        });
        aws.turn(&json!({"stack_seconds": 0.1, "change_set_seconds": 0.2}));
        Self {
            aws,
            bucket: house::bucket(Self::ACCOUNT, Self::REGION),
            state_machine: format!(
                "arn:aws:states:{}:{}:stateMachine:{}",
                Self::REGION,
                Self::ACCOUNT,
                house::STATE_MACHINE
            ),
            config: None,
        }
    }

    /// The local AWS it is installed in.
    pub fn aws(&self) -> &LocalAws {
        &self.aws
    }

    /// The bucket for releases of the home region.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// ARN of the state machine.
    pub fn state_machine(&self) -> &str {
        &self.state_machine
    }

    /// An application of `project` in the deployer's own account.
    pub fn application(&self, project: &str) -> Application {
        Application::new(project, Self::ACCOUNT, Self::REGION, self.bucket())
    }

    /// An application of `project` elsewhere, deployed through the deployer's bucket of that region.
    pub fn application_in(&self, project: &str, account: &str, region: &str) -> Application {
        Application::new(project, account, region, &house::bucket(Self::ACCOUNT, region))
    }

    /// Clients of the deployer's account.
    pub async fn config(&self) -> SdkConfig {
        match &self.config {
            Some(config) => config.clone(),
            None => self.aws.config(Self::ACCOUNT, Self::REGION).await,
        }
    }

    /// Makes these clients once, for whoever uses one runtime only: their connections belong to the one at hand. To make
    /// them anew reads the system's certificates each time.
    pub async fn keep_config(&mut self) {
        self.config = Some(self.config().await);
    }

    async fn config_of(&self, owner: &Owner) -> SdkConfig {
        if owner.account == Self::ACCOUNT && owner.region == Self::REGION {
            return self.config().await;
        }
        self.aws.config(&owner.account, &owner.region).await
    }

    /// Uploads the release into the bucket of its region, and returns it as JSON.
    pub async fn upload(&self, application: &Application, release_id: &str) -> Value {
        let config = self.aws.config(Self::ACCOUNT, &application.owner().region).await;
        application.upload(&config, release_id).await
    }

    /// What the Lambda of the step `crate_name` runs with.
    pub async fn lambda(&self, crate_name: &str) -> LambdaContext {
        let query = format!(
            "lambda?account={}&region={}&name=fenrir-{crate_name}",
            Self::ACCOUNT,
            Self::REGION
        );
        let found = self.aws.control("GET", &query, &Value::Null);
        let key = |name: &str| found["credentials"][name].as_str().unwrap();
        let credentials = Credentials::new(
            key("AWS_ACCESS_KEY_ID"),
            key("AWS_SECRET_ACCESS_KEY"),
            Some(key("AWS_SESSION_TOKEN").to_owned()),
            None,
            "lambda",
        );
        LambdaContext {
            config: self.aws.config_of(credentials, Self::REGION).await,
            environment: serde_json::from_value(found["environment"].clone()).unwrap(),
        }
    }

    /// Uploads the release and starts its execution.
    pub async fn start(&self, application: &Application, release_id: &str) -> String {
        let release = self.upload(application, release_id).await;
        self.start_execution(release_id, &release).await
    }

    /// Starts an execution with any input.
    pub async fn start_execution(&self, name: &str, input: &Value) -> String {
        let started = aws_sdk_sfn::Client::new(&self.config().await)
            .start_execution()
            .state_machine_arn(self.state_machine())
            .name(name)
            .input(input.to_string())
            .send()
            .await
            .unwrap();
        started.execution_arn
    }

    /// Waits until the execution has ended.
    pub async fn end_of(&self, execution_arn: &str) -> Ended {
        let machines = aws_sdk_sfn::Client::new(&self.config().await);
        let began = Instant::now();
        loop {
            let found = machines
                .describe_execution()
                .execution_arn(execution_arn)
                .send()
                .await
                .unwrap();
            if *found.status() != ExecutionStatus::Running {
                return Ended {
                    status: found.status().as_str().to_owned(),
                    error: found.error().unwrap_or_default().to_owned(),
                    cause: found.cause().unwrap_or_default().to_owned(),
                    path: fold(&self.states_entered(execution_arn).await),
                };
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{execution_arn} still runs: {:?}",
                fold(&self.states_entered(execution_arn).await)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Uploads, starts, and waits for the end.
    pub async fn deploy(&self, application: &Application, release_id: &str) -> Ended {
        let execution = self.start(application, release_id).await;
        self.end_of(&execution).await
    }

    /// The states the execution entered, from its history.
    pub async fn states_entered(&self, execution_arn: &str) -> Vec<String> {
        let mut pages = aws_sdk_sfn::Client::new(&self.config().await)
            .get_execution_history()
            .execution_arn(execution_arn)
            .into_paginator()
            .items()
            .send();
        let mut states = Vec::new();
        while let Some(event) = pages.next().await {
            states.extend(entered(&event.unwrap()));
        }
        states
    }

    /// The stack of this owner, if there is one (in review, too).
    pub async fn stack(&self, owner: &Owner) -> Option<Stack> {
        let config = self.config_of(owner).await;
        let found = aws_sdk_cloudformation::Client::new(&config)
            .describe_stacks()
            .stack_name(names::stack(owner))
            .send()
            .await
            .ok()?;
        found.stacks().first().cloned()
    }

    /// Names of the change sets that the owner's stack still has and that were not executed.
    pub async fn change_sets(&self, owner: &Owner) -> Vec<String> {
        let config = self.config_of(owner).await;
        let found = aws_sdk_cloudformation::Client::new(&config)
            .list_change_sets()
            .stack_name(names::stack(owner))
            .send()
            .await;
        let Ok(found) = found else { return Vec::new() };
        found
            .summaries()
            .iter()
            .filter(|summary| {
                let status = summary.execution_status().map(|status| status.as_str().to_owned());
                status.is_none_or(|status| !status.starts_with("EXECUTE"))
            })
            .map(|summary| summary.change_set_name().unwrap_or_default().to_owned())
            .collect()
    }

    /// The lock item of this owner.
    pub async fn lock(&self, owner: &Owner) -> Option<BTreeMap<String, String>> {
        let key = AttributeValue::S(keys::owner(owner));
        self.item(house::LOCKS_TABLE, &[("key", key)]).await
    }

    /// What somebody asked a deploy to do, by the item's key.
    pub async fn halt(&self, key: &str) -> Option<BTreeMap<String, String>> {
        let key = AttributeValue::S(key.to_owned());
        self.item(house::LOCKS_TABLE, &[("key", key)]).await
    }

    /// The record of a release.
    pub async fn record(&self, owner: &Owner, release_id: &str) -> Option<BTreeMap<String, String>> {
        let (owner, release_id) = (
            AttributeValue::S(keys::owner(owner)),
            AttributeValue::S(release_id.to_owned()),
        );
        self.item(house::RELEASES_TABLE, &[("owner", owner), ("release_id", release_id)])
            .await
    }

    /// The records of the owner that tell of an ended deploy, and what his item of what is deployed says: the release
    /// ids of `deployed` and of `last`. Read through the table itself, key by key, not through the code under test.
    pub async fn standing(&self, owner: &Owner) -> Standing {
        let found = aws_sdk_dynamodb::Client::new(&self.config().await)
            .query()
            .table_name(house::RELEASES_TABLE)
            .consistent_read(true)
            .key_condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", AttributeValue::S(keys::owner(owner)))
            .send()
            .await
            .unwrap();
        let mut standing = Standing::default();
        for item in found.items() {
            let text = |name: &str| item.get(name).map(plain).unwrap_or_default();
            if text("release_id") == "current" {
                let named = |part: &str| match item.get(part) {
                    Some(AttributeValue::M(fields)) => Some(plain(&fields["release_id"])),
                    _ => None,
                };
                (standing.deployed, standing.last) = (named("deployed"), named("last"));
            } else if text("operation") == "deploy" && !["STARTED", "REFUSED"].contains(&text("status").as_str()) {
                let times = (text("ended_at"), text("started_at"));
                standing.ended.push((times, text("release_id"), text("status")));
            }
        }
        standing.ended.sort();
        standing
    }

    /// Whether a table of this name is in the owner's account.
    pub async fn has_table(&self, owner: &Owner, name: &str) -> bool {
        let config = self.config_of(owner).await;
        aws_sdk_dynamodb::Client::new(&config)
            .describe_table()
            .table_name(name)
            .send()
            .await
            .is_ok()
    }

    async fn item(&self, table: &str, key: &[(&str, AttributeValue)]) -> Option<BTreeMap<String, String>> {
        let found = aws_sdk_dynamodb::Client::new(&self.config().await)
            .get_item()
            .table_name(table)
            .set_key(Some(
                key.iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
            ))
            .send()
            .await
            .unwrap();
        let item = found.item?;
        Some(item.into_iter().map(|(name, value)| (name, plain(&value))).collect())
    }
}

/// The Lambdas, as the template names them.
fn codes() -> impl Iterator<Item = &'static str> {
    Kind::Deployer.locals().into_iter().filter_map(|local| match local {
        Local::Code(name) => Some(name),
        Local::Definition => None,
    })
}

/// Code for every Lambda that can be installed and is never run, as `<name>/bootstrap` in `folder`.
pub fn stand_ins(folder: &Path) {
    for lambda in codes() {
        let path = folder.join(lambda);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("bootstrap"), program(lambda)).unwrap();
    }
}

/// As much of a program as an installation looks at: the header of an ELF file for x86-64, and a name.
fn program(name: &str) -> Vec<u8> {
    let mut program = b"\x7fELF\x02\x01".to_vec();
    program.resize(18, 0);
    program.extend([62, 0]);
    program.extend(name.as_bytes());
    program
}

/// Installs deployer, region and accounts at once, and leaves those out that are to be closed.
async fn install(aws: &LocalAws, lambdas: &Path) {
    let home = aws.config(Deployer::ACCOUNT, Deployer::REGION).await;
    let code =
        Code::read(lambdas, &codes().collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{error}: run `make lambdas`"));
    let accounts = [Deployer::ACCOUNT, Deployer::OTHER_ACCOUNT, Deployer::CLOSED_ACCOUNT].join(",");
    let regions = [
        Deployer::REGION,
        Deployer::OTHER_REGION,
        Deployer::CLOSED_REGION,
        Deployer::TAKEN_REGION,
    ];
    let parameters = |said: &[(&str, &str)]| -> BTreeMap<String, String> {
        let said = said
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        said.collect()
    };
    let wishes = parameters(&[
        ("Accounts", &accounts),
        ("Regions", &regions.join(",")),
        ("Architecture", code.architecture.name()),
        ("DeletionProtection", "false"),
    ]);
    let deployer = async {
        let bucket = Bucket::open(&home, Deployer::ACCOUNT, Deployer::REGION, "aws")
            .await
            .unwrap();
        let packaged = package::deployer(&bucket, code.pack().unwrap()).await.unwrap();
        let stacks = OwnStacks::new(&home, Deployer::ACCOUNT, Deployer::REGION);
        let installed = stacks.install(Kind::Deployer, &packaged.template, &wishes, Some(&bucket));
        installed.await.unwrap();
    };
    let region = async {
        let stacks = OwnStacks::new(&home, Deployer::ACCOUNT, Deployer::OTHER_REGION);
        let wishes = parameters(&[("Accounts", &accounts)]);
        let installed = stacks.install(Kind::Region, Kind::Region.text(), &wishes, None);
        installed.await.unwrap();
    };
    let account = async |account: &str| {
        let config = aws.config(account, Deployer::REGION).await;
        let stacks = OwnStacks::new(&config, account, Deployer::REGION);
        let wishes = parameters(&[("DeployerAccount", Deployer::ACCOUNT)]);
        let installed = stacks.install(Kind::Account, Kind::Account.text(), &wishes, None);
        installed.await.unwrap();
    };
    tokio::join!(
        deployer,
        region,
        account(Deployer::ACCOUNT),
        account(Deployer::OTHER_ACCOUNT)
    );
}

impl Run {
    /// The states entered, repeated polls folded into one.
    pub fn folded_path(&self) -> Vec<String> {
        fold(&self.path)
    }
}

/// Where `make lambdas` puts the step Lambdas and the command, as `<name>/bootstrap`: `$FENRIR_LAMBDAS`, or
/// `lambda-local` in cargo's target directory.
pub fn lambdas() -> PathBuf {
    if let Some(folder) = std::env::var_os("FENRIR_LAMBDAS") {
        return PathBuf::from(folder);
    }
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), PathBuf::from)
        .join("lambda-local")
}

fn entered(event: &HistoryEvent) -> Option<String> {
    let details = event.state_entered_event_details()?;
    Some(details.name().to_owned())
}

/// A string as it is, everything else as a short text.
fn plain(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        AttributeValue::Bool(flag) => flag.to_string(),
        other => format!("{other:?}"),
    }
}

/// How often a deploy polls depends on the machine it runs on; which states it passes does not.
fn fold(states: &[String]) -> Vec<String> {
    let mut folded: Vec<String> = Vec::new();
    for state in states {
        folded.push(state.clone());
        // Three states make one poll: a poll that repeats the one before is left out.
        let length = folded.len();
        if length >= 6 && folded[length - 3..] == folded[length - 6..length - 3] {
            folded.truncate(length - 3);
        }
    }
    folded
}
