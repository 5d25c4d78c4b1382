//! Properties that take the name of a thing where its ARN is what can be checked.

use serde_json::Value;

use super::arn::Scope;
use super::judge::Judge;
use super::kind::{self, Kind};
use super::place::Place;
use super::rule::Rule;
use crate::template::intrinsic;

/// A bucket: `!Ref` of one of this template, or the name or ARN of one whose tags allow it; rewritten to the name.
/// Its ARN, for statements of a role.
pub(super) fn bucket(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) -> Option<String> {
    const LOCAL: &[&str] = &["AWS::S3::Bucket"];
    if let Value::String(text) = value {
        let arn = kind::BUCKET.existing(judge, place, text)?;
        arn.rsplit(':').next().unwrap_or_default().clone_into(text);
        return Some(arn);
    }
    Rule::LocalRef(LOCAL).apply(judge, place, value);
    let local = judge.local(intrinsic::target(value)?.id())??;
    (local.kind.name == "AWS::S3::Bucket").then(|| judge.arn_of(local))
}

/// As [`bucket`], as a rule.
pub(super) fn bucket_rule(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    bucket(judge, place, value);
}

/// The rule of `GroupName`: `default`, which belongs to everybody, or a schedule group whose tags allow it.
pub(super) fn schedule_group(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    /// Source of the name: EventBridge Scheduler API, `CreateScheduleGroup`, `Name`.
    static GROUP: Kind = Kind {
        noun: "schedule group",
        service: "scheduler",
        prefix: "schedule-group/",
        scope: Scope::REGIONAL,
        name: |name| {
            (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        },
        local: &[],
    };
    if let Some(text) = judge.literal(place, value)
        && text != "default"
        && let Some(arn) = GROUP.existing(judge, place, text)
        && let Some((_, name)) = arn.split_once('/')
    {
        *value = Value::String(name.to_owned());
    }
}
