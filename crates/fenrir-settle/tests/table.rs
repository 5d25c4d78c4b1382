//! Every status of a stack times every state of the lock: what becomes of the lock and the record, what is removed, who
//! is told, and by exactly which calls. Over recorded answers, with the SDK's own clients.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use fenrir_core::error::ErrorName;
use fenrir_core::owner::Owner;
use fenrir_lambda::{Environment, Settings, Step};
use fenrir_settle::{Settlement, settle};
use fenrir_stacks::Stacks;
use fenrir_stacks::marks::Marks;
use fenrir_stacks::status::{TABLE, Tidy};
use fenrir_store::{Holder, Status};
use fenrir_testkit::answers::{STACK, done, events, lock_item, no_change_set, ok, session};
use fenrir_testkit::{Answer, Recorded, answers};
use serde_json::{Value, json};

const STEP: Step = Step {
    name: "watchdog",
    own_actions: &[],
    deployer_actions: &[],
};
const EXECUTION: &str = "arn:aws:states:us-east-1:111111111111:execution:fenrir:release-1";

fn owner() -> Owner {
    Owner {
        account: "111111111111".into(),
        region: "us-east-1".into(),
        project: "p".into(),
        config: "c".into(),
    }
}

fn history(status: fenrir_stacks::Status) -> Vec<(&'static str, String)> {
    answers::history(status, &Marks::of(EXECUTION))
}

/// The record of the release.
fn record(status: &str) -> Answer {
    answers::record(EXECUTION, "release-1", status)
}

/// The lock, and whether it is dirty.
fn lock(execution: &str, reason: Option<&str>) -> Answer {
    let item = lock_item(execution, "release-1", reason);
    Answer::json(200, json!({"Item": item}).to_string())
}

fn change_set(execution: &str) -> Answer {
    ok(
        "DescribeChangeSet",
        &format!(
            "<ChangeSetId>arn:c</ChangeSetId><StackId>{STACK}</StackId><Description>{}</Description>\
             <Status>CREATE_COMPLETE</Status><ExecutionStatus>{execution}</ExecutionStatus>",
            Marks::of(EXECUTION).description()
        ),
    )
}

fn execution(status: &str) -> Answer {
    let found = json!({
        "executionArn": EXECUTION, "stateMachineArn": "arn", "status": status, "startDate": 1_767_225_600,
        "stopDate": 1_767_225_700,
    });
    Answer::json(200, found.to_string())
}

/// The execution ended in `state`, and had found out nothing yet about its stack.
fn ended_in(state: &str) -> Answer {
    let event = json!({
        "id": 1, "timestamp": 1_767_225_700, "type": "WaitStateEntered",
        "stateEnteredEventDetails": {"name": state, "input": "{}"},
    });
    Answer::json(200, json!({"events": [event]}).to_string())
}

fn published() -> Answer {
    ok("Publish", "<MessageId>1</MessageId>")
}

async fn environment(server: &Recorded) -> Environment {
    let settings = Settings {
        locks_table: "fenrir-locks".to_owned(),
        releases_table: "fenrir-releases".to_owned(),
        alert_topic: Some("arn:topic".to_owned()),
        state_machine: Some("arn:aws:states:us-east-1:111111111111:stateMachine:fenrir".to_owned()),
        ..Settings::default()
    };
    Environment::new(&STEP, settings, server.config().await)
}

/// What came of it, and the calls it took, as operation and body.
struct Run {
    settlement: Settlement,
    calls: Vec<(String, String)>,
}

