//! What a person is told of a failure: the first real cause, in the words of whoever refused.

use std::time::Duration;

use crate::cloud::{Cloud, Findings, Script, event};

/// CloudFormation's words about a change set that early validation or a hook refused.
const POINTS_ELSEWHERE: &str = "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To \
                                troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure \
                                information.";

fn validation(logical_id: &str, mode: &str, reason: &str) -> String {
    format!(
        "<OperationType>CREATE_CHANGESET</OperationType><OperationStatus>FAILED</OperationStatus>\
         <EventType>VALIDATION_ERROR</EventType><LogicalResourceId>{logical_id}</LogicalResourceId>\
         <ResourceType>AWS::SQS::Queue</ResourceType><ValidationFailureMode>{mode}</ValidationFailureMode>\
         <ValidationName>PROPERTY_VALIDATION</ValidationName><ValidationStatus>FAILED</ValidationStatus>\
         <ValidationStatusReason>{reason}</ValidationStatusReason>\
         <ValidationPath>/Resources/{logical_id}/Properties</ValidationPath>"
    )
}

fn hook(status: &str, mode: &str, reason: &str) -> String {
    format!(
        "<HookType>Company::SQS::Encryption</HookType><HookStatus>{status}</HookStatus>\
         <HookStatusReason>{reason}</HookStatusReason><HookInvocationPoint>PRE_PROVISION</HookInvocationPoint>\
         <HookFailureMode>{mode}</HookFailureMode>"
    )
}

fn refusal(reason: &str, findings: Findings) -> Script {
    Script {
        change_set: Duration::from_secs(3),
        refusal: Some(reason.to_owned()),
        findings,
        ..Script::default()
    }
}

fn failure(pages: Vec<Vec<String>>) -> Script {
    Script {
        change_set: Duration::from_secs(3),
        stack: Duration::from_secs(30),
        failures: pages,
        ..Script::default()
    }
}

const CANCELLED: &str = "<ResourceStatusReason>Resource creation cancelled</ResourceStatusReason>";

#[tokio::test]
async fn early_validation_is_told_by_resource_and_place_from_all_pages() {
    let pages = vec![
        vec![
            // Of an operation before ours, and a mere warning.
            validation("Old", "FAIL", "not ours").replace("CREATE_CHANGESET", "CREATE_STACK"),
            validation("Bucket", "WARN", "the bucket is not empty"),
            validation("Queue0", "FAIL", "#: extraneous key [Colour] is not permitted"),
        ],
        vec![validation("Queue1", "FAIL", "#: required key [Name] not found")],
    ];
    let cloud = Cloud::new(refusal(POINTS_ELSEWHERE, Findings::Pages(pages)));
    let outcome = cloud.deploy("release-1").await;
    let cause = outcome.cause();
    let wanted = "was refused before anything was touched:\n\
                  `Queue0` (AWS::SQS::Queue) at `/Resources/Queue0/Properties`: #: extraneous key [Colour] is not permitted \
                  (early validation `PROPERTY_VALIDATION`)\n\
                  `Queue1` (AWS::SQS::Queue) at `/Resources/Queue1/Properties`: #: required key [Name] not found (early \
                  validation `PROPERTY_VALIDATION`)\nnothing was changed";
    assert!(cause.contains(wanted), "{cause}");
    assert!(cause.contains("/release-1/events.json`"), "{cause}");
    assert!(!cause.contains("not ours") && !cause.contains("not empty"), "{cause}");
    let stored = cloud.stored("events.json").unwrap();
    assert_eq!(stored.as_array().unwrap().len(), 3, "with the warning: {stored}");
    let asked = cloud.requests("DescribeEvents");
    assert_eq!(asked.len(), 2, "page by page");
    assert_eq!(
        asked[0].field("ChangeSetName").as_deref(),
        Some("arn:aws:cloudformation:us-east-1:111111111111:changeSet/fenrir-0/1")
    );
    assert_eq!(asked[0].field("Filters.FailedEvents").as_deref(), Some("true"));
}

