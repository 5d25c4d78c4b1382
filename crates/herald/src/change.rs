//! What the table's stream hands over, and what there is to tell of it.

use fenrir_core::event::{self, Detail, VERSION};
use fenrir_core::{console, keys};
use fenrir_store::{Record, Status};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A batch of the stream's records. Source: Lambda Developer Guide, "Process DynamoDB records with Lambda"; only what is
/// read here stands here.
#[derive(Debug, Clone, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    pub(crate) changes: Vec<Change>,
}

/// One change of one item.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Change {
    dynamodb: Images,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    sequence_number: String,
    #[serde(default)]
    new_image: Option<Map<String, Value>>,
    #[serde(default)]
    old_image: Option<Map<String, Value>>,
}

/// What there is to tell of a change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tale {
    /// A release came to stand otherwise.
    Told(Box<Detail>),
    /// Nothing that anybody waits for: an item that is no record, one that was removed, or one that says what it said.
    Nothing,
    /// A record that nobody of Fenrir wrote.
    Garbled(String),
}

impl Change {
    /// What a failure of this change is reported by.
    pub(crate) fn sequence_number(&self) -> &str {
        &self.dynamodb.sequence_number
    }

    /// What there is to tell.
    pub(crate) fn tale(&self) -> Tale {
        let Some(new) = self.dynamodb.new_image.as_ref().filter(|image| is_record(image)) else {
            return Tale::Nothing;
        };
        let before = self.dynamodb.old_image.as_ref().and_then(|image| image.get("status"));
        if before == new.get("status") {
            return Tale::Nothing;
        }
        let item: Map<String, Value> = new.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
        let owner = item.get("owner").and_then(Value::as_str).and_then(keys::parse_owner);
        let Some(owner) = owner else {
            return Tale::Garbled("it belongs to no owner".to_owned());
        };
        let record: Record = match serde_json::from_value(Value::Object(item)) {
            Ok(record) => record,
            Err(error) => return Tale::Garbled(error.to_string()),
        };
        let detail = Detail {
            version: VERSION,
            status: status(record.status),
            operation: record.operation,
            aws_account_id: owner.account,
            aws_region: owner.region,
            project_name: owner.project,
            config_name: owner.config,
            stack: record.stack,
            stack_arn: record.stack_arn,
            console: console::execution(&record.execution),
            execution: record.execution,
            started_at: record.started_at,
            ended_at: record.ended_at,
            no_changes: record.no_changes,
            error: record.error,
            cause: record.cause,
            metadata: record.metadata,
            release_id: record.release_id,
        };
        Tale::Told(Box::new(detail.bounded()))
    }
}

/// Whether the item is the record of a release. The table holds other items too, under shorter keys than a release id
/// can be, or without a status.
fn is_record(image: &Map<String, Value>) -> bool {
    let text = |name: &str| image.get(name).and_then(|value| value.get("S")?.as_str());
    text("status").is_some() && text("release_id").is_some_and(|id| id.len() >= 8)
}

const fn status(status: Status) -> event::Status {
    match status {
        Status::Started => event::Status::Started,
        Status::Success => event::Status::Success,
        Status::FailureClean => event::Status::FailureClean,
        Status::FailureDirty => event::Status::FailureDirty,
        Status::Refused => event::Status::Refused,
    }
}

