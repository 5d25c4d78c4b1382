//! What waiting costs: the time between CloudFormation's end and the machine's, states, events of the history and calls,
//! for stacks of seconds and of hours. Law 8 of the design: waits grow.

use std::fmt::Write as _;
use std::time::Duration;

use fenrir_testkit::root;

use crate::cloud::{Cloud, Outcome, Script};

/// What a change set takes. CloudFormation's own time for a small template with a transform, as seen from outside.
const CHANGE_SET: Duration = Duration::from_secs(6);
/// What stands around the generated part of docs/benchmarks.md.
const BEGIN: &str =
    "<!-- Written by tests/waits/pace.rs: FENRIR_BLESS=1 cargo test --workspace --test waits pace -->\n";
const END: &str = "<!-- End of what is written. -->\n";

/// What is promised for stacks of one duration.
struct Bound {
    name: &'static str,
    seconds: u32,
    /// Added time on average, and at worst.
    mean: Duration,
    worst: Duration,
    states: usize,
    events: usize,
    calls: usize,
}

const fn bound(name: &'static str, seconds: u32, added: (u64, u64), most: (usize, usize, usize)) -> Bound {
    Bound {
        name,
        seconds,
        mean: Duration::from_secs(added.0),
        worst: Duration::from_secs(added.1),
        states: most.0,
        events: most.1,
        calls: most.2,
    }
}

const BOUNDS: [Bound; 4] = [
    bound("30 s", 30, (3, 5), (80, 250, 45)),
    bound("5 min", 5 * 60, (18, 35), (110, 350, 70)),
    // The deployer of 2018-2020 entered 1,090 states.
    bound("30 min", 30 * 60, (62, 122), (150, 500, 100)),
    // Step Functions ends an execution at 25,000 events. A call in two asks whether somebody halted it.
    bound("12 h", 12 * 3600, (62, 122), (1_500, 5_000, 1_000)),
];

/// What was measured of one duration.
struct Row {
    name: &'static str,
    mean: f64,
    worst: f64,
    states: usize,
    events: usize,
    calls: usize,
}

async fn deploy(stack: Duration) -> Outcome {
    let script = Script {
        change_set: CHANGE_SET,
        stack,
        ..Script::default()
    };
    let outcome = Cloud::new(script).deploy("release-1").await;
    assert!(outcome.run.outcome.is_ok(), "{:?}", outcome.run.outcome);
    outcome
}

/// Where exactly CloudFormation's end falls between two looks is chance: on average in the middle.
async fn measure(bound: &Bound) -> Row {
    let outcome = deploy(Duration::from_secs(bound.seconds.into())).await;
    let (mean, worst) = (outcome.tail + outcome.period / 2, outcome.tail + outcome.period);
    let (states, events) = (outcome.run.path.len(), outcome.run.events);
    assert!(outcome.added <= worst, "{}: {:?}", bound.name, outcome.added);
    assert!(mean <= bound.mean, "{}: {mean:?} on average", bound.name);
    assert!(worst <= bound.worst, "{}: {worst:?} at worst", bound.name);
    assert!(states <= bound.states, "{}: {states} states", bound.name);
    assert!(events <= bound.events, "{}: {events} events", bound.name);
    assert!(outcome.calls <= bound.calls, "{}: {} calls", bound.name, outcome.calls);
    Row {
        name: bound.name,
        mean: mean.as_secs_f64(),
        worst: worst.as_secs_f64(),
        states,
        events,
        calls: outcome.calls,
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| a stack of | time added, mean | at worst | states entered | events of the history | AWS calls after Validate |\n\
         |---|---|---|---|---|---|\n",
    );
    for row in rows {
        writeln!(
            text,
            "| {} | {:.1} s | {:.1} s | {} | {} | {} |",
            row.name, row.mean, row.worst, row.states, row.events, row.calls
        )
        .unwrap();
    }
    text
}

#[tokio::test]
async fn the_time_added_and_what_it_costs_stay_within_what_docs_promise() {
    let mut rows = Vec::new();
    for bound in &BOUNDS {
        rows.push(measure(bound).await);
    }
    let path = root().join("docs/benchmarks.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("docs/benchmarks.md has the generated part");
    let (have, after) = rest.split_once(END).unwrap();
    let wanted = table(&rows);
    if std::env::var_os("FENRIR_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        assert_eq!(have, wanted, "FENRIR_BLESS=1 writes it anew");
    }
}