#[tokio::test]
async fn a_hook_on_the_change_set_is_named_with_its_mode_and_words() {
    let refused = event(
        "Queue0",
        "CREATE_IN_PROGRESS",
        &hook("HOOK_COMPLETE_FAILED", "FAIL", "queues are encrypted"),
    );
    let warned = event(
        "Queue1",
        "CREATE_IN_PROGRESS",
        &hook("HOOK_COMPLETE_FAILED", "WARN", "a mere hint"),
    );
    let broken = event(
        "Queue2",
        "CREATE_IN_PROGRESS",
        &hook("HOOK_FAILED", "FAIL", "no answer in time"),
    );
    let pages = [warned, refused, broken].map(|event| format!("<EventType>HOOK_INVOCATION_ERROR</EventType>{event}"));
    let cloud = Cloud::new(refusal(POINTS_ELSEWHERE, Findings::Pages(vec![pages.to_vec()])));
    let outcome = cloud.deploy("release-1").await;
    let cause = outcome.cause();
    let wanted = "touched:\n`Queue0` (AWS::SQS::Queue): refused by the hook `Company::SQS::Encryption` (failure mode \
                  `FAIL`): queues are encrypted\n`Queue2` (AWS::SQS::Queue): stopped because the hook \
                  `Company::SQS::Encryption` (failure mode `FAIL`) broke down: no answer in time\nnothing";
    assert!(cause.contains(wanted), "{cause}");
    assert!(!cause.contains("a mere hint"), "{cause}");
}

#[tokio::test]
async fn where_nothing_more_can_be_learnt_cloudformations_words_stand() {
    for findings in [Findings::Nothing, Findings::Denied, Findings::Unknown] {
        let cloud = Cloud::new(refusal("Transform AWS::Serverless-2016-10-31 failed", findings.clone()));
        let outcome = cloud.deploy("release-1").await;
        let failed = outcome.run.outcome.as_ref().unwrap_err();
        assert_eq!(failed.error, "FailureClean.ChangeSetError", "{findings:?}");
        let wanted = "could not make the change set of stack `fenrir-team-app-dev--";
        assert!(failed.cause.contains(wanted), "{}", failed.cause);
        let words = ": Transform AWS::Serverless-2016-10-31 failed; nothing was changed;";
        assert!(failed.cause.contains(words), "{}", failed.cause);
        assert!(cloud.stored("events.json").is_none(), "{findings:?}");
    }
}

#[tokio::test]
async fn the_first_real_failure_is_named_though_cancelled_ones_stand_before_and_after_it() {
    // Newest first, as CloudFormation gives them.
    let pages = vec![
        vec![
            event("Queue9", "DELETE_COMPLETE", ""),
            event("Queue3", "CREATE_FAILED", CANCELLED),
            event(
                "Queue2",
                "CREATE_FAILED",
                "<ResourceStatusReason>the second</ResourceStatusReason>",
            ),
        ],
        vec![
            event(
                "Queue1",
                "CREATE_FAILED",
                "<ResourceStatusReason>no such key</ResourceStatusReason>",
            ),
            event("Queue0", "CREATE_FAILED", CANCELLED),
        ],
    ];
    let cloud = Cloud::new(failure(pages));
    let outcome = cloud.deploy("release-1").await;
    let cause = outcome.cause();
    let wanted = "failed: `Queue1` (AWS::SQS::Queue): CREATE_FAILED: no such key; nothing of it stays";
    assert!(cause.contains(wanted), "{cause}");
    let stored = cloud.stored("events.json").unwrap();
    assert_eq!(
        stored.as_array().unwrap().len(),
        7,
        "five and the stack's own two: {stored}"
    );
    assert!(
        cloud.requests("DescribeEvents").is_empty(),
        "the stack's events say it all"
    );
}

