//! The arguments of `fenrir dashboard`.

use std::path::PathBuf;

use clap::Args;
use time::OffsetDateTime;

use super::AwsArguments;
use super::records::point;

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
    /// Only what was released since then: `30m`, `12h`, `7d`, `2026-11-21` or RFC 3339
    #[arg(long, value_name = "WHEN", value_parser = point)]
    pub since: Option<OffsetDateTime>,
    /// Releases of each history
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub limit: u16,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}
