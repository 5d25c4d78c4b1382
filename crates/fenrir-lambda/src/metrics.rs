//! Metrics: what operators graph and are alarmed by, as lines of the log from which CloudWatch makes metrics (CloudWatch
//! User Guide, "Specification: Embedded metric format"). They cost no call and no waiting, and stand beside the log.
//!
//! Each value of a dimension is a metric that is paid for and looked through. So only what is graphed is a dimension, and
//! its values are few: names of Fenrir's own (outcomes, phases, rules, steps), and projects. A project becomes a
//! dimension only when its release is proven: what anybody writes into an execution's input makes no metric.

use std::sync::{Mutex, PoisonError};

use fenrir_core::deployment::{Head, Operation, Outcome};
use fenrir_core::error::ErrorName;
use fenrir_core::problem::{Problem, Severity};
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use crate::logs::harmless;

/// The name space of all of Fenrir's metrics.
pub const NAMESPACE: &str = "Fenrir";

/// Every metric, and the sets of dimensions by which it can be graphed: what the dashboard and the alarms of `template.yml`
/// may name, and `docs/operations.md` tells about.
pub const CATALOGUE: [(&str, &[&[&str]]); 13] = [
    ("Deploys", &[&["Outcome"], &["Project", "Outcome"]]),
    ("Plans", &[&["Outcome"], &["Project", "Outcome"]]),
    ("Duration", &[&["Phase"]]),
    ("Refusals", &[&["Rule"]]),
    ("LockRefusals", &[&[], &["Reason"]]),
    ("LockTakeovers", &[&[]]),
    ("StepErrors", &[&[], &["Error"], &["Step", "Error"]]),
    ("Retries", &[&[], &["Step"]]),
    ("Throttles", &[&[], &["Service"]]),
    ("Open", &[&[]]),
    ("OpenFor", &[&[]]),
    ("Overdue", &[&[]]),
    ("NotTold", &[&[]]),
];

/// How a release ended, as metrics say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// An end of the machine.
    As(Outcome),
    /// It was refused before anything was touched.
    Refused,
}

impl Ended {
    /// The value of the dimension `Outcome`: the record's status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::As(Outcome::Success) => "SUCCESS",
            Self::As(Outcome::FailureClean) => "FAILURE_CLEAN",
            Self::As(Outcome::FailureDirty) => "FAILURE_DIRTY",
            Self::Refused => "REFUSED",
        }
    }
}

/// A part of a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// From the execution's start until the release is validated.
    Validate,
    /// From there until the change set is made and judged.
    ChangeSet,
    /// From there until the stack is at rest.
    Execute,
    /// From the execution's start to its end.
    Whole,
}

impl Phase {
    /// The value of the dimension `Phase`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "Validate",
            Self::ChangeSet => "ChangeSet",
            Self::Execute => "Execute",
            Self::Whole => "Whole",
        }
    }
}

/// Why a lock was not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Another deploy holds it.
    Held,
    /// A dirty end keeps it.
    Dirty,
    /// Somebody froze the project.
    Frozen,
}

