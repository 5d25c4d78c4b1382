//! The state stays small whatever is deployed and however it fails: it is what operators read, and what Step Functions
//! keeps at every event of the history.

use std::time::Duration;

use fenrir_core::deployment::Manifest;

use crate::cloud::{Cloud, Findings, Outcome, Script, event};

/// Bytes of the state, at most. Step Functions would bear 256 KiB.
const MOST: usize = 16 * 1024;
const RESOURCES: usize = 500;
/// The longest id of a release.
const RELEASE: &str = "release-id-of-64-characters-0123456789-0123456789-0123456789-abc";

/// As many resources, and as long names, tags and metadata, as a release may have.
fn large() -> Script {
    let many = |count: usize, length: usize| {
        (0..count)
            .map(|number| (format!("Key{number:0>100}"), "v".repeat(length)))
            .collect()
    };
    Script {
        change_set: Duration::from_mins(1),
        stack: Duration::from_mins(10),
        resources: RESOURCES,
        manifest: Some(Manifest {
            tags: many(49, 256),
            metadata: many(50, 256),
        }),
        owner: Some(("p".repeat(80), "c".repeat(32))),
        ..Script::default()
    }
}

async fn small(script: Script) -> Outcome {
    assert_eq!(RELEASE.len(), 64);
    let outcome = Cloud::new(script).deploy(RELEASE).await;
    let largest = outcome.run.largest_state;
    assert!(largest < MOST, "{largest} bytes: {:?}", outcome.run.outcome);
    outcome
}

#[tokio::test]
async fn five_hundred_resources_leave_the_state_small() {
    let outcome = small(large()).await;
    assert!(outcome.run.outcome.is_ok(), "{:?}", outcome.run.outcome);
    assert!(outcome.run.largest_state < MOST / 4, "{}", outcome.run.largest_state);
}

#[tokio::test]
async fn five_hundred_failures_leave_the_state_small_and_the_cause_readable() {
    for letter in ["x", "&quot;", "\u{20ac}"] {
        five_hundred_failures_of(letter).await;
    }
}

async fn five_hundred_failures_of(letter: &str) {
    let words = letter.repeat(4_000);
    let reason = format!("<ResourceStatusReason>{words}</ResourceStatusReason>");
    let events = (0..RESOURCES).map(|number| event(&format!("Queue{number}"), "CREATE_FAILED", &reason));
    let events: Vec<String> = events.collect();
    // And what it left cannot be removed, for a reason as long.
    let outcome = small(Script {
        failures: events.chunks(100).map(<[String]>::to_vec).collect(),
        undeletable: Some(words),
        ..large()
    })
    .await;
    let failed = outcome.run.outcome.as_ref().unwrap_err();
    assert_eq!(failed.error, "FailureDirty.StackError");
    assert!(
        failed.cause.contains("`Queue499` (AWS::SQS::Queue)"),
        "{}",
        failed.cause
    );
    assert!(
        failed.cause.ends_with(&format!("(release {RELEASE})")),
        "{}",
        failed.cause
    );
}

#[tokio::test]
async fn five_hundred_findings_leave_the_state_small_and_are_counted() {
    let finding = |number: usize| {
        format!(
            "<EventType>VALIDATION_ERROR</EventType><LogicalResourceId>Queue{number}</LogicalResourceId>\
             <ValidationName>PROPERTY_VALIDATION</ValidationName>\
             <ValidationStatusReason>{}</ValidationStatusReason>",
            "x".repeat(200)
        )
    };
    let findings: Vec<String> = (0..2 * RESOURCES).map(finding).collect();
    let pages = findings.chunks(100).map(<[String]>::to_vec).collect();
    let outcome = small(Script {
        refusal: Some("see DescribeEvents".to_owned()),
        findings: Findings::Pages(pages),
        ..large()
    })
    .await;
    let failed = outcome.run.outcome.as_ref().unwrap_err();
    assert_eq!(failed.error, "FailureClean.ChangeSetError");
    assert!(failed.cause.contains("\nand 490 more\n"), "{}", failed.cause);
}
