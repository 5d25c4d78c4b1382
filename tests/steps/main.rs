//! The five steps that speak to CloudFormation, one by one, on the local AWS and with the session policies they run
//! with: each run twice, with answers lost, and with the stack in every state that a deploy can meet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "a test fails by panicking, and its futures may be as large as they like"
)]

mod bench;

use aws_sdk_cloudformation::types::StackStatus;
use bench::{Bench, queue, table};
use fenrir_core::codes;
use fenrir_core::deployment::{ChangeSetStatus, Progress, StackAction};
use fenrir_core::error::ErrorName;
use serde_json::{Value, json};

#[tokio::test]
async fn each_step_run_twice_gives_the_same_and_the_stack_is_made_once() {
    let bench = Bench::start().await;
    let release = bench.release("release-1", &json!({"Queue": queue(30)})).await;
    let made = release.twice_create_change_set().await;
    assert_eq!(made.stack.action, Some(StackAction::Create));
    let ready = release.until_ready(made).await;
    assert_eq!(ready.change_set.as_ref().unwrap().status, ChangeSetStatus::Ready);
    let executed = release.execute(ready.clone()).await.unwrap();
    assert_eq!(executed, release.execute(ready).await.unwrap());
    let ended = release.until_executed(executed).await;
    assert_eq!(ended.stack.progress, Some(Progress::Succeeded));
    assert_eq!(ended.failure, None);
    assert_eq!(release.wait_execute(ended.clone()).await.unwrap(), ended);
    assert_eq!(bench.status(&ended).await, Some(StackStatus::CreateComplete));
}

#[tokio::test]
async fn the_same_template_again_is_no_changes_and_leaves_no_change_set() {
    let bench = Bench::start().await;
    let resources = json!({"Queue": queue(30)});
    bench.deploy("release-1", &resources).await;
    let release = bench.release("release-2", &resources).await;
    let made = release.twice_create_change_set().await;
    assert_eq!(made.stack.action, Some(StackAction::Update));
    let same = release.until_ready(made).await;
    assert_eq!(same.change_set.as_ref().unwrap().status, ChangeSetStatus::NoChanges);
    let cleaned = release.twice_clean_up(same).await;
    assert!(cleaned.failure.is_none());
    assert_eq!(bench.change_sets().await, 0);
    assert_eq!(bench.status(&cleaned).await, Some(StackStatus::CreateComplete));
}

#[tokio::test]
async fn a_plan_tells_what_would_change_and_leaves_nothing() {
    let bench = Bench::start().await;
    let release = bench.plan("release-1", &json!({"Queue": queue(30)})).await;
    let planned = release.until_ready(release.create_change_set().await.unwrap()).await;
    assert_eq!(planned.change_set.as_ref().unwrap().status, ChangeSetStatus::Planned);
    let plan = bench.stored(&release, "changes.json").await.unwrap();
    assert_eq!(plan["action"], "CREATE");
    assert_eq!(plan["changes"].as_array().unwrap().len(), 1);
    assert_eq!(plan["changes"][0]["kind"], "add");
    assert_eq!(plan["changes"][0]["logical_id"], "Queue");
    let timeout = property(&plan["changes"][0], "/Properties/VisibilityTimeout");
    assert_eq!(timeout, &json!({"path": "/Properties/VisibilityTimeout", "after": 30}));
    let told = planned.stored();
    assert!(told["changes"].key.ends_with("/release-1/changes.json"), "{told:?}");
    let error = release.execute(planned.clone()).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InternalError, "a plan is never executed");
    let cleaned = release.twice_clean_up(planned).await;
    assert_eq!(bench.status(&cleaned).await, None);
}

fn property<'p>(change: &'p Value, path: &str) -> &'p Value {
    let properties = change["properties"].as_array().unwrap();
    properties.iter().find(|property| property["path"] == path).unwrap()
}

