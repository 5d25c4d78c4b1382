//! `fenrir bootstrap` and `fenrir doctor` on the local AWS. The code of the steps is never run, so none need be built.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::process::{Command, Output, Stdio};

use aws_sdk_cloudformation::config::Credentials;
use fenrir_testkit::{LocalAws, root, stand_ins};
use serde_json::{Value, json};

const ACCOUNT: &str = "111111111111";
const OTHER: &str = "222222222222";
const THIRD: &str = "333333333333";
const HOME: &str = LocalAws::REGION;
const FURTHER: &str = "eu-west-1";

/// A local AWS, and a folder with code to install.
struct World {
    aws: LocalAws,
    folder: tempfile::TempDir,
}

/// What the command said, and its exit status.
struct Ran {
    status: i32,
    said: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap(),
            said: String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        }
    }
}

impl Ran {
    fn ends(self, status: i32, words: &[&str]) -> Self {
        assert_eq!(self.status, status, "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "`{word}` is not in: {}", self.said);
        }
        self
    }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        stand_ins(&folder.path().join("target/lambda"));
        Self {
            aws: LocalAws::start(&["--stack-seconds", "0", "--change-set-seconds", "0.05"]),
            folder,
        }
    }

    fn command(&self, keys: &Credentials, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fenrir"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_ENDPOINT_URL", self.aws.endpoint())
            .env("AWS_REGION", HOME)
            .env("AWS_ACCESS_KEY_ID", keys.access_key_id())
            .env("AWS_SECRET_ACCESS_KEY", keys.secret_access_key())
            .env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(token) = keys.session_token() {
            command.env("AWS_SESSION_TOKEN", token);
        }
        command
    }

    /// `fenrir bootstrap`, as the root of `account`.
    fn bootstrap(&self, account: &str, arguments: &[&str]) -> Ran {
        let arguments = [&["bootstrap"], arguments].concat();
        self.command(&keys_of(account), &arguments).output().unwrap().into()
    }

    async fn stacks(&self, account: &str, region: &str) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.aws.config(account, region).await)
    }

    /// Credentials of a session of a role of the deployer's account that has this policy.
    async fn person(&self, role: &str, policy: &str) -> Credentials {
        let root = self.aws.config(ACCOUNT, HOME).await;
        let iam = aws_sdk_iam::Client::new(&root);
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "sts:AssumeRole"
        }]});
        let made = iam.create_role().role_name(role);
        made.assume_role_policy_document(trust.to_string())
            .send()
            .await
            .unwrap();
        let put = iam.put_role_policy().role_name(role).policy_name("install.md");
        put.policy_document(policy).send().await.unwrap();
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/{role}");
        let session = aws_sdk_sts::Client::new(&root).assume_role().role_session_name("alice");
        let keys = session.role_arn(arn).send().await.unwrap().credentials.unwrap();
        Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            None,
            "person",
        )
    }
}

fn keys_of(account: &str) -> Credentials {
    Credentials::new(account, "test", None, None, "root")
}

/// The policy below a heading of docs/install.md, for the local home region.
fn policy(heading: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/install.md")).unwrap();
    let section = page.split(&format!("\n### {heading}")).nth(1).unwrap();
    let block = section.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    block.replace("eu-west-1", HOME)
}

const LISTS: [&str; 4] = [
    "--accounts",
    "111111111111,222222222222",
    "--regions",
    "us-east-1,eu-west-1",
];

