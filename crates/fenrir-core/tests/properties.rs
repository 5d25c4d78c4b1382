//! What holds for every template, every owner and every name, tried with many that nobody would write.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod hostile;

use std::collections::HashMap;

use fenrir_core::names::{self, DIGEST_LENGTH, Style};
use fenrir_core::owner::{Owner, config_problem, project_problem};
use fenrir_core::ownership::is_allowed;
use fenrir_core::policy::registry::{self, ResourceType};
use fenrir_core::policy::rule::{Property, Rule, Shape};
use fenrir_core::policy::{self};
use fenrir_core::template::Document;
use fenrir_core::{keys, tags};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

// Values that nobody touches.

/// Values of a shape that a careless rewrite would lose: false, zero, the empty text.
fn of_shape(shape: Shape) -> Vec<Value> {
    match shape {
        Shape::Text => vec![json!(""), json!("Zoë {{ x }} ${y}"), json!(0), json!(false)],
        Shape::Whole => vec![json!(0), json!(-1), json!("3")],
        Shape::Number => vec![json!(0), json!(0.5), json!("0.5")],
        Shape::Flag => vec![json!(false), json!("false"), json!(true)],
        Shape::List => vec![json!([]), json!(["b", "a", "b"])],
        Shape::Map => vec![json!({}), json!({"z": false, "a": 0, "m": ""})],
        Shape::Any => vec![json!(false), json!({"z": [0, ""], "a": {}})],
    }
}

fn safe_properties(kind: &ResourceType) -> impl Iterator<Item = (&'static str, Shape)> {
    kind.properties.iter().filter_map(|property| match property.rule {
        Rule::Safe(shape) => Some((property.name, shape)),
        _ => None,
    })
}

/// The accepted cases without Globals: what they say is what is judged.
fn plain_cases() -> Vec<Value> {
    let cases = hostile::files("cases/accepted").into_iter();
    let texts = cases.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    texts
        .map(|path| {
            Document::load(&std::fs::read_to_string(path).unwrap())
                .unwrap()
                .value()
                .clone()
        })
        .filter(|template| template.get("Globals").is_none())
        .collect()
}

/// Puts odd values of the right shape into safe properties of a template; `dice` says which.
fn with_odd_values(mut template: Value, dice: &[u8]) -> Value {
    let mut dice = dice.iter().copied().cycle();
    for resource in template["Resources"].as_object_mut().unwrap().values_mut() {
        let Some(kind) = resource["Type"].as_str().and_then(registry::find) else {
            continue;
        };
        let members = resource.as_object_mut().unwrap();
        let properties = members
            .entry("Properties")
            .or_insert(json!({}))
            .as_object_mut()
            .unwrap();
        for (name, shape) in safe_properties(kind) {
            let values = of_shape(shape);
            let at = usize::from(dice.next().unwrap());
            // Half of them stay away: some exclude each other.
            if let Some(value) = values.get(at % (2 * values.len())) {
                properties.insert(name.to_owned(), value.clone());
            }
        }
    }
    template
}

/// Every value under a rule that only checks is the same afterwards, and the keys stand in the order they were given.
fn unchanged(table: &[Property], written: &Map<String, Value>, rewritten: &Map<String, Value>, at: &str) {
    let kept: Vec<_> = rewritten.keys().filter(|key| written.contains_key(*key)).collect();
    let given: Vec<_> = written.keys().filter(|key| rewritten.contains_key(*key)).collect();
    assert_eq!(given, kept, "order of the keys at {at}");
    for property in table {
        let (Some(before), Some(after)) = (written.get(property.name), rewritten.get(property.name)) else {
            continue;
        };
        let at = format!("{at}/{}", property.name);
        match property.rule {
            Rule::Map(inner) => unchanged(inner, before.as_object().unwrap(), after.as_object().unwrap(), &at),
            Rule::Safe(_) | Rule::Literal(_) | Rule::OneOf(_) | Rule::Between(..) | Rule::Flag | Rule::LocalRef(_) => {
                assert_eq!(before.to_string(), after.to_string(), "{at}");
            }
            _ => {}
        }
    }
}

