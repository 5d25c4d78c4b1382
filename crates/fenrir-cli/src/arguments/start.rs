//! The arguments of `fenrir init` and `fenrir doctor`: of whoever begins.

use clap::{Args, ValueEnum};
use fenrir_core::owner::{config_problem, project_problem};

use super::{AwsArguments, ScopeArguments};

/// `fenrir init`.
#[derive(Debug, Args)]
#[command(after_help = "\
It writes `template.yml`, `src/` with a handler and a `.fenrirignore`, `.gitignore` and `fenrir.toml` into this folder,
and never over a file that is there. On a terminal it asks for what is not said.

Examples:
  fenrir init
  fenrir init --project payments/ledger --config dev --runtime python --yes")]
pub struct Init {
    /// Whose application it is, such as `payments/ledger`
    #[arg(long, value_name = "NAME", value_parser = project)]
    pub project: Option<String>,
    /// Which of the project's configs, such as `dev`
    #[arg(long, value_name = "NAME", value_parser = config)]
    pub config: Option<String>,
    /// What the function is written in
    #[arg(long, value_enum, value_name = "python|nodejs", hide_possible_values = true)]
    pub runtime: Option<Runtime>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// What a function is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// Python
    Python,
    /// JavaScript on Node.js
    Nodejs,
}

/// `fenrir doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
It changes nothing. What AWS tells only of a call that has an effect is listed as `not checked`.
Exit status: 0 when nothing is wrong, 1 otherwise.

Examples:
  fenrir doctor
  fenrir doctor --project payments/ledger --config production --account 222222222222")]
pub struct Doctor {
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

fn project(text: &str) -> Result<String, String> {
    named(text, project_problem(text))
}

pub(super) fn config(text: &str) -> Result<String, String> {
    named(text, config_problem(text))
}

fn named(text: &str, problem: Option<impl std::fmt::Display>) -> Result<String, String> {
    match problem {
        Some(problem) => Err(format!("it {problem}")),
        None => Ok(text.to_owned()),
    }
}
