//! Plans: what they tell, and that they leave nothing. The deploy of the same template does what its plan told.

use std::collections::BTreeMap;

use fenrir_core::keys;
use fenrir_core::plan::{Kind, Plan};
use fenrir_testkit::{Application, Ended};
use serde_json::{Value, json};

use crate::scenarios::{assert_failed, assert_nothing_held, both_ways, queue, stack_status};
use crate::workplace::Workplace;
use crate::{Way, deployer};

async fn plan(way: Way, application: &Application, release_id: &str) -> Ended {
    let planned = application.clone().release_field("operation", json!("plan"));
    way.deploy(&planned, release_id).await
}

/// What lies beside the release as `changes.json`, where the record says that it lies.
async fn told(application: &Application, release_id: &str) -> Plan {
    let owner = application.owner();
    let key = keys::own(owner, release_id, "changes.json");
    let record = deployer().record(owner, release_id).await.unwrap();
    assert_eq!(
        (record["operation"].as_str(), record["status"].as_str()),
        ("plan", "SUCCESS")
    );
    assert!(record["stored"].contains(&key), "{}", record["stored"]);
    read(&key).await
}

async fn read(key: &str) -> Plan {
    let client = aws_sdk_s3::Client::new(
        &deployer()
            .aws()
            .config(fenrir_testkit::Deployer::ACCOUNT, "us-east-1")
            .await,
    );
    let found = client
        .get_object()
        .bucket(deployer().bucket())
        .key(key)
        .send()
        .await
        .unwrap();
    serde_json::from_slice(&found.body.collect().await.unwrap().into_bytes()).unwrap()
}

/// The resources that the stack has, and their types.
async fn resources(application: &Application) -> BTreeMap<String, String> {
    let stack = deployer().stack(application.owner()).await.unwrap();
    let client = aws_sdk_cloudformation::Client::new(&deployer().config().await);
    let found = client
        .list_stack_resources()
        .stack_name(stack.stack_id().unwrap())
        .send()
        .await
        .unwrap();
    let all = found.stack_resource_summaries().iter();
    all.filter(|one| {
        one.resource_status()
            .is_none_or(|status| status.as_str() != "DELETE_COMPLETE")
    })
    .map(|one| {
        (
            one.logical_resource_id().unwrap().to_owned(),
            one.resource_type().unwrap().to_owned(),
        )
    })
    .collect()
}

fn of_kind(plan: &Plan, kind: Kind) -> BTreeMap<String, String> {
    let all = plan.changes.iter().filter(|change| change.kind == kind);
    all.map(|change| (change.logical_id.clone(), change.resource_type.clone()))
        .collect()
}

/// A function that works with the queue by these policy templates.
fn function(policies: &[&str]) -> Value {
    let policies = policies
        .iter()
        .map(|policy| json!({ *policy: {"QueueName": {"Fn::GetAtt": ["Jobs", "QueueName"]}} }));
    json!({"Policies": policies.collect::<Vec<_>>()})
}

async fn of_a_new_stack(way: Way) {
    let name = way.name("plan-new");
    let application = deployer()
        .application(&name)
        .with("Jobs", queue())
        .with_function("Worker", &function(&["SQSSendMessagePolicy"]));
    let ended = plan(way, &application, &format!("{name}-1")).await;
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    assert_eq!(stack_status(&application).await, None, "a plan leaves no stack");
    assert_nothing_held(&application).await;
    let plan = told(&application, &format!("{name}-1")).await;
    assert_eq!(plan.changes.len(), plan.counts().add, "everything is added");
    assert_eq!(plan.problems, [], "nothing of it is worth a second look");
    let deployed = way.deploy(&application, &format!("{name}-2")).await;
    assert_eq!(deployed.status, "SUCCEEDED", "{} {}", deployed.error, deployed.cause);
    assert_eq!(
        resources(&application).await,
        of_kind(&plan, Kind::Add),
        "the deploy does what the plan told"
    );
}

