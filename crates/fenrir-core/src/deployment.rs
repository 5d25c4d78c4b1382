//! What goes from step to step. Small whatever the size of the template: texts lie in S3, here are pointers to them.
//!
//! Only Fenrir writes it: the client's input reaches the machine under `release` of [`Start`], and Validate answers
//! with a [`Deployment`] of its own making.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::error::ErrorName;
use crate::owner::Owner;
use crate::problem::printable;
use crate::{house, timestamp};

/// What the state machine hands to Validate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The execution, from the context object.
    pub execution: StartedExecution,
    /// The execution's whole input, as the client sent it. Nothing in it is believed before it is proven.
    pub release: Value,
    /// How Validate itself broke down, when that is to be recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broke_down: Option<Caught>,
}

/// The execution as the context object names it (`$$.Execution`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartedExecution {
    /// `$$.Execution.Id`: the ARN.
    pub arn: String,
    /// `$$.Execution.Name`; must be the release id.
    pub name: String,
    /// `$$.Execution.StartTime`, RFC 3339.
    pub started_at: String,
}

/// The state between the steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// What is deployed, and where.
    pub release: Head,
    /// Who deploys it.
    pub execution: Execution,
    /// The rewritten template.
    pub template: Pointer,
    /// What only some steps need of the release.
    pub manifest: ManifestAt,
    /// The stack.
    pub stack: Stack,
    /// The change set, once `CreateChangeSet` made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_set: Option<ChangeSet>,
    /// How long the next Wait state waits.
    pub wait: Wait,
    /// When its phases ended.
    #[serde(default, skip_serializing_if = "Times::is_empty")]
    pub times: Times,
    /// Somebody asked the deploy to stop, and a step has seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// The first thing that went wrong, as a step understood it. A step that fails without being able to say so
    /// leaves only [`Deployment::error`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What a Catch of the state machine wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Caught>,
    /// `CleanUp` ran to its end: nothing half-made is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cleaned: bool,
    /// The end, once `ReleaseLock` decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

impl Deployment {
    /// Notes what went wrong. The first thing stays: what follows from it explains nothing.
    pub fn fail(&mut self, error: ErrorName, cause: &str) {
        self.failure.get_or_insert_with(|| Failure::new(error, cause));
    }

    /// What lies in S3 about it, by the names that a record gives it.
    #[must_use]
    pub fn stored(&self) -> BTreeMap<String, Pointer> {
        let mut stored = BTreeMap::from([("template".to_owned(), self.template.clone())]);
        if let ManifestAt::Stored(manifest) = &self.manifest {
            stored.insert("manifest".to_owned(), manifest.clone());
        }
        if let Some(changes) = self
            .change_set
            .as_ref()
            .and_then(|change_set| change_set.changes.as_ref())
        {
            stored.insert("changes".to_owned(), changes.clone());
        }
        stored
    }

    /// How long the deploy is past its deadline; negative before. A deadline that cannot be read passed long ago.
    #[must_use]
    pub fn overdue(&self, now: OffsetDateTime) -> Duration {
        timestamp::parse(&self.release.deadline).map_or(Duration::MAX, |deadline| now - deadline)
    }

    /// The time that the release gives itself, from the execution's start to the deadline.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        let start = timestamp::parse(&self.execution.started_at);
        let deadline = timestamp::parse(&self.release.deadline);
        start
            .zip(deadline)
            .map_or(Duration::ZERO, |(start, deadline)| deadline - start)
    }
}

/// When the phases of a deploy ended: RFC 3339, to the millisecond. The execution says when it started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// The release was validated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validated: Option<String>,
    /// The change set was made and judged, or will not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_set: Option<String>,
    /// The stack came to rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed: Option<String>,
}

impl Times {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Who asked a deploy to stop, and why (`fenrir halt`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// ARN of the caller, as STS names it to the command.
    pub who: String,
    /// When, RFC 3339.
    pub since: String,
    /// Why.
    pub reason: String,
}

impl Halt {
    /// Characters of `who` and of `reason` that the state takes: a table's item may be 400 KB (DynamoDB quotas, "Item
    /// size"), the state stays small.
    const LIMIT: usize = 500;

    /// `` `who` halted it at `since`: reason ``, with nothing unprintable in it.
    #[must_use]
    pub fn describe(&self) -> String {
        let text = |text: &str| printable(&cut(text, Self::LIMIT));
        format!(
            "`{}` halted it at `{}`: {}",
            text(&self.who),
            text(&self.since),
            text(&self.reason)
        )
    }

    /// What to do after it.
    pub const THEN: &str = "run `fenrir deploy` again when whoever halted it agrees";

    /// The same, short enough for the state.
    #[must_use]
    pub fn short(self) -> Self {
        Self {
            who: cut(&self.who, Self::LIMIT),
            since: cut(&self.since, Self::LIMIT),
            reason: cut(&self.reason, Self::LIMIT),
        }
    }
}

/// The part of a release that every step needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// What to do with the change set.
    pub operation: Operation,
    /// `[A-Za-z0-9_-]{8,64}`, also the execution's name.
    pub release_id: String,
    /// Account, region, project, config.
    #[serde(flatten)]
    pub owner: HeadOwner,
    /// The deployer's bucket of the region.
    pub bucket: String,
    /// When the whole deploy must be done, RFC 3339: the execution's start plus the release's `timeout`.
    pub deadline: String,
}

