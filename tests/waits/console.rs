//! The execution as an operator sees it in the console: a state that can be read at a glance, an error that says how it
//! ended, a cause that is a sentence.

use std::time::Duration;

use serde_json::Value;

use crate::cloud::{Cloud, Script, event};

/// Every text of a state, with its path.
fn texts(value: &Value, path: &str) -> Vec<(String, String)> {
    match value {
        Value::Object(fields) => {
            let of = fields
                .iter()
                .flat_map(|(name, value)| texts(value, &format!("{path}/{name}")));
            of.collect()
        }
        Value::Array(items) => items.iter().flat_map(|item| texts(item, path)).collect(),
        Value::String(text) => vec![(path.to_owned(), text.clone())],
        _ => Vec::new(),
    }
}

fn usual() -> Script {
    Script {
        change_set: Duration::from_secs(3),
        stack: Duration::from_secs(30),
        ..Script::default()
    }
}

#[tokio::test]
async fn the_state_of_a_usual_deploy_is_read_at_a_glance() {
    let outcome = Cloud::new(usual()).deploy("release-1").await;
    assert!(
        outcome.run.largest_state < 3 * 1024,
        "{} bytes",
        outcome.run.largest_state
    );
    let state = outcome.run.outcome.unwrap();
    let mut fields: Vec<&str> = state.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "change_set",
            "end",
            "execution",
            "manifest",
            "release",
            "stack",
            "template",
            "times",
            "wait"
        ]
    );
    // The id is the same wherever one looks.
    assert_eq!(state["release"]["release_id"], "release-1");
    assert!(state["execution"]["arn"].as_str().unwrap().ends_with(":release-1"));
    for (path, text) in texts(&state, "") {
        let depth = path.matches('/').count();
        assert!(depth <= 4, "{path} lies too deep");
        // Nothing that would have to be decoded, and nothing longer than an ARN.
        assert!(
            text.chars().count() <= 256 && !text.contains(['\n', '{', '\\']),
            "{path}: {text}"
        );
    }
}

#[tokio::test]
async fn an_error_says_how_it_ended_and_a_cause_is_a_sentence() {
    let refused = Script {
        refusal: Some("Template error: the role is bad".to_owned()),
        ..usual()
    };
    let failed = Script {
        failures: vec![vec![event(
            "Queue0",
            "CREATE_FAILED",
            "<ResourceStatusReason>it has another name</ResourceStatusReason>",
        )]],
        ..usual()
    };
    let stuck = Script {
        undeletable: Some("the bucket is not empty".to_owned()),
        failures: failed.failures.clone(),
        ..usual()
    };
    let late = Script {
        stack: Duration::from_hours(48),
        ..usual()
    };
    for (name, script) in [
        ("refused", refused),
        ("failed", failed),
        ("stuck", stuck),
        ("late", late),
    ] {
        let outcome = Cloud::new(script).deploy("release-1").await;
        let ended = outcome.run.outcome.unwrap_err();
        let (state, error) = ended.error.split_once('.').unwrap();
        assert!(
            ["FailureClean", "FailureDirty"].contains(&state),
            "{name}: {}",
            ended.error
        );
        assert!(
            error.ends_with("Error") && error.chars().all(char::is_alphabetic),
            "{name}: {error}"
        );
        let cause = &ended.cause;
        // The house's wording: lower case, no final stop; then whose it was.
        let begins = cause.chars().next().unwrap();
        let is_name = cause.starts_with("CloudFormation ");
        assert!(begins.is_lowercase() || begins == '`' || is_name, "{name}: {cause}");
        assert!(cause.ends_with(" (release release-1)"), "{name}: {cause}");
        // No JSON, no types of ours, no name of an error in the place of words.
        for foreign in [
            "{\"",
            "\\\"",
            "Some(",
            "::{",
            "StepError",
            "errorMessage",
            "FailureClean",
            "FailureDirty",
        ] {
            assert!(!cause.contains(foreign), "{name}: {foreign} in {cause}");
        }
        let says_what_is_left = [
            "nothing was changed",
            "nothing was left",
            "something may be left",
            "is left",
        ];
        assert!(
            says_what_is_left.iter().any(|words| cause.contains(words)),
            "{name}: {cause}"
        );
        assert!(cause.len() <= 3_100, "{name}: {} bytes", cause.len());
    }
}
