//! The events of releases, as other tooling hears them: a rule of its own on the account's event bus, and a queue. The
//! machine writes records, the table's stream hands them to the herald's Lambda, and EventBridge to the rule.

use std::time::{Duration, Instant};

use fenrir_core::event::{Event, Kind, SOURCE, Status};
use fenrir_testkit::Deployer;
use serde_json::{Value, json};

use crate::deployer;

/// How long an event may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Whoever listens to one project.
struct Listener {
    queue: String,
}

impl Listener {
    fn of(project: &str) -> Self {
        let (account, region) = (Deployer::ACCOUNT, Deployer::REGION);
        let call = |target: &str, body: Value| deployer().aws().call(account, target, &body);
        let queue = call("AmazonSQS.CreateQueue", json!({"QueueName": project}));
        let pattern = json!({"source": [SOURCE], "detail": {"project_name": [project]}});
        call(
            "AWSEvents.PutRule",
            json!({"Name": project, "EventPattern": pattern.to_string()}),
        );
        let target = json!({"Id": "queue", "Arn": format!("arn:aws:sqs:{region}:{account}:{project}")});
        call("AWSEvents.PutTargets", json!({"Rule": project, "Targets": [target]}));
        Self {
            queue: queue["QueueUrl"].as_str().unwrap().to_owned(),
        }
    }