#[tokio::test]
async fn a_plan_of_an_update_tells_what_was_before_and_what_is_lost() {
    let bench = Bench::start().await;
    let before = json!({"Queue": queue(30), "Store": table(), "Same": queue(1)});
    bench.deploy("release-1", &before).await;
    let after = json!({"Queue": queue(31), "Same": queue(1), "New": queue(2)});
    let release = bench.plan("release-2", &after).await;
    let planned = release.until_ready(release.create_change_set().await.unwrap()).await;
    assert_eq!(planned.change_set.as_ref().unwrap().status, ChangeSetStatus::Planned);
    let plan = bench.stored(&release, "changes.json").await.unwrap();
    let changes = plan["changes"].as_array().unwrap();
    let told: Vec<_> = changes
        .iter()
        .map(|change| (&change["kind"], &change["logical_id"]))
        .collect();
    let wanted = [("add", "New"), ("change", "Queue"), ("remove", "Store")];
    assert_eq!(
        told,
        wanted
            .map(|(kind, id)| (json!(kind), json!(id)))
            .each_ref()
            .map(|(kind, id)| (kind, id))
    );
    assert_eq!(
        property(&changes[1], "/Properties/VisibilityTimeout"),
        &json!({"path": "/Properties/VisibilityTimeout", "before": 30, "after": 31, })
    );
    assert_eq!(changes[2]["old"], "kept", "what holds data has a deletion policy");
    let codes: Vec<_> = plan["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| &problem["code"])
        .collect();
    assert_eq!(codes, [codes::PLAN_DATA_REMOVED]);
    let cleaned = release.twice_clean_up(planned).await;
    assert_eq!(bench.status(&cleaned).await, Some(StackStatus::CreateComplete));
    assert_eq!(bench.change_sets().await, 0);
}

#[tokio::test]
async fn a_plan_of_what_is_there_already_tells_of_nothing() {
    let bench = Bench::start().await;
    let resources = json!({"Queue": queue(30)});
    bench.deploy("release-1", &resources).await;
    let release = bench.plan("release-2", &resources).await;
    let same = release.until_ready(release.create_change_set().await.unwrap()).await;
    assert_eq!(same.change_set.as_ref().unwrap().status, ChangeSetStatus::NoChanges);
    let plan = bench.stored(&release, "changes.json").await.unwrap();
    assert_eq!((&plan["changes"], &plan["problems"]), (&json!([]), &json!([])));
    assert_eq!(plan["no_changes"], true);
    assert!(same.stored().contains_key("changes"));
}

/// A deploy stores none: what it did is in the stack's events.
#[tokio::test]
async fn only_a_plan_stores_its_changes() {
    let bench = Bench::start().await;
    let release = bench.release("release-1", &json!({"Queue": queue(30)})).await;
    let ready = release.until_ready(release.create_change_set().await.unwrap()).await;
    assert!(!ready.stored().contains_key("changes"));
}

#[tokio::test]
async fn an_update_that_fails_is_rolled_back_and_says_why() {
    let bench = Bench::start().await;
    bench.deploy("release-1", &json!({"Queue": queue(30)})).await;
    let release = bench
        .release("release-2", &json!({"Queue": queue(31), "Bad": queue(99_999)}))
        .await;
    let ended = release.run_to_end().await;
    assert_eq!(ended.stack.progress, Some(Progress::Failed));
    let cause = &ended.failure.as_ref().unwrap().cause;
    assert!(
        cause.contains("`Bad` (AWS::SQS::Queue)") && cause.contains("VisibilityTimeout"),
        "{cause}"
    );
    assert!(
        cause.contains("rolled back") && cause.contains("events.json"),
        "{cause}"
    );
    let events = bench.stored(&release, "events.json").await.unwrap();
    assert_eq!(
        events[0]["status"], "UPDATE_IN_PROGRESS",
        "only this operation's: {events}"
    );
    let cleaned = release.twice_clean_up(ended).await;
    assert_eq!(bench.status(&cleaned).await, Some(StackStatus::UpdateRollbackComplete));
    bench.deploy("release-3", &json!({"Queue": queue(32)})).await;
}

#[tokio::test]
async fn a_failed_first_create_with_a_table_leaves_nothing() {
    let bench = Bench::start().await;
    let resources = |timeout| {
        json!({"Table": table(), "Queue": {
            "Type": "AWS::SQS::Queue", "DependsOn": "Table", "Properties": {"VisibilityTimeout": timeout}
        }})
    };
    let release = bench.release("release-1", &resources(99_999)).await;
    let ended = release.run_to_end().await;
    let cause = &ended.failure.as_ref().unwrap().cause;
    assert!(cause.contains("`Queue` (AWS::SQS::Queue)"), "{cause}");
    let cleaned = release.twice_clean_up(ended).await;
    assert_eq!(bench.status(&cleaned).await, None);
    assert!(!bench.has_table().await);
    bench.deploy("release-2", &resources(30)).await;
    assert!(bench.has_table().await);
}

#[tokio::test]
async fn a_stack_that_never_completed_makes_room() {
    let bench = Bench::start().await;
    for (id, leave) in [("release-1", false), ("release-2", true)] {
        // Once under review, once rolled back; nobody cleans up.
        let crashed = bench.release(id, &json!({"Bad": queue(99_999)})).await;
        let made = crashed.create_change_set().await.unwrap();
        let left = if leave { crashed.run_from(made).await } else { made };
        let before = left.stack.arn.clone();
        let release = bench.release(&format!("{id}-b"), &json!({"Queue": queue(30)})).await;
        let made = release.twice_create_change_set().await;
        assert_eq!(made.stack.action, Some(StackAction::Create));
        assert_ne!(made.stack.arn, before);
        release.twice_clean_up(made).await;
    }
}

#[tokio::test]
async fn a_stack_of_somebody_elses_is_not_touched() {
    let bench = Bench::start().await;
    bench.deploy("release-1", &json!({"Queue": queue(30)})).await;
    bench.retag("ConfigName", "another").await;
    let release = bench.release("release-2", &json!({"Queue": queue(31)})).await;
    let error = release.create_change_set().await.unwrap_err();
    assert_eq!(error.name, ErrorName::StackError);
    assert!(error.message.contains("`another`"), "{}", error.message);
    let cleaned = release.twice_clean_up(release.deployment.clone()).await;
    assert!(cleaned.cleaned);
    assert_eq!(bench.status_by_name().await, Some(StackStatus::UpdateComplete));
    assert_eq!(bench.change_sets().await, 0);
}

#[tokio::test]
async fn a_rolled_back_stack_of_somebody_elses_is_not_deleted() {
    let bench = Bench::start().await;
    bench.leave_rolled_back("AnotherProject").await;
    let release = bench.release("release-1", &json!({"Queue": queue(30)})).await;
    let error = release.create_change_set().await.unwrap_err();
    assert_eq!(error.name, ErrorName::StackError);
    assert_eq!(bench.status_by_name().await, Some(StackStatus::RollbackComplete));
}

#[tokio::test]
async fn without_the_lock_nothing_is_touched() {
    let bench = Bench::start().await;
    let release = bench.release("release-1", &json!({"Queue": queue(30)})).await;
    let ready = release.until_ready(release.create_change_set().await.unwrap()).await;
    bench.lose_lock().await;
    let before = bench.actions().len();
    for error in [
        release.create_change_set().await.unwrap_err(),
        release.execute(ready.clone()).await.unwrap_err(),
        release.clean_up(ready).await.unwrap_err(),
    ] {
        assert_eq!(error.name, ErrorName::LockLostError);
    }
    assert_eq!(
        bench.actions()[before..],
        ["dynamodb:BatchGetItem", "dynamodb:BatchGetItem", "dynamodb:GetItem"]
    );
}

#[tokio::test]
async fn a_late_change_set_is_not_executed() {
    let bench = Bench::start().await;
    let release = bench.release("release-1", &json!({"Queue": queue(30)})).await;
    let made = release.create_change_set().await.unwrap();
    let late = release.wait_change_set(bench::overdue(made.clone())).await.unwrap();
    assert_eq!(late.change_set.as_ref().unwrap().status, ChangeSetStatus::Failed);
    assert!(late.failure.as_ref().unwrap().cause.contains("timeout"));
    let ready = release.until_ready(made).await;
    let error = release.execute(bench::overdue(ready)).await.unwrap_err();
    assert_eq!(error.name, ErrorName::TimeoutError);
    let cleaned = release.twice_clean_up(late).await;
    assert_eq!(bench.status(&cleaned).await, None);
}

/// Who halted it, when and why, as [`Bench::halt`] says.
const HALTED: &str = "`arn:aws:iam::111111111111:user/ada` halted it at `2026-11-21T22:06:31Z`: wrong branch";
const AFTER_HALT: &str = "nothing was changed; run `fenrir deploy` again when whoever halted it agrees";

#[tokio::test]
async fn a_halt_before_the_change_set_is_heard_before_anything_is_touched() {
    let bench = Bench::start().await;
    let release = bench.release("release-1", &json!({"Queue": queue(30)})).await;
    bench.halt("release-1").await;
    let before = bench.actions().len();
    let error = release.create_change_set().await.unwrap_err();
    assert_eq!(error.name, ErrorName::HaltError);
    let words = format!("the deploy was stopped before its change set was made: {HALTED}; {AFTER_HALT}");
    assert_eq!(error.message, words);
    assert_eq!(bench.actions()[before..], ["dynamodb:BatchGetItem"]);
    let cleaned = release
        .twice_clean_up(bench::after_error(release.deployment.clone(), "HaltError", &words))
        .await;
    assert!(cleaned.cleaned);
    assert_eq!(bench.status_by_name().await, None);
    // It was for that release, and for no other.
    bench.deploy("release-2", &json!({"Queue": queue(30)})).await;
}

#[tokio::test]
async fn a_halt_of_a_change_set_that_is_made_is_heard_before_it_is_executed() {
    let bench = Bench::start().await;
    let release = bench.release("release-1", &json!({"Queue": queue(30)})).await;
    bench.halt("release-0").await;
    let ready = release.until_ready(release.create_change_set().await.unwrap()).await;
    assert_eq!(ready.change_set.as_ref().unwrap().status, ChangeSetStatus::Ready);
    bench.halt("release-1").await;
    let before = bench.actions().len();
    let error = release.execute(ready.clone()).await.unwrap_err();
    assert_eq!((error.name, error.message.as_str()), (ErrorName::HaltError, HALTED));
    assert_eq!(bench.actions()[before..], ["dynamodb:BatchGetItem"]);
    // The machine reads from the stack what came of it.
    let ended = release
        .until_executed(bench::after_error(ready, "HaltError", &error.message))
        .await;
    let failure = ended.failure.as_ref().unwrap();
    assert_eq!(failure.error, "HaltError");
    assert!(
        failure
            .cause
            .contains(&format!("was not executed: {HALTED}; {AFTER_HALT}")),
        "{}",
        failure.cause
    );
    let cleaned = release.twice_clean_up(ended).await;
    assert_eq!(bench.status(&cleaned).await, None, "nor is the stack under review left");
}

/// Only a poll in four asks for a halt while they follow each other quickly, and each one that waited long.
#[tokio::test]
async fn a_halt_of_a_pending_change_set_is_heard_by_the_next_poll_that_looks() {
    let bench = Bench::start().await;
    bench.deploy("release-1", &json!({"Queue": queue(30)})).await;
    bench.change_set_seconds(600.0);
    let release = bench.release("release-2", &json!({"Queue": queue(31)})).await;
    let mut pending = release.create_change_set().await.unwrap();
    bench.halt("release-2").await;
    let mut polls = 0;
    while pending.change_set.as_ref().unwrap().status == ChangeSetStatus::Pending {
        assert_eq!(pending.failure, None);
        pending = release.wait_change_set(pending).await.unwrap();
        polls += 1;
    }
    assert_eq!(polls, 4);
    assert_eq!(pending.change_set.as_ref().unwrap().status, ChangeSetStatus::Failed);
    let failure = pending.failure.as_ref().unwrap();
    assert_eq!(failure.error, "HaltError");
    let stack = &pending.stack.name;
    let words =
        format!("the deploy was stopped while the change set of stack `{stack}` was made: {HALTED}; {AFTER_HALT}");
    assert_eq!(failure.cause, words);
    let cleaned = release.twice_clean_up(pending).await;
    assert_eq!(bench.change_sets().await, 0);
    assert_eq!(bench.status(&cleaned).await, Some(StackStatus::CreateComplete));
}

#[tokio::test]
async fn a_late_update_is_cancelled_and_rolled_back() {
    let bench = Bench::start().await;
    bench.deploy("release-1", &json!({"Queue": queue(30)})).await;
    let resources = json!({"Queue": queue(31), "B": queue(31), "C": queue(31)});
    let release = bench.release("release-2", &resources).await;
    let ready = release.until_ready(release.create_change_set().await.unwrap()).await;
    bench.stack_seconds(1.0);
    let executed = release.execute(ready).await.unwrap();
    let ended = release.until_executed(bench::overdue(executed)).await;
    let cause = &ended.failure.as_ref().unwrap().cause;
    assert!(cause.contains("timeout") && cause.contains("cancelled"), "{cause}");
    let cleaned = release.twice_clean_up(ended).await;
    assert_eq!(bench.status(&cleaned).await, Some(StackStatus::UpdateRollbackComplete));
}

#[tokio::test]
async fn a_late_create_is_deleted() {
    let bench = Bench::start().await;
    let release = bench
        .release("release-1", &json!({"A": queue(30), "B": queue(30), "C": queue(30)}))
        .await;
    let ready = release.until_ready(release.create_change_set().await.unwrap()).await;
    bench.stack_seconds(1.0);
    let executed = release.execute(ready).await.unwrap();
    let ended = release.wait_execute(bench::overdue(executed)).await.unwrap();
    assert_eq!(ended.stack.progress, Some(Progress::Failed));
    let cause = &ended.failure.as_ref().unwrap().cause;
    assert!(cause.contains("timeout passed while"), "{cause}");
    let cleaned = release.twice_clean_up(ended).await;
    assert_eq!(bench.status(&cleaned).await, None);
}

#[tokio::test]
async fn a_change_set_that_was_not_executed_is_no_success() {
    let bench = Bench::start().await;
    bench.deploy("release-1", &json!({"Queue": queue(30)})).await;
    let release = bench.release("release-2", &json!({"Queue": queue(31)})).await;
    let ready = release.until_ready(release.create_change_set().await.unwrap()).await;
    // The machine comes from Execute's Catch: nobody knows what happened.
    let ended = release
        .until_executed(bench::after_error(ready, "LockLostError", "somebody took the lock"))
        .await;
    assert_eq!(
        ended.stack.progress,
        Some(Progress::Failed),
        "though the stack stands at CREATE_COMPLETE"
    );
    let cause = &ended.failure.as_ref().unwrap().cause;
    assert!(cause.contains("not executed: somebody took the lock"), "{cause}");
    let cleaned = release.twice_clean_up(ended).await;
    assert_eq!(bench.status(&cleaned).await, Some(StackStatus::CreateComplete));
    assert_eq!(bench.change_sets().await, 0);
}

#[tokio::test]
async fn an_execution_whose_answer_was_lost_is_found_in_the_stack() {
    let bench = Bench::start().await;
    let release = bench.release("release-1", &json!({"Queue": queue(30)})).await;
    let ready = release.until_ready(release.create_change_set().await.unwrap()).await;
    release.execute(ready.clone()).await.unwrap();
    let ended = release
        .until_executed(bench::after_error(ready, "States.Timeout", ""))
        .await;
    assert_eq!(ended.stack.progress, Some(Progress::Succeeded));
    assert_eq!((ended.error, ended.failure), (None, None));
}

#[tokio::test]
async fn every_lost_answer_is_made_good() {
    let bench = Bench::start().await;
    bench.lose_answers(&[
        "cloudformation:CreateChangeSet",
        "cloudformation:ExecuteChangeSet",
        "cloudformation:DeleteChangeSet",
        "cloudformation:DeleteStack",
    ]);
    let release = bench.release("release-1", &json!({"Bad": queue(99_999)})).await;
    let ended = release.run_to_end().await;
    assert_eq!(ended.stack.progress, Some(Progress::Failed));
    let cleaned = release.clean_up(ended).await.unwrap();
    assert_eq!(bench.status(&cleaned).await, None);
}

#[tokio::test]
async fn clean_up_finds_what_create_change_set_could_not_tell() {
    let bench = Bench::start().await;
    let release = bench.release("release-1", &json!({"Queue": queue(30)})).await;
    release.create_change_set().await.unwrap();
    // Its answer never reached the machine, so the state knows nothing of it.
    let cleaned = release.twice_clean_up(release.deployment.clone()).await;
    assert!(cleaned.cleaned);
    assert_eq!(bench.status_by_name().await, None);

    bench.deploy("release-2", &json!({"Queue": queue(30)})).await;
    let release = bench.release("release-3", &json!({"Queue": queue(31)})).await;
    release.create_change_set().await.unwrap();
    release.twice_clean_up(release.deployment.clone()).await;
    assert_eq!(bench.change_sets().await, 0);
    assert_eq!(bench.status_by_name().await, Some(StackStatus::CreateComplete));
}