#[tokio::test]
async fn a_hook_that_forbids_a_resource_is_the_cause_not_the_sentence_that_follows() {
    let pages = vec![vec![
        event("Queue1", "CREATE_FAILED", CANCELLED),
        event(
            "Queue0",
            "CREATE_FAILED",
            "<ResourceStatusReason>The following hook(s) failed: [Company::SQS::Encryption]</ResourceStatusReason>",
        ),
        event(
            "Queue0",
            "CREATE_IN_PROGRESS",
            &hook("HOOK_COMPLETE_FAILED", "FAIL", "queues are encrypted"),
        ),
        event(
            "Queue0",
            "CREATE_IN_PROGRESS",
            &hook("HOOK_COMPLETE_FAILED", "WARN", "a mere hint"),
        ),
        event(
            "Queue2",
            "CREATE_IN_PROGRESS",
            &hook("HOOK_COMPLETE_FAILED", "FAIL", "of another queue"),
        ),
    ]];
    let cloud = Cloud::new(failure(pages));
    let outcome = cloud.deploy("release-1").await;
    let cause = outcome.cause();
    let wanted = "failed: `Queue0` (AWS::SQS::Queue): refused by the hook `Company::SQS::Encryption` (failure mode \
                  `FAIL`): queues are encrypted; nothing of it stays";
    assert!(cause.contains(wanted), "{cause}");
    let stored = cloud.stored("events.json").unwrap();
    let has_hook = |event: &&serde_json::Value| event["hook"]["name"] == "Company::SQS::Encryption";
    assert_eq!(
        stored.as_array().unwrap().iter().filter(has_hook).count(),
        3,
        "{stored}"
    );
}

/// Since June 2026 CloudFormation validates stack operations, too. The stack's events then say only where to ask.
#[tokio::test]
async fn what_validation_holds_against_the_execution_is_asked_of_describe_events() {
    let its = |logical_id: &str, reason: &str| {
        validation(logical_id, "FAIL", reason).replace("CREATE_CHANGESET", "CREATE_STACK")
    };
    let found = vec![
        vec![
            // Of the change set, and a mere warning.
            validation("Old", "FAIL", "not ours"),
            its("Queue2", "a hint").replace(">FAIL<", ">WARN<"),
            its("Queue0", "#: extraneous key [Colour] is not permitted."),
        ],
        vec![its("Queue1", "the name is taken")],
    ];
    let untouched = vec![vec![event("Queue0", "CREATE_FAILED", CANCELLED)]];
    let cloud = Cloud::new(Script {
        findings: Findings::Pages(found),
        ..failure(untouched.clone())
    });
    let outcome = cloud.deploy("release-1").await;
    let cause = outcome.cause();
    let wanted = "failed: `Queue0` (AWS::SQS::Queue): VALIDATION_FAILED: #: extraneous key [Colour] is not permitted \
                  (early validation `PROPERTY_VALIDATION` at `/Resources/Queue0/Properties`), and `Queue1` \
                  (AWS::SQS::Queue): VALIDATION_FAILED: the name is taken (early validation `PROPERTY_VALIDATION` at \
                  `/Resources/Queue1/Properties`); nothing of it stays; mend that";
    assert!(cause.contains(wanted), "{cause}");
    let asked = cloud.requests("DescribeEvents");
    assert_eq!(asked.len(), 2, "page by page");
    let stack = asked[0].field("StackName").unwrap();
    assert!(stack.starts_with("arn:") && stack.contains(":stack/fenrir-"), "{stack}");
    let stored = cloud.stored("events.json").unwrap();
    let is_found = |event: &&serde_json::Value| event["status"] == "VALIDATION_FAILED";
    assert_eq!(
        stored.as_array().unwrap().iter().filter(is_found).count(),
        2,
        "{stored}"
    );

    for findings in [Findings::Nothing, Findings::Denied, Findings::Unknown] {
        let cloud = Cloud::new(Script {
            findings: findings.clone(),
            ..failure(untouched.clone())
        });
        let outcome = cloud.deploy("release-1").await;
        let failed = outcome.run.outcome.as_ref().unwrap_err();
        assert_eq!(
            failed.error, "FailureClean.StackError",
            "{findings:?}: {}",
            failed.cause
        );
        assert!(failed.cause.contains("gives no reason"), "{}", failed.cause);
    }
}
