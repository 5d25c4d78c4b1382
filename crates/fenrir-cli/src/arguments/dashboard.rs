//! The arguments of `fenrir dashboard`.

use std::path::PathBuf;

use clap::Args;
use fenrir_core::timestamp;
use time::{Duration, OffsetDateTime, Time};

use super::AwsArguments;

/// `fenrir dashboard`.
#[derive(Debug, Args)]
#[command(after_help = "\
It listens on this machine only, and its address is a secret: whoever has it sees the page as long
as the command runs. An export is one file that asks nothing of anybody.

With an account (`--account`, `FENRIR_ACCOUNT`, `fenrir.toml`) it shows only that account.

Examples:
  fenrir dashboard
  fenrir dashboard --project payments --since 7d
  fenrir dashboard --export public/")]
pub struct Dashboard {
    /// Write the page here instead of serving it: a file, or a folder for `index.html` and `board.json`
    #[arg(long, value_name = "PATH", conflicts_with_all = ["port", "no_open"])]
    pub export: Option<PathBuf>,
    /// Port of this machine to serve it on [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Do not open a browser
    #[arg(long)]
    pub no_open: bool,
    /// Only this project, and those under it
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Only this config
    #[arg(long, value_name = "NAME")]
    pub config: Option<String>,
    /// Only what was released since: `90m`, `24h`, `7d`, `2w`, a date or a time in RFC 3339
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub since: Option<String>,
    /// Releases of each history
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub limit: u16,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// A point in time, in RFC 3339.
fn since(text: &str) -> Result<String, String> {
    let at = since_of(text, OffsetDateTime::now_utc());
    at.map(timestamp::format)
        .ok_or_else(|| "write it as `90m`, `24h`, `7d`, `2w`, `2026-11-21` or `2026-11-21T22:06:31Z`".to_owned())
}

fn since_of(text: &str, now: OffsetDateTime) -> Option<OffsetDateTime> {
    if let Some(at) = timestamp::parse(text).or_else(|| timestamp::parse(&format!("{text}T00:00:00Z"))) {
        return Some(at);
    }
    if text == "today" {
        return Some(now.replace_time(Time::MIDNIGHT));
    }
    let unit = text.chars().last()?;
    let count: i64 = text
        .strip_suffix(unit)?
        .parse()
        .ok()
        .filter(|count| (1..100_000).contains(count))?;
    let span = match unit {
        'm' => Duration::minutes(count),
        'h' => Duration::hours(count),
        'd' => Duration::days(count),
        'w' => Duration::weeks(count),
        _ => return None,
    };
    now.checked_sub(span)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn a_time_is_said_as_people_say_it() {
        let now = timestamp::parse("2026-11-22T08:00:00Z").unwrap();
        for (text, wanted) in [
            ("90m", "2026-11-22T06:30:00Z"),
            ("24h", "2026-11-21T08:00:00Z"),
            ("7d", "2026-11-15T08:00:00Z"),
            ("2w", "2026-11-08T08:00:00Z"),
            ("today", "2026-11-22T00:00:00Z"),
            ("2026-11-21", "2026-11-21T00:00:00Z"),
            ("2026-11-21T22:06:31+01:00", "2026-11-21T21:06:31Z"),
        ] {
            assert_eq!(
                since_of(text, now).map(timestamp::format).as_deref(),
                Some(wanted),
                "{text}"
            );
        }
        for text in ["", "d", "0d", "-1d", "1y", "yesterday", "9999999999d", "7 d", "ä"] {
            assert_eq!(since_of(text, now), None, "{text}");
        }
    }
}
