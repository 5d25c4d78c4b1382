//! The release of this deploy: its id, and what is remembered about it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::{Command, Stdio};

use fenrir_aws::fault;
use fenrir_core::deployment::Operation;
use fenrir_core::owner::Owner;
use fenrir_core::problem::Problem;
use fenrir_core::release::{Release, TemplateSource};
use fenrir_core::{keys, timestamp};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::archive::hex;
use crate::aws::{Aws, unusable};
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::source::Source;
use crate::upload;

/// What the developer says about a release beside its template.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Deploy, or only plan.
    pub operation: Operation,
    /// Seconds.
    pub timeout: u32,
    /// Tags of the stack.
    pub tags: BTreeMap<String, String>,
    /// To be remembered.
    pub metadata: BTreeMap<String, String>,
}

/// Makes the release, and proves it by the deployer's own rules before anything is sent.
///
/// # Errors
/// What the deployer would refuse.
pub fn make(
    owner: &Owner,
    bucket: &str,
    template: Value,
    hashes: BTreeMap<String, String>,
    wishes: Wishes,
) -> Result<Release, Vec<Problem>> {
    let now = OffsetDateTime::now_utc();
    let release = Release {
        operation: wishes.operation,
        release_id: id(now),
        project_name: owner.project.clone(),
        config_name: owner.config.clone(),
        aws_account_id: owner.account.clone(),
        aws_region: owner.region.clone(),
        bucket: Some(bucket.to_owned()),
        created_at: timestamp::format(now),
        timeout: wishes.timeout,
        template: TemplateSource::Inline { template },
        s3_uris_sha256s: hashes,
        change_set_tags: wishes.tags,
        metadata: wishes.metadata,
    };
    Release::parse(&value(&release))
}

/// Why a release that [`make`] refuses is not sent.
#[must_use]
pub fn unfit(problems: Vec<Problem>) -> Stop {
    Stop::Problems {
        exit: Exit::Usage,
        problems,
        source: Source {
            name: "the release".to_owned(),
            text: String::new(),
        },
    }
}

/// Stores the release, with its template beside it. Returns the input of its execution.
///
/// The template is never in the execution's input, however small it is: whoever may follow a deploy may read that, and
/// the right to follow knows no projects; the bucket's keys do. Operators find the input short.
///
/// # Errors
/// The bucket does not take it.
pub async fn store(aws: &Aws, release: &Release) -> Result<String, Fault> {
    let owner = release.owner();
    let mut release = release.clone();
    if let TemplateSource::Inline { template } = &release.template {
        let text = template.to_string();
        let key = format!("{}template.json", keys::release_prefix(&owner, &release.release_id));
        upload::text(aws, &key, &text).await?;
        release.template = TemplateSource::Stored {
            template_uri: format!("s3://{}/{key}", aws.bucket),
            template_sha256: hex(&Sha256::digest(text.as_bytes())),
        };
    }
    let input = value(&release).to_string();
    upload::text(aws, &keys::release(&owner, &release.release_id), &input).await?;
    Ok(input)
}

/// Starts the execution of a release that is stored. Returns its ARN.
///
/// # Errors
/// The state machine does not take it.
pub async fn start(aws: &Aws, release_id: &str, input: String) -> Result<String, Fault> {
    let start = aws
        .sfn
        .start_execution()
        .state_machine_arn(&aws.machine.arn)
        .name(release_id)
        .input(input);
    match start.send().await {
        Ok(answer) => Ok(answer.execution_arn().to_owned()),
        Err(error) => Err(not_started(aws, &fault("states:StartExecution", &error))),
    }
}

fn not_started(aws: &Aws, fault: &fenrir_core::error::Fault) -> Fault {
    if fault.is("StateMachineDoesNotExist") || fault.is("InvalidArn") {
        return Fault::usage(format!("there is no deployer `{}`", aws.machine.arn)).help(
            "say where it is with `--deployer-account`, or with `--state-machine` when it lives in another region than \
             the application, or let an administrator install it",
        );
    }
    unusable("starting the deploy", fault)
}

/// A struct of texts, numbers and JSON always serialises.
fn value(release: &Release) -> Value {
    serde_json::to_value(release).unwrap_or_default()
}

/// A new release id: the time, so that ids sort by it, and something that no other release has.
#[must_use]
pub fn id(now: OffsetDateTime) -> String {
    // Unique is enough: who may deploy is decided by who may write under the owner's prefix, not by who knows an id.
    let unique = RandomState::new().hash_one(now.unix_timestamp_nanos()) & 0xff_ffff_ffff;
    let (year, month, day) = (now.year(), u8::from(now.month()), now.day());
    let (hour, minute, second) = now.to_hms();
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}-{unique:010x}")
}

/// What git knows of the folder that is deployed: its commit, and whether files were changed since.
#[must_use]
pub fn commit(folder: &Path) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::new();
    if let Some(commit) = git(folder, &["rev-parse", "--verify", "HEAD"]) {
        metadata.insert("commit".to_owned(), commit);
        let changes = git(folder, &["status", "--porcelain", "--untracked-files=no"]);
        if changes.is_some_and(|changes| !changes.is_empty()) {
            metadata.insert("uncommitted_changes".to_owned(), "true".to_owned());
        }
    }
    metadata
}

/// What git says; `None` when it is not there or has nothing to say.
///
/// The folder may be somebody else's work. Git must take no settings from a repository that lies in it disguised as files,
/// and start none of the programs that settings can name for looking at it.
///
/// Source: git-config, `safe.bareRepository`, `core.fsmonitor`; git, `--no-optional-locks`.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args([
            "--no-optional-locks",
            "-c",
            "safe.bareRepository=explicit",
            "-c",
            "core.fsmonitor=false",
        ])
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    output.status.success().then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_unique() {
        let early = OffsetDateTime::UNIX_EPOCH;
        let late = early + time::Duration::days(20_000);
        assert!(id(early) < id(late));
        assert_ne!(id(early), id(early));
        assert!(id(late).starts_with("20241004000000-"));
        assert_eq!(id(late).len(), 25);
    }
}
