//! `template.yml` and `account.yml`: each role may do what its step calls, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use fenrir_lambda::Step;
use serde_json::{Value, json};

use crate::files::{members, template};
use crate::iam::{actions, statements, substituted};

/// The steps, by the logical id of their function and role.
fn steps() -> BTreeMap<&'static str, &'static Step> {
    BTreeMap::from([
        ("Validate", &validate::STEP),
        ("Lock", &lock::STEP),
        ("CreateChangeSet", &create_changeset::STEP),
        ("WaitChangeSet", &wait_changeset::STEP),
        ("Execute", &execute::STEP),
        ("WaitExecute", &wait_execute::STEP),
        ("CleanUp", &cleanup::STEP),
        ("ReleaseLock", &release_lock::STEP),
        // No states of the machine, but their functions and roles are made the same way.
        ("Watchdog", &watchdog::STEP),
        ("Herald", &herald::STEP),
    ])
}

/// Rights that a Lambda needs to write its log, whatever it does.
const LOGS: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];

/// The policies of a role: its own, and those of this template that are attached.
fn policies<'a>(house: &'a Value, role: &str) -> Vec<&'a Value> {
    let properties = &house["Resources"][role]["Properties"];
    let own = properties["Policies"].as_array().into_iter().flatten();
    let attached = properties["ManagedPolicyArns"].as_array().into_iter().flatten();
    own.map(|policy| &policy["PolicyDocument"])
        .chain(attached.map(|id| &house["Resources"][id["Ref"].as_str().unwrap()]["Properties"]["PolicyDocument"]))
        .collect()
}

/// All that a role is allowed.
fn allowed<'a>(house: &'a Value, role: &str) -> BTreeSet<&'a str> {
    let all = policies(house, role).into_iter().flat_map(statements);
    all.filter(|statement| statement["Effect"] == "Allow")
        .flat_map(actions)
        .collect()
}

#[test]
fn each_steps_role_may_call_what_the_step_calls_and_nothing_else() {
    let house = template("template.yml");
    for (name, step) in steps() {
        let role = format!("{name}Role");
        // What begins with `fenrir-step-` is a role that other roles and buckets trust.
        let is_step = name != "Herald";
        let role_name = format!("fenrir-{}{}", if is_step { "step-" } else { "" }, step.name);
        assert_eq!(house["Resources"][&role]["Properties"]["RoleName"], role_name);
        let wanted: BTreeSet<&str> = step.own_actions.iter().copied().chain(LOGS).collect();
        assert_eq!(
            allowed(&house, &role),
            wanted,
            "{role} of template.yml beside {}'s OWN_ACTIONS",
            step.name
        );
    }
}

#[test]
fn the_deployer_role_may_call_what_some_step_calls_and_nothing_else() {
    let account = template("account.yml");
    let role = &account["Resources"]["Deployer"]["Properties"];
    assert_eq!(role["RoleName"], fenrir_core::house::DEPLOYER_ROLE);
    let wanted: BTreeSet<&str> = steps()
        .values()
        .flat_map(|step| step.deployer_actions)
        .copied()
        .collect();
    let have = allowed(&account, "Deployer");
    let lacking: Vec<_> = wanted.difference(&have).collect();
    let idle: Vec<_> = have.difference(&wanted).collect();
    assert!(
        lacking.is_empty() && idle.is_empty(),
        "account.yml lacks {lacking:?}; no step calls {idle:?}"
    );
}

#[test]
fn the_deployer_role_trusts_the_steps_that_assume_it() {
    let account = template("account.yml");
    let trust = &account["Resources"]["Deployer"]["Properties"]["AssumeRolePolicyDocument"]["Statement"];
    let statement = &trust[0];
    assert_eq!(trust.as_array().unwrap().len(), 1);
    assert_eq!(substituted(&statement["Principal"]["AWS"]), ["arn:P:iam::D:root"]);
    let roles = substituted(&statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]);
    let wanted: Vec<String> = steps()
        .values()
        .filter(|step| !step.deployer_actions.is_empty())
        .map(|step| format!("arn:P:iam::D:role/fenrir-step-{}", step.name))
        .collect();
    assert_eq!(roles.into_iter().collect::<BTreeSet<_>>(), wanted.into_iter().collect());
    for step in steps().values() {
        let assumes = step.own_actions.contains(&"sts:AssumeRole") && step.own_actions.contains(&"sts:TagSession");
        assert_eq!(assumes, !step.deployer_actions.is_empty(), "{}", step.name);
    }
}

