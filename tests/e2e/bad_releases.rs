//! Releases that are refused: before a lock is taken, with one sentence that says what to mend.

use fenrir_testkit::{Application, Ended};
use serde_json::{Value, json};

use crate::{Way, deployer};

/// Deploys in process: what is refused, Validate refuses, and the machine around it is tested elsewhere.
async fn refusal(application: &Application, release_id: &str) -> Ended {
    let ended = Way::InProcess.deploy(application, release_id).await;
    assert_eq!(ended.error, "FailureClean.BadReleaseError", "{}", ended.cause);
    assert_eq!(ended.path.first().unwrap(), "Validate");
    assert!(
        !ended.path.contains(&"Lock".to_owned()),
        "no lock is taken: {:?}",
        ended.path
    );
    assert_eq!(deployer().lock(application.owner()).await, None);
    assert!(deployer().stack(application.owner()).await.is_none());
    ended
}

fn application(name: &str) -> Application {
    deployer()
        .application(name)
        .with("Jobs", json!({"Type": "AWS::SQS::Queue"}))
}

fn assert_says(ended: &Ended, words: &[&str]) {
    for word in words {
        assert!(ended.cause.contains(word), "`{word}` is not in: {}", ended.cause);
    }
}

/// On Step Functions too: a refusal's way through the machine.
#[tokio::test]
async fn a_refusal_ends_the_execution_clean() {
    let application = application("bad-on-step-functions").release_field("colour", json!("red"));
    let ended = Way::StepFunctions.deploy(&application, "bad-on-step-functions").await;
    assert_eq!(ended.error, "FailureClean.BadReleaseError");
    assert_says(&ended, &["colour", "bad-on-step-functions"]);
    assert_eq!(ended.path.last().unwrap(), "FailureClean");
}

#[tokio::test]
async fn an_unknown_field() {
    let ended = refusal(
        &application("bad-unknown").release_field("colour", json!("red")),
        "bad-unknown",
    )
    .await;
    assert_says(&ended, &["colour"]);
}

#[tokio::test]
async fn a_field_that_only_fenrir_writes() {
    for field in ["stack_name", "success", "change_set_arn", "uuid"] {
        let name = format!("bad-preset-{}", field.replace('_', "-"));
        let ended = refusal(&application(&name).release_field(field, json!("x")), &name).await;
        assert_says(&ended, &[field]);
    }
}

#[tokio::test]
async fn a_wrongly_typed_field() {
    let ended = refusal(
        &application("bad-type-1").release_field("timeout", json!("600")),
        "bad-type-1",
    )
    .await;
    assert_says(&ended, &["timeout"]);
}

#[tokio::test]
async fn a_missing_field() {
    let application = application("bad-missing-1").release_field("config_name", Value::Null);
    let ended = refusal(&application, "bad-missing-1").await;
    assert_says(&ended, &["config_name"]);
}

#[tokio::test]
async fn an_account_that_is_not_allowed() {
    let other = Application::new(
        "bad-account",
        "333333333333",
        fenrir_testkit::Deployer::REGION,
        deployer().bucket(),
    )
    .with("Jobs", json!({"Type": "AWS::SQS::Queue"}));
    let ended = refusal(&other, "bad-account").await;
    assert_says(&ended, &["333333333333"]);
}

#[tokio::test]
async fn a_region_that_is_not_allowed() {
    let application = application("bad-region-1").release_field("aws_region", json!("eu-west-3"));
    let ended = refusal(&application, "bad-region-1").await;
    assert_says(&ended, &["eu-west-3"]);
}

#[tokio::test]
async fn a_bucket_that_is_not_the_deployers() {
    let application = application("bad-bucket-1").release_field("bucket", json!("somebody-elses"));
    let ended = refusal(&application, "bad-bucket-1").await;
    assert_says(&ended, &["somebody-elses"]);
}

#[tokio::test]
async fn an_old_release() {
    let application = application("bad-old-1").release_field("created_at", json!("2020-01-01T00:00:00Z"));
    let ended = refusal(&application, "bad-old-1").await;
    assert_says(&ended, &["created_at"]);
}

#[tokio::test]
async fn an_execution_of_another_name() {
    let release = application("bad-name-1")
        .upload(&deployer().config().await, "bad-name-1")
        .await;
    let ended = fenrir_harness::run(deployer(), "another-name-1", release).await;
    assert_eq!(ended.error, "FailureClean.BadReleaseError", "{}", ended.cause);
}

/// Starting an execution is not enough to deploy.
#[tokio::test]
async fn a_release_that_is_not_in_the_bucket() {
    let mut release = application("bad-proof-1")
        .upload(&deployer().config().await, "bad-proof-1")
        .await;
    release["timeout"] = json!(700);
    let ended = fenrir_harness::run(deployer(), "bad-proof-1", release).await;
    assert_eq!(ended.error, "FailureClean.BadReleaseError", "{}", ended.cause);
}

#[tokio::test]
async fn an_artifact_that_was_changed() {
    let mut application = application("bad-artifact-1");
    let uri = application.artifact(b"one".to_vec(), ".zip");
    let application = application
        .with_function("Worker", &json!({"CodeUri": uri}))
        .release_field("s3_uris_sha256s", json!({uri.as_str(): "0".repeat(64)}));
    let ended = refusal(&application, "bad-artifact-1").await;
    assert_says(&ended, &["CodeUri", "does not have the SHA-256"]);
}

#[tokio::test]
async fn an_artifact_that_is_missing() {
    let uri = format!(
        "s3://{}/{}",
        deployer().bucket(),
        "111111111111/us-east-1/bad-gone-1/test/artifacts/gone.zip"
    );
    let application = application("bad-gone-1")
        .with_function("Worker", &json!({"CodeUri": uri}))
        .release_field("s3_uris_sha256s", json!({uri.as_str(): "0".repeat(64)}));
    let ended = refusal(&application, "bad-gone-1").await;
    assert_says(&ended, &["CodeUri", "does not exist"]);
}

#[tokio::test]
async fn an_artifact_of_another_project() {
    let mut theirs = deployer().application("bad-theirs-1");
    let uri = theirs.artifact(b"theirs".to_vec(), ".zip");
    theirs.upload(&deployer().config().await, "bad-theirs-1").await;
    let application = application("bad-foreign-1")
        .with_function("Worker", &json!({"CodeUri": uri}))
        .release_field("s3_uris_sha256s", json!({uri.as_str(): "0".repeat(64)}));
    let ended = refusal(&application, "bad-foreign-1").await;
    assert_says(&ended, &["CodeUri", "is not this project's"]);
}

#[tokio::test]
async fn a_template_that_breaks_a_rule() {
    let queue = json!({"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "mine"}});
    let ended = refusal(&application("bad-rule-1").with("Named", queue), "bad-rule-1").await;
    assert_says(&ended, &["QueueName", "Named"]);
}
