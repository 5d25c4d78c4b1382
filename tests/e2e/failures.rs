//! Failures as they come by themselves, seen by the developer who ran `fenrir deploy`: the path of states, what is left,
//! what is said, and the exit status.
//!
//! On a local AWS of their own, where CloudFormation takes a second for each resource.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_cloudformation::types::Capability;
use fenrir_core::names::{self, Style};
use fenrir_testkit::{Deployer, python, root};
use serde_json::json;

use crate::project::Project;
use crate::workplace::Ran;

/// The installation whose CloudFormation takes its time.
fn slow() -> &'static Deployer {
    static DEPLOYER: OnceLock<Deployer> = OnceLock::new();
    DEPLOYER.get_or_init(|| {
        let deployer = Deployer::install();
        deployer.aws().turn(&json!({"stack_seconds": 1.0}));
        deployer
    })
}

/// Queues that depend on each other: each takes its second.
fn queues(count: u32) -> String {
    (0..count).fold(String::new(), |text, number| {
        let before = number
            .checked_sub(1)
            .map(|before| format!("    DependsOn: Queue{before}\n"));
        text + &format!(
            "  Queue{number}:\n    Type: AWS::SQS::Queue\n{}",
            before.unwrap_or_default()
        )
    })
}

fn queue(timeout: u32) -> String {
    format!("  Jobs:\n    Type: AWS::SQS::Queue\n    Properties:\n      VisibilityTimeout: {timeout}\n")
}

/// A queue that SQS refuses, made after `after`.
fn broken(after: &str) -> String {
    format!(
        "  Broken:\n    Type: AWS::SQS::Queue\n    DependsOn: {after}\n    Properties:\n      VisibilityTimeout: 99999\n"
    )
}

impl Project {
    fn new(name: &'static str, resources: &str) -> Self {
        Self::of(slow(), name, resources)
    }
}

/// The states of a deploy that came as far as executing, up to its end in `CleanUp`.
const EXECUTED_THEN_CLEANED: [&str; 14] = [
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
    "CleanUp",
    "ReleaseLock",
    "Success?",
    "FailureClean",
];

#[tokio::test]
async fn a_function_that_cannot_be_created() {
    let function = "  Hello:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: code\n      \
                    Handler: app.handler\n      Runtime: python3.12\n      Policies:\n        - SQSSendMessagePolicy:\n            \
                    QueueName: !GetAtt Jobs.QueueName\n  Jobs:\n    Type: AWS::SQS::Queue\n";
    let project = Project::new("failures/function", function);
    project
        .folder
        .file("code/app.py", "def handler(event, context):\n    return 1\n");
    // Somebody made a function of the very name by hand.
    let name = names::resource(&project.owner, "AWS::Serverless::Function", "Hello", Style::up_to(64));
    make_function(&name).await;
    let ran = project
        .run(&["deploy"])
        .ends(1, &["`Hello` (AWS::Lambda::Function)", &name, "already exists"]);
    let end = project.end(&ran).await;
    assert_eq!(end.path, EXECUTED_THEN_CLEANED);
    assert_eq!(end.error, "FailureClean.StackError");
    assert!(
        end.cause.contains("mend that and run `fenrir deploy` again"),
        "{}",
        end.cause
    );
    assert_eq!(project.status().await, None, "what never completed is removed");
    project.is_clean(&ran).await;
}

#[tokio::test]
async fn an_update_that_rolls_back() {
    let project = Project::new("failures/update", &queue(30));
    project.run(&["deploy"]).ends(0, &[]);
    project.resources(&(queue(31) + &broken("Jobs")));
    let ran = project
        .run(&["deploy"])
        .ends(1, &["`Broken` (AWS::SQS::Queue)", "VisibilityTimeout", "rolled back"]);
    assert_eq!(project.end(&ran).await.path, EXECUTED_THEN_CLEANED);
    assert_eq!(project.status().await.as_deref(), Some("UPDATE_ROLLBACK_COMPLETE"));
    project.is_clean(&ran).await;
    project.resources(&queue(32));
    project.run(&["deploy"]).ends(0, &["deployed"]);
}

