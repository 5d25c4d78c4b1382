//! What can go wrong, where, and for how long.

use std::fmt;

use serde_json::{Value, json};

/// How an AWS call, or a step, is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// 400, `ThrottlingException`.
    Throttled,
    /// 500, `InternalFailure`.
    Failed,
    /// 503, `ServiceUnavailable`.
    Unavailable,
    /// The connection breaks, and nothing took effect.
    Reset,
    /// It takes effect, and the answer comes after the attempt's timeout.
    TimedOut,
    /// 403, `AccessDenied`.
    Denied,
    /// It takes effect, and the connection breaks before the answer.
    Lost,
    /// An answer that nobody understands; nothing took effect.
    Garbage,
    /// It takes effect, and nobody understands the answer.
    Garbled,
    /// The answer takes long, within the attempt's timeout.
    Slow,
    /// The step is killed while it waits for the answer of a call that took effect.
    KilledThere,
    /// The step is killed before it does anything.
    KilledBefore,
    /// The step is killed after all it does, and its answer never comes.
    KilledAfter,
    /// The step runs twice, one run after the other.
    RunTwice,
    /// The step runs twice at once.
    RunAtOnce,
}

impl Kind {
    /// Those that strike a call.
    pub(crate) const OF_CALLS: [Self; 11] = [
        Self::Throttled,
        Self::Failed,
        Self::Unavailable,
        Self::Reset,
        Self::TimedOut,
        Self::Denied,
        Self::Lost,
        Self::Garbage,
        Self::Garbled,
        Self::Slow,
        Self::KilledThere,
    ];
    /// Those that strike a step.
    pub(crate) const OF_STEPS: [Self; 4] = [Self::KilledBefore, Self::KilledAfter, Self::RunTwice, Self::RunAtOnce];

    /// Its name on the local AWS (`tests/local_aws/gaps/front.py`).
    fn fault(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::Unavailable => "unavailable",
            Self::Reset => "reset",
            Self::TimedOut | Self::KilledThere => "late",
            Self::Denied => "denied",
            Self::Lost => "lost",
            Self::Garbage => "garbage",
            Self::Garbled => "garbled",
            Self::Slow => "slow",
            Self::KilledBefore | Self::KilledAfter | Self::RunTwice | Self::RunAtOnce => {
                panic!("{self} strikes no call")
            }
        }
    }

    /// Whether a call that is struck takes effect all the same.
    pub(crate) fn takes_effect(fault: &str) -> bool {
        matches!(fault, "late" | "lost" | "garbled" | "slow")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Throttled => "throttled",
            Self::Failed => "500",
            Self::Unavailable => "503",
            Self::Reset => "reset",
            Self::TimedOut => "timed out",
            Self::Denied => "denied",
            Self::Lost => "lost",
            Self::Garbage => "garbage",
            Self::Garbled => "garbled",
            Self::Slow => "slow",
            Self::KilledThere => "killed there",
            Self::KilledBefore => "killed before",
            Self::KilledAfter => "killed after",
            Self::RunTwice => "run twice",
            Self::RunAtOnce => "run twice at once",
        })
    }
}

/// For how long it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Tenacity {
    /// One time.
    Once,
    /// Until the SDK's retries give up: the next try of the step finds AWS well again.
    Sdk,
    /// To the end of the execution.
    Machine,
}

impl Tenacity {
    /// Tries of a call (`fenrir_lambda::Environment`).
    const ATTEMPTS: u32 = 4;

    fn times(self) -> u32 {
        match self {
            Self::Once => 1,
            Self::Sdk => Self::ATTEMPTS,
            Self::Machine => 1_000_000,
        }
    }
}

/// A call of a step: which action, and the how manieth of it in one run of the step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) nth: usize,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Strike {
    /// The step, by its crate.
    pub(crate) step: &'static str,
    /// The call that is struck; none when the step itself is.
    pub(crate) call: Option<Call>,
    pub(crate) kind: Kind,
    pub(crate) tenacity: Tenacity,
}

/// Seconds until the answer of a call whose step is killed meanwhile: nobody waits for it.
const NEVER: f64 = 5.0;

impl Strike {
    /// The step is killed whenever it begins.
    pub(crate) fn kills(step: &'static str) -> Self {
        Self {
            step,
            call: None,
            kind: Kind::KilledBefore,
            tenacity: Tenacity::Machine,
        }
    }

    /// Whether AWS is well again before the execution's end: everything is tried again and nobody notices.
    pub(crate) fn passes(&self) -> bool {
        self.tenacity != Tenacity::Machine && self.kind != Kind::Denied
    }

    /// The topic takes no alert: a missing right is logged, and keeps nobody from writing down the end.
    pub(crate) fn silences(&self) -> bool {
        let is_alert = self.call.as_ref().is_some_and(|call| call.action == "sns:Publish");
        is_alert && !self.passes()
    }

    /// The order for the local AWS. `late` and `slow`: seconds of an answer that comes too late, or just in time.
    pub(crate) fn order(&self, late: f64, slow: f64) -> Option<Value> {
        let call = self.call.as_ref()?;
        let seconds = match self.kind {
            Kind::KilledThere => NEVER,
            Kind::Slow => slow,
            _ => late,
        };
        Some(json!({
            "action": call.action, "fault": self.kind.fault(), "skip": call.nth, "times": self.tenacity.times(),
            "seconds": seconds,
        }))
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.step)?;
        if let Some(call) = &self.call {
            write!(formatter, " {}#{}", call.action, call.nth + 1)?;
        }
        write!(formatter, " {}", self.kind)?;
        match self.tenacity {
            Tenacity::Once => Ok(()),
            Tenacity::Sdk => write!(formatter, " until the SDK gives up"),
            Tenacity::Machine => write!(formatter, " to the end"),
        }
    }
}