#[tokio::test]
async fn an_administrator_installs_changes_and_removes_it() {
    let world = World::new();
    let lists = |more: &[&'static str]| [&LISTS[..], more].concat();
    // Nobody can be asked here: nothing is installed, and nothing is left.
    world
        .bootstrap(ACCOUNT, &lists(&[]))
        .ends(2, &["create deployer", "say `--yes`"]);
    world
        .bootstrap(ACCOUNT, &["--list-accounts"])
        .ends(2, &["has no deployer"]);
    let cloudformation = world.stacks(ACCOUNT, HOME).await;
    assert!(
        cloudformation
            .describe_stacks()
            .send()
            .await
            .unwrap()
            .stacks()
            .is_empty()
    );

    let installed = world.bootstrap(ACCOUNT, &lists(&["--yes"]));
    installed.ends(
        0,
        &["installed: Fenrir", "create region stack", "stateMachine:fenrir", OTHER],
    );
    world
        .bootstrap(ACCOUNT, &["--yes"])
        .ends(0, &["no changes: this is Fenrir"]);
    let stack = cloudformation
        .describe_stacks()
        .stack_name("fenrir")
        .send()
        .await
        .unwrap();
    assert_eq!(stack.stacks()[0].enable_termination_protection(), Some(true));

    let changed = world.bootstrap(ACCOUNT, &["--yes", "--parameter", "LogRetentionDays=30"]);
    changed.ends(0, &["LogRetentionDays  90 -> 30", "installed"]);
    // What is not said keeps its value.
    world
        .bootstrap(ACCOUNT, &["--yes"])
        .ends(0, &["no changes: this is Fenrir"]);
    let wrong = world.bootstrap(ACCOUNT, &["--yes", "--parameter", "LogRetention=30"]);
    wrong.ends(2, &["no parameter `LogRetention`", "LogRetentionDays"]);

    world
        .bootstrap(OTHER, &["--account-only", "--yes"])
        .ends(2, &["--deployer-account"]);
    let trusted = ["--account-only", "--deployer-account", ACCOUNT, "--yes"];
    world
        .bootstrap(OTHER, &trusted)
        .ends(0, &["create account stack", "installed"]);
    let listed = world
        .bootstrap(ACCOUNT, &["--list-accounts", "--format", "json"])
        .ends(0, &[]);
    let listed: Value = serde_json::from_str(&listed.said).unwrap();
    let states = |what: &str| -> Vec<(String, String)> {
        let items = listed[what].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        items.map(|item| (text(&item["name"]), text(&item["state"]))).collect()
    };
    let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    assert_eq!(
        states("accounts"),
        [pair(ACCOUNT, "installed"), pair(OTHER, "not looked at")]
    );
    assert_eq!(states("regions"), [pair(HOME, "installed"), pair(FURTHER, "installed")]);

    // What is still needed is not removed.
    let region = ["--remove", "--region-only", "--regions", FURTHER, "--yes"];
    world.bootstrap(ACCOUNT, &region).ends(1, &["may be deployed to"]);
    let account = [
        "--remove",
        "--account-only",
        "--regions",
        "us-east-1,eu-west-1",
        "--yes",
    ];
    let theirs = world.stacks(OTHER, FURTHER).await;
    let template = r#"{"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}}"#;
    let application = "fenrir-hello-dev--abcdefghijklmnop";
    let made = theirs.create_stack().stack_name(application).template_body(template);
    made.send().await.unwrap();
    world
        .bootstrap(OTHER, &account)
        .ends(1, &["1 stacks of applications", application]);
    theirs.delete_stack().stack_name(application).send().await.unwrap();
    world
        .bootstrap(OTHER, &account)
        .ends(0, &["removed: stack `fenrir-account`"]);
    world.bootstrap(OTHER, &account).ends(0, &["nothing to remove"]);

    world
        .bootstrap(ACCOUNT, &["--remove"])
        .ends(2, &["stays: fenrir-locks", "say `--yes`"]);
    world
        .bootstrap(ACCOUNT, &["--remove", "--yes"])
        .ends(0, &["removed: stack `fenrir`", "fenrir-releases"]);
    // What was kept is taken in again.
    world
        .bootstrap(ACCOUNT, &lists(&["--yes"]))
        .ends(0, &["create deployer", "installed"]);
}

#[tokio::test]
async fn a_name_that_is_taken_is_told_and_nothing_is_left() {
    let world = World::new();
    let iam = aws_sdk_iam::Client::new(&world.aws.config(THIRD, HOME).await);
    let taken = iam.create_role().role_name("fenrir-deployer");
    taken.assume_role_policy_document("{}").send().await.unwrap();
    let install = ["--account-only", "--deployer-account", ACCOUNT, "--yes"];
    world
        .bootstrap(THIRD, &install)
        .ends(1, &["already exist", "fenrir-deployer", "nothing was changed"]);
    let stacks = world.stacks(THIRD, HOME).await.describe_stacks().send().await.unwrap();
    assert!(stacks.stacks().is_empty(), "{stacks:?}");
    iam.delete_role().role_name("fenrir-deployer").send().await.unwrap();
    world.bootstrap(THIRD, &install).ends(0, &["installed"]);
}

#[tokio::test]
async fn of_two_at_once_neither_leaves_anything_half_made() {
    let world = World::new();
    let install = ["bootstrap", "--account-only", "--deployer-account", ACCOUNT, "--yes"];
    let begin = || {
        let mut command = world.command(&keys_of(THIRD), &install);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running = [begin(), begin(), begin()];
    let ended = running.map(|process| Ran::from(process.wait_with_output().unwrap()));
    assert!(ended.iter().any(|ran| ran.status == 0), "one of them installs it");
    for ran in ended.iter().filter(|ran| ran.status != 0) {
        let is_told = ran.said.contains("somebody else changed") || ran.said.contains("is being changed already");
        assert!(is_told, "{}", ran.said);
    }
    world.bootstrap(THIRD, &install[1..]).ends(0, &["no changes"]);
}

/// What a person has before him: a config of `payments/ledger` in the other account.
const SCOPE: [&str; 7] = [
    "doctor",
    "--project",
    "payments/ledger",
    "--config",
    "production",
    "--account",
    OTHER,
];

#[tokio::test]
async fn the_doctor_knows_what_each_of_the_roles_may_do() {
    let world = World::new();
    world
        .bootstrap(ACCOUNT, &[&LISTS[..], &["--yes"]].concat())
        .ends(0, &["installed"]);
    let doctor = |keys: &Credentials| Ran::from(world.command(keys, &SCOPE).output().unwrap());

    let developer = world.person("doctor-developer", &policy("Developer")).await;
    let ran = doctor(&developer).ends(0, &["nothing is wrong"]);
    for fine in [
        "version      ",
        "upload       you may write",
        "lock         nobody",
        "follow       you may",
    ] {
        assert!(
            ran.said.contains(&format!("ok           {fine}")),
            "{fine}: {}",
            ran.said
        );
    }
    // Nothing was left by looking.
    let s3 = fenrir_cli::aws::s3(&world.aws.config(ACCOUNT, HOME).await);
    let bucket = format!("fenrir-{ACCOUNT}-{HOME}");
    let left = s3.list_objects_v2().bucket(bucket).send().await.unwrap();
    assert!(left.contents().is_empty(), "{:?}", left.contents());

    let operator = world.person("doctor-operator", &policy("Operator")).await;
    let ran = doctor(&operator).ends(1, &["you lack the right `s3:PutObject`", "1 thing is wrong"]);
    assert!(ran.said.contains("ok           records"), "{}", ran.said);

    let nobody = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]});
    let nobody = world.person("doctor-nobody", &nobody.to_string()).await;
    doctor(&nobody).ends(
        1,
        &[
            "not checked  deployer",
            "you lack the right `s3:PutObject`",
            "you lack the right `dynamodb:GetItem`",
            "you lack the right `dynamodb:Query`",
            "you lack the right `states:DescribeExecution`",
            "developer's policy",
        ],
    );
}

#[tokio::test]
async fn a_deployer_of_another_version_is_told() {
    let world = World::new();
    world.bootstrap(ACCOUNT, &["--yes"]).ends(0, &["installed"]);
    let machine = format!("arn:aws:states:{HOME}:{ACCOUNT}:stateMachine:fenrir");
    let sfn = aws_sdk_sfn::Client::new(&world.aws.config(ACCOUNT, HOME).await);
    let own = [&SCOPE[..5], &["--account", ACCOUNT]].concat();
    for (version, status, words) in [
        ("0.1.99", 0, "note         version      the deployer is Fenrir 0.1.99"),
        ("7.0.0", 1, "they do not understand each other"),
    ] {
        let tag = aws_sdk_sfn::types::Tag::builder()
            .key("FenrirVersion")
            .value(version)
            .build();
        sfn.tag_resource()
            .resource_arn(&machine)
            .tags(tag)
            .send()
            .await
            .unwrap();
        let ran = Ran::from(world.command(&keys_of(ACCOUNT), &own).output().unwrap());
        ran.ends(status, &[words]);
    }
}
