//! Code and layers: objects that were read back, hashed, and pinned to the version that was hashed.

use serde_json::{Map, Value};

use super::judge::Judge;
use super::place::Place;
use crate::codes;
use crate::template::shown;

/// The rule of `CodeUri` and `ContentUri`: a literal `s3://bucket/key` of the release's artifacts, rewritten to the
/// bucket, key and version of the very bytes that were hashed. Where there is no release yet, a local path passes.
pub(super) fn code(judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
    let Some(text) = location(judge, place, value) else {
        return;
    };
    let Some((bucket, key)) = parse(text) else {
        if judge.context().artifacts.is_some() || !is_path(text) {
            no_artifact(judge, place, text);
        }
        return;
    };
    let Some(artifact) = judge.ask_artifact(place, text) else {
        return;
    };
    let mut pinned = Map::new();
    pinned.insert("Bucket".to_owned(), Value::String(bucket.to_owned()));
    pinned.insert("Key".to_owned(), Value::String(key.to_owned()));
    if let Some(version) = artifact.version_id {
        pinned.insert("Version".to_owned(), Value::String(version));
    }
    *value = Value::Object(pinned);
}

/// Whether a text is meant as a local path, which `fenrir package` looks for, and not as an address.
pub(super) fn is_path(text: &str) -> bool {
    !text.starts_with("s3:") && !text.contains("://")
}

pub(super) fn no_artifact(judge: &mut Judge<'_>, place: &Place<'_>, text: &str) {
    judge.refuse(
        codes::ARTIFACT,
        place,
        format!("`{}` is not an artifact", shown(text)),
        "name a local path and let `fenrir package` upload it",
    );
}

/// Where something lies, as a literal text that is not empty; or a problem.
pub(super) fn location<'v>(judge: &mut Judge<'_>, place: &Place<'_>, value: &'v Value) -> Option<&'v str> {
    if let (Some(bucket), Some(key)) = (value.get("Bucket"), value.get("Key")) {
        let part = |value: &Value, otherwise: &str| shown(value.as_str().unwrap_or(otherwise));
        judge.refuse(
            codes::LITERAL,
            place,
            format!("`{}` is a map where a literal text is needed", place.name()),
            format!("write `s3://{}/{}`", part(bucket, "bucket"), part(key, "key")),
        );
        return None;
    }
    let text = judge.literal(place, value)?;
    if text.is_empty() {
        judge.refuse(
            codes::ARTIFACT,
            place,
            format!("`{}` is empty", place.name()),
            "name a path, relative to the folder of the template",
        );
    }
    Some(text).filter(|text| !text.is_empty())
}

/// Bucket and key of a canonical `s3://bucket/key`.
fn parse(text: &str) -> Option<(&str, &str)> {
    let (bucket, key) = text.strip_prefix("s3://")?.split_once('/')?;
    let is_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let is_key = |c: char| c.is_ascii_alphanumeric() || "!-_.*'()/=+:@,".contains(c);
    let is_canonical = !bucket.is_empty()
        && bucket.chars().all(is_bucket)
        && !key.is_empty()
        && key.chars().all(is_key)
        && !key
            .split('/')
            .any(|part| part.is_empty() || part == "." || part == "..");
    is_canonical.then_some((bucket, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_names_an_object() {
        assert_eq!(parse("s3://b/k/l.zip"), Some(("b", "k/l.zip")));
        for text in [
            "s3://b",
            "s3://b/",
            "s3:///k",
            "s3://b/../k",
            "s3://b//k",
            "s3://b/k?versionId=1",
            "https://b/k",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
