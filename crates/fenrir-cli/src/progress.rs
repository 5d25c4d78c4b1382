//! What is shown of a deploy that is followed: a bar with counts and what moves now where stderr can be drawn on, a line
//! for each event and a sign of life otherwise, objects for programs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fenrir_core::problem::printable;
use fenrir_stacks::events::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::answer::Answer;
use crate::arguments;
use crate::environment;
use crate::printer::Printer;
use crate::text::{Style, Terminal, Text, duration};

/// Seconds of silence before a sign of life, unless [`environment::HEARTBEAT`] says otherwise.
const HEARTBEAT: u64 = 30;
/// Resources that are shown below the bar; more are counted.
const MOVING: usize = 6;
/// Failures that stay above the bar; all are told at the end.
const PINNED: usize = 4;
/// Between two pictures of a spinner.
const TICK: Duration = Duration::from_millis(120);

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The machine entered a state.
    State(Entered),
    /// CloudFormation did something.
    Event(Box<Event>),
    /// Something else to know.
    Note(String),
}

/// A state that the machine entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entered {
    /// When, RFC 3339.
    pub at: String,
    /// Its name.
    pub state: String,
}

impl Answer for Entered {
    const TYPE: &'static str = "state";

    fn human(&self, text: &mut Text) {
        text.line(format!("{}  {}", clock(&self.at), self.state));
    }
}

impl Answer for Event {
    const TYPE: &'static str = "event";

    fn human(&self, text: &mut Text) {
        let reason = match self.reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        text.plain(format!("{}    ", clock(&self.at)));
        text.put(style(&self.status), &self.status);
        text.line(format!(" {} ({}){reason}", self.logical_id, self.resource_type));
    }
}

/// A sign of life.
#[derive(Debug, Serialize)]
struct Heartbeat<'a> {
    state: &'a str,
    seconds: u64,
    done: usize,
    of: Option<usize>,
    moving: Vec<&'a str>,
}

impl Answer for Heartbeat<'_> {
    const TYPE: &'static str = "heartbeat";

    fn human(&self, text: &mut Text) {
        let since = duration(i64::try_from(self.seconds).unwrap_or(i64::MAX));
        let done = match (self.of, self.done) {
            (Some(of), done) => format!(", {done} of {of} resources done"),
            (None, 0) => String::new(),
            (None, done) => format!(", {}", resources(done)),
        };
        let moving = match self.moving.as_slice() {
            [] => String::new(),
            [one] => format!(", {one} is at work"),
            [one, more @ ..] => format!(", {one} and {} more are at work", more.len()),
        };
        text.line(format!("still at {} after {since}{done}{moving}", self.state));
    }
}

/// `22:06:31` of an RFC 3339 time, in UTC as CloudFormation and the console's history have it.
fn clock(at: &str) -> &str {
    at.split('T')
        .nth(1)
        .and_then(|time| time.get(..8))
        .unwrap_or("--:--:--")
}

/// How a status of CloudFormation looks.
fn style(status: &str) -> Style {
    if status.ends_with("_FAILED") || status.contains("ROLLBACK") {
        Style::Bad
    } else if status.ends_with("_COMPLETE") {
        Style::Good
    } else {
        Style::Plain
    }
}

/// What is known of a resource.
#[derive(Debug, Default)]
struct Known {
    status: String,
    kind: String,
    /// Since when it moves, if it does.
    since: Option<Instant>,
    /// Whether there is something: it has a physical id.
    exists: bool,
}

/// What is known of the resources.
#[derive(Debug, Default)]
struct Tally {
    /// By logical id.
    resources: BTreeMap<String, Known>,
    /// How many will move, where that is known.
    total: Option<usize>,
    rolls_back: bool,
}

impl Tally {
    /// Takes an event in. `stack` is the stack's name, whose own events are no resource's.
    fn take(&mut self, event: &Event, stack: &str) {
        if event.logical_id == stack {
            if event.status.contains("ROLLBACK_IN_PROGRESS") && !self.rolls_back {
                // What moved so far moves back.
                self.rolls_back = true;
                // What never came to be needs nobody to take it back.
                self.resources
                    .retain(|_, known| known.exists || !known.status.ends_with("_FAILED"));
                self.total = Some(self.resources.len());
                for known in self.resources.values_mut() {
                    known.status.clear();
                    known.since = None;
                }
            }
            return;
        }
        let moves = event.status.ends_with("_IN_PROGRESS");
        let known = self.resources.entry(event.logical_id.clone()).or_default();
        *known = Known {
            status: event.status.clone(),
            kind: event.resource_type.clone(),
            since: known.since.filter(|_| moves).or_else(|| moves.then(Instant::now)),
            exists: !event.physical_id.is_empty(),
        };
    }

    fn done(&self) -> usize {
        let is_done = |status: &str| status.ends_with("_COMPLETE") || status == "DELETE_SKIPPED";
        self.resources.values().filter(|known| is_done(&known.status)).count()
    }

