//! `fenrir dashboard`: show what is deployed where, what runs and what needs somebody, as a page.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fenrir_core::timestamp;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::answer::Answer;
use crate::arguments::Dashboard;
use crate::aws::Aws;
use crate::commands::on_runtime;
use crate::dashboard::Board;
use crate::dashboard::gather::{Source, Wishes};
use crate::dashboard::html::Html;
use crate::dashboard::page::{Form, page};
use crate::dashboard::serve::Server;
use crate::environment;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::interrupt::Interrupt;
use crate::printer::Printer;
use crate::scope::Tables;
use crate::text::Text;

/// Serves the page until Ctrl-C, or writes it.
///
/// # Errors
/// What is deployed cannot be read, the port is taken, or the file cannot be written.
pub fn run(arguments: &Dashboard, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(dashboard(arguments, printer))
}

async fn dashboard(arguments: &Dashboard, printer: &mut Printer) -> Result<Exit, Stop> {
    let interrupt = Interrupt::listen().map_err(|_| Fault::failed("Ctrl-C cannot be listened to"))?;
    let aws = Aws::connect(&arguments.aws).await?;
    // The tables are the deployer's: in another account their names mean others.
    Tables::of(&aws)?;
    let source = Source::new(
        &aws,
        Wishes {
            project: arguments.project.clone(),
            config: arguments.config.clone(),
            account: arguments.aws.account.clone(),
            since: arguments.since.map(timestamp::format),
            limit: arguments.limit,
        },
    );
    // Before anybody looks: what is wrong is said here, where the command was given.
    let board = source.read().await?;
    for note in board.notes.iter().filter(|note| !note.starts_with("Only ")) {
        printer.warning(&note_of(note));
    }
    if let Some(path) = &arguments.export {
        let answer = export(path, &board)?;
        printer.answer(&answer);
        return Ok(Exit::Success);
    }
    let server = Server::listen(arguments.port.unwrap_or_default()).await?;
    let url = server.url();
    printer.answer(&Served { url: &url });
    printer.progress("Ctrl-C ends it");
    // It lives as long as the command: the browser may take its time.
    let _door = (!arguments.no_open && std::io::stdout().is_terminal())
        .then(|| open(&url))
        .flatten();
    let serving = server.serve(move || {
        let source = source.clone();
        async move { source.read().await }
    });
    tokio::select! {
        biased;
        () = interrupt.raised() => {}
        () = serving => {}
    }
    Ok(Exit::Success)
}

/// A note of the page, as the command says such things.
fn note_of(note: &str) -> String {
    let mut letters = note.trim_end_matches('.').chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

/// A page that is served.
#[derive(Serialize)]
struct Served<'a> {
    url: &'a str,
}

impl Answer for Served<'_> {
    const TYPE: &'static str = "dashboard";

    fn human(&self, text: &mut Text) {
        text.line(self.url);
    }
}

/// A page that was written.
#[derive(Debug, Serialize)]
struct Exported {
    files: Vec<PathBuf>,
    made_at: String,
    configs: usize,
}

impl Answer for Exported {
    const TYPE: &'static str = "exported";

    fn human(&self, text: &mut Text) {
        for file in &self.files {
            text.line(format!("written: {}", file.display()));
        }
    }
}

/// Writes the page to a file, or page and data into a folder.
fn export(path: &Path, board: &Board) -> Result<Exported, Fault> {
    let html = page(board, Form::Snapshot);
    let is_folder = path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/');
    let files = if is_folder {
        std::fs::create_dir_all(path).map_err(|error| unwritten(path, &error))?;
        // A struct of strings and numbers always serialises.
        let json = serde_json::to_string_pretty(board).unwrap_or_default() + "\n";
        let files = vec![path.join("index.html"), path.join("board.json")];
        for (file, content) in files.iter().zip([html, json]) {
            write(file, &content)?;
        }
        files
    } else {
        write(path, &html)?;
        vec![path.to_owned()]
    };
    Ok(Exported {
        files,
        made_at: board.made_at.clone(),
        configs: board.configs.len(),
    })
}

/// All of it or nothing: a web server may read the file at this very moment.
fn write(path: &Path, content: &str) -> Result<(), Fault> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // As any file of this user: the umask takes away what it takes away.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let written = builder.tempfile_in(folder).and_then(|mut file| {
        file.write_all(content.as_bytes())?;
        file.persist(path).map_err(|error| error.error)
    });
    written.map(drop).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Fault {
    Fault::usage(format!("`{}` cannot be written: {error}", path.display()))
}

/// Opens the address in a browser, by way of a file that only this user reads: arguments of processes are seen by all.
/// Who has no browser has the address.
fn open(url: &str) -> Option<NamedTempFile> {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        let has_x11 = std::env::var_os(environment::DISPLAY).is_some();
        let has_screen = has_x11 || std::env::var_os(environment::WAYLAND_DISPLAY).is_some();
        has_screen.then_some("xdg-open")?
    };
    let mut file = tempfile::Builder::new()
        .prefix("fenrir-")
        .suffix(".html")
        .tempfile()
        .ok()?;
    file.write_all(door(url).as_bytes()).ok()?;
    let path = file.path().to_owned();
    let mut browser = Command::new(opener);
    browser
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    browser.spawn().ok()?;
    Some(file)
}

/// A page that leads on to the address.
fn door(url: &str) -> String {
    let mut html = Html::new();
    html.doctype();
    html.element("html", &[("lang", "en")], |html| {
        html.empty("meta", &[("charset", "utf-8")]);
        html.empty("meta", &[("name", "referrer"), ("content", "no-referrer")]);
        html.empty(
            "meta",
            &[("http-equiv", "refresh"), ("content", &format!("0; url={url}"))],
        );
        html.leaf("title", &[], "Fenrir");
        html.leaf("a", &[("href", url)], "To the dashboard");
    });
    html.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn a_note_is_said_as_a_warning() {
        assert_eq!(
            note_of("Locks are not shown: you may not read them."),
            "locks are not shown: you may not read them"
        );
        assert_eq!(note_of(""), "");
    }

    #[test]
    fn an_export_is_a_file_or_a_folder_and_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board {
            made_at: "2026-11-22T08:01:05Z".into(),
            account: "111111111111".into(),
            region: "us-east-1".into(),
            notes: Vec::new(),
            configs: Vec::new(),
        };
        let file = folder.path().join("page.html");
        std::fs::write(&file, "old").unwrap();
        assert_eq!(export(&file, &board).unwrap().files, std::slice::from_ref(&file));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), page(&board, Form::Snapshot));
        let site = folder.path().join("a/site/");
        assert_eq!(
            export(&site, &board).unwrap().files,
            [site.join("index.html"), site.join("board.json")]
        );
        let json = std::fs::read_to_string(site.join("board.json")).unwrap();
        assert_eq!(serde_json::from_str::<Board>(&json).unwrap(), board);
        let fault = export(&folder.path().join("none/page.html"), &board).unwrap_err();
        assert_eq!(fault.exit, Exit::Usage);
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "no half-written file is left");
    }
}
