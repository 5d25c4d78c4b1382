//! The ways through the machine that a deploy takes when something of Fenrir's own is broken: a step's role lacks a right,
//! a step's function is not there, AWS fails for a while. They are the ways that the fault matrix runs in process
//! (`tests/faults`); here they run on Step Functions too, and agree.
//!
//! On an installation of their own, where one test at a time takes rights away. The watchdog has none there: what the
//! machine left is what is looked at.

use std::sync::OnceLock;

use fenrir_core::house;
use fenrir_harness::{Invoke, WAIT_SCALE};
use fenrir_testkit::{Application, Deployer, Ended, Failed};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::Way;
use crate::agreement::{both, both_in_turn, tell};
use crate::scenarios::{UNTIL_EXECUTED, assert_failed, assert_path, impossible_queue, queue};

const DENIED: &str = "denied-by-a-test";
const ROLES: [&str; 5] = [
    house::DEPLOYER_ROLE,
    "fenrir-machine",
    "fenrir-step-validate",
    "fenrir-step-lock",
    "fenrir-step-release-lock",
];

/// The installation, for one test.
struct Alone {
    deployer: &'static Deployer,
    _alone: MutexGuard<'static, ()>,
}

impl Alone {
    /// With every right that a test before took away.
    async fn begin() -> Self {
        static DEPLOYER: OnceLock<Deployer> = OnceLock::new();
        static ALONE: Mutex<()> = Mutex::const_new(());
        let guard = ALONE.lock().await;
        let alone = Self {
            deployer: DEPLOYER.get_or_init(Deployer::install),
            _alone: guard,
        };
        alone.deny("fenrir-step-watchdog", &["dynamodb:*"]).await;
        let iam = alone.iam().await;
        for role in ROLES {
            // It is there only when the test before took something away.
            let _ = iam
                .delete_role_policy()
                .role_name(role)
                .policy_name(DENIED)
                .send()
                .await;
        }
        alone.deployer.aws().order_faults(&json!([]));
        alone
    }

    async fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.deployer.config().await)
    }

    /// Takes rights away from a role.
    async fn deny(&self, role: &str, actions: &[&str]) {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Action": actions, "Resource": "*"
        }]});
        let iam = self.iam().await;
        let put = iam.put_role_policy().role_name(role).policy_name(DENIED);
        put.policy_document(policy.to_string()).send().await.unwrap();
    }

    fn application(&self, name: &str) -> Application {
        self.deployer.application(name).with("Jobs", queue())
    }

    async fn status(&self, application: &Application) -> Option<String> {
        let stack = self.deployer.stack(application.owner()).await?;
        Some(stack.stack_status()?.as_str().to_owned())
    }

    /// Neither a lock nor a change set is left, and the stack stands like this.
    async fn left(&self, application: &Application, stack: Option<&str>) {
        let owner = application.owner();
        assert_eq!(self.deployer.lock(owner).await, None, "the lock is released");
        assert_eq!(self.deployer.change_sets(owner).await, Vec::<String>::new());
        assert_eq!(self.status(application).await.as_deref(), stack);
    }

    /// What the record says: its status and its error.
    async fn recorded(&self, application: &Application, release_id: &str) -> Option<(String, String)> {
        let record = self.deployer.record(application.owner(), release_id).await?;
        let text = |name: &str| record.get(name).cloned().unwrap_or_default();
        Some((text("status"), text("error")))
    }

    /// The calls so far of an action by whoever has `caller` in the ARN.
    fn calls(&self, action: &str, caller: &str) -> Vec<Value> {
        let mut calls = self.deployer.aws().calls();
        calls.retain(|call| call["action"] == action && call["caller"].as_str().unwrap().contains(caller));
        calls
    }
}

fn pair(status: &str, error: &str) -> (String, String) {
    (status.to_owned(), error.to_owned())
}

#[tokio::test]
async fn a_failed_create_that_cannot_be_removed_is_dirty_and_the_team_is_alerted() {
    let alone = Alone::begin().await;
    alone.deny(house::DEPLOYER_ROLE, &["cloudformation:DeleteStack"]).await;
    let alerts = || alone.calls("sns:Publish", "fenrir-step-release-lock").len();
    let before = alerts();
    both(async |way| {
        let name = way.name("not-removed");
        let application = alone.application(&name).with("Broken", impossible_queue());
        let ended = way.deploy_with(alone.deployer, &application, &name).await;
        assert_failed(
            &ended,
            "FailureDirty.StackError",
            &[
                "Broken",
                "VisibilityTimeout",
                "cloudformation:DeleteStack",
                "fenrir unlock",
            ],
            &name,
        );
        assert_path(
            &ended,
            &UNTIL_EXECUTED,
            &["CleanUp", "ReleaseLock", "Success?", "FailureDirty"],
        );
        let lock = alone.deployer.lock(application.owner()).await.unwrap();
        assert_eq!(
            (
                lock["dirty"].as_str(),
                lock["reason"].as_str(),
                lock["release_id"].as_str()
            ),
            ("true", ended.cause.as_str(), name.as_str())
        );
        assert_eq!(
            alone.recorded(&application, &name).await,
            Some(pair("FAILURE_DIRTY", "FailureDirty.StackError"))
        );
        assert_eq!(alone.status(&application).await.as_deref(), Some("ROLLBACK_COMPLETE"));
    })
    .await;
    assert_eq!(alerts() - before, 2, "one for each way");
}

