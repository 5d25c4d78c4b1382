//! `fenrir history`: the releases of an application, newest first.

use fenrir_core::timestamp;
use fenrir_store::history::Wanted;
use fenrir_store::{Entry, Summary};
use serde::Serialize;
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::arguments::History;
use crate::aws::Aws;
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::Stop;
use crate::printer::Printer;
use crate::releases::{self, PAGE, Place, short_commit, short_who};
use crate::scope::{self, Tables};
use crate::text::{Cell, Table, Text, duration, when};

/// Lists the releases.
///
/// # Errors
/// They cannot be read.
pub fn run(arguments: &History, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(history(arguments, printer))
}

async fn history(arguments: &History, printer: &mut Printer) -> Result<Exit, Stop> {
    let aws = Aws::connect(&arguments.aws).await?;
    let tables = Tables::of(&aws)?;
    let owner = scope::owner(&aws, &arguments.scope)?;
    let since = arguments.since.map(timestamp::format);
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let mut wanted = Wanted {
        limit: Some(PAGE),
        after: None,
    };
    let mut list = Releases {
        place: Place::from(&owner),
        entries: Vec::new(),
        has_more: false,
        now: OffsetDateTime::now_utc(),
    };
    let mut listed = 0;
    'pages: loop {
        let page = tables.records.history(&owner, since.as_deref(), &wanted).await;
        let page = page.map_err(|error| releases::unread(&aws, "reading the history", error))?;
        for entry in page.items {
            if !arguments.all && !entry.is_deploy() {
                continue;
            }
            if listed == limit {
                list.has_more = true;
                break 'pages;
            }
            listed += 1;
            // Programs get each as it comes, however many there are.
            if printer.is_json() {
                printer.answer(&Line::of(&list.place, entry));
            } else {
                list.entries.push(entry);
            }
        }
        let Some(after) = page.next else { break };
        wanted.after = Some(after);
    }
    if !printer.is_json() {
        printer.answer(&list);
    }
    if list.has_more {
        printer.progress("there are more: `--limit NUMBER` shows them");
    }
    Ok(Exit::Success)
}

/// One release, for programs.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    #[serde(flatten)]
    place: &'a Place,
    #[serde(flatten)]
    entry: Entry,
    seconds: Option<i64>,
}

impl<'a> Line<'a> {
    fn of(place: &'a Place, mut entry: Entry) -> Self {
        entry.owner.clear();
        Self {
            place,
            seconds: releases::seconds(&entry.started_at, entry.ended_at.as_deref()),
            entry,
        }
    }
}

impl Answer for Line<'_> {
    const TYPE: &'static str = "record";

    fn human(&self, text: &mut Text) {
        text.line(format!("{} {}", self.entry.release_id, self.entry.status));
    }
}

/// A part of the history, for people.
#[derive(Debug, Serialize)]
struct Releases {
    #[serde(flatten)]
    place: Place,
    entries: Vec<Entry>,
    has_more: bool,
    #[serde(skip)]
    now: OffsetDateTime,
}

impl Answer for Releases {
    const TYPE: &'static str = "record";

    fn human(&self, text: &mut Text) {
        text.heading(self.place.to_string());
        if self.entries.is_empty() {
            text.line("no release is known");
            return;
        }
        let mut table = Table::new(&["RELEASE", "STATUS", "STARTED", "TOOK", "COMMIT", "BY", ""]);
        for entry in &self.entries {
            let summary = Summary::from(entry);
            let status = entry.status.to_string();
            let took = releases::seconds(&entry.started_at, entry.ended_at.as_deref());
            table.row([
                Cell::plain(entry.release_id.as_str()),
                Cell::of(releases::style(&status), status),
                Cell::plain(when(&entry.started_at, self.now)),
                Cell::plain(took.map(duration).unwrap_or_default()),
                Cell::plain(summary.commit.as_deref().map(short_commit).unwrap_or_default()),
                Cell::plain(summary.who.as_deref().map(short_who).unwrap_or_default()),
                Cell::plain(remark(entry)),
            ]);
        }
        text.table(&table);
    }
}

/// What else there is to say in a line.
fn remark(entry: &Entry) -> String {
    let mut remarks = Vec::new();
    if entry.operation.is(&fenrir_core::deployment::Operation::Plan) {
        remarks.push("plan".to_owned());
    }
    if let Some(of) = entry.metadata.get("rollback_of") {
        remarks.push(format!("rollback to {of}"));
    }
    if entry.no_changes {
        remarks.push("no changes".to_owned());
    }
    if let Some(error) = &entry.error {
        // `FailureClean.StackError`: the status says the first part.
        remarks.push(error.rsplit('.').next().unwrap_or(error).to_owned());
    }
    if entry.unlocked.is_some() {
        remarks.push("unlocked".to_owned());
    }
    remarks.join(", ")
}
