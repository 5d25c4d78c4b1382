//! Executions that end outside the state machine, on the local AWS: the real watchdog, by EventBridge and by the clock,
//! and what the team hears.
//!
//! Two installations: one where the clock never strikes, so that it is the event that settles; one whose clock is turned
//! and whose calls are made to fail, by one test at a time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod team;

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fenrir_testkit::{Application, Deployer};
use serde_json::{Value, json};
use team::Team;
use tokio::sync::{Mutex, MutexGuard};

/// How long a test waits for what it waits for.
const PATIENCE: Duration = Duration::from_mins(3);

/// Where only events wake the watchdog.
fn by_event() -> &'static Deployer {
    static DEPLOYER: OnceLock<Deployer> = OnceLock::new();
    DEPLOYER.get_or_init(|| install(&json!({"stack_seconds": 0.3, "change_set_seconds": 1.0})))
}

/// Where a test may turn the clock and order faults; it has the deployer for itself meanwhile.
async fn by_clock() -> (&'static Deployer, Quiet) {
    static DEPLOYER: OnceLock<Deployer> = OnceLock::new();
    static ALONE: Mutex<()> = Mutex::const_new(());
    let alone = ALONE.lock().await;
    let deployer = DEPLOYER.get_or_init(|| install(&json!({"stack_seconds": 0.8})));
    (deployer, Quiet(deployer, alone))
}

fn install(knobs: &Value) -> Deployer {
    let deployer = Deployer::install();
    deployer.aws().turn(knobs);
    deployer
}

/// Puts everything back.
struct Quiet(
    &'static Deployer,
    #[allow(dead_code, reason = "held until the end")] MutexGuard<'static, ()>,
);

impl Drop for Quiet {
    fn drop(&mut self) {
        self.0.aws().order_faults(&json!([]));
        self.0
            .aws()
            .turn(&json!({"schedule_scale": 1, "machine_timeout_scale": 1}));
    }
}

fn strike(deployer: &Deployer) {
    deployer.aws().turn(&json!({"schedule_scale": 0.001}));
}

fn queue() -> Value {
    json!({"Type": "AWS::SQS::Queue"})
}

