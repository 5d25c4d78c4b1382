//! The template file of the developer.

use std::fs;
use std::path::{Path, PathBuf};

use fenrir_core::problem::{Problem, Severity};
use fenrir_core::template::Document;

use crate::exit::Exit;
use crate::fault::{Fault, Stop};

/// Names a template has when nobody says another.
pub const NAMES: [&str; 3] = ["template.yml", "template.yaml", "template.json"];

/// Bytes of a template file that are read. CloudFormation takes 1 MB (quotas, "Template body size in an Amazon S3
/// object"); YAML with its comments may be longer than the JSON that is sent.
const LIMIT: u64 = 4 * 1024 * 1024;

/// A text file, and what to call it in messages.
#[derive(Debug, Clone)]
pub struct Source {
    /// As the developer named it.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Reads `path`.
    ///
    /// # Errors
    /// It is not there, not readable, too large, or no text.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let name = path.display().to_string();
        let unreadable = |e: std::io::Error| Fault::usage(format!("`{name}` cannot be read: {}", reason(&e)));
        let size = fs::metadata(path).map_err(unreadable)?.len();
        if size > LIMIT {
            return Err(Fault::usage(format!(
                "`{name}` has {size} bytes, more than the {LIMIT} that a template may have"
            )));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            Fault::usage(format!("`{name}` is no UTF-8 text: byte {at} cannot be read")).help("save the file as UTF-8")
        })?;
        Ok(Self { name, text })
    }

    /// Loads the template that it holds.
    ///
    /// # Errors
    /// All problems of the text.
    pub fn document(&self) -> Result<Document, Stop> {
        self.load().map_err(|problems| Stop::Problems {
            exit: Exit::Refused,
            problems,
            source: self.clone(),
        })
    }

    /// Loads the template that it holds.
    ///
    /// # Errors
    /// All problems of the text, without a verdict on how the command ends.
    pub fn load(&self) -> Result<Document, Vec<Problem>> {
        Document::load(&self.text)
    }
}

/// The words of the operating system, without Rust's.
#[must_use]
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    words.to_lowercase()
}

/// The template to work with: `given`, or the one in this folder.
///
/// # Errors
/// There is none, or more than one.
pub fn find(given: Option<&Path>) -> Result<PathBuf, Fault> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    let found: Vec<_> = NAMES.iter().filter(|name| Path::new(name).is_file()).collect();
    match found.as_slice() {
        [one] => Ok(PathBuf::from(one)),
        [] => Err(Fault::usage("there is no template in this folder")
            .help(format!("`fenrir init` writes a first `{}`; or name the file", NAMES[0]))),
        [first, second, ..] => Err(Fault::usage(format!(
            "there are two templates in this folder, `{first}` and `{second}`"
        ))
        .help("name the one you mean")),
    }
}

/// Gives every problem its place in the file, and puts all of them in the order of the file.
#[must_use]
pub fn placed(mut problems: Vec<Problem>, document: &Document) -> Vec<Problem> {
    for problem in &mut problems {
        problem.position = problem.position.or_else(|| document.position(&problem.path));
    }
    problems.sort_by_key(|problem| problem.position);
    problems
}

/// Whether one of them refuses the template.
#[must_use]
pub fn refuses(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}
