//! From what is known of a stack to what is done next. Pure.

use fenrir_core::deployment::Deployment;
use fenrir_core::timestamp;
use fenrir_stacks::Status;
use fenrir_stacks::changes::Execution;
use fenrir_stacks::conclusion::{self, Conclusion};
use fenrir_stacks::status::Conclude;
use time::{Duration, OffsetDateTime};

/// Polls after which an execution that cannot be seen did not begin: about 10 seconds. CloudFormation's reads may
/// lag behind its writes.
const GRACE: u32 = 5;

/// How long a rollback is waited for at least, after the deadline or the halt. It takes about as long as what it undoes, so a
/// longer timeout of the release lengthens it.
const ROLLBACK: Duration = Duration::hours(1);

/// How long the rollback of a release with this timeout is waited for, after the deadline or the halt.
#[must_use]
pub fn patience(timeout: Duration) -> Duration {
    timeout.max(ROLLBACK)
}

/// What is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence {
    /// The stack's status.
    pub(crate) status: Status,
    /// The newest status that our own operation gave the stack; none when it cannot be seen.
    pub(crate) outcome: Option<Status>,
    /// How the change set's execution stands; looked up only where there is no outcome.
    pub(crate) execution: Execution,
    /// Polls since the wait began.
    pub(crate) polls: u32,
    /// It is to stop: the deadline has passed, or somebody halted it.
    pub(crate) stopping: bool,
    /// The time for a rollback has passed as well.
    pub(crate) hopeless: bool,
    /// `Execute` failed: nobody knows whether it took effect.
    pub(crate) doubtful: bool,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another look later.
    Wait,
    /// Cancel the update, then another look later.
    Cancel,
    /// The stack reached the wanted state, by our own doing.
    Succeeded,
    /// It did not.
    Failed(Why),
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It failed and was rolled back, or never completed.
    RolledBack,
    /// It failed and could not be rolled back.
    Stuck,
    /// The stack is gone.
    Gone,
    /// The change set was not executed.
    NotExecuted,
    /// It was to stop while the stack was being created.
    Stopped,
    /// CloudFormation did not come to an end.
    Endless,
}

impl Evidence {
    /// What one look at the stack shows.
    pub(crate) fn first(deployment: &Deployment, status: Status, now: OffsetDateTime) -> Self {
        let overdue = deployment.overdue(now);
        // For how long it is to stop already. A halt whose time cannot be read counts from the deadline on; nobody
        // halted it before it began.
        let halted = deployment.halt.as_ref().and_then(|halt| timestamp::parse(&halt.since));
        let began = timestamp::parse(&deployment.execution.started_at);
        let stopping = halted.map_or(overdue, |since| {
            overdue.max(now - began.map_or(since, |began| since.max(began)))
        });
        Self {
            status,
            outcome: None,
            execution: Execution::NotBegun,
            polls: deployment.wait.polls,
            stopping: deployment.halt.is_some() || !overdue.is_negative(),
            hopeless: stopping > patience(deployment.timeout()),
            doubtful: deployment.error.is_some(),
        }
    }

    fn is_waiting(self) -> bool {
        self.status.row().conclude == Conclude::Wait
    }

    /// Whether the stack's history must be read: not on every poll of a long deploy.
    pub(crate) fn needs_history(self) -> bool {
        match self.status.row().conclude {
            Conclude::Wait => self.stopping || (self.doubtful && self.polls >= GRACE),
            Conclude::Gone => false,
            _ => true,
        }
    }

    pub(crate) fn verdict(self) -> Verdict {
        if self.status.row().conclude == Conclude::Gone {
            return Verdict::Failed(Why::Gone);
        }
        let verdict = if self.is_waiting() {
            self.while_in_progress()
        } else {
            self.at_rest()
        };
        match verdict {
            Verdict::Wait if self.hopeless => Verdict::Failed(Why::Endless),
            verdict => verdict,
        }
    }

    /// An operation is under way.
    fn while_in_progress(self) -> Verdict {
        if !self.needs_history() {
            return Verdict::Wait;
        }
        if self.outcome.is_some_and(|outcome| !outcome.in_progress()) {
            // It came to its end since the status was read, or somebody else's runs now, which is not ours to cancel.
            return Verdict::Wait;
        }
        let is_own = self.outcome.is_some() || self.execution == Execution::Running;
        match self.status {
            // Somebody else's, and ours never began.
            _ if !is_own => self.unless_it_still_may(),
            Status::UpdateInProgress if self.stopping => Verdict::Cancel,
            Status::CreateInProgress if self.stopping => Verdict::Failed(Why::Stopped),
            _ => Verdict::Wait,
        }
    }

    /// Nothing is under way.
    fn at_rest(self) -> Verdict {
        match conclusion::at_rest(self.status, self.outcome, self.execution) {
            Conclusion::Succeeded => Verdict::Succeeded,
            Conclusion::RolledBack => Verdict::Failed(Why::RolledBack),
            Conclusion::Stuck => Verdict::Failed(Why::Stuck),
            Conclusion::Unseen => Verdict::Wait,
            Conclusion::NotBegun => self.unless_it_still_may(),
        }
    }

    fn unless_it_still_may(self) -> Verdict {
        if self.polls < GRACE {
            Verdict::Wait
        } else {
            Verdict::Failed(Why::NotExecuted)
        }
    }
}

