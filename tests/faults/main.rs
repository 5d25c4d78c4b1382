//! The machine in process, with the real steps on the local AWS, and one fault after another in everything it calls. After
//! each execution the laws of the machine are asserted from outside.
//!
//! Fifty cases of the matrix run in every test; one of each call and fault with `make faults`, which writes `docs/faults.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "a test fails by panicking, and its futures may be as large as they like"
)]

mod laws;
mod matrix;
mod race;
mod scenario;
mod strike;
mod table;
mod world;

use std::time::Instant;

use fenrir_testkit::root;
use matrix::{Outcome, Workers, cases, chosen};
use scenario::Scenario;

/// Cases in every test run.
const FEW: usize = 50;

/// `$FENRIR_FAULTS`: `each` runs one case of each call and fault, `all` runs all of them; both write the
/// page. Other words run the cases in whose name they are. A case is
/// named as it is reported: `create lock dynamodb:TransactWriteItems#1 lost to the end`.
const CHOICE: &str = "FENRIR_FAULTS";

const WRITES: [&str; 2] = ["each", "all"];

/// What the steps may do beside what the scenarios make them do.
const NOT_STRUCK: &[&str] = &[
    // Rights that are no calls: of a version, of a passed role, of a part of a transaction, of what S3 says of a missing key.
    "validate s3:GetObjectVersion",
    "validate s3:ListBucket",
    "validate sts:TagSession",
    "validate s3:GetObjectVersion",
    "lock dynamodb:ConditionCheckItem",
    "lock dynamodb:UpdateItem",
    "lock sts:TagSession",
    // Only where a record that is to be mended says that its release was at work on the stack.
    "lock cloudformation:DescribeChangeSet",
    "lock cloudformation:DescribeStackEvents",
    "create-changeset sts:TagSession",
    // A failed rollback: `tests/e2e` and `tests/steps`.
    "create-changeset cloudformation:ContinueUpdateRollback",
    "create-changeset iam:PassRole",
    "create-changeset s3:GetObject",
    // Looks at several locks go by `BatchGetItem`, which needs this right.
    "wait-changeset dynamodb:GetItem",
    "wait-changeset sts:TagSession",
    "execute sts:TagSession",
    "wait-execute sts:TagSession",
    // Only where the stack's events say nothing of the execution.
    "wait-execute cloudformation:DescribeChangeSet",
    "cleanup sts:TagSession",
    // Only where WaitExecute could not cancel.
    "cleanup cloudformation:CancelUpdateStack",
    "cleanup cloudformation:ContinueUpdateRollback",
    "cleanup iam:PassRole",
    "release-lock dynamodb:ConditionCheckItem",
    "release-lock dynamodb:DeleteItem",
    // Only where something newer is deployed, or the end is written again.
    "release-lock dynamodb:PutItem",
];

#[test]
fn no_fault_breaks_a_law() {
    let began = Instant::now();
    let workers = Workers::start();
    let choice = std::env::var(CHOICE).ok();
    let words = choice.as_deref().filter(|words| !WRITES.contains(words));
    let of_words = |scenario: &Scenario| words.is_some_and(|words| words.starts_with(&format!("{scenario} ")));
    let scenarios: Vec<Scenario> = match Scenario::ALL.into_iter().find(of_words) {
        Some(one) => vec![one],
        None => Scenario::ALL.into(),
    };
    let profiles = workers.profiles(&scenarios);
    let all = cases(&profiles);
    if scenarios.len() > 1 {
        let missing = matrix::missing(&profiles);
        assert_eq!(missing, NOT_STRUCK, "calls that a step may make and no scenario makes");
        assert!(all.len() >= 500, "{} cases", all.len());
    }
    let cases = match choice.as_deref() {
        None => chosen(all, FEW),
        Some("all") => all,
        Some("each") => matrix::one_of_each(all),
        Some(words) => all
            .into_iter()
            .filter(|case| case.to_string().contains(words))
            .collect(),
    };
    let outcomes = workers.strike(&cases, choice.is_some());
    assert!(
        choice.as_deref() != Some("each") || cases.len() >= 500,
        "{} cases",
        cases.len()
    );
    if choice.as_deref().is_some_and(|choice| WRITES.contains(&choice)) {
        let page = table::page(&outcomes, began.elapsed().as_secs_f64());
        std::fs::write(root().join("docs/faults.md"), page).unwrap();
    }
    let broken: Vec<String> = outcomes.iter().filter_map(Outcome::broken).collect();
    assert!(
        broken.is_empty(),
        "{} cases break a law:\n{}",
        broken.len(),
        broken.join("\n")
    );
}