#[tokio::test]
async fn a_lock_that_cannot_be_taken_ends_clean_because_nothing_was_touched() {
    let alone = Alone::begin().await;
    alone.deny("fenrir-step-lock", &["dynamodb:*"]).await;
    both(async |way| {
        let name = way.name("no-lock-table");
        let application = alone.application(&name);
        let ended = way.deploy_with(alone.deployer, &application, &name).await;
        assert_failed(
            &ended,
            "FailureClean.InternalError",
            &["taking the lock", "nothing was left behind"],
            &name,
        );
        assert_path(
            &ended,
            &["Validate", "Lock", "NothingWasTouched"],
            &["ReleaseLock", "Success?", "FailureClean"],
        );
        alone.left(&application, None).await;
        assert_eq!(
            alone.recorded(&application, &name).await,
            Some(pair("FAILURE_CLEAN", "FailureClean.InternalError"))
        );
    })
    .await;
}

#[tokio::test]
async fn an_error_of_execute_is_no_verdict_until_the_stack_was_looked_at() {
    let alone = Alone::begin().await;
    alone
        .deny(house::DEPLOYER_ROLE, &["cloudformation:ExecuteChangeSet"])
        .await;
    both(async |way| {
        let name = way.name("not-executed");
        let application = alone.application(&name);
        let ended = way.deploy_with(alone.deployer, &application, &name).await;
        assert_failed(
            &ended,
            "FailureClean.StackError",
            &[
                "was not executed",
                "`cloudformation:ExecuteChangeSet` is missing",
                "nothing was left behind",
            ],
            &name,
        );
        assert_eq!(
            ended.cause.matches("is missing").count(),
            1,
            "it is said once: {}",
            ended.cause
        );
        assert_path(
            &ended,
            &UNTIL_EXECUTED,
            &["CleanUp", "ReleaseLock", "Success?", "FailureClean"],
        );
        alone.left(&application, None).await;
        assert_eq!(
            alone.recorded(&application, &name).await,
            Some(pair("FAILURE_CLEAN", "FailureClean.StackError"))
        );
    })
    .await;
}

#[tokio::test]
async fn an_end_that_cannot_be_written_down_is_dirty_and_the_lock_stays_with_its_execution() {
    let alone = Alone::begin().await;
    alone.deny("fenrir-step-release-lock", &["dynamodb:*"]).await;
    both(async |way| {
        let name = way.name("not-released");
        let application = alone.application(&name);
        let ended = way.deploy_with(alone.deployer, &application, &name).await;
        assert_failed(
            &ended,
            "FailureDirty.InternalError",
            &[
                "the lock could not be released or the record not written",
                "the watchdog settles both within 15 minutes",
            ],
            &name,
        );
        assert_path(
            &ended,
            &UNTIL_EXECUTED,
            &["ReleaseLock", "ReleaseLockFailed", "FailureDirty"],
        );
        let lock = alone.deployer.lock(application.owner()).await.unwrap();
        assert_eq!(
            (lock["dirty"].as_str(), lock["release_id"].as_str()),
            ("false", name.as_str())
        );
        assert!(lock["execution"].ends_with(&name), "{lock:?}");
        assert_eq!(alone.recorded(&application, &name).await, Some(pair("STARTED", "")));
        assert_eq!(alone.status(&application).await.as_deref(), Some("CREATE_COMPLETE"));
    })
    .await;
}

