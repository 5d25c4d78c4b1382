//! `docs/faults.md`: what was struck, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use time::OffsetDateTime;

use crate::laws::End;
use crate::matrix::Outcome;
use crate::scenario::Scenario;
use crate::strike::{Kind, Tenacity};
use crate::watchdog;

/// The page.
pub(crate) fn page(outcomes: &[Outcome], watched: &[watchdog::Outcome], seconds: f64) -> String {
    let mut text = String::from(
        "# Faults\n\nWritten by `make faults`, which runs one case of each call of each step and each fault, and of each step killed \
         or run twice for as long as it can be; the scenario, and of a call how long it is struck, are drawn (`make faults ALL=1`: all of them). Each is one execution of the real state machine \
         with the real steps on the local AWS, in which one thing goes wrong. Afterwards the laws of the machine are \
         asserted from outside: CloudFormation, the topic that the stack makes, the tables of locks and records, what the \
         record points to in the bucket, the end of the execution; and the next deploy of the same project must succeed. What passes (one strike, or as many as \
         the SDK tries) must change nothing at all about how the deploy ends.\n\n",
    );
    let of_machine = outcomes.iter().filter(|outcome| !outcome.broken.is_empty()).count();
    let of_watchdog = watched.iter().filter(|outcome| !outcome.broken.is_empty()).count();
    let broken = of_machine + of_watchdog;
    let unstruck = outcomes.iter().filter(|outcome| !outcome.struck).count();
    let today = OffsetDateTime::now_utc().date();
    let _ = writeln!(
        text,
        "{today}: **{} cases of deploys and {} of the watchdog, {broken} broken laws**, in {:.0} minutes; in {unstruck} \
         cases the deploy went another way and the fault did not strike.\n",
        outcomes.len(),
        watched.len(),
        seconds / 60.0
    );
    ends(&mut text, outcomes);
    scenarios(&mut text, outcomes);
    for (heading, words, tenacity, kinds) in [
        ("One strike", "", Tenacity::Once, &Kind::OF_CALLS[..]),
        (
            "Until the SDK gives up",
            "Four strikes: the SDK's tries fail, and the machine's next try of the step finds AWS well again.\n\n",
            Tenacity::Sdk,
            &crate::matrix::TENACIOUS[..],
        ),
        (
            "To the end",
            "The fault strikes this call of this step until the execution ends.\n\n",
            Tenacity::Machine,
            &crate::matrix::ENDLESS[..],
        ),
    ] {
        let _ = write!(text, "## {heading}\n\n{words}");
        calls(&mut text, outcomes, tenacity, kinds);
    }
    steps(&mut text, outcomes);
    of_the_watchdog(&mut text, watched);
    text.push_str(KINDS);
    text
}

const KINDS: &str = "## The faults

| fault | |
| --- | --- |
| throttled, 500, 503, denied | the service's own error; nothing took effect |
| reset | the connection breaks; nothing took effect |
| timed out | the call takes effect, and its answer comes after the attempt's timeout |
| lost | the call takes effect, and the connection breaks before the answer |
| garbage | an answer of status 200 that nobody understands; nothing took effect |
| garbled | the call takes effect, and nobody understands the answer |
| slow | the answer takes long, within the attempt's timeout |
| killed there | the step is killed while it waits for the answer of a call that took effect |
| killed before, killed after | the step is killed before it does anything, and when it has done everything |
| run twice, run twice at once | the step runs two times, and one of the answers is used |
";

fn of_the_watchdog(text: &mut String, watched: &[watchdog::Outcome]) {
    text.push_str(
        "## The watchdog\n\nAn execution breaks off and leaves something; the watchdog settles it under one fault; and is \
         invoked again, without one, until the record has an end. Then the end must be the one that it has without a \
         fault, and never may the lock have been released on something half-made.\n\n\
         | left behind | ends | calls that are struck | cases |\n| --- | --- | --- | --- |\n",
    );
    for left in watchdog::Left::ALL {
        let of: Vec<_> = watched.iter().filter(|outcome| outcome.case.left == left).collect();
        let actions = of.iter().filter_map(|outcome| outcome.case.strike.call.as_ref());
        let actions: BTreeSet<String> = actions.map(|call| format!("`{}`", call.action)).collect();
        let actions: Vec<String> = actions.into_iter().collect();
        let (end, ..) = left.end();
        let _ = writeln!(text, "| {left} | {end} | {} | {} |", actions.join(", "), of.len());
    }
    text.push('\n');
}

/// How many cases ended how.
fn count<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> String {
    let mut ends: BTreeMap<End, usize> = BTreeMap::new();
    for outcome in outcomes {
        *ends.entry(outcome.end).or_default() += 1;
    }
    let words: Vec<String> = ends
        .iter()
        .map(|(end, count)| format!("{count} {}", word(*end)))
        .collect();
    words.join(", ")
}

