//! What the watchdog makes of an event, over recorded answers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use fenrir_core::error::{ErrorName, StepError};
use fenrir_lambda::{Environment, Settings};
use fenrir_testkit::{Answer, Recorded, Request};
use serde_json::{Value, json};
use watchdog::{Event, Report, STEP};

const MACHINE: &str = "arn:aws:states:us-east-1:111111111111:stateMachine:fenrir";
const EXECUTION: &str = "arn:aws:states:us-east-1:111111111111:execution:fenrir:release-1";

fn event(source: &str, kind: &str, detail: &Value) -> Event {
    serde_json::from_value(json!({
        "version": "0", "id": "1", "detail-type": kind, "source": source, "account": "111111111111",
        "time": "2026-11-21T22:06:31Z", "region": "us-east-1", "resources": [], "detail": detail,
    }))
    .unwrap()
}

fn clock() -> Event {
    event("aws.events", "Scheduled Event", &json!({}))
}

/// An event that says more than is to be believed.
fn ended(execution: &str) -> Event {
    let detail = json!({"executionArn": execution, "name": "another", "status": "ABORTED", "input": "{}"});
    event("aws.states", "Step Functions Execution Status Change", &detail)
}

async fn run(event: Event, answers: Vec<Answer>) -> (Result<Report, StepError>, Vec<Request>) {
    let server = Recorded::start(answers);
    let settings = Settings {
        locks_table: "fenrir-locks".to_owned(),
        releases_table: "fenrir-releases".to_owned(),
        state_machine: Some(MACHINE.to_owned()),
        ..Settings::default()
    };
    let env = Environment::new(&STEP, settings, server.config().await);
    let report = Box::pin(watchdog::run(&env, event)).await;
    (report, server.requests())
}

fn operations(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| request.operation.as_str()).collect()
}

fn open(releases: &[(&str, &str)]) -> Answer {
    let item = |(owner, release_id): &(&str, &str)| json!({"owner": {"S": owner}, "release_id": {"S": release_id}});
    let items: Vec<Value> = releases.iter().map(item).collect();
    Answer::json(200, json!({"Items": items, "Count": items.len()}).to_string())
}

fn started(release_id: &str) -> Answer {
    let item = json!({
        "release_id": {"S": release_id}, "status": {"S": "STARTED"}, "operation": {"S": "deploy"},
        "execution": {"S": format!("arn:aws:states:us-east-1:111111111111:execution:fenrir:{release_id}")},
        "started_at": {"S": "2026-01-01T00:00:00Z"}, "stack": {"S": "s"},
    });
    Answer::json(200, json!({"Item": item}).to_string())
}

fn running() -> Answer {
    Answer::json(
        200,
        json!({"executionArn": EXECUTION, "status": "RUNNING", "startDate": 0}).to_string(),
    )
}

#[tokio::test]
async fn what_is_no_execution_of_the_deployers_machine_is_refused_without_a_call() {
    for event in [
        ended("arn:aws:states:us-east-1:111111111111:execution:another:release-1"),
        ended("arn:aws:states:us-east-1:222222222222:execution:fenrir:release-1"),
        ended("arn:aws:states:us-east-1:111111111111:execution:fenrir-2:release-1"),
        ended("arn:aws:states:us-east-1:111111111111:execution:fenrir:"),
        ended("arn:aws:states:us-east-1:111111111111:execution:fenrir:release-1:more"),
        ended(""),
        event("mine", "Scheduled Event", &json!({})),
    ] {
        let (report, requests) = run(event, vec![open(&[])]).await;
        assert_eq!(report.unwrap_err().name, ErrorName::InternalError);
        assert!(requests.is_empty());
    }
}

#[tokio::test]
async fn an_event_is_believed_only_in_which_execution_it_names() {
    let owner = "111111111111/us-east-1/p/c";
    let answers = vec![open(&[(owner, "release-1")]), started("release-1"), running()];
    let (report, requests) = run(ended(EXECUTION), answers).await;
    let wanted = Report {
        open: 1,
        running: 1,
        ..Report::default()
    };
    assert_eq!(report, Ok(wanted), "it says that it was stopped, and it runs");
    assert_eq!(operations(&requests), ["Query", "GetItem", "DescribeExecution"]);
    let query: Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!(query["IndexName"], "open");
    assert_eq!(query["ExpressionAttributeValues"][":release_id"]["S"], "release-1");
}

#[tokio::test]
async fn an_execution_that_wrote_its_end_down_costs_one_query() {
    let (report, requests) = run(ended(EXECUTION), vec![open(&[])]).await;
    assert_eq!(report, Ok(Report::default()));
    assert_eq!(operations(&requests), ["Query"]);
}

#[tokio::test]
async fn one_release_that_cannot_be_settled_does_not_stop_the_others_and_is_told_of_at_the_end() {
    let owner = "111111111111/us-east-1/p!q/c";
    let denied = Answer::json(400, r#"{"__type": "AccessDeniedException", "message": "no"}"#);
    let answers = vec![
        open(&[
            (owner, "release-1"),
            ("freeze/111111111111", "release-2"),
            (owner, "release-3"),
        ]),
        denied,
        started("release-3"),
        running(),
    ];
    let (report, requests) = run(clock(), answers).await;
    let error = report.unwrap_err();
    assert_eq!(error.name, ErrorName::InternalError);
    assert!(
        error
            .message
            .starts_with("2 of 3 releases could not be looked after; the first: reading the record"),
        "{}",
        error.message
    );
    assert_eq!(
        operations(&requests),
        ["Query", "GetItem", "GetItem", "DescribeExecution"]
    );
    let query: Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!(query["ExpressionAttributeValues"], json!({":open": {"S": "yes"}}));
    let read: Value = serde_json::from_str(&requests[1].body).unwrap();
    assert_eq!(
        (&read["Key"]["owner"]["S"], &read["ConsistentRead"]),
        (&json!(owner), &json!(true))
    );
}