    /// What is heard until `count` events have come and no more come behind them.
    async fn hears(&self, count: usize) -> Vec<Event> {
        let began = Instant::now();
        let mut heard: Vec<Event> = Vec::new();
        let mut quiet = 0;
        while heard.len() < count || quiet < 4 {
            assert!(began.elapsed() < PATIENCE, "only {heard:?}");
            let request = json!({"QueueUrl": self.queue, "MaxNumberOfMessages": 10});
            let found = deployer()
                .aws()
                .call(Deployer::ACCOUNT, "AmazonSQS.ReceiveMessage", &request);
            let messages = found["Messages"].as_array().cloned().unwrap_or_default();
            quiet = if messages.is_empty() { quiet + 1 } else { 0 };
            for message in messages {
                heard.push(serde_json::from_str(message["Body"].as_str().unwrap()).unwrap());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        // EventBridge promises no order.
        heard.sort_by(|one, other| (&one.detail.release_id, one.kind).cmp(&(&other.detail.release_id, other.kind)));
        heard
    }
}

#[tokio::test]
async fn other_tooling_hears_of_a_deploy_of_a_refusal_and_of_a_failure() {
    let project = "events-heard";
    let listener = Listener::of(project);
    let queue = json!({"Type": "AWS::SQS::Queue"});
    let good = deployer()
        .application(project)
        .with("Queue", queue.clone())
        .release_field("metadata", json!({"commit": "abc", "author": "ada"}));
    let refused = deployer()
        .application(project)
        .with("User", json!({"Type": "AWS::IAM::User"}));
    let impossible = json!({"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 99_999}});
    let failing = deployer()
        .application(project)
        .with("Queue", queue)
        .with("Broken", impossible);
    let ended = [
        fenrir_harness::deploy(deployer(), &good, "events-heard-1-good").await,
        fenrir_harness::deploy(deployer(), &refused, "events-heard-2-refused").await,
        fenrir_harness::deploy(deployer(), &failing, "events-heard-3-failing").await,
    ];
    let heard = listener.hears(5).await;
    let told: Vec<(&str, Kind, Status)> = heard
        .iter()
        .map(|event| (event.detail.release_id.as_str(), event.kind, event.detail.status))
        .collect();
    assert_eq!(
        told,
        [
            ("events-heard-1-good", Kind::Started, Status::Started),
            ("events-heard-1-good", Kind::Succeeded, Status::Success),
            ("events-heard-2-refused", Kind::Failed, Status::Refused),
            ("events-heard-3-failing", Kind::Started, Status::Started),
            ("events-heard-3-failing", Kind::Failed, Status::FailureClean),
        ]
    );
    let succeeded = &heard[1].detail;
    assert_eq!(heard[1].source, SOURCE);
    assert_eq!(
        (&*succeeded.aws_account_id, &*succeeded.config_name),
        (Deployer::ACCOUNT, "test")
    );
    assert_eq!(succeeded.metadata["commit"], "abc");
    assert!(succeeded.ended_at.is_some() && succeeded.stack_arn.is_some() && succeeded.console.is_some());
    let refusal = &heard[2].detail;
    assert_eq!(refusal.error.as_deref(), Some("BadReleaseError"));
    assert!(ended[1].cause.starts_with(refusal.cause.as_deref().unwrap()));
    let failure = &heard[4].detail;
    assert_eq!(failure.error.as_deref(), Some(ended[2].error.as_str()));
    assert_eq!(failure.cause.as_deref(), Some(ended[2].cause.as_str()));
}

#[tokio::test]
async fn a_deploy_on_step_functions_is_told_of_too() {
    let project = "events-lambda";
    let listener = Listener::of(project);
    let application = deployer()
        .application(project)
        .with("Queue", json!({"Type": "AWS::SQS::Queue"}));
    let ended = deployer().deploy(&application, "events-lambda-1").await;
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let kinds: Vec<Kind> = listener.hears(2).await.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::Started, Kind::Succeeded]);
}

/// The lines of a step's log that have this field.
fn logged(step: &str, field: &str, value: &str) -> Vec<Value> {
    let request = json!({"logGroupName": format!("/aws/lambda/fenrir-{step}")});
    let found = deployer()
        .aws()
        .call(Deployer::ACCOUNT, "Logs_20140328.FilterLogEvents", &request);
    let events = found["events"].as_array().unwrap().iter();
    let lines = events.flat_map(|event| event["message"].as_str().unwrap().lines());
    lines
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line[field] == value)
        .collect()
}

#[tokio::test]
async fn one_id_follows_a_release_through_its_execution_its_logs_its_metrics_and_its_sessions() {
    let id = "one-id-follows-it";
    let application = deployer()
        .application("one-id")
        .with("Queue", json!({"Type": "AWS::SQS::Queue"}));
    let execution = deployer().start(&application, id).await;
    assert!(execution.ends_with(&format!(":{id}")));
    assert_eq!(deployer().end_of(&execution).await.status, "SUCCEEDED");
    // A deploy that succeeds has nothing to clean up.
    let steps = fenrir_harness::STEPS.map(|(_, step)| step);
    for step in steps.iter().filter(|step| step.name != "cleanup") {
        let lines = logged(step.name, "release_id", id);
        let done = lines
            .iter()
            .find(|line| line["message"] == "done")
            .unwrap_or_else(|| panic!("{} says nothing: {lines:?}", step.name));
        assert_eq!((&done["step"], &done["project"]), (&json!(step.name), &json!("one-id")));
        assert_eq!(
            (&done["execution"], &done["config"]),
            (&json!(execution), &json!("test"))
        );
        assert!(
            done["duration_ms"].is_u64() && done["calls"].as_u64().unwrap() > 0,
            "{done}"
        );
        // Each call is one that the step says it makes.
        for called in done["called"].as_str().unwrap().split(", ") {
            let action = called.split(' ').next().unwrap();
            let known = step
                .own_actions
                .iter()
                .chain(step.deployer_actions)
                .any(|known| *known == action);
            // To read a version of an object is a right of its own, and no call; a transaction is its parts.
            let is_part = ["s3:GetObject", "dynamodb:TransactWriteItems"].contains(&action);
            assert!(known || is_part, "{} calls {action}", step.name);
        }
    }
    let ends = logged("release-lock", "release", id);
    assert!(
        ends.iter()
            .any(|line| line["Deploys"] == 1 && line["Outcome"] == "SUCCESS" && line["Project"] == "one-id"),
        "{ends:?}"
    );
    let session = format!("assumed-role/fenrir-deployer/{id}");
    let calls = deployer().aws().calls();
    assert!(
        calls
            .iter()
            .any(|call| call["caller"].as_str().unwrap_or_default().ends_with(&session))
    );
}
