//! A takeover whose answer was lost, over recorded answers: what each of its tries is told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use fenrir_core::deployment::Deployment;
use fenrir_core::error::ErrorName;
use fenrir_lambda::{Environment, Settings};
use fenrir_testkit::{Answer, Recorded};
use serde_json::{Value, json};

const EXECUTION: &str = "arn:aws:states:us-east-1:111111111111:execution:fenrir:release-2";
const BEFORE: &str = "arn:aws:states:us-east-1:111111111111:execution:fenrir:release-1";

fn deployment() -> Deployment {
    let pointer = json!({"bucket": "b", "key": "k", "version_id": "v", "sha256": "s"});
    serde_json::from_value(json!({
        "release": {
            "operation": "deploy", "release_id": "release-2", "aws_account_id": "111111111111", "aws_region": "us-east-1",
            "project_name": "p", "config_name": "c", "bucket": "b", "deadline": "2026-01-01T00:10:00Z"
        },
        "execution": {"arn": EXECUTION, "started_at": "2026-01-01T00:00:00Z"},
        "template": pointer, "manifest": {"here": {"tags": {}, "metadata": {}}}, "stack": {"name": "s"},
        "wait": {"seconds": 1, "polls": 0}
    }))
    .unwrap()
}

/// The transaction is cancelled: of its parts these failed, on account of these items.
fn cancelled(parts: &[Option<Value>]) -> Answer {
    let reason = |part: &Option<Value>| match part {
        None => json!({"Code": "None"}),
        Some(item) => json!({"Code": "ConditionalCheckFailed", "Item": item}),
    };
    let reasons: Vec<Value> = parts.iter().map(reason).collect();
    Answer::json(
        400,
        json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "Message": "cancelled",
            "CancellationReasons": reasons,
        })
        .to_string(),
    )
}

fn lock_of_the_one_before() -> Value {
    json!({
        "key": {"S": "111111111111/us-east-1/p/c"}, "execution": {"S": BEFORE}, "release_id": {"S": "release-1"},
        "since": {"S": "2025-01-01T00:00:00Z"}, "dirty": {"BOOL": false},
    })
}

fn record(execution: &str) -> Answer {
    let item = json!({
        "owner": {"S": "111111111111/us-east-1/p/c"}, "release_id": {"S": "release-2"}, "status": {"S": "STARTED"},
        "execution": {"S": execution}, "operation": {"S": "deploy"}, "started_at": {"S": "2026-01-01T00:00:00Z"},
        "stack": {"S": "s"},
    });
    Answer::json(200, json!({"Item": item}).to_string())
}

/// Whoever held the lock has ended, there is no stack, and nothing is known of that release: the lock may be taken over.
fn left_behind() -> Vec<Answer> {
    let ended = json!({
        "executionArn": BEFORE, "stateMachineArn": "arn", "status": "FAILED", "error": "FailureClean.StackError",
        "startDate": 0, "stopDate": 1,
    });
    let session = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>222222222222</AccessKeyId>\
                   <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                   <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    let no_stack = "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id s does not exist</Message>\
                    </Error></ErrorResponse>";
    vec![
        cancelled(&[Some(lock_of_the_one_before())]),
        Answer::json(200, ended.to_string()),
        Answer::xml(200, session),
        Answer::xml(400, no_stack),
        Answer::json(200, "{}"),
    ]
}

/// The takeover is told that somebody has frozen the project, and this is what the record says.
fn frozen(record: Answer) -> Vec<Answer> {
    let freeze = json!({
        "key": {"S": "freeze/111111111111"}, "who": {"S": "arn:who"}, "reason": {"S": "a migration"},
        "since": {"S": "2026-01-01T00:00:00Z"},
    });
    vec![cancelled(&[None, Some(freeze)]), record]
}

async fn run(answers: Vec<Answer>) -> (Result<(), ErrorName>, Vec<String>) {
    let server = Recorded::start(answers);
    let settings = Settings {
        locks_table: "fenrir-locks".to_owned(),
        releases_table: "fenrir-releases".to_owned(),
        state_machine: Some("arn:aws:states:us-east-1:111111111111:stateMachine:fenrir".to_owned()),
        ..Settings::default()
    };
    let env = Environment::new(&lock::STEP, settings, server.config().await);
    let ended = Box::pin(lock::run(&env, deployment())).await;
    let calls = server.requests().into_iter().map(|request| request.operation);
    (ended.map(|_| ()).map_err(|error| error.name), calls.collect())
}

#[tokio::test]
async fn a_takeover_that_took_effect_goes_on_although_somebody_froze_the_project_before_its_answer_came() {
    let mut answers = left_behind();
    answers.extend(frozen(record(EXECUTION)));
    let (ended, calls) = run(answers).await;
    // Refused, it would have ended with the lock held.
    assert_eq!(ended, Ok(()), "{calls:?}");
    assert_eq!(
        calls,
        [
            "TransactWriteItems",
            "DescribeExecution",
            "AssumeRole",
            "DescribeStacks",
            "GetItem",
            "TransactWriteItems",
            "GetItem"
        ]
    );
}

#[tokio::test]
async fn a_takeover_of_a_frozen_project_is_refused() {
    let mut answers = left_behind();
    answers.extend(frozen(Answer::json(200, "{}")));
    // That the release was refused is written down.
    answers.push(Answer::json(200, "{}"));
    let (ended, calls) = run(answers).await;
    assert_eq!(ended, Err(ErrorName::LockExistsError), "{calls:?}");
}

#[tokio::test]
async fn a_lock_that_the_watchdog_claims_is_not_taken_over() {
    let mut answers = left_behind();
    let mut claimed = lock_of_the_one_before();
    claimed["claimed_until"] = json!({"N": "4000000000"});
    answers.push(cancelled(&[Some(claimed)]));
    answers.push(Answer::json(200, "{}"));
    let (ended, calls) = run(answers).await;
    assert_eq!(ended, Err(ErrorName::LockExistsError), "{calls:?}");
}
