//! How the command ends: every exit status, once.

use std::process::ExitCode;

/// What the exit status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or there was nothing to do.
    Success = 0,
    /// It failed, and nothing half-made is left.
    Failed = 1,
    /// The arguments, a file or the surroundings (credentials, an installation) cannot be worked with; nothing was
    /// started. The same status as clap's own for a wrong argument.
    Usage = 2,
    /// The template or the release was refused.
    Refused = 3,
    /// Another deploy of the same project and config holds the lock.
    Locked = 4,
    /// It failed, and something is left: the lock is kept, and the team was told.
    Dirty = 5,
    /// `plan --detailed-exitcode`: there are changes.
    Changes = 6,
    /// The deploy timed out, and nothing half-made is left. The status of coreutils' `timeout`.
    TimedOut = 124,
    /// The command stopped watching; the deploy goes on. 128 + SIGINT, as shells say it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table for `fenrir --help`.
pub const HELP: &str = "\
Exit status:
  0    done, or nothing had to change
  1    failed, and nothing half-made is left
  2    wrong arguments, or something needed is missing (a file, credentials, the deployer)
  3    refused: the template or the release breaks a rule
  4    another deploy of this project and config holds the lock
  5    failed, and something is left: the lock is kept and the team was alerted
  6    there are changes (`fenrir plan --detailed-exitcode`)
  124  the deploy timed out, and nothing half-made is left
  130  stopped watching; the deploy goes on";
