//! The command line: what there is to say, and the help that teaches it.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use fenrir_core::release::region_problem;

use crate::exit::Exit;
use crate::fault::Fault;
use crate::printer::Printer;
use crate::{environment, exit};

mod bootstrap;
mod dashboard;
mod plan;
mod profile;
pub mod records;
mod start;

pub use bootstrap::{AdministratorArguments, Bootstrap, WishArguments};
pub use dashboard::Dashboard;
pub use plan::Plan;
pub use profile::ProfileArgument;
pub use records::{Diff, Events, History, Logs, Ls, Rollback, Show, Status};
pub use start::{Doctor, Init, Runtime};

const ABOUT: &str = "\
Deploys AWS SAM applications through the Fenrir deployer.

The template says which project and config it is (`ProjectName` and `ConfigName` on top). \
`fenrir deploy` packages the code, proves it, and lets the deployer's state machine do the rest.";

const FIRST_STEPS: &str = "\
First steps:
  fenrir validate            is the template allowed? no AWS needed
  fenrir plan                what would a deploy do?
  fenrir deploy              package, upload, deploy, follow
  fenrir explain F0004       what a rule does and why";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "fenrir", bin_name = "fenrir", version, about = "Deploys AWS SAM applications through the Fenrir deployer", long_about = ABOUT)]
#[command(after_long_help = format!("{FIRST_STEPS}\n\n{}\n\n{}", exit::HELP, environment::help()))]
pub struct Arguments {
    /// How to answer.
    #[command(flatten)]
    pub output: OutputArguments,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The command line of this process. Help, and what is wrong with it, are said here: for programs as a line of JSON, too.
///
/// # Errors
/// How the process ends instead.
pub fn parse() -> Result<Arguments, Exit> {
    Arguments::try_parse().map_err(|error| {
        let words: Vec<String> = std::env::args().collect();
        let wants_json = words.iter().any(|word| word == "--format=json")
            || words.windows(2).any(|pair| pair == ["--format", "json"]);
        if !error.use_stderr() {
            // Nobody to read the help: then nobody needs it.
            let _gone = error.print();
            return Exit::Success;
        }
        if wants_json {
            Printer::of_process(OutputArguments::json()).stop(&Fault::usage(said(&error)).into());
        } else {
            let _gone = error.print();
        }
        Exit::Usage
    })
}

/// What clap says in its first lines: what is wrong, without the usage.
fn said(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let what = text.split("\n\nUsage:").next().unwrap_or(&text);
    let words: Vec<&str> = what.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

/// How to answer: the same for every command.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArguments {
    /// For people, or for programs: lines of JSON, each with a `type`
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, value_name = "human|json")]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub format: Format,
    /// Say nothing but the answer, warnings and failures
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Colours [default: auto, on a terminal without `NO_COLOR`]
    #[arg(long, global = true, value_enum, default_value_t = Colors::Auto, value_name = "auto|always|never")]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub color: Colors,
    /// How to show a deploy that is followed [default: bar on a terminal, events otherwise]
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "bar|events|errors|none",
        hide_possible_values = true
    )]
    pub progress: Option<Progress>,
}

impl OutputArguments {
    /// For programs, and nothing else said.
    const fn json() -> Self {
        Self {
            format: Format::Json,
            quiet: false,
            verbose: false,
            color: Colors::Never,
            progress: None,
        }
    }
}

/// How a deploy that is followed is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar with counts, and what moves now
    Bar,
    /// A line for each event
    Events,
    /// A line for each failure
    Errors,
    /// Nothing
    None,
}

/// Whom the answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// People
    Human,
    /// Programs
    Json,
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colors {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do: one file in `commands/` each.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first template and a handler
    Init(Init),
    /// Look whether everything that a deploy needs is there
    Doctor(Doctor),
    /// Turn local code into zips that are the same bytes for the same files
    Package(Package),
    /// Tell what a deploy would do, and do nothing
    Plan(Plan),
    /// Package, upload and deploy, and follow until the end
    Deploy(Deploy),
    /// Follow a deploy that has started
    Attach(Attach),
    /// Ask a running deploy to stop
    Halt(Halt),
    /// Keep everybody from deploying a config, a project or an account
    Lock(Lock),
    /// End a freeze, or remove the lock that a dirty end has kept
    Unlock(Unlock),
    /// Show what is deployed where, what runs and what needs somebody, as a page
    Dashboard(Dashboard),
    /// Say what is deployed, what runs, and who keeps others from deploying
    Status(Status),
    /// List the releases of an application, newest first
    History(History),
    /// Tell everything that is known of a release
    Show(Show),
    /// Compare two releases, or one with what is deployed now
    Diff(Diff),
    /// Deploy a past release again
    Rollback(Rollback),
    /// List every project and config, in all accounts
    Ls(Ls),
    /// Show what CloudFormation did for a release
    Events(Events),
    /// Show what the deployer's steps have logged about a release
    Logs(Logs),
    /// Judge a template by the deployer's rules, without AWS
    Validate(Validate),
    /// Tell what a rule does, why, and how to obey it
    Explain(Explain),
    /// Write what lets a shell complete `fenrir`
    Completions(Completions),
    /// Write the manual pages
    Man(Man),
    /// Install or update the deployer, as an administrator
    Bootstrap(Bootstrap),
}