fn word(end: End) -> &'static str {
    match end {
        End::Success => "success",
        End::Clean => "clean",
        End::Dirty => "dirty",
        End::Unrecorded => "unrecorded",
        End::Outside => "outside",
    }
}

fn ends(text: &mut String, outcomes: &[Outcome]) {
    text.push_str(
        "*Clean* is FailureClean, *dirty* is FailureDirty with the lock kept and the team alerted. *Unrecorded* is the one \
         exception of law 2: ReleaseLock itself could not come to its end because the store, the topic or Lambda refused to \
         the last; the execution ends in FailureDirty, and a later deploy, or the watchdog, settles the lock.\n\n\
         | end | cases |\n| --- | --- |\n",
    );
    for end in [End::Success, End::Clean, End::Dirty, End::Unrecorded, End::Outside] {
        let cases = outcomes.iter().filter(|outcome| outcome.end == end).count();
        if cases > 0 {
            let _ = writeln!(text, "| {} | {cases} |", word(end));
        }
    }
    text.push('\n');
}

fn scenarios(text: &mut String, outcomes: &[Outcome]) {
    text.push_str(
        "## The deploys\n\nA step is struck in each deploy in which it does something that it does in none before.\n\n\
         | deploy | ends without a fault | steps that are struck | how it ended |\n| --- | --- | --- | --- |\n",
    );
    for scenario in Scenario::ALL {
        let of: Vec<&Outcome> = outcomes
            .iter()
            .filter(|outcome| outcome.case.scenario == scenario)
            .collect();
        let steps: Vec<&str> = scenario.steps().to_vec();
        let _ = writeln!(
            text,
            "| {scenario} | {} | {} | {} |",
            scenario.end(),
            if steps.len() == fenrir_harness::STEPS.len() {
                "all".to_owned()
            } else {
                steps.join(", ")
            },
            count(of.into_iter())
        );
    }
    text.push('\n');
}

fn calls(text: &mut String, outcomes: &[Outcome], tenacity: Tenacity, kinds: &[Kind]) {
    let of: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| outcome.case.strike.tenacity == tenacity && outcome.case.strike.call.is_some())
        .collect();
    let rows: BTreeSet<(usize, &str, &str)> = of
        .iter()
        .map(|outcome| {
            let strike = &outcome.case.strike;
            (
                place(strike.step),
                strike.step,
                strike.call.as_ref().unwrap().action.as_str(),
            )
        })
        .collect();
    let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    let _ = writeln!(text, "| step | call | {} |", names.join(" | "));
    let _ = writeln!(text, "| --- | --- |{}", " --- |".repeat(kinds.len()));
    for (_, step, action) in rows {
        let cells: Vec<String> = kinds
            .iter()
            .map(|kind| {
                count(of.iter().copied().filter(|outcome| {
                    let strike = &outcome.case.strike;
                    strike.step == step && strike.kind == *kind && strike.call.as_ref().unwrap().action == action
                }))
            })
            .collect();
        let _ = writeln!(text, "| {step} | `{action}` | {} |", cells.join(" | "));
    }
    text.push('\n');
}

fn steps(text: &mut String, outcomes: &[Outcome]) {
    text.push_str("## The steps themselves\n\n");
    let columns: Vec<(Kind, Tenacity)> = Kind::OF_STEPS
        .iter()
        .map(|kind| (*kind, Tenacity::Once))
        .chain(
            crate::matrix::ENDLESS_OF_STEPS
                .iter()
                .map(|kind| (*kind, Tenacity::Machine)),
        )
        .collect();
    let names: Vec<String> = columns
        .iter()
        .map(|(kind, tenacity)| match tenacity {
            Tenacity::Machine => format!("{kind}, to the end"),
            _ => kind.to_string(),
        })
        .collect();
    let _ = writeln!(text, "| step | {} |", names.join(" | "));
    let _ = writeln!(text, "| --- |{}", " --- |".repeat(columns.len()));
    let of: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| outcome.case.strike.call.is_none())
        .collect();
    let rows: BTreeSet<(usize, &str)> = of
        .iter()
        .map(|outcome| (place(outcome.case.strike.step), outcome.case.strike.step))
        .collect();
    for (_, step) in rows {
        let cells: Vec<String> = columns
            .iter()
            .map(|(kind, tenacity)| {
                count(of.iter().copied().filter(|outcome| {
                    let strike = &outcome.case.strike;
                    strike.step == step && strike.kind == *kind && strike.tenacity == *tenacity
                }))
            })
            .collect();
        let _ = writeln!(text, "| {step} | {} |", cells.join(" | "));
    }
    text.push('\n');
}

/// The steps in the order of the machine.
fn place(step: &str) -> usize {
    fenrir_harness::STEPS
        .iter()
        .position(|(_, known)| known.name == step)
        .unwrap()
}
