//! What every command shows in a terminal, on the local AWS: exit status, stdout and stderr.
//!
//! Each folder of `tests/terminal` is a developer's folder, and its `session.txt` what he types and sees, as in
//! `crates/fenrir-cli/tests/sessions`; beside `fenrir` he types `sed`, and sets variables before a command. What is another
//! one every time (ids, times) is shown in brackets. `FENRIR_BLESS=1` writes the sessions anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clap::CommandFactory as _;
use fenrir_cli::arguments::Arguments;
use fenrir_testkit::root;
use regex::Regex;

use crate::deployer;
use crate::workplace::Workplace;

const TRANSCRIPT: &str = "session.txt";

/// Commands that no session here types, and what shows them instead.
const ELSEWHERE: &[(&str, &str)] = &[];

#[test]
fn every_command_shows_what_is_written() {
    let mut folders: Vec<_> = fs::read_dir(root().join("tests/terminal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    let mut typed = String::new();
    for folder in &folders {
        typed.push_str(&fs::read_to_string(folder.join(TRANSCRIPT)).unwrap());
    }
    let command = Arguments::command();
    let untyped: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .filter(|name| !typed.contains(&format!("fenrir {name}")))
        .filter(|name| !ELSEWHERE.iter().any(|(elsewhere, _)| elsewhere == name))
        .collect();
    deployer();
    let playing: Vec<_> = folders
        .into_iter()
        .map(|folder| std::thread::spawn(move || play(&folder)))
        .collect();
    let different: Vec<String> = playing
        .into_iter()
        .filter_map(|playing| playing.join().unwrap())
        .collect();
    assert!(
        different.is_empty(),
        "{}\nFENRIR_BLESS=1 accepts what is new",
        different.join("\n")
    );
    assert!(untyped.is_empty(), "no session types {untyped:?}");
}

/// Plays a session. `None` when it goes as written.
fn play(folder: &Path) -> Option<String> {
    let written = fs::read_to_string(folder.join(TRANSCRIPT)).unwrap();
    let workplace = Workplace::copy_of(folder);
    let mut player = Player {
        workplace,
        releases: BTreeMap::new(),
    };
    let mut seen = String::new();
    for line in written.lines() {
        if line.starts_with('#') {
            writeln!(seen, "{line}").unwrap();
        } else if let Some(typed) = line.strip_prefix("$ ") {
            writeln!(seen, "{line}\n{}", player.run(typed)).unwrap();
        }
    }
    let seen = seen.trim_end().to_owned() + "\n";
    if std::env::var_os("FENRIR_BLESS").is_some() {
        fs::write(folder.join(TRANSCRIPT), seen).unwrap();
        return None;
    }
    (seen != written).then(|| format!("{}\n--- written\n{written}\n--- seen\n{seen}", folder.display()))
}

struct Player {
    workplace: Workplace,
    /// Release to its number, in the order in which they were seen.
    releases: BTreeMap<String, usize>,
}

impl Player {
    /// Runs one typed line, and shows what a terminal would.
    fn run(&mut self, typed: &str) -> String {
        let mut typed = typed.to_owned();
        for (release, number) in &self.releases {
            typed = typed.replace(&format!("[RELEASE {number}]"), release);
        }
        let mut words: Vec<String> = split(&typed);
        let settings: Vec<(String, String)> = words
            .iter()
            .map_while(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        words.drain(..settings.len());
        let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let mut command = match words.first().map(String::as_str) {
            Some("fenrir") => self.workplace.command(&arguments),
            Some("sed") => {
                let mut command = Command::new("sed");
                command
                    .args(&arguments)
                    .current_dir(self.workplace.path().parent().unwrap());
                command
            }
            _ => panic!("a session does not type `{typed}`"),
        };
        let output = command.envs(settings).output().unwrap();
        self.shown(&output)
    }

    fn shown(&mut self, output: &Output) -> String {
        let mut seen = String::from_utf8(output.stdout.clone()).unwrap();
        let errors = String::from_utf8(output.stderr.clone()).unwrap();
        if !errors.is_empty() {
            write!(seen, "--- stderr\n{errors}").unwrap();
        }
        writeln!(seen, "--- exit {}", output.status.code().unwrap()).unwrap();
        self.plain(&seen)
    }

    /// Without what is another one every time.
    fn plain(&mut self, seen: &str) -> String {
        let desk = self.workplace.path().parent().unwrap().canonicalize().unwrap();
        let mut seen = seen
            .replace(&desk.display().to_string(), "[DESK]")
            .replace(deployer().aws().endpoint(), "[AWS]");
        for found in Regex::new(r"\b\d{14}-[0-9a-f]{10}\b").unwrap().find_iter(&seen.clone()) {
            let next = self.releases.len() + 1;
            let number = *self.releases.entry(found.as_str().to_owned()).or_insert(next);
            seen = seen.replace(found.as_str(), &format!("[RELEASE {number}]"));
        }
        for (pattern, shown) in [
            (
                r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
                "[UUID]",
            ),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "[AT]"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?( \([^)]*\))?", "[WHEN]"),
            (r"\b\d\d:\d\d:\d\d(\.\d+)?\b", "[TIME]"),
            (r"\b\d+(\.\d+)? (ms|s|min|h)\b( \d+ (s|min)\b)?", "[DURATION]"),
            (r#""(version_id|id|request_id)":"[^"]*""#, "\"$1\":\"[ID]\""),
            (r#""(duration_ms|seconds|duration)":\d+(\.\d+)?"#, "\"$1\":0"),
            (r"https://[0-9a-z]{8}\.execute-api", "https://[API].execute-api"),
        ] {
            seen = Regex::new(pattern).unwrap().replace_all(&seen, shown).into_owned();
        }
        // Columns are as wide as what was replaced.
        let lines = seen.lines().map(|line| {
            let is_header = line.chars().all(|c| c.is_ascii_uppercase() || c == ' ');
            if is_header || line.contains("[WHEN]") || line.contains("[DURATION]") || line.contains("[RELEASE") {
                Regex::new(r"(\S) {2,}").unwrap().replace_all(line, "$1  ").into_owned()
            } else {
                line.to_owned()
            }
        });
        lines.map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

/// The words of a line; what stands in double quotes is one.
fn split(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
