//! The second net: what the real SAM made of the accepted cases passes, and every way to tamper with it is seen.
//!
//! `cases/accepted/*.processed.json` and those of `cases/projects` come from `transform.py`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod hostile;

use std::fs;

use fenrir_core::codes;
use fenrir_core::owner::Owner;
use fenrir_core::plan::Reported;
use fenrir_core::policy::second_check;
use fenrir_core::problem::{Problem, Severity};
use fenrir_core::template::Document;
use serde_json::{Value, json};

fn read(name: &str) -> Value {
    read_of("accepted", name)
}

fn read_of(folder: &str, name: &str) -> Value {
    let path = hostile::folder("cases").join(folder).join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn owner() -> Owner {
    Owner {
        account: "111111111111".into(),
        region: "eu-west-1".into(),
        project: "payments/ledger".into(),
        config: "dev".into(),
    }
}

fn change(action: &str, id: &str, kind: &str, replacement: Option<&str>) -> Reported {
    Reported {
        action: action.into(),
        logical_id: id.into(),
        resource_type: kind.into(),
        replacement: replacement.map(Into::into),
        ..Reported::default()
    }
}

fn additions(processed: &Value) -> Vec<Reported> {
    let resources = processed["Resources"].as_object().unwrap().iter();
    resources
        .map(|(id, resource)| change("Add", id, resource["Type"].as_str().unwrap(), None))
        .collect()
}

fn check(case: &str, tamper: impl FnOnce(&mut Value)) -> Vec<Problem> {
    let rewritten = read(&format!("{case}.json"));
    let mut processed = read(&format!("{case}.processed.json"));
    tamper(&mut processed);
    let changes = additions(&processed);
    second_check(&rewritten, &processed, &changes, &owner())
}

#[test]
fn what_sam_makes_of_every_accepted_case_is_explained() {
    let cases = names("accepted");
    for case in &cases {
        assert_eq!(check(case, |_| {}), [], "{case}");
    }
    assert!(cases.len() > 10, "{} cases", cases.len());
}

#[test]
fn what_sam_makes_for_every_project_is_explained() {
    for case in names("projects") {
        let file = |extension: &str| format!("{case}.{extension}");
        let path = hostile::folder("cases/projects").join(file("yaml"));
        let document = Document::load(&fs::read_to_string(path).unwrap()).unwrap();
        let processed = read_of("projects", &file("processed.json"));
        let problems = second_check(
            &read_of("projects", &file("json")),
            &processed,
            &additions(&processed),
            &hostile::owner_of(&document),
        );
        assert_eq!(problems, [], "{case}");
    }
}

/// The cases of a folder, without an extension.
fn names(folder: &str) -> Vec<String> {
    let files = hostile::files(&format!("cases/{folder}")).into_iter();
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

type Tamper = fn(&mut Value);

/// What is tampered with, in which case, which code tells it, and how.
const TAMPERS: &[(&str, &str, &str, Tamper)] = &[
    ("a resource nobody explains", "hello", codes::SECOND_TYPE, |t| {
        t["Resources"]["Extra"] = json!({"Type": "AWS::SQS::Queue"});
    }),
    ("another type under a known id", "hello", codes::SECOND_TYPE, |t| {
        t["Resources"]["ApidevStage"]["Type"] = json!("AWS::IAM::User");
    }),
    ("a generated id with a wrong hash", "hello", codes::SECOND_TYPE, |t| {
        t["Resources"]["ApiDeploymentxyz"] = json!({"Type": "AWS::ApiGateway::Deployment"});
    }),
    ("an implicit API", "hello", codes::SECOND_TYPE, |t| {
        t["Resources"]["ServerlessRestApi"] = json!({"Type": "AWS::ApiGateway::RestApi"});
    }),
    ("a section", "hello", codes::SECOND_TYPE, |t| {
        t["Conditions"] = json!({});
    }),
    ("an attribute", "hello", codes::SECOND_TYPE, |t| {
        t["Resources"]["Hello"]["Condition"] = json!("Never");
    }),
    ("another name", "hello", codes::SECOND_TYPE, |t| {
        t["Resources"]["Hello"]["Properties"]["FunctionName"] = json!("theirs");
    }),
    ("a resource gone", "hello", codes::SECOND_TYPE, |t| {
        t["Resources"].as_object_mut().unwrap().remove("Hello");
    }),
    ("everything gone", "hello", codes::SECOND_TYPE, |t| {
        t["Resources"] = json!({});
    }),
    (
        "data without its deletion policy",
        "queue-fifo",
        codes::SECOND_TYPE,
        |t| {
            t["Resources"]["Queue"]["DeletionPolicy"] = json!("Delete");
        },
    ),
    (
        "a dynamic reference around a variable",
        "hello",
        codes::DYNAMIC_REFERENCE,
        |t| {
            let text = "{${AWS::NoValue}{resolve:ssm:/x}}";
            t["Resources"]["Hello"]["Properties"]["Description"] = json!({"Fn::Sub": text});
        },
    ),
    (
        "a dynamic reference out of a variable",
        "hello",
        codes::DYNAMIC_REFERENCE,
        |t| {
            let parts = json!(["{{${ __Stage__ }:ssm:/x}}", {"__Stage__": "resolve"}]);
            t["Resources"]["Hello"]["Properties"]["Description"] = json!({ "Fn::Sub": parts });
        },
    ),
    (
        "a dynamic reference in pieces",
        "hello",
        codes::DYNAMIC_REFERENCE,
        |t| {
            let parts = json!(["", ["{{res", "olve:ssm:/x}}"]]);
            t["Resources"]["Hello"]["Properties"]["Description"] = json!({ "Fn::Join": parts });
        },
    ),
    ("a dynamic reference", "hello", codes::DYNAMIC_REFERENCE, |t| {
        t["Resources"]["Hello"]["Properties"]["Description"] = json!("{{resolve:ssm:/x}}");
    }),
    (
        "a role without the boundary",
        "function-minimal",
        codes::SECOND_ROLE,
        |t| {
            let role = &mut t["Resources"]["FnRole"]["Properties"];
            role.as_object_mut().unwrap().remove("PermissionsBoundary");
        },
    ),
    ("a role with a path", "function-minimal", codes::SECOND_ROLE, |t| {
        t["Resources"]["FnRole"]["Properties"]["Path"] = json!("/x/");
    }),
    (
        "a role with a managed policy",
        "function-minimal",
        codes::SECOND_ROLE,
        |t| {
            t["Resources"]["FnRole"]["Properties"]["ManagedPolicyArns"] = json!(["arn:aws:iam::aws:policy/X"]);
        },
    ),
    (
        "a role that anybody assumes",
        "function-minimal",
        codes::SECOND_ROLE,
        |t| {
            let statement = &mut t["Resources"]["FnRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
            statement["Principal"] = json!({"Service": "lambda.amazonaws.com", "AWS": "*"});
        },
    ),
    ("a role of SAM's own", "hello", codes::SECOND_ROLE, |t| {
        t["Resources"]["HelloRole"] = json!({"Type": "AWS::IAM::Role", "Properties": {}});
    }),
    ("other code", "hello", codes::SECOND_CODE, |t| {
        t["Resources"]["Hello"]["Properties"]["Code"]["S3Key"] = json!("other.zip");
    }),
    ("code without a version", "hello", codes::SECOND_CODE, |t| {
        let code = &mut t["Resources"]["Hello"]["Properties"]["Code"];
        code.as_object_mut().unwrap().remove("S3ObjectVersion");
    }),
    ("code beside the verified one", "hello", codes::SECOND_CODE, |t| {
        t["Resources"]["Hello"]["Properties"]["Code"]["ZipFile"] = json!("x");
    }),
    (
        "code that is encrypted with another key",
        "function-versions",
        codes::SECOND_CODE,
        |t| {
            t["Resources"]["Fn"]["Properties"]["Code"]["SourceKMSKeyArn"] = json!("theirs");
        },
    ),
    ("code whose key is gone", "function-versions", codes::SECOND_CODE, |t| {
        let code = &mut t["Resources"]["Fn"]["Properties"]["Code"];
        code.as_object_mut().unwrap().remove("SourceKMSKeyArn");
    }),
    ("a layer's other code", "layer-and-table", codes::SECOND_CODE, |t| {
        let resources = t["Resources"].as_object_mut().unwrap();
        let layer = resources.iter_mut().find(|(id, _)| id.starts_with("Layer")).unwrap().1;
        layer["Properties"]["Content"]["S3Bucket"] = json!("other");
    }),
    ("a permission for everybody", "hello", codes::SECOND_PERMISSION, |t| {
        t["Resources"]["HelloHelloPermissiondev"]["Properties"]["Principal"] = json!("*");
    }),
    (
        "a permission on a foreign function",
        "hello",
        codes::SECOND_PERMISSION,
        |t| {
            t["Resources"]["HelloHelloPermissiondev"]["Properties"]["FunctionName"] = json!("theirs");
        },
    ),
    (
        "a permission for another account's API",
        "hello",
        codes::SECOND_PERMISSION,
        |t| {
            t["Resources"]["HelloHelloPermissiondev"]["Properties"]["SourceArn"] =
                json!("arn:aws:execute-api:eu-west-1:222222222222:abc/*");
        },
    ),
    (
        "an event source that was not checked",
        "function-queues",
        codes::SECOND_PERMISSION,
        |t| {
            t["Resources"]["FnLent"]["Properties"]["EventSourceArn"] =
                json!("arn:aws:sqs:eu-west-1:111111111111:theirs");
        },
    ),
    (
        "an account hidden in a text",
        "function-queues",
        codes::SECOND_PERMISSION,
        |t| {
            t["Resources"]["FnLent"]["Properties"]["EventSourceArn"] =
                json!({"Fn::Sub": "arn:aws:sqs:${AWS::Region}:222222222222:theirs"});
        },
    ),
    (
        "an event source for a foreign function",
        "function-queues",
        codes::SECOND_PERMISSION,
        |t| {
            t["Resources"]["FnLent"]["Properties"]["FunctionName"] = json!("theirs");
        },
    ),
];

#[test]
fn every_way_to_tamper_is_seen() {
    for (what, case, code, tamper) in TAMPERS {
        let problems = check(case, tamper);
        assert!(
            problems
                .iter()
                .any(|p| p.code == *code && p.severity == Severity::Error),
            "{what}: {problems:?}"
        );
    }
}

#[test]
fn the_list_of_changes_belongs_to_the_template() {
    let rewritten = read("layer-and-table.json");
    let processed = read("layer-and-table.processed.json");
    let told = |change: Reported| {
        let problems = second_check(&rewritten, &processed, &[change], &owner());
        problems
            .into_iter()
            .map(|p| (p.code.into_owned(), p.severity))
            .collect::<Vec<_>>()
    };
    let error = |code: &str| vec![(code.to_owned(), Severity::Error)];
    let table = "AWS::DynamoDB::Table";
    assert_eq!(told(change("Modify", "Table", table, Some("False"))), []);
    assert_eq!(
        told(change("Modify", "Table", table, Some("True"))),
        error(codes::REPLACEMENT)
    );
    assert_eq!(
        told(change("Modify", "Table", table, Some("Conditional"))),
        [(codes::REPLACEMENT.to_owned(), Severity::Warning)]
    );
    assert_eq!(
        told(change("Modify", "FnRole", "AWS::IAM::Role", Some("True"))),
        error(codes::REPLACEMENT)
    );
    assert_eq!(told(change("Remove", "Old", "AWS::SQS::Queue", None)), []);
    assert_eq!(
        told(change("Remove", "Table", table, None)),
        error(codes::SECOND_CHANGE)
    );
    assert_eq!(
        told(change("Add", "Other", "AWS::SQS::Queue", None)),
        error(codes::SECOND_CHANGE)
    );
    assert_eq!(
        told(change("Modify", "Table", "AWS::SQS::Queue", None)),
        error(codes::SECOND_CHANGE)
    );
    assert_eq!(
        told(change("Import", "Table", table, None)),
        error(codes::SECOND_CHANGE)
    );
}
