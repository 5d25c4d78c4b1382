//! What operators see: that every alarm and every end has its section of the runbook, that alarms and the dashboard name
//! what there is, and that the page about events tells the truth.

use fenrir_settle::execution::How;
use std::collections::{BTreeMap, BTreeSet};

use fenrir_core::console;
use fenrir_core::error::ErrorName;
use fenrir_core::event::{Event, Kind, SOURCE};
use fenrir_lambda::metrics::{CATALOGUE, NAMESPACE};
use serde_json::{Value, json};

use crate::files::{members, template, text};

const PAGE: &str = "docs/operations.md";

/// The sections of the page, by their headings. Headings that follow each other share what stands under the last.
fn sections() -> BTreeMap<String, String> {
    let page = text(PAGE);
    let mut found = BTreeMap::new();
    let mut waiting: Vec<String> = Vec::new();
    for part in page.split("\n### ").skip(1) {
        let (heading, body) = part.split_once('\n').unwrap_or((part, ""));
        let body = body.split("\n## ").next().unwrap().trim();
        waiting.push(heading.to_owned());
        if !body.is_empty() {
            found.extend(waiting.drain(..).map(|heading| (heading, body.to_owned())));
        }
    }
    assert!(waiting.is_empty(), "{waiting:?} have nothing under them");
    found
}

fn of_type<'a>(house: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    members(&house["Resources"])
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id, &resource["Properties"]))
        .collect()
}

/// The errors with which a release can end in these states, but for what Lambda and Step Functions add.
fn ends() -> Vec<String> {
    let mut ends = vec!["Success".to_owned()];
    for name in ErrorName::ALL {
        let (clean, dirty) = match name {
            ErrorName::BadReleaseError | ErrorName::LockExistsError | ErrorName::LockError => (true, false),
            // What could not be cleaned up, or not be given back.
            ErrorName::CleanUpError | ErrorName::ReleaseLockError => (false, true),
            _ => (true, true),
        };
        ends.extend(clean.then(|| format!("FailureClean.{name}")));
        ends.extend(dirty.then(|| format!("FailureDirty.{name}")));
    }
    let settled = [How::Aborted, How::TimedOut, How::Failed, How::Succeeded, How::Forgotten];
    ends.extend(settled.map(|how| how.name().to_owned()));
    ends
}

#[test]
fn every_end_and_every_alarm_has_its_section_with_what_to_look_at_to_do_and_to_undo() {
    let sections = sections();
    let house = template("template.yml");
    let alarms = of_type(&house, "AWS::CloudWatch::Alarm");
    let alarms = alarms
        .iter()
        .map(|(_, alarm)| alarm["AlarmName"].as_str().unwrap().to_owned());
    for name in ends().into_iter().chain(alarms) {
        let section = sections
            .get(&name)
            .unwrap_or_else(|| panic!("{PAGE} says nothing of {name}"));
        for part in ["* **Look:** ", "* **Do:** ", "* **Undo:** "] {
            assert!(section.contains(part), "{name} lacks {part}");
        }
    }
}

#[test]
fn the_runbook_names_nothing_that_is_not_there() {
    let house = template("template.yml");
    let alarms: BTreeSet<&str> = of_type(&house, "AWS::CloudWatch::Alarm")
        .iter()
        .map(|(_, alarm)| alarm["AlarmName"].as_str().unwrap())
        .collect();
    let ends: BTreeSet<String> = ends().into_iter().collect();
    for heading in sections().keys() {
        if heading.starts_with("Failure") || heading.starts_with("Execution") {
            assert!(ends.contains(heading), "no release ends in {heading}");
        }
        if heading.starts_with("fenrir-") {
            assert!(alarms.contains(heading.as_str()), "no alarm is called {heading}");
        }
    }
}

#[test]
fn the_runbook_tells_about_every_metric() {
    let page = text(PAGE);
    for (name, sets) in CATALOGUE {
        let row = page
            .lines()
            .find(|line| line.starts_with('|') && line.contains(&format!("`{name}`")))
            .unwrap_or_else(|| panic!("{PAGE} says nothing of {name}"));
        for dimension in sets.iter().flat_map(|set| set.iter()) {
            assert!(row.contains(&format!("`{dimension}`")), "{row} lacks {dimension}");
        }
    }
}