/// A queue that SQS refuses: the longest visibility timeout is 43,200 seconds.
fn impossible_queue() -> Value {
    json!({"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 99_999}})
}

fn with_queues(deployer: &Deployer, project: &str, number: usize) -> Application {
    (0..number).fold(deployer.application(project), |application, number| {
        application.with(&format!("Q{number}"), queue())
    })
}

/// Asks until there is an answer.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_entered(deployer: &Deployer, execution: &str, state: &str) {
    until(&format!("{execution} enters {state}"), async || {
        let states = deployer.states_entered(execution).await;
        states.iter().any(|entered| entered == state).then_some(())
    })
    .await;
}

/// Stops the execution, as somebody does in the console; `false` when it had ended.
async fn stop(deployer: &Deployer, execution: &str) -> bool {
    let machines = aws_sdk_sfn::Client::new(&deployer.config().await);
    let stopped = machines.stop_execution().execution_arn(execution).cause("wrong button");
    stopped.send().await.is_ok()
}

/// The record, once it no longer says that the release has started.
async fn settled(deployer: &Deployer, application: &Application, release_id: &str) -> BTreeMap<String, String> {
    until(&format!("{release_id} is settled"), async || {
        let record = deployer.record(application.owner(), release_id).await?;
        (record["status"] != "STARTED").then_some(record)
    })
    .await
}

async fn status(deployer: &Deployer, application: &Application) -> String {
    let stack = deployer.stack(application.owner()).await;
    stack.map_or_else(String::new, |stack| stack.stack_status().unwrap().as_str().to_owned())
}

async fn until_at_rest(deployer: &Deployer, application: &Application) -> String {
    until("the stack is at rest", async || {
        let status = status(deployer, application).await;
        let is_busy = status.ends_with("_IN_PROGRESS");
        (!is_busy && !status.is_empty()).then_some(status)
    })
    .await
}

fn assert_said(cause: &str, words: &[&str], release_id: &str) {
    for word in words {
        assert!(cause.contains(word), "`{word}` is not in: {cause}");
    }
    assert!(cause.ends_with(&format!("(release {release_id})")), "{cause}");
}

async fn assert_deploys(deployer: &Deployer, application: &Application, release_id: &str) {
    let ended = deployer.deploy(application, release_id).await;
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
}

#[tokio::test]
async fn an_execution_stopped_while_the_stack_is_under_review_leaves_nothing() {
    let deployer = by_event();
    let team = Team::listen(deployer, "under-review").await;
    let application = with_queues(deployer, "under-review", 1);
    let execution = deployer.start(&application, "under-review-1").await;
    until_entered(deployer, &execution, "WaitForChangeSet").await;
    assert_eq!(status(deployer, &application).await, "REVIEW_IN_PROGRESS");
    assert!(stop(deployer, &execution).await);
    let record = settled(deployer, &application, "under-review-1").await;
    assert_eq!(
        (record["status"].as_str(), record["error"].as_str()),
        ("FAILURE_CLEAN", "FailureClean.ExecutionAborted"),
        "{}",
        record["cause"]
    );
    assert_said(
        &record["cause"],
        &[
            "stopped by hand",
            "wrong button",
            "nothing of it was executed",
            "`fenrir deploy`",
        ],
        "under-review-1",
    );
    assert!(!record.contains_key("open"));
    assert_eq!(deployer.lock(application.owner()).await, None);
    assert_eq!(
        status(deployer, &application).await,
        "",
        "the stack under review is removed"
    );
    let told = team.heard_of("under-review").await;
    assert_eq!(told.subject, "Settled: under-review test");
    assert_deploys(deployer, &application, "under-review-2").await;
}

#[tokio::test]
async fn an_execution_stopped_after_cloudformation_has_ended_is_a_success() {
    let deployer = by_event();
    // The machine may notice before we can stop it: then the next one.
    for number in 0..10 {
        let (project, release_id) = (format!("too-late-{number}"), format!("too-late-{number}-1"));
        let application = with_queues(deployer, &project, 5);
        let execution = deployer.start(&application, &release_id).await;
        until_entered(deployer, &execution, "Execute").await;
        until("the stack is complete", async || {
            (status(deployer, &application).await == "CREATE_COMPLETE").then_some(())
        })
        .await;
        if !stop(deployer, &execution).await {
            continue;
        }
        if deployer.states_entered(&execution).await.last().unwrap() == "WaitExecute" {
            // It might have been about to cancel: the lock waits until it can run no longer.
            continue;
        }
        let record = settled(deployer, &application, &release_id).await;
        if !record.contains_key("cause") {
            // ReleaseLock was at work.
            continue;
        }
        assert_eq!(record["status"], "SUCCESS");
        assert!(!record.contains_key("error"));
        assert_said(
            &record["cause"],
            &["stopped by hand", "reached the wanted state"],
            &release_id,
        );
        assert_eq!(deployer.lock(application.owner()).await, None);
        assert_deploys(deployer, &application.with("More", queue()), &format!("{release_id}b")).await;
        return;
    }
    panic!("the machine was faster ten times");
}

#[tokio::test]
async fn an_execution_stopped_while_the_stack_is_in_progress_is_settled_when_that_is_at_rest() {
    let (deployer, _quiet) = by_clock().await;
    let application = with_queues(deployer, "in-progress", 5);
    let execution = deployer.start(&application, "in-progress-1").await;
    until_entered(deployer, &execution, "WaitForExecute").await;
    assert!(stop(deployer, &execution).await);
    // The watchdog has heard of it, and leaves it alone.
    let refused = deployer.deploy(&application, "in-progress-2").await;
    assert_eq!(refused.error, "FailureClean.LockExistsError");
    assert!(refused.cause.contains("stopped from outside"), "{}", refused.cause);
    assert_eq!(until_at_rest(deployer, &application).await, "CREATE_COMPLETE");
    let record = deployer.record(application.owner(), "in-progress-1").await.unwrap();
    assert_eq!((record["status"].as_str(), record["open"].as_str()), ("STARTED", "yes"));
    assert_eq!(
        deployer.lock(application.owner()).await.unwrap()["execution"],
        execution
    );
    strike(deployer);
    let record = settled(deployer, &application, "in-progress-1").await;
    assert_eq!(record["status"], "SUCCESS", "{}", record["cause"]);
    assert_eq!(deployer.lock(application.owner()).await, None);
    assert_deploys(deployer, &application.with("More", queue()), "in-progress-3").await;
}

#[tokio::test]
async fn a_lock_that_a_dirty_end_could_not_mark_is_not_taken_over() {
    let (deployer, _quiet) = by_clock().await;
    let application = with_queues(deployer, "takeover", 1).with("Broken", impossible_queue());
    let execution = deployer.start(&application, "takeover-1").await;
    until_entered(deployer, &execution, "Execute").await;
    // Neither ReleaseLock nor the watchdog gets through.
    deny(deployer, &["cloudformation:DeleteStack", "dynamodb:UpdateItem"]);
    deployer.end_of(&execution).await;
    let lock = deployer.lock(application.owner()).await.unwrap();
    assert_eq!((lock["dirty"].as_str(), &lock["execution"]), ("false", &execution));
    let refused = deployer.deploy(&application, "takeover-2").await;
    assert_eq!(refused.error, "FailureClean.LockExistsError");
    assert!(
        refused.cause.contains("ended dirty and could not mark the lock"),
        "{}",
        refused.cause
    );
    assert_eq!(deployer.lock(application.owner()).await.unwrap(), lock);
    let record = deployer.record(application.owner(), "takeover-1").await.unwrap();
    assert_eq!(record["status"], "STARTED", "the watchdog knows of it");
}

#[tokio::test]
async fn an_execution_out_of_time_is_settled_by_the_clock() {
    let (deployer, _quiet) = by_clock().await;
    let team = Team::listen(deployer, "out-of-time").await;
    let application = with_queues(deployer, "out-of-time", 3).with("Broken", impossible_queue());
    // 40 hours in ten seconds: enough to begin with the stack, and not to end with it.
    deployer
        .aws()
        .turn(&json!({"machine_timeout_scale": 10.0 / 144_000.0, "stack_seconds": 8}));
    let execution = deployer.start(&application, "out-of-time-1").await;
    let ended = deployer.end_of(&execution).await;
    assert_eq!(ended.status, "TIMED_OUT", "{:?}", ended.path);
    deployer
        .aws()
        .turn(&json!({"machine_timeout_scale": 1, "stack_seconds": 0.8}));
    strike(deployer);
    let record = settled(deployer, &application, "out-of-time-1").await;
    assert_eq!(record["status"], "FAILURE_CLEAN", "{}", record["cause"]);
    assert_said(
        &record["cause"],
        &[
            "the state machine's own timeout",
            "`Broken` (AWS::SQS::Queue)",
            "nothing of it stays",
        ],
        "out-of-time-1",
    );
    assert_eq!(
        status(deployer, &application).await,
        "",
        "the stack that never completed is removed"
    );
    assert_eq!(deployer.lock(application.owner()).await, None);
    assert_eq!(team.heard_of("out-of-time").await.subject, "Settled: out-of-time test");
    assert_deploys(deployer, &application.without("Broken"), "out-of-time-2").await;
}

#[tokio::test]
async fn a_dirty_end_reaches_the_team_and_keeps_everybody_away() {
    let (deployer, _quiet) = by_clock().await;
    let team = Team::listen(deployer, "dirty").await;
    let application = with_queues(deployer, "dirty", 1).with("Broken", impossible_queue());
    deny(deployer, &["cloudformation:DeleteStack"]);
    let execution = deployer.start(&application, "dirty-001").await;
    let ended = deployer.end_of(&execution).await;
    assert!(
        ended.error.starts_with("FailureDirty."),
        "{} {}",
        ended.error,
        ended.cause
    );
    let told = team.heard_of("dirty").await;
    assert_eq!(told.subject, "FailureDirty: dirty test");
    assert_eq!(told.field("account"), Deployer::ACCOUNT);
    assert_eq!(told.field("config"), "test");
    assert_eq!(told.field("release"), "dirty-001");
    assert_eq!(told.field("reason"), ended.cause);
    assert!(
        told.field("execution")
            .starts_with("https://us-east-1.console.aws.amazon.com/states/")
    );
    assert!(
        told.field("execution").ends_with(&execution),
        "{}",
        told.field("execution")
    );
    let lock = deployer.lock(application.owner()).await.unwrap();
    assert_eq!(
        (lock["dirty"].as_str(), lock["reason"].as_str()),
        ("true", ended.cause.as_str())
    );
    // Neither the watchdog nor another deploy touches it.
    let refused = deployer.deploy(&application, "dirty-002").await;
    assert_eq!(refused.error, "FailureClean.LockExistsError");
    assert!(refused.cause.contains("ended dirty"), "{}", refused.cause);
    assert_eq!(deployer.lock(application.owner()).await.unwrap(), lock);
}

#[tokio::test]
async fn an_end_that_could_not_be_written_down_is_written_down_later() {
    let (deployer, _quiet) = by_clock().await;
    let team = Team::listen(deployer, "unwritten").await;
    let application = with_queues(deployer, "unwritten", 1).with("Broken", impossible_queue());
    let execution = deployer.start(&application, "unwritten-1").await;
    until_entered(deployer, &execution, "Execute").await;
    let writes = ["dynamodb:PutItem", "dynamodb:TransactWriteItems"];
    deny(deployer, &["cloudformation:DeleteStack", writes[0], writes[1]]);
    let ended = deployer.end_of(&execution).await;
    assert!(
        ended.error.starts_with("FailureDirty."),
        "{} {}",
        ended.error,
        ended.cause
    );
    let record = deployer.record(application.owner(), "unwritten-1").await.unwrap();
    assert_eq!(record["status"], "STARTED");
    deny(deployer, &[]);
    strike(deployer);
    let record = settled(deployer, &application, "unwritten-1").await;
    let lock = deployer.lock(application.owner()).await.unwrap();
    assert_eq!(record["status"], "FAILURE_DIRTY");
    assert_eq!((lock["dirty"].as_str(), &lock["reason"]), ("true", &record["cause"]));
    assert_eq!(team.heard_of("unwritten").await.field("reason"), record["cause"]);
}

#[tokio::test]
async fn an_end_that_left_its_lock_is_settled_with_what_it_left() {
    let (deployer, _quiet) = by_clock().await;
    let application = with_queues(deployer, "left", 1).with("Broken", impossible_queue());
    let execution = deployer.start(&application, "left-0001").await;
    until_entered(deployer, &execution, "Execute").await;
    // Law 2: when the lock store itself refuses, the lock stays with its execution.
    deny(deployer, &["cloudformation:DeleteStack", "dynamodb:UpdateItem"]);
    let ended = deployer.end_of(&execution).await;
    assert!(
        ended.error.starts_with("FailureDirty."),
        "{} {}",
        ended.error,
        ended.cause
    );
    let lock = deployer.lock(application.owner()).await.unwrap();
    assert_eq!((lock["dirty"].as_str(), &lock["execution"]), ("false", &execution));
    deny(deployer, &[]);
    strike(deployer);
    let record = settled(deployer, &application, "left-0001").await;
    assert_eq!(record["status"], "FAILURE_CLEAN", "{}", record["cause"]);
    assert_said(&record["cause"], &["broke off", "`Broken`"], "left-0001");
    assert_eq!(
        status(deployer, &application).await,
        "",
        "what CleanUp could not remove is removed"
    );
    assert_eq!(deployer.lock(application.owner()).await, None);
}

fn deny(deployer: &Deployer, actions: &[&str]) {
    let faults = actions
        .iter()
        .map(|action| json!({"action": action, "fault": "denied", "times": 1000}));
    deployer.aws().order_faults(&faults.collect());
}
