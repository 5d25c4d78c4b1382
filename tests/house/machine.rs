//! `state_machine.asl.json`: that it is whole, and that it keeps the laws that its shape can keep.

use std::collections::{BTreeMap, BTreeSet};

use fenrir_core::deployment::Wait;
use fenrir_core::error::ErrorName;
use fenrir_core::house;
use serde_json::{Value, json};

use crate::files::{machine, members, path, template, text, texts};

/// Task, and the crate that is its function.
const STEPS: [(&str, &str); 8] = [
    ("Validate", "validate"),
    ("Lock", "lock"),
    ("CreateChangeSet", "create-changeset"),
    ("WaitChangeSet", "wait-changeset"),
    ("Execute", "execute"),
    ("WaitExecute", "wait-execute"),
    ("CleanUp", "cleanup"),
    ("ReleaseLock", "release-lock"),
];

/// Errors that Step Functions and Lambda report for a task that is a function. Sources: Step Functions Developer Guide,
/// "Handling errors" and "Handle transient Lambda service exceptions"; Lambda's own errors of a runtime that crashed or
/// ran out of time.
const AWS_ERRORS: [&str; 11] = [
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.Unknown",
    "Sandbox.Timedout",
    "States.ALL",
    "States.Timeout",
];

/// Task that is a second errand of another one's function.
const ERRANDS: [(&str, &str); 1] = [("RecordBreakdown", "Validate")];

/// The step whose function a task is.
fn step_of(task: &str) -> &str {
    let errand = ERRANDS.iter().find(|(name, _)| *name == task);
    errand.map_or(task, |(_, step)| step)
}

/// The longest deploy, in seconds: the largest `timeout` of a release. Its rollback comes after it.
const LONGEST: u64 = 43_200;

fn states(machine: &Value) -> BTreeMap<&str, &Value> {
    members(&machine["States"]).collect()
}

fn of_type<'a>(machine: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let is_kind = |(_, state): &(&str, &Value)| state["Type"] == kind;
    members(&machine["States"]).filter(is_kind).collect()
}

/// Where a state may lead.
fn next(state: &Value) -> Vec<&str> {
    let mut found: Vec<&str> = ["Next", "Default"]
        .iter()
        .filter_map(|key| state[key].as_str())
        .collect();
    for list in ["Choices", "Catch"] {
        let items = state[list].as_array().into_iter().flatten();
        found.extend(items.filter_map(|item| item["Next"].as_str()));
    }
    found
}

/// All states that can be reached from `from` without passing through any of `without`.
fn reachable<'a>(machine: &'a Value, from: &[&'a str], without: &[&str]) -> BTreeSet<&'a str> {
    let states = states(machine);
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = from.to_vec();
    while let Some(name) = open.pop() {
        if !without.contains(&name) && found.insert(name) {
            open.extend(next(states[name]));
        }
    }
    found
}

/// Where an error of a task leads when no retry helps: the first catcher that matches.
fn caught<'a>(task: &'a Value, error: &str) -> &'a Value {
    task["Catch"]
        .as_array()
        .unwrap()
        .iter()
        .find(|catcher| {
            texts(&catcher["ErrorEquals"])
                .iter()
                .any(|name| *name == error || *name == "States.ALL")
        })
        .unwrap()
}

#[test]
fn every_task_is_a_function_of_the_template_and_a_crate() {
    let (machine, template) = (machine(), template("template.yml"));
    let resources = &template["Resources"];
    let given = &resources["StateMachine"]["Properties"]["DefinitionSubstitutions"];
    let tasks = of_type(&machine, "Task");
    let names: BTreeSet<&str> = tasks.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, STEPS.iter().chain(&ERRANDS).map(|(name, _)| *name).collect());
    for (name, task) in tasks {
        assert_eq!(task["Resource"], format!("${{{}FunctionArn}}", step_of(name)), "{name}");
    }
    assert_eq!(members(given).count(), STEPS.len(), "a substitution that no state uses");
    for (name, crate_name) in STEPS {
        let function = format!("{name}Function");
        assert_eq!(
            given[format!("{function}Arn")],
            json!({"Fn::GetAtt": [function, "Arn"]})
        );
        let properties = &resources[&function]["Properties"];
        assert_eq!(properties["FunctionName"], format!("fenrir-{crate_name}"));
        assert_eq!(properties["CodeUri"], format!("target/lambda/{crate_name}/"));
        assert!(
            path(&format!("crates/{crate_name}/src/main.rs")).is_file(),
            "no crate {crate_name}"
        );
    }
}

