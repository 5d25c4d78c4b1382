//! From what is known of an execution that ended, and of its stack, to what is done next. Pure.

use fenrir_stacks::Status;
use fenrir_stacks::changes::Execution;
use fenrir_stacks::conclusion::{self, Conclusion};
use fenrir_stacks::status::{Conclude, Tidy};

/// What is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one independent observation")]
pub struct Evidence {
    /// The stack's status.
    pub status: Status,
    /// The newest status that the execution's own operation gave the stack; none when no event tells of one.
    pub outcome: Option<Status>,
    /// How the execution of its change set stands; none when the stack has no change set of it.
    pub change_set: Option<Execution>,
    /// The execution made the stack.
    pub is_own: bool,
    /// The operation that was last at work on the stack is the execution's.
    pub is_last_own: bool,
    /// Its rollback failed, and nobody has gone on with it yet.
    pub may_recover: bool,
    /// Its deletion of the stack left something.
    pub left_behind: bool,
    /// A step of it that makes, executes or removes something may still be running.
    pub may_be_at_work: bool,
    /// It ended so long ago that what cannot be seen yet never will.
    pub is_old: bool,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until another look later.
    LeaveAlone,
    /// Remove its change set, so that nobody can execute it any more; then another look.
    RemoveChangeSet,
    /// Delete the stack, which it made and which never completed; then another look.
    DeleteStack,
    /// Go on with its rollback, once; then another look.
    ContinueRollback,
    /// This is how it ended.
    End(Found),
}

/// What was found at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The stack reached the wanted state by the execution's own doing.
    Completed,
    /// Nothing was executed, and nothing is left.
    NotExecuted,
    /// It was executed, failed, and was rolled back.
    RolledBack,
    /// The stack is gone.
    Gone,
    /// It could not be rolled back.
    Stuck,
    /// The stack is gone, but not all that was in it.
    LeftBehind,
    /// Nobody can tell.
    Unclear,
}

impl Found {
    /// How the release ended: clean, dirty, or well.
    #[must_use]
    pub const fn status(self) -> fenrir_store::Status {
        match self {
            Self::Completed => fenrir_store::Status::Success,
            Self::NotExecuted | Self::RolledBack | Self::Gone => fenrir_store::Status::FailureClean,
            Self::Stuck | Self::LeftBehind | Self::Unclear => fenrir_store::Status::FailureDirty,
        }
    }
}

/// Whether the step of this state of the machine may change something after its execution was stopped there. It is
/// fenced when its change set was removed since.
#[must_use]
pub fn is_at_work(state: &str, is_fenced: bool) -> bool {
    match state {
        // It has nothing to do any more once its change set is gone: it executes that very one, by ARN.
        "Execute" => !is_fenced,
        // CreateChangeSet, when its answer was lost, makes anew what was removed; WaitExecute may see only now that the
        // time is over or that somebody halts, and cancel; ReleaseLock may still mark the lock as dirty.
        "CreateChangeSet" | "WaitExecute" | "CleanUp" | "ReleaseLock" => true,
        _ => false,
    }
}

/// What is done next about the stack of an execution that still holds its lock.
#[must_use]
pub fn next(evidence: &Evidence) -> Next {
    match at_rest(evidence) {
        // Whatever is found now may be otherwise in a moment, and the lock would be another's. Only the change set is
        // removed at once: without it nothing can be executed.
        Next::End(_) | Next::DeleteStack | Next::ContinueRollback if evidence.may_be_at_work => Next::LeaveAlone,
        next => next,
    }
}

