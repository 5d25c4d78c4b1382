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
mod watchdog;
mod world;

use std::time::Instant;

use fenrir_testkit::root;
use matrix::{Case, Outcome, WORKERS, WORKERS_ALONE, Workers, cases, chosen};
use scenario::Scenario;

/// Cases in every test run.
const FEW: usize = 50;
/// And of the watchdog.
const FEW_OF_THE_WATCHDOG: usize = 20;

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
    "create-changeset sts:TagSession",
    "create-changeset iam:PassRole",
    "create-changeset s3:GetObject",
    // Looks at several locks go by `BatchGetItem`, which needs this right.
    "wait-changeset dynamodb:GetItem",
    "wait-changeset sts:TagSession",
    "execute sts:TagSession",
    "wait-execute sts:TagSession",
    "cleanup sts:TagSession",
    "cleanup iam:PassRole",
    "release-lock dynamodb:ConditionCheckItem",
    "release-lock dynamodb:DeleteItem",
    // Only where something newer is deployed, or the end is written again.
    "release-lock dynamodb:PutItem",
];

#[test]
fn no_fault_breaks_a_law() {
    let began = Instant::now();
    let choice = std::env::var(CHOICE).ok();
    let workers = Workers::start(if choice.is_some() { WORKERS_ALONE } else { WORKERS });
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
    let alone = |cases: Vec<Case>| cases.into_iter().map(|case| vec![case]).collect();
    let groups: Vec<Vec<Case>> = match choice.as_deref() {
        None => alone(chosen(all, FEW)),
        Some("all") => alone(all),
        Some("each") => matrix::one_of_each(all),
        Some(words) => alone(
            all.into_iter()
                .filter(|case| case.to_string().contains(words))
                .collect(),
        ),
    };
    let writes = choice.as_deref().is_some_and(|choice| WRITES.contains(&choice));
    assert!(!writes || groups.len() >= 500, "{} cases", groups.len());
    let outcomes = workers.strike(&groups, choice.is_some());
    let all = watchdog::cases(&workers);
    let watched = match choice.as_deref() {
        None => watchdog::chosen(all, FEW_OF_THE_WATCHDOG),
        Some("all") => all,
        Some("each") => watchdog::one_of_each(all),
        Some(words) => all
            .into_iter()
            .filter(|case| case.to_string().contains(words))
            .collect(),
    };
    let watched = watchdog::strike(&workers, &watched);
    if writes {
        let page = table::page(&outcomes, &watched, began.elapsed().as_secs_f64());
        std::fs::write(root().join("docs/faults.md"), page).unwrap();
    }
    let unstruck = outcomes
        .iter()
        .filter(|outcome| !outcome.struck && choice.as_deref() != Some("all"));
    let of_watchdog = watched.iter().filter(|outcome| !outcome.struck);
    let unstruck: Vec<String> = unstruck
        .map(|outcome| outcome.case.to_string())
        .chain(of_watchdog.map(|outcome| outcome.case.to_string()))
        .collect();
    assert!(
        unstruck.is_empty(),
        "faults that did not strike:\n{}",
        unstruck.join("\n")
    );
    let broken = outcomes.iter().filter_map(Outcome::broken);
    let broken: Vec<String> = broken
        .chain(watched.iter().filter_map(watchdog::Outcome::broken))
        .collect();
    assert!(
        broken.is_empty(),
        "{} cases break a law:\n{}",
        broken.len(),
        broken.join("\n")
    );
}
