//! What the steps at both ends of the machine measure.

use fenrir_core::deployment::{Caught, ChangeSet, ChangeSetStatus, Deployment, Failure, Progress, Times};
use fenrir_core::error::ErrorName;
use fenrir_core::keys;
use fenrir_lambda::Environment;
use serde_json::{Value, json};

use crate::world::{World, application, execution, owner};

/// What was measured: the name and value of each metric, with the values of its dimensions.
fn measured(env: &Environment) -> Vec<String> {
    env.metrics()
        .take()
        .iter()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            let name = directive["Metrics"][0]["Name"].as_str().unwrap();
            let sets = directive["Dimensions"].as_array().unwrap();
            let mut dimensions: Vec<&str> = sets
                .iter()
                .flat_map(|set| set.as_array().unwrap())
                .map(|dimension| line[dimension.as_str().unwrap()].as_str().unwrap())
                .collect();
            dimensions.sort_unstable();
            dimensions.dedup();
            format!("{name} {} {}", line[name], dimensions.join(" "))
                .trim()
                .to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_refusal_counts_by_rule_and_by_project_only_when_it_is_proven() {
    let world = World::start().await;
    let env = world.environment(&validate::STEP);
    let bad = application().template(json!({
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"User": {"Type": "AWS::IAM::User"}, "Group": {"Type": "AWS::IAM::Group"}},
    }));
    let mut release = bad.upload(&world.config, "release-1").await;
    let refused = validate::run(&env, World::handed("release-1", release.clone())).await;
    assert_eq!(refused.unwrap_err().name, ErrorName::BadReleaseError);
    assert_eq!(measured(&env), ["Deploys 1 REFUSED team/app", "Refusals 1 F0207"]);

    // Nobody stored this one: what it says of itself makes no metric.
    release["project_name"] = json!("forged");
    let refused = validate::run(&env, World::handed("release-1", release)).await;
    assert_eq!(refused.unwrap_err().name, ErrorName::BadReleaseError);
    let unproven = measured(&env);
    assert_eq!(unproven.len(), 2, "{unproven:?}");
    assert_eq!(unproven[0], "Deploys 1 REFUSED");
    assert!(unproven[1].starts_with("Refusals 1 F01"), "{unproven:?}");

    let refused = validate::run(&env, World::handed("release-1", json!("no release\n{}"))).await;
    assert_eq!(refused.unwrap_err().name, ErrorName::BadReleaseError);
    assert!(
        measured(&env)
            .iter()
            .all(|line| line.starts_with("Deploys 1 REFUSED") || line.starts_with("Refusals 1 F0"))
    );
}

#[tokio::test]
async fn a_breakdown_of_validate_counts_when_it_is_recorded() {
    let world = World::start().await;
    let env = world.environment(&validate::STEP);
    let release = application().upload(&world.config, "release-1").await;
    world
        .aws
        .order_faults(&json!([{"action": "s3:PutObject", "fault": "denied", "times": 2}]));
    let broke_down = validate::run(&env, World::handed("release-1", release.clone())).await;
    assert_eq!(broke_down.unwrap_err().name, ErrorName::InternalError);
    assert!(measured(&env).is_empty(), "it may be tried again");
    let mut start = World::handed("release-1", release);
    start.broke_down = Some(Caught {
        error: "InternalError".to_owned(),
        cause: String::new(),
    });
    validate::answer(&env, start).await.unwrap();
    assert_eq!(measured(&env), ["Deploys 1 REFUSED team/app"]);
}

#[tokio::test]
async fn a_lock_that_is_not_to_be_had_counts_by_reason() {
    let world = World::start().await;
    let env = world.environment(&lock::STEP);
    let deployment = world.deployment("release-1").await;
    lock::run(&env, deployment.clone()).await.unwrap();
    assert!(measured(&env).is_empty(), "a lock that is taken is no news");

    world
        .locks()
        .mark_dirty(&owner(), &execution("release-1"), "a table is left")
        .await
        .unwrap();
    let next = world.deployment("release-2").await;
    let refused = lock::run(&env, next.clone()).await.unwrap_err();
    assert_eq!(refused.name, ErrorName::LockExistsError);
    assert_eq!(measured(&env), ["LockRefusals 1 Dirty", "Deploys 1 REFUSED team/app"]);

    world.locks().release(&owner(), &execution("release-1")).await.unwrap();
    world.freeze(&keys::freezes(&owner())[0]).await;
    let refused = lock::run(&env, next).await.unwrap_err();
    assert_eq!(refused.name, ErrorName::LockExistsError);
    assert_eq!(measured(&env), ["LockRefusals 1 Frozen", "Deploys 1 REFUSED team/app"]);
}

/// How a deploy of which this became ends, in metrics.
async fn ended(name: &str, change: impl FnOnce(&mut Deployment)) -> Vec<String> {
    let world = World::start().await;
    let deployment = world.deployment(name).await;
    let mut deployment = lock::run(&world.environment(&lock::STEP), deployment).await.unwrap();
    change(&mut deployment);
    let env = world.environment(&release_lock::STEP);
    release_lock::run(&env, deployment).await.unwrap();
    measured(&env)
}

fn times(change_set: Option<&str>, executed: Option<&str>) -> Times {
    let at = |second: &str| format!("2026-11-21T22:06:{second}Z");
    Times {
        validated: Some(at("31.5")),
        change_set: change_set.map(at),
        executed: executed.map(at),
    }
}

#[tokio::test]
async fn an_end_counts_by_outcome_and_project_and_tells_how_long_each_phase_took() {
    let lines = ended("release-1", |deployment| {
        deployment.execution.started_at = "2026-11-21T22:06:31Z".to_owned();
        deployment.times = times(Some("34"), Some("40.25"));
        deployment.stack.progress = Some(Progress::Succeeded);
    })
    .await;
    assert_eq!(
        lines[..4],
        [
            "Deploys 1 SUCCESS team/app",
            "Duration 500 Validate",
            "Duration 2500 ChangeSet",
            "Duration 6250 Execute"
        ]
    );
    assert!(
        lines[4].starts_with("Duration ") && lines[4].ends_with(" Whole"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 5);
}

#[tokio::test]
async fn a_phase_that_a_deploy_never_came_to_took_no_time() {
    let lines = ended("release-1", |deployment| {
        deployment.times = times(None, None);
        deployment.failure = Some(Failure::new(ErrorName::ChangeSetError, "no"));
        deployment.cleaned = true;
    })
    .await;
    assert_eq!(lines[0], "Deploys 1 FAILURE_CLEAN team/app");
    assert_eq!(lines.len(), 3, "{lines:?}");
    let plan = ended("release-1", |deployment| {
        deployment.release.operation = fenrir_core::deployment::Operation::Plan;
        deployment.change_set = Some(ChangeSet {
            name: "c".into(),
            arn: None,
            status: ChangeSetStatus::Planned,
            remade: false,
            changes: None,
        });
        deployment.cleaned = true;
    })
    .await;
    assert_eq!(plan[0], "Plans 1 SUCCESS team/app");
}