fn check_rewritten(written: &Value) -> bool {
    let document = Document::from_value(written.clone()).unwrap();
    let judgement = policy::judge(&document, hostile::context(), hostile::world());
    hostile::check_problems(&judgement.problems);
    hostile::check_judgement(&judgement);
    let Some(rewritten) = judgement.template else {
        return false;
    };
    for (id, resource) in written["Resources"].as_object().unwrap() {
        let kind = registry::find(resource["Type"].as_str().unwrap()).unwrap();
        let none = json!({});
        let before = resource.get("Properties").unwrap_or(&none).as_object().unwrap();
        let after = rewritten["Resources"][id]["Properties"].as_object().unwrap();
        unchanged(kind.properties, before, after, id);
    }
    true
}

#[test]
fn what_the_cases_say_stays_as_it_was() {
    for case in plain_cases() {
        assert!(check_rewritten(&case), "{case}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn odd_values_stay_as_they_were(dice in prop::collection::vec(any::<u8>(), 32..64)) {
        let cases = plain_cases();
        let accepted = cases.iter().filter(|case| check_rewritten(&with_odd_values((*case).clone(), &dice))).count();
        // Some values exclude each other; if most did, this would show nothing.
        prop_assert!(accepted * 4 >= cases.len(), "only {} of {} were accepted", accepted, cases.len());
    }
}

#[test]
fn judging_says_the_same_every_time() {
    for template in hostile::cases() {
        let Ok(document) = Document::from_value(template) else {
            continue;
        };
        let [first, second] = [(); 2].map(|()| policy::judge(&document, hostile::context(), hostile::world()));
        assert_eq!(format!("{:?}", first.problems), format!("{:?}", second.problems));
        let texts = [first, second].map(|judgement| judgement.template.map(|template| template.to_string()));
        assert_eq!(texts[0], texts[1]);
    }
}

// Names and keys.

/// Anything at all, also what no release may be called: names must not rely on who checked before.
fn any_project() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9][a-z0-9._-]{0,20}(/[a-z0-9][a-z0-9._-]{0,20}){0,3}",
        "[ab/._-]{1,8}",
        "\\PC{1,200}",
        Just("p".repeat(200)),
        Just("a/b".to_owned()),
        Just("a/b-c".to_owned()),
        Just("a-b".to_owned()),
        Just("a.b_c".to_owned()),
        Just("_all".to_owned()),
    ]
}

fn any_config() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9][a-z0-9-]{0,31}",
        "[ab/-]{1,6}",
        "\\PC{1,200}",
        Just("c-d".to_owned()),
        Just("d".to_owned())
    ]
}

fn any_owner() -> impl Strategy<Value = Owner> {
    let account = prop_oneof![Just("111111111111"), Just("222222222222")];
    let region = prop_oneof![Just("eu-west-1"), Just("us-east-1")];
    (account, region, any_project(), any_config()).prop_map(|(account, region, project, config)| Owner {
        account: account.to_owned(),
        region: region.to_owned(),
        project,
        config,
    })
}

/// What a release may be called.
fn allowed_owner() -> impl Strategy<Value = Owner> {
    let part = || prop_oneof!["[ab][ab._-]{0,3}", "[a-z0-9][a-z0-9._-]{0,12}"];
    let project = prop::collection::vec(part(), 1..4).prop_map(|parts| parts.join("/"));
    let config = prop_oneof!["[ab][ab-]{0,3}", "[a-z0-9][a-z0-9-]{0,31}"];
    (any_owner(), project, config)
        .prop_map(|(owner, project, config)| Owner {
            project,
            config,
            ..owner
        })
        .prop_filter("two dots", |owner| {
            project_problem(&owner.project).is_none() && config_problem(&owner.config).is_none()
        })
}

