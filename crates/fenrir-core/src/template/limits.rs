//! Limits of every template, however it came: size, depth, null, and characters that would deceive a reader.

use serde_json::Value;

use crate::codes;
use crate::problem::{Problem, pointer, printable};

/// Largest template in bytes, as JSON and, for a file, as text; also the largest after its aliases are written out.
/// Source: CloudFormation quotas, "Template body size in an Amazon S3 object" (1 MB).
pub const MAX_BYTES: usize = 1024 * 1024;
/// How deep lists and maps may lie in each other.
pub const MAX_DEPTH: usize = 64;
/// How many problems of one template are told.
pub const MAX_PROBLEMS: usize = 200;

/// Checks a value that did not come through the YAML loader.
pub(super) fn check(value: &Value) -> Vec<Problem> {
    let mut walk = Walk::default();
    if value.is_object() {
        walk.value(value, "", 1);
        if walk.bytes > MAX_BYTES {
            walk.tell(too_large());
        }
    } else {
        walk.tell(not_a_map());
    }
    walk.problems
}

pub(super) fn too_large() -> Problem {
    Problem::error(codes::TOO_LARGE, "", "the template is larger than 1 MB")
        .help("split the application into several stacks, or move large texts into files of their own")
}

pub(super) fn too_deep(path: &str) -> Problem {
    Problem::error(
        codes::TOO_DEEP,
        path,
        format!("lists and maps lie in each other more than {MAX_DEPTH} deep"),
    )
    .help("no CloudFormation resource needs that; look for an indentation that grew by mistake")
}

pub(super) fn not_a_map() -> Problem {
    Problem::error(codes::NOT_A_MAP, "", "a template is a map with `Resources` in it")
        .help("begin with `Transform: AWS::Serverless-2016-10-31` and `Resources:`")
}

pub(super) fn null(path: &str) -> Problem {
    Problem::error(
        codes::NULL,
        path,
        "there is no value here, and CloudFormation refuses empty values",
    )
    .help("write a value or remove the line; for an empty text write `\"\"`, for an empty map `{}`")
}

/// What is wrong with the characters of a string. Line breaks and tabs are text in a value, but not in a key.
pub(super) fn text(text: &str, is_key: bool, path: &str) -> Option<Problem> {
    let bad = text
        .chars()
        .find(|c| crate::problem::is_unprintable(*c) && (is_key || !matches!(c, '\n' | '\r' | '\t')))?;
    let what = if is_key { "key" } else { "text" };
    Some(
        Problem::error(
            codes::UNPRINTABLE,
            path,
            format!(
                "the {what} `{}` contains the invisible character {}",
                shown(text),
                bad.escape_unicode()
            ),
        )
        .help("remove it: such characters make a text look like another one"),
    )
}

/// A text as it appears in a message: printable, and not longer than a line.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let cut = match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    };
    printable(&cut)
}

#[derive(Default)]
struct Walk {
    problems: Vec<Problem>,
    /// Bytes of the value as JSON, give or take escapes.
    bytes: usize,
}

impl Walk {
    fn tell(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn value(&mut self, value: &Value, path: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return self.tell(too_deep(path));
        }
        match value {
            Value::Null => self.tell(null(path)),
            Value::Bool(_) | Value::Number(_) => self.bytes += 5,
            Value::String(s) => {
                self.bytes += s.len() + 3;
                if let Some(problem) = text(s, false, path) {
                    self.tell(problem);
                }
            }
            Value::Array(items) => {
                self.bytes += 2;
                for (at, item) in items.iter().enumerate() {
                    self.value(item, &format!("{path}/{at}"), depth + 1);
                }
            }
            Value::Object(members) => {
                self.bytes += 2;
                for (key, member) in members {
                    self.bytes += key.len() + 4;
                    let path = pointer(path, key);
                    if let Some(problem) = text(key, true, &path) {
                        self.tell(problem);
                    }
                    self.value(member, &path, depth + 1);
                }
            }
        }
    }
}