#[tokio::test]
async fn a_template_that_breaks_a_rule_is_refused_and_recorded() {
    let alone = Alone::begin().await;
    both(async |way| {
        let name = way.name("refused");
        let named = json!({"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "mine"}});
        let application = alone.application(&name).with("Named", named);
        let ended = way.deploy_with(alone.deployer, &application, &name).await;
        assert_failed(
            &ended,
            "FailureClean.BadReleaseError",
            &["the release is refused: 1 problem", "/Resources/Named", "QueueName"],
            &name,
        );
        assert_path(&ended, &["Validate"], &REFUSED);
        alone.left(&application, None).await;
        assert_eq!(
            alone.recorded(&application, &name).await,
            Some(pair("REFUSED", "BadReleaseError"))
        );
    })
    .await;
}

/// From the reason of a step to the end.
const REFUSED: [&str; 5] = [
    "WasReasonGiven?",
    "ReadReason",
    "IsReasonReadable?",
    "Refused",
    "FailureClean",
];

#[tokio::test]
async fn a_step_that_fails_once_is_tried_again_and_nobody_notices() {
    // Tries of a call (`fenrir_lambda::Environment`): when they are spent, the step fails, and the machine tries it again.
    const ATTEMPTS: usize = 4;
    let alone = Alone::begin().await;
    both_in_turn(async |way| {
        let name = way.name("second-try");
        let application = alone.application(&name);
        alone.deployer.aws().order_faults(&json!([
            {"action": "dynamodb:TransactWriteItems", "fault": "unavailable", "times": ATTEMPTS},
            {"action": "cloudformation:ExecuteChangeSet", "fault": "throttled", "times": ATTEMPTS},
        ]));
        let ended = way.deploy_with(alone.deployer, &application, &name).await;
        assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
        assert_path(&ended, &UNTIL_EXECUTED, &["ReleaseLock", "Success?", "Success"]);
        alone.left(&application, Some("CREATE_COMPLETE")).await;
        assert_eq!(alone.recorded(&application, &name).await, Some(pair("SUCCESS", "")));
        // The session is named after the release.
        let calls = alone.calls("cloudformation:ExecuteChangeSet", &name);
        let struck = calls.iter().filter(|call| call["fault"] == "throttled").count();
        assert_eq!((struck, calls.len()), (ATTEMPTS, ATTEMPTS + 1));
    })
    .await;
}

/// What Validate cannot find out before the proof is written nowhere.
#[tokio::test]
async fn a_breakdown_before_the_proof_ends_clean_and_is_not_recorded() {
    let alone = Alone::begin().await;
    alone.deny("fenrir-step-validate", &["dynamodb:GetItem"]).await;
    both(async |way| {
        let name = way.name("not-proven");
        let application = alone.application(&name);
        let ended = way.deploy_with(alone.deployer, &application, &name).await;
        assert_failed(
            &ended,
            "FailureClean.InternalError",
            &["looking for earlier releases", "dynamodb:GetItem"],
            &name,
        );
        assert_path(&ended, &["Validate", "RecordBreakdown"], &REFUSED);
        alone.left(&application, None).await;
        assert_eq!(alone.recorded(&application, &name).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_breakdown_after_the_proof_ends_clean_and_is_recorded() {
    let alone = Alone::begin().await;
    alone.deny("fenrir-step-validate", &["s3:PutObject"]).await;
    both(async |way| {
        let name = way.name("not-stored");
        let application = alone.application(&name);
        let ended = way.deploy_with(alone.deployer, &application, &name).await;
        assert_failed(
            &ended,
            "FailureClean.InternalError",
            &["storing `", "s3:PutObject"],
            &name,
        );
        assert_path(&ended, &["Validate", "RecordBreakdown"], &REFUSED);
        alone.left(&application, None).await;
        assert_eq!(
            alone.recorded(&application, &name).await,
            Some(pair("REFUSED", "InternalError"))
        );
    })
    .await;
}

/// A function that may not be invoked: what Step Functions says of it is no JSON.
#[tokio::test]
async fn a_breakdown_without_a_readable_reason_ends_clean_and_says_what_lambda_said() {
    let alone = Alone::begin().await;
    alone.deny("fenrir-machine", &["lambda:InvokeFunction"]).await;
    both(async |way| {
        let name = way.name("not-invoked");
        let application = alone.application(&name);
        let ended = match way {
            Way::StepFunctions => alone.deployer.deploy(&application, &name).await,
            Way::InProcess => not_invoked(alone.deployer, &application, &name).await,
        };
        tell(alone.deployer, &application, &name, &ended).await;
        assert_failed(
            &ended,
            "FailureClean.Lambda.AWSLambdaException",
            &[
                "a step broke down before anything was changed",
                "lambda:InvokeFunction",
                "run `fenrir deploy` again",
            ],
            &name,
        );
        assert_path(
            &ended,
            &["Validate", "RecordBreakdown"],
            &["WasReasonGiven?", "RefusedWithoutReason", "FailureClean"],
        );
        alone.left(&application, None).await;
        assert_eq!(alone.recorded(&application, &name).await, None);
    })
    .await;
}

/// Deploys with the machine in process, whose role may not invoke Validate, in the words of the local AWS
/// (`tests/local_aws/gaps/passed_roles.py`).
async fn not_invoked(deployer: &Deployer, application: &Application, release_id: &str) -> Ended {
    let (account, region) = (Deployer::ACCOUNT, Deployer::REGION);
    let cause = format!(
        "arn:aws:iam::{account}:role/fenrir-machine is not authorized to perform: lambda:InvokeFunction on \
         arn:aws:lambda:{region}:{account}:function:fenrir-validate"
    );
    let release = deployer.upload(application, release_id).await;
    let invoke: Box<Invoke<'_>> = Box::new(|step, _| {
        assert_eq!(step, validate::STEP.name, "no other one is reached");
        Box::pin(std::future::ready(Err(Failed {
            error: "Lambda.AWSLambdaException".to_owned(),
            cause: cause.clone(),
        })))
    });
    let machine = fenrir_harness::machine(&*invoke, WAIT_SCALE);
    fenrir_harness::ended(fenrir_harness::execute(deployer, &machine, release_id, release).await)
}
