//! What a tag that a developer gives may be: on the stack, and on every resource.

use crate::problem::is_unprintable;

/// Tags that a client or a developer may give to one thing. A stack and a resource hold 50 (Tagging AWS Resources, "Tag
/// naming limits"); `ProjectName`, `ConfigName` and `ServiceName` are Fenrir's.
pub const COUNT_LIMIT: usize = 47;
/// Characters of a key (`CloudFormation`, data type Tag).
pub const KEY_LIMIT: usize = 128;
/// Characters of a value (`CloudFormation`, data type Tag).
pub const VALUE_LIMIT: usize = 256;

/// Keys that decide who owns what, in lower case: services and people differ on whether case matters, so it does not.
const RESERVED: [&str; 4] = ["projectname", "configname", "servicename", "deploywithfenrir"];
const RESERVED_BEGINNINGS: [&str; 3] = ["fenrirallowed", "fenrirallallowed", "aws:"];

/// Whether only Fenrir or an administrator may set this key.
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    let key = key.trim().to_lowercase();
    RESERVED.contains(&key.as_str()) || RESERVED_BEGINNINGS.iter().any(|beginning| key.starts_with(beginning))
}

/// What is wrong with a tag's key, ready to stand behind the key in a message; `None` when nothing is.
#[must_use]
pub fn key_problem(key: &str) -> Option<&'static str> {
    if is_reserved(key) {
        Some("is reserved: it decides who owns what")
    } else if key.is_empty() || key.chars().count() > KEY_LIMIT {
        Some("must have 1 to 128 characters")
    } else if key.trim() != key {
        Some("begins or ends with a blank")
    } else if key.chars().any(is_foreign) {
        Some("has a character that tags do not take: letters, digits, blanks and `_ . : / = + - @` are allowed")
    } else {
        None
    }
}

/// What is wrong with a tag's value, ready to stand behind the value in a message; `None` when nothing is.
#[must_use]
pub fn value_problem(value: &str) -> Option<&'static str> {
    if value.chars().count() > VALUE_LIMIT {
        Some("is longer than 256 characters")
    } else if value.chars().any(is_foreign) {
        Some("has a character that tags do not take: letters, digits, blanks and `_ . : / = + - @` are allowed")
    } else {
        None
    }
}

/// Outside of what all services take (Tagging AWS Resources, "Tag naming limits").
fn is_foreign(c: char) -> bool {
    is_unprintable(c) || !(c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_keys_are_found_in_any_case() {
        for key in [
            "ProjectName",
            "projectname",
            "CONFIGNAME",
            "ServiceName",
            "FenrirAllAllowed",
            "fenrirallowed:a:b",
            "FenrirAllowed:",
            "DeployWithFenrir",
            "aws:cloudformation:stack-name",
            "AWS:x",
            " ProjectName",
            "ProjectName\t",
        ] {
            assert!(is_reserved(key), "{key:?}");
            assert!(key_problem(key).is_some(), "{key:?}");
        }
        for key in ["Project", "Team", "cost:center", "awsome"] {
            assert_eq!(key_problem(key), None, "{key}");
        }
    }

    #[test]
    fn limits_and_alphabet_hold() {
        assert_eq!(key_problem(&"k".repeat(128)), None);
        assert!(key_problem(&"k".repeat(129)).is_some());
        assert!(key_problem("").is_some());
        assert_eq!(value_problem(""), None);
        assert_eq!(value_problem("Zoë + 1 = 2 @ a/b:c"), None);
        for value in ["a\nb", "\u{202e}x", "<b>", "{{resolve:ssm:x}}", &"v".repeat(257)] {
            assert!(value_problem(value).is_some(), "{value:?}");
        }
    }
}
