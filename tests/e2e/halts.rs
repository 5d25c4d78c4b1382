//! `fenrir halt` while the change set is pending: nothing was executed, and nothing is left.
//!
//! On a local AWS of its own, where a change set can take its time.

use std::time::Duration;

use fenrir_testkit::Deployer;
use serde_json::json;

use crate::project::Project;
use crate::workplace::Ran;

/// The states of a deploy that ended before anything was executed.
const HALTED: [&str; 10] = [
    "Validate",
    "Lock",
    "CreateChangeSet",
    "WaitForChangeSet",
    "WaitChangeSet",
    "ChangeSetReady?",
    "CleanUp",
    "ReleaseLock",
    "Success?",
    "FailureClean",
];

fn queue(timeout: u32) -> String {
    format!("  Jobs:\n    Type: AWS::SQS::Queue\n    Properties:\n      VisibilityTimeout: {timeout}\n")
}

/// Deploys, halts the deploy as soon as its change set is there, and tells how the deploy ended.
async fn halted(project: &Project, reason: &str) -> Ran {
    let deploy = project.start(&["deploy"]);
    project.until_change_set().await;
    project
        .run(&["halt", "--reason", reason])
        .ends(0, &["asked the release"]);
    let ran = Ran::from(deploy.wait_with_output().unwrap());
    let ran = ran.ends(1, &[reason, "nothing was changed"]);
    let end = project.end(&ran).await;
    assert_eq!(end.path, HALTED);
    assert_eq!(end.error, "FailureClean.HaltError");
    for words in [
        "the deploy was stopped while the change set of stack `fenrir-halts-pending-test--",
        "` was made: `arn:aws:iam::111111111111:root` halted it at `",
        &format!("`: {reason}; nothing was changed; run `fenrir deploy` again when whoever halted it agrees"),
    ] {
        assert!(end.cause.contains(words), "`{words}` is not in: {}", end.cause);
    }
    assert!(
        end.cause.ends_with(&format!("(release {})", ran.release())),
        "{}",
        end.cause
    );
    project.is_clean(&ran).await;
    ran
}

/// The installation is leaked: it lasts as long as the tests do.
#[tokio::test]
async fn a_halt_of_a_pending_change_set_removes_it_and_executes_nothing() {
    let deployer: &Deployer = Box::leak(Box::new(Deployer::install()));
    // Longer than any of it is waited for: what ends before was halted.
    let pending = Duration::from_mins(5).as_secs();
    deployer.aws().turn(&json!({"change_set_seconds": pending}));
    let project = Project::of(deployer, "halts/pending", &queue(30));
    halted(&project, "wrong branch").await;
    assert_eq!(project.status().await, None, "no stack under review is left");

    // The halt was for that release, not for the next.
    deployer.aws().turn(&json!({"change_set_seconds": 0.2}));
    project.run(&["deploy"]).ends(0, &["deployed"]);

    deployer.aws().turn(&json!({"change_set_seconds": pending}));
    project.resources(&queue(31));
    halted(&project, "incident 4711").await;
    assert_eq!(project.status().await.as_deref(), Some("CREATE_COMPLETE"), "as it was");
    deployer.aws().turn(&json!({"change_set_seconds": 0.2}));
    project.run(&["deploy"]).ends(0, &["deployed"]);
}
