//! `docs/reference.md`: every command, flag, variable, setting, line of JSON and exit status, written from the very
//! definitions that the command works with. A test holds the page against them.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use crate::answer::TYPES;
use crate::arguments::Arguments;
use crate::environment::VARIABLES;
use crate::exit;
use crate::settings::SETTINGS;

/// The page.
#[must_use]
pub fn page() -> String {
    let mut command = Arguments::command();
    command.build();
    let mut page = "# The `fenrir` command\n\nWritten by a test from the definitions of the command \
                    (`FENRIR_BLESS=1 cargo test --workspace --test sessions reference`). `fenrir COMMAND --help` shows the \
                    same; `fenrir completions SHELL` and `fenrir man FOLDER` write completions and manual pages.\n"
        .to_owned();
    let _infallible = write!(page, "\n## Every command takes\n\n{}", arguments(&command, true));
    for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
        of_command(one, &mut page);
    }
    let _infallible = write!(
        page,
        "\n## Environment\n\nA flag is stronger than a variable.\n\n{}\n## Settings\n\nIn `fenrir.toml`, beside the template \
         or above it in the repository: below `[default]` for every config, below `[config.NAME]` for one, which may take \
         all of another by `inherits = \"NAME\"`. Flags and variables are stronger.\n\n{}\n## Lines of JSON\n\nWith `--format \
         json` everything is one JSON object a line on stdout, with a `type`. Fields are added, never renamed; read over \
         types that you do not know.\n\n{}\n## Exit status\n\n```text\n{}\n```\n",
        table(["Variable", "What it is"], &VARIABLES),
        table(["Setting", "What it is"], &SETTINGS),
        table(["Type", "What the line tells"], TYPES),
        exit::HELP
    );
    page
}

fn of_command(command: &Command, page: &mut String) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    let _infallible = write!(
        page,
        "\n## {}\n\n{about}.\n\n```text\n{usage}\n```\n",
        command.get_name()
    );
    let table = arguments(command, false);
    if !table.is_empty() {
        let _infallible = write!(page, "\n{table}");
    }
    if let Some(more) = command.get_after_help() {
        let _infallible = write!(page, "\n```text\n{}\n```\n", more.to_string().trim_end());
    }
}

/// The arguments of a command: the global ones, or those of its own.
fn arguments(command: &Command, is_global: bool) -> String {
    let is_own = |arg: &&Arg| arg.is_global_set() == is_global && !arg.is_hide_set() && arg.get_id() != "help";
    let rows: Vec<(String, String)> = command.get_arguments().filter(is_own).map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(["Argument", "What it is"], &rows)
}

fn row(arg: &Arg) -> (String, String) {
    let value = arg
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string);
    let value = value.filter(|_| arg.get_action().takes_values());
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    let flags: Vec<String> = short.into_iter().chain(long).collect();
    let name = match (flags.is_empty(), value) {
        (true, Some(value)) if arg.is_required_set() => value,
        (true, Some(value)) => format!("[{value}]"),
        (false, Some(value)) => format!("{} {value}", flags.join(", ")),
        (_, None) => flags.join(", "),
    };
    let mut what = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if let Some(variable) = arg.get_env() {
        let _infallible = write!(what, " (`{}`)", variable.display());
    }
    (name, what)
}

fn table<N: AsRef<str>, W: AsRef<str>>(headers: [&str; 2], rows: &[(N, W)]) -> String {
    let [name, what] = headers;
    let mut text = format!("| {name} | {what} |\n| --- | --- |\n");
    for (name, what) in rows {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let _infallible = writeln!(
            text,
            "| `{}` | {} |",
            name.as_ref().replace('|', "\\|"),
            cell(what.as_ref())
        );
    }
    text
}
