//! `docs/install.md`: its policies name what there is, and its parameters are the template's.

use std::collections::BTreeSet;

use fenrir_core::keys;
use fenrir_core::owner::Owner;
use serde_json::Value;

use crate::files::{machine, members, template, text, texts};
use crate::iam::{actions, statements};

const PAGE: &str = "docs/install.md";

/// The policies of the page, in its order: developer, operator, organisation.
fn policies() -> Vec<Value> {
    let page = text(PAGE);
    let blocks = page
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| serde_json::from_str(block).unwrap()).collect()
}

fn of_sid<'a>(policy: &'a Value, sid: &str) -> &'a Value {
    statements(policy).find(|statement| statement["Sid"] == sid).unwrap()
}

#[test]
fn a_developer_reaches_his_owners_keys_and_no_others() {
    let owner = keys::owner(&Owner {
        account: "222222222222".into(),
        region: "eu-west-1".into(),
        project: "payments/ledger".into(),
        config: "production".into(),
    });
    let policies = policies();
    let developer = &policies[0];
    let bucket = fenrir_core::house::bucket("111111111111", "eu-west-1");
    let own = fenrir_core::house::OWN_PREFIX;
    assert_eq!(
        of_sid(developer, "Upload")["Resource"],
        format!("arn:aws:s3:::{bucket}/{owner}/*")
    );
    assert_eq!(
        of_sid(developer, "ReadWhatFenrirWrote")["Resource"],
        format!("arn:aws:s3:::{bucket}/{own}{owner}/*")
    );
    let records = &of_sid(developer, "Records")["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"];
    assert_eq!(texts(records), [owner]);
    for statement in statements(developer) {
        let writes = actions(statement).any(|action| !action.contains(":Get") && !action.contains(":Describe"));
        assert!(statement["Effect"] == "Allow");
        assert!(!writes || ["Upload", "Start", "Records"].contains(&statement["Sid"].as_str().unwrap()));
    }
}

#[test]
fn only_the_machine_runs_steps() {
    let policies = policies();
    let organisation = &policies[2];
    let named: BTreeSet<&str> = texts(&of_sid(organisation, "OnlyTheMachineRunsSteps")["Resource"])
        .into_iter()
        .map(|arn| arn.rsplit(':').next().unwrap())
        .collect();
    let house = template("template.yml");
    let machine = machine();
    let steps: BTreeSet<&str> = members(&machine["States"])
        .filter(|(_, state)| state["Type"] == "Task")
        .map(|(name, _)| &house["Resources"][format!("{name}Function")]["Properties"]["FunctionName"])
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(named, steps);
    let role = house["Resources"]["StateMachineRole"]["Properties"]["RoleName"]
        .as_str()
        .unwrap();
    let except = &of_sid(organisation, "OnlyTheMachineRunsSteps")["Condition"]["ArnNotEquals"]["aws:PrincipalArn"];
    assert!(except.as_str().unwrap().ends_with(&format!(":role/{role}")));
}

#[test]
fn the_organisations_policy_fits_and_only_denies() {
    // AWS Organizations quotas: 5,120 bytes of a service control policy.
    let policies = policies();
    assert_eq!(policies.len(), 3);
    let organisation = &policies[2];
    assert!(organisation.to_string().len() <= 5_120);
    assert!(statements(organisation).all(|statement| statement["Effect"] == "Deny"));
}

#[test]
fn the_parameters_are_the_templates() {
    let house = template("template.yml");
    let page = text(PAGE);
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<String> = rows
        .flat_map(|row| {
            row.split('|')
                .nth(1)
                .unwrap()
                .split(',')
                .map(|name| name.trim().trim_matches('`').to_owned())
        })
        .collect();
    let mut wanted: BTreeSet<String> = members(&house["Parameters"]).map(|(name, _)| name.to_owned()).collect();
    // The first table names the two stacks.
    wanted.extend(["fenrir".to_owned(), "fenrir-account".to_owned()]);
    assert_eq!(told, wanted);
}