/// CloudFormation finds it before it touches anything, and then the stack's events say only whom to ask.
#[tokio::test]
async fn names_that_are_taken() {
    let buckets = "  Store:\n    Type: AWS::S3::Bucket\n  Archive:\n    Type: AWS::S3::Bucket\n";
    for (name, is_new) in [("failures/taken", true), ("failures/taken-later", false)] {
        let project = Project::new(name, &queue(30));
        if !is_new {
            project.run(&["deploy"]).ends(0, &[]);
        }
        project.resources(&(queue(30) + buckets));
        let config = slow().config().await;
        let mut taken = Vec::new();
        for logical_id in ["Store", "Archive"] {
            let bucket = names::resource(&project.owner, "AWS::S3::Bucket", logical_id, Style::up_to(63).lower());
            let create = aws_sdk_s3::Client::new(&config).create_bucket().bucket(&bucket);
            create.send().await.unwrap();
            taken.push(format!(
                "identifier '{bucket}' already exists (early validation `NAME_CONFLICT_VALIDATION`"
            ));
        }
        let ran = project.run(&["deploy"]).ends(
            1,
            &[
                "`Store` (AWS::S3::Bucket)",
                "`Archive` (AWS::S3::Bucket)",
                &taken[0],
                &taken[1],
            ],
        );
        let end = project.end(&ran).await;
        assert_eq!(end.path, EXECUTED_THEN_CLEANED);
        assert_eq!(end.error, "FailureClean.StackError");
        let left = project.status().await;
        assert_eq!(left.as_deref(), (!is_new).then_some("UPDATE_ROLLBACK_COMPLETE"));
        project.is_clean(&ran).await;
    }
}

/// The shortest timeout there is lasts a minute.
#[tokio::test]
async fn a_stack_that_never_finishes_is_timed_out() {
    let project = Project::new("failures/endless", &queues(200));
    let ran = project
        .run(&["deploy", "--timeout", "60"])
        .ends(124, &["the timeout passed", "was being created", "--timeout"]);
    let end = project.end(&ran).await;
    assert_eq!(end.path, EXECUTED_THEN_CLEANED);
    assert_eq!(end.error, "FailureClean.TimeoutError");
    assert_eq!(project.status().await, None);
    project.is_clean(&ran).await;
}

#[tokio::test]
async fn a_creation_that_is_halted_is_deleted() {
    let project = Project::new("failures/halted-create", &queues(100));
    let deploy = project.start(&["deploy"]);
    project.until("CREATE_IN_PROGRESS").await;
    project
        .run(&["halt", "--reason", "wrong branch"])
        .ends(0, &["asked the release"]);
    let ran = Ran::from(deploy.wait_with_output().unwrap());
    let ran = ran.ends(1, &["wrong branch", "`arn:aws:iam::111111111111:root` halted it"]);
    let end = project.end(&ran).await;
    assert_eq!(end.path, EXECUTED_THEN_CLEANED);
    assert_eq!(end.error, "FailureClean.HaltError");
    assert_eq!(project.status().await, None);
    project.is_clean(&ran).await;
    // The halt was for that release, not for the next.
    project.resources(&queue(30));
    project.run(&["deploy"]).ends(0, &["deployed"]);
}

#[tokio::test]
async fn an_update_that_is_halted_is_cancelled_and_rolled_back() {
    let project = Project::new("failures/halted-update", &queues(1));
    project.run(&["deploy"]).ends(0, &[]);
    project.resources(&queues(100));
    let deploy = project.start(&["deploy"]);
    project.until("UPDATE_IN_PROGRESS").await;
    project
        .run(&["halt", "--reason", "incident 4711"])
        .ends(0, &["asked the release"]);
    let ran = Ran::from(deploy.wait_with_output().unwrap());
    let ran = ran.ends(1, &["incident 4711", "the update was cancelled and it was rolled back"]);
    assert_eq!(project.end(&ran).await.error, "FailureClean.HaltError");
    assert_eq!(project.status().await.as_deref(), Some("UPDATE_ROLLBACK_COMPLETE"));
    project.is_clean(&ran).await;
    project
        .run(&["halt", "--reason", "again"])
        .ends(2, &["nothing is being deployed"]);
}

