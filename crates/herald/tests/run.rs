//! What the herald sends, and what it reports when it cannot, over recorded answers of EventBridge.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::Duration;

use fenrir_lambda::{Environment, Settings};
use fenrir_testkit::{Answer, Recorded};
use herald::{Batch, Report, STEP};
use serde_json::{Value, json};

/// A batch of releases that have just started, by their ids, numbered from 1.
fn batch(ids: &[String]) -> Batch {
    let change = |(number, id): (usize, &String)| {
        let image = json!({
            "owner": {"S": "222222222222/eu-west-1/app/test"}, "release_id": {"S": id}, "status": {"S": "STARTED"},
            "operation": {"S": "deploy"}, "execution": {"S": format!("arn:aws:states:eu-west-1:1:execution:fenrir:{id}")},
            "started_at": {"S": "2026-11-21T22:06:31Z"}, "stack": {"S": "s"}, "stack_arn": {"S": "arn:stack"},
        });
        let images = json!({"SequenceNumber": (number + 1).to_string(), "NewImage": image});
        json!({"eventName": "INSERT", "dynamodb": images})
    };
    let changes: Vec<Value> = ids.iter().enumerate().map(change).collect();
    serde_json::from_value(json!({"Records": changes})).unwrap()
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("release-{number}")).collect()
}

/// An answer to `count` entries, of which those named are refused.
fn answer(count: usize, refused: &[usize]) -> Answer {
    let entries: Vec<Value> = (0..count)
        .map(|number| {
            if refused.contains(&number) {
                json!({"ErrorCode": "InternalFailure", "ErrorMessage": "later"})
            } else {
                json!({"EventId": number.to_string()})
            }
        })
        .collect();
    Answer::json(
        200,
        json!({"FailedEntryCount": refused.len(), "Entries": entries}).to_string(),
    )
}

/// What was reported, the entries of each call, and how many releases were not told of.
async fn run(batch: Batch, answers: Vec<Answer>) -> (Report, Vec<Vec<Value>>, u64) {
    let server = Recorded::start(answers);
    let env =
        Environment::new(&STEP, Settings::default(), server.config().await).hurried(Duration::from_secs(5), 0.001);
    let report = herald::run(&env, batch).await.unwrap();
    let sent = server.requests();
    let entries = sent.iter().map(|request| {
        assert_eq!(request.operation, "PutEvents");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        body["Entries"].as_array().unwrap().clone()
    });
    let lines = env.metrics().take();
    let not_told = lines.iter().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["NotTold"].as_u64().unwrap()
    });
    (report, entries.collect(), not_told.sum())
}

fn failed_at(report: &Report) -> Option<&str> {
    assert!(report.failures.len() <= 1);
    report.failures.first().map(|failure| failure.sequence_number.as_str())
}

#[tokio::test]
async fn an_event_says_what_the_record_says() {
    let (report, sent, _) = run(batch(&ids(1)), vec![answer(1, &[])]).await;
    assert_eq!(report, Report::default());
    assert_eq!(json!(report), json!({"batchItemFailures": []}));
    let entry = &sent[0][0];
    assert_eq!(
        (&entry["Source"], &entry["DetailType"]),
        (&json!("fenrir.release"), &json!("Release Started"))
    );
    assert_eq!(
        entry["Resources"],
        json!(["arn:aws:states:eu-west-1:1:execution:fenrir:release-0", "arn:stack"])
    );
    assert_eq!(entry["Time"], 1_795_298_791, "when it happened, not when it was told");
    assert!(entry.get("EventBusName").is_none(), "the account's default bus");
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&detail["release_id"], &detail["project_name"]),
        (&json!("release-0"), &json!("app"))
    );
}

#[tokio::test]
async fn events_are_sent_ten_at_a_time_in_order() {
    let (report, sent, _) = run(batch(&ids(23)), vec![answer(10, &[]), answer(10, &[]), answer(3, &[])]).await;
    assert_eq!(report, Report::default());
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 3]);
    let told: Vec<String> = sent
        .iter()
        .flatten()
        .map(|entry| serde_json::from_str::<Value>(entry["Detail"].as_str().unwrap()).unwrap())
        .map(|detail| detail["release_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, ids(23));
}

#[tokio::test]
async fn the_stream_goes_on_from_the_first_that_was_refused() {
    let (report, sent, not_told) = run(batch(&ids(23)), vec![answer(10, &[]), answer(10, &[4, 7])]).await;
    assert_eq!(failed_at(&report), Some("15"));
    assert_eq!((sent.len(), not_told), (2, 2), "nothing is sent behind it");
    assert_eq!(json!(report), json!({"batchItemFailures": [{"itemIdentifier": "15"}]}));
}

#[tokio::test]
async fn when_eventbridge_is_away_all_of_it_comes_again() {
    let throttled = Answer::json(400, r#"{"__type": "ThrottlingException", "message": "slow down"}"#);
    let denied = Answer::json(400, r#"{"__type": "AccessDeniedException", "message": "no"}"#);
    for (fault, tries) in [(throttled, 4), (denied, 1), (Answer::cut(), 4)] {
        let (report, sent, not_told) = run(batch(&ids(3)), vec![fault]).await;
        assert_eq!((failed_at(&report), sent.len(), not_told), (Some("1"), tries, 3));
    }
}

#[tokio::test]
async fn nothing_to_tell_is_no_call() {
    let mut records =
        json!({"Records": [{"dynamodb": {"SequenceNumber": "1", "OldImage": {"status": {"S": "SUCCESS"}}}}]});
    records["Records"][0]["dynamodb"]["NewImage"] = json!({"release_id": {"S": "current"}, "status": {"S": "SUCCESS"}});
    let batch = serde_json::from_value(records).unwrap();
    let (report, sent, _) = run(batch, vec![answer(1, &[])]).await;
    assert_eq!((report, sent.len()), (Report::default(), 0));
}