/// The limits of AWS, told once more and not taken from the code under test. Sources: the API reference of each
/// service, the length of the parameter that takes the name.
const LIMITS: &[(&str, usize)] = &[
    ("AWS::CloudWatch::Alarm", 255),
    ("AWS::DynamoDB::Table", 255),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", 32),
    ("AWS::ElasticLoadBalancingV2::TargetGroup", 32),
    ("AWS::Events::Rule", 64),
    ("AWS::Logs::LogGroup", 512),
    ("AWS::S3::Bucket", 63),
    ("AWS::SNS::Topic", 256),
    ("AWS::SQS::Queue", 80),
    ("AWS::Scheduler::Schedule", 64),
    ("AWS::Serverless::Api", 128),
    ("AWS::Serverless::Function", 64),
    ("AWS::Serverless::HttpApi", 128),
    ("AWS::Serverless::LayerVersion", 140),
    ("AWS::Serverless::SimpleTable", 255),
    ("AWS::Serverless::StateMachine", 80),
];

/// The name style of every type that has names, also of its special form.
fn styles() -> Vec<(&'static str, Style)> {
    let special = json!({"FifoQueue": true, "FifoTopic": true});
    let named = registry::TYPES
        .iter()
        .filter_map(|kind| kind.naming.map(|naming| (kind.name, naming.style)));
    named
        .flat_map(|(name, style)| [&json!({}), &special].map(|p| (name, style(p.as_object().unwrap()))))
        .collect()
}

