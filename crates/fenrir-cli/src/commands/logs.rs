//! `fenrir logs`: what the steps have logged about a release.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use fenrir_aws::fault;
use fenrir_core::error::{self, FaultKind};
use fenrir_core::timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::arguments::Logs;
use crate::aws::{Aws, unusable};
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::interrupt::Interrupt;
use crate::printer::Printer;
use crate::releases::{self, Found};
use crate::scope::Tables;
use crate::text::{Style, Text};

/// The log groups of the steps and of the watchdog are called `/aws/lambda/fenrir-<one of these>`.
const STEPS: [&str; 9] = [
    "validate",
    "lock",
    "create-changeset",
    "wait-changeset",
    "execute",
    "wait-execute",
    "cleanup",
    "release-lock",
    "watchdog",
];

/// Pause between two looks of `--follow`.
const PAUSE: Duration = Duration::from_secs(2);
/// Lines come into CloudWatch Logs moments after they were written: looks after the execution has ended.
const LOOKS_AFTER: u32 = 3;
/// Clocks differ, and a search without bounds reads whole log groups.
const BEFORE: time::Duration = time::Duration::minutes(1);
/// The watchdog comes every quarter of an hour.
const AFTER: time::Duration = time::Duration::minutes(20);

/// Shows the log lines.
///
/// # Errors
/// There is no such release, or its logs cannot be read.
pub fn run(arguments: &Logs, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(logs(arguments, printer))
}

async fn logs(arguments: &Logs, printer: &mut Printer) -> Result<Exit, Stop> {
    let mut aws = Aws::connect(&arguments.aws).await?;
    let tables = Tables::of(&aws)?;
    let found = releases::find(&mut aws, &tables, &arguments.scope, &arguments.release).await?;
    let mut search = Search::of(&aws, &found);
    let interrupt = Interrupt::listen().map_err(|_| Fault::failed("Ctrl-C cannot be listened to"))?;
    let (mut shown, mut looks_after) = (0, 0);
    loop {
        // Asked before the lines are read: what is written until the end is then read as well.
        let runs = arguments.follow && runs(&aws, &found).await?;
        let lines = search.look().await?;
        shown += lines.len();
        for line in lines {
            line.show(arguments.raw, printer);
        }
        if !arguments.follow || (!runs && looks_after >= LOOKS_AFTER) {
            break;
        }
        looks_after += u32::from(!runs);
        tokio::select! {
            biased;
            () = interrupt.raised() => return Ok(Exit::Interrupted),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    if !search.missing.is_empty() {
        let missing = search.missing.iter().copied().collect::<Vec<_>>().join("`, `");
        printer.warning(&format!("there is no log group of `{missing}`"));
    }
    if shown == 0 {
        printer.progress("there are no lines: the logs are kept as long as the installation says, 90 days by default");
    }
    Ok(Exit::Success)
}

async fn runs(aws: &Aws, found: &Found) -> Result<bool, Fault> {
    let execution = releases::execution(aws, &found.execution_arn(aws)).await;
    let execution = execution.map_err(|fault| unusable("looking at the execution", &fault))?;
    Ok(execution.is_some_and(|execution| execution.runs()))
}

/// The search for the lines of one release.
struct Search {
    client: Client,
    /// Only lines whose field `release_id` is the release. An id has letters, digits, `_` and `-` and nothing else
    /// (`releases::find` has looked), so it cannot end the text and add to the pattern.
    pattern: String,
    since: i64,
    until: Option<i64>,
    seen: BTreeSet<String>,
    missing: BTreeSet<&'static str>,
}

impl Search {
    fn of(aws: &Aws, found: &Found) -> Self {
        let started = found.started_at().and_then(timestamp::parse);
        let ended = found
            .entry
            .as_ref()
            .and_then(|entry| timestamp::parse(entry.ended_at.as_deref()?));
        Self {
            client: Client::new(&aws.home),
            pattern: format!("{{ $.release_id = \"{}\" }}", found.release_id),
            since: started.map_or(0, |at| milliseconds(at - BEFORE)),
            until: ended.map(|at| milliseconds(at + AFTER)),
            seen: BTreeSet::new(),
            missing: BTreeSet::new(),
        }
    }

    /// The lines that were not seen yet, by time.
    async fn look(&mut self) -> Result<Vec<Line>, Fault> {
        let mut lines = Vec::new();
        for step in STEPS {
            match self.of_step(step).await {
                Ok(found) => lines.extend(found),
                Err(fault) if fault.is("ResourceNotFoundException") => {
                    self.missing.insert(step);
                }
                Err(fault) if fault.kind == FaultKind::Denied => {
                    let fault = unusable("reading the logs", &fault);
                    return Err(fault.help(
                        "ask an administrator of the deployer for the right to read the logs of its steps \
                         (docs/install.md); `fenrir show` and `fenrir events` tell how it ended without them",
                    ));
                }
                Err(fault) => return Err(unusable("reading the logs", &fault)),
            }
        }
        lines.sort_by(|one, other| (&one.at_ms, &one.step).cmp(&(&other.at_ms, &other.step)));
        Ok(lines)
    }

    async fn of_step(&mut self, step: &'static str) -> Result<Vec<Line>, error::Fault> {
        let mut pages = self
            .client
            .filter_log_events()
            .log_group_name(format!("/aws/lambda/fenrir-{step}"))
            .filter_pattern(&self.pattern)
            .start_time(self.since)
            .set_end_time(self.until)
            .into_paginator()
            .send();
        let mut lines = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault("logs:FilterLogEvents", &error))?;
            for event in page.events() {
                let id = event.event_id().map(|id| format!("{step} {id}"));
                if id.is_none_or(|id| self.seen.insert(id)) {
                    lines.push(Line::of(step, event));
                }
            }
        }
        Ok(lines)
    }
}

