//! Whatever somebody sends: what must hold for every input, said once for the fuzz targets and for the tests.

#![allow(dead_code, reason = "each test takes what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken promise is reported by a panic"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use fenrir_core::owner::Owner;
use fenrir_core::ownership::World;
use fenrir_core::policy::{self, Context, Judgement, registry};
use fenrir_core::problem::{Problem, Severity, printable};
use fenrir_core::template::{Document, MAX_PROBLEMS};
use serde_json::Value;

/// The folder of the tests of core, from there and from the fuzz targets.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let inside = here.join("tests").join(name);
    if inside.exists() {
        return inside;
    }
    here.join("../crates/fenrir-core/tests").join(name)
}

/// The world that the case files are judged in.
#[must_use]
pub fn world() -> &'static World {
    static WORLD: LazyLock<World> =
        LazyLock::new(|| serde_json::from_str(&fs::read_to_string(folder("cases/world.json")).unwrap()).unwrap());
    &WORLD
}

/// The release that the case files are judged for.
#[must_use]
pub fn context() -> &'static Context {
    static CONTEXT: LazyLock<Context> = LazyLock::new(|| {
        let world = world();
        let artifacts = world.artifacts.iter();
        Context {
            owner: Owner {
                account: world.account.clone(),
                region: world.region.clone(),
                project: "payments/ledger".into(),
                config: "dev".into(),
            },
            artifacts: Some(
                artifacts
                    .map(|(uri, artifact)| (uri.clone(), artifact.sha256.clone()))
                    .collect(),
            ),
            allowed: [
                "arn:aws:lambda:eu-west-1:464622532012:layer:Datadog-Extension:65",
                "arn:aws:wafv2:us-east-1:111111111111:global/webacl/edge/0a1b2c3d",
                "00000000-0000-0000-0000-00000000cace",
            ]
            .map(str::to_owned)
            .into(),
        }
    });
    &CONTEXT
}

/// Who the template says it is of, in the account and region of the case files.
#[must_use]
pub fn owner_of(document: &Document) -> Owner {
    let name = |key: &str| document.value()[key].as_str().unwrap().to_owned();
    Owner {
        project: name("ProjectName"),
        config: name("ConfigName"),
        ..context().owner.clone()
    }
}

/// Every file in a folder of the tests, sorted.
#[must_use]
pub fn files(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// The case files as they were written, accepted and refused, as far as they can be read at all.
#[must_use]
pub fn cases() -> Vec<Value> {
    let folders = ["cases/accepted", "cases/refused"];
    let files = folders.into_iter().flat_map(files);
    let templates = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    templates
        .filter_map(|path| Document::load(&fs::read_to_string(path).unwrap()).ok())
        .map(|document| document.value().clone())
        .collect()
}

/// Any bytes as the text of a template file. Returns the template, if it is one.
pub fn load(data: &[u8]) -> Option<Document> {
    let text = std::str::from_utf8(data).ok()?;
    let document = match Document::load(text) {
        Ok(document) => document,
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a word");
            check_problems(&problems);
            return None;
        }
    };
    // The same template as a release carries it.
    let sent: Value = serde_json::from_str(&document.value().to_string()).unwrap();
    assert_eq!(*document.value(), sent);
    let received = Document::from_value(sent).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(document.value(), received.value());
    Some(document)
}

/// JSON as the template of a release, judged.
pub fn judge(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let document = match Document::from_value(value) {
        Ok(document) => document,
        Err(problems) => return check_problems(&problems),
    };
    let judgement = policy::judge(&document, context(), world());
    check_problems(&judgement.problems);
    check_judgement(&judgement);
    // Of one input in eight, because each is another walk: what it asks, what is said without a world, and whether the
    // same is said again.
    if data
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte))
        .is_multiple_of(8)
    {
        let _ = policy::wanted(&document, context());
        check_problems(&policy::judge_without_world(&document, context()).problems);
        let again = policy::judge(&document, context(), world());
        let texts = [&judgement, &again].map(|said| said.template.as_ref().map(ToString::to_string));
        assert_eq!(texts[0], texts[1], "judged twice");
        assert_eq!(judgement.problems, again.problems, "judged twice");
    }
}

/// What is told is fit to be read, whatever it is about.
pub fn check_problems(problems: &[Problem]) {
    assert!(problems.len() <= MAX_PROBLEMS, "{} problems", problems.len());
    for problem in problems {
        assert!(!problem.message.is_empty(), "{problem:?}");
        assert!(problem.path.is_empty() || problem.path.starts_with('/'), "{problem:?}");
        for text in [Some(&problem.message), problem.help.as_ref()].into_iter().flatten() {
            assert_eq!(*text, printable(text), "{problem:?}");
            assert!(text.len() < 4096, "{} characters in a message", text.len());
        }
    }
}

