//! Limits of every template, however it came: size, depth, null, and characters that would deceive a reader.

use std::fmt::Write as _;

use serde_json::Value;

use crate::codes;
use crate::problem::{Problem, pointer, printable};

/// Largest template in bytes, as JSON and, for a file, as text; also the largest after its aliases are written out.
/// Source: CloudFormation quotas, "Template body size in an Amazon S3 object" (1 MB).
pub const MAX_BYTES: usize = 1024 * 1024;
/// Longest key, in bytes. Longer than every name that `CloudFormation` or a service behind it takes, and short enough that
/// the path of a problem can be told.
pub const MAX_KEY_BYTES: usize = 512;
/// How deep lists and maps may lie in each other.
pub const MAX_DEPTH: usize = 64;
/// How many problems of one template are told.
pub const MAX_PROBLEMS: usize = 200;

/// Checks a value that did not come through the YAML loader.
pub(super) fn check(value: &Value) -> Vec<Problem> {
    let mut walk = Walk::default();
    if value.is_object() {
        walk.value(value, 1);
        if size(value) > MAX_BYTES {
            walk.tell(|_| too_large());
        }
    } else {
        walk.tell(|_| not_a_map());
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

/// `path` is that of the map that has the key.
pub(super) fn long_key(path: &str, key: &str) -> Problem {
    Problem::error(
        codes::LONG_KEY,
        path,
        format!("the key `{}` is longer than {MAX_KEY_BYTES} bytes", shown(key)),
    )
    .help("write a shorter one; long texts are values")
}

/// Bytes of a value as JSON, give or take escapes.
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 5,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 2 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => {
            2 + members
                .iter()
                .map(|(key, member)| key.len() + 4 + size(member))
                .sum::<usize>()
        }
    }
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
    /// The pointer of the part that is looked at: one text that grows and shrinks, because a template of 1 MB has half
    /// a million parts.
    path: String,
}

impl Walk {
    fn tell(&mut self, make: impl FnOnce(&str) -> Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(make(&self.path));
        }
    }

    fn text(&mut self, text: &str, is_key: bool) {
        if let Some(problem) = self::text(text, is_key, "") {
            self.tell(|path| Problem {
                path: path.to_owned(),
                ..problem
            });
        }
    }

    fn value(&mut self, value: &Value, depth: usize) {
        if depth > MAX_DEPTH {
            return self.tell(too_deep);
        }
        let above = self.path.len();
        match value {
            Value::Null => self.tell(null),
            Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.text(text, false),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    // Writing to a string cannot fail.
                    let _ = write!(self.path, "/{at}");
                    self.value(item, depth + 1);
                    self.path.truncate(above);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    if key.len() > MAX_KEY_BYTES {
                        self.tell(|path| long_key(path, key));
                        continue;
                    }
                    self.path.push_str(&pointer("", key));
                    self.text(key, true);
                    self.value(member, depth + 1);
                    self.path.truncate(above);
                }
            }
        }
    }
}