#[test]
fn the_herald_may_do_nothing_in_any_account_but_read_the_stream_and_tell() {
    assert!(herald::STEP.deployer_actions.is_empty());
    let house = template("template.yml");
    let role = &house["Resources"]["HeraldRole"]["Properties"];
    assert!(role.get("ManagedPolicyArns").is_none());
    for file in ["template.yml", "region.yml"] {
        for (id, resource) in members(&template(file)["Resources"]) {
            let text = resource["Properties"]["PolicyDocument"].to_string();
            assert!(!text.contains("role/fenrir-herald"), "{file}: {id} trusts the herald");
        }
    }
    let deployer = &template("account.yml")["Resources"]["Deployer"]["Properties"]["AssumeRolePolicyDocument"];
    assert!(!deployer.to_string().contains("herald"));
}

#[test]
fn the_bucket_lets_only_those_steps_write_that_do() {
    let house = template("template.yml");
    let policy = &house["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"];
    let only = statements(policy)
        .find(|statement| statement["Sid"] == "OnlyTheStepsWriteFenrirsOwn")
        .unwrap();
    assert_eq!(only["Effect"], "Deny");
    assert_eq!(only["Principal"], "*");
    let resource = format!("${{Bucket.Arn}}/{}*", fenrir_core::house::OWN_PREFIX);
    assert_eq!(only["Resource"]["Fn::Sub"], resource);
    let roles: BTreeSet<String> = substituted(&only["Condition"]["ArnNotEquals"]["aws:PrincipalArn"])
        .into_iter()
        .collect();
    let wanted: BTreeSet<String> = steps()
        .values()
        .filter(|step| step.own_actions.contains(&"s3:PutObject"))
        .map(|step| format!("arn:P:iam::A:role/fenrir-step-{}", step.name))
        .collect();
    assert_eq!(roles, wanted);
}

#[test]
fn a_step_writes_only_where_the_others_believe_it() {
    let house = template("template.yml");
    for (name, _) in steps() {
        for policy in policies(&house, &format!("{name}Role")) {
            for statement in statements(policy).filter(|statement| actions(statement).any(|a| a == "s3:PutObject")) {
                let wanted = in_every_bucket(&format!("/{}*", fenrir_core::house::OWN_PREFIX));
                assert_eq!(statement["Resource"], wanted, "{name}");
            }
        }
    }
}

/// One ARN for the bucket of each allowed region, with `rest` behind the name.
fn in_every_bucket(rest: &str) -> Value {
    // What stands for the account has its length; the delimiter of a Join must be a literal.
    let bucket = |partition: &str| {
        format!(
            "arn:{partition}:s3:::{}",
            fenrir_core::house::bucket(&"?".repeat(12), "")
        )
    };
    let joined = |partition: &str| json!({"Fn::Join": [format!("{rest},{}", bucket(partition)), {"Ref": "Regions"}]});
    let buckets = json!({"Fn::If": ["IsChina", joined("aws-cn"),
                                    {"Fn::If": ["IsGovCloud", joined("aws-us-gov"), joined("aws")]}]});
    let first = format!("{}${{Buckets}}{rest}", bucket("${AWS::Partition}"));
    json!({"Fn::Split": [",", {"Fn::Sub": [first, {"Buckets": buckets}]}]})
}

