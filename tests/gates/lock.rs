//! The step Lock.

use aws_sdk_sfn::types::StateMachineType;
use fenrir_core::deployment::ManifestAt;
use fenrir_core::error::ErrorName;
use fenrir_store::Status;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::world::{ACCOUNT, World, application, execution, holder, owner, record};

impl World {
    async fn lock(
        &self,
        deployment: &fenrir_core::deployment::Deployment,
    ) -> Result<(), fenrir_core::error::StepError> {
        let locked = lock::run(&self.environment(&lock::STEP), deployment.clone()).await?;
        assert_eq!(&locked, deployment);
        Ok(())
    }

    /// A state machine whose executions wait until they are stopped.
    async fn make_machine(&self) -> aws_sdk_sfn::Client {
        let service = json!({"Service": "states.amazonaws.com"});
        self.make_role("fenrir-machine", &service).await;
        let machines = aws_sdk_sfn::Client::new(&self.config);
        let definition = json!({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": true}}});
        machines
            .create_state_machine()
            .name("fenrir")
            .r#type(StateMachineType::Standard)
            .role_arn(format!("arn:aws:iam::{ACCOUNT}:role/fenrir-machine"))
            .definition(definition.to_string())
            .send()
            .await
            .unwrap();
        machines
    }
}

#[tokio::test]
async fn the_lock_is_taken_and_the_release_recorded_twice_with_one_result() {
    let world = World::start().await;
    let application = application().release_field("metadata", json!({"author": "ada", "commit": "abc"}));
    let deployment = world.validate(&application, "release-1").await.unwrap();
    world.lock(&deployment).await.unwrap();
    let first = world.locks().holder(&owner()).await.unwrap().unwrap();
    assert_eq!(
        (first.who.as_deref(), first.release_id.as_str()),
        (Some("ada"), "release-1")
    );
    world.lock(&deployment).await.unwrap();
    assert_eq!(world.locks().holder(&owner()).await.unwrap(), Some(first));
    let record = world.records().get(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!(
        (record.status, record.metadata["commit"].as_str()),
        (Status::Started, "abc")
    );
}

#[tokio::test]
async fn a_lock_is_taken_over_only_from_an_execution_that_has_ended() {
    let world = World::start().await;
    let machines = world.make_machine().await;
    let running = machines
        .start_execution()
        .state_machine_arn("arn:aws:states:us-east-1:111111111111:stateMachine:fenrir")
        .name("release-0")
        .send()
        .await
        .unwrap()
        .execution_arn;
    assert_eq!(running, execution("release-0"));
    world.locks().acquire(&owner(), &holder("release-0")).await.unwrap();
    let deployment = world.deployment("release-1").await;
    let refused = world.lock(&deployment).await.unwrap_err();
    assert_eq!(refused.name, ErrorName::LockExistsError);
    assert_eq!(
        refused.message,
        format!(
            "`team/app` `test` cannot be deployed now: release `release-0` holds the lock since `2026-11-21T22:06:31Z` \
             (execution `{running}`); its execution is under way; run `fenrir deploy` again when it has ended; \
             `fenrir attach release-0` follows it, `fenrir halt --reason WHY` stops it"
        )
    );
    let record = world.records().get(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!((record.status, record.cause), (Status::Refused, Some(refused.message)));

    // The refusal's answer was lost, and meanwhile the other has ended.
    machines.stop_execution().execution_arn(&running).send().await.unwrap();
    let refused = world.lock(&deployment).await.unwrap_err();
    assert_eq!(refused.name, ErrorName::LockExistsError);
    assert!(
        refused
            .message
            .contains("was stopped from outside, and a step of it may run until `"),
        "{refused}"
    );
    // Longer than any function lives.
    let environment = world.environment(&lock::STEP);
    let later = environment.with_clock(|| OffsetDateTime::now_utc() + Duration::minutes(17));
    lock::run(&later, deployment).await.unwrap();
    let record = world.records().get(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!((record.status, record.cause), (Status::Started, None));
    assert_eq!(
        world.locks().holder(&owner()).await.unwrap().unwrap().release_id,
        "release-1"
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_mended_keeps_nobody_from_deploying() {
    let world = World::start().await;
    let machines = world.make_machine().await;
    let request = machines
        .start_execution()
        .state_machine_arn("arn:aws:states:us-east-1:111111111111:stateMachine:fenrir");
    let left = request.name("release-0").send().await.unwrap().execution_arn;
    machines.stop_execution().execution_arn(&left).send().await.unwrap();
    let started = record("release-0", Status::Started);
    world.records().write(&owner(), &started).await.unwrap();
    world.locks().acquire(&owner(), &holder("release-0")).await.unwrap();
    let deployment = world.deployment("release-1").await;
    world
        .aws
        .order_faults(&json!([{"action": "dynamodb:GetItem", "fault": "denied"}]));
    // Longer than any function lives.
    let environment = world.environment(&lock::STEP);
    let later = environment.with_clock(|| OffsetDateTime::now_utc() + Duration::minutes(17));
    lock::run(&later, deployment).await.unwrap();
    assert_eq!(
        world.calls_of("dynamodb:GetItem"),
        2,
        "Validate looks for the release, Lock for the record"
    );
    world.aws.order_faults(&json!([]));
    let holder = world.locks().holder(&owner()).await.unwrap().unwrap();
    assert_eq!(holder.release_id, "release-1");
    assert_eq!(world.records().get(&owner(), "release-0").await, Ok(Some(started)));
}

#[tokio::test]
async fn a_lock_that_nobody_can_vouch_for_stays() {
    let world = World::start().await;
    let deployment = world.deployment("release-1").await;
    // Not of this state machine: nothing says whether it has ended.
    let mut foreign = holder("release-0");
    foreign.execution = "arn:aws:states:us-east-1:111111111111:execution:another:release-0".to_owned();
    world.locks().acquire(&owner(), &foreign).await.unwrap();
    assert_eq!(
        world.lock(&deployment).await.unwrap_err().name,
        ErrorName::LockExistsError
    );
    world
        .locks()
        .mark_dirty(&owner(), &foreign.execution, "a table is left")
        .await
        .unwrap();
    let refused = world.lock(&deployment).await.unwrap_err();
    assert_eq!(refused.name, ErrorName::LockExistsError);
    assert!(
        refused
            .message
            .ends_with("a table is left; an operator mends what it says and runs `fenrir unlock --reason WHY`"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_manifest_that_fenrir_did_not_write_stops_the_deploy() {
    let world = World::start().await;
    let mut deployment = world.deployment("release-1").await;
    let mut foreign = deployment.template.clone();
    foreign.key = foreign.key.replace("release-1", "release-2");
    deployment.manifest = ManifestAt::Stored(foreign);
    assert_eq!(world.lock(&deployment).await.unwrap_err().name, ErrorName::LockError);
    assert_eq!(world.locks().holder(&owner()).await.unwrap(), None);
}