#[cfg(test)]
mod tests {
    use fenrir_stacks::status::TABLE;

    use super::*;

    const EXECUTIONS: [Execution; 5] = [
        Execution::NotBegun,
        Execution::Running,
        Execution::Complete,
        Execution::Failed,
        Execution::Impossible,
    ];

    /// Everything that can be known, in all combinations.
    fn all() -> impl Iterator<Item = Evidence> {
        let outcomes = || std::iter::once(None).chain(TABLE.iter().map(|row| Some(row.status)));
        TABLE.iter().flat_map(move |row| {
            outcomes().flat_map(move |outcome| {
                EXECUTIONS.into_iter().flat_map(move |execution| {
                    (0..16_u32).map(move |bits| Evidence {
                        status: row.status,
                        outcome,
                        execution,
                        polls: if bits & 1 == 0 { 0 } else { GRACE },
                        stopping: bits & 2 != 0,
                        hopeless: bits & 6 == 6,
                        doubtful: bits & 8 != 0,
                    })
                })
            })
        })
    }

    #[test]
    fn success_takes_proof_that_it_was_our_own_doing() {
        let mut seen = 0;
        for evidence in all().filter(|evidence| evidence.verdict() == Verdict::Succeeded) {
            seen += 1;
            let by_events = matches!(evidence.outcome, Some(Status::CreateComplete | Status::UpdateComplete));
            let by_change_set = evidence.outcome.is_none()
                && evidence.execution == Execution::Complete
                && matches!(evidence.status, Status::CreateComplete | Status::UpdateComplete);
            assert!(by_events || by_change_set, "{evidence:?}");
            assert!(!evidence.status.in_progress(), "{evidence:?}");
            assert_ne!(evidence.status.row().conclude, Conclude::Stuck, "{evidence:?}");
        }
        assert!(seen > 0);
    }

    #[test]
    fn only_a_late_update_of_our_own_is_cancelled() {
        let mut seen = 0;
        for evidence in all().filter(|evidence| evidence.verdict() == Verdict::Cancel) {
            seen += 1;
            assert_eq!(evidence.status, Status::UpdateInProgress);
            let runs = evidence.outcome.is_some_and(Status::in_progress);
            assert!(evidence.stopping && (runs || evidence.execution == Execution::Running));
        }
        assert!(seen > 0);
    }

    #[test]
    fn nobody_waits_for_ever() {
        for evidence in all().filter(|evidence| evidence.hopeless) {
            assert_ne!(evidence.verdict(), Verdict::Wait, "{evidence:?}");
        }
    }

    #[test]
    fn a_deploy_in_time_waits_while_the_stack_is_in_progress() {
        for evidence in all().filter(|e| e.status.in_progress() && !e.stopping && !e.doubtful) {
            assert_eq!(evidence.verdict(), Verdict::Wait, "{evidence:?}");
            assert!(!evidence.needs_history(), "one call is enough: {evidence:?}");
        }
    }

    #[test]
    fn a_stack_that_stood_well_before_is_no_success() {
        let before = Evidence {
            status: Status::UpdateComplete,
            outcome: None,
            execution: Execution::NotBegun,
            polls: GRACE,
            stopping: false,
            hopeless: false,
            doubtful: true,
        };
        assert_eq!(before.verdict(), Verdict::Failed(Why::NotExecuted));
        assert_eq!(
            Evidence { polls: 0, ..before }.verdict(),
            Verdict::Wait,
            "it may yet be seen"
        );
    }

    #[test]
    fn somebody_elses_operation_is_not_waited_for_once_ours_was_refused() {
        let theirs = Evidence {
            status: Status::UpdateInProgress,
            outcome: None,
            execution: Execution::NotBegun,
            polls: GRACE,
            stopping: false,
            hopeless: false,
            doubtful: true,
        };
        assert_eq!(theirs.verdict(), Verdict::Failed(Why::NotExecuted));
    }

    #[test]
    fn each_own_outcome_at_rest_has_the_verdict_of_the_table() {
        for (status, wanted) in [
            (Status::CreateComplete, Verdict::Succeeded),
            (Status::UpdateComplete, Verdict::Succeeded),
            (Status::CreateFailed, Verdict::Failed(Why::RolledBack)),
            (Status::RollbackComplete, Verdict::Failed(Why::RolledBack)),
            (Status::RollbackFailed, Verdict::Failed(Why::RolledBack)),
            (Status::UpdateRollbackComplete, Verdict::Failed(Why::RolledBack)),
            (Status::UpdateFailed, Verdict::Failed(Why::Stuck)),
            (Status::UpdateRollbackFailed, Verdict::Failed(Why::Stuck)),
            (Status::DeleteFailed, Verdict::Failed(Why::Stuck)),
            (Status::DeleteComplete, Verdict::Failed(Why::Gone)),
            (Status::Absent, Verdict::Failed(Why::Gone)),
        ] {
            let evidence = Evidence {
                status,
                outcome: Some(status),
                execution: Execution::NotBegun,
                polls: 0,
                stopping: false,
                hopeless: false,
                doubtful: false,
            };
            assert_eq!(evidence.verdict(), wanted, "{status}");
        }
    }
}