fn at_rest(evidence: &Evidence) -> Next {
    let row = evidence.status.row();
    if evidence.status.in_progress() {
        return Next::LeaveAlone;
    }
    if row.conclude == Conclude::Gone {
        let found = if evidence.left_behind {
            Found::LeftBehind
        } else {
            Found::Gone
        };
        return Next::End(found);
    }
    let execution = evidence.change_set.unwrap_or(Execution::Impossible);
    let deletes = row.tidy == Tidy::DeleteOwn && evidence.is_own;
    match conclusion::at_rest(evidence.status, evidence.outcome, execution) {
        Conclusion::Succeeded => Next::End(Found::Completed),
        Conclusion::Stuck if row.tidy == Tidy::Recover && evidence.may_recover => Next::ContinueRollback,
        Conclusion::Stuck => Next::End(Found::Stuck),
        // Of a stack under review the change set goes with it. Removed first, nothing would show any more whose it is.
        Conclusion::RolledBack | Conclusion::NotBegun if deletes => Next::DeleteStack,
        // A create that failed, and nothing shows whose it was.
        Conclusion::RolledBack if row.tidy == Tidy::DeleteOwn => Next::End(Found::Unclear),
        Conclusion::RolledBack => Next::End(Found::RolledBack),
        Conclusion::Unseen if evidence.is_old => Next::End(Found::Unclear),
        Conclusion::Unseen => Next::LeaveAlone,
        Conclusion::NotBegun if evidence.change_set.is_some() => Next::RemoveChangeSet,
        // A deletion of its own that failed.
        Conclusion::NotBegun if row.tidy == Tidy::Dirty && evidence.is_last_own => Next::End(Found::Stuck),
        Conclusion::NotBegun => Next::End(Found::NotExecuted),
    }
}

/// How an execution ended that holds no lock any more: others may have been at its stack since, so only what its own
/// operation did counts, and nothing is touched. `None` while that cannot be told.
#[must_use]
pub fn of_record(evidence: &Evidence) -> Option<Found> {
    if evidence.outcome.is_none() && evidence.status.row().conclude == Conclude::Gone {
        return (!evidence.may_be_at_work).then_some(Found::Gone);
    }
    let under_way = evidence.outcome.unwrap_or(evidence.status).in_progress();
    if under_way && evidence.status.in_progress() {
        return None;
    }
    let execution = evidence.change_set.unwrap_or(Execution::Impossible);
    let status = evidence.outcome.unwrap_or(evidence.status);
    match conclusion::at_rest(status, evidence.outcome, execution) {
        Conclusion::Succeeded => Some(Found::Completed),
        Conclusion::Stuck => Some(Found::Stuck),
        Conclusion::RolledBack => Some(Found::RolledBack),
        Conclusion::NotBegun => (!evidence.may_be_at_work).then_some(Found::NotExecuted),
        Conclusion::Unseen => evidence.is_old.then_some(Found::Unclear),
    }
}

#[cfg(test)]
mod tests {
    use fenrir_stacks::status::TABLE;

    use super::*;

    const EXECUTIONS: [Option<Execution>; 6] = [
        None,
        Some(Execution::NotBegun),
        Some(Execution::Running),
        Some(Execution::Complete),
        Some(Execution::Failed),
        Some(Execution::Impossible),
    ];

    /// Everything that can be known, in all combinations.
    fn all() -> impl Iterator<Item = Evidence> {
        let outcomes = || std::iter::once(None).chain(TABLE.iter().map(|row| Some(row.status)));
        TABLE.iter().flat_map(move |row| {
            outcomes().flat_map(move |outcome| {
                EXECUTIONS.into_iter().flat_map(move |change_set| {
                    (0..64_u32).map(move |bits| Evidence {
                        status: row.status,
                        outcome,
                        change_set,
                        is_own: bits & 1 != 0,
                        is_last_own: bits & 2 != 0,
                        left_behind: bits & 4 != 0,
                        may_be_at_work: bits & 8 != 0,
                        is_old: bits & 16 != 0,
                        may_recover: bits & 32 != 0,
                    })
                })
            })
        })
    }

    #[test]
    fn a_stack_in_progress_is_left_alone_whatever_else_is_known() {
        for evidence in all().filter(|evidence| evidence.status.in_progress()) {
            assert_eq!(next(&evidence), Next::LeaveAlone, "{evidence:?}");
        }
    }

