//! `fenrir init`: a first template.

use std::path::Path;

use fenrir_core::owner::{config_problem, project_problem};
use serde::Serialize;

use crate::answer::Answer;
use crate::arguments::{Init, Runtime};
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::init::{self, Beginning};
use crate::printer::Printer;
use crate::text::Text;

/// The config that one begins with.
const FIRST_CONFIG: &str = "dev";

/// What was written.
#[derive(Debug, Serialize)]
struct Written {
    files: Vec<String>,
}

impl Answer for Written {
    const TYPE: &'static str = "init";

    fn human(&self, text: &mut Text) {
        text.line(format!("wrote {}", self.files.join(", ")));
    }
}

/// Writes the files of a first application into this folder.
///
/// # Errors
/// Something is there already, is not said, or cannot be written.
pub fn run(arguments: &Init, printer: &mut Printer) -> Result<Exit, Stop> {
    let folder = Path::new(".");
    // Before anybody is asked: all answers would be for nothing.
    init::nothing_in_the_way(folder, None)?;
    let project = match &arguments.project {
        Some(project) => project.clone(),
        None => asked(arguments, printer, "project", folder_name().as_deref(), |name| {
            project_problem(name).map(std::string::ToString::to_string)
        })?,
    };
    let config = match &arguments.config {
        Some(config) => config.clone(),
        None => asked(arguments, printer, "config", Some(FIRST_CONFIG), |name| {
            config_problem(name).map(std::string::ToString::to_string)
        })?,
    };
    let runtime = match arguments.runtime {
        Some(runtime) => runtime,
        None => match asked(arguments, printer, "runtime", Some("python"), |name| {
            runtime(name)
                .is_none()
                .then(|| "is neither `python` nor `nodejs`".to_owned())
        })? {
            name if name == "nodejs" => Runtime::Nodejs,
            _ => Runtime::Python,
        },
    };
    let files = init::files(&Beginning {
        project,
        config,
        runtime,
    });
    init::nothing_in_the_way(folder, Some(&files))?;
    let written = init::write(folder, &files)?;
    printer.answer(&Written { files: written });
    printer.progress(
        "`fenrir validate` judges it, `fenrir deploy` deploys it, `fenrir doctor` says what is missing for that",
    );
    Ok(Exit::Success)
}

fn runtime(name: &str) -> Option<Runtime> {
    match name {
        "python" => Some(Runtime::Python),
        "nodejs" => Some(Runtime::Nodejs),
        _ => None,
    }
}

/// The answer of a person, or `usual` with `--yes`.
fn asked(
    arguments: &Init,
    printer: &mut Printer,
    what: &str,
    usual: Option<&str>,
    problem: impl Fn(&str) -> Option<String>,
) -> Result<String, Fault> {
    let usual = usual.filter(|name| problem(name).is_none());
    if arguments.yes
        && let Some(usual) = usual
    {
        return Ok(usual.to_owned());
    }
    let missing = || Fault::usage(format!("the {what} is not said")).help(format!("say `--{what}`"));
    if arguments.yes {
        return Err(missing());
    }
    let question = match usual {
        Some(usual) => format!("{what} [{usual}]: "),
        None => format!("{what}: "),
    };
    // Whoever errs three times looks it up.
    for _ in 0..3 {
        let answer = printer.ask(&question).ok_or_else(missing)?;
        let answer = match (answer.as_str(), usual) {
            ("", Some(usual)) => usual.to_owned(),
            _ => answer,
        };
        match problem(&answer) {
            None => return Ok(answer),
            Some(problem) => printer.warning(&format!("`{answer}` {problem}")),
        }
    }
    Err(missing())
}

/// What this folder is called: mostly what the project is called.
fn folder_name() -> Option<String> {
    let folder = std::env::current_dir().ok()?;
    Some(folder.file_name()?.to_str()?.to_lowercase())
}
