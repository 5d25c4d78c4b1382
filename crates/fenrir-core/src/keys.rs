//! Where things lie in the bucket and in the tables.
//!
//! The `/` of a project is written `!`, which no project may contain. So the number of segments before the config is
//! fixed, and no owner's prefix contains another's.

use crate::house;
use crate::owner::{Owner, config_problem, project_problem};

/// `<account>/<region>/<project>/<config>`: the key of the lock and the partition key of the records.
#[must_use]
pub fn owner(owner: &Owner) -> String {
    format!(
        "{}/{}/{}/{}",
        owner.account,
        owner.region,
        owner.project.replace('/', "!"),
        owner.config
    )
}

/// The owner that has this key; `None` for a key that no owner has.
#[must_use]
pub fn parse_owner(key: &str) -> Option<Owner> {
    let parts: Vec<&str> = key.split('/').collect();
    let [account, region, project, config] = parts.as_slice() else {
        return None;
    };
    let found = Owner {
        account: (*account).to_owned(),
        region: (*region).to_owned(),
        project: project.replace('!', "/"),
        config: (*config).to_owned(),
    };
    let is_owner = account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !region.is_empty()
        && project_problem(&found.project).is_none()
        && config_problem(config).is_none();
    is_owner.then_some(found)
}

/// The items of the lock table that, when they are there, keep the owner from deploying: a freeze of the account, of the
/// project, of the config. No owner's lock has such a key, as no account is called `freeze`.
#[must_use]
pub fn freezes(o: &Owner) -> [String; 3] {
    let project = o.project.replace('/', "!");
    [
        freeze_of_account(&o.account),
        format!("freeze/{}/{project}", o.account),
        format!("freeze/{}/{project}/{}", o.account, o.config),
    ]
}

/// The first of [`freezes`], which is of no project.
#[must_use]
pub fn freeze_of_account(account: &str) -> String {
    format!("freeze/{account}")
}

/// The item of the lock table that asks a release of this owner to stop. No owner's lock has such a key, as no account is
/// called `halt`.
#[must_use]
pub fn halt(o: &Owner) -> String {
    format!("halt/{}", owner(o))
}

/// `<owner>/<release id>/`: everything that the client uploads for one release.
#[must_use]
pub fn release_prefix(o: &Owner, release_id: &str) -> String {
    format!("{}/{release_id}/", owner(o))
}

/// `<owner>/<release id>/release`: the release as the client stored it.
#[must_use]
pub fn release(o: &Owner, release_id: &str) -> String {
    format!("{}release", release_prefix(o, release_id))
}

/// `<owner>/artifacts/<sha256><suffix>`: an artifact, named by its content, shared by all releases of the owner.
/// A release id has no such form: it would have to be `artifacts`, which [`crate::release`] refuses.
#[must_use]
pub fn artifact(o: &Owner, sha256: &str, suffix: &str) -> String {
    format!("{}{sha256}{suffix}", artifact_prefix(o))
}

/// `<owner>/artifacts/`.
#[must_use]
pub fn artifact_prefix(o: &Owner) -> String {
    format!("{}/artifacts/", owner(o))
}

/// `fenrir/<owner>/<release id>/<name>`: what Fenrir itself writes about a release.
#[must_use]
pub fn own(o: &Owner, release_id: &str, name: &str) -> String {
    format!("{}{}{name}", house::OWN_PREFIX, release_prefix(o, release_id))
}

/// An S3 object's address, `s3://bucket/key`, in the one spelling that Fenrir takes: what is compared as text must not
/// be written in two ways.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uri {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
}

