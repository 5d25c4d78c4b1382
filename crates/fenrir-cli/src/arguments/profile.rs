//! The profile: beside its name, whether it was a flag that named it.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use crate::environment;

/// The profile that a command was told.
#[derive(Debug, Default)]
pub struct ProfileArgument {
    /// Its name.
    pub name: Option<String>,
    /// Whether `--profile` said it. Then it is stronger than keys in the environment; `AWS_PROFILE` and `fenrir.toml` are
    /// not.
    pub is_flag: bool,
}

/// As clap reads it.
#[derive(Args)]
struct Named {
    /// Profile of `~/.aws/config`
    #[arg(long, env = environment::PROFILE, value_name = "NAME", hide_env_values = true)]
    profile: Option<String>,
}

impl FromArgMatches for ProfileArgument {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self {
            name: Named::from_arg_matches(matches)?.profile,
            is_flag: matches.value_source("profile") == Some(ValueSource::CommandLine),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for ProfileArgument {
    fn augment_args(command: Command) -> Command {
        Named::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Named::augment_args_for_update(command)
    }
}