#[test]
fn every_task_has_a_timeout_beyond_its_functions() {
    // Below it, the function could still be at work while the machine tries again or goes on.
    let (machine, template) = (machine(), template("template.yml"));
    for (name, task) in of_type(&machine, "Task") {
        let function = &template["Resources"][format!("{}Function", step_of(name))]["Properties"];
        let seconds = task["TimeoutSeconds"].as_u64().unwrap();
        assert!(seconds > function["Timeout"].as_u64().unwrap(), "{name}");
    }
}

#[test]
fn every_task_retries_what_passes_by_itself_with_back_off_and_jitter() {
    let machine = machine();
    for (name, task) in of_type(&machine, "Task") {
        let retriers = task["Retry"].as_array().unwrap();
        let retried: BTreeSet<&str> = retriers
            .iter()
            .flat_map(|retrier| texts(&retrier["ErrorEquals"]))
            .collect();
        for error in AWS_ERRORS
            .iter()
            .chain(&["TransientError"])
            .filter(|error| **error != "States.ALL")
        {
            assert!(retried.contains(error), "{name} does not retry {error}");
        }
        for retrier in retriers {
            assert!(retrier["IntervalSeconds"].as_u64().unwrap() >= 1, "{name}");
            assert!(retrier["BackoffRate"].as_f64().unwrap() > 1.0, "{name}");
            assert!(retrier["MaxAttempts"].as_u64().unwrap() >= 3, "{name}");
            assert!(
                retrier["MaxDelaySeconds"].as_u64() > retrier["IntervalSeconds"].as_u64(),
                "{name}"
            );
            assert_eq!(retrier["JitterStrategy"], "FULL", "{name}");
        }
    }
}

#[test]
fn every_task_catches_everything_last() {
    let machine = machine();
    for (name, task) in of_type(&machine, "Task") {
        let catchers = task["Catch"].as_array().unwrap();
        let last = catchers.last().unwrap();
        assert_eq!(texts(&last["ErrorEquals"]), ["States.ALL"], "{name}");
        for catcher in catchers {
            let wanted = match (name, catcher["Next"].as_str().unwrap()) {
                // How Validate broke down stays the reason, whether it could be recorded or not.
                ("RecordBreakdown", _) => Value::Null,
                // A refusal replaces the state: a client's input need not be an object, and with the error beside it
                // could grow beyond what a state may hold, which nothing catches.
                (_, "WasReasonGiven?" | "RecordBreakdown") => json!("$"),
                _ => json!("$.error"),
            };
            assert_eq!(catcher["ResultPath"], wanted, "{name}");
        }
    }
}

#[test]
fn every_error_that_is_named_exists() {
    let machine = machine();
    let ours = ErrorName::ALL.map(ErrorName::as_str);
    for (name, task) in of_type(&machine, "Task") {
        for list in ["Retry", "Catch"] {
            for error in task[list]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|item| texts(&item["ErrorEquals"]))
            {
                assert!(ours.contains(&error) || AWS_ERRORS.contains(&error), "{name}: {error}");
            }
        }
    }
}