/// A bucket's name is everybody's; a bucket is one account's.
#[test]
fn every_right_on_a_bucket_says_whose_the_bucket_is() {
    for (file, owners) in [
        ("template.yml", vec![json!({"Ref": "AWS::AccountId"})]),
        (
            "account.yml",
            vec![json!({"Ref": "AWS::AccountId"}), json!({"Ref": "DeployerAccount"})],
        ),
    ] {
        let house = template(file);
        let mut seen = 0;
        for (id, resource) in members(&house["Resources"]) {
            let inline = resource["Properties"]["Policies"].as_array().into_iter().flatten();
            let policies = inline
                .map(|policy| &policy["PolicyDocument"])
                .chain(resource["Properties"].get("PolicyDocument"))
                .filter(|_| resource["Type"] != "AWS::S3::BucketPolicy" && id != "PermissionsBoundary");
            for statement in policies.flat_map(statements) {
                // `fenrir-*--*` is what CloudFormation makes for applications, in the account it works in.
                let is_generated = substituted(&statement["Resource"]) == ["arn:P:s3:::fenrir-*--*"];
                if statement["Effect"] == "Allow"
                    && actions(statement).any(|action| action.starts_with("s3:"))
                    && !is_generated
                {
                    let owner = &statement["Condition"]["StringEquals"]["aws:ResourceAccount"];
                    assert!(owners.contains(owner), "{file}: {id}: {statement}");
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 4, "{file}");
    }
}

#[test]
fn the_bucket_of_a_further_region_is_the_same() {
    let (home, region) = (template("template.yml"), template("region.yml"));
    let ids: Vec<&str> = members(&region["Resources"]).map(|(id, _)| id).collect();
    assert_eq!(ids, ["Bucket", "BucketPolicy"]);
    for id in ids {
        assert_eq!(region["Resources"][id], home["Resources"][id], "{id}");
    }
    for (name, parameter) in members(&region["Parameters"]) {
        for field in ["Type", "AllowedPattern"] {
            assert_eq!(parameter[field], home["Parameters"][name][field], "{name}");
        }
    }
}

#[test]
fn nothing_may_do_everything_to_everything() {
    for file in ["template.yml", "account.yml"] {
        let house = template(file);
        for (id, resource) in members(&house["Resources"]) {
            let properties = &resource["Properties"];
            let inline = properties["Policies"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|policy| &policy["PolicyDocument"]);
            for policy in inline.chain(properties.get("PolicyDocument")) {
                for statement in statements(policy).filter(|statement| statement["Effect"] == "Allow") {
                    assert!(
                        statement.get("NotAction").is_none() && statement.get("NotResource").is_none(),
                        "{id}"
                    );
                    for action in actions(statement) {
                        assert!(!action.contains('*'), "{file}: {id} allows {action}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_tables_are_the_ones_the_steps_look_in() {
    let house = template("template.yml");
    let table = |id: &str| house["Resources"][id]["Properties"].clone();
    assert_eq!(table("LocksTable")["TableName"], fenrir_core::house::LOCKS_TABLE);
    assert_eq!(table("ReleasesTable")["TableName"], fenrir_core::house::RELEASES_TABLE);
    let indexes = &table("ReleasesTable")["GlobalSecondaryIndexes"];
    let keys = |index: &serde_json::Value| {
        let key = |number: usize| index["KeySchema"][number]["AttributeName"].as_str().unwrap().to_owned();
        (index["IndexName"].as_str().unwrap().to_owned(), key(0), key(1))
    };
    let have: Vec<_> = indexes.as_array().unwrap().iter().map(keys).collect();
    let wanted = [
        (fenrir_core::house::BY_TIME_INDEX, "owner", "started_at"),
        (fenrir_core::house::OPEN_INDEX, fenrir_core::house::OPEN, "release_id"),
        (fenrir_core::house::CURRENT_INDEX, fenrir_core::house::CURRENT, "owner"),
    ];
    assert_eq!(
        have,
        wanted.map(|(name, hash, range)| (name.into(), hash.into(), range.into()))
    );
    assert!(
        table("LocksTable").get("TimeToLiveSpecification").is_none(),
        "a lock never ends by itself"
    );
    let bucket = &house["Resources"]["Bucket"]["Properties"]["BucketName"]["Fn::Sub"];
    assert_eq!(
        *bucket,
        fenrir_core::house::bucket("${AWS::AccountId}", "${AWS::Region}")
    );
    assert_eq!(
        house["Resources"]["StateMachine"]["Properties"]["Name"],
        fenrir_core::house::STATE_MACHINE
    );
}