/// What of a command `fenrir.toml` may fill in.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// The template that was named.
    pub template: Option<PathBuf>,
    /// The config that was named.
    pub config: Option<String>,
    /// Where AWS is.
    pub aws: Option<&'a mut AwsArguments>,
    /// Account and region, of a command that does not ask AWS.
    pub place: Option<(&'a mut Option<String>, &'a mut Option<String>)>,
    /// How to deploy.
    pub launch: Option<&'a mut LaunchArguments>,
}

impl<'a> Wanted<'a> {
    fn of_scope(scope: &ScopeArguments, aws: &'a mut AwsArguments) -> Self {
        Self {
            template: scope.template.template.clone(),
            config: scope.config.clone(),
            aws: Some(aws),
            ..Self::default()
        }
    }

    fn of_launch(launch: &'a mut LaunchArguments) -> Self {
        Self {
            template: launch.template.template.clone(),
            config: launch.config.clone(),
            launch: Some(launch),
            ..Self::default()
        }
    }
}

impl Command {
    /// What `fenrir.toml` may fill in.
    #[must_use]
    pub fn wanted(&mut self) -> Option<Wanted<'_>> {
        match self {
            Self::Plan(arguments) => Some(Wanted::of_launch(&mut arguments.launch)),
            Self::Deploy(arguments) => Some(Wanted::of_launch(&mut arguments.launch)),
            Self::Attach(arguments) => Some(Wanted {
                template: arguments.template.template.clone(),
                aws: Some(&mut arguments.aws),
                ..Wanted::default()
            }),
            Self::Halt(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::Doctor(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::Lock(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::Unlock(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::Dashboard(arguments) => Some(Wanted {
                config: arguments.config.clone(),
                aws: Some(&mut arguments.aws),
                ..Wanted::default()
            }),
            Self::Status(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::History(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::Show(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::Diff(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::Rollback(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::Events(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::Logs(arguments) => Some(Wanted::of_scope(&arguments.scope, &mut arguments.aws)),
            Self::Ls(arguments) => Some(Wanted {
                config: arguments.config.clone(),
                aws: Some(&mut arguments.aws),
                ..Wanted::default()
            }),
            Self::Validate(arguments) => Some(Wanted {
                template: arguments.template.clone(),
                config: arguments.config.clone(),
                place: Some((&mut arguments.account, &mut arguments.region)),
                ..Wanted::default()
            }),
            Self::Package(_)
            | Self::Explain(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Bootstrap(_)
            | Self::Init(_) => None,
        }
    }
}

/// The template.
#[derive(Debug, Args)]
pub struct TemplateArgument {
    /// The template [default: template.yml, template.yaml or template.json of this folder]
    #[arg(short, long, value_name = "FILE")]
    pub template: Option<PathBuf>,
}

/// A release of a template, for every command that starts one.
#[derive(Debug, Args)]
pub struct LaunchArguments {
    /// The template.
    #[command(flatten)]
    pub template: TemplateArgument,
    /// Take what `fenrir package` made, and package nothing
    #[arg(long)]
    pub packaged: bool,
    /// Config to deploy, instead of the template's `ConfigName`
    #[arg(long, env = environment::CONFIG, value_name = "NAME", hide_env_values = true, value_parser = start::config)]
    pub config: Option<String>,
    /// Seconds that the whole deploy may take [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = timeout)]
    pub timeout: Option<u32>,
    /// A tag for the stack and everything in it (again for more)
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    pub tags: Vec<(String, String)>,
    /// Something to remember about the release (again for more); commit and author are remembered anyway
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub metadata: Vec<(String, String)>,
    /// Layer, web ACL or policy that the deployer's administrators allow (again for more)
    #[arg(long = "allowed", value_name = "ID")]
    pub allowed: Vec<String>,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// Where AWS is, and who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "AWS")]
pub struct AwsArguments {
    /// Region of the application
    #[arg(long, env = environment::REGION, value_name = "REGION", hide_env_values = true)]
    pub region: Option<String>,
    /// Whose credentials.
    #[command(flatten)]
    pub profile: ProfileArgument,
    /// Where AWS is, such as a local one
    #[arg(long, env = environment::ENDPOINT_URL, value_name = "URL", hide_env_values = true)]
    pub endpoint_url: Option<String>,
    /// Account to deploy into [default: the caller's own]
    #[arg(long, env = environment::ACCOUNT, value_name = "ID", hide_env_values = true, value_parser = account)]
    pub account: Option<String>,
    /// Account that the deployer lives in [default: the caller's own]
    #[arg(long, env = environment::DEPLOYER_ACCOUNT, value_name = "ID", hide_env_values = true, value_parser = account)]
    pub deployer_account: Option<String>,
    /// The deployer's state machine, when it is in another region than the application
    #[arg(long, env = environment::STATE_MACHINE, value_name = "ARN", hide_env_values = true)]
    #[arg(conflicts_with = "deployer_account")]
    pub state_machine: Option<String>,
}

/// `fenrir package`.
#[derive(Debug, Args)]
#[command(after_help = "\
What is packed: `CodeUri` of a function and `ContentUri` of a layer, when they name
  a folder       its files; `.gitignore` and `.fenrirignore` in it leave files out
  a Dockerfile's folder
                 `docker` or `podman` builds it, and /<LogicalId>.zip is copied out
  cargo-lambda's folder
                 its `bootstrap`, or the `bootstrap.zip` in it
  a .zip         as it is
and `DefinitionUri` of an API or a state machine, when it names a file.

The zips lie in `.fenrir/`, named by their content, and `.fenrir/package.json` lists them.
The same files give the same bytes, so that unchanged code is not deployed again.

Examples:
  fenrir package
  fenrir package --template services/ledger/template.yml")]
pub struct Package {
    /// The template.
    #[command(flatten)]
    pub template: TemplateArgument,
}

/// `fenrir deploy`.
#[derive(Debug, Args)]
#[command(after_help = "\
Ctrl-C stops watching, not the deploy: `fenrir attach RELEASE` watches it again.
The exit status says how it ended; `fenrir --help` has the table.

Examples:
  fenrir deploy
  fenrir deploy --template services/ledger/template.yml --region eu-west-1
  fenrir deploy --packaged --metadata build=1234 --timeout 3600
  fenrir deploy --no-wait")]
pub struct Deploy {
    /// What, and how.
    #[command(flatten)]
    pub launch: LaunchArguments,
    /// Start it, and do not follow it: `fenrir attach RELEASE` does
    #[arg(long, overrides_with = "wait")]
    pub no_wait: bool,
    /// Follow it until its end, which is the default
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,
}

/// `fenrir attach`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  fenrir attach 20260314150926-5f0c9a7e41")]
pub struct Attach {
    /// The release, as `fenrir deploy` said it
    #[arg(value_name = "RELEASE")]
    pub release: String,
    /// The template.
    #[command(flatten)]
    pub template: TemplateArgument,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// Whose deploys are meant.
#[derive(Debug, Args)]
#[command(next_help_heading = "What")]
pub struct ScopeArguments {
    /// The template.
    #[command(flatten)]
    pub template: TemplateArgument,
    /// Project [default: the template's]
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Config [default: the template's]
    #[arg(long, env = environment::CONFIG, value_name = "NAME", hide_env_values = true, value_parser = start::config)]
    pub config: Option<String>,
}

/// Of what a freeze keeps everybody.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
#[command(next_help_heading = "What")]
pub struct BreadthArguments {
    /// Every config of the project, in every region
    #[arg(long)]
    pub whole_project: bool,
    /// Everything in the account, in every region
    #[arg(long)]
    pub whole_account: bool,
}

/// Why.
#[derive(Debug, Args)]
pub struct ReasonArgument {
    /// Why: whoever is kept from deploying reads it
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub reason: String,
}

/// `fenrir halt`.
#[derive(Debug, Args)]
#[command(after_help = "\
A change set that is not executed yet is removed, an update is cancelled and rolled back, a
creation is deleted. The deploy then ends as failed, and says who halted it and why. It ends clean
unless something stays: of a creation CloudFormation keeps the tables, queues, buckets and log
groups that it has made already. Then the end is dirty, keeps the lock, and names them.

Examples:
  fenrir halt --reason \"wrong branch\"
  fenrir halt --project payments/ledger --config production --reason \"incident 4711\"")]
pub struct Halt {
    /// The release [default: the one that holds the lock]
    #[arg(value_name = "RELEASE")]
    pub release: Option<String>,
    /// Why.
    #[command(flatten)]
    pub reason: ReasonArgument,
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// `fenrir lock`.
#[derive(Debug, Args)]
#[command(after_help = "\
A deploy that runs already goes on; `fenrir halt` stops it. `fenrir unlock` ends the freeze.

Examples:
  fenrir lock --reason \"migration until 18:00\"
  fenrir lock --whole-account --account 222222222222 --reason \"holidays\"")]
pub struct Lock {
    /// Why.
    #[command(flatten)]
    pub reason: ReasonArgument,
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Of what.
    #[command(flatten)]
    pub breadth: BreadthArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// `fenrir unlock`.
#[derive(Debug, Args)]
#[command(after_help = "\
It does one thing: it removes the lock that a dirty end has kept, and then the freeze stays; without such
a lock it lifts the freeze. The lock of a deploy that runs is not touched. The lock of one that ended
without giving it back is taken over by the next deploy. Who unlocked, when and why stays in the records.

Examples:
  fenrir unlock --reason \"the table is removed\"
  fenrir unlock --whole-account --account 222222222222 --reason \"holidays are over\"")]
pub struct Unlock {
    /// Why.
    #[command(flatten)]
    pub reason: ReasonArgument,
    /// Whose.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Of what.
    #[command(flatten)]
    pub breadth: BreadthArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// `fenrir validate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 valid, 3 refused, 2 when the arguments or a file cannot be used.

Without an inventory, what only AWS knows (whose a role or a topic is) is listed as `not checked`.
With one, the world is what the file says, and what it does not name is not there:
  {\"account\": \"111122223333\", \"region\": \"eu-west-1\",
   \"roles\": [{\"arn\": \"arn:aws:iam::111122223333:role/hello-role\",
              \"tags\": {\"ProjectName\": \"hello\", \"ConfigName\": \"dev\", \"ServiceName\": \"_all\"}}]}

Examples:
  fenrir validate
  fenrir validate template.yml --format json
  fenrir validate template.yml --offline --inventory world.json --emit-template rewritten.json")]
pub struct Validate {
    /// The template [default: template.yml, template.yaml or template.json of this folder]
    #[arg(value_name = "TEMPLATE")]
    pub template: Option<PathBuf>,
    /// Ask nothing of AWS (`validate` never does yet)
    #[arg(long)]
    pub offline: bool,
    /// What is known of the world, as JSON
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Write the rewritten template here, as JSON; only when nothing is refused
    #[arg(long, value_name = "FILE")]
    pub emit_template: Option<PathBuf>,
    /// Layer, web ACL or policy that the deployer's administrators allow (again for more)
    #[arg(long = "allowed", value_name = "ID")]
    pub allowed: Vec<String>,
    /// Region to judge for, when the inventory names none
    #[arg(long, env = environment::REGION, value_name = "REGION", hide_env_values = true)]
    pub region: Option<String>,
    /// Config to judge, instead of the template's `ConfigName`
    #[arg(long, env = environment::CONFIG, value_name = "NAME", hide_env_values = true, value_parser = start::config)]
    pub config: Option<String>,
    /// Account to judge for, when the inventory names none
    #[arg(long, env = environment::ACCOUNT, value_name = "ID", hide_env_values = true, value_parser = account)]
    pub account: Option<String>,
}

/// `fenrir explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  fenrir explain F0004")]
pub struct Explain {
    /// The code in the brackets of a problem
    #[arg(value_name = "CODE")]
    pub code: String,
}

/// `fenrir completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  fenrir completions bash > ~/.local/share/bash-completion/completions/fenrir
  fenrir completions zsh > ~/.zfunc/_fenrir
  fenrir completions fish > ~/.config/fish/completions/fenrir.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// `fenrir man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  fenrir man ~/.local/share/man/man1")]
pub struct Man {
    /// Folder for the pages, one for each command
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// Seconds that a deploy may take.
pub const TIMEOUT: RangeInclusive<u32> = 60..=43_200;

fn timeout(text: &str) -> Result<u32, String> {
    let (least, most) = (TIMEOUT.start(), TIMEOUT.end());
    let seconds = text.parse().ok().filter(|seconds| TIMEOUT.contains(seconds));
    seconds.ok_or_else(|| format!("write seconds, {least} to {most}"))
}

/// An account id.
pub(crate) fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account id has 12 digits".to_owned())
    }
}

fn region(text: &str) -> Result<String, String> {
    match region_problem(text) {
        Some(problem) => Err(problem.to_owned()),
        None => Ok(text.to_owned()),
    }
}

/// Characters of a reason: a line or two, in a refusal that has other things to say as well.
const REASON_LIMIT: usize = 500;

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("say why: whoever is kept from deploying reads it".to_owned());
    }
    if text.chars().count() > REASON_LIMIT {
        return Err(format!("a reason has at most {REASON_LIMIT} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("a reason is one line of printable text".to_owned());
    }
    Ok(text.to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as `KEY=VALUE`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Arguments::command().debug_assert();
    }
}
