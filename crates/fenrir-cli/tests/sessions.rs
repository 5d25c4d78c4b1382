//! Terminal sessions: each folder of `sessions/` is what a developer has before him, and its `session.txt` what he
//! types and sees: commands after `$`, then stdout, stderr and the exit status. `FENRIR_BLESS=1` writes them anew.
//!
//! A session with an `aws.json` has an AWS that answers as it says (see `support`). Beside `fenrir` one can type
//! `cat FILE`, `asked` (what AWS was asked so far) and `interrupted fenrir ...` (Ctrl-C, as soon as the deploy runs).
//! `NAME=value` before a command sets its environment; `[RELEASE]` is the last release that was started.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_collect,
    reason = "a test fails by panicking"
)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
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

/// Whoever may read executions does not read templates by that.
#[test]
fn the_template_travels_beside_the_release() {
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/deploy");
    let desk = Desk::lay(&session);
    let seen = desk.run("fenrir deploy");
    assert!(seen.contains("--- exit 0"), "{seen}");
    let aws = desk.aws.as_ref().unwrap();
    let release: Value = serde_json::from_slice(&aws.object("/release").unwrap()).unwrap();
    let stored = aws.object("/template.json").unwrap();
    assert_eq!(release.get("template"), None);
    let sha256: String = Sha256::digest(&stored)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(release["template_sha256"], sha256);
    let uri = release["template_uri"].as_str().unwrap();
    let id = aws.release().unwrap();
    let prefix = "s3://fenrir-111122223333-eu-west-1/111122223333/eu-west-1/hello/dev/";
    assert_eq!(uri, format!("{prefix}{id}/template.json"));
}

/// A line that a command says while it is followed.
enum Said {
    State,
    Link,
    Other,
}

/// What a terminal showed.
struct Screen {
    /// One picture after the other.
    frames: Vec<String>,
    /// All that was written.
    raw: String,
    status: i32,
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
        let release = self.aws.as_ref().and_then(Aws::release).unwrap_or_default();
        let typed = &typed.replace("[RELEASE]", &release);
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
                Self::interrupted(self.command(env!("CARGO_BIN_EXE_fenrir"), rest, &settings))
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

