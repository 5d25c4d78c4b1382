//! The two ways to run the machine must agree: on the path of states, on the end and what is said of it, and on the record.

use std::cell::RefCell;
use std::collections::BTreeMap;

use fenrir_testkit::{Application, Deployer, Ended};

use crate::Way;

/// One deploy, without what differs from run to run: times, ids, and the project's name, which says the way.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    release_id: String,
    status: String,
    path: Vec<String>,
    error: String,
    cause: String,
    record: Option<BTreeMap<String, String>>,
}

tokio::task_local! {
    static TALE: RefCell<Vec<Told>>;
}

/// Runs a scenario both ways at once, and compares every deploy of it.
pub(crate) async fn both(scenario: impl AsyncFn(Way)) {
    let (there, here) = tokio::join!(tale(&scenario, Way::StepFunctions), tale(&scenario, Way::InProcess));
    compare(there, here);
}

/// As [`both`], one way after the other: each has the faults that are ordered for itself.
pub(crate) async fn both_in_turn(scenario: impl AsyncFn(Way)) {
    let there = tale(&scenario, Way::StepFunctions).await;
    let here = tale(&scenario, Way::InProcess).await;
    compare(there, here);
}

/// Runs a scenario one way: every deploy of it.
async fn tale(scenario: &impl AsyncFn(Way), way: Way) -> Vec<Told> {
    let told = async {
        Box::pin(scenario(way)).await;
        TALE.with(RefCell::take)
    };
    TALE.scope(RefCell::default(), told).await
}

fn compare(mut there: Vec<Told>, mut here: Vec<Told>) {
    assert!(!there.is_empty(), "the scenario deploys nothing");
    // Those that run at once end in any order.
    there.sort_by(|one, other| one.release_id.cmp(&other.release_id));
    here.sort_by(|one, other| one.release_id.cmp(&other.release_id));
    for (there, here) in there.iter().zip(&here) {
        assert_eq!(there, here, "Step Functions on the left, in process on the right");
    }
    assert_eq!(there.len(), here.len());
}

/// Keeps what a deploy came to, for the comparison.
pub(crate) async fn tell(deployer: &Deployer, application: &Application, release_id: &str, ended: &Ended) {
    let owner = application.owner();
    let same = |text: &str| without_ids(&text.replace(&owner.project, "project"));
    let record = deployer.record(owner, release_id).await.map(|record| {
        let plain = record.into_iter().map(|(name, value)| {
            let differs = ["started_at", "deadline", "ended_at", "stored", "metadata"].contains(&name.as_str());
            let value = if differs { "there".to_owned() } else { same(&value) };
            (name, value)
        });
        plain.collect()
    });
    let told = Told {
        release_id: same(release_id),
        status: ended.status.clone(),
        path: ended.path.clone(),
        error: ended.error.clone(),
        cause: same(&ended.cause),
        record,
    };
    // Outside of a comparison nobody listens.
    let _ = TALE.try_with(|tale| tale.borrow_mut().push(told));
}

/// The text with `*` for every time, UUID and digest of a generated name.
fn without_ids(text: &str) -> String {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "-:.".contains(c);
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c| !is_inner(c)).unwrap_or(rest.len());
        if length == 0 {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(length);
        plain.push_str(&word_without_id(word));
        rest = after;
    }
    plain
}

fn word_without_id(word: &str) -> String {
    const DIGEST: usize = 16;
    let shape: String = word
        .chars()
        .map(|c| if c.is_ascii_hexdigit() { 'x' } else { c })
        .collect();
    if word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('T') && word.matches(':').count() == 2 {
        return "*".to_owned();
    }
    if let Some(at) = shape.find("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") {
        return format!("{}*{}", &word[..at], &word[at + 36..]);
    }
    match word.split_once("--") {
        Some((before, after)) if after.len() >= DIGEST => format!("{before}--*{}", &after[DIGEST..]),
        _ => word.to_owned(),
    }
}

#[test]
fn what_differs_from_run_to_run_is_left_out() {
    let text = "`fenrir-project-test--2wcpmceze3vllj22` since `2026-11-22T04:51:07.379Z` \
                (arn:aws:cloudformation:us-east-1:111111111111:stack/s/75aa7a60-fa09-4259-938c-a575333cc903)";
    assert_eq!(
        without_ids(text),
        "`fenrir-project-test--*` since `*` (arn:aws:cloudformation:us-east-1:111111111111:stack/s/*)"
    );
}