impl Held {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "Held",
            Self::Dirty => "Dirty",
            Self::Frozen => "Frozen",
        }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub enum Measure<'a> {
    /// A proven release ended: `Deploys`, or `Plans`, by `Outcome` and by `Project` and `Outcome`.
    Ended(&'a Head, Ended),
    /// A release that nobody has proven was refused: `Deploys` by `Outcome`, and nothing of what it says of itself.
    RefusedUnproven,
    /// How long a part of it took: `Duration` by `Phase`.
    Took(&'a Head, Phase, Duration),
    /// A lock was not to be had: `LockRefusals`, also by `Reason`.
    LockRefused(&'a Head, Held),
    /// A lock was taken over from an execution that had ended: `LockTakeovers`.
    LockTakenOver(&'a Head),
    /// What a step asked of AWS had to be tried again so often: `Retries`, also by `Step`.
    Retries(&'static str, u64),
    /// So often AWS said that it was asked too much: `Throttles`, also by `Service`.
    Throttles(&'a str, u64),
    /// A step failed, and the machine tries it again or ends: `StepErrors`, also by `Step` and `Error`.
    Failed(&'static str, ErrorName),
    /// The watchdog found a release that has started and not ended: `OpenFor` since then, and `Overdue` when it should have
    /// ended long ago. Their maximum tells of the worst.
    Open(&'a Head, Duration, bool),
    /// The herald could not tell of so many releases, and is handed them again: `NotTold`.
    NotTold(usize),
    /// The watchdog has looked after all of them: so many are `Open`.
    Watched(usize),
}

/// The metrics of one invocation, until they are printed.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Vec<String>>);

impl Metrics {
    /// The lines since this was last asked.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn put(&self, measure: &Measure<'_>, now: OffsetDateTime) {
        self.push(line(measure), now);
    }

    /// Refusals by rule: `Refusals`, once for each rule of a refused release. Codes are Fenrir's own, so this is told of
    /// any release.
    pub(crate) fn put_refusals(&self, problems: &[Problem], now: OffsetDateTime) {
        let mut rules: Vec<&str> = problems
            .iter()
            .filter(|problem| problem.severity != Severity::Warning)
            .map(|problem| problem.code.as_ref())
            .collect();
        rules.sort_unstable();
        rules.dedup();
        for rule in rules {
            self.push(Line::count("Refusals", 1).by(&["Rule"]).with("Rule", rule), now);
        }
    }

    fn push(&self, line: Line, now: OffsetDateTime) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line.write(now));
    }
}

fn line(measure: &Measure<'_>) -> Line {
    let whole: &[&str] = &[];
    match *measure {
        Measure::Ended(head, ended) => {
            let name = match head.operation {
                Operation::Deploy => "Deploys",
                Operation::Plan => "Plans",
            };
            Line::count(name, 1)
                .by(&["Outcome"])
                .by(&["Project", "Outcome"])
                .with("Outcome", ended.as_str())
                .of(head)
        }
        Measure::RefusedUnproven => Line::count("Deploys", 1)
            .by(&["Outcome"])
            .with("Outcome", Ended::Refused.as_str()),
        Measure::Took(head, phase, duration) => Line::of_one("Duration", "Milliseconds", milliseconds(duration))
            .by(&["Phase"])
            .with("Phase", phase.as_str())
            .of(head),
        Measure::LockRefused(head, why) => Line::count("LockRefusals", 1)
            .by(whole)
            .by(&["Reason"])
            .with("Reason", why.as_str())
            .of(head),
        Measure::LockTakenOver(head) => Line::count("LockTakeovers", 1).by(whole).of(head),
        Measure::Retries(step, count) => Line::count("Retries", count).by(whole).by(&["Step"]).with("Step", step),
        Measure::Throttles(service, count) => Line::count("Throttles", count)
            .by(whole)
            .by(&["Service"])
            .with("Service", service),
        Measure::Failed(step, error) => Line::count("StepErrors", 1)
            .by(whole)
            .by(&["Error"])
            .by(&["Step", "Error"])
            .with("Step", step)
            .with("Error", error.as_str()),
        Measure::Open(head, age, is_overdue) => Line::count("Overdue", is_overdue.into())
            .and("OpenFor", "Seconds", age.whole_seconds().max(0).unsigned_abs())
            .by(whole)
            .of(head),
        Measure::NotTold(count) => Line::count("NotTold", count as u64).by(whole),
        Measure::Watched(open) => Line::count("Open", open as u64).by(whole),
    }
}

/// A clock that was set back makes no negative duration.
fn milliseconds(duration: Duration) -> u64 {
    duration.whole_milliseconds().max(0).try_into().unwrap_or(u64::MAX)
}

/// One line.
struct Line {
    metrics: Vec<Value>,
    dimensions: Vec<Value>,
    members: Map<String, Value>,
}

impl Line {
    fn count(name: &str, value: u64) -> Self {
        Self::of_one(name, "Count", value)
    }

    fn of_one(name: &str, unit: &str, value: u64) -> Self {
        let line = Self {
            metrics: Vec::new(),
            dimensions: Vec::new(),
            members: Map::new(),
        };
        line.and(name, unit, value)
    }

    fn and(mut self, name: &str, unit: &str, value: u64) -> Self {
        self.metrics.push(json!({"Name": name, "Unit": unit}));
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// A set of dimensions by which it is graphed.
    fn by(mut self, dimensions: &[&str]) -> Self {
        self.dimensions.push(json!(dimensions));
        self
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.members.insert(name.to_owned(), harmless(value).into());
        self
    }

    /// Whose it is: `Project`, which may be a dimension; the others are for who looks at the line. The release is not called
    /// `release_id` here: whoever searches the log for that wants what a step said.
    fn of(self, head: &Head) -> Self {
        let owner = &head.owner;
        self.with("Project", &owner.project_name)
            .with("config", &owner.config_name)
            .with("account", &owner.aws_account_id)
            .with("region", &owner.aws_region)
            .with("release", &head.release_id)
    }

    fn write(self, now: OffsetDateTime) -> String {
        let milliseconds = now.unix_timestamp_nanos() / 1_000_000;
        let metadata = json!({
            "Timestamp": i64::try_from(milliseconds).unwrap_or_default(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": self.dimensions,
                "Metrics": self.metrics,
            }],
        });
        let mut line = Map::from_iter([("_aws".to_owned(), metadata)]);
        line.extend(self.members);
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may")]
    use std::collections::BTreeSet;

    use fenrir_core::owner::Owner;

    use super::*;

    fn head(operation: Operation) -> Head {
        let owner = Owner {
            account: "222222222222".into(),
            region: "eu-west-1".into(),
            project: "p".repeat(fenrir_core::owner::PROJECT_LIMIT),
            config: "production".into(),
        };
        Head {
            operation,
            release_id: "release-1".into(),
            owner: owner.into(),
            bucket: "b".into(),
            deadline: String::new(),
        }
    }

    fn now() -> OffsetDateTime {
        fenrir_core::timestamp::parse("2026-11-21T22:06:31.5Z").unwrap()
    }

    fn written(measures: &[Measure<'_>]) -> Vec<Value> {
        let metrics = Metrics::default();
        for measure in measures {
            metrics.put(measure, now());
        }
        let problems = ["F0203", "F0001", "F0203"].map(|code| Problem::error(code, "/x", "message"));
        let warning = Problem::error("F0999", "/x", "message").severity(Severity::Warning);
        metrics.put_refusals(&[&problems[..], &[warning]].concat(), now());
        let lines = metrics.take();
        assert!(metrics.take().is_empty(), "a line is printed once");
        lines.iter().map(|line| parsed(line)).collect()
    }

    /// The line, if it is what the specification wants. Source: CloudWatch User Guide, "Specification: Embedded metric
    /// format"; the units are those of `MetricDatum`.
    fn parsed(line: &str) -> Value {
        const UNITS: [&str; 3] = ["Count", "Milliseconds", "Seconds"];
        assert!(line.len() <= 256 * 1024 && !line.contains('\n'));
        let root: Value = serde_json::from_str(line).unwrap();
        let only = |value: &Value, names: &[&str]| {
            let found: BTreeSet<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(found, names.iter().copied().collect(), "{value}");
        };
        let metadata = &root["_aws"];
        only(metadata, &["Timestamp", "CloudWatchMetrics"]);
        assert_eq!(metadata["Timestamp"], 1_795_298_791_500_i64);
        let directives = metadata["CloudWatchMetrics"].as_array().unwrap();
        assert!(!directives.is_empty());
        for directive in directives {
            only(directive, &["Namespace", "Dimensions", "Metrics"]);
            let namespace = directive["Namespace"].as_str().unwrap();
            assert!(
                (1..=255).contains(&namespace.len()) && !namespace.starts_with("AWS/") && !namespace.starts_with(':')
            );
            let sets = directive["Dimensions"].as_array().unwrap();
            assert!(!sets.is_empty(), "a metric without a set is none");
            let named: BTreeSet<String> = sets.iter().map(ToString::to_string).collect();
            assert_eq!(named.len(), sets.len(), "counted twice");
            for set in sets {
                let set = set.as_array().unwrap();
                assert!(set.len() <= 30);
                for name in set {
                    let name = name.as_str().unwrap();
                    assert!((1..=250).contains(&name.len()) && !name.starts_with(':') && name.is_ascii());
                    let value = root[name]
                        .as_str()
                        .unwrap_or_else(|| panic!("{name} has no text: {root}"));
                    assert!((1..=1024).contains(&value.len()) && value.is_ascii() && !value.trim().is_empty());
                }
            }
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!((1..=100).contains(&metrics.len()));
            for metric in metrics {
                only(metric, &["Name", "Unit"]);
                let name = metric["Name"].as_str().unwrap();
                assert!((1..=255).contains(&name.len()));
                assert!(UNITS.contains(&metric["Unit"].as_str().unwrap()));
                assert!(root[name].is_u64(), "{name} is no number: {root}");
            }
        }
        root
    }

    #[test]
    fn every_line_is_what_the_specification_wants() {
        let (deploy, plan) = (head(Operation::Deploy), head(Operation::Plan));
        let outcomes = [Outcome::Success, Outcome::FailureClean, Outcome::FailureDirty].map(Ended::As);
        let mut measures: Vec<Measure<'_>> = outcomes
            .into_iter()
            .chain([Ended::Refused])
            .map(|ended| Measure::Ended(&deploy, ended))
            .collect();
        measures.extend([
            Measure::Ended(&plan, Ended::Refused),
            Measure::RefusedUnproven,
            Measure::Took(&deploy, Phase::Whole, Duration::milliseconds(1_234)),
            Measure::Took(&deploy, Phase::Validate, Duration::seconds(-1)),
            Measure::Took(&deploy, Phase::ChangeSet, Duration::MAX),
            Measure::Took(&deploy, Phase::Execute, Duration::hours(12)),
            Measure::LockTakenOver(&deploy),
            Measure::Retries("lock", 3),
            Measure::Throttles("dynamodb", 1),
            Measure::Failed("lock", ErrorName::TransientError),
            Measure::Open(&deploy, Duration::minutes(2), true),
            Measure::NotTold(2),
            Measure::Watched(3),
        ]);
        measures.extend([Held::Held, Held::Dirty, Held::Frozen].map(|held| Measure::LockRefused(&deploy, held)));
        let lines = written(&measures);
        assert_eq!(
            lines.len(),
            measures.len() + 2,
            "one for each, and one for each rule that refuses"
        );
        let values = |name: &str| -> Vec<u64> { lines.iter().filter_map(|line| line[name].as_u64()).collect() };
        assert_eq!(values("Deploys"), [1; 5]);
        assert_eq!(values("Plans"), [1]);
        assert_eq!(values("Duration"), [1_234, 0, u64::MAX, 43_200_000]);
        assert_eq!(
            (values("Open"), values("OpenFor"), values("Overdue")),
            (vec![3], vec![120], vec![1])
        );
        let rules: Vec<&str> = lines.iter().filter_map(|line| line["Rule"].as_str()).collect();
        assert_eq!(rules, ["F0001", "F0203"]);
    }

    #[test]
    fn the_catalogue_is_what_is_written() {
        let (deploy, plan) = (head(Operation::Deploy), head(Operation::Plan));
        let mut found: Vec<(String, Value)> = written(&[
            Measure::Ended(&deploy, Ended::Refused),
            Measure::Ended(&plan, Ended::Refused),
            Measure::Took(&deploy, Phase::Whole, Duration::ZERO),
            Measure::LockRefused(&deploy, Held::Held),
            Measure::LockTakenOver(&deploy),
            Measure::Failed("lock", ErrorName::TransientError),
            Measure::Retries("lock", 3),
            Measure::Throttles("dynamodb", 1),
            Measure::Watched(3),
            Measure::Open(&deploy, Duration::ZERO, false),
            Measure::NotTold(2),
        ])
        .iter()
        .flat_map(|line| {
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            let metrics = directive["Metrics"].as_array().unwrap();
            let name = |metric: &Value| metric["Name"].as_str().unwrap().to_owned();
            let of_line = metrics
                .iter()
                .map(|metric| (name(metric), directive["Dimensions"].clone()));
            of_line.collect::<Vec<_>>()
        })
        .collect();
        let mut told: Vec<(String, Value)> = CATALOGUE
            .iter()
            .map(|(name, sets)| ((*name).to_owned(), json!(sets)))
            .collect();
        for list in [&mut found, &mut told] {
            list.sort_by(|a, b| a.0.cmp(&b.0));
        }
        found.dedup();
        assert_eq!(found, told);
    }

    #[test]
    fn a_project_is_a_dimension_of_nothing_but_its_ends() {
        let head = head(Operation::Deploy);
        let lines = written(&[
            Measure::Ended(&head, Ended::Refused),
            Measure::RefusedUnproven,
            Measure::Took(&head, Phase::Whole, Duration::ZERO),
            Measure::LockRefused(&head, Held::Held),
            Measure::LockTakenOver(&head),
        ]);
        for line in lines {
            let dimensions = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].to_string();
            let is_end = line.get("Outcome").is_some() && line.get("release").is_some();
            assert_eq!(dimensions.contains("Project"), is_end, "{line}");
            for personal in ["config", "account", "region", "release"] {
                assert!(!dimensions.contains(personal), "{line}");
            }
        }
    }
}
