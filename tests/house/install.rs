//! `docs/install.md`: its policies name what there is, and its parameters are the template's.

use std::collections::BTreeSet;

use fenrir_core::keys;
use fenrir_core::owner::Owner;
use fenrir_install::template::{Kind, Local};
use serde_json::{Value, json};

use crate::files::{machine, members, template, text, texts};
use crate::iam::{actions, statements};

const PAGE: &str = "docs/install.md";

/// The policies of the page, in its order: developer, operator, administrator, organisation.
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
    let owner = Owner {
        account: "222222222222".into(),
        region: "eu-west-1".into(),
        project: "payments/ledger".into(),
        config: "production".into(),
    };
    let [_, _, of_config] = keys::freezes(&owner);
    let owner = keys::owner(&owner);
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
    let keys_of =
        |sid: &str| texts(&of_sid(developer, sid)["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]);
    assert_eq!(keys_of("Records"), [owner.as_str()]);
    assert_eq!(keys_of("HaltAndFreeze"), [format!("halt/{owner}"), of_config]);
    for statement in statements(developer) {
        let reads = [":Get", ":BatchGet", ":Describe", ":List"];
        let writes = actions(statement).any(|action| !reads.iter().any(|read| action.contains(read)));
        assert!(statement["Effect"] == "Allow");
        assert!(
            !writes || ["Upload", "Start", "Records", "HaltAndFreeze"].contains(&statement["Sid"].as_str().unwrap())
        );
    }
}

/// The page says so: statement by statement, with every account in the place of the operator's.
#[test]
fn an_administrator_has_an_operators_rights_in_every_account() {
    let policies = policies();
    let (operator, administrator) = (&policies[1], &policies[2]);
    let mut seen = 0;
    for theirs in statements(operator) {
        let sid = theirs["Sid"].as_str().unwrap();
        let ours = of_sid(administrator, sid);
        let (theirs_may, ours_may): (BTreeSet<&str>, BTreeSet<&str>) =
            (actions(theirs).collect(), actions(ours).collect());
        assert!(theirs_may.is_subset(&ours_may), "{sid}: {ours}");
        for part in ["Effect", "Resource", "Condition"] {
            assert_eq!(wherever(&theirs[part]), wherever(&ours[part]), "{sid}: {part}");
        }
        seen += 1;
    }
    assert_eq!(seen, 12);
}

/// A part of a statement, whichever account it is for: the operator's, by a pattern of as many digits, or by none.
fn wherever(part: &Value) -> String {
    let mut text = part.to_string();
    for account in ["222222222222", "????????????"] {
        text = text.replace(account, "*");
    }
    while text.contains("*/*") {
        text = text.replace("*/*", "*");
    }
    text
}

/// `ForAllValues` is true of a call that names no key at all.
#[test]
fn every_condition_on_keys_demands_a_key() {
    let mut seen = 0;
    for policy in policies() {
        for statement in statements(&policy) {
            let on_keys =
                actions(statement).any(|action| action.starts_with("dynamodb:")) && statement["Effect"] == "Allow";
            if on_keys {
                let condition = &statement["Condition"];
                let keys = ["ForAllValues:StringEquals", "ForAllValues:StringLike"]
                    .iter()
                    .find_map(|operator| condition.get(operator)?.get("dynamodb:LeadingKeys"))
                    .unwrap();
                assert!(!texts(keys).is_empty(), "{statement}");
                assert_eq!(condition["Null"]["dynamodb:LeadingKeys"], "false", "{statement}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 13);
}

#[test]
fn only_the_machine_runs_steps() {
    let policies = policies();
    let organisation = &policies[3];
    let named: BTreeSet<&str> = texts(&of_sid(organisation, "OnlyTheMachineRunsSteps")["Resource"])
        .into_iter()
        .map(|arn| arn.rsplit(':').next().unwrap())
        .collect();
    let house = template("template.yml");
    let machine = machine();
    let steps: BTreeSet<&str> = members(&machine["States"])
        .filter_map(|(_, state)| state["Resource"].as_str()?.strip_prefix("${")?.strip_suffix("Arn}"))
        .map(|function| &house["Resources"][function]["Properties"]["FunctionName"])
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
    assert_eq!(policies.len(), 4);
    let organisation = &policies[3];
    assert!(organisation.to_string().len() <= 5_120);
    assert!(statements(organisation).all(|statement| statement["Effect"] == "Deny"));
}

#[test]
fn only_administrators_change_the_stacks() {
    let policies = policies();
    let named = texts(&of_sid(&policies[3], "OnlyAdministratorsChangeFenrir")["Resource"]);
    for stack in [
        fenrir_core::house::STATE_MACHINE,
        fenrir_core::house::ACCOUNT_STACK,
        fenrir_core::house::REGION_STACK,
    ] {
        let arn = format!("arn:aws:cloudformation:*:*:stack/{stack}/*");
        assert!(named.contains(&arn.as_str()), "{arn}");
        assert!(
            text(PAGE).contains(&format!("| `{stack}` |")),
            "how {stack} is installed"
        );
    }
}

#[test]
fn only_administrators_change_the_roles_that_fenrir_works_with() {
    let policies = policies();
    let named = texts(&of_sid(&policies[3], "OnlyAdministratorsChangeFenrir")["Resource"]);
    let patterns: Vec<&str> = named
        .iter()
        .filter_map(|arn| Some(arn.split_once(":role/")?.1))
        .collect();
    let is_named = |role: &str| {
        patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => role.starts_with(beginning),
            None => role == *pattern,
        })
    };
    let mut seen = 0;
    for house in ["template.yml", "account.yml"].map(template) {
        for (id, role) in members(&house["Resources"]).filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role") {
            let name = role["Properties"]["RoleName"].as_str().unwrap();
            assert!(is_named(name), "{id}: {name}");
            seen += 1;
        }
    }
    assert_eq!(seen, 13);
}

/// What the steps believe lies in the buckets and the tables.
#[test]
fn only_administrators_change_the_buckets_and_the_tables() {
    let policies = policies();
    let only = of_sid(&policies[3], "OnlyAdministratorsChangeFenrir");
    let named = texts(&only["Resource"]);
    for arn in [
        "arn:aws:s3:::fenrir-111111111111-*-*-?",
        "arn:aws:dynamodb:*:111111111111:table/fenrir-locks",
        "arn:aws:dynamodb:*:111111111111:table/fenrir-releases",
    ] {
        assert!(named.contains(&arn), "{arn}");
    }
    let denied: BTreeSet<&str> = actions(only).collect();
    for action in [
        "s3:PutBucketPolicy",
        "s3:DeleteBucketPolicy",
        "s3:PutLifecycleConfiguration",
        "dynamodb:DeleteTable",
    ] {
        assert!(denied.contains(action), "{action}");
    }
}

#[test]
fn the_parameters_are_the_templates() {
    let house = template("template.yml");
    let page = text(PAGE);
    let parameters = page
        .split("## 2. Install the deployer")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next();
    let rows = parameters.unwrap().lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<String> = rows
        .flat_map(|row| {
            row.split('|')
                .nth(1)
                .unwrap()
                .split(',')
                .map(|name| name.trim().trim_matches('`').to_owned())
        })
        .collect();
    let wanted: BTreeSet<String> = members(&house["Parameters"]).map(|(name, _)| name.to_owned()).collect();
    assert_eq!(told, wanted);
}

/// The version that the stacks say is the workspace's, so that command and deployer can be told apart.
#[test]
fn every_stack_says_the_version_of_the_workspace() {
    for name in ["template.yml", "account.yml", "region.yml"] {
        let template = template(name);
        let version = &template["Mappings"]["Fenrir"]["Release"]["Version"];
        assert_eq!(version, env!("CARGO_PKG_VERSION"), "{name}");
        let found = json!({"Fn::FindInMap": ["Fenrir", "Release", "Version"]});
        assert_eq!(template["Outputs"]["Version"]["Value"], found, "{name}");
    }
    let house = template("template.yml");
    let tags = &house["Resources"]["StateMachine"]["Properties"]["Tags"];
    assert!(tags["FenrirVersion"]["Fn::FindInMap"].is_array(), "{tags}");
}

/// `fenrir bootstrap` reads and changes the templates as lines of text: a YAML parser must see the same.
#[test]
fn what_bootstrap_reads_of_the_templates_is_what_they_say() {
    for (kind, name) in [
        (Kind::Deployer, "template.yml"),
        (Kind::Account, "account.yml"),
        (Kind::Region, "region.yml"),
    ] {
        let template = template(name);
        let parameters: Vec<&str> = members(&template["Parameters"]).map(|(name, _)| name).collect();
        assert_eq!(kind.parameters(), parameters, "{name}");
        let retained: BTreeSet<&str> = members(&template["Resources"])
            .filter(|(_, resource)| {
                resource["DeletionPolicy"]
                    .as_str()
                    .is_some_and(|policy| policy.starts_with("Retain"))
            })
            .map(|(name, _)| name)
            .collect();
        assert_eq!(kind.retained(), retained, "{name}");
    }
    let house = template("template.yml");
    let properties = members(&house["Resources"]).map(|(_, resource)| &resource["Properties"]);
    let codes: BTreeSet<&str> = properties
        .filter_map(|properties| properties["CodeUri"].as_str())
        .collect();
    let read: BTreeSet<String> = Kind::Deployer
        .locals()
        .into_iter()
        .filter_map(|local| match local {
            Local::Code(name) => Some(format!("target/lambda/{name}/")),
            Local::Definition => None,
        })
        .collect();
    assert_eq!(read.iter().map(String::as_str).collect::<BTreeSet<_>>(), codes);
}
