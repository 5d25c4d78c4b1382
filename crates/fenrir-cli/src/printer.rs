//! The one place that writes to the terminal.
//!
//! What a command is for goes to stdout, so that it can be piped; everything said meanwhile goes to stderr. With
//! `--format json` everything goes to stdout, as lines of JSON (NDJSON) that each have a `type`. Text from outside is made
//! printable first: neither a template nor an answer of AWS can turn the terminal around.

use std::fmt;
use std::io::{self, BufRead as _, IsTerminal as _, Write};

use fenrir_core::problem::{Problem, Severity, is_unprintable};
use serde::Serialize;
use serde_json::{Map, Value, json};
use terminal_size::{Width, terminal_size_of};

use crate::answer::{Answer, Message};
use crate::arguments::{Colors, Format, OutputArguments, Progress};
use crate::environment;
use crate::fault::{Fault, Stop};
use crate::render;
use crate::source::Source;
use crate::text::{Style, Terminal, Text};

/// Writes for people, or for programs.
pub struct Printer {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// What stdout is.
    out_terminal: Terminal,
    /// What stderr is.
    err_terminal: Terminal,
    /// Whether stderr is a terminal that can be drawn on again and again.
    redraws: bool,
    format: Format,
    loudness: Loudness,
    progress: Option<Progress>,
    is_cut: bool,
}

/// How much is said beside the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Loudness {
    /// Only warnings and failures.
    Quiet,
    /// What goes on.
    Normal,
    /// Also why.
    Verbose,
}

impl Printer {
    /// The printer of this process.
    #[must_use]
    pub fn of_process(arguments: OutputArguments) -> Self {
        let is_dumb = std::env::var_os(environment::TERM).is_some_and(|term| term == "dumb");
        let colours = |is_terminal: bool| match arguments.color {
            Colors::Always => true,
            Colors::Never => false,
            Colors::Auto => is_terminal && !is_dumb && std::env::var_os(environment::NO_COLOR).is_none(),
        };
        let (out, err) = (io::stdout(), io::stderr());
        let out_terminal = Terminal {
            width: width(terminal_size_of(&out)),
            colours: colours(out.is_terminal()),
        };
        let err_terminal = Terminal {
            width: width(terminal_size_of(&err)),
            colours: colours(err.is_terminal()),
        };
        Self {
            redraws: err.is_terminal() && !is_dumb && std::env::var_os(environment::CI).is_none(),
            out: Box::new(out),
            err: Box::new(err),
            out_terminal,
            err_terminal,
            format: arguments.format,
            progress: arguments.progress,
            is_cut: false,
            loudness: match (arguments.quiet, arguments.verbose) {
                (true, _) => Loudness::Quiet,
                (false, true) => Loudness::Verbose,
                (false, false) => Loudness::Normal,
            },
        }
    }

