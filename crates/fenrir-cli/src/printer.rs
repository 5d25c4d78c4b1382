//! The one place that writes to the terminal.
//!
//! What a command is for goes to stdout, so that it can be piped; everything said meanwhile goes to stderr. Text from
//! outside is made printable first: neither a template nor an answer of AWS can turn the terminal around.

use std::io::{self, IsTerminal as _, Write};

use fenrir_core::problem::{Problem, printable};
use serde::Serialize;

use crate::environment;
use crate::fault::{Fault, Stop};
use crate::render;
use crate::source::Source;

/// Writes for people, or for programs.
pub struct Printer {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    out_colours: bool,
    err_colours: bool,
}

impl Printer {
    /// The printer of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let wanted = std::env::var_os(environment::NO_COLOR).is_none()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            out_colours: wanted && io::stdout().is_terminal(),
            err_colours: wanted && io::stderr().is_terminal(),
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
        }
    }

    /// A line of the result.
    pub fn result(&mut self, line: &str) {
        write(&mut self.out, &printable(line));
    }

    /// A line about what goes on.
    pub fn progress(&mut self, line: &str) {
        write(&mut self.err, &printable(line));
    }

    /// The result for programs: one JSON text on one line.
    pub fn json(&mut self, value: &impl Serialize) {
        // A `serde_json::Value` or a struct of strings and numbers always serialises.
        let text = serde_json::to_string(value).unwrap_or_default();
        write(&mut self.out, &text);
    }

    /// Problems as the result (`fenrir validate`).
    pub fn report(&mut self, problems: &[Problem], source: &Source) {
        let text = render::problems(problems, source, self.out_colours);
        write(&mut self.out, text.trim_end());
    }

    /// Problems as the reason of a failure.
    pub fn problems(&mut self, problems: &[Problem], source: &Source) {
        let text = render::problems(problems, source, self.err_colours);
        write(&mut self.err, text.trim_end());
    }

    /// Why the command stops.
    pub fn stop(&mut self, stop: &Stop) {
        match stop {
            Stop::Fault(fault) => self.fault(fault),
            Stop::Problems { problems, source, .. } => self.problems(problems, source),
        }
    }

    fn fault(&mut self, fault: &Fault) {
        let text = render::fault(fault, self.err_colours);
        write(&mut self.err, text.trim_end());
    }
}

/// A reader that went away (`| head`) has seen enough; what the command does and how it ends must not depend on it.
fn write(to: &mut dyn Write, text: &str) {
    let _gone = writeln!(to, "{text}").and_then(|()| to.flush());
}
