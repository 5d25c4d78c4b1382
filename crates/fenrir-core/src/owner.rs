//! Who owns what a deploy touches: an account, a region, a project and a config.

use serde::{Deserialize, Serialize};

/// The owner of a stack and everything in it. Two different owners never share a lock, a name or a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// AWS account id, 12 digits.
    pub account: String,
    /// AWS region, such as `eu-west-1`.
    pub region: String,
    /// `ProjectName`: lower-case path segments, such as `payments/ledger`.
    pub project: String,
    /// `ConfigName`: such as `production`.
    pub config: String,
}

/// The account of an [`Owner`] when nobody said which one (`fenrir validate` without `--account`). It reads well in an
/// ARN, and no release can have it: an account is 12 digits.
pub const UNKNOWN_ACCOUNT: &str = "<account>";
/// The region of an [`Owner`] when nobody said which one. No release can have it either.
pub const UNKNOWN_REGION: &str = "<region>";

impl Owner {
    /// Whether somebody said which account it is.
    #[must_use]
    pub fn has_account(&self) -> bool {
        self.account != UNKNOWN_ACCOUNT
    }

    /// Whether somebody said which region it is.
    #[must_use]
    pub fn has_region(&self) -> bool {
        self.region != UNKNOWN_REGION
    }

    /// The partition of the owner's region (`aws`, `aws-cn`, `aws-us-gov`), by the region's prefix.
    ///
    /// Source: AWS General Reference, "Amazon Resource Names (ARNs)".
    #[must_use]
    pub fn partition(&self) -> &'static str {
        if self.region.starts_with("cn-") {
            "aws-cn"
        } else if self.region.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }
}

/// Characters of a project. With [`CONFIG_LIMIT`] it keeps the tag key `FenrirAllowed:<project>:<config>` within the
/// 128 characters of a tag key (Tagging AWS Resources, "Tag naming limits").
pub const PROJECT_LIMIT: usize = 80;
/// Characters of a config.
pub const CONFIG_LIMIT: usize = 32;

/// What is wrong with a project's name, ready to stand behind the name in a message; `None` when nothing is.
///
/// Segments joined by `/`, each of `a-z`, `0-9`, `.`, `_`, `-` and beginning with a letter or digit. The alphabet is
/// small on purpose: keys, names, tags and paths are made of it, and none of them may be spelled two ways.
#[must_use]
pub fn project_problem(project: &str) -> Option<&'static str> {
    let in_alphabet = |c: char| is_lower_or_digit(c) || matches!(c, '.' | '_' | '-');
    if project.is_empty() {
        Some("is empty")
    } else if project.chars().count() > PROJECT_LIMIT {
        Some("is longer than 80 characters")
    } else if project.contains("..") {
        Some("has two dots in a row")
    } else if project
        .split('/')
        .any(|segment| !segment.starts_with(is_lower_or_digit))
    {
        Some("has a part between slashes that does not begin with a lower-case letter or a digit")
    } else if !project.split('/').all(|segment| segment.chars().all(in_alphabet)) {
        Some("has a character other than `a` to `z`, `0` to `9`, `.`, `_`, `-` and `/`")
    } else {
        None
    }
}

/// What is wrong with a config's name, ready to stand behind the name in a message; `None` when nothing is.
///
/// `a-z`, `0-9` and `-`, beginning with a letter or digit. So neither `_all`, which opens a security group to every
/// config, nor a `/`, `:` or `!` can be one.
#[must_use]
pub fn config_problem(config: &str) -> Option<&'static str> {
    if config.is_empty() {
        Some("is empty")
    } else if config.chars().count() > CONFIG_LIMIT {
        Some("is longer than 32 characters")
    } else if !config.starts_with(is_lower_or_digit) {
        Some("does not begin with a lower-case letter or a digit")
    } else if !config.chars().all(|c| is_lower_or_digit(c) || c == '-') {
        Some("has a character other than `a` to `z`, `0` to `9` and `-`")
    } else {
        None
    }
}

fn is_lower_or_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_alphabet_pass() {
        for project in ["a", "payments/ledger", "0", "a.b_c-d/e", &"p".repeat(PROJECT_LIMIT)] {
            assert_eq!(project_problem(project), None, "{project}");
        }
        for config in ["production", "dev-2", "0", &"c".repeat(CONFIG_LIMIT)] {
            assert_eq!(config_problem(config), None, "{config}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = "p".repeat(PROJECT_LIMIT + 1);
        for project in [
            "", "/", "a/", "/a", "a//b", "A", "_all", ".a", "a/.b", "a..b", "a!b", "a b", "a:b", "ä", "а", "a\n", &long,
        ] {
            assert!(project_problem(project).is_some(), "{project:?}");
        }
        let long = "c".repeat(CONFIG_LIMIT + 1);
        for config in [
            "", "_all", "-a", "a_b", "a.b", "a/b", "A", "a!b", "a:b", "ä", "a\n", &long,
        ] {
            assert!(config_problem(config).is_some(), "{config:?}");
        }
    }

    #[test]
    fn the_tag_key_that_names_both_fits() {
        assert!("FenrirAllowed::".len() + PROJECT_LIMIT + CONFIG_LIMIT <= 128);
    }
}