    /// Runs the command in a terminal of its own.
    fn on_terminal(&self, columns: u16, typed: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Screen {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens/terminal.py");
        let columns_text = columns.to_string();
        let of_script = [
            script.to_str().unwrap(),
            &columns_text,
            typed,
            env!("CARGO_BIN_EXE_fenrir"),
        ];
        let all: Vec<&str> = of_script.into_iter().chain(arguments.iter().copied()).collect();
        let mut command = self.command("python3", &all, &[("TERM", "xterm-256color")]);
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(settings.iter().copied());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut terminal = vt100::Parser::new(24.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let (mut frames, mut raw, mut bytes) = (Vec::new(), Vec::new(), [0; 4096]);
        let mut out = child.stdout.take().unwrap();
        loop {
            let read = out.read(&mut bytes).unwrap();
            if read == 0 {
                break;
            }
            raw.extend_from_slice(&bytes[..read]);
            terminal.process(&bytes[..read]);
            frames.push(terminal.screen().contents());
        }
        Screen {
            frames,
            raw: String::from_utf8(raw).unwrap(),
            status: child.wait().unwrap().code().unwrap(),
        }
    }

    /// Presses Ctrl-C as soon as the deploy is followed.
    fn interrupted(mut command: Command) -> Output {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let (id, (lines, heard)) = (child.id(), mpsc::channel());
        let pressing = thread::spawn(move || {
            // The first state that it shows: it is followed. Where the session shows none, a while after the last line.
            let mut patience = Duration::from_mins(1);
            while let Ok(line) = heard.recv_timeout(patience) {
                match line {
                    Said::State => break,
                    Said::Link => patience = Duration::from_secs(5),
                    Said::Other => {}
                }
            }
            Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap();
        });
        let (mut said, mut line) = (String::new(), String::new());
        while errors.read_line(&mut line).unwrap() > 0 {
            let what = match line.trim_end() {
                state if state.ends_with("Validate") => Said::State,
                url if url.starts_with("https://") => Said::Link,
                _ => Said::Other,
            };
            let _pressed = lines.send(what);
            said.push_str(&line);
            line.clear();
        }
        drop(lines);
        pressing.join().unwrap();
        Output {
            stderr: said.into_bytes(),
            ..child.wait_with_output().unwrap()
        }
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
        // How long it took is another time every time, and so is how often it was said.
        let mut lines: Vec<String> = Vec::new();
        for line in seen.lines() {
            let line = match line.split_once(" after ") {
                Some((still, _)) if still.starts_with("still at ") => format!("{still} after [DURATION]"),
                _ => line.to_owned(),
            };
            if line.starts_with("still at ") {
                lines.retain(|line| !line.starts_with("still at "));
            }
            lines.push(line);
        }
        lines.join("\n") + "\n"
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

/// A folder can hold a repository disguised as files, whose settings name programs: nothing of it is started.
#[test]
fn what_lies_in_the_folder_starts_no_program() {
    let desk = Desk::lay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/deploy"));
    let folder = desk.folder.path();
    for name in ["objects", "refs"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    let started = folder.join("started");
    let config = format!(
        "[core]\nbare = false\nworktree = .\nrepositoryformatversion = 0\nfsmonitor = \"touch {}; false\"\n",
        started.display()
    );
    fs::write(folder.join("config"), config).unwrap();
    let seen = desk.run("fenrir deploy --no-wait");
    assert!(seen.contains("--- exit 0"), "{seen}");
    assert!(!started.exists());
}

/// Ctrl-C before anything was started starts nothing.
#[test]
fn an_interrupted_upload_starts_nothing() {
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/deploy");
    let mut answers: Value = serde_json::from_slice(&fs::read(session.join("aws.json")).unwrap()).unwrap();
    answers["slow PUT"] = serde_json::json!([]);
    let desk = Desk {
        aws: Some(Aws::start(&answers.to_string())),
        ..Desk::lay(&session)
    };
    let mut command = desk.command(env!("CARGO_BIN_EXE_fenrir"), &["deploy"], &[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..200 {
        if desk
            .aws
            .as_ref()
            .unwrap()
            .asked()
            .iter()
            .any(|asked| asked.starts_with("HEAD"))
        {
            break;
        }
        sleep(Duration::from_millis(50));
    }
    let pressed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(pressed.success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing was started"), "{said}");
    assert!(
        !desk
            .aws
            .as_ref()
            .unwrap()
            .asked()
            .contains(&"StartExecution".to_owned())
    );
}

/// An answer that is not there as a whole is no success.
#[test]
fn a_full_disk_is_no_success() {
    let desk = Desk::lay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/explain"));
    let mut command = desk.command(env!("CARGO_BIN_EXE_fenrir"), &["explain", "F0004"], &[]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

/// No character that turns a terminal around, neither for people nor for programs; and one long line is no reason to wait.
#[test]
fn a_hostile_template_is_told_soon_and_plainly() {
    let desk = Desk::lay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/template-missing"));
    let bad: Vec<String> = (0..3_000).map(|number| format!("\"Bad{number}\": 1")).collect();
    let text = format!(
        "{{\"ProjectName\": \"p\", \"ConfigName\": \"c\", \"Resources\": {{\"A\": {{\"Type\": \"AWS::SQS::Queue\", {}}}}}}}",
        bad.join(", ")
    );
    fs::write(desk.folder.path().join("template.json"), text).unwrap();
    let seen = desk.run("fenrir validate");
    assert!(seen.contains("more problems are not shown"), "{seen}");
    fs::write(
        desk.folder.path().join("template.json"),
        "{\"Bad\u{9b}31m\u{202e}X\": 1, \"ProjectName\": \"p\u{9b}2J\"}",
    )
    .unwrap();
    for format in ["human", "json"] {
        let seen = desk.run(&format!("fenrir validate --format {format}"));
        let bad = seen
            .chars()
            .find(|c| fenrir_core::problem::is_unprintable(*c) && *c != '\n');
        assert_eq!(bad, None, "{seen:?}");
    }
}

/// On a terminal a bar shows what moves now; failures stay in sight; at the end the bar is gone, and what failed is told.
#[test]
fn a_terminal_has_a_bar() {
    let screens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let desk = Desk::lay(&screens.join("bar"));
    let seen = desk.on_terminal(70, "", &["deploy"], &[]);
    let sometimes = |text: &str| seen.frames.iter().any(|frame| frame.contains(text));
    assert!(sometimes("1 resource done"), "{:#?}", seen.frames);
    assert!(
        sometimes("CREATE_IN_PROGRESS Hello AWS::Lambda::Function"),
        "{:#?}",
        seen.frames
    );
    assert!(sometimes("rolling back"), "{:#?}", seen.frames);
    let pinned = "failed: Hello: the role is missing";
    assert!(
        seen.frames
            .iter()
            .any(|frame| frame.contains(pinned) && frame.contains("DELETE_IN_PROGRESS Orders"))
    );
    let last = seen.frames.last().unwrap();
    assert!(!last.contains("resources") && !last.contains("IN_PROGRESS"), "{last}");
    assert!(
        last.contains("failed: Hello (AWS::Lambda::Function): the role is missing"),
        "{last}"
    );
    assert_eq!(seen.status, 1);
}

/// Nothing is drawn twice where a build server keeps every line, or the terminal is a dumb one.
#[test]
fn a_build_server_has_no_bar() {
    let screens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    for setting in [("CI", "true"), ("TERM", "dumb")] {
        let desk = Desk::lay(&screens.join("bar"));
        let seen = desk.on_terminal(70, "", &["deploy", "--color", "never"], &[setting]);
        assert!(!seen.raw.contains('\u{1b}'), "{}", seen.raw);
        assert!(seen.raw.contains("CREATE_FAILED Hello"), "{}", seen.raw);
    }
}

/// Whoever reads along may go away at any time: the deploy is followed to its end all the same.
#[test]
fn a_pipe_that_closes_changes_nothing() {
    let desk = Desk::lay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/deploy"));
    for format in ["human", "json"] {
        let mut command = desk.command(env!("CARGO_BIN_EXE_fenrir"), &["deploy", "--format", format], &[]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let asked = desk.aws.as_ref().unwrap().asked();
    assert!(asked.contains(&"DescribeStacks".to_owned()), "{asked:?}");
}

/// Several at once in one folder: each writes whole files, and each deploy is a release of its own.
#[test]
fn several_commands_at_once_do_not_meet() {
    let sessions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions");
    let desk = Desk::lay(&sessions.join("deploy"));
    let start = |arguments: &[&str]| {
        let mut command = desk.command(env!("CARGO_BIN_EXE_fenrir"), arguments, &[]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..4)
        .flat_map(|_| {
            [
                start(&["package"]),
                start(&["deploy", "--no-wait", "--quiet", "--format", "json"]),
            ]
        })
        .collect();
    let mut releases: Vec<String> = Vec::new();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let line: Option<Value> = said.lines().next().and_then(|line| serde_json::from_str(line).ok());
        releases.extend(line.and_then(|line| Some(line.get("release")?.as_str()?.to_owned())));
    }
    releases.sort();
    releases.dedup();
    assert_eq!(releases.len(), 4);
    let list = fs::read(desk.folder.path().join(".fenrir/package.json")).unwrap();
    let list: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(list["artifacts"].as_array().unwrap().len(), 1);
}

/// `docs/reference.md` is written from the definitions; nothing that the command knows is missing in it.
#[test]
fn the_reference_is_what_the_command_knows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference.md");
    let page = fenrir_cli::reference::page();
    if std::env::var_os("FENRIR_BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == page,
        "FENRIR_BLESS=1 writes docs/reference.md anew"
    );
    let mut command = <fenrir_cli::arguments::Arguments as clap::CommandFactory>::command();
    command.build();
    for one in command.get_subcommands() {
        if one.get_name() == "help" {
            continue;
        }
        assert!(
            page.contains(&format!("\n## {}\n", one.get_name())),
            "{}",
            one.get_name()
        );
        for arg in one.get_arguments() {
            let shown = arg.get_long().map_or_else(
                || arg.get_value_names().unwrap()[0].to_string(),
                |long| format!("--{long}"),
            );
            assert!(shown == "--help" || page.contains(&shown), "{} {shown}", one.get_name());
        }
    }
}

/// Every variable that the sources read, and every type of a line that they write, is in the tables that the reference shows.
#[test]
fn no_variable_and_no_type_is_secret() {
    let mut sources = Vec::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    for (path, text) in sources {
        for name in between(&text, "env::var_os(", ")").chain(between(&text, "env::var(", ")")) {
            assert!(name.starts_with("environment::"), "{}: reads `{name}`", path.display());
        }
        if path.ends_with("environment.rs") {
            for name in between(&text, "&str = \"", "\"") {
                let is_told = fenrir_cli::environment::VARIABLES.iter().any(|(told, _)| *told == name);
                assert!(is_told, "{name}");
            }
        }
        for kind in between(&text, "const TYPE: &'static str = \"", "\"") {
            let is_told = fenrir_cli::answer::TYPES.iter().any(|(told, _)| *told == kind);
            assert!(
                is_told,
                "{}: answers `{kind}`, which `answer::TYPES` does not have",
                path.display()
            );
        }
    }
}

fn gather(folder: &Path, sources: &mut Vec<(std::path::PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push((path, text));
        }
    }
}

fn between<'a>(text: &'a str, from: &'a str, to: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(from).skip(1).filter_map(move |rest| rest.split(to).next())
}
