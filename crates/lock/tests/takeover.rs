//! Every status of a stack times whose doing it is: whether `Lock` takes over the lock of an execution that has ended,
//! what it says where it does not, and that it touches no stack. Over recorded answers, with the SDK's own clients; what
//! is wanted is the column `Lock` of docs/states.md.
//!
//! The execution ended clean, and could not give its lock back: nothing but its stack speaks against a takeover.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "a test fails by panicking, and its futures may be as large as they like"
)]

use std::sync::{Arc, Mutex};

use fenrir_core::deployment::{
    Deployment, Execution, Head, Manifest, ManifestAt, Operation, Pointer, Stack, Times, Wait,
};
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::names;
use fenrir_core::owner::Owner;
use fenrir_lambda::{Environment, Settings};
use fenrir_stacks::Status;
use fenrir_stacks::marks::Marks;
use fenrir_stacks::status::{Conclude, TABLE, Takeover};
use fenrir_testkit::{Answer, Recorded, Request, answers, root};
use serde_json::{Value, json};

const HOLDER: &str = "arn:aws:states:us-east-1:111111111111:execution:fenrir:release-0";
const EXECUTION: &str = "arn:aws:states:us-east-1:111111111111:execution:fenrir:release-1";

/// All that the step asks AWS for: it looks at stacks, and writes locks and records.
const ASKED: [&str; 9] = [
    "AssumeRole",
    "DescribeChangeSet",
    "DescribeEvents",
    "DescribeExecution",
    "DescribeStackEvents",
    "DescribeStacks",
    "GetItem",
    "PutItem",
    "TransactWriteItems",
];

type Lines = Vec<(&'static str, String)>;

fn owner() -> Owner {
    Owner {
        account: "111111111111".into(),
        region: "us-east-1".into(),
        project: "p".into(),
        config: "c".into(),
    }
}

fn deployment() -> Deployment {
    Deployment {
        release: Head {
            operation: Operation::Deploy,
            release_id: "release-1".to_owned(),
            owner: owner().into(),
            bucket: "b".to_owned(),
            deadline: "2026-01-01T01:00:00Z".to_owned(),
        },
        execution: Execution {
            arn: EXECUTION.to_owned(),
            started_at: "2026-01-01T00:30:00Z".to_owned(),
        },
        template: Pointer {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            version_id: "v".to_owned(),
            sha256: "s".to_owned(),
        },
        manifest: ManifestAt::Here(Manifest {
            tags: [].into(),
            metadata: [].into(),
        }),
        stack: Stack {
            name: names::stack(&owner()),
            arn: None,
            action: None,
            progress: None,
        },
        change_set: None,
        wait: Wait::first(),
        times: Times::default(),
        halt: None,
        failure: None,
        error: None,
        cleaned: false,
        end: None,
    }
}

/// The account as the step finds it.
#[derive(Clone)]
struct Found {
    /// Error of the execution that holds the lock.
    error: &'static str,
    /// What its record says.
    recorded: &'static str,
    status: Status,
    events: Lines,
}

impl Found {
    fn at(status: Status, events: Lines) -> Self {
        Self {
            error: "FailureClean.StackError",
            recorded: "STARTED",
            status,
            events,
        }
    }

    fn answer(&self, request: &Request, is_taken: &Mutex<bool>) -> Answer {
        match request.operation.as_str() {
            "TransactWriteItems" if takes_over(request) => {
                *is_taken.lock().unwrap() = true;
                answers::done()
            }
            "TransactWriteItems" if takes(request) => held(),
            "TransactWriteItems" | "PutItem" => answers::done(),
            "DescribeExecution" => {
                let (error, cause) = (self.error, "what went wrong (release release-0)");
                let found = json!({
                    "executionArn": HOLDER, "status": "FAILED", "startDate": 1_767_225_600, "stopDate": 1_767_225_700,
                    "error": error, "cause": cause,
                });
                Answer::json(200, found.to_string())
            }
            "GetItem" => answers::record(HOLDER, "release-0", self.recorded),
            "AssumeRole" => answers::session(),
            "DescribeStacks" => answers::stack(self.status),
            "DescribeStackEvents" => answers::events(&self.events),
            "DescribeChangeSet" => answers::no_change_set(),
            "DescribeEvents" => answers::ok("DescribeEvents", "<OperationEvents/>"),
            // Nothing else is in `ASKED`.
            _ => Answer::cut(),
        }
    }

    async fn lock(self) -> Locked {
        let is_taken = Arc::new(Mutex::new(false));
        let of_server = Arc::clone(&is_taken);
        let server = Recorded::answering(move |request| self.answer(request, &of_server));
        let settings = Settings {
            locks_table: "fenrir-locks".to_owned(),
            releases_table: "fenrir-releases".to_owned(),
            state_machine: Some("arn:aws:states:us-east-1:111111111111:stateMachine:fenrir".to_owned()),
            ..Settings::default()
        };
        let env = Environment::new(&lock::STEP, settings, server.config().await);
        let answer = lock::run(&env, deployment()).await;
        let is_taken = *is_taken.lock().unwrap();
        Locked {
            answer,
            is_taken,
            requests: server.requests(),
        }
    }
}

/// The lock's item as it is put into the table, with the condition's values.
fn put(request: &Request) -> Value {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    body["TransactItems"][0]["Put"].clone()
}

/// Whether the request takes the lock.
fn takes(request: &Request) -> bool {
    put(request)["TableName"] == "fenrir-locks"
}

/// Whether it takes it also from the one that holds it, and only where that is not dirty and nobody claims it.
fn takes_over(request: &Request) -> bool {
    let put = put(request);
    let condition = put["ConditionExpression"].as_str().unwrap_or_default();
    takes(request)
        && put["ExpressionAttributeValues"][":ended"]["S"] == HOLDER
        && condition.contains("#execution = :ended AND (attribute_not_exists(#claimed) OR #claimed < :now)")
        && condition.ends_with("AND #dirty = :false)")
}

/// `TransactionCanceledException`, with the item that was there.
fn held() -> Answer {
    let refused = json!({"Code": "ConditionalCheckFailed", "Item": answers::lock_item(HOLDER, "release-0", None)});
    let none = json!({"Code": "None"});
    let cancelled = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "Message": "cancelled",
        "CancellationReasons": [refused, none, none, none, none],
    });
    Answer::json(400, cancelled.to_string())
}

