//! The commands that read the records: what is deployed, what was, and back to it.

use clap::{Args, ValueEnum};
use time::{Duration, OffsetDateTime};

use super::{AwsArguments, ScopeArguments};

/// `fenrir status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Says what is deployed and since when, what runs, who keeps others from deploying, and whether
somebody deleted, replaced, updated or tagged the stack beside Fenrir since. What was changed in
its resources themselves is drift, which CloudFormation detects. Outputs are shown when the
credentials may read the stack.

Examples:
  fenrir status
  fenrir status --project payments/ledger --config production --account 222222222222
  fenrir status --format json")]
pub struct Status {
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// `fenrir history`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  fenrir history
  fenrir history --all --since 7d
  fenrir history --limit 500 --format json")]
pub struct History {
    /// Releases at most
    #[arg(long, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Only what started since then: `30m`, `12h`, `7d`, `2026-11-21` or RFC 3339
    #[arg(long, value_name = "WHEN", value_parser = point)]
    pub since: Option<OffsetDateTime>,
    /// Also plans, and releases that were refused
    #[arg(long)]
    pub all: bool,
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// `fenrir show`.
#[derive(Debug, Args)]
#[command(after_help = "\
A release is found by its id alone for 90 days, as long as Step Functions knows its execution.
After that say whose it is, or run it where the template is.

Examples:
  fenrir show 20260314150926-5f0c9a7e41")]
pub struct Show {
    /// The release
    #[arg(value_name = "RELEASE")]
    pub release: String,
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// `fenrir diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Compares what the clients sent: template, artifacts by their content, tags. From the first release
to the second; without a second one to what is deployed now.

Examples:
  fenrir diff 20260314150926-5f0c9a7e41
  fenrir diff 20260314150926-5f0c9a7e41 20260315081500-00a1b2c3d4")]
pub struct Diff {
    /// From this release
    #[arg(value_name = "RELEASE")]
    pub from: String,
    /// To this one [default: what is deployed now]
    #[arg(value_name = "RELEASE")]
    pub to: Option<String>,
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// `fenrir rollback`.
#[derive(Debug, Args)]
#[command(after_help = "\
Makes a new release of the template and the artifacts of a past one that succeeded, and deploys it
like any other: checked by today's rules, with an id and a time of its own. Without a release: the
one before what is deployed now. Data is not rolled back.

Examples:
  fenrir rollback
  fenrir rollback 20260314150926-5f0c9a7e41 --yes")]
pub struct Rollback {
    /// The release to go back to [default: the success before what is deployed now]
    #[arg(value_name = "RELEASE")]
    pub release: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Seconds that the whole deploy may take [default: as long as that release]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(60..=43_200))]
    pub timeout: Option<u32>,
    /// Start it, and do not follow it: `fenrir attach RELEASE` does
    #[arg(long)]
    pub no_wait: bool,
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// How an application stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A deploy is under way
    Running,
    /// The last deploy ended dirty, and nobody has unlocked it
    Dirty,
    /// The last deploy failed, and left what was there before
    Failed,
    /// The last deploy succeeded
    Deployed,
}

impl State {
    /// As it is typed and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Dirty => "dirty",
            Self::Failed => "failed",
            Self::Deployed => "deployed",
        }
    }
}

/// How a listing is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// By project, config, account and region
    Name,
    /// What was deployed longest ago first
    Age,
    /// What needs somebody first
    State,
}

/// `fenrir ls`.
#[derive(Debug, Args)]
#[command(after_help = "\
Lists every project and config that this deployer has deployed, in all accounts, unless an account
is said. It needs the rights of an operator.

Examples:
  fenrir ls
  fenrir ls --project payments --state dirty --state failed
  fenrir ls --account 222222222222 --older-than 90d --sort age")]
pub struct Ls {
    /// Only projects that are called so, or begin so before a `/`
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Only configs that are called so
    #[arg(long, value_name = "NAME")]
    pub config: Option<String>,
    /// Only what stands so (again for more)
    #[arg(
        long = "state",
        value_enum,
        value_name = "running|dirty|failed|deployed",
        hide_possible_values = true
    )]
    pub states: Vec<State>,
    /// Only what was last deployed longer ago: `30m`, `12h`, `7d`
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<Duration>,
    /// The order
    #[arg(long, value_enum, default_value_t = Sort::Name, value_name = "name|age|state", hide_possible_values = true)]
    pub sort: Sort,
    /// All accounts, whatever account is set elsewhere
    #[arg(long)]
    pub all_accounts: bool,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// `fenrir events`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  fenrir events 20260314150926-5f0c9a7e41
  fenrir events 20260314150926-5f0c9a7e41 --failed")]
pub struct Events {
    /// The release
    #[arg(value_name = "RELEASE")]
    pub release: String,
    /// Only what failed
    #[arg(long)]
    pub failed: bool,
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// `fenrir logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
The lines of all steps that tell of the release, in the order of time.

Examples:
  fenrir logs 20260314150926-5f0c9a7e41
  fenrir logs 20260314150926-5f0c9a7e41 --follow
  fenrir logs 20260314150926-5f0c9a7e41 --raw")]
pub struct Logs {
    /// The release
    #[arg(value_name = "RELEASE")]
    pub release: String,
    /// Go on until its execution has ended
    #[arg(short, long)]
    pub follow: bool,
    /// The lines as they are, with all their fields
    #[arg(long)]
    pub raw: bool,
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// `30m`, `12h`, `7d`, `2w`.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || "an age is a number and a unit, such as `30m`, `12h`, `7d` or `2w`".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: u32 = text
        .strip_suffix(unit)
        .and_then(|number| number.parse().ok())
        .ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return Err(wrong()),
    };
    Ok(Duration::seconds(i64::from(number) * seconds))
}

/// An age before now, a day, or RFC 3339.
pub(super) fn point(text: &str) -> Result<OffsetDateTime, String> {
    let whole = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    if let Some(at) = fenrir_core::timestamp::parse(&whole) {
        return Ok(at);
    }
    let age = age(text).map_err(|_| "say `30m`, `12h`, `7d`, `2026-11-21` or RFC 3339".to_owned())?;
    OffsetDateTime::now_utc()
        .checked_sub(age)
        .ok_or_else(|| "that is before all time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(age("90d"), Ok(Duration::days(90)));
        assert_eq!(age("30m"), Ok(Duration::minutes(30)));
        for bad in ["", "d", "90", "-1d", "1.5h", "90 d", "9é", "99999999999d"] {
            assert!(age(bad).is_err(), "{bad}");
        }
        let now = OffsetDateTime::now_utc();
        assert!(point("7d").is_ok_and(|at| (now - at - Duration::days(7)).abs() < Duration::minutes(1)));
        assert_eq!(
            point("2026-11-21").map(time::OffsetDateTime::unix_timestamp),
            Ok(1_795_219_200)
        );
        assert!(point("2026-11-21T22:06:31+01:00").is_ok());
        assert!(point("yesterday").is_err());
    }
}