/// Whether there is such a metric of Fenrir with just these dimensions.
fn exists(name: &str, dimensions: &BTreeSet<&str>) -> bool {
    let sets = CATALOGUE
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, sets)| *sets);
    let same = |set: &&[&str]| set.iter().copied().collect::<BTreeSet<_>>() == *dimensions;
    sets.is_some_and(|sets| sets.iter().any(same))
}

#[test]
fn every_alarm_reaches_the_team_says_where_to_read_on_and_looks_at_what_there_is() {
    let house = template("template.yml");
    let policy = &house["Resources"]["AlertTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"];
    let may_publish = policy
        .as_array()
        .unwrap()
        .iter()
        .find(|statement| statement["Principal"]["Service"] == "cloudwatch.amazonaws.com")
        .unwrap();
    let may_publish = may_publish["Condition"]["ArnEquals"]["aws:SourceArn"]
        .as_array()
        .unwrap();
    let alarms = of_type(&house, "AWS::CloudWatch::Alarm");
    assert_eq!(may_publish.len(), alarms.len());
    for (id, alarm) in alarms {
        let name = alarm["AlarmName"].as_str().unwrap();
        let description = alarm["AlarmDescription"].as_str().unwrap();
        assert!(
            description.ends_with(&format!(". See {PAGE}, section {name}.")),
            "{id}: {description}"
        );
        assert_eq!(alarm["AlarmActions"], json!([{"Ref": "AlertTopic"}]), "{id}");
        assert!(
            may_publish.contains(&json!({"Fn::GetAtt": [id, "Arn"]})),
            "{id} may not publish"
        );
        // Most of these metrics are written only when there is something to count.
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{id}");
        let computed = alarm["Metrics"].as_array().into_iter().flatten();
        let stats = computed.filter_map(|metric| metric.get("MetricStat"));
        for metric in stats
            .map(|stat| &stat["Metric"])
            .chain(alarm.get("MetricName").map(|_| alarm))
        {
            if metric["Namespace"] == NAMESPACE {
                let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
                let dimensions = dimensions
                    .map(|dimension| dimension["Name"].as_str().unwrap())
                    .collect();
                let of = metric["MetricName"].as_str().unwrap();
                assert!(exists(of, &dimensions), "{id}: {of} by {dimensions:?}");
            }
        }
    }
}

/// The widgets of the dashboard.
fn widgets() -> Vec<Value> {
    let house = template("template.yml");
    let body = house["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].clone();
    let body: Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
    body["widgets"].as_array().unwrap().clone()
}

#[test]
fn the_dashboard_shows_metrics_that_there_are() {
    let mut shown = BTreeSet::new();
    for widget in widgets() {
        for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            let parts: Vec<&str> = metric.as_array().unwrap().iter().filter_map(Value::as_str).collect();
            if let ["Fenrir", name, dimensions @ ..] = parts.as_slice() {
                let dimensions = dimensions.iter().step_by(2).copied().collect();
                assert!(exists(name, &dimensions), "{name} by {dimensions:?}");
                shown.insert((*name).to_owned());
            }
            if let Some(expression) = metric[0]["expression"].as_str() {
                let (dimensions, rest) = expression
                    .strip_prefix("SEARCH('{Fenrir,")
                    .and_then(|rest| rest.split_once("} MetricName=\""))
                    .unwrap_or_else(|| panic!("{expression}"));
                let name = rest.split('"').next().unwrap();
                let dimensions = dimensions.split(',').collect();
                assert!(exists(name, &dimensions), "{expression}");
                shown.insert(name.to_owned());
            }
        }
    }
    let all: BTreeSet<String> = CATALOGUE.iter().map(|(name, _)| (*name).to_owned()).collect();
    let hidden: Vec<&String> = all.difference(&shown).collect();
    assert_eq!(hidden, ["Plans"], "nobody looks at these");
}

