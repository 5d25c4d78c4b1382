//! The step `ReleaseLock`.

use fenrir_core::deployment::{Deployment, Failure, Outcome, Progress};
use fenrir_core::error::ErrorName;
use fenrir_lambda::Environment;
use fenrir_store::Status;
use serde_json::json;

use crate::world::{World, holder, owner};

impl World {
    async fn end(&self, deployment: &Deployment) -> Deployment {
        let env = self.environment(&release_lock::STEP);
        let ended = release_lock::run(&env, deployment.clone()).await.unwrap();
        let again = release_lock::run(&env, deployment.clone()).await.unwrap();
        assert_eq!(ended, again);
        ended
    }

    /// An environment in which somebody hears of dirty ends.
    async fn with_topic(&self) -> Environment {
        let sns = aws_sdk_sns::Client::new(&self.config);
        let topic = sns.create_topic().name("fenrir-alerts").send().await.unwrap();
        let mut settings = self.environment(&release_lock::STEP).settings().clone();
        settings.alert_topic = topic.topic_arn;
        Environment::new(&release_lock::STEP, settings, self.config.clone())
    }

    /// A deployment that holds its lock.
    async fn locked(&self, name: &str) -> Deployment {
        let deployment = self.deployment(name).await;
        lock::run(&self.environment(&lock::STEP), deployment).await.unwrap()
    }
}

#[tokio::test]
async fn a_success_is_recorded_and_the_lock_given_back() {
    let world = World::start().await;
    let mut deployment = world.locked("release-1").await;
    deployment.stack.progress = Some(Progress::Succeeded);
    let ended = world.end(&deployment).await;
    assert_eq!(ended.end.unwrap().outcome, Outcome::Success);
    assert_eq!(world.locks().holder(&owner()).await.unwrap(), None);
    let record = world.records().get(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!(record.status, Status::Success);
    assert!(record.ended_at.is_some());
    let result: Deployment = world
        .objects()
        .get_own_json(&deployment.release, &record.stored["result"])
        .await
        .unwrap();
    assert_eq!(result.end.unwrap().outcome, Outcome::Success);
}

#[tokio::test]
async fn a_clean_failure_gives_the_lock_back_and_says_why() {
    let world = World::start().await;
    let mut deployment = world.locked("release-1").await;
    deployment.failure = Some(Failure::new(ErrorName::StackError, "the queue `Q` could not be made"));
    deployment.cleaned = true;
    let end = world.end(&deployment).await.end.unwrap();
    assert_eq!(
        (end.outcome, end.error.as_deref()),
        (Outcome::FailureClean, Some("FailureClean.StackError"))
    );
    assert_eq!(world.locks().holder(&owner()).await.unwrap(), None);
    let record = world.records().get(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!((record.status, record.cause), (Status::FailureClean, end.cause));
}

#[tokio::test]
async fn a_dirty_end_keeps_the_lock_and_alerts() {
    let world = World::start().await;
    let mut deployment = world.locked("release-1").await;
    deployment.failure = Some(Failure::new(ErrorName::CleanUpError, "a table is left"));
    let env = world.with_topic().await;
    let ended = release_lock::run(&env, deployment).await.unwrap();
    assert_eq!(ended.end.unwrap().outcome, Outcome::FailureDirty);
    let lock = world.locks().holder(&owner()).await.unwrap().unwrap();
    assert!(lock.dirty);
    assert!(
        lock.reason
            .unwrap()
            .starts_with("a table is left; something may be left in stack `fenrir-team-app-test--")
    );
    assert_eq!(world.calls_of("sns:Publish"), 1);
    let record = world.records().get(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!(record.status, Status::FailureDirty);
}

#[tokio::test]
async fn a_lost_answer_does_not_fail_a_finished_deploy() {
    let world = World::start().await;
    for (number, action) in ["dynamodb:DeleteItem", "dynamodb:PutItem", "s3:PutObject"]
        .into_iter()
        .enumerate()
    {
        let mut deployment = world.locked(&format!("release-{number}")).await;
        deployment.stack.progress = Some(Progress::Succeeded);
        world.aws.order_faults(&json!([{"action": action, "fault": "lost"}]));
        let ended = world.end(&deployment).await;
        assert_eq!(ended.end.unwrap().outcome, Outcome::Success, "{action}");
        assert_eq!(world.locks().holder(&owner()).await.unwrap(), None, "{action}");
    }
}

#[tokio::test]
async fn a_result_that_cannot_be_stored_keeps_no_lock() {
    let world = World::start().await;
    let mut deployment = world.locked("release-1").await;
    deployment.stack.progress = Some(Progress::Succeeded);
    world
        .aws
        .order_faults(&json!([{"action": "s3:PutObject", "fault": "denied", "times": 2}]));
    world.end(&deployment).await;
    assert_eq!(world.locks().holder(&owner()).await.unwrap(), None);
    let record = world.records().get(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!(record.status, Status::Success);
    assert!(!record.stored.contains_key("result"), "{record:?}");
}

#[tokio::test]
async fn a_dirty_end_that_cannot_be_recorded_is_heard_of_all_the_same() {
    let world = World::start().await;
    let deployment = world.locked("release-1").await;
    let env = world.with_topic().await;
    world
        .aws
        .order_faults(&json!([{"action": "dynamodb:TransactWriteItems", "fault": "denied"}]));
    let error = release_lock::run(&env, deployment).await.unwrap_err();
    assert!(error.message.contains("dynamodb:PutItem"), "{error}");
    assert!(world.locks().holder(&owner()).await.unwrap().unwrap().dirty);
    assert_eq!(world.calls_of("sns:Publish"), 1);
}

#[tokio::test]
async fn anothers_lock_is_left_alone() {
    let world = World::start().await;
    let mut deployment = world.deployment("release-1").await;
    world.locks().acquire(&owner(), &holder("release-2")).await.unwrap();
    for cleaned in [true, false] {
        deployment.release.release_id = format!("release-1-{cleaned}");
        deployment.failure = Some(Failure::new(ErrorName::LockLostError, "the lock was lost"));
        deployment.cleaned = cleaned;
        world.end(&deployment).await;
        assert_eq!(world.locks().holder(&owner()).await.unwrap(), Some(holder("release-2")));
    }
}
