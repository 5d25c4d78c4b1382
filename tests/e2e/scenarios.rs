//! How a deploy can end: the path of states, and what is left in CloudFormation, the lock table and the record.

use fenrir_testkit::{Application, Ended};
use serde_json::{Value, json};

use crate::{Way, deployer};

const UNTIL_CHANGE_SET: [&str; 6] = [
    "Validate",
    "Lock",
    "CreateChangeSet",
    "WaitForChangeSet",
    "WaitChangeSet",
    "ChangeSetReady?",
];
pub(crate) const UNTIL_EXECUTED: [&str; 10] = [
    "Validate",
    "Lock",
    "CreateChangeSet",
    "WaitForChangeSet",
    "WaitChangeSet",
    "ChangeSetReady?",
    "Execute",
    "WaitForExecute",
    "WaitExecute",
    "Executed?",
];

/// A queue of the developer's.
pub(crate) fn queue() -> Value {
    json!({"Type": "AWS::SQS::Queue"})
}

/// A queue that SQS refuses: the longest visibility timeout is 43,200 seconds.
pub(crate) fn impossible_queue() -> Value {
    json!({"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 99_999}})
}

pub(crate) fn assert_path(ended: &Ended, start: &[&str], end: &[&str]) {
    let wanted: Vec<&str> = start.iter().chain(end).copied().collect();
    assert_eq!(ended.path, wanted, "{}: {}", ended.error, ended.cause);
}

/// After `Success` and `FailureClean`: no lock, no change set.
pub(crate) async fn assert_nothing_held(application: &Application) {
    let owner = application.owner();
    assert_eq!(deployer().lock(owner).await, None, "the lock is released");
    assert_eq!(deployer().change_sets(owner).await, Vec::<String>::new());
}

async fn assert_record(application: &Application, release_id: &str, status: &str) {
    let record = deployer()
        .record(application.owner(), release_id)
        .await
        .expect("there is a record");
    assert_eq!(record["status"], status);
}

pub(crate) async fn stack_status(application: &Application) -> Option<String> {
    let stack = deployer().stack(application.owner()).await?;
    Some(stack.stack_status()?.as_str().to_owned())
}

/// A failure says what failed, ends with the release, and has a name that an alert rule can match.
pub(crate) fn assert_failed(ended: &Ended, error: &str, said: &[&str], release_id: &str) {
    assert_eq!(
        (ended.status.as_str(), ended.error.as_str()),
        ("FAILED", error),
        "{}",
        ended.cause
    );
    for word in said {
        assert!(ended.cause.contains(word), "`{word}` is not in: {}", ended.cause);
    }
    let end = ended.cause.trim_end_matches([')', '`']);
    assert!(
        end.ends_with(release_id),
        "the cause ends with the release id: {}",
        ended.cause
    );
}

async fn success(way: Way) {
    let name = way.name("success");
    let application = deployer().application(&name).with("Jobs", queue());
    let ended = way.deploy(&application, &name).await;
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    assert_path(&ended, &UNTIL_EXECUTED, &["ReleaseLock", "Success?", "Success"]);
    assert_nothing_held(&application).await;
    assert_record(&application, &name, "SUCCESS").await;
    let stack = deployer().stack(application.owner()).await.unwrap();
    assert_eq!(stack.stack_status().unwrap().as_str(), "CREATE_COMPLETE");
    let tags: Vec<_> = stack
        .tags()
        .iter()
        .map(|tag| (tag.key().unwrap(), tag.value().unwrap()))
        .collect();
    assert!(
        tags.contains(&("ProjectName", name.as_str())) && tags.contains(&("ConfigName", "test")),
        "{tags:?}"
    );
}

async fn update(way: Way) {
    let name = way.name("update");
    let application = deployer().application(&name).with("Jobs", queue());
    way.deploy(&application, &format!("{name}-1")).await;
    let application = application.with("More", queue());
    let ended = way.deploy(&application, &format!("{name}-2")).await;
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    assert_eq!(stack_status(&application).await.unwrap(), "UPDATE_COMPLETE");
    assert_nothing_held(&application).await;
}

async fn function_with_code(way: Way) {
    let name = way.name("function");
    let application = deployer()
        .application(&name)
        .with_function(
            "Worker",
            &json!({"Policies": [{"SQSPollerPolicy": {"QueueName": {"Fn::GetAtt": ["Jobs", "QueueName"]}}}]}),
        )
        .with("Jobs", queue());
    let ended = way.deploy(&application, &name).await;
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    assert_nothing_held(&application).await;
}

async fn no_changes(way: Way) {
    let name = way.name("no-changes");
    let application = deployer().application(&name).with("Jobs", queue());
    way.deploy(&application, &format!("{name}-1")).await;
    let ended = way.deploy(&application, &format!("{name}-2")).await;
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    assert_path(
        &ended,
        &UNTIL_CHANGE_SET,
        &["CleanUp", "ReleaseLock", "Success?", "Success"],
    );
    assert_eq!(stack_status(&application).await.unwrap(), "CREATE_COMPLETE");
    assert_nothing_held(&application).await;
    assert_record(&application, &format!("{name}-2"), "SUCCESS").await;
}

async fn plan(way: Way) {
    let name = way.name("only-a-plan");
    let application = deployer().application(&name).with("Jobs", queue());
    let planned = application.clone().release_field("operation", json!("plan"));
    let ended = way.deploy(&planned, &name).await;
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    assert_path(
        &ended,
        &UNTIL_CHANGE_SET,
        &["CleanUp", "ReleaseLock", "Success?", "Success"],
    );
    assert_eq!(stack_status(&application).await, None, "a plan leaves nothing");
    assert_nothing_held(&application).await;
}

/// A change set that fails: SAM refuses what the policy let pass.
async fn change_set_fails(way: Way) {
    let name = way.name("change-set-fails");
    let nameless = json!({"Type": "AWS::Serverless::SimpleTable", "Properties": {"PrimaryKey": {"Name": "id"}}});
    let application = deployer().application(&name).with("Store", nameless);
    let ended = way.deploy(&application, &name).await;
    assert_failed(&ended, "FailureClean.ChangeSetError", &["Store"], &name);
    assert_path(
        &ended,
        &UNTIL_CHANGE_SET,
        &["CleanUp", "ReleaseLock", "Success?", "FailureClean"],
    );
    assert_eq!(stack_status(&application).await, None, "the stack in review is removed");
    assert_nothing_held(&application).await;
    assert_record(&application, &name, "FAILURE_CLEAN").await;
}

/// An update that rolls back: the stack is what it was, the cause names the resource and the reason.
async fn update_rolls_back(way: Way) {
    let name = way.name("update-rolls-back");
    let application = deployer().application(&name).with("Jobs", queue());
    way.deploy(&application, &format!("{name}-1")).await;
    let release_id = format!("{name}-2");
    let broken = application.clone().with("Broken", impossible_queue());
    let ended = way.deploy(&broken, &release_id).await;
    assert_failed(
        &ended,
        "FailureClean.StackError",
        &["Broken", "VisibilityTimeout"],
        &release_id,
    );
    assert_path(
        &ended,
        &UNTIL_EXECUTED,
        &["CleanUp", "ReleaseLock", "Success?", "FailureClean"],
    );
    assert_eq!(stack_status(&application).await.unwrap(), "UPDATE_ROLLBACK_COMPLETE");
    assert_nothing_held(&application).await;
    assert_record(&application, &release_id, "FAILURE_CLEAN").await;
    let again = way
        .deploy(&application.with("More", queue()), &format!("{name}-3"))
        .await;
    assert_eq!(again.status, "SUCCEEDED", "{} {}", again.error, again.cause);
}

/// A failed first create that had a table: nothing stays behind, and the next deploy succeeds.
async fn failed_create_with_a_table(way: Way) {
    let name = way.name("failed-create");
    let table = json!({"Type": "AWS::Serverless::SimpleTable"});
    let mut broken_queue = impossible_queue();
    broken_queue["DependsOn"] = json!("Store");
    let broken = deployer()
        .application(&name)
        .with("Store", table)
        .with("Broken", broken_queue);
    let release_id = format!("{name}-1");
    let ended = way.deploy(&broken, &release_id).await;
    assert_failed(&ended, "FailureClean.StackError", &["Broken"], &release_id);
    assert_path(
        &ended,
        &UNTIL_EXECUTED,
        &["CleanUp", "ReleaseLock", "Success?", "FailureClean"],
    );
    assert_eq!(
        stack_status(&broken).await,
        None,
        "the stack that never completed is removed"
    );
    assert_nothing_held(&broken).await;
    let mended = broken.without("Broken");
    let again = way.deploy(&mended, &format!("{name}-2")).await;
    assert_eq!(again.status, "SUCCEEDED", "{} {}", again.error, again.cause);
}

/// A lock that is held: the second deploy says who holds it, and touches nothing.
async fn lock_held(way: Way) {
    let name = way.name("lock-held");
    let slow = (0..12).fold(deployer().application(&name), |application, number| {
        application.with(&format!("Q{number}"), queue())
    });
    // The first runs on Step Functions in any case: what it takes is the same lock.
    let first_id = format!("{name}-1");
    let first = deployer().start(&slow, &first_id).await;
    while deployer().lock(slow.owner()).await.is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let release_id = format!("{name}-2");
    let ended = way.deploy(&slow, &release_id).await;
    assert_failed(&ended, "FailureClean.LockExistsError", &[&first_id], &release_id);
    assert_eq!(ended.path[..2], ["Validate", "Lock"]);
    assert_eq!(ended.path.last().unwrap(), "FailureClean");
    let lock = deployer().lock(slow.owner()).await;
    assert!(
        lock.is_none_or(|lock| lock["release_id"] == first_id),
        "the lock is still the first one's"
    );
    let first = deployer().end_of(&first).await;
    assert_eq!(first.status, "SUCCEEDED", "{} {}", first.error, first.cause);
    assert_nothing_held(&slow).await;
}

/// Another account: the deployer acts there by the roles of the account stack.
async fn another_account(way: Way) {
    let name = way.name("another-account");
    let application = Application::new(
        &name,
        fenrir_testkit::Deployer::OTHER_ACCOUNT,
        fenrir_testkit::Deployer::REGION,
        deployer().bucket(),
    )
    .with("Jobs", queue());
    let ended = way.deploy(&application, &name).await;
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    assert_eq!(stack_status(&application).await.unwrap(), "CREATE_COMPLETE");
    assert_nothing_held(&application).await;
}

/// Each scenario is one test, and runs both ways.
macro_rules! both_ways {
    ($($scenario:ident),* $(,)?) => {
        mod on_both_ways {
            $(#[tokio::test] async fn $scenario() { crate::agreement::both(super::$scenario).await; })*
        }
    };
}

pub(crate) use both_ways;

both_ways!(
    success,
    update,
    function_with_code,
    no_changes,
    plan,
    change_set_fails,
    update_rolls_back,
    failed_create_with_a_table,
    lock_held,
    another_account,
);
