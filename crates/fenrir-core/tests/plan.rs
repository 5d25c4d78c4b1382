//! What a plan says of the applications that the policy accepts, as the real SAM makes them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::fs;
use std::path::Path;

use fenrir_core::codes;
use fenrir_core::deployment::StackAction;
use fenrir_core::plan::{Plan, Reported, Templates};
use serde_json::Value;

fn cases() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/accepted");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".processed.json")?.to_owned();
            Some((name, serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()))
        })
        .collect();
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(cases.len() > 50, "{} cases", cases.len());
    cases
}

fn all(action: &str, template: &Value) -> Vec<Reported> {
    let resources = template["Resources"].as_object().unwrap();
    let one = |(id, resource): (&String, &Value)| Reported {
        action: action.to_owned(),
        logical_id: id.clone(),
        resource_type: resource["Type"].as_str().unwrap().to_owned(),
        ..Reported::default()
    };
    resources.iter().map(one).collect()
}

fn plan(action: StackAction, reported: &[Reported], deployed: Option<&Value>, processed: &Value) -> Plan {
    Plan::make("s", action, reported, Templates { deployed, processed }, Vec::new())
}

/// What is open to everybody, of all cases, is open because its author said so; no role that Fenrir writes has rights on
/// everything; and a new application is told nothing else.
#[test]
fn a_new_application_is_told_only_what_is_open_to_everybody() {
    let mut open = Vec::new();
    for (name, template) in cases() {
        let plan = plan(StackAction::Create, &all("Add", &template), None, &template);
        assert_eq!(plan.counts().add, plan.changes.len(), "{name}");
        for problem in &plan.problems {
            assert_eq!(problem.code, codes::PLAN_PUBLIC, "{name}: {}", problem.message);
            open.push(name.clone());
        }
    }
    open.dedup();
    for wanted in ["api-cors", "balancer-whole"] {
        assert!(open.iter().any(|name| name == wanted), "`{wanted}` is not in {open:?}");
    }
    for unwanted in ["api-private", "bucket-minimal", "api-iam", "cron-job"] {
        assert!(!open.iter().any(|name| name == unwanted), "`{unwanted}` is in {open:?}");
    }
}

/// The same again: nothing differs, and nothing is worth a warning, whatever CloudFormation lists.
#[test]
fn what_stays_as_it_is_is_told_nothing() {
    for (name, template) in cases() {
        let plan = plan(
            StackAction::Update,
            &all("Modify", &template),
            Some(&template),
            &template,
        );
        assert_eq!(plan.problems, [], "{name}");
        assert!(plan.changes.iter().all(|change| change.properties.is_empty()), "{name}");
    }
}
