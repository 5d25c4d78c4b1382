//! Whatever somebody sends, the work grows with its size and not faster. Counted in allocations, because a clock says
//! more about the machine than about the code.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hostile;

use std::fmt::Write as _;

use allocation_counter::{AllocationInfo, measure};
use fenrir_core::policy;
use fenrir_core::template::MAX_BYTES;

const MEGABYTE: u64 = 1024 * 1024;

/// Counts what it takes to load and judge a text, and holds it to the bound of issue and policy: 200 MB at a time.
fn bounded(what: &str, text: &str) -> AllocationInfo {
    let used = measure(|| {
        if let Some(document) = hostile::load(text.as_bytes()) {
            hostile::check_problems(&policy::judge_without_world(&document, hostile::context()).problems);
        }
    });
    assert!(used.bytes_max <= 200 * MEGABYTE, "{what} held {} bytes", used.bytes_max);
    assert!(
        used.bytes_total <= 2048 * MEGABYTE,
        "{what} took {} bytes in all",
        used.bytes_total
    );
    used
}

/// A megabyte of these.
fn megabyte(head: &str, one: &str, tail: &str) -> String {
    format!(
        "{head}{}{tail}",
        one.repeat((MAX_BYTES - head.len() - tail.len()) / one.len())
    )
}

fn numbered(head: &str, one: impl Fn(usize) -> String) -> String {
    let mut text = head.to_owned();
    for number in 0.. {
        let next = one(number);
        if text.len() + next.len() > MAX_BYTES {
            break;
        }
        text.push_str(&next);
    }
    text
}

const HEAD: &str = "Transform: AWS::Serverless-2016-10-31\n";
const FUNCTION: &str = "  F:\n    Type: AWS::Serverless::Function\n    Properties:\n";

#[test]
fn a_billion_laughs_end_early() {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..10 {
        let alias = format!("*a{}", level - 1);
        writeln!(text, "a{level}: &a{level} [{}]", [alias.as_str(); 9].join(", ")).unwrap();
    }
    let used = bounded("a billion laughs", &text);
    assert!(used.bytes_max <= 16 * MEGABYTE, "{} bytes", used.bytes_max);
}

#[test]
fn laughs_by_globals_end_early() {
    let shared = "v".repeat(MAX_BYTES / 2);
    let head = format!("{HEAD}Globals: {{Function: {{Environment: {{Variables: {{A: {shared}}}}}}}}}\nResources:\n");
    bounded(
        "large globals in many functions",
        &numbered(&head, |at| format!("  F{at}: {{Type: AWS::Serverless::Function}}\n")),
    );
}

#[test]
fn deep_and_flat_texts_end_early() {
    bounded("opening brackets", &"[".repeat(MAX_BYTES));
    bounded("opening braces", &"{".repeat(MAX_BYTES));
    bounded("dashes", &"- ".repeat(MAX_BYTES / 2));
    bounded("question marks", &"? ".repeat(MAX_BYTES / 2));
    bounded("exclamation marks", &"!".repeat(MAX_BYTES));
    bounded("anchors", &"&a ".repeat(MAX_BYTES / 3));
    bounded("a flat list", &megabyte("Resources: [", "0,", "0]"));
    bounded("a flat list of nothing", &megabyte("Resources: [", "~,", "~]"));
    bounded("line breaks", &"\n".repeat(MAX_BYTES));
    bounded("a comment", &format!("#{}", "x".repeat(MAX_BYTES - 1)));
    bounded("colons", &":".repeat(MAX_BYTES));
    bounded("an open quote", &format!("a: \"{}", "x".repeat(MAX_BYTES - 4)));
}

#[test]
fn long_keys_end_early() {
    let key = "k".repeat(MAX_BYTES / 2);
    bounded("one key", &format!("{}: 1", "k".repeat(MAX_BYTES - 3)));
    bounded(
        "a long key with bad things below",
        &megabyte(&format!("\"{key}\": ["), "~,", "~]"),
    );
    bounded(
        "a long key with odd texts below",
        &megabyte(&format!("\"{key}\": ["), "\"\\u202e\",", "0]"),
    );
    bounded(
        "a long property",
        &format!("{HEAD}Resources:\n{FUNCTION}      {key}: 1\n"),
    );
    bounded("a long type", &format!("{HEAD}Resources: {{F: {{Type: {key}}}}}"));
    bounded(
        "a long id with bad things below",
        &numbered(
            &format!("{HEAD}Resources:\n  {key}:\n    Type: AWS::Serverless::Function\n    Properties:\n"),
            |at| format!("      p{at}: 1\n"),
        ),
    );
    bounded("the same key", &"k: 1\n".repeat(20_000));
    bounded("keys", &numbered("", |at| format!("k{at}: 1\n")));
}