    /// How many will move; `None` where only CloudFormation knows.
    fn of(&self) -> Option<usize> {
        self.total.map(|total| total.max(self.resources.len()))
    }

    /// Logical id, status, type and since when of what moves now.
    fn moving(&self) -> impl Iterator<Item = (&str, &str, &str, Instant)> {
        self.resources
            .iter()
            .filter_map(|(id, known)| Some((id.as_str(), known.status.as_str(), known.kind.as_str(), known.since?)))
    }
}

/// Shows what happens.
#[derive(Debug)]
pub struct Progress {
    shows: arguments::Progress,
    bar: Option<Bar>,
    tally: Tally,
    state: String,
    began: Instant,
    spoke: Instant,
    heartbeat: Duration,
}

impl Progress {
    /// As the printer wants it.
    #[must_use]
    pub fn new(printer: &Printer) -> Self {
        let given = std::env::var(environment::HEARTBEAT).ok();
        let heartbeat = given.and_then(|seconds| seconds.parse().ok()).unwrap_or(HEARTBEAT);
        let shows = printer.shows();
        let bar = printer.canvas().filter(|_| shows == arguments::Progress::Bar);
        Self {
            shows,
            bar: bar.map(Bar::new),
            tally: Tally::default(),
            state: "the beginning".to_owned(),
            began: Instant::now(),
            spoke: Instant::now(),
            heartbeat: Duration::from_secs(heartbeat.max(1)),
        }
    }

    /// How many resources will move.
    pub fn expect(&mut self, resources: usize) {
        if !self.tally.rolls_back {
            self.tally.total = Some(resources);
        }
    }

    /// Whether somebody should look how many resources will move.
    #[must_use]
    pub fn wants_total(&self) -> bool {
        self.bar.is_some() && self.tally.total.is_none()
    }

    /// Shows what happened.
    pub fn show(&mut self, news: &[News], stack: &str, printer: &mut Printer) {
        for one in news {
            match one {
                News::State(entered) => self.state.clone_from(&entered.state),
                News::Event(event) => self.tally.take(event, stack),
                News::Note(_) => {}
            }
            self.tell(one, printer);
        }
        if let Some(bar) = &mut self.bar {
            bar.draw(&self.state, &self.tally, self.began);
        } else if self.shows == arguments::Progress::Events && self.spoke.elapsed() >= self.heartbeat {
            self.spoke = Instant::now();
            printer.tell(&Heartbeat {
                state: &self.state,
                seconds: self.began.elapsed().as_secs(),
                done: self.tally.done(),
                of: self.tally.of(),
                moving: self.tally.moving().map(|(id, ..)| id).collect(),
            });
        }
    }

    fn tell(&mut self, news: &News, printer: &mut Printer) {
        let is_failure = matches!(news, News::Event(event) if event.is_failure() && !event.is_cancelled());
        if let Some(bar) = &mut self.bar {
            match news {
                News::Note(note) => bar.say(&printable(note)),
                News::Event(event) if is_failure => bar.pin(event),
                _ => {}
            }
            return;
        }
        let wanted = match self.shows {
            arguments::Progress::None => false,
            arguments::Progress::Errors => is_failure || matches!(news, News::Note(_)),
            arguments::Progress::Events | arguments::Progress::Bar => true,
        };
        if wanted {
            self.spoke = Instant::now();
            match news {
                News::State(entered) => printer.tell(entered),
                News::Event(event) if is_failure => printer.insist(event.as_ref()),
                News::Event(event) => printer.tell(event.as_ref()),
                News::Note(note) => printer.progress(note),
            }
        }
    }

    /// Says something that is no event.
    pub fn note(&mut self, note: &str, printer: &mut Printer) {
        self.tell(&News::Note(note.to_owned()), printer);
    }

    /// Takes the bar away: what comes now is the end.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.remove();
        }
    }
}

/// The bar, and what is shown around it.
#[derive(Debug)]
struct Bar {
    all: MultiProgress,
    pinned: Vec<ProgressBar>,
    whole: ProgressBar,
    moving: Vec<ProgressBar>,
    more: ProgressBar,
    colours: bool,
}

impl Bar {
    fn new(terminal: Terminal) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let whole = all.add(ProgressBar::new(0));
        whole.set_style(plain_line("{spinner} {prefix}"));
        whole.enable_steady_tick(TICK);
        let more = all.add(ProgressBar::new(0));
        more.set_style(plain_line("{prefix}"));
        Self {
            all,
            pinned: Vec::new(),
            whole,
            moving: Vec::new(),
            more,
            colours: terminal.colours,
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        style.paint(text, self.colours)
    }

