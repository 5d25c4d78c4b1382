//! Following a deploy: what it enters, what CloudFormation does, and how it ends.
//!
//! The deploy does not depend on being followed. So nothing that goes wrong here is a failure of the deploy: who cannot
//! watch any longer says so, and how to watch again.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::primitives::{DateTime, DateTimeFormat};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType};
use fenrir_aws::fault;
use fenrir_core::error::{Fault, FaultKind};
use fenrir_core::names;
use fenrir_core::owner::Owner;
use fenrir_core::timestamp;
use fenrir_stacks::events::Event;
use fenrir_stacks::marks::Marks;
use time::OffsetDateTime;

use crate::aws::{Aws, words};
use crate::environment;
use crate::interrupt::Interrupt;
use crate::mine;
use crate::printer::Printer;
use crate::progress::{Entered, News, Progress};

/// Pause between two looks, at first and later. A look is two or three calls.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Looks after which the longer pause begins.
const SOON: u32 = 60;

/// After which a look that takes long lets the progress go on.
const LONG: Duration = Duration::from_secs(1);

/// What a look may leave out for good: how many resources will move.
const CHANGES: &str = "the change set";

/// Seconds to go on trying when AWS cannot be reached, unless [`environment::PATIENCE`] says otherwise.
const PATIENCE: u64 = 120;

/// How the watching ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The execution succeeded; its output.
    Succeeded(String),
    /// It ended in a Fail state, or was broken off by Step Functions.
    Failed {
        /// Error.
        error: String,
        /// Cause.
        cause: String,
    },
    /// The machine's own time was up.
    TimedOut,
    /// Somebody stopped the execution by hand.
    Aborted(String),
    /// Nobody watches any longer, for this reason; the deploy goes on.
    Detached(String),
}

/// The deploy that is followed.
#[derive(Debug)]
pub struct Follower<'a> {
    aws: &'a Aws,
    execution: String,
    stack_name: String,
    seen: Seen,
}

/// What was shown already.
#[derive(Debug, Default)]
struct Seen {
    /// Newest history event.
    history: i64,
    states: BTreeSet<String>,
    /// Whether the machine got as far as touching the stack.
    touches_stack: bool,
    stack_arn: Option<String>,
    events: Vec<Event>,
    /// What the caller may not read; said once.
    denied: BTreeSet<&'static str>,
}

/// Something that happened, and its Unix time.
type Line = (i64, News);

/// What one look found.
#[derive(Debug, Default)]
struct Look {
    /// In the order of time: the machine's and the stack's mixed.
    lines: Vec<Line>,
    end: Option<End>,
}

impl<'a> Follower<'a> {
    /// Follows `execution`, which deploys for `owner`.
    #[must_use]
    pub fn new(aws: &'a Aws, execution: String, owner: &Owner) -> Self {
        Self {
            aws,
            execution,
            stack_name: names::stack(owner),
            seen: Seen::default(),
        }
    }