#[test]
fn every_error_of_every_step_goes_where_the_design_says() {
    let machine = machine();
    for error in ErrorName::ALL
        .map(ErrorName::as_str)
        .into_iter()
        .chain(["States.Timeout", "Lambda.Unknown"])
    {
        for (step, _) in STEPS.iter().chain(&ERRANDS).copied() {
            let wanted = match (step, error) {
                ("Validate", "BadReleaseError") | ("RecordBreakdown", _) | ("Lock", "LockExistsError") => {
                    "WasReasonGiven?"
                }
                // Validate records its refusals itself; that it broke down it cannot know.
                ("Validate", _) => "RecordBreakdown",
                ("Lock", _) => "NothingWasTouched",
                ("CleanUp", _) => "ReleaseLock",
                // Not a verdict: the truth is read from the stack. Without the lock nothing was touched.
                ("Execute", "LockLostError") => "CleanUp",
                ("Execute", _) => "WaitForExecute",
                ("ReleaseLock", _) => "ReleaseLockFailed",
                _ => "CleanUp",
            };
            assert_eq!(
                caught(&machine["States"][step], error)["Next"],
                wanted,
                "{step}: {error}"
            );
        }
    }
}

#[test]
fn a_breakdown_that_is_recorded_ends_as_one_that_is_not() {
    let task = &machine()["States"]["RecordBreakdown"];
    assert_eq!(task["Next"], caught(task, "InternalError")["Next"]);
    assert_eq!(task.get("ResultPath"), Some(&Value::Null), "the reason stays");
    let validate = &machine()["States"]["Validate"]["Parameters"];
    let given = &task["Parameters"];
    // The same execution and release, though its own input is the error by now; both are proven again.
    assert_eq!(given["execution"], validate["execution"]);
    assert_eq!(
        (&validate["release.$"], &given["release.$"]),
        (&json!("$"), &json!("$$.Execution.Input"))
    );
    assert_eq!(given["broke_down.$"], "$");
}

#[test]
fn every_state_is_reached_and_leads_somewhere() {
    let machine = machine();
    let all: BTreeSet<&str> = states(&machine).into_keys().collect();
    assert_eq!(reachable(&machine, &[machine["StartAt"].as_str().unwrap()], &[]), all);
    for (name, state) in members(&machine["States"]) {
        let ends = state["Type"] == "Succeed" || state["Type"] == "Fail";
        assert_eq!(next(state).is_empty(), ends, "{name}");
    }
    assert_eq!(of_type(&machine, "Succeed").len(), 1);
    assert_eq!(of_type(&machine, "Fail").len(), 2);
}

#[test]
fn every_choice_tests_presence_first_and_has_a_default() {
    let machine = machine();
    for (name, choice) in of_type(&machine, "Choice") {
        assert!(choice["Default"].is_string(), "{name}");
        for rule in choice["Choices"].as_array().unwrap() {
            let mut present = BTreeSet::new();
            for test in rule["And"].as_array().unwrap() {
                let variable = test["Variable"].as_str().unwrap();
                if test["IsPresent"] == true {
                    present.insert(variable);
                } else {
                    assert!(
                        present.contains(variable),
                        "{name} reads {variable} before it knows that it is there"
                    );
                }
            }
        }
    }
}

#[test]
fn a_choice_of_the_path_that_knows_nothing_cleans_up() {
    let machine = machine();
    for name in ["ChangeSetReady?", "Executed?"] {
        assert_eq!(machine["States"][name]["Default"], "CleanUp", "{name}");
    }
    assert_eq!(
        reachable(&machine, &["EndUnreadable"], &[]),
        BTreeSet::from(["EndUnreadable", "FailureDirty"])
    );
}

#[test]
fn a_lock_that_may_be_held_is_always_released_or_told_of() {
    // Without ReleaseLock, Lock leads to an end only where it said that it holds nothing.
    let machine = machine();
    let lock = &machine["States"]["Lock"];
    let mut ways: Vec<&str> = next(lock);
    ways.retain(|way| *way != caught(lock, "LockExistsError")["Next"]);
    for name in reachable(&machine, &ways, &["ReleaseLock"]) {
        assert!(
            !next(&machine["States"][name]).is_empty(),
            "{name} ends without ReleaseLock"
        );
    }
}

