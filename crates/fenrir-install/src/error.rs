//! Why something cannot be installed.

use fenrir_core::error::Fault;

/// Why something cannot be installed, or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, a parameter or what is there already cannot be worked with. Nothing was changed.
    #[error("{message}")]
    Unusable {
        /// What and why.
        message: String,
        /// What to do.
        help: String,
    },
    /// CloudFormation tried, and failed.
    #[error("{message}")]
    Failed {
        /// What and why.
        message: String,
        /// What to do.
        help: String,
    },
    /// A call did not go through.
    #[error("{doing}: {}", .fault.message)]
    Call {
        /// While doing what.
        doing: String,
        /// Why.
        fault: Fault,
    },
}

impl Error {
    pub(crate) fn unusable(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Unusable {
            message: message.into(),
            help: help.into(),
        }
    }

    pub(crate) fn failed(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            help: help.into(),
        }
    }

    pub(crate) fn call(doing: impl Into<String>) -> impl FnOnce(Fault) -> Self {
        let doing = doing.into();
        move |fault| Self::Call { doing, fault }
    }
}