    #[test]
    fn success_takes_proof_that_it_was_the_executions_own_doing() {
        let proven = |evidence: &Evidence| {
            let by_events = matches!(evidence.outcome, Some(Status::CreateComplete | Status::UpdateComplete));
            let by_change_set = evidence.outcome.is_none()
                && evidence.change_set == Some(Execution::Complete)
                && matches!(evidence.status, Status::CreateComplete | Status::UpdateComplete);
            by_events || by_change_set
        };
        let mut seen = 0;
        for evidence in all() {
            let held = next(&evidence) == Next::End(Found::Completed);
            let recorded = of_record(&evidence) == Some(Found::Completed);
            seen += u32::from(held) + u32::from(recorded);
            assert!(!(held || recorded) || proven(&evidence), "{evidence:?}");
        }
        assert!(seen > 0);
    }

    #[test]
    fn only_a_stack_of_its_own_that_never_completed_is_deleted() {
        let mut seen = 0;
        for evidence in all().filter(|evidence| next(evidence) == Next::DeleteStack) {
            seen += 1;
            assert!(evidence.is_own && !evidence.status.proves_completion(), "{evidence:?}");
        }
        assert!(seen > 0);
    }

    #[test]
    fn only_a_rollback_of_its_own_that_failed_is_gone_on_with() {
        let mut seen = 0;
        for evidence in all().filter(|evidence| next(evidence) == Next::ContinueRollback) {
            seen += 1;
            assert!(evidence.may_recover, "{evidence:?}");
            assert_eq!(evidence.status, Status::UpdateRollbackFailed, "{evidence:?}");
        }
        assert!(seen > 0);
    }

    #[test]
    fn nothing_ends_while_a_step_may_be_at_work() {
        for evidence in all().filter(|evidence| evidence.may_be_at_work) {
            let next = next(&evidence);
            assert!(matches!(next, Next::LeaveAlone | Next::RemoveChangeSet), "{evidence:?}");
        }
    }

    #[test]
    fn a_change_set_is_removed_only_where_nothing_was_executed() {
        for evidence in all().filter(|evidence| next(evidence) == Next::RemoveChangeSet) {
            assert_eq!(evidence.outcome, None, "{evidence:?}");
            assert!(
                matches!(evidence.change_set, Some(Execution::NotBegun | Execution::Impossible)),
                "{evidence:?}"
            );
        }
    }

    #[test]
    fn a_stack_under_review_is_deleted_with_the_change_set_that_shows_whose_it_is() {
        let is_review = |evidence: &Evidence| evidence.status == Status::ReviewInProgress && evidence.is_own;
        for evidence in all().filter(|evidence| is_review(evidence) && evidence.change_set.is_some()) {
            assert_ne!(next(&evidence), Next::RemoveChangeSet, "{evidence:?}");
        }
    }

    #[test]
    fn a_clean_end_leaves_nothing_that_could_still_be_executed() {
        for evidence in all() {
            if next(&evidence) == Next::End(Found::NotExecuted) {
                assert_eq!((evidence.change_set, evidence.outcome), (None, None), "{evidence:?}");
                assert!(!evidence.may_be_at_work, "{evidence:?}");
            }
        }
    }

    #[test]
    fn what_only_a_person_can_mend_is_never_clean() {
        for evidence in all().filter(|evidence| evidence.status.row().tidy == Tidy::Dirty) {
            let Next::End(found) = next(&evidence) else { continue };
            let is_touched = evidence.outcome.is_some() || evidence.is_last_own;
            if is_touched && evidence.status != Status::Unknown {
                assert_eq!(found.status(), fenrir_store::Status::FailureDirty, "{evidence:?}");
            }
        }
    }

    #[test]
    fn an_old_end_is_settled_wherever_the_stack_is_at_rest() {
        for evidence in all().filter(|evidence| evidence.is_old && !evidence.may_be_at_work) {
            if !evidence.status.in_progress() {
                assert_ne!(next(&evidence), Next::LeaveAlone, "{evidence:?}");
                assert_ne!(of_record(&evidence), None, "{evidence:?}");
            }
        }
    }
}