    /// The stack's events of this deploy so far, oldest first.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.seen.events
    }

    /// The stack: its ARN where it is known, its name otherwise.
    #[must_use]
    pub fn stack(&self) -> &str {
        self.seen.stack_arn.as_deref().unwrap_or(&self.stack_name)
    }

    /// Watches until the end, or until somebody or something stops the watching.
    pub async fn follow(&mut self, interrupt: &Interrupt, printer: &mut Printer) -> End {
        let mut progress = Progress::new(printer);
        let end = self.watch(interrupt, &mut progress, printer).await;
        progress.end();
        end
    }

    async fn watch(&mut self, interrupt: &Interrupt, progress: &mut Progress, printer: &mut Printer) -> End {
        let mut lost: Option<Instant> = None;
        let patience = patience();
        for looks in 0_u32.. {
            let Some(look) = self.look_beside(interrupt, progress, printer).await else {
                return End::Detached("interrupted".to_owned());
            };
            match look {
                Ok(look) => {
                    lost = None;
                    let news: Vec<News> = look.lines.into_iter().map(|(_, news)| news).collect();
                    if self.seen.touches_stack && progress.wants_total() && !self.seen.denied.contains(CHANGES) {
                        match self.changes().await {
                            Ok(Some(changes)) => progress.expect(changes),
                            Err(fault) if fault.kind == FaultKind::Transient => {}
                            // Not a word: the bar does without.
                            Ok(None) | Err(_) => {
                                self.seen.denied.insert(CHANGES);
                            }
                        }
                    }
                    progress.show(&news, &self.stack_name, printer);
                    if let Some(end) = look.end {
                        return end;
                    }
                }
                Err(fault) => {
                    let since = *lost.get_or_insert_with(|| {
                        let note = format!("AWS cannot be reached, trying on: {}", words(&fault));
                        progress.note(&note, printer);
                        Instant::now()
                    });
                    if fault.kind != FaultKind::Transient || since.elapsed() >= patience {
                        return End::Detached(format!("the deploy cannot be watched any longer: {}", words(&fault)));
                    }
                }
            }
            let pause = if looks < SOON { PAUSES[0] } else { PAUSES[1] };
            tokio::select! {
                biased;
                () = interrupt.raised() => return End::Detached("interrupted".to_owned()),
                () = tokio::time::sleep(pause) => {}
            }
        }
        End::Detached("the deploy takes too long to be watched".to_owned())
    }

    /// Looks once, and lets the progress go on meanwhile. `None` when Ctrl-C was pressed.
    async fn look_beside(
        &mut self,
        interrupt: &Interrupt,
        progress: &mut Progress,
        printer: &mut Printer,
    ) -> Option<Result<Look, Fault>> {
        let stack = self.stack_name.clone();
        let mut looking = pin!(self.look());
        loop {
            tokio::select! {
                biased;
                () = interrupt.raised() => return None,
                look = &mut looking => return Some(look),
                () = tokio::time::sleep(LONG) => progress.show(&[], &stack, printer),
            }
        }
    }

    /// How many resources the change set touches; `None` where nobody can know.
    async fn changes(&self) -> Result<Option<usize>, Fault> {
        if self.aws.account != self.aws.caller.account {
            return Ok(None);
        }
        let marks = Marks::of(&self.execution);
        let found = self.aws.stacks.own_change_set(self.stack(), &marks).await?;
        Ok(found.map(|seen| seen.changes.len()))
    }

    /// Looks once. What the caller may not read is said once and left out.
    async fn look(&mut self) -> Result<Look, Fault> {
        let answer = self
            .aws
            .sfn
            .describe_execution()
            .execution_arn(&self.execution)
            .send()
            .await;
        let answer = answer.map_err(|error| fault("states:DescribeExecution", &error))?;
        let mut look = Look {
            end: end(&answer),
            ..Look::default()
        };
        let states = self.states().await;
        self.unless_denied(states, "the states it enters", &mut look.lines)?;
        let until = answer.stop_date().map(seconds);
        let events = self.stack_events(seconds(answer.start_date()), until).await;
        self.unless_denied(events, "the stack's events", &mut look.lines)?;
        look.lines.sort_by_key(|(at, _)| *at);
        Ok(look)
    }

    fn unless_denied(
        &mut self,
        found: Result<Vec<Line>, Fault>,
        what: &'static str,
        lines: &mut Vec<Line>,
    ) -> Result<(), Fault> {
        match found {
            Ok(found) => lines.extend(found),
            Err(fault) if fault.kind == FaultKind::Transient => return Err(fault),
            Err(fault) => {
                if self.seen.denied.insert(what) {
                    let note = format!("{what} cannot be shown: {}", fault.message);
                    lines.push((i64::MAX, News::Note(note)));
                }
            }
        }
        Ok(())
    }

    /// The Task states that were entered since the last look, each once, however often a loop enters it.
    async fn states(&mut self) -> Result<Vec<Line>, Fault> {
        let mut pages = self
            .aws
            .sfn
            .get_execution_history()
            .execution_arn(&self.execution)
            .reverse_order(true)
            .include_execution_data(false)
            .into_paginator()
            .send();
        let (known, mut newest, mut entered) = (self.seen.history, self.seen.history, Vec::new());
        'pages: while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault("states:GetExecutionHistory", &error))?;
            for event in page.events() {
                if event.id() <= known {
                    break 'pages;
                }
                newest = newest.max(event.id());
                let is_task = *event.r#type() == HistoryEventType::TaskStateEntered;
                if let Some(details) = event.state_entered_event_details().filter(|_| is_task) {
                    entered.push((*event.timestamp(), details.name().to_owned()));
                }
            }
        }
        self.seen.history = newest;
        let mut lines = Vec::new();
        for (at, name) in entered.into_iter().rev() {
            self.seen.touches_stack |= name == "Execute" || name == "CleanUp";
            if self.seen.states.insert(name.clone()) {
                let at_text = at.fmt(DateTimeFormat::DateTime).unwrap_or_default();
                lines.push((
                    at.secs(),
                    News::State(Entered {
                        at: at_text,
                        state: name,
                    }),
                ));
            }
        }
        Ok(lines)
    }

    /// The stack's events since the last look, oldest first: from the start of the execution to its end. While it ran it
    /// held the lock; what came later is of others.
    async fn stack_events(
        &mut self,
        started: OffsetDateTime,
        stopped: Option<OffsetDateTime>,
    ) -> Result<Vec<Line>, Fault> {
        // Of another account's stack the caller's own rights say nothing.
        if !self.seen.touches_stack || self.aws.account != self.aws.caller.account {
            return Ok(Vec::new());
        }
        let known = self.seen.events.last().map(|event| event.id.clone());
        let is_old = |event: &Event| {
            known.as_ref() == Some(&event.id) || timestamp::parse(&event.at).is_none_or(|at| at < started)
        };
        let mut new = self.aws.stacks.events(self.stack(), is_old).await?;
        let is_later = |event: &Event| {
            stopped.is_some_and(|stopped| {
                timestamp::parse(&event.at).is_some_and(|at| at > stopped + time::Duration::SECOND)
            })
        };
        // Within one second time does not tell two releases apart.
        let marks = Marks::of(&self.execution);
        new.retain(|event| !is_old(event) && !is_later(event) && !mine::is_anothers(event, &marks));
        new.reverse();
        for event in new.iter().filter(|event| event.logical_id == self.stack_name) {
            self.seen.stack_arn = Some(event.physical_id.clone());
        }
        let at = |event: &Event| timestamp::parse(&event.at).map_or(0, OffsetDateTime::unix_timestamp);
        let lines = new
            .iter()
            .map(|event| (at(event), News::Event(Box::new(event.clone()))))
            .collect();
        self.seen.events.extend(new);
        Ok(lines)
    }
}

/// How the execution ended, if it did.
fn end(answer: &DescribeExecutionOutput) -> Option<End> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    match answer.status() {
        ExecutionStatus::Succeeded => Some(End::Succeeded(text(answer.output()))),
        ExecutionStatus::TimedOut => Some(End::TimedOut),
        ExecutionStatus::Aborted => Some(End::Aborted(text(answer.cause()))),
        ExecutionStatus::Failed => Some(End::Failed {
            error: text(answer.error()),
            cause: text(answer.cause()),
        }),
        _ => None,
    }
}

/// To the second, which is all that CloudFormation's events may have.
fn seconds(at: &DateTime) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn patience() -> Duration {
    let given = std::env::var(environment::PATIENCE).ok();
    Duration::from_secs(given.and_then(|seconds| seconds.parse().ok()).unwrap_or(PATIENCE))
}