#[tokio::test]
async fn a_stack_that_someone_else_is_updating() {
    let project = Project::new("failures/busy", &queues(1));
    project.run(&["deploy"]).ends(0, &[]);
    let config = slow().config().await;
    let resources = (0..20).map(|number| (format!("Theirs{number}"), json!({"Type": "AWS::SQS::Queue"})));
    aws_sdk_cloudformation::Client::new(&config)
        .update_stack()
        .stack_name(names::stack(&project.owner))
        .template_body(json!({"Resources": resources.collect::<serde_json::Map<_, _>>()}).to_string())
        .send()
        .await
        .unwrap();
    project.resources(&queues(2));
    let ran = project
        .run(&["deploy"])
        .ends(1, &["`UPDATE_IN_PROGRESS`", "it is not this deploy that is at it"]);
    let end = project.end(&ran).await;
    assert_eq!(
        end.path,
        [
            "Validate",
            "Lock",
            "CreateChangeSet",
            "CleanUp",
            "ReleaseLock",
            "Success?",
            "FailureClean"
        ]
    );
    assert!(end.cause.contains("run `fenrir deploy` again"), "{}", end.cause);
    project.is_clean(&ran).await;
    assert_eq!(
        project.status().await.as_deref(),
        Some("UPDATE_IN_PROGRESS"),
        "theirs goes on"
    );
}

#[tokio::test]
async fn a_stack_that_is_deleted_underneath() {
    let project = Project::new("failures/deleted", &queues(60));
    let deploy = project.start(&["deploy"]);
    project.until("CREATE_IN_PROGRESS").await;
    let config = slow().config().await;
    let delete = aws_sdk_cloudformation::Client::new(&config).delete_stack();
    delete.stack_name(names::stack(&project.owner)).send().await.unwrap();
    let ran = Ran::from(deploy.wait_with_output().unwrap());
    let ran = ran.ends(1, &["was deleted while it was being deployed, not by Fenrir"]);
    assert_eq!(project.end(&ran).await.path, EXECUTED_THEN_CLEANED);
    assert_eq!(project.status().await, None);
    project.is_clean(&ran).await;
}

/// Somebody deletes the stack while it is being made, and that fails, too: what is half-made is nobody's to delete.
#[tokio::test]
async fn a_stack_whose_deletion_underneath_fails_is_dirty() {
    let bucket = "  Store:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: Delete\n    UpdateReplacePolicy: Delete\n";
    let after_it = queues(60).replace(
        "Queue0:\n    Type: AWS::SQS::Queue\n",
        "Queue0:\n    Type: AWS::SQS::Queue\n    DependsOn: Store\n",
    );
    let project = Project::new("failures/half-deleted", &format!("{bucket}{after_it}"));
    let deploy = project.start(&["deploy"]);
    let bucket = project.until_resource("Store", "CREATE_COMPLETE").await;
    let config = slow().config().await;
    let put = aws_sdk_s3::Client::new(&config).put_object().bucket(&bucket);
    put.key("kept").send().await.unwrap();
    let delete = aws_sdk_cloudformation::Client::new(&config).delete_stack();
    delete.stack_name(names::stack(&project.owner)).send().await.unwrap();
    let ran = Ran::from(deploy.wait_with_output().unwrap());
    let ran = ran.ends(
        5,
        &["`Store` (AWS::S3::Bucket)", "DELETE_FAILED", "fenrir unlock --reason"],
    );
    let end = project.end(&ran).await;
    assert_eq!(end.error, "FailureDirty.StackError");
    assert_eq!(project.status().await.as_deref(), Some("DELETE_FAILED"));
    let lock = slow().lock(&project.owner).await.unwrap();
    assert_eq!(lock["dirty"], "true");
}

