//! Terminal sessions: each folder of `sessions/` is what a developer has before him, and its `session.txt` what he
//! types and sees: commands after `$`, then stdout, stderr and the exit status. `FENRIR_BLESS=1` writes them anew.
//!
//! A session with an `aws.json` has an AWS that answers as it says (see `support`). Beside `fenrir` one can type
//! `cat FILE`, `asked` (what AWS was asked so far) and `interrupted fenrir ...` (Ctrl-C, as soon as the deploy runs).
//! `NAME=value` before a command sets its environment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use support::Aws;

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
    // First all desks, then all players: a program that is still being copied while another one starts is "busy".
    let desks: Vec<_> = sessions.iter().map(|session| Desk::lay(session)).collect();
    let playing: Vec<_> = sessions
        .into_iter()
        .zip(desks)
        .map(|(session, desk)| std::thread::spawn(move || play(&session, &desk)))
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
}

/// What a session is played on: a copy of its folder, and its AWS.
struct Desk {
    folder: tempfile::TempDir,
    aws: Option<Aws>,
}

/// Plays a session. `None` when it goes as written.
fn play(session: &Path, desk: &Desk) -> Option<String> {
    let written = fs::read_to_string(session.join(TRANSCRIPT)).unwrap();
    let mut seen = String::new();
    for line in written.lines() {
        if line.starts_with('#') {
            writeln!(seen, "{line}").unwrap();
        } else if let Some(typed) = line.strip_prefix("$ ") {
            writeln!(seen, "{line}\n{}", desk.plain(&desk.run(typed))).unwrap();
        }
    }
    let seen = seen.trim_end().to_owned() + "\n";
    if std::env::var_os("FENRIR_BLESS").is_some() {
        fs::write(session.join(TRANSCRIPT), seen).unwrap();
        return None;
    }
    (seen != written).then(|| format!("{}\n--- written\n{written}\n--- seen\n{seen}", session.display()))
}

impl Desk {
    fn lay(session: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(session, folder.path());
        let answers = fs::read_to_string(session.join("aws.json")).ok();
        Self {
            folder,
            aws: answers.map(|answers| Aws::start(&answers)),
        }
    }

    /// Runs one typed line, and shows what a terminal would.
    fn run(&self, typed: &str) -> String {
        let mut words: Vec<&str> = typed.split_whitespace().collect();
        let settings: Vec<_> = words.iter().map_while(|word| word.split_once('=')).collect();
        words.drain(..settings.len());
        let output = match words.as_slice() {
            ["asked"] => return self.aws.as_ref().unwrap().asked().join("\n") + "\n",
            ["fenrir", rest @ ..] => self
                .command(env!("CARGO_BIN_EXE_fenrir"), rest, &settings)
                .output()
                .unwrap(),
            ["interrupted", "fenrir", rest @ ..] => {
                self.interrupted(self.command(env!("CARGO_BIN_EXE_fenrir"), rest, &settings))
            }
            ["cat", rest @ ..] => self.command("cat", rest, &settings).output().unwrap(),
            _ => panic!("a session does not type `{typed}`"),
        };
        let mut seen = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        if !errors.is_empty() {
            write!(seen, "--- stderr\n{errors}").unwrap();
        }
        writeln!(seen, "--- exit {}", output.status.code().unwrap()).unwrap();
        seen
    }

    fn command(&self, program: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
        // Only what the session's own `bin/` has, and the little that its scripts need.
        let path = format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display());
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_MAX_ATTEMPTS", "1");
        if let Some(aws) = &self.aws {
            command
                .env("AWS_ENDPOINT_URL", &aws.endpoint)
                .env("AWS_REGION", "eu-west-1")
                .env("AWS_ACCESS_KEY_ID", "AKIATEST")
                .env("AWS_SECRET_ACCESS_KEY", "secret");
        }
        command.envs(settings.iter().copied());
        command
    }

    /// Presses Ctrl-C as soon as the deploy is followed.
    fn interrupted(&self, mut command: Command) -> Output {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let is_followed = || {
            self.aws
                .as_ref()
                .unwrap()
                .asked()
                .contains(&"GetExecutionHistory".to_owned())
        };
        for _ in 0..200 {
            if is_followed() {
                break;
            }
            sleep(Duration::from_millis(50));
        }
        sleep(Duration::from_millis(300));
        let pressed = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(pressed.success());
        child.wait_with_output().unwrap()
    }

    /// Without what is another one every time.
    fn plain(&self, seen: &str) -> String {
        let mut seen = seen.replace(
            &self.folder.path().canonicalize().unwrap().display().to_string(),
            "[DESK]",
        );
        if let Some(aws) = &self.aws {
            seen = seen.replace(&aws.endpoint, "[AWS]");
            if let Some(release) = aws.release() {
                seen = seen.replace(&release, "[RELEASE]");
            }
        }
        seen
    }
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
