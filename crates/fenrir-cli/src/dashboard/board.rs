//! What the page shows, as data: the same for the page, for `board.json` and for a test.

use fenrir_core::deployment::Operation;
use fenrir_core::owner::Owner;
use fenrir_core::{keys, timestamp};
use fenrir_store::current::Summary;
use fenrir_store::history::{Entry, Said};
use fenrir_store::{Freeze, Holder, Status};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// Everything that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// When it was read, RFC 3339.
    pub made_at: String,
    /// Account of the deployer.
    pub account: String,
    /// Region of the deployer.
    pub region: String,
    /// What is not shown, and why.
    pub notes: Vec<String>,
    /// The configs, sorted by project, config, account and region.
    pub configs: Vec<Config>,
}

/// A config of a project, in one account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Whose.
    pub owner: Owner,
    /// What the stack runs: the newest release that succeeded.
    pub deployed: Option<Release>,
    /// The newest deploy that has ended, whatever its end.
    pub last: Option<Release>,
    /// The release that runs.
    pub running: Option<Release>,
    /// The newest releases, newest first. Not of every config: see [`Board::notes`].
    pub history: Vec<Release>,
    /// Who holds the lock.
    pub lock: Option<Holder>,
    /// What keeps it from being deployed: freezes of the account, the project and the config.
    pub freezes: Vec<Freeze>,
    /// Where its execution is.
    pub run: Option<Run>,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its id.
    pub release_id: String,
    /// How it stands.
    pub status: Said<Status>,
    /// Deploy or plan.
    pub operation: Said<Operation>,
    /// ARN of its execution, where it is known.
    #[serde(default)]
    pub execution: String,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Who made it, as the release says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Its commit, as the release says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The stack was what the release says already.
    #[serde(default)]
    pub no_changes: bool,
    /// Why it failed or was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The codes of the rules that it broke.
    #[serde(default)]
    pub codes: Vec<String>,
}

/// An execution that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The states it entered, each once, in the order of their first time.
    pub entered: Vec<Entered>,
    /// From which state to which it went, each once.
    pub ways: Vec<(String, String)>,
    /// The state it is in; none is known before the first.
    pub now: Option<String>,
}

/// A state that an execution entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// Its name.
    pub state: String,
    /// The first time, RFC 3339.
    pub at: String,
    /// How often.
    pub times: usize,
}

/// How a config stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Something half-made is left, and the lock is held until somebody has looked.
    Dirty,
    /// A deploy runs.
    Running,
    /// The newest deploy failed.
    Failed,
    /// The newest deploy is what the stack runs.
    Good,
    /// Nothing is known.
    Unknown,
}

impl Config {
    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.lock.as_ref().is_some_and(|lock| lock.dirty) {
            return Standing::Dirty;
        }
        if self.running.is_some() || self.lock.is_some() {
            return Standing::Running;
        }
        match self.last.as_ref().map(|last| &last.status) {
            Some(Said::Known(Status::Success)) => Standing::Good,
            // The lock of a dirty end that somebody removed: he has looked.
            Some(Said::Known(Status::FailureClean | Status::FailureDirty | Status::Refused)) => Standing::Failed,
            _ => Standing::Unknown,
        }
    }

    /// What it is called everywhere: its key.
    #[must_use]
    pub fn key(&self) -> String {
        keys::owner(&self.owner)
    }
}

impl Release {
    /// What a record says.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self {
            execution: entry.execution.clone(),
            operation: entry.operation.clone(),
            codes: entry.cause.as_deref().map(codes).unwrap_or_default(),
            cause: entry.cause.clone(),
            ..Self::in_short(&Summary::from(entry))
        }
    }

    /// What is known of it without its record.
    #[must_use]
    pub fn in_short(summary: &Summary) -> Self {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Self {
            release_id: summary.release_id.clone(),
            status: summary.status.clone(),
            operation: Said::Known(Operation::Deploy),
            execution: String::new(),
            started_at: summary.started_at.clone(),
            ended_at: summary.ended_at.clone(),
            who: said(&summary.who),
            commit: said(&summary.commit),
            no_changes: summary.no_changes,
            cause: None,
            codes: Vec::new(),
        }
    }

    /// How long it took, or takes until `now`.
    #[must_use]
    pub fn duration(&self, now: OffsetDateTime) -> Option<Duration> {
        let started = timestamp::parse(&self.started_at)?;
        let ended = match &self.ended_at {
            Some(ended) => timestamp::parse(ended)?,
            None => now,
        };
        Some((ended - started).max(Duration::ZERO))
    }
}

/// The codes of the rules in the cause of a refusal, each once: its lines are numbered and begin with them.
#[must_use]
pub fn codes(cause: &str) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for line in cause.lines() {
        let Some((number, rest)) = line.split_once(". ") else {
            continue;
        };
        let word = rest.split([' ', ':']).next().unwrap_or_default();
        let is_code = word.len() == 5 && word.starts_with('F') && word.bytes().skip(1).all(|b| b.is_ascii_digit());
        let is_numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        if is_code && is_numbered && !codes.iter().any(|code| code == word) {
            codes.push(word.to_owned());
        }
    }
    codes
}

/// What the page counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Figures {
    /// Configs.
    pub configs: usize,
    /// Deploys that run.
    pub running: usize,
    /// Locks that a dirty end has kept.
    pub dirty: usize,
    /// Configs that are frozen.
    pub frozen: usize,
    /// Releases that failed or were refused within [`Board::RECENT`], as far as they are known here.
    pub failed: usize,
}

impl Board {
    /// What counts as recent.
    pub const RECENT: Duration = Duration::DAY;

    /// When it was read.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        timestamp::parse(&self.made_at).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// What the page counts.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let standing = |wanted: Standing| self.configs.iter().filter(|config| config.standing() == wanted).count();
        Figures {
            configs: self.configs.len(),
            running: standing(Standing::Running),
            dirty: standing(Standing::Dirty),
            frozen: self.configs.iter().filter(|config| !config.freezes.is_empty()).count(),
            failed: self.configs.iter().map(|config| self.failed(config)).sum(),
        }
    }

    /// The releases of a config that failed recently. Where no history is at hand, the newest one speaks for all.
    fn failed(&self, config: &Config) -> usize {
        let since = self.now() - Self::RECENT;
        let failed = |release: &&Release| {
            !release.status.is(&Status::Started)
                && !release.status.is(&Status::Success)
                && timestamp::parse(&release.started_at).is_some_and(|at| at >= since)
        };
        match config.history.as_slice() {
            [] => config.last.iter().filter(failed).count(),
            history => history.iter().filter(failed).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_a_refusal_are_its_own_and_not_those_of_a_quoted_text() {
        let cause = "the release is refused: 3 problems\n1. F0203 at /ProjectName: `2. F9999: x` is no name\n2. F0401: x; \
                     y\n3. F0203 at /ConfigName: again\nF0101\nx. F0102: no\nall of it: s3://b/k";
        assert_eq!(codes(cause), ["F0203", "F0401"]);
        assert_eq!(codes(""), Vec::<String>::new());
    }
}
