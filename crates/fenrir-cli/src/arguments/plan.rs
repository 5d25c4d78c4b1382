//! `fenrir plan`

use clap::Args;

use super::LaunchArguments;

/// `fenrir plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
The deployer makes the change set that a deploy would execute, tells what it would do, and removes
it. It holds the lock only meanwhile, and leaves nothing behind. Of what is added, changed,
replaced (-/+) and removed, the properties are shown before and after. Warnings name what is worth
a second look: data that is lost, wider rights, what opens to everybody; `fenrir explain F0702`
tells more of one.

Exit status: 0 the plan is told, with or without changes; with `--detailed-exitcode` 6 when there
are changes. Otherwise as of `fenrir deploy`.

Examples:
  fenrir plan
  fenrir plan --config production --packaged
  fenrir plan --detailed-exitcode --format json")]
pub struct Plan {
    /// What, and how.
    #[command(flatten)]
    pub launch: LaunchArguments,
    /// End with 6 when there are changes, and with 0 only when there are none
    #[arg(long)]
    pub detailed_exitcode: bool,
}
