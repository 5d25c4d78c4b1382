//! Why a command could not do what it was asked, for the person who asked.

use crate::exit::Exit;
use fenrir_core::problem::Problem;

/// One clear error, and how the command ends with it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// How the command ends.
    pub exit: Exit,
    /// What went wrong and where.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether line feeds in the message are its own: such as the deployer's verdict, a list of problems.
    pub has_lines: bool,
}

impl Fault {
    /// The arguments, a file or the surroundings cannot be worked with.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// It was tried and failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Any other end.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            help: None,
            has_lines: false,
        }
    }

    /// The same fault, with something else that can be done about it.
    #[must_use]
    pub fn or_help(self, other: &str) -> Self {
        let help = self
            .help
            .as_ref()
            .map_or_else(|| other.to_owned(), |help| format!("{help}; or {other}"));
        self.help(help)
    }

    /// The same fault, whose message has lines.
    #[must_use]
    pub fn in_lines(self) -> Self {
        Self {
            has_lines: true,
            ..self
        }
    }

    /// The same fault with `help`.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Why a command stops: one fault, or problems of the developer's own file.
#[derive(Debug)]
pub enum Stop {
    /// One clear error.
    Fault(Fault),
    /// Problems at places of a file.
    Problems {
        /// How the command ends.
        exit: Exit,
        /// All of them.
        problems: Vec<Problem>,
        /// The file.
        source: crate::source::Source,
    },
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Stop {
    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Fault(fault) => fault.exit,
            Self::Problems { exit, .. } => *exit,
        }
    }
}