#[test]
fn every_type_with_a_name_has_its_limit_here() {
    for (kind, style) in styles() {
        let limit = LIMITS.iter().find(|(name, _)| *name == kind).map(|(_, limit)| *limit);
        assert!(
            limit.is_some_and(|limit| style.limit <= limit),
            "{kind}: {} against {limit:?}",
            style.limit
        );
        assert!(
            style.limit >= 7 + 2 + DIGEST_LENGTH + style.suffix.len(),
            "{kind} has no room for the digest"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// No two owners and no two resources share a name, no name begins with another, and none is too long.
    #[test]
    fn names_never_meet(owners in prop::collection::vec(any_owner(), 2..5), ids in prop::collection::vec("[A-Za-z0-9]{1,255}", 1..3)) {
        let mut seen: HashMap<String, (Owner, &str, String)> = HashMap::new();
        for owner in &owners {
            for (kind, style) in styles() {
                for id in &ids {
                    let name = names::resource(owner, kind, id, style);
                    prop_assert!(name.len() <= style.limit, "{} is longer than {}", name, style.limit);
                    prop_assert!(name.starts_with("fenrir-") && name.ends_with(style.suffix), "{}", name);
                    let body = name.strip_suffix(style.suffix).unwrap();
                    prop_assert!(body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{}", name);
                    prop_assert!(!style.lower || !name.bytes().any(|b| b.is_ascii_uppercase()), "{}", name);
                    let whose = (owner.clone(), kind, id.clone());
                    let other = seen.entry(name.clone()).or_insert_with(|| whose.clone());
                    prop_assert_eq!(&*other, &whose, "both are called {}", name);
                }
            }
            let stack = names::stack(owner);
            prop_assert!(stack.len() <= 128 && !seen.contains_key(&stack), "{}", stack);
        }
        let mut all: Vec<_> = seen.keys().collect();
        all.sort();
        for pair in all.windows(2) {
            // A FIFO name is the plain one and a suffix; one resource has only one of the two.
            let is_same = seen[pair[0]] == seen[pair[1]];
            prop_assert!(is_same || !pair[1].starts_with(pair[0].as_str()), "{} begins with {}", pair[1], pair[0]);
        }
    }

    /// No owner's keys begin with another's, and no owner's are below Fenrir's own.
    #[test]
    fn keys_never_meet(one in allowed_owner(), other in allowed_owner(), release in "[A-Za-z0-9_-]{8,64}") {
        prop_assume!(one != other);
        let mut prefixes = Vec::new();
        for owner in [&one, &other] {
            prefixes.push((owner, format!("{}/", keys::owner(owner))));
            prefixes.push((owner, keys::release_prefix(owner, &release)));
            prefixes.push((owner, keys::artifact_prefix(owner)));
            prefixes.push((owner, keys::own(owner, &release, "template.json")));
        }
        for (owner, prefix) in &prefixes {
            for (_, foreign) in prefixes.iter().filter(|(theirs, _)| theirs != owner) {
                prop_assert!(!foreign.starts_with(prefix.as_str()), "{} begins with {}", foreign, prefix);
            }
        }
    }

    // Tags and ARNs.

    /// A reserved key stays reserved however it is spelled, in a map and in a list.
    #[test]
    fn reserved_tags_are_refused(which in 0_usize..7, cases in prop::collection::vec(any::<bool>(), 40), blanks in "[ \\t\u{a0}]{0,3}") {
        let reserved = ["ProjectName", "ConfigName", "ServiceName", "FenrirAllAllowed", "FenrirAllowed:a/b:c", "DeployWithFenrir", "aws:x"];
        let spelled: String = reserved[which].chars().zip(cases.iter().cycle()).map(|(c, upper)| {
            if *upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
        }).collect();
        let key = format!("{blanks}{spelled}{blanks}");
        prop_assert!(tags::is_reserved(&key));
        for (kind, tags) in [("AWS::SQS::Queue", json!([{"Key": key, "Value": "x"}])), ("AWS::Serverless::SimpleTable", json!({&*key: "x"}))] {
            let template = json!({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"R": {"Type": kind, "Properties": {"Tags": tags}}}});
            let Ok(document) = Document::from_value(template) else { continue };
            let judgement = policy::judge(&document, hostile::context(), hostile::world());
            prop_assert!(judgement.template.is_none(), "{} passed as a tag of {}", key, kind);
        }
    }

    /// Whatever is written where a queue is meant: if it passes, it has become the ARN of a queue whose tags allow it.
    #[test]
    fn only_what_is_owned_is_named(text in hostile_reference()) {
        let template = json!({
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": {"maxReceiveCount": 1, "deadLetterTargetArn": text}}}},
        });
        let Ok(document) = Document::from_value(template) else { return Ok(()) };
        let judgement = policy::judge(&document, hostile::context(), hostile::world());
        if let Some(template) = judgement.template {
            let arn = template["Resources"]["Q"]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"].as_str().unwrap().to_owned();
            let owner = &hostile::context().owner;
            let queue = hostile::world().resources.iter().find(|tagged| tagged.arn == arn);
            prop_assert!(arn.starts_with("arn:aws:sqs:eu-west-1:111111111111:"), "{}", arn);
            prop_assert!(queue.is_some_and(|queue| is_allowed(&queue.tags, &owner.project, &owner.config)), "{}", arn);
        }
    }
}

/// Names, ARNs with a part that is wrong, and other texts.
fn hostile_reference() -> impl Strategy<Value = String> {
    let part = |right: &'static str| prop_oneof![4 => Just(right.to_owned()), 1 => "[a-z0-9*?:/. -]{0,12}", 1 => Just(String::new())];
    let name = prop_oneof![
        Just("own".to_owned()),
        Just("lent".to_owned()),
        Just("public".to_owned()),
        Just("foreign".to_owned()),
        Just("wrong-case".to_owned()),
        Just("throttled".to_owned()),
        Just("OWN".to_owned()),
        Just("own*".to_owned()),
        Just("own.fifo".to_owned()),
        Just("foreign:own".to_owned()),
        Just("../own".to_owned()),
        Just("own ".to_owned()),
        Just("\u{43e}wn".to_owned()),
        "\\PC{0,20}",
    ];
    let arn = (
        part("arn"),
        part("aws"),
        part("sqs"),
        part("eu-west-1"),
        part("111111111111"),
        name.clone(),
    )
        .prop_map(|(arn, partition, service, region, account, name)| {
            format!("{arn}:{partition}:{service}:{region}:{account}:{name}")
        });
    prop_oneof![name, arn]
}