/// An [`Owner`] under the release's own field names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadOwner {
    /// Account id.
    pub aws_account_id: String,
    /// Region.
    pub aws_region: String,
    /// Project.
    pub project_name: String,
    /// Config.
    pub config_name: String,
}

impl Head {
    /// The owner.
    #[must_use]
    pub fn owner(&self) -> Owner {
        let o = &self.owner;
        Owner {
            account: o.aws_account_id.clone(),
            region: o.aws_region.clone(),
            project: o.project_name.clone(),
            config: o.config_name.clone(),
        }
    }
}

impl Head {
    /// A sentence for people, cut to [`Failure::CAUSE_LIMIT`] and ended by the release id, so that whoever reads it can find
    /// everything else. The state machine signs what Validate and Lock say the same way.
    #[must_use]
    pub fn sign(&self, sentence: &str) -> String {
        format!("{} (release {})", cut(sentence, Failure::CAUSE_LIMIT), self.release_id)
    }
}

impl From<Owner> for HeadOwner {
    fn from(o: Owner) -> Self {
        Self {
            aws_account_id: o.account,
            aws_region: o.region,
            project_name: o.project,
            config_name: o.config,
        }
    }
}

/// What a release asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Make the change set and execute it.
    #[default]
    Deploy,
    /// Make the change set, tell what it would do, and remove it.
    Plan,
}

/// The execution that deploys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Execution {
    /// ARN: names the lock's holder.
    pub arn: String,
    /// Start, RFC 3339.
    pub started_at: String,
}

/// One version of one object of Fenrir's own, and the proof of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointer {
    /// Bucket.
    pub bucket: String,
    /// Key, under [`house::OWN_PREFIX`].
    pub key: String,
    /// Version id; never empty and never `null`.
    pub version_id: String,
    /// SHA-256 of the bytes, 64 lower-case hex digits.
    pub sha256: String,
}

impl Pointer {
    /// Whether a step may follow this pointer for this release: the release's bucket, Fenrir's own prefix of this very
    /// release, a real version, a whole digest. Anybody who could make a step read something else could deploy it.
    #[must_use]
    pub fn is_own(&self, head: &Head) -> bool {
        self.bucket == head.bucket
            && self
                .key
                .starts_with(&crate::keys::own(&head.owner(), &head.release_id, ""))
            && self.key.starts_with(house::OWN_PREFIX)
            && !self.version_id.is_empty()
            && self.version_id != "null"
            && self.sha256.len() == 64
            && self
                .sha256
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }
}

/// Where the manifest is: in the state while it is small, so that steps need not fetch it, else in S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestAt {
    /// Here.
    Here(Manifest),
    /// Stored as JSON.
    Stored(Pointer),
}

/// What later steps need of the release and may be large.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// All tags of the stack: the release's `change_set_tags` and Fenrir's `ProjectName` and `ConfigName`.
    pub tags: BTreeMap<String, String>,
    /// The release's `metadata`.
    pub metadata: BTreeMap<String, String>,
}

impl Manifest {
    /// Bytes of JSON up to which it goes in the state: the state is read by people, and Step Functions keeps it at every
    /// event of the history.
    pub const SMALL: usize = 2048;
}

/// The stack of the deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// Generated name.
    pub name: String,
    /// ARN, once known. From then on every call uses it: a stack of the same name made later is another stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Whether the change set creates or updates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<StackAction>,
    /// How the execution of the change set stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// What the change set does to the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StackAction {
    /// The stack is new: this execution created it, and may delete it if it never completes.
    Create,
    /// The stack was there.
    Update,
}

/// How the execution of a change set stands. The Choice `Executed?` reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Progress {
    /// CloudFormation is at it (also when nobody knows yet whether it began).
    InProgress,
    /// The stack reached the wanted state.
    Succeeded,
    /// It did not; [`Deployment::failure`] says why.
    Failed,
}

/// The change set of the deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeSet {
    /// Name, derived from the execution.
    pub name: String,
    /// ARN, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// How it stands. The Choice `ChangeSetReady?` reads it.
    pub status: ChangeSetStatus,
    /// What a plan found that it would do ([`crate::plan::Plan`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Pointer>,
    /// It is the second one: the first was outdated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remade: bool,
}

/// How a change set stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeSetStatus {
    /// CloudFormation is making it.
    Pending,
    /// Made, and it passed the second check.
    Ready,
    /// The stack is what the template says: a success, and nothing to execute.
    NoChanges,
    /// A plan: made, checked, described, and to be removed.
    Planned,
    /// Outdated: another change set was executed after this one was made. It is made anew, once.
    Obsolete,
    /// Not to be had, or refused; [`Deployment::failure`] says why.
    Failed,
}