/// Somebody deletes a queue by hand while its update is under way: the rollback cannot bring it back. The end is dirty;
/// the queue is made again; `fenrir unlock`; the next deploy goes on with the rollback by itself, and succeeds.
#[tokio::test]
async fn a_rollback_that_fails_is_dirty_and_the_next_deploy_goes_on_with_it() {
    let project = Project::new("failures/stuck", &queue(30));
    project.run(&["deploy"]).ends(0, &[]);
    // Some seconds between the update of the queue and the failure, for whoever deletes it by hand.
    let slowly = queues(8).replace(
        "Queue0:\n    Type: AWS::SQS::Queue\n",
        "Queue0:\n    Type: AWS::SQS::Queue\n    DependsOn: Jobs\n",
    );
    project.resources(&(queue(31) + &slowly + &broken("Queue7")));
    let deploy = project.start(&["deploy"]);
    project.until("UPDATE_IN_PROGRESS").await;
    let url = project.until_resource("Jobs", "UPDATE_COMPLETE").await;
    sqs("delete_queue", &url);
    let ran = Ran::from(deploy.wait_with_output().unwrap());
    let ran = ran.ends(
        5,
        &[
            "`Broken`",
            "VisibilityTimeout",
            "UPDATE_ROLLBACK_FAILED",
            "fenrir unlock --reason",
        ],
    );
    let end = project.end(&ran).await;
    assert_eq!(end.path[..13], EXECUTED_THEN_CLEANED[..13]);
    assert_eq!(
        (end.path[13].as_str(), end.error.as_str()),
        ("FailureDirty", "FailureDirty.StackError")
    );
    let lock = slow().lock(&project.owner).await.unwrap();
    assert_eq!(
        (lock["dirty"].as_str(), lock["release_id"].as_str()),
        ("true", ran.release())
    );
    assert!(end.cause.contains(&lock["reason"]), "{}: {}", end.cause, lock["reason"]);

    project.resources(&queue(32));
    project
        .run(&["deploy"])
        .ends(4, &["ended dirty", "fenrir unlock --reason"]);
    sqs("create_queue", &url);
    project
        .run(&["unlock", "--reason", "the queue is back"])
        .ends(0, &["removed the lock", ran.release()]);
    let record = slow().record(&project.owner, ran.release()).await.unwrap();
    assert!(record["unlocked"].contains("the queue is back"), "{record:?}");
    project
        .run(&["unlock", "--reason", "again"])
        .ends(0, &["nothing to unlock"]);
    project.run(&["deploy"]).ends(0, &["deployed"]);
}

#[test]
fn a_freeze_keeps_everybody_out_until_it_is_lifted() {
    let project = Project::new("failures/frozen", &queue(30));
    project.run(&["lock", "--reason", "migration"]).ends(0, &["frozen"]);
    project
        .run(&["lock", "--reason", "mine"])
        .ends(4, &["is frozen already", "migration"]);
    project.run(&["deploy"]).ends(
        4,
        &["migration", "`arn:aws:iam::111111111111:root` froze", "fenrir unlock"],
    );
    project
        .run(&["unlock", "--reason", "done"])
        .ends(0, &["no longer frozen"]);
    project
        .run(&["lock", "--whole-project", "--reason", "audit"])
        .ends(0, &["every config"]);
    // That is not what freezes it.
    project
        .run(&["unlock", "--reason", "no"])
        .ends(4, &["itself is not frozen", "audit", "--whole-project"]);
    project.run(&["deploy"]).ends(
        4,
        &["audit", "`fenrir unlock --whole-project --reason WHY` ends the freeze"],
    );
    project
        .run(&["unlock", "--whole-project", "--reason", "done"])
        .ends(0, &["no longer frozen"]);
    project.run(&["deploy"]).ends(0, &["deployed"]);
}

/// A function made by hand, as far as CloudFormation can tell.
async fn make_function(name: &str) {
    let template = json!({"Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
        }}},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": name, "Handler": "index.handler", "Runtime": "python3.12",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"ZipFile": "def handler(event, context): return 2"}
        }}
    }});
    let config = slow().config().await;
    let client = aws_sdk_cloudformation::Client::new(&config);
    let create = client
        .create_stack()
        .stack_name("by-hand")
        .capabilities(Capability::CapabilityIam);
    create.template_body(template.to_string()).send().await.unwrap();
    loop {
        let found = client.describe_stacks().stack_name("by-hand").send().await.unwrap();
        match found.stacks()[0].stack_status().unwrap().as_str() {
            "CREATE_COMPLETE" => return,
            "CREATE_IN_PROGRESS" => tokio::time::sleep(Duration::from_millis(100)).await,
            other => panic!("{other}"),
        }
    }
}

/// Deletes or makes a queue by hand.
fn sqs(call: &str, url: &str) {
    let name = url.rsplit('/').next().unwrap();
    let arguments = if call == "create_queue" {
        format!("QueueName='{name}'")
    } else {
        format!("QueueUrl='{url}'")
    };
    let code = format!(
        "import local_aws; local_aws.client('{}', 'sqs', '{}').{call}({arguments})",
        slow().aws().endpoint(),
        Deployer::ACCOUNT
    );
    let done = Command::new(python())
        .current_dir(root().join("tests/local_aws"))
        .args(["-c", &code])
        .status();
    assert!(done.unwrap().success(), "{call} {url}");
}