    fn draw(&mut self, state: &str, tally: &Tally, began: Instant) {
        let (done, of) = (tally.done(), tally.of());
        let name = if tally.rolls_back {
            self.paint(Style::Bad, &format!("{state}, rolling back"))
        } else {
            self.paint(Style::Strong, state)
        };
        let counts = match of {
            Some(of) => format!("  {} {done}/{of} resources", gauge(done, of)),
            None if done == 0 => String::new(),
            None => format!("  {}", resources(done)),
        };
        let since = duration(i64::try_from(began.elapsed().as_secs()).unwrap_or(i64::MAX));
        self.whole.set_prefix(format!("{name}{counts}  {since}"));
        let moving: Vec<_> = tally.moving().collect();
        for (index, (id, status, kind, since)) in moving.iter().take(MOVING).enumerate() {
            let line = format!(
                "  {} {} {}  {} s",
                self.paint(style(status), status),
                self.paint(Style::Strong, id),
                self.paint(Style::Dim, kind),
                since.elapsed().as_secs()
            );
            if let Some(bar) = self.moving.get(index) {
                bar.set_prefix(line);
            } else {
                let bar = self.all.insert_before(&self.more, ProgressBar::new(0));
                bar.set_style(plain_line("{prefix}"));
                bar.set_prefix(line);
                self.moving.push(bar);
            }
        }
        while self.moving.len() > moving.len().min(MOVING) {
            if let Some(bar) = self.moving.pop() {
                self.all.remove(&bar);
            }
        }
        let more = moving.len().saturating_sub(MOVING);
        self.more.set_prefix(if more > 0 {
            format!("  and {more} more")
        } else {
            String::new()
        });
        self.more.tick();
    }

    /// A line above the bar, which stays.
    fn say(&self, line: &str) {
        // A terminal that is gone is no reason to stop watching.
        let _gone = self.all.println(line);
    }

    /// A failure, which stays above the bar until the end.
    fn pin(&mut self, event: &Event) {
        if self.pinned.len() >= PINNED {
            return;
        }
        let failed = self.paint(Style::Bad, "failed:");
        let line = format!(
            "{failed} {}: {}",
            printable(&event.logical_id),
            printable(&event.reason)
        );
        let bar = self.all.insert_before(&self.whole, ProgressBar::new(0));
        bar.set_style(plain_line("{prefix}"));
        bar.set_prefix(line);
        bar.tick();
        self.pinned.push(bar);
    }

    fn remove(self) {
        // The last lines are told once more, by whoever says how it ended.
        let _gone = self.all.clear();
    }
}

/// So many of nobody knows how many.
fn resources(done: usize) -> String {
    match done {
        1 => "1 resource done".to_owned(),
        done => format!("{done} resources done"),
    }
}

/// A line without anything of its own; its text is cut at the terminal's edge.
fn plain_line(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// `[#####-----]`: as far as `done` of `of` is.
fn gauge(done: usize, of: usize) -> String {
    const CELLS: usize = 20;
    let full = (done * CELLS).checked_div(of).unwrap_or_default().min(CELLS);
    format!("{}{}", "█".repeat(full), "░".repeat(CELLS - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, status: &str) -> Event {
        Event {
            logical_id: id.to_owned(),
            status: status.to_owned(),
            ..Event::default()
        }
    }

    #[test]
    fn what_is_done_and_what_moves_is_counted() {
        let mut tally = Tally::default();
        for (id, status) in [
            ("stack", "CREATE_IN_PROGRESS"),
            ("A", "CREATE_IN_PROGRESS"),
            ("B", "CREATE_IN_PROGRESS"),
            ("A", "CREATE_COMPLETE"),
        ] {
            tally.take(&event(id, status), "stack");
        }
        assert_eq!((tally.done(), tally.of()), (1, None));
        assert_eq!(tally.moving().map(|(id, ..)| id).collect::<Vec<_>>(), ["B"]);
        tally.total = Some(5);
        assert_eq!((tally.done(), tally.of()), (1, Some(5)));
    }

    #[test]
    fn a_rollback_counts_back() {
        let mut tally = Tally::default();
        for (id, status) in [
            ("A", "CREATE_COMPLETE"),
            ("B", "CREATE_FAILED"),
            ("stack", "ROLLBACK_IN_PROGRESS"),
            ("A", "DELETE_IN_PROGRESS"),
            ("A", "DELETE_COMPLETE"),
        ] {
            let physical_id = if id == "B" { "" } else { "there" };
            let physical_id = physical_id.to_owned();
            tally.take(
                &Event {
                    physical_id,
                    ..event(id, status)
                },
                "stack",
            );
        }
        assert!(tally.rolls_back);
        assert_eq!((tally.done(), tally.of(), tally.moving().count()), (1, Some(1), 0));
    }

    #[test]
    fn a_gauge_fills_up() {
        assert_eq!(gauge(0, 0), "░".repeat(20));
        assert_eq!(gauge(1, 2), "█".repeat(10) + &"░".repeat(10));
        assert_eq!(gauge(7, 2), "█".repeat(20));
    }
}
