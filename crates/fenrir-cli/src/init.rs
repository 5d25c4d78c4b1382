//! The files of a first application.
//!
//! What is there is never written over: all conflicts are told before anything is written. Each file is made anew, so that
//! one that appears in between is not lost either; and when one cannot be made, those made before it are removed.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use crate::arguments::Runtime;
use crate::fault::Fault;
use crate::package::FOLDER;
use crate::settings;
use crate::source::{NAMES, reason};

/// What the files are written for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Project.
    pub project: String,
    /// Config.
    pub config: String,
    /// What the function is written in.
    pub runtime: Runtime,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Path in the folder.
    pub path: &'static str,
    /// What it says.
    pub text: String,
    /// It is appended to, when it is there.
    pub appends: bool,
}

/// Ignore rules of the folder that is packed.
const IGNORED: &str = "src/.fenrirignore";

const IGNORES: &str = "\
# What of this folder does not go into the zip, written as in a `.gitignore`, which `fenrir package` obeys too.
tests/
*.md
";

const PYTHON: &str = r#""""Says hello to whoever asks."""

import json


def handler(event, _context):
    """Answers a request of the HTTP API."""
    name = (event.get("queryStringParameters") or {}).get("name", "world")
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"message": f"hello, {name}"}),
    }
"#;

const NODEJS: &str = r#"// Says hello to whoever asks.

/** Answers a request of the HTTP API. */
export const handler = async (event) => {
  const name = event.queryStringParameters?.name ?? "world";
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ message: `hello, ${name}` }),
  };
};
"#;

impl Runtime {
    /// As Lambda spells it.
    const fn name(self) -> &'static str {
        match self {
            Self::Python => "python3.13",
            Self::Nodejs => "nodejs22.x",
        }
    }

    /// The file of the handler, and what it says.
    const fn handler(self) -> (&'static str, &'static str) {
        match self {
            Self::Python => ("src/app.py", PYTHON),
            Self::Nodejs => ("src/app.mjs", NODEJS),
        }
    }
}

/// The files.
#[must_use]
pub fn files(beginning: &Beginning) -> Vec<Planned> {
    let (handler, code) = beginning.runtime.handler();
    let new = |path, text: String| Planned {
        path,
        text,
        appends: false,
    };
    vec![
        new(NAMES[0], template(beginning)),
        new(handler, code.to_owned()),
        new(IGNORED, IGNORES.to_owned()),
        new(settings::FILE, settings_text(&beginning.config)),
        Planned {
            path: ".gitignore",
            text: format!("# What `fenrir package` made.\n{FOLDER}/\n"),
            appends: true,
        },
    ]
}

fn template(beginning: &Beginning) -> String {
    let Beginning {
        project,
        config,
        runtime,
    } = beginning;
    let runtime = runtime.name();
    format!(
        "\
Transform: AWS::Serverless-2016-10-31
Description: Says hello

# Whose application this is. Everything Fenrir makes is named after it and tagged with it.
ProjectName: {project}
ConfigName: {config}

Resources:
  Api:
    Type: AWS::Serverless::HttpApi

  Hello:
    Type: AWS::Serverless::Function
    Properties:
      # `fenrir package` makes a zip of this folder.
      CodeUri: src
      Handler: app.handler
      Runtime: {runtime}
      Timeout: 10
      # What it may do beside writing its log is named under `Policies`; Fenrir makes the role, for exactly that.
      Events:
        Hello:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Path: /hello
            Method: GET

Outputs:
  Url:
    Description: Where it says hello
    Value: !Sub https://${{Api}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/hello
"
    )
}

fn settings_text(config: &str) -> String {
    format!(
        "\
# What need not be said with every command. A flag is stronger than an environment variable, and that one stronger than this.
[default]
# region = \"eu-west-1\"
# deployer-account = \"111111111111\"

[config.{config}]
# account = \"222222222222\"
"
    )
}

/// Whether the files can be written without touching what is there.
///
/// # Errors
/// All that is in the way.
pub fn nothing_in_the_way(folder: &Path, files: Option<&[Planned]>) -> Result<(), Fault> {
    let mut there: Vec<&str> = NAMES.into_iter().filter(|name| exists(&folder.join(name))).collect();
    for planned in files.unwrap_or_default() {
        if !planned.appends && exists(&folder.join(planned.path)) && !there.contains(&planned.path) {
            there.push(planned.path);
        }
    }
    if there.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = there.iter().map(|name| format!("`{name}`")).collect();
    let is = if there.len() == 1 { "is" } else { "are" };
    Err(Fault::usage(format!("{} {is} there already", names.join(", ")))
        .help("nothing was written; begin in another folder, or move what is in the way"))
}