/// The JSON value of an attribute as the stream writes it: `{"S": "text"}`. Sets and binary data, which Fenrir never writes,
/// become null and are then refused by the type they are read into.
fn plain(attribute: &Value) -> Value {
    let Some((kind, value)) = attribute.as_object().and_then(|attribute| attribute.iter().next()) else {
        return Value::Null;
    };
    match (kind.as_str(), value) {
        ("S" | "BOOL", value) => value.clone(),
        ("N", Value::String(number)) => serde_json::from_str(number).unwrap_or_default(),
        ("L", Value::Array(items)) => items.iter().map(plain).collect(),
        ("M", Value::Object(fields)) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), plain(value)));
            Value::Object(fields.collect())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]
    use fenrir_core::event::Kind;
    use serde_json::json;

    use super::*;

    fn image(release_id: &str, status: &str) -> Value {
        json!({
            "owner": {"S": "222222222222/eu-west-1/team!app/production"},
            "release_id": {"S": release_id}, "status": {"S": status}, "operation": {"S": "deploy"},
            "execution": {"S": "arn:aws:states:eu-west-1:111111111111:execution:fenrir:release-1"},
            "started_at": {"S": "2026-11-21T22:06:31Z"}, "stack": {"S": "fenrir-team-app-production--x"},
            "metadata": {"M": {"commit": {"S": "abc"}}}, "no_changes": {"BOOL": true}, "stored": {"M": {}},
            "open": {"S": "yes"},
        })
    }

    fn tale(old: &Value, new: &Value) -> Tale {
        let images = json!({"SequenceNumber": "1", "OldImage": old, "NewImage": new, "SizeBytes": 1});
        let change: Change = serde_json::from_value(json!({"eventName": "MODIFY", "dynamodb": images})).unwrap();
        change.tale()
    }

    fn kind(tale: &Tale) -> Option<Kind> {
        match tale {
            Tale::Told(detail) => Some(detail.status.kind()),
            Tale::Nothing => None,
            Tale::Garbled(why) => panic!("{why}"),
        }
    }

    #[test]
    fn a_release_is_told_of_when_it_comes_to_stand_otherwise_and_only_then() {
        const STATUSES: [&str; 5] = ["STARTED", "SUCCESS", "FAILURE_CLEAN", "FAILURE_DIRTY", "REFUSED"];
        const KINDS: [Kind; 5] = [Kind::Started, Kind::Succeeded, Kind::Failed, Kind::Failed, Kind::Failed];
        for (after, kind_of) in STATUSES.into_iter().zip(KINDS) {
            let new = image("release-1", after);
            assert_eq!(kind(&tale(&Value::Null, &new)), Some(kind_of), "{after}");
            for before in STATUSES {
                let old = image("release-1", before);
                let told = (before != after).then_some(kind_of);
                assert_eq!(kind(&tale(&old, &new)), told, "{before} -> {after}");
            }
            let mut unlocked = new.clone();
            unlocked["unlocked"] = json!({"M": {"who": {"S": "w"}, "at": {"S": "a"}, "reason": {"S": "r"}}});
            assert_eq!(kind(&tale(&new, &unlocked)), None, "{after}, unlocked");
            assert_eq!(kind(&tale(&new, &Value::Null)), None, "{after}, removed");
        }
    }

    #[test]
    fn what_is_no_record_is_not_told_of() {
        let mut without_status = image("release-1", "STARTED");
        without_status.as_object_mut().unwrap().remove("status");
        for item in [
            image("current", "SUCCESS"),
            without_status,
            json!({}),
            json!({"status": 1}),
        ] {
            assert_eq!(tale(&Value::Null, &item), Tale::Nothing, "{item}");
        }
    }

    #[test]
    fn what_nobody_of_fenrir_wrote_is_garbled() {
        for (field, value) in [
            ("owner", json!({"S": "freeze/111111111111"})),
            ("owner", json!({"N": "1"})),
            ("status", json!({"S": "FINE"})),
            ("started_at", json!({"SS": ["a"]})),
            ("metadata", json!({"S": "x"})),
        ] {
            let mut item = image("release-1", "STARTED");
            item[field] = value;
            assert!(matches!(tale(&Value::Null, &item), Tale::Garbled(_)), "{item}");
        }
    }

    #[test]
    fn the_detail_is_the_records() {
        let Tale::Told(detail) = tale(&Value::Null, &image("release-1", "SUCCESS")) else {
            panic!("nothing is told");
        };
        assert_eq!(
            json!(detail),
            json!({
                "version": 1, "release_id": "release-1", "operation": "deploy", "status": "SUCCESS",
                "aws_account_id": "222222222222", "aws_region": "eu-west-1", "project_name": "team/app",
                "config_name": "production", "stack": "fenrir-team-app-production--x",
                "execution": "arn:aws:states:eu-west-1:111111111111:execution:fenrir:release-1",
                "console": "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/\
                            arn:aws:states:eu-west-1:111111111111:execution:fenrir:release-1",
                "started_at": "2026-11-21T22:06:31Z", "no_changes": true, "metadata": {"commit": "abc"},
            })
        );
    }
}