impl Run {
    /// Settles with these answers, and uses up all of them.
    async fn of(answers: Vec<Answer>) -> Self {
        let number = answers.len();
        let left = Mutex::new(VecDeque::from(answers));
        let server = Recorded::answering(move |request| match request.operation.as_str() {
            // Asked where the operation's own events name nothing that failed; it tells no more.
            "DescribeEvents" => ok("DescribeEvents", "<OperationEvents/>"),
            _ => left.lock().unwrap().pop_front().unwrap_or_else(Answer::cut),
        });
        let settlement = Box::pin(settle(&environment(&server).await, &owner(), "release-1"))
            .await
            .unwrap();
        let calls: Vec<_> = server
            .requests()
            .into_iter()
            .filter(|request| request.operation != "DescribeEvents")
            .map(|request| (request.operation, request.body))
            .collect();
        assert_eq!(
            calls.len(),
            number,
            "{:?}",
            calls.iter().map(|call| &call.0).collect::<Vec<_>>()
        );
        Self { settlement, calls }
    }

    /// The operations that change something.
    fn writes(&self) -> Vec<&str> {
        let names = self.calls.iter().map(|call| call.0.as_str());
        names
            .filter(|name| !(name.starts_with("Describe") || name.starts_with("Get") || *name == "AssumeRole"))
            .collect()
    }

    /// The record that was written.
    fn record(&self) -> Value {
        let (name, body) = self
            .calls
            .iter()
            .rev()
            .find(|call| ["TransactWriteItems", "PutItem"].contains(&call.0.as_str()))
            .unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        if name == "PutItem" {
            return body["Item"].clone();
        }
        let items = body["TransactItems"].as_array().unwrap();
        items.iter().find_map(|item| item.get("Put")).unwrap()["Item"].clone()
    }

    /// The release's whole record, with this end and this cause, and no longer open.
    fn assert_recorded(&self, status: &str, words: &[&str]) {
        let record = self.record();
        assert_eq!(record["status"]["S"], status);
        assert_eq!(
            record["ended_at"]["S"], "2026-01-01T00:01:40Z",
            "the execution's own end"
        );
        assert_eq!(record["metadata"]["M"]["commit"]["S"], "abc");
        assert!(record.get("open").is_none());
        let cause = record["cause"]["S"].as_str().unwrap();
        assert!(cause.ends_with("(release release-1)"), "{cause}");
        for word in words {
            assert!(cause.contains(word), "`{word}` is not in: {cause}");
        }
    }
}

/// The calls before the first look at the stack, when the execution holds its lock.
fn held() -> Vec<Answer> {
    let lock = lock(EXECUTION, None);
    vec![
        record("STARTED"),
        execution("ABORTED"),
        lock,
        ended_in("WaitForExecute"),
        session(),
    ]
}

/// The same, when it does not.
fn lost(lock: Answer) -> Vec<Answer> {
    vec![record("STARTED"), execution("ABORTED"), lock, session()]
}

/// One look at a stack in this status, that has this history.
fn look(status: fenrir_stacks::Status, lines: &[(&str, String)]) -> Vec<Answer> {
    let row = status.row();
    let mut answers = vec![answers::stack(status)];
    if status == fenrir_stacks::Status::Absent {
        return answers;
    }
    answers.push(events(lines));
    match row.tidy {
        _ if status == fenrir_stacks::Status::DeleteComplete => answers.push(events(lines)),
        Tidy::Dirty => answers.extend([no_change_set(), events(lines)]),
        // Whose operation was last, and whether its rollback was gone on with.
        Tidy::Recover => answers.extend([no_change_set(), events(lines), events(lines)]),
        _ => answers.push(no_change_set()),
    }
    answers
}