#[test]
fn the_dashboard_has_its_place_for_everything_and_names_every_function() {
    let mut taken = BTreeSet::new();
    for widget in widgets() {
        let number = |name: &str| widget[name].as_u64().unwrap();
        // CloudWatch API, "Dashboard body structure": a grid of 24 columns.
        assert!(number("x") + number("width") <= 24, "{widget}");
        for x in number("x")..number("x") + number("width") {
            for y in number("y")..number("y") + number("height") {
                assert!(
                    taken.insert((x, y)),
                    "{} lies over another",
                    widget["properties"]["title"]
                );
            }
        }
        if widget["type"] != "alarm" {
            assert_eq!(widget["properties"]["region"], "${AWS::Region}");
        }
    }
    let house = template("template.yml");
    let text = json!(widgets()).to_string();
    for (id, function) in of_type(&house, "AWS::Serverless::Function") {
        assert!(text.contains(&format!("${{{id}}}")), "{id} is not shown");
        let group = format!("SOURCE '/aws/lambda/{}'", function["FunctionName"].as_str().unwrap());
        assert!(text.contains(&group), "{group} is not searched");
    }
    for (id, _) in of_type(&house, "AWS::CloudWatch::Alarm") {
        assert!(text.contains(&format!("${{{id}.Arn}}")), "{id} is not shown");
    }
}

#[test]
fn the_herald_hears_of_every_change_of_a_record_and_loses_none_unnoticed() {
    let house = template("template.yml");
    let resources = &house["Resources"];
    let table = &resources["ReleasesTable"]["Properties"];
    assert_eq!(table["StreamSpecification"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
    let mapping = &resources["HeraldHears"]["Properties"];
    let get_att = |id: &str, attribute: &str| json!({"Fn::GetAtt": [id, attribute]});
    assert_eq!(mapping["EventSourceArn"], get_att("ReleasesTable", "StreamArn"));
    assert_eq!(mapping["FunctionName"], json!({"Ref": "HeraldFunction"}));
    assert_eq!(mapping["StartingPosition"], "TRIM_HORIZON");
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(
        mapping["DestinationConfig"]["OnFailure"]["Destination"],
        get_att("LostEvents", "Arn")
    );
    let pattern = mapping["FilterCriteria"]["Filters"][0]["Pattern"].as_str().unwrap();
    let pattern: Value = serde_json::from_str(pattern).unwrap();
    assert_eq!(pattern["eventName"], json!(["INSERT", "MODIFY"]));
    assert_eq!(
        pattern["dynamodb"]["NewImage"],
        json!({"status": {"S": [{"exists": true}]}})
    );
    let lost = &resources["LostEventsAlarm"]["Properties"]["Dimensions"][0]["Value"];
    assert_eq!(*lost, get_att("LostEvents", "QueueName"));
    // Four tries of 15 seconds and the pauses between them (`fenrir_lambda::Environment`).
    let seconds = resources["HeraldFunction"]["Properties"]["Timeout"].as_u64().unwrap();
    assert!(seconds > 4 * 15 + 7);
}

#[test]
fn the_page_about_events_shows_one_as_it_is_and_a_rule_that_hears_it() {
    let page = text("docs/events.md");
    let blocks: Vec<Value> = page
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split("```").next().unwrap()).unwrap())
        .collect();
    let [example, rule] = blocks.as_slice() else {
        panic!("an event and a rule");
    };
    let event: Event = serde_json::from_value(example.clone()).unwrap();
    assert_eq!(
        (event.source.as_str(), event.kind),
        (SOURCE, event.detail.status.kind())
    );
    assert_eq!(event.detail.console, console::execution(&event.detail.execution));
    // Nothing of the example is made up.
    let written = json!(event.detail);
    for (name, _) in members(&example["detail"]) {
        assert!(written.get(name).is_some(), "{name}");
    }
    let hears = |pattern: &Value, value: &Value| pattern.as_array().unwrap().contains(value);
    assert!(hears(&rule["source"], &example["source"]) && hears(&rule["detail-type"], &example["detail-type"]));
    for (name, pattern) in members(&rule["detail"]) {
        assert!(hears(pattern, &example["detail"][name]), "{name}");
    }
    for kind in [Kind::Started, Kind::Succeeded, Kind::Failed] {
        assert!(
            page.contains(&format!("| `{SOURCE}` | `{}` |", kind.as_str())),
            "{}",
            kind.as_str()
        );
    }
}
