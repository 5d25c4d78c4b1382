//! `S3`: changes of a bucket.

use serde_json::Value;

use super::super::judge::{Judge, Members};
use super::super::place::Place;
use super::super::registry::{Generated, Others};
use super::super::rule::{Property, Rule, Shape, check, safe};
use super::EventType;
use crate::codes;

/// The event.
pub static S3: EventType = EventType {
    name: "S3",
    about: "Changes of objects in a bucket of this template call the function.",
    properties: PROPERTIES,
    generates,
    ..EventType::PLAIN
};

const PROPERTIES: &[Property] = &[
    safe("Events", Shape::Any).required().example("s3:ObjectCreated:*"),
    safe("Filter", Shape::Map),
    check(
        "Bucket",
        Rule::Custom(bucket),
        "`!Ref` of a bucket of this template; an existing bucket cannot be used yet",
    )
    .required()
    .example("!Ref Uploads"),
];

fn bucket(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    const BUCKET: Rule = Rule::LocalRef(&["AWS::S3::Bucket"]);
    if value.is_string() {
        return judge.refuse(
            codes::LOCAL,
            place,
            "events of an existing bucket cannot be used yet: SAM takes only a bucket of the same template",
            "put the bucket into this template and write `!Ref`; support for existing buckets comes",
        );
    }
    BUCKET.apply(judge, place, value);
}

/// SAM writes the notification into the bucket.
/// Source: aws-sam-translator 1.115, `samtranslator/model/eventsources/push.py`, `S3`.
fn generates(id: &str, _properties: &Members, _others: &Others<'_>) -> Vec<Generated> {
    vec![Generated::exactly(format!("{id}Permission"), "AWS::Lambda::Permission")]
}