/// Also a broken link.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Writes the files; those that were written or added to.
///
/// # Errors
/// One cannot be written; then none of them is left.
pub fn write(folder: &Path, files: &[Planned]) -> Result<Vec<String>, Fault> {
    let mut written = Vec::new();
    for planned in files {
        match one(folder, planned) {
            Ok(true) => written.push(planned),
            Ok(false) => {}
            Err(error) => {
                undo(folder, &written);
                let (path, words) = (planned.path, reason(&error));
                let fault = Fault::usage(format!("`{path}` cannot be written: {words}"));
                return Err(fault.help("nothing was written"));
            }
        }
    }
    Ok(written.iter().map(|planned| planned.path.to_owned()).collect())
}

/// Whether there was something to write.
fn one(folder: &Path, planned: &Planned) -> std::io::Result<bool> {
    let path = folder.join(planned.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => fill(file, &planned.text, &path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && planned.appends => add(planned, &path),
        Err(error) => Err(error),
    }
}

fn fill(mut file: File, text: &str, path: &Path) -> std::io::Result<bool> {
    file.write_all(text.as_bytes()).map(|()| true).inspect_err(|_| {
        let _half = fs::remove_file(path);
    })
}

/// Adds the last line, unless it is there.
fn add(planned: &Planned, path: &Path) -> std::io::Result<bool> {
    let there = fs::read_to_string(path)?;
    let line = planned.text.lines().last().unwrap_or_default();
    if there
        .lines()
        .any(|has| has.trim() == line || has.trim() == line.trim_end_matches('/'))
    {
        return Ok(false);
    }
    let between = if there.is_empty() || there.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    // In one write: half a line would ignore something else.
    let text = format!("{between}{}", planned.text);
    OpenOptions::new()
        .append(true)
        .open(path)?
        .write_all(text.as_bytes())
        .map(|()| true)
}

/// Removes what was made. What was added to stays: it is harmless, and another may have written meanwhile.
fn undo(folder: &Path, written: &[&Planned]) {
    for planned in written.iter().filter(|planned| !planned.appends) {
        let path = folder.join(planned.path);
        let _gone = fs::remove_file(&path);
        // Only when nothing else is in it.
        if let Some(parent) = path.parent().filter(|parent| *parent != folder) {
            let _kept = fs::remove_dir(parent);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use std::collections::BTreeSet;

    use fenrir_core::owner::{UNKNOWN_ACCOUNT, UNKNOWN_REGION};
    use fenrir_core::policy::{self, Context};
    use fenrir_core::template::Document;

    use super::*;
    use crate::project;
    use crate::source::refuses;

    fn beginning(runtime: Runtime) -> Beginning {
        Beginning {
            project: "payments/ledger".to_owned(),
            config: "dev".to_owned(),
            runtime,
        }
    }

    #[test]
    fn what_it_writes_is_allowed() {
        for runtime in [Runtime::Python, Runtime::Nodejs] {
            let document = Document::load(&template(&beginning(runtime))).unwrap();
            let context = Context {
                owner: project::owner(document.value(), UNKNOWN_ACCOUNT.to_owned(), UNKNOWN_REGION.to_owned()),
                artifacts: None,
                allowed: BTreeSet::default(),
            };
            let problems = policy::judge_without_world(&document, &context).problems;
            assert!(!refuses(&problems), "{problems:?}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_never_touched_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&beginning(Runtime::Python));
        fs::write(folder.path().join(settings::FILE), "mine").unwrap();
        assert!(nothing_in_the_way(folder.path(), Some(&files)).is_err());
        // Also when it appears only while the others are written.
        assert!(write(folder.path(), &files).is_err());
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, [settings::FILE]);
        assert_eq!(fs::read_to_string(folder.path().join(settings::FILE)).unwrap(), "mine");
    }

    #[test]
    fn a_line_is_added_once_to_what_git_ignores() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".gitignore");
        fs::write(&path, "*.pyc").unwrap();
        let files = files(&beginning(Runtime::Nodejs));
        let written = write(folder.path(), &files).unwrap();
        assert_eq!(
            written,
            ["template.yml", "src/app.mjs", IGNORED, "fenrir.toml", ".gitignore"]
        );
        let ignored = fs::read_to_string(&path).unwrap();
        assert!(
            ignored.starts_with("*.pyc\n") && ignored.ends_with("\n.fenrir/\n"),
            "{ignored}"
        );
        assert!(!one(folder.path(), files.last().unwrap()).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), ignored);
    }
}