impl Uri {
    /// Parses the one spelling: a bucket of 3 to 63 of `a-z 0-9 . -` (S3, "Bucket naming rules"), a key of at most 1,024
    /// of the characters that need no encoding (S3, "Object key names", safe characters, and `= + @ : ,`), no empty
    /// segment and none of dots alone.
    ///
    /// # Errors
    /// What is wrong, ready to stand behind the address in a message.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix("s3://").ok_or("does not begin with `s3://`")?;
        let (bucket, key) = rest.split_once('/').ok_or("has no key behind the bucket")?;
        if !is_bucket(bucket) {
            return Err("has no valid bucket name");
        }
        if key.is_empty() || key.len() > 1024 {
            return Err("must have a key of 1 to 1,024 characters");
        }
        if !key.chars().all(is_plain) {
            return Err("has a character in its key other than letters, digits and `! - _ . * ' ( ) = + @ : , /`");
        }
        if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err("has a part between slashes that is empty, `.` or `..`");
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

impl std::fmt::Display for Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!-_.*'()=+@:,/".contains(c)
}

/// Whether a bucket may have this name (S3, "General purpose bucket naming rules").
#[must_use]
pub fn is_bucket(name: &str) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|c| is_end(c) || matches!(c, '.' | '-'))
        && name.starts_with(is_end)
        && name.ends_with(is_end)
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    /// Everything that can be spelled with few characters, and what is near the separators of keys.
    fn owners() -> Vec<Owner> {
        let projects = [
            "a",
            "a/b",
            "a/b/c",
            "a-b",
            "a.b",
            "artifacts",
            "fenrir",
            "1",
            "a/artifacts",
        ];
        let configs = ["a", "b", "c-d", "d", "artifacts", "release", "1"];
        let mut all = Vec::new();
        for account in ["111111111111", "222222222222"] {
            for region in ["us-east-1", "us-east-2"] {
                for project in projects {
                    for config in configs {
                        assert_eq!((project_problem(project), config_problem(config)), (None, None));
                        all.push(Owner {
                            account: account.into(),
                            region: region.into(),
                            project: project.into(),
                            config: config.into(),
                        });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn a_key_says_whose_it_is_and_no_other_key_does() {
        for one in owners() {
            assert_eq!(parse_owner(&owner(&one)), Some(one));
        }
        for key in [
            "",
            "freeze/111111111111",
            "freeze/111111111111/a/b",
            "halt/111111111111/us-east-1/a/b",
            "111111111111/us-east-1/a",
            "111111111111/us-east-1/a/b/c",
            "111111111111//a/b",
            "111111111111/us-east-1/A/b",
            "11111111111x/us-east-1/a/b",
        ] {
            assert_eq!(parse_owner(key), None, "{key}");
        }
    }

    #[test]
    fn keys_of_two_owners_are_prefix_free() {
        let keys: Vec<Vec<String>> = owners()
            .iter()
            .map(|o| {
                vec![
                    format!("{}/", owner(o)),
                    release_prefix(o, "release-1"),
                    artifact_prefix(o),
                    own(o, "release-1", ""),
                ]
            })
            .collect();
        for (i, mine) in keys.iter().enumerate() {
            for (j, others) in keys.iter().enumerate() {
                for (a, b) in mine.iter().flat_map(|a| others.iter().map(move |b| (a, b))) {
                    assert!(i == j || !a.starts_with(b.as_str()), "`{a}` lies under `{b}`");
                }
            }
        }
    }

    #[test]
    fn addresses_have_one_spelling() {
        let uri = Uri::parse("s3://bucket/a/b.zip").unwrap();
        assert_eq!((uri.bucket.as_str(), uri.key.as_str()), ("bucket", "a/b.zip"));
        assert_eq!(uri.to_string(), "s3://bucket/a/b.zip");
        for text in [
            "",
            "bucket/key",
            "S3://bucket/key",
            "s3:///key",
            "s3://bucket",
            "s3://bucket/",
            "s3://bucket//key",
            "s3://bucket/a/../b",
            "s3://bucket/a/./b",
            "s3://bucket/a%2Fb",
            "s3://bucket/a?versionId=1",
            "s3://bucket/a b",
            "s3://bucket/ä",
            "s3://Bucket/a",
            "s3://b/a",
            "s3://bucket-/a",
            "s3://user@bucket/a",
        ] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }
}