#[test]
fn many_wrong_things_end_early() {
    let head = format!("{HEAD}Resources:\n");
    bounded(
        "resources",
        &numbered(&head, |at| format!("  F{at}: {{Type: AWS::SQS::Queue}}\n")),
    );
    bounded(
        "wrong types",
        &numbered(&head, |at| format!("  F{at}: {{Type: AWS::SQS::Queu}}\n")),
    );
    bounded(
        "wrong references",
        &numbered(&head, |at| {
            format!("  F{at}: {{Type: AWS::SQS::Queue, DependsOn: G{at}}}\n")
        }),
    );
    bounded(
        "wrong properties",
        &numbered(&format!("{head}{FUNCTION}"), |at| format!("      Propertie{at}: 1\n")),
    );
    bounded(
        "wrong sub",
        &megabyte(
            &format!("{head}{FUNCTION}      Description: !Sub \""),
            "${F}${G.Arn}${",
            "\"\n",
        ),
    );
    bounded(
        "joins in joins",
        &format!(
            "{head}{FUNCTION}      Description: {}x{}\n",
            "!Join ['', [".repeat(40_000),
            "]]".repeat(40_000)
        ),
    );
    bounded(
        "policies",
        &numbered(&format!("{head}{FUNCTION}      Policies:\n"), |_| {
            "      - SQSSendMessagePolicy: {QueueName: q}\n".to_owned()
        }),
    );
    bounded(
        "policies that fit",
        &numbered(
            &format!(
                "{head}  Q: {{Type: AWS::SQS::Queue}}\n{FUNCTION}      CodeUri: s3://code/a.zip\n      Policies:\n"
            ),
            |_| "      - SQSSendMessagePolicy: {QueueName: !Ref Q}\n".to_owned(),
        ),
    );
    bounded(
        "outputs",
        &numbered(&format!("{head}  Q: {{Type: AWS::SQS::Queue}}\nOutputs:\n"), |at| {
            format!("  O{at}: {{Value: !Ref R{at}}}\n")
        }),
    );
}

fn functions(count: usize) -> String {
    (0..count).fold(format!("{HEAD}Resources:\n"), |mut text, at| {
        writeln!(text, "  F{at}:\n    Type: AWS::Serverless::Function\n    Properties:").unwrap();
        writeln!(
            text,
            "      CodeUri: s3://code/a.zip\n      Handler: bootstrap\n      Runtime: provided.al2023"
        )
        .unwrap();
        writeln!(
            text,
            "      Environment: {{Variables: {{NEXT: !Ref F{}}}}}",
            (at + 1) % count
        )
        .unwrap();
        text
    })
}

#[test]
fn twice_the_functions_are_twice_the_work() {
    let [small, large] = [125, 250].map(|count| bounded("functions", &functions(count)));
    for (what, small, large) in [
        ("allocations", small.count_total, large.count_total),
        ("bytes", small.bytes_total, large.bytes_total),
    ] {
        assert!(large * 10 <= small * 23, "{what} grew from {small} to {large}");
    }
}

#[test]
fn what_refers_to_what_is_not_looked_for_again_and_again() {
    let origins: Vec<_> = (0..3000).map(|at| format!("{{Id: o{at}, DomainName: x}}")).collect();
    let members: Vec<_> = (0..20_000).map(|at| format!("{{OriginId: m{at}}}")).collect();
    let text = format!(
        "{HEAD}Resources:\n  D:\n    Type: AWS::CloudFront::Distribution\n    Properties:\n      DistributionConfig:\n        \
         Enabled: true\n        Origins: [{}]\n        OriginGroups:\n          Quantity: 1\n          Items:\n            \
         - {{Id: g, FailoverCriteria: {{}}, Members: {{Quantity: 1, Items: [{}]}}}}\n",
        origins.join(", "),
        members.join(", "),
    );
    bounded("members of an origin group", &text);
    let unknown: Vec<_> = (0..4000).map(|at| format!("unknown{at}")).collect();
    let queue = |at| {
        format!(
            "  Q{at}:\n    Type: AWS::SQS::Queue\n    DependsOn: [{}]\n",
            unknown.join(", ")
        )
    };
    let text = (0..15).map(queue).collect::<String>();
    let used = bounded("what is depended on", &format!("{HEAD}Resources:\n{text}"));
    // Each name that is not there is looked for among the others only until enough is told.
    assert!(used.count_total < 3_000_000, "{} allocations", used.count_total);
}

#[test]
fn too_many_questions_are_not_asked() {
    let aliases: Vec<_> = (0..3000)
        .map(|at| format!("{{KMSDecryptPolicy: {{KeyId: alias/k{at}}}}}"))
        .collect();
    let text = format!(
        "{HEAD}Resources:\n{FUNCTION}      CodeUri: s3://code/a.zip\n      Handler: a\n      Runtime: python3.12\n      \
         Policies: [{}]\n",
        aliases.join(", ")
    );
    let document = hostile::load(text.as_bytes()).unwrap();
    assert!(policy::wanted(&document, hostile::context()).is_empty());
    let problems = policy::judge_without_world(&document, hostile::context()).problems;
    assert!(problems.iter().any(|problem| problem.code == "F0212"), "{problems:?}");
    // Also when more is wrong than is told.
    hostile::check_problems(&problems);
}
