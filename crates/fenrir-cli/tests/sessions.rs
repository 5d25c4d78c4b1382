//! Terminal sessions: each folder of `sessions/` is what a developer has before him, and its `session.txt` what he
//! types and sees: commands after `$`, then stdout, stderr and the exit status. `FENRIR_BLESS=1` writes them anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the sessions are written in.
const TRANSCRIPT: &str = "session.txt";

#[test]
fn every_session_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions");
    let mut sessions: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    sessions.sort();
    assert!(!sessions.is_empty());
    let different: Vec<String> = sessions.iter().filter_map(|session| play(session)).collect();
    assert!(
        different.is_empty(),
        "{}\nFENRIR_BLESS=1 accepts what is new",
        different.join("\n")
    );
}

/// Plays a session in a copy of its folder. `None` when it goes as written.
fn play(session: &Path) -> Option<String> {
    let written = fs::read_to_string(session.join(TRANSCRIPT)).unwrap();
    let desk = tempfile::tempdir().unwrap();
    copy(session, desk.path());
    let mut seen = String::new();
    for line in written.lines() {
        if line.starts_with('#') {
            writeln!(seen, "{line}").unwrap();
        } else if let Some(typed) = line.strip_prefix("$ ") {
            writeln!(seen, "{line}\n{}", run(typed, desk.path())).unwrap();
        }
    }
    let seen = seen.trim_end().to_owned() + "\n";
    if std::env::var_os("FENRIR_BLESS").is_some() {
        fs::write(session.join(TRANSCRIPT), seen).unwrap();
        return None;
    }
    (seen != written).then(|| format!("{}\n--- written\n{written}\n--- seen\n{seen}", session.display()))
}

/// Runs one typed line, and shows what a terminal would.
fn run(typed: &str, desk: &Path) -> String {
    let words: Vec<&str> = typed.split_whitespace().collect();
    let mut command = match words.as_slice() {
        ["fenrir", rest @ ..] => with(env!("CARGO_BIN_EXE_fenrir"), rest),
        ["cat", rest @ ..] => with("cat", rest),
        _ => panic!("a session types `fenrir` or `cat`, not `{typed}`"),
    };
    // Only what the session's own `bin/` has, and the little that its scripts need.
    let path = format!("{}:/usr/bin:/bin", desk.join("bin").display());
    let output = command
        .current_dir(desk)
        .env_clear()
        .env("PATH", path)
        .env("HOME", desk)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    let mut seen = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    if !errors.is_empty() {
        write!(seen, "--- stderr\n{errors}").unwrap();
    }
    writeln!(seen, "--- exit {}", output.status.code().unwrap()).unwrap();
    seen.replace(&desk.canonicalize().unwrap().display().to_string(), "[DESK]")
}

fn with(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else if entry.file_name() != TRANSCRIPT {
            // With its mode: a session may bring a program.
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