fn milliseconds(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1_000 + i64::from(at.millisecond())
}

/// One line.
#[derive(Debug, Serialize)]
struct Line {
    at: String,
    step: &'static str,
    #[serde(skip)]
    at_ms: i64,
    /// The line itself: an object, or a text where it is none.
    #[serde(rename = "line")]
    said: Value,
}

impl Line {
    fn of(step: &'static str, event: &FilteredLogEvent) -> Self {
        let at_ms = event.timestamp().unwrap_or_default();
        let text = event.message().unwrap_or_default().trim_end();
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
        let seconds = at.map(timestamp::format).unwrap_or_default();
        Self {
            // To the millisecond, which is all that CloudWatch Logs keeps.
            at: format!("{}.{:03}Z", seconds.trim_end_matches('Z'), at_ms.rem_euclid(1_000)),
            step,
            at_ms,
            said: serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        }
    }

    fn show(&self, raw: bool, printer: &mut Printer) {
        if raw && !printer.is_json() {
            let line = match &self.said {
                Value::String(text) => text.clone(),
                object => object.to_string(),
            };
            printer.result(&line);
        } else {
            printer.answer(self);
        }
    }
}

/// Fields that the columns say, or that are the same in every line of a release.
const COMMON: [&str; 14] = [
    "time",
    "timestamp",
    "level",
    "message",
    "step",
    "request_id",
    "release_id",
    "project",
    "config",
    "account",
    "region",
    "execution",
    "target",
    "operation",
];

impl Answer for Line {
    const TYPE: &'static str = "log";

    fn human(&self, text: &mut Text) {
        let clock: String = self.at.chars().skip(11).take(12).collect();
        let nothing = Map::new();
        let fields = self.said.as_object().unwrap_or(&nothing);
        let of = |name: &str| fields.get(name).and_then(Value::as_str);
        let level = of("level").unwrap_or_default();
        let style = match level {
            "ERROR" => Style::Bad,
            "WARN" => Style::Warn,
            _ => Style::Plain,
        };
        text.put(Style::Dim, format!("{clock}  "));
        text.plain(format!("{:<16}  ", self.step));
        text.put(style, format!("{level:<5}"));
        let message = of("message").or(self.said.as_str()).unwrap_or_default();
        text.plain(format!("  {message}"));
        for (name, value) in fields.iter().filter(|(name, _)| !COMMON.contains(&name.as_str())) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.put(Style::Dim, format!("  {name}={value}"));
        }
        text.end();
    }
}