/// How long to wait, and for how many polls already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Seconds; at least 1.
    pub seconds: u32,
    /// Polls since this wait began.
    pub polls: u32,
}

impl Wait {
    /// A wait that begins.
    #[must_use]
    pub const fn first() -> Self {
        Self { seconds: 1, polls: 0 }
    }

    /// Whether this poll asks if somebody halted the deploy: each one that waited long, and one in four of those that
    /// did not. Execute has looked just before the first.
    #[must_use]
    pub const fn looks_for_a_halt(self) -> bool {
        self.seconds >= 5 || self.polls % 4 == 3
    }

    /// The wait after one more poll: short at first, so that a 30-second deploy ends soon after CloudFormation does;
    /// longer later, so that half an hour enters no more than 150 states and 12 hours stay far below 25,000 history
    /// events (source: Step Functions quotas). A poll enters 3 states, so 43 polls are to be spent where people wait:
    /// from half a minute on, a wait is about a sixth of the time that has passed, and at most two minutes.
    /// `tests/waits/pace.rs` computes what comes of it.
    #[must_use]
    pub const fn next(self) -> Self {
        let polls = self.polls.saturating_add(1);
        let seconds = match polls {
            0..=3 => 1,
            4..=7 => 2,
            8..=12 => 3,
            13..=14 => 5,
            15..=16 => 8,
            17..=18 => 12,
            19 => 16,
            20 => 20,
            21 => 25,
            22..=28 => 30,
            29..=30 => 60,
            _ => 120,
        };
        Self { seconds, polls }
    }
}

/// What went wrong, for the end of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// An [`crate::error::ErrorName`].
    pub error: String,
    /// What failed, where, why, and what to do next: at most [`Failure::CAUSE_LIMIT`] bytes of JSON.
    pub cause: String,
}

impl Failure {
    /// Bytes of a cause, as JSON writes it: enough for a screen, and far below Step Functions' limits. The state may
    /// hold three of them (what failed, what failed afterwards, the end), one of which is JSON within JSON, and stays
    /// below 16 KiB even of the longest names (`tests/waits/size.rs`).
    pub const CAUSE_LIMIT: usize = 3_000;

    /// A failure whose cause is cut to the limit.
    #[must_use]
    pub fn new(error: ErrorName, cause: &str) -> Self {
        Self {
            error: error.to_string(),
            cause: cut(cause, Self::CAUSE_LIMIT),
        }
    }
}

/// `text`, or its beginning and `...`, in at most `limit` bytes of JSON: what AWS says may be full of quotes, or of
/// characters of four bytes.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    const MORE: &str = "...";
    // serde_json escapes these, and control characters as six bytes at most.
    let bytes = |c: char| match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if c.is_ascii_control() => 6,
        c => c.len_utf8(),
    };
    if text.chars().map(bytes).sum::<usize>() <= limit {
        return text.to_owned();
    }
    let mut left = limit.saturating_sub(MORE.len());
    let fits = |c: &char| {
        let rest = left.checked_sub(bytes(*c));
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push_str(MORE);
    short
}

/// The error output of a Catch (`ResultPath: $.error`). Source: Amazon States Language, "Catchers".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caught {
    /// Error name.
    #[serde(rename = "Error")]
    pub error: String,
    /// For a Lambda function's error a JSON text with `errorType` and `errorMessage`.
    #[serde(rename = "Cause", default)]
    pub cause: String,
}

impl Caught {
    /// The sentence in it.
    #[must_use]
    pub fn message(&self) -> String {
        serde_json::from_str::<Value>(&self.cause)
            .ok()
            .and_then(|cause| cause.get("errorMessage").and_then(Value::as_str).map(str::to_owned))
            .unwrap_or_else(|| self.cause.clone())
    }
}

/// How a deploy ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// The stack is what the release says.
    Success,
    /// It failed, and nothing half-made is left.
    FailureClean,
    /// It failed, something is left, the lock is kept and the team alerted.
    FailureDirty,
}

/// The end of a deploy. The Choice `Success?` and the Fail states read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How.
    pub outcome: Outcome,
    /// For a failure `FailureClean.<error>` or `FailureDirty.<error>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// For a failure a sentence that ends with the release id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_fits_as_json_and_ends_at_a_whole_character() {
        for text in ["x", "\"", "\u{20ac}", "\u{1f43a}", "\n", "\u{1}", "\\\u{20ac}"] {
            let long = cut(&text.repeat(1_000), 100);
            let json = Value::String(long.clone()).to_string();
            assert!(json.len() - 2 <= 100 && json.len() > 90, "{json}");
            assert!(long.ends_with("..."), "{long}");
            assert_eq!(cut(&long, 100), long, "what fits stays");
        }
    }

    #[test]
    fn twelve_hours_of_waiting_stay_below_the_history_limit() {
        let (mut wait, mut seconds) = (Wait::first(), 0);
        while seconds < 12 * 3600 {
            seconds += wait.seconds;
            wait = wait.next();
        }
        assert!(wait.polls * 13 < 25_000 / 2, "{} polls", wait.polls);
    }
}