async fn of_an_update(way: Way) {
    let name = way.name("plan-update");
    let before = deployer()
        .application(&name)
        .with(
            "Jobs",
            json!({"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 30}}),
        )
        .with("Old", json!({"Type": "AWS::Serverless::SimpleTable"}))
        .with_function("Worker", &function(&["SQSPollerPolicy"]));
    let ended = way.deploy(&before, &format!("{name}-1")).await;
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    let there = resources(&before).await;
    let after = before
        .without("Old")
        .with(
            "Jobs",
            json!({"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 31}}),
        )
        .with("New", json!({"Type": "AWS::SNS::Topic"}))
        .with_function("Worker", &function(&["SQSPollerPolicy", "SQSSendMessagePolicy"]));
    let ended = plan(way, &after, &format!("{name}-2")).await;
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    assert_eq!(
        stack_status(&after).await.unwrap(),
        "CREATE_COMPLETE",
        "a plan changes nothing"
    );
    assert_eq!(resources(&after).await, there);
    assert_nothing_held(&after).await;

    let plan_told = told(&after, &format!("{name}-2")).await;
    let jobs = plan_told
        .changes
        .iter()
        .find(|change| change.logical_id == "Jobs")
        .unwrap();
    let timeout = &jobs.properties[0];
    assert_eq!(
        (timeout.path.as_str(), &timeout.before, &timeout.after),
        ("/Properties/VisibilityTimeout", &Some(json!(30)), &Some(json!(31)))
    );
    let codes: Vec<&str> = plan_told.problems.iter().map(|problem| problem.code.as_ref()).collect();
    assert_eq!(
        codes,
        ["F0704", "F0702"],
        "the worker's rights and the table's data: {:?}",
        plan_told.problems
    );
    assert!(
        plan_told.problems[0].message.contains("`sqs:SendMessage"),
        "{}",
        plan_told.problems[0].message
    );

    let deployed = way.deploy(&after, &format!("{name}-3")).await;
    assert_eq!(deployed.status, "SUCCEEDED", "{} {}", deployed.error, deployed.cause);
    let mut wanted = there;
    wanted.extend(of_kind(&plan_told, Kind::Add));
    wanted.retain(|id, _| !of_kind(&plan_told, Kind::Remove).contains_key(id));
    assert_eq!(resources(&after).await, wanted, "the deploy does what the plan told");
    let again = plan(way, &after, &format!("{name}-4")).await;
    assert_eq!(again.status, "SUCCEEDED", "{} {}", again.error, again.cause);
    // Nothing is left to do, but for the code: unlike the command, the tests' client uploads it again each time.
    let left = told(&after, &format!("{name}-4")).await.changes;
    for change in &left {
        let paths: Vec<&str> = change
            .properties
            .iter()
            .map(|property| property.path.as_str())
            .collect();
        assert_eq!(
            (change.logical_id.as_str(), paths),
            ("Worker", vec!["/Properties/Code"])
        );
    }
}

/// SAM refuses what the policy let pass: the plan fails as the deploy would, and leaves as little.
async fn of_what_cannot_be(way: Way) {
    let name = way.name("plan-fails");
    let nameless = json!({"Type": "AWS::Serverless::SimpleTable", "Properties": {"PrimaryKey": {"Name": "id"}}});
    let application = deployer().application(&name).with("Store", nameless);
    let ended = plan(way, &application, &name).await;
    assert_failed(&ended, "FailureClean.ChangeSetError", &["Store"], &name);
    assert_eq!(stack_status(&application).await, None);
    assert_nothing_held(&application).await;
}

both_ways!(of_a_new_stack, of_an_update, of_what_cannot_be);

const JOBS: &str = "  Jobs:\n    Type: AWS::SQS::Queue\n";

#[test]
fn the_command_tells_what_a_deploy_does() {
    let project = "plans/command";
    let folder = Workplace::with(deployer(), project, JOBS);
    folder
        .run(&["plan"])
        .ends(0, &["+ Jobs", "AWS::SQS::Queue", "Plan: 1 to add, 0 to change"]);
    folder
        .run(&["plan", "--detailed-exitcode"])
        .ends(6, &["Plan: 1 to add"]);
    folder.run(&["deploy"]).ends(0, &["deployed"]);
    folder.run(&["plan", "--detailed-exitcode"]).ends(0, &["no changes"]);
    folder.resources(project, &format!("{JOBS}    Properties: {{DelaySeconds: 5}}\n"));
    let ran = folder.run(&["plan"]);
    let release = ran.release().to_owned();
    ran.ends(
        0,
        &["~ Jobs", "DelaySeconds: (none) -> 5", "Plan: 0 to add, 1 to change"],
    );
    folder
        .run(&["attach", &release])
        .ends(0, &["DelaySeconds: (none) -> 5"]);
    folder.resources(project, "  Other:\n    Type: AWS::SNS::Topic\n");
    folder
        .run(&["plan"])
        .ends(0, &["F0702", "- Jobs", "(kept, outside of the stack)"]);
}

#[test]
fn a_plan_of_a_held_project_is_refused_like_a_deploy() {
    let project = "plans/frozen";
    let folder = Workplace::with(deployer(), project, JOBS);
    let scope = ["--project", project, "--config", "test"];
    folder
        .run(&[&["lock", "--reason", "nobody deploys"][..], &scope].concat())
        .ends(0, &["frozen"]);
    folder.run(&["plan"]).ends(4, &["nobody deploys"]);
}
