//! The `fenrir` command against the local AWS, in the examples of this repository: what a developer sees, and the exit
//! status that his pipeline sees.

use std::fs;
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::{Capability, StackStatus};
use fenrir_core::owner::Owner;
use fenrir_testkit::{Deployer, root};
use serde_json::json;

use crate::deployer;
use crate::workplace::{Ran, Workplace};

#[test]
fn a_deploy_and_the_same_again() {
    let hello = Workplace::of("hello", "command/again");
    hello.run(&["deploy"]).ends(0, &["deployed", "execute-api"]);
    hello.run(&["deploy"]).ends(0, &["no changes"]);
}

#[test]
fn what_init_writes_is_deployed() {
    for runtime in ["python", "nodejs"] {
        let folder = Workplace::empty();
        let project = format!("command/init-{runtime}");
        let begin = ["init", "--project", &project, "--config", "dev", "--runtime", runtime];
        folder.run(&begin).ends(0, &["wrote template.yml"]);
        folder.run(&["validate"]).ends(0, &["is valid"]);
        folder.run(&["deploy"]).ends(0, &["deployed", "execute-api"]);
        folder.run(&["doctor"]).ends(0, &["nothing is wrong"]);
    }
}

#[test]
fn a_refusal_shows_the_line() {
    let hello = Workplace::of("hello", "command/refused");
    let ran = hello.run(&["deploy", "--template", "broken.yml"]);
    ran.ends(3, &["FunctionName", "broken.yml:11"]);
}

/// A refusal that only the deployer can know: the role is somebody else's.
#[test]
fn a_role_of_somebody_else_is_refused() {
    let hello = Workplace::of("hello", "command/theirs");
    let text = hello.template();
    hello.write(&text.replace("ProjectName: command/theirs", "ProjectName: command/other"));
    hello.run(&["deploy"]).ends(3, &["ProjectName"]);
}

#[test]
fn a_failure_says_what_failed() {
    let hello = Workplace::of("hello", "command/failed");
    let broken = "  Broken:\n    Type: AWS::SQS::Queue\n    Properties:\n      VisibilityTimeout: 99999\n";
    let text = hello.template();
    hello.write(&text.replace("\nResources:\n", &format!("\nResources:\n{broken}")));
    hello.run(&["deploy"]).ends(1, &["Broken", "VisibilityTimeout"]);
}

#[tokio::test]
async fn a_held_lock_says_who_holds_it() {
    let hello = Workplace::of("hello", "command/locked");
    // Long enough that the second deploy finds the lock held.
    let queues = (0..20).fold(String::new(), |text, number| {
        text + &format!("  Queue{number}:\n    Type: AWS::SQS::Queue\n")
    });
    hello.write(
        &hello
            .template()
            .replace("\nResources:\n", &format!("\nResources:\n{queues}")),
    );
    let mut first = hello.command(&["deploy"]).spawn().unwrap();
    let template = hello.template();
    let config = template
        .lines()
        .find_map(|line| line.strip_prefix("ConfigName: "))
        .unwrap();
    let owner = Owner {
        config: config.to_owned(),
        ..deployer().application("command/locked").owner().clone()
    };
    let holder = loop {
        if let Some(lock) = deployer().lock(&owner).await {
            break lock["release_id"].clone();
        }
        assert!(first.try_wait().unwrap().is_none(), "the first deploy takes the lock");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let second = hello.run(&["deploy"]);
    assert!(first.wait().unwrap().success());
    second.ends(4, &["locked", &holder]);
}

/// The network goes away in the middle: the deploy goes on, and is followed again.
#[tokio::test]
async fn a_lost_network_does_not_lose_the_deploy() {
    let hello = Workplace::of("hello", "command/lost");
    let faults = json!([{"action": "states:GetExecutionHistory", "fault": "reset", "times": 3},
                        {"action": "states:DescribeExecution", "fault": "reset", "times": 3}]);
    deployer().aws().order_faults(&faults);
    hello.run(&["deploy"]).ends(0, &["deployed"]);
    deployer().aws().order_faults(&json!([]));
}

#[test]
fn without_credentials_nothing_is_started() {
    let hello = Workplace::of("hello", "command/nobody");
    let mut command = hello.command(&["deploy"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    Ran::from(command.output().unwrap()).ends(2, &["credentials"]);
}

#[test]
fn a_deployer_that_is_not_there() {
    let hello = Workplace::of("hello", "command/nowhere");
    let machine = format!("arn:aws:states:us-east-1:{}:stateMachine:missing", Deployer::ACCOUNT);
    let ran = hello.run(&["deploy", "--state-machine", &machine]);
    ran.ends(2, &["missing"]);
}

/// Every example deploys.
#[test]
fn all_examples_deploy() {
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if !path.join("template.yml").exists() {
            continue;
        }
        let outside = path.join("outside.yml");
        if outside.exists() {
            prepare(&fs::read_to_string(outside).unwrap());
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let example = Workplace::of(name, &format!("examples/{name}"));
        example.run(&["deploy"]).ends(0, &["deployed"]);
        example.run(&["deploy"]).ends(0, &["no changes"]);
    }
}

/// What an administrator makes before the example can be deployed.
#[tokio::main(flavor = "current_thread")]
async fn prepare(outside: &str) {
    let client = aws_sdk_cloudformation::Client::new(&deployer().config().await);
    let stack = "outside";
    client
        .create_stack()
        .stack_name(stack)
        .template_body(outside)
        .capabilities(Capability::CapabilityNamedIam)
        .send()
        .await
        .unwrap();
    let begun = Instant::now();
    loop {
        let stacks = client.describe_stacks().stack_name(stack).send().await.unwrap();
        let found = stacks.stacks().first().unwrap();
        match found.stack_status().unwrap() {
            StackStatus::CreateComplete => return,
            StackStatus::CreateInProgress if begun.elapsed() < Duration::from_mins(1) => {}
            other => panic!("{other}: {}", found.stack_status_reason().unwrap_or_default()),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
