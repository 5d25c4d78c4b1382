//! `fenrir show`: everything that is known of a release.

use fenrir_core::console;
use fenrir_core::problem::Problem;
use fenrir_store::Entry;
use fenrir_store::records::Status;
use serde::Serialize;
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::arguments::Show;
use crate::aws::Aws;
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::Stop;
use crate::printer::Printer;
use crate::releases::{self, Execution, Place};
use crate::scope::Tables;
use crate::text::{Cell, Style, Text, duration, when};

/// Tells of a release.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn run(arguments: &Show, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(show(arguments, printer))
}

async fn show(arguments: &Show, printer: &mut Printer) -> Result<Exit, Stop> {
    let mut aws = Aws::connect(&arguments.aws).await?;
    let tables = Tables::of(&aws)?;
    let mut found = releases::find(&mut aws, &tables, &arguments.scope, &arguments.release).await?;
    let is_open = found
        .entry
        .as_ref()
        .is_none_or(|entry| entry.status.is(&Status::Started));
    if is_open {
        // The record says that it has started; whether it still runs Step Functions knows.
        found.look_at_execution(&aws).await;
    }
    let has_problems = found
        .entry
        .as_ref()
        .is_some_and(|entry| entry.stored.contains_key("problems"));
    let problems: Option<Vec<Problem>> = if has_problems {
        aws.own(&found.owner, &found.release_id, "problems.json").await
    } else {
        None
    };
    if has_problems && problems.is_none() {
        printer.warning("the problems are stored, and cannot be read here");
    }
    if let Some(entry) = &mut found.entry {
        // Said by the place already.
        entry.owner.clear();
    }
    let entry = found.entry.as_ref();
    printer.answer(&Shown {
        place: Place::from(&found.owner),
        release_id: &found.release_id,
        entry,
        seconds: entry.and_then(|entry| releases::seconds(&entry.started_at, entry.ended_at.as_deref())),
        console: console::execution(&found.execution_arn(&aws)),
        execution_seen: found.execution.as_ref().filter(|_| is_open),
        problems: problems.unwrap_or_default(),
        now: OffsetDateTime::now_utc(),
    });
    Ok(Exit::Success)
}

/// A release.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    place: Place,
    release_id: &'a str,
    /// `None` when nothing is recorded.
    #[serde(flatten)]
    entry: Option<&'a Entry>,
    seconds: Option<i64>,
    console: Option<String>,
    /// What Step Functions says, when the record tells no end.
    execution_seen: Option<&'a Execution>,
    problems: Vec<Problem>,
    #[serde(skip)]
    now: OffsetDateTime,
}

impl Answer for Shown<'_> {
    const TYPE: &'static str = "record";

    fn human(&self, text: &mut Text) {
        text.heading(format!("{}: {}", self.release_id, self.place));
        if let Some(entry) = self.entry {
            self.record(entry, text);
        } else {
            text.field("status", Cell::of(Style::Warn, "not recorded"));
        }
        if let Some(execution) = self.execution_seen {
            if execution.runs() {
                text.field("execution", "is under way");
            } else {
                text.field("execution", Cell::of(Style::Warn, execution.ending()));
                if self.entry.is_some() {
                    text.field(
                        "",
                        "the record does not say so yet: the watchdog settles it within 15 minutes",
                    );
                }
                if let Some(cause) = &execution.cause {
                    text.field("", cause.as_str());
                }
            }
        }
        if let Some(console) = &self.console {
            text.field("console", Cell::of(Style::Accent, console.as_str()));
        }
        if let Some(cause) = self.entry.and_then(|entry| entry.cause.as_ref()) {
            text.heading("Why");
            for line in cause.lines() {
                text.line(line);
            }
        }
        self.more(text);
    }
}

impl Shown<'_> {
    fn record(&self, entry: &Entry, text: &mut Text) {
        let status = entry.status.to_string();
        text.field("status", Cell::of(releases::style(&status), status));
        if let Some(error) = &entry.error {
            text.field("error", error.as_str());
        }
        text.field("operation", entry.operation.to_string());
        text.field("started", when(&entry.started_at, self.now));
        if let Some(ended_at) = &entry.ended_at {
            text.field("ended", when(ended_at, self.now));
        }
        if let Some(seconds) = self.seconds {
            text.field("took", duration(seconds));
        }
        if entry.no_changes {
            text.field("changed", "nothing: the stack was like this already");
        }
        for (name, value) in &entry.metadata {
            text.field(name, value.as_str());
        }
        text.field("stack", entry.stack_arn.as_deref().unwrap_or(&entry.stack));
        if let Some(unlocked) = &entry.unlocked {
            text.field("unlocked", when(&unlocked.at, self.now));
            text.field("", format!("by {}: {}", unlocked.who, unlocked.reason));
        }
    }

    fn more(&self, text: &mut Text) {
        if !self.problems.is_empty() {
            text.heading("Problems");
            for problem in &self.problems {
                text.put(Style::Bad, problem.code.to_string());
                text.line(format!(" {}: {}", problem.path, problem.message));
                if let Some(help) = &problem.help {
                    text.line(format!("  {help}"));
                }
            }
        }
        if let Some(entry) = self.entry.filter(|entry| !entry.stored.is_empty()) {
            text.heading("Stored");
            for (name, pointer) in &entry.stored {
                text.field(name, format!("s3://{}/{}", pointer.bucket, pointer.key));
            }
        }
    }
}