/// What becomes of a release that holds its lock.
enum Wanted {
    Nothing,
    /// The record's status, and what is said.
    Released(&'static str, &'static str),
    /// The same, after the stack was deleted.
    Deleted(&'static str),
    /// The same, after its rollback was gone on with.
    Continued,
    Dirty(&'static str),
}

fn wanted(status: fenrir_stacks::Status) -> Wanted {
    use Wanted::{Continued, Deleted, Dirty, Nothing, Released};
    use fenrir_stacks::Status as S;
    match status {
        S::CreateInProgress
        | S::RollbackInProgress
        | S::UpdateInProgress
        | S::UpdateCompleteCleanupInProgress
        | S::UpdateRollbackInProgress
        | S::UpdateRollbackCompleteCleanupInProgress
        | S::DeleteInProgress
        | S::ImportInProgress
        | S::ImportRollbackInProgress
        | S::Unknown => Nothing,
        S::CreateComplete | S::UpdateComplete => Released("SUCCESS", "reached the wanted state"),
        S::Absent => Released("FAILURE_CLEAN", "there is no stack `fenrir-p-c--"),
        S::DeleteComplete => Released("FAILURE_CLEAN", "nothing of it stays"),
        S::UpdateRollbackComplete => Released("FAILURE_CLEAN", "rolled back to what it was before"),
        S::ReviewInProgress | S::ImportComplete | S::ImportRollbackComplete | S::ImportRollbackFailed => {
            Released("FAILURE_CLEAN", "nothing of it was executed")
        }
        S::CreateFailed | S::RollbackComplete | S::RollbackFailed => Deleted("nothing of it stays"),
        S::UpdateFailed => Dirty("rollback-stack"),
        S::UpdateRollbackFailed => Continued,
        S::DeleteFailed => Dirty("delete the stack again"),
    }
}

#[tokio::test]
async fn a_lock_that_is_held_is_released_kept_or_left_alone_by_what_the_stack_shows() {
    for row in &TABLE {
        let lines = history(row.status);
        let mut answers = held();
        answers.extend(look(row.status, &lines));
        match wanted(row.status) {
            Wanted::Nothing => {
                let run = Run::of(answers).await;
                assert_eq!(run.settlement, Settlement::LeftAlone, "{}", row.name);
                assert_eq!(run.writes(), Vec::<&str>::new(), "{}", row.name);
            }
            Wanted::Released(status, word) => {
                answers.extend([published(), done()]);
                let run = Run::of(answers).await;
                assert_eq!(run.writes(), ["Publish", "TransactWriteItems"], "{}", row.name);
                run.assert_recorded(status, &["stopped by hand in state `WaitForExecute`", word]);
            }
            Wanted::Deleted(word) => {
                answers.extend(deletion(&lines));
                answers.extend([published(), done()]);
                let run = Run::of(answers).await;
                assert_eq!(
                    run.writes(),
                    ["UpdateItem", "DeleteStack", "Publish", "TransactWriteItems"],
                    "{}",
                    row.name
                );
                run.assert_recorded("FAILURE_CLEAN", &[word]);
            }
            Wanted::Continued => {
                let complete = fenrir_stacks::Status::UpdateRollbackComplete;
                answers.extend([done(), ok("ContinueUpdateRollback", "")]);
                answers.push(answers::stack(complete));
                answers.extend(look(complete, &history(complete)));
                answers.extend([published(), done()]);
                let run = Run::of(answers).await;
                let writes = ["UpdateItem", "ContinueUpdateRollback", "Publish", "TransactWriteItems"];
                assert_eq!(run.writes(), writes, "{}", row.name);
                run.assert_recorded("FAILURE_CLEAN", &["rolled back to what it was before"]);
            }
            Wanted::Dirty(word) => {
                answers.extend([done(), published(), done()]);
                let run = Run::of(answers).await;
                assert_eq!(
                    run.settlement,
                    Settlement::Settled(Status::FailureDirty),
                    "{}",
                    row.name
                );
                // Whatever fails after the first, the lock says why.
                assert_eq!(
                    run.writes(),
                    ["UpdateItem", "Publish", "TransactWriteItems"],
                    "{}",
                    row.name
                );
                run.assert_recorded("FAILURE_DIRTY", &[word, "`fenrir unlock --reason WHY`"]);
                let marked = &run.calls.iter().find(|call| call.0 == "UpdateItem").unwrap().1;
                assert!(marked.contains(word) && marked.contains(EXECUTION), "{marked}");
            }
        }
    }
}

#[tokio::test]
async fn a_rollback_that_was_gone_on_with_in_vain_is_for_a_person() {
    let stuck = fenrir_stacks::Status::UpdateRollbackFailed;
    let mut lines = history(stuck);
    let recover = Marks::of(EXECUTION).recover_own();
    lines.extend([
        ("UPDATE_ROLLBACK_IN_PROGRESS", recover.clone()),
        ("UPDATE_ROLLBACK_FAILED", recover),
    ]);
    let mut answers = held();
    answers.extend(look(stuck, &lines));
    answers.extend([done(), published(), done()]);
    let run = Run::of(answers).await;
    assert_eq!(run.writes(), ["UpdateItem", "Publish", "TransactWriteItems"]);
    run.assert_recorded(
        "FAILURE_DIRTY",
        &["continue-update-rollback", "`fenrir unlock --reason WHY`"],
    );
}

#[tokio::test]
async fn without_the_lock_only_the_record_is_mended_and_by_the_own_operation_alone() {
    // By name, a stack that was deleted is not there.
    for row in TABLE
        .iter()
        .filter(|row| row.status != fenrir_stacks::Status::DeleteComplete)
    {
        for lock in [done(), lock("arn:another", None), lock("arn:another", Some("theirs"))] {
            let lines = history(row.status);
            let mut answers = lost(lock);
            answers.extend(look(row.status, &lines));
            let expected = match wanted(row.status) {
                Wanted::Nothing => {
                    let run = Run::of(answers).await;
                    assert_eq!(run.settlement, Settlement::LeftAlone, "{}", row.name);
                    assert_eq!(run.writes(), Vec::<&str>::new(), "{}", row.name);
                    continue;
                }
                Wanted::Released(status, _) => status,
                Wanted::Deleted(_) => "FAILURE_CLEAN",
                Wanted::Continued | Wanted::Dirty(_) => "FAILURE_DIRTY",
            };
            answers.extend([published(), done()]);
            let run = Run::of(answers).await;
            assert_eq!(run.writes(), ["Publish", "TransactWriteItems"], "{}", row.name);
            run.assert_recorded(expected, &[]);
        }
    }
}

#[tokio::test]
async fn a_dirty_lock_says_how_the_release_ended() {
    for row in ["ABORTED", "TIMED_OUT", "FAILED", "SUCCEEDED"] {
        let reason = "a table is left (release release-1)";
        let run = Run::of(vec![
            record("STARTED"),
            execution(row),
            lock(EXECUTION, Some(reason)),
            published(),
            done(),
        ])
        .await;
        assert_eq!(run.settlement, Settlement::Settled(Status::FailureDirty));
        assert_eq!(run.record()["cause"]["S"], reason);
        run.assert_recorded("FAILURE_DIRTY", &[]);
    }
}

#[tokio::test]
async fn what_has_ended_in_its_record_or_runs_is_not_looked_at() {
    for status in ["SUCCESS", "FAILURE_CLEAN", "FAILURE_DIRTY", "REFUSED"] {
        let run = Run::of(vec![record(status)]).await;
        assert_eq!(run.settlement, Settlement::NothingToDo, "{status}");
    }
    assert_eq!(Run::of(vec![done()]).await.settlement, Settlement::NothingToDo);
    for status in ["RUNNING", "PENDING_REDRIVE", "OF_TOMORROW"] {
        let run = Run::of(vec![record("STARTED"), execution(status)]).await;
        assert_eq!(run.settlement, Settlement::Running, "{status}");
    }
}

/// The deletion of the stack, to its end.
fn deletion(lines: &[(&str, String)]) -> Vec<Answer> {
    let mut answers = vec![
        done(),
        ok("DeleteStack", ""),
        answers::stack(fenrir_stacks::Status::DeleteComplete),
    ];
    answers.extend(look(fenrir_stacks::Status::DeleteComplete, lines));
    answers
}

/// One look at a stack under review with a change set.
fn under_review(change_set: Answer) -> Vec<Answer> {
    let review = fenrir_stacks::Status::ReviewInProgress;
    vec![answers::stack(review), events(&history(review)), change_set]
}

#[tokio::test]
async fn a_stack_under_review_goes_with_its_change_set_once_that_is_made() {
    let mut answers = held();
    let pending = ok(
        "DescribeChangeSet",
        &format!(
            "<ChangeSetId>arn:c</ChangeSetId><StackId>{STACK}</StackId><Description>{}</Description>\
             <Status>CREATE_IN_PROGRESS</Status><ExecutionStatus>UNAVAILABLE</ExecutionStatus>",
            Marks::of(EXECUTION).description()
        ),
    );
    answers.extend(under_review(pending));
    answers.extend(under_review(change_set("AVAILABLE")));
    answers.extend(deletion(&history(fenrir_stacks::Status::ReviewInProgress)));
    answers.extend([published(), done()]);
    let run = Run::of(answers).await;
    // By itself the change set would leave a stack of which nothing shows whose it is, if the watchdog came no further.
    assert_eq!(
        run.writes(),
        ["UpdateItem", "DeleteStack", "Publish", "TransactWriteItems"]
    );
    run.assert_recorded("FAILURE_CLEAN", &["nothing of it was executed"]);
}

#[tokio::test]
async fn a_change_set_that_stays_with_a_stack_that_failed_does_not_say_that_nothing_was_executed() {
    let rolled_back = fenrir_stacks::Status::RollbackComplete;
    let lines = history(rolled_back);
    let mut answers = held();
    answers.extend([
        answers::stack(rolled_back),
        events(&lines),
        change_set("EXECUTE_FAILED"),
    ]);
    answers.extend(deletion(&lines));
    answers.extend([published(), done()]);
    let run = Run::of(answers).await;
    run.assert_recorded("FAILURE_CLEAN", &["nothing of it stays"]);
}

#[tokio::test]
async fn a_change_set_that_was_not_executed_is_removed_before_the_lock_is_released() {
    let complete = fenrir_stacks::Status::UpdateComplete;
    let before = [("UPDATE_COMPLETE", String::new())];
    let mut answers = held();
    answers.extend(removal(complete, &before, "AVAILABLE"));
    answers.extend(look(complete, &before));
    answers.extend([published(), done()]);
    let run = Run::of(answers).await;
    assert_eq!(
        run.writes(),
        ["UpdateItem", "DeleteChangeSet", "Publish", "TransactWriteItems"]
    );
    run_is_clean(&run);
}

#[tokio::test]
async fn a_change_set_that_is_executed_at_that_very_moment_is_left_alone() {
    let update = fenrir_stacks::Status::UpdateComplete;
    let theirs = [("UPDATE_COMPLETE", String::new())];
    let mut answers = held();
    answers.extend([answers::stack(update), events(&theirs), change_set("AVAILABLE")]);
    answers.extend([
        done(),
        Answer::xml(
            400,
            "<ErrorResponse><Error><Code>InvalidChangeSetStatus</Code><Message>busy</Message></Error></ErrorResponse>",
        ),
    ]);
    let running = fenrir_stacks::Status::UpdateInProgress;
    answers.extend(look(running, &history(running)));
    let run = Run::of(answers).await;
    assert_eq!(run.settlement, Settlement::LeftAlone);
    assert_eq!(run.writes(), ["UpdateItem", "DeleteChangeSet"]);
}

#[tokio::test]
async fn what_its_deletion_of_the_stack_left_is_dirty_and_named() {
    let deleted = fenrir_stacks::Status::DeleteComplete;
    let mut lines = history(deleted);
    lines.insert(2, ("Table DELETE_SKIPPED", Marks::of(EXECUTION).delete()));
    let mut answers = held();
    answers.extend(look(deleted, &lines));
    answers.extend([done(), published(), done()]);
    let run = Run::of(answers).await;
    run.assert_recorded(
        "FAILURE_DIRTY",
        &[
            "`Table` (AWS::DynamoDB::Table, `physical`)",
            "`fenrir unlock --reason WHY`",
        ],
    );
}

/// How long a step of an execution that was stopped may run on, and a second.
const LATER: u64 = 16 * 60 + 1;

/// The calls before the first look at the stack, when the execution holds its lock and was stopped in this state, so many
/// seconds ago.
fn stopped(state: &str, ago: u64) -> Vec<Answer> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let found = json!({"executionArn": EXECUTION, "status": "ABORTED", "startDate": 0, "stopDate": now - ago});
    vec![
        record("STARTED"),
        Answer::json(200, found.to_string()),
        lock(EXECUTION, None),
        ended_in(state),
        session(),
    ]
}

/// One look at a stack in this status with a change set that was not executed, and its removal.
fn removal(status: fenrir_stacks::Status, lines: &[(&str, String)], execution: &str) -> Vec<Answer> {
    vec![
        answers::stack(status),
        events(lines),
        change_set(execution),
        done(),
        ok("DeleteChangeSet", ""),
    ]
}

#[tokio::test]
async fn a_step_that_may_still_be_at_work_is_given_its_time() {
    // Just now, and long ago.
    for (ago, state, settles) in [
        (5, "CreateChangeSet", false),
        (5, "Execute", false),
        (5, "WaitExecute", false),
        (5, "CleanUp", false),
        (5, "ReleaseLock", false),
        (5, "WaitForChangeSet", true),
        (5, "WaitChangeSet", true),
        (5, "WaitForExecute", true),
        (LATER, "CreateChangeSet", true),
        (LATER, "Execute", true),
        (LATER, "WaitExecute", true),
    ] {
        let mut answers = stopped(state, ago);
        answers.push(answers::stack(fenrir_stacks::Status::Absent));
        if settles {
            answers.extend([published(), done()]);
        }
        let run = Run::of(answers).await;
        let wanted = if settles {
            Settlement::Settled(Status::FailureClean)
        } else {
            Settlement::LeftAlone
        };
        assert_eq!(run.settlement, wanted, "{state}, {ago} s ago");
    }
}

#[tokio::test]
async fn execute_has_nothing_to_do_once_its_change_set_is_removed() {
    let complete = fenrir_stacks::Status::UpdateComplete;
    let before = [("UPDATE_COMPLETE", String::new())];
    let mut answers = stopped("Execute", 5);
    answers.extend(removal(complete, &before, "AVAILABLE"));
    answers.extend(look(complete, &before));
    answers.extend([published(), done()]);
    run_is_clean(&Run::of(answers).await);
}

#[tokio::test]
async fn what_create_change_set_may_make_anew_keeps_the_lock_until_it_can_run_no_longer() {
    for state in ["CreateChangeSet", "Execute"] {
        let mut answers = stopped(state, 5);
        answers.extend(under_review(change_set("AVAILABLE")));
        let run = Run::of(answers).await;
        assert_eq!(run.settlement, Settlement::LeftAlone, "{state}");
        assert_eq!(run.writes(), Vec::<&str>::new(), "{state}");

        let mut answers = stopped(state, LATER);
        answers.extend(under_review(change_set("AVAILABLE")));
        answers.extend(deletion(&history(fenrir_stacks::Status::ReviewInProgress)));
        answers.extend([published(), done()]);
        let run = Run::of(answers).await;
        assert_eq!(
            run.writes(),
            ["UpdateItem", "DeleteStack", "Publish", "TransactWriteItems"]
        );
        run_is_clean(&run);
    }
}

#[tokio::test]
async fn an_outdated_change_set_that_is_being_made_anew_keeps_the_lock_as_well() {
    let complete = fenrir_stacks::Status::UpdateComplete;
    let theirs = [
        ("UPDATE_IN_PROGRESS", "theirs".to_owned()),
        ("UPDATE_COMPLETE", "theirs".to_owned()),
    ];
    for (ago, writes) in [
        (5, vec!["UpdateItem", "DeleteChangeSet"]),
        (
            LATER,
            vec!["UpdateItem", "DeleteChangeSet", "Publish", "TransactWriteItems"],
        ),
    ] {
        let mut answers = stopped("CreateChangeSet", ago);
        answers.extend(removal(complete, &theirs, "OBSOLETE"));
        answers.extend(look(complete, &theirs));
        if ago == LATER {
            answers.extend([published(), done()]);
        }
        let run = Run::of(answers).await;
        assert_eq!(run.writes(), writes, "{ago} s ago");
        if ago == LATER {
            run_is_clean(&run);
        }
    }
}

fn run_is_clean(run: &Run) {
    assert_eq!(run.settlement, Settlement::Settled(Status::FailureClean));
    let record = run.record();
    let cause = record["cause"]["S"].as_str().unwrap();
    assert!(
        cause.contains("nothing of it was executed, and nothing is left"),
        "{cause}"
    );
}

fn closed() -> Answer {
    Answer::xml(
        403,
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>",
    )
}

/// The answers of an execution that ended in a Wait so many seconds ago, up to the session that it does not get.
fn shut_out(ago: u64, lock: Answer, holds: bool, refusal: &Answer, tries: usize) -> Vec<Answer> {
    let mut answers = stopped("WaitForExecute", ago);
    answers.truncate(2);
    answers.push(lock);
    if holds {
        answers.push(ended_in("WaitForExecute"));
    }
    answers.extend(std::iter::repeat_n(refusal.clone(), tries));
    answers
}

/// An hour after its end nobody waits any more for an account that is closed.
const OLD: u64 = 60 * 60 + 1;

#[tokio::test]
async fn an_account_that_lets_nobody_in_any_more_is_for_a_person() {
    let words = [
        "account `111111111111` does not let the deployer in",
        "`fenrir-account`",
    ];
    let mut answers = shut_out(OLD, lock(EXECUTION, None), true, &closed(), 1);
    answers.extend([done(), published(), done()]);
    let run = Run::of(answers).await;
    assert_eq!(run.settlement, Settlement::Settled(Status::FailureDirty));
    assert_eq!(run.writes(), ["UpdateItem", "Publish", "TransactWriteItems"]);
    let record = run.record();
    let cause = record["cause"]["S"].as_str().unwrap();
    for word in words.iter().chain(&["stopped by hand", "`fenrir unlock --reason WHY`"]) {
        assert!(cause.contains(word), "`{word}` is not in: {cause}");
    }
    assert!(record.get("open").is_none(), "it is told once");
    let marked = &run.calls.iter().find(|call| call.0 == "UpdateItem").unwrap().1;
    let marked: Value = serde_json::from_str(marked).unwrap();
    assert_eq!(marked["ExpressionAttributeValues"][":reason"]["S"], cause);

    // Without the lock there is none to keep.
    let mut answers = shut_out(OLD, done(), false, &closed(), 1);
    answers.extend([published(), done()]);
    let run = Run::of(answers).await;
    assert_eq!(run.settlement, Settlement::Settled(Status::FailureDirty));
    let record = run.record();
    let cause = record["cause"]["S"].as_str().unwrap();
    assert!(cause.contains(words[0]) && !cause.contains("unlock"), "{cause}");
}

#[tokio::test]
async fn an_account_that_may_be_open_again_soon_settles_nothing() {
    let busy = Answer::xml(
        500,
        "<ErrorResponse><Error><Code>InternalFailure</Code><Message>later</Message></Error></ErrorResponse>",
    );
    for (ago, refusal, tries, name) in [
        (5, closed(), 1, ErrorName::InternalError),
        (OLD, busy, 4, ErrorName::TransientError),
    ] {
        let answers = shut_out(ago, lock(EXECUTION, None), true, &refusal, tries);
        let number = answers.len();
        let server = Recorded::start(answers);
        let env = environment(&server).await.hurried(Duration::from_secs(10), 0.01);
        let settled = Box::pin(settle(&env, &owner(), "release-1")).await;
        assert_eq!(settled.unwrap_err().name, name);
        let calls: Vec<String> = server.requests().into_iter().map(|request| request.operation).collect();
        assert_eq!(calls.len(), number, "{calls:?}");
        assert_eq!(calls.last().unwrap(), "AssumeRole");
    }
}

#[tokio::test]
async fn an_execution_that_step_functions_has_forgotten_has_ended() {
    let gone = || Answer::json(400, r#"{"__type": "ExecutionDoesNotExist", "message": "gone"}"#);
    let mut answers = vec![record("STARTED"), gone(), lock(EXECUTION, None), gone(), session()];
    let complete = fenrir_stacks::Status::CreateComplete;
    answers.extend(look(complete, &history(complete)));
    answers.extend([published(), done()]);
    let run = Run::of(answers).await;
    assert_eq!(run.settlement, Settlement::Settled(Status::Success));
    let cause = run.record()["cause"]["S"].as_str().unwrap().to_owned();
    assert!(cause.contains("has forgotten it"), "{cause}");
}

#[tokio::test]
async fn of_two_watchdogs_the_second_writes_nothing_else() {
    let complete = fenrir_stacks::Status::CreateComplete;
    let mut answers = held();
    answers.extend(look(complete, &history(complete)));
    // The lock is gone, and the record tells another end.
    let refused = |codes: [&str; 2]| {
        let reasons = codes.map(|code| json!({"Code": code}));
        Answer::json(
            400,
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "Message": "cancelled",
                "CancellationReasons": reasons,
            })
            .to_string(),
        )
    };
    answers.extend([
        published(),
        refused(["ConditionalCheckFailed", "ConditionalCheckFailed"]),
        refused(["ConditionalCheckFailed", "None"]),
        Answer::json(
            400,
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "failed",
            })
            .to_string(),
        ),
    ]);
    let run = Run::of(answers).await;
    assert_eq!(run.settlement, Settlement::NothingToDo);
    assert_eq!(
        run.writes(),
        ["Publish", "TransactWriteItems", "TransactWriteItems", "PutItem"]
    );
}

