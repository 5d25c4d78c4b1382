//! What an execution's own operation made of its stack, told from a stack that is at rest. Pure.

use crate::changes::Execution;
use crate::status::{Conclude, Status};

/// How the operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// The stack reached the wanted state, by the execution's own doing.
    Succeeded,
    /// It failed and was rolled back, or never completed.
    RolledBack,
    /// It failed and could not be rolled back.
    Stuck,
    /// It never began.
    NotBegun,
    /// It is at its end, or runs, and what tells of it is not yet to be seen.
    Unseen,
}

/// Draws the conclusion: `status` is the stack's, `outcome` the newest status that the own operation gave it (none when
/// no event tells of one), `execution` how the execution of the change set stands, asked only where there is no outcome.
#[must_use]
pub fn at_rest(status: Status, outcome: Option<Status>, execution: Execution) -> Conclusion {
    let Some(outcome) = outcome else {
        return without_outcome(status, execution);
    };
    let is_stuck = status.row().conclude == Conclude::Stuck;
    match outcome.row().conclude {
        _ if is_stuck => Conclusion::Stuck,
        Conclude::Succeeded => Conclusion::Succeeded,
        Conclude::RolledBack => Conclusion::RolledBack,
        // The end is reached and its event not yet to be seen.
        _ => Conclusion::Unseen,
    }
}

fn without_outcome(status: Status, execution: Execution) -> Conclusion {
    match (execution, status.row().conclude) {
        (Execution::Complete, Conclude::Succeeded) => Conclusion::Succeeded,
        (Execution::Complete | Execution::Failed, Conclude::Stuck) => Conclusion::Stuck,
        (Execution::Complete | Execution::Failed, _) => Conclusion::RolledBack,
        (Execution::Running, _) => Conclusion::Unseen,
        (Execution::NotBegun | Execution::Impossible, _) => Conclusion::NotBegun,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::TABLE;

    const EXECUTIONS: [Execution; 5] = [
        Execution::NotBegun,
        Execution::Running,
        Execution::Complete,
        Execution::Failed,
        Execution::Impossible,
    ];

    #[test]
    fn success_is_concluded_only_from_what_was_the_executions_own_doing() {
        for row in &TABLE {
            for execution in EXECUTIONS {
                let by_change_set = execution == Execution::Complete && row.conclude == Conclude::Succeeded;
                let concluded = at_rest(row.status, None, execution);
                assert_eq!(concluded == Conclusion::Succeeded, by_change_set, "{}", row.name);
                for outcome in &TABLE {
                    let by_events = outcome.conclude == Conclude::Succeeded && row.conclude != Conclude::Stuck;
                    let concluded = at_rest(row.status, Some(outcome.status), execution);
                    assert_eq!(
                        concluded == Conclusion::Succeeded,
                        by_events,
                        "{} {}",
                        row.name,
                        outcome.name
                    );
                }
            }
        }
    }

    #[test]
    fn what_tells_of_itself_was_begun() {
        for row in &TABLE {
            for outcome in &TABLE {
                let concluded = at_rest(row.status, Some(outcome.status), Execution::NotBegun);
                assert_ne!(concluded, Conclusion::NotBegun, "{} {}", row.name, outcome.name);
            }
        }
    }
}