/// What the step answered, and what it did.
struct Locked {
    answer: Result<Deployment, StepError>,
    is_taken: bool,
    requests: Vec<Request>,
}

impl Locked {
    fn assert_taken(&self, what: &str) {
        assert_eq!(self.answer, Ok(deployment()), "{what}");
        assert!(self.is_taken, "{what}");
        self.assert_no_stack_is_touched(what);
    }

    /// Refused, in these words, which the record has too.
    fn assert_refused(&self, what: &str, why: &str, help: &str) {
        let refused = self.answer.as_ref().unwrap_err();
        assert_eq!(refused.name, ErrorName::LockExistsError, "{what}");
        let message = format!(
            "`p` `c` cannot be deployed now: release `release-0` holds the lock since `2026-01-01T00:00:00Z` (execution \
             `{HOLDER}`); {why}; {help}"
        );
        assert_eq!(refused.message, message, "{what}");
        assert!(!self.is_taken, "{what}");
        let last = self.requests.last().unwrap();
        let body: Value = serde_json::from_str(&last.body).unwrap();
        assert_eq!(last.operation, "PutItem", "{what}");
        assert_eq!(body["Item"]["status"]["S"], "REFUSED", "{what}");
        assert_eq!(body["Item"]["cause"]["S"], message, "{what}");
        self.assert_no_stack_is_touched(what);
    }

    fn assert_no_stack_is_touched(&self, what: &str) {
        for request in &self.requests {
            assert!(ASKED.contains(&request.operation.as_str()), "{what}: {request:?}");
        }
    }
}

/// The stack as the holder's own change set, or what it did afterwards, left it. Of an import, which is never its own: as
/// somebody left it after the holder.
fn involved(status: Status) -> Lines {
    let marks = Marks::of(HOLDER);
    let history = answers::history(status, &marks);
    if status.row().name.starts_with("IMPORT") {
        return [answers::history(Status::UpdateComplete, &marks), history].concat();
    }
    history
}

/// As somebody else left it.
fn uninvolved(status: Status) -> Lines {
    answers::history(status, &Marks::of("arn:another"))
}

const SETTLED_SOON: &str =
    "the watchdog settles it within 15 minutes: `fenrir status` shows how, and what is left to do";