    /// Whether the answer is for programs.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether what goes on is to be said.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.loudness == Loudness::Quiet
    }

    /// Where what goes on can be drawn again and again: stderr is a terminal, nobody asked for silence, and no build server
    /// keeps every line.
    #[must_use]
    pub fn canvas(&self) -> Option<Terminal> {
        (self.redraws && self.format == Format::Human && !self.is_quiet()).then_some(self.err_terminal)
    }

    /// How to show what is followed.
    #[must_use]
    pub fn shows(&self) -> Progress {
        match self.progress {
            Some(Progress::Bar) if self.canvas().is_none() => Progress::Events,
            Some(progress) => progress,
            None if self.is_quiet() => Progress::None,
            None if self.canvas().is_some() => Progress::Bar,
            None => Progress::Events,
        }
    }

    /// The answer.
    pub fn answer<A: Answer>(&mut self, answer: &A) {
        match self.format {
            Format::Json => self.line(A::TYPE, answer),
            Format::Human => {
                let text = human(answer, self.out_terminal);
                self.out(&text);
            }
        }
    }

    /// Something that happens meanwhile: like an answer, but beside it.
    pub fn tell<A: Answer>(&mut self, news: &A) {
        if !self.is_quiet() {
            self.insist(news);
        }
    }

    /// A failure that happens meanwhile: even `--quiet` shows it.
    pub fn insist<A: Answer>(&mut self, failure: &A) {
        match self.format {
            Format::Json => self.line(A::TYPE, failure),
            Format::Human => {
                let text = human(failure, self.err_terminal);
                write(&mut self.err, &text);
            }
        }
    }

    /// A sentence as the answer.
    pub fn result(&mut self, sentence: &str) {
        let message = sentence.to_owned();
        self.answer(&Message { message });
    }

    /// A line about what goes on.
    pub fn progress(&mut self, line: &str) {
        if !self.is_quiet() {
            self.say("info", Style::Plain, line);
        }
    }

    /// A line that only `--verbose` shows.
    pub fn detail(&mut self, line: &str) {
        if self.loudness == Loudness::Verbose {
            self.say("detail", Style::Dim, line);
        }
    }

    /// A line that even `--quiet` shows.
    pub fn warning(&mut self, line: &str) {
        match self.format {
            Format::Json => self.say("warning", Style::Plain, line),
            Format::Human => {
                let mut text = Style::Warn.paint("warning", self.err_terminal.colours);
                text.push_str(": ");
                text.push_str(&Style::Plain.paint(line, false));
                text.push('\n');
                write(&mut self.err, &text);
            }
        }
    }

    fn say(&mut self, kind: &str, style: Style, line: &str) {
        match self.format {
            Format::Json => self.line(kind, &json!({"message": line})),
            Format::Human => {
                let text = style.paint(line, self.err_terminal.colours) + "\n";
                write(&mut self.err, &text);
            }
        }
    }

    /// One line for programs.
    fn line(&mut self, kind: &str, value: &impl Serialize) {
        // A struct of strings, numbers, lists and maps always serialises.
        let value = serde_json::to_value(value).unwrap_or_default();
        let mut line = Map::from_iter([("type".to_owned(), Value::from(kind))]);
        match value {
            Value::Object(fields) => line.extend(fields),
            other => line.extend([("value".to_owned(), other)]),
        }
        let line = escaped(&Value::from(line).to_string()) + "\n";
        self.out(&line);
    }

    /// Writes to stdout. A reader that went away (`| head`) has seen enough; a full disk has not.
    fn out(&mut self, text: &str) {
        if let Err(error) = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            self.is_cut |= error.kind() != io::ErrorKind::BrokenPipe;
        }
    }

    /// Whether a part of the answer could not be written.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Text as it is, such as a document that a command was asked for.
    pub fn raw(&mut self, text: &str) {
        self.out(text);
    }

    /// Problems as the answer (`fenrir validate`).
    pub fn report(&mut self, problems: &[Problem], source: &Source) {
        let text = render::problems(problems, source, self.out_terminal.colours);
        self.out(&(text.trim_end().to_owned() + "\n"));
    }

    /// Problems as the reason of a failure.
    pub fn problems(&mut self, problems: &[Problem], source: &Source) {
        match self.format {
            Format::Json => {
                for problem in problems {
                    self.line("problem", &Diagnostic::of(problem, &source.name));
                }
            }
            Format::Human => {
                let text = render::problems(problems, source, self.err_terminal.colours);
                write(&mut self.err, &(text.trim_end().to_owned() + "\n"));
            }
        }
    }

    /// Why the command stops.
    pub fn stop(&mut self, stop: &Stop) {
        match (stop, self.format) {
            (Stop::Fault(fault), _) => self.fault(fault),
            (Stop::Problems { problems, source, .. }, Format::Human) => self.problems(problems, source),
            (Stop::Problems { problems, source, exit }, Format::Json) => {
                self.problems(problems, source);
                let count = render::count(problems).unwrap_or_else(|| "problems".to_owned());
                let message = format!("`{}` has {count}", source.name);
                self.fault(&Fault::new(*exit, message));
            }
        }
    }

    fn fault(&mut self, fault: &Fault) {
        match self.format {
            Format::Json => {
                let line = json!({"message": fault.message, "help": fault.help, "exit": fault.exit as u8});
                self.line("error", &line);
            }
            Format::Human => {
                let text = render::fault(fault, self.err_terminal.colours);
                write(&mut self.err, &(text.trim_end().to_owned() + "\n"));
            }
        }
    }

    /// Asks for a yes, unless `yes` was said already.
    ///
    /// # Errors
    /// Nobody can be asked, as nobody sits at a terminal; or the answer is no.
    pub fn confirm(&mut self, question: &str, yes: bool) -> Result<(), Fault> {
        if yes {
            return Ok(());
        }
        let answer = self.ask(&format!("{question} [y/N] "));
        let answer = answer.ok_or_else(|| {
            Fault::usage(format!("nobody can be asked: {question}")).help("say `--yes` where there is no terminal")
        })?;
        if matches!(answer.to_lowercase().as_str(), "y" | "yes") {
            Ok(())
        } else {
            Err(Fault::failed("nothing was done: the answer was no"))
        }
    }

    /// Asks for a line; `None` where nobody sits at a terminal.
    pub fn ask(&mut self, question: &str) -> Option<String> {
        if self.is_json() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        write(&mut self.err, &Style::Strong.paint(question, self.err_terminal.colours));
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }
}

/// A problem for programs.
#[derive(Debug, Serialize)]
pub struct Diagnostic<'a> {
    code: &'a str,
    severity: Severity,
    message: &'a str,
    path: &'a str,
    file: &'a str,
    line: Option<u32>,
    column: Option<u32>,
    help: Option<&'a str>,
}

impl<'a> Diagnostic<'a> {
    /// Of a problem in `file`.
    #[must_use]
    pub fn of(problem: &'a Problem, file: &'a str) -> Self {
        Self {
            code: &problem.code,
            severity: problem.severity,
            message: &problem.message,
            path: &problem.path,
            file,
            line: problem.position.map(|position| position.line),
            column: problem.position.map(|position| position.column),
            help: problem.help.as_deref(),
        }
    }
}

fn human<A: Answer>(answer: &A, terminal: Terminal) -> String {
    let mut text = Text::default();
    answer.human(&mut text);
    text.render(terminal)
}

/// `COLUMNS` where somebody set it, as for every tool; the terminal's own otherwise.
fn width(of_terminal: Option<(Width, terminal_size::Height)>) -> Option<usize> {
    let said = std::env::var(environment::COLUMNS).ok();
    let said = said
        .and_then(|columns| columns.parse().ok())
        .filter(|columns| *columns > 0);
    said.or_else(|| of_terminal.map(|(Width(width), _)| usize::from(width)))
}

/// JSON leaves characters above its own controls as they are. Whoever looks at the lines in a terminal is to see no other
/// text than a program does.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unprintable(c) {
            let _infallible = fmt::Write::write_fmt(&mut text, format_args!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// What is said beside the answer; that nobody hears it changes nothing.
fn write(to: &mut dyn Write, text: &str) {
    let _gone = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