/// What is accepted keeps every promise of the policy that can be seen in the result.
pub fn check_judgement(judgement: &Judgement) {
    let is_clean = judgement
        .problems
        .iter()
        .all(|problem| problem.severity == Severity::Warning);
    assert_eq!(is_clean, judgement.template.is_some(), "{:?}", judgement.problems);
    let Some(template) = &judgement.template else { return };
    let allowed = [
        "AWSTemplateFormatVersion",
        "Transform",
        "Description",
        "Resources",
        "Outputs",
    ];
    for section in template.as_object().unwrap().keys() {
        assert!(allowed.contains(&section.as_str()), "section {section}");
    }
    check_values(template, "");
    for (id, resource) in template["Resources"].as_object().unwrap() {
        let kind = resource["Type"].as_str().unwrap();
        if kind == "AWS::IAM::Role" {
            check_role(id, &resource["Properties"]);
        } else {
            assert!(registry::find(kind).is_some(), "{id} is of type {kind}");
        }
    }
}

/// Properties that name something that is not free text: nothing of another owner may stand below them.
const NAMING: &[&str] = &[
    "AlarmActions",
    "BucketName",
    "CodeUri",
    "ContentUri",
    "Destination",
    "EventBusName",
    "GroupName",
    "InsufficientDataActions",
    "KmsKeyArn",
    "KmsKeyId",
    "KmsMasterKeyId",
    "Layers",
    "LogGroup",
    "LogGroupName",
    "OKActions",
    "PermissionsBoundary",
    "Queue",
    "Resource",
    "Role",
    "RoleArn",
    "SecurityGroupIds",
    "SourceKMSKeyArn",
    "Stream",
    "SubnetIds",
    "TargetArn",
    "Topic",
    "TriggerTargetArn",
    "deadLetterTargetArn",
    "sourceQueueArns",
];

/// No dynamic reference, no intrinsic but the four, nothing of another owner where something is named.
fn check_values(value: &Value, name: &str) {
    match value {
        Value::Null => panic!("null below {name}"),
        Value::String(text) => {
            let resolves = text.find("{{").is_some_and(|at| text[at..].contains("resolve"));
            assert!(!resolves, "dynamic reference below {name}: {text}");
            let is_foreign =
                text.contains("222222222222") || text.ends_with("foreign") || text.contains("foreign-bucket");
            assert!(!(is_foreign && NAMING.contains(&name)), "{name} names {text}");
        }
        Value::Array(items) => items.iter().for_each(|item| check_values(item, name)),
        Value::Object(members) => {
            for (key, member) in members {
                let is_allowed =
                    !key.starts_with("Fn::") || ["Fn::GetAtt", "Fn::Sub", "Fn::Join"].contains(&key.as_str());
                assert!(is_allowed, "{key} below {name}");
                assert!(key != "Ref" || member != "AWS::NoValue", "NoValue below {name}");
                // The argument of an intrinsic belongs to the property that the intrinsic stands under.
                let name = if key == "Ref" || key.starts_with("Fn::") {
                    name
                } else {
                    key
                };
                check_values(member, name);
            }
        }
        Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A role of Fenrir's: bounded, for one service, on nothing but what is named.
fn check_role(id: &str, role: &Value) {
    let boundary = "arn:aws:iam::111111111111:policy/fenrir-permissions-boundary";
    assert_eq!(role["PermissionsBoundary"], boundary, "{id}");
    let trust = role["AssumeRolePolicyDocument"]["Statement"].as_array().unwrap();
    assert!(
        trust
            .iter()
            .all(|statement| statement["Principal"]["Service"].is_string()),
        "{id}"
    );
    assert!(
        role.get("ManagedPolicyArns").is_none() && role.get("Path").is_none(),
        "{id}"
    );
    // Actions of which AWS knows no resource.
    let unbound = ["ec2:", "xray:", "cloudwatch:PutMetricData", "logs:"];
    for policy in role["Policies"].as_array().unwrap() {
        for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
            for action in statement["Action"].as_array().unwrap() {
                let action = action.as_str().unwrap();
                let is_unbound = unbound.iter().any(|start| action.starts_with(start));
                let resources = statement["Resource"].as_array().unwrap();
                assert!(
                    is_unbound || resources.iter().all(|resource| resource != "*"),
                    "{id} may {action} on everything"
                );
            }
        }
    }
}