#[tokio::test]
async fn a_takeover_mends_only_the_record_of_that_execution() {
    let complete = fenrir_stacks::Status::CreateComplete;
    let holder = |execution: &str| Holder {
        execution: execution.to_owned(),
        release_id: "release-1".to_owned(),
        who: None,
        since: "2026-01-01T00:00:00Z".to_owned(),
        dirty: false,
        reason: None,
    };
    for (execution, settlement) in [
        (EXECUTION, Settlement::Settled(Status::Success)),
        ("arn:another", Settlement::NothingToDo),
    ] {
        let mut answers = vec![record("STARTED")];
        answers.extend(look(complete, &history(complete)));
        answers.push(done());
        let server = Recorded::start(answers);
        let env = environment(&server).await;
        let stacks = Stacks::new(&server.config().await);
        let ended = fenrir_settle::execution::Ended {
            how: fenrir_settle::execution::How::TimedOut,
            at: None,
            error: String::new(),
            cause: String::new(),
        };
        let mended = fenrir_settle::mend(&env, stacks, &owner(), &holder(execution), &ended).await;
        assert_eq!(mended, Ok(settlement));
        let operations: Vec<String> = server.requests().into_iter().map(|request| request.operation).collect();
        let wanted: &[&str] = match settlement {
            Settlement::NothingToDo => &["GetItem"],
            _ => &[
                "GetItem",
                "DescribeStacks",
                "DescribeStackEvents",
                "DescribeChangeSet",
                "TransactWriteItems",
            ],
        };
        assert_eq!(operations, wanted);
    }
}