#[test]
fn success_is_said_only_of_what_release_lock_decided() {
    let machine = machine();
    assert!(!reachable(&machine, &["Validate"], &["ReleaseLock"]).contains("Success"));
    let ways: Vec<&str> = states(&machine)
        .into_iter()
        .filter(|(_, state)| next(state).contains(&"Success"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(ways, ["Success?"]);
}

#[test]
fn a_failure_after_the_lock_cleans_up_before_the_lock_is_released() {
    let machine = machine();
    for (name, state) in members(&machine["States"]) {
        if next(state).contains(&"ReleaseLock") {
            assert!(
                ["NothingWasTouched", "Executed?", "CleanUp"].contains(&name),
                "{name} releases without cleaning up"
            );
        }
        // What it says is true only before CreateChangeSet.
        if next(state).contains(&"NothingWasTouched") {
            assert_eq!(name, "Lock");
        }
    }
    let released: Vec<&Value> = machine["States"]["Executed?"]["Choices"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["Next"] == "ReleaseLock")
        .collect();
    assert_eq!(released.len(), 1);
    assert_eq!(released[0]["And"][1]["StringEquals"], "SUCCEEDED");
}

#[test]
fn a_failure_says_its_error_and_its_cause() {
    let machine = machine();
    for (name, state) in of_type(&machine, "Fail") {
        assert_eq!(state["ErrorPath"], "$.end.error", "{name}");
        assert_eq!(state["CausePath"], "$.end.cause", "{name}");
        let rule = format!("{name}.");
        for (before, way) in states(&machine)
            .into_iter()
            .filter(|(_, way)| next(way).contains(&name))
        {
            if way["Type"] == "Pass" {
                let end = &way["Parameters"];
                let error = end["error"].as_str().or(end["error.$"].as_str()).unwrap();
                assert_eq!(way["ResultPath"], "$.end", "{before}");
                assert!(error.contains(&rule), "{before}: {error}");
                assert!(end["cause.$"].as_str().unwrap().contains(" (release {})'"), "{before}");
            } else {
                let text = serde_json::to_string(way).unwrap();
                assert!(
                    text.contains(&format!(r#""StringMatches":"{rule}*""#)),
                    "{before} does not look at the error"
                );
            }
        }
    }
}

#[test]
fn the_alert_rule_matches_dirty_ends() {
    let template = template("template.yml");
    let pattern = &template["Resources"]["DirtyRule"]["Properties"]["EventPattern"]["detail"];
    assert_eq!(pattern["status"], json!(["FAILED"]));
    assert!(
        pattern["error"]
            .as_array()
            .unwrap()
            .contains(&json!({"prefix": "FailureDirty."}))
    );
}

/// What a rule hears, and that its target lets it.
fn heard(template: &Value, rule: &str) -> Value {
    let resources = &template["Resources"];
    let targets = &resources[format!("{rule}Rule")]["Properties"]["Targets"];
    assert_eq!(targets[0]["Arn"], json!({"Fn::GetAtt": ["WatchdogFunction", "Arn"]}));
    let permission = &resources[format!("{rule}MayInvoke")]["Properties"];
    assert_eq!(permission["FunctionName"], json!({"Ref": "WatchdogFunction"}));
    assert_eq!(permission["Principal"], "events.amazonaws.com");
    let arn = json!({"Fn::GetAtt": [format!("{rule}Rule"), "Arn"]});
    assert_eq!(permission["SourceArn"], arn, "nobody else's rule may");
    resources[format!("{rule}Rule")]["Properties"].clone()
}

#[test]
fn the_watchdog_hears_of_every_end_that_the_machine_may_not_have_written_down_and_the_clock() {
    let template = template("template.yml");
    let detail = &heard(&template, "Ended")["EventPattern"]["detail"];
    assert_eq!(detail["stateMachineArn"], json!([{"Ref": "StateMachine"}]));
    // Step Functions Developer Guide, "Events for Standard Workflows": the ends but for SUCCEEDED, which ReleaseLock precedes.
    assert_eq!(detail["status"], json!(["ABORTED", "TIMED_OUT", "FAILED"]));
    assert_eq!(heard(&template, "Clock")["ScheduleExpression"], "rate(15 minutes)");
}

#[test]
fn the_watchdog_ends_before_its_function() {
    let template = template("template.yml");
    let function = &template["Resources"]["WatchdogFunction"]["Properties"];
    let longest = watchdog::BUDGET + 2 * fenrir_settle::PATIENCE;
    assert!(function["Timeout"].as_u64().unwrap() > longest.as_secs() + 120);
    assert_eq!(function["CodeUri"], "target/lambda/watchdog/");
    assert!(path("crates/watchdog/src/main.rs").is_file());
}

#[test]
fn the_last_state_of_an_execution_is_among_the_events_that_the_watchdog_reads() {
    for (name, task) in of_type(&machine(), "Task") {
        let retried = task["Retry"].as_array().unwrap().iter();
        let tries: u64 = 1 + retried
            .map(|retrier| retrier["MaxAttempts"].as_u64().unwrap())
            .sum::<u64>();
        assert!(
            4 * tries < u64::try_from(fenrir_settle::execution::LAST_EVENTS).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn the_index_of_open_releases_is_the_one_that_is_asked() {
    let template = template("template.yml");
    let indexes = &template["Resources"]["ReleasesTable"]["Properties"]["GlobalSecondaryIndexes"];
    let open = indexes
        .as_array()
        .unwrap()
        .iter()
        .find(|index| index["IndexName"] == house::OPEN_INDEX);
    assert_eq!(
        open.unwrap()["KeySchema"],
        json!([
            {"AttributeName": house::OPEN, "KeyType": "HASH"},
            {"AttributeName": "release_id", "KeyType": "RANGE"},
        ])
    );
}

#[test]
fn the_machine_outlasts_the_longest_deploy_its_rollback_and_its_clean_up() {
    let (machine, template) = (machine(), template("template.yml"));
    let worst: u64 = ["WaitExecute", "CleanUp", "ReleaseLock"]
        .iter()
        .map(|name| {
            let function = &template["Resources"][format!("{name}Function")]["Properties"];
            worst_case(&machine["States"][name], function["Timeout"].as_u64().unwrap())
        })
        .sum();
    let longest = time::Duration::seconds(LONGEST.try_into().unwrap());
    let rollback: u64 = wait_execute::patience(longest).whole_seconds().try_into().unwrap();
    // That the one and the other are over is seen by the poll after it.
    let late = 2 * u64::from(longest_wait());
    let needed = LONGEST + rollback + late + worst;
    assert!(machine["TimeoutSeconds"].as_u64().unwrap() > needed, "{needed}");
    let said = format!("{} hours", machine["TimeoutSeconds"].as_u64().unwrap() / 3_600);
    for page in ["docs/architecture.md", "docs/operations.md"] {
        assert!(text(page).contains(&said), "{page}: {said}");
    }
}

/// Seconds between two polls of a deploy that lasts long.
fn longest_wait() -> u32 {
    let mut wait = Wait::first();
    while wait.polls < 1_000 {
        wait = wait.next();
    }
    wait.seconds
}

/// Seconds of a task whose every attempt lasts as long as its function may, with the longest pauses between them.
fn worst_case(task: &Value, attempt: u64) -> u64 {
    let retriers = task["Retry"].as_array().unwrap().iter();
    let retried = retriers.map(|retrier| {
        let number = |key: &str| retrier[key].as_u64().unwrap();
        number("MaxAttempts") * (number("MaxDelaySeconds") + attempt)
    });
    attempt + retried.sum::<u64>()
}

#[test]
fn every_state_tells_the_operator_what_it_is() {
    let machine = machine();
    for (name, state) in members(&machine["States"]) {
        let comment = state["Comment"].as_str().unwrap_or_default();
        assert!(
            comment.ends_with('.') && (20..=300).contains(&comment.len()),
            "{name}: {comment}"
        );
    }
}
