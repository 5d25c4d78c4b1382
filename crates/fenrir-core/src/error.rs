//! The error names of the machine: what `state_machine.asl.json` matches in `ErrorEquals` and operators see.

use std::fmt;

/// How a step fails. The variant is the `errorType` that Step Functions sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorName {
    /// The release, an artifact or the template is refused. No lock was taken.
    BadReleaseError,
    /// Another deploy holds the lock, or somebody froze the project.
    LockExistsError,
    /// The lock store could not be read or written.
    LockError,
    /// This execution does not hold the lock (any more): the step touched nothing.
    LockLostError,
    /// The change set could not be made, or was refused.
    ChangeSetError,
    /// The stack is in a state, or in hands, that Fenrir does not touch.
    StackError,
    /// The timeout of the release passed.
    TimeoutError,
    /// Somebody asked the deploy to stop.
    HaltError,
    /// What was left behind could not be removed.
    CleanUpError,
    /// The lock could not be released or the record not written.
    ReleaseLockError,
    /// AWS throttled, timed out or failed, also after the SDK's own retries. The machine tries again.
    TransientError,
    /// A fault of Fenrir or of its installation.
    InternalError,
}

impl ErrorName {
    /// Every name, for the test that compares them with the state machine.
    pub const ALL: [Self; 12] = [
        Self::BadReleaseError,
        Self::LockExistsError,
        Self::LockError,
        Self::LockLostError,
        Self::ChangeSetError,
        Self::StackError,
        Self::TimeoutError,
        Self::HaltError,
        Self::CleanUpError,
        Self::ReleaseLockError,
        Self::TransientError,
        Self::InternalError,
    ];

    /// The name as Step Functions sees it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadReleaseError => "BadReleaseError",
            Self::LockExistsError => "LockExistsError",
            Self::LockError => "LockError",
            Self::LockLostError => "LockLostError",
            Self::ChangeSetError => "ChangeSetError",
            Self::StackError => "StackError",
            Self::TimeoutError => "TimeoutError",
            Self::HaltError => "HaltError",
            Self::CleanUpError => "CleanUpError",
            Self::ReleaseLockError => "ReleaseLockError",
            Self::TransientError => "TransientError",
            Self::InternalError => "InternalError",
        }
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a step failed: a name for the machine and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct StepError {
    /// What the machine matches.
    pub name: ErrorName,
    /// What failed, where, why, and what to do next.
    pub message: String,
}

impl StepError {
    /// An error of `name`.
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        Self {
            name,
            message: message.into(),
        }
    }
}

/// What a failed call to AWS means. `fenrir-aws` makes it from any error of the SDK.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{action}` failed: {message}")]
pub struct Fault {
    /// What to think of it.
    pub kind: FaultKind,
    /// The right that the call needs, such as `dynamodb:PutItem`.
    pub action: &'static str,
    /// The service's error code, when it answered.
    pub code: Option<String>,
    /// The service's words, or those of the connection.
    pub message: String,
}

/// What to think of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Throttled, timed out, cut off or failed on the other side; it may have taken effect. Try again.
    Transient,
    /// The role lacks the right.
    Denied,
    /// The service understood the call and said no.
    Refused,
}

impl Fault {
    /// Whether the service answered with this error code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// The error of a step that could not go on while `doing` something ("reading the lock"): `TransientError`,
    /// `InternalError` for a missing right, otherwise `name`.
    #[must_use]
    pub fn into_step(self, name: ErrorName, doing: &str) -> StepError {
        let words = crate::problem::printable(&self.message);
        match self.kind {
            FaultKind::Transient => StepError::new(
                ErrorName::TransientError,
                format!(
                    "{doing}: `{}` did not go through: {words}; it is tried again",
                    self.action
                ),
            ),
            FaultKind::Denied => StepError::new(
                ErrorName::InternalError,
                format!(
                    "{doing}: the right `{}` is missing: {words}; an administrator updates the deployer's stack \
                     (`template.yml`) or, for a role of the account, the account stack (`account.yml`)",
                    self.action
                ),
            ),
            FaultKind::Refused => StepError::new(
                name,
                format!(
                    "{doing}: `{}` was refused: {}{words}",
                    self.action,
                    self.code.map(|code| format!("{code}: ")).unwrap_or_default()
                ),
            ),
        }
    }
}