#[tokio::test]
async fn a_lock_is_taken_over_or_stays_as_the_table_says_of_every_status() {
    let stack = names::stack(&owner());
    for row in &TABLE {
        for (is_involved, events) in [(true, involved(row.status)), (false, uninvolved(row.status))] {
            let what = format!("{}, left by the holder: {is_involved}", row.name);
            let locked = Found::at(row.status, events).lock().await;
            match row.status.takeover() {
                Takeover::Never => locked.assert_refused(
                    &what,
                    &format!(
                        "its execution has ended, but its stack `{stack}` is still in progress (`{}`)",
                        row.name
                    ),
                    "run `fenrir deploy` again when CloudFormation is done; `fenrir status` shows the stack",
                ),
                Takeover::OfTheUninvolved if is_involved => locked.assert_refused(
                    &what,
                    &format!(
                        "its execution has ended and left something behind in its stack `{stack}` (`{}`)",
                        row.name
                    ),
                    SETTLED_SOON,
                ),
                Takeover::OfTheUninvolved | Takeover::Always => locked.assert_taken(&what),
            }
        }
    }
}

/// The table that the test above goes by says what law 5 says: in all else it would only repeat the code.
#[test]
fn the_table_takes_nothing_over_in_progress_and_nothing_that_only_a_person_can_mend() {
    let text = std::fs::read_to_string(root().join("docs/states.md")).unwrap();
    for row in &TABLE {
        let is_busy = row.name.ends_with("_IN_PROGRESS") && row.status != Status::ReviewInProgress;
        let is_stuck = row.conclude == Conclude::Stuck && row.status != Status::UpdateRollbackFailed;
        let (wanted, words) = match (is_busy || row.status == Status::Unknown, is_stuck) {
            (true, _) => (Takeover::Never, "no takeover"),
            (false, true) => (
                Takeover::OfTheUninvolved,
                "takeover, unless its execution was at work on the stack",
            ),
            (false, false) => (Takeover::Always, "takeover"),
        };
        assert_eq!(row.status.takeover(), wanted, "{}", row.name);
        let line = text.lines().find(|line| {
            let name = line.trim_start_matches("| ").split(" |").next().unwrap_or_default();
            name.trim_matches('`') == row.name
        });
        assert_eq!(line.unwrap().split(" | ").nth(1), Some(words), "{}", row.name);
    }
    let stuck = TABLE
        .iter()
        .filter(|row| row.status.takeover() == Takeover::OfTheUninvolved);
    let stuck: Vec<Status> = stuck.map(|row| row.status).collect();
    assert_eq!(
        stuck,
        [Status::UpdateFailed, Status::DeleteFailed, Status::ImportRollbackFailed]
    );
}

/// It executed nothing: the deletion of an older stack in its way is what failed.
#[tokio::test]
async fn a_deletion_of_the_holders_own_that_failed_is_for_a_person() {
    let deletion = Marks::of(HOLDER).delete();
    let events = vec![
        ("CREATE_IN_PROGRESS", "theirs".to_owned()),
        ("ROLLBACK_COMPLETE", "theirs".to_owned()),
        ("DELETE_IN_PROGRESS", deletion.clone()),
        ("DELETE_FAILED", deletion),
    ];
    let locked = Found::at(Status::DeleteFailed, events).lock().await;
    let stack = names::stack(&owner());
    locked.assert_refused(
        "DELETE_FAILED",
        &format!("its execution has ended and left something behind in its stack `{stack}` (`DELETE_FAILED`)"),
        SETTLED_SOON,
    );
}

/// A rollback that was gone on with in vain is one that the next deploy goes on with again.
#[tokio::test]
async fn a_rollback_that_failed_twice_keeps_no_lock() {
    let recover = Marks::of(HOLDER).recover_own();
    let mut events = involved(Status::UpdateRollbackFailed);
    events.extend([
        ("UPDATE_ROLLBACK_IN_PROGRESS", recover.clone()),
        ("UPDATE_ROLLBACK_FAILED", recover),
    ]);
    let locked = Found::at(Status::UpdateRollbackFailed, events).lock().await;
    locked.assert_taken("UPDATE_ROLLBACK_FAILED");
}

#[tokio::test]
async fn an_execution_that_ended_dirty_keeps_its_lock_whatever_its_stack_shows() {
    for row in &TABLE {
        let mut found = Found::at(row.status, uninvolved(row.status));
        found.error = "FailureDirty.ReleaseLockError";
        found.lock().await.assert_refused(
            row.name,
            "its execution ended dirty and could not mark the lock: what went wrong (release release-0)",
            SETTLED_SOON,
        );
    }
}

/// Its record tells its end: whatever the stack shows now has been judged, and was not dirty.
#[tokio::test]
async fn a_stack_that_was_judged_already_is_not_judged_again() {
    for recorded in ["SUCCESS", "FAILURE_CLEAN"] {
        let mut found = Found::at(Status::UpdateFailed, involved(Status::UpdateFailed));
        found.recorded = recorded;
        found.lock().await.assert_taken(recorded);
    }
}
