//! What CloudFormation answers about a change set.

use aws_sdk_cloudformation::types::{self, ChangeSetStatus, ExecutionStatus};
use fenrir_core::plan::{Detail, Reported};
use fenrir_core::problem::printable;

/// How a change set stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// CloudFormation is making it.
    Pending,
    /// Made; it can be executed, or was.
    Made,
    /// The stack is what the template says already.
    NoChanges,
    /// Not to be had; the reason says why.
    Failed,
    /// Outdated by another that was executed.
    Obsolete,
    /// Removed.
    Gone,
}

/// How the execution of a change set stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// It never began, and may still.
    NotBegun,
    /// It runs.
    Running,
    /// It ended well.
    Complete,
    /// It ended badly.
    Failed,
    /// It can no longer begin: the change set is outdated or gone.
    Impossible,
}

/// The sentences by which CloudFormation says that there is nothing to change; it has no status for it.
///
/// Their beginnings: the words of a transform or a hook, which may quote the template, come after a beginning of their own.
/// Source: the waiters of the AWS CLI (`aws cloudformation deploy`) and of SAM CLI look for these two.
const NO_CHANGES: [&str; 2] = [
    "The submitted information didn't contain changes.",
    "No updates are to be performed",
];

/// How a change set of this status, with this reason, stands.
#[must_use]
pub fn answer(status: Option<&ChangeSetStatus>, execution: Option<&ExecutionStatus>, reason: &str) -> Answer {
    match status {
        Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) | None => Answer::Pending,
        Some(ChangeSetStatus::CreateComplete) => match execution {
            Some(ExecutionStatus::Obsolete) => Answer::Obsolete,
            // Hooks on the change set may still be at it.
            Some(ExecutionStatus::Unavailable) | None => Answer::Pending,
            Some(_) => Answer::Made,
        },
        Some(ChangeSetStatus::Failed) if NO_CHANGES.iter().any(|words| reason.starts_with(words)) => Answer::NoChanges,
        Some(ChangeSetStatus::DeletePending | ChangeSetStatus::DeleteInProgress | ChangeSetStatus::DeleteComplete) => {
            Answer::Gone
        }
        // `FAILED`, `DELETE_FAILED`, and what is younger than Fenrir: such a change set is not executed.
        Some(_) => Answer::Failed,
    }
}

/// How far its execution is.
#[must_use]
pub fn execution(status: Option<&ExecutionStatus>) -> Execution {
    match status {
        Some(ExecutionStatus::ExecuteInProgress) => Execution::Running,
        Some(ExecutionStatus::ExecuteComplete) => Execution::Complete,
        Some(ExecutionStatus::ExecuteFailed) => Execution::Failed,
        Some(ExecutionStatus::Obsolete) => Execution::Impossible,
        _ => Execution::NotBegun,
    }
}

/// One change, made printable.
#[must_use]
pub(crate) fn reported(change: &types::ResourceChange) -> Reported {
    let text = |value: Option<&str>| printable(value.unwrap_or_default());
    Reported {
        action: text(change.action().map(types::ChangeAction::as_str)),
        logical_id: text(change.logical_resource_id()),
        physical_id: text(change.physical_resource_id()),
        resource_type: text(change.resource_type()),
        replacement: change.replacement().map(|value| printable(value.as_str())),
        policy_action: change.policy_action().map(|value| printable(value.as_str())),
        details: change.details().iter().filter_map(detail).collect(),
    }
}

fn detail(detail: &types::ResourceChangeDetail) -> Option<Detail> {
    let target = detail.target()?;
    Some(Detail {
        attribute: printable(target.attribute().map_or("", |attribute| attribute.as_str())),
        name: target.name().map(printable),
        path: target.path().map(printable),
        before: target.before_value().map(printable),
        after: target.after_value().map(printable),
        recreation: target.requires_recreation().map(|value| printable(value.as_str())),
        causing_entity: detail.causing_entity().map(printable),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_a_change_set_has_an_answer() {
        let answer_of = |status: &str, execution: &str| {
            answer(
                Some(&ChangeSetStatus::from(status)),
                Some(&ExecutionStatus::from(execution)),
                "",
            )
        };
        for (status, execution, wanted) in [
            ("CREATE_PENDING", "UNAVAILABLE", Answer::Pending),
            ("CREATE_IN_PROGRESS", "UNAVAILABLE", Answer::Pending),
            ("CREATE_COMPLETE", "UNAVAILABLE", Answer::Pending),
            ("CREATE_COMPLETE", "AVAILABLE", Answer::Made),
            ("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS", Answer::Made),
            ("CREATE_COMPLETE", "EXECUTE_COMPLETE", Answer::Made),
            ("CREATE_COMPLETE", "EXECUTE_FAILED", Answer::Made),
            ("CREATE_COMPLETE", "OBSOLETE", Answer::Obsolete),
            ("FAILED", "UNAVAILABLE", Answer::Failed),
            ("DELETE_PENDING", "UNAVAILABLE", Answer::Gone),
            ("DELETE_IN_PROGRESS", "UNAVAILABLE", Answer::Gone),
            ("DELETE_COMPLETE", "UNAVAILABLE", Answer::Gone),
            ("DELETE_FAILED", "UNAVAILABLE", Answer::Failed),
            ("A_STATUS_OF_TOMORROW", "AVAILABLE", Answer::Failed),
        ] {
            assert_eq!(answer_of(status, execution), wanted, "{status} {execution}");
        }
        assert_eq!(
            ChangeSetStatus::values().len(),
            8,
            "a status of the API is not in the list above"
        );
    }

    #[test]
    fn only_a_failed_change_set_can_have_no_changes() {
        let words = "The submitted information didn't contain changes. Submit different information to create a \
                     change set.";
        for (status, reason, wanted) in [
            ("FAILED", words, Answer::NoChanges),
            ("FAILED", "No updates are to be performed.", Answer::NoChanges),
            ("FAILED", "Transform AWS::Serverless-2016-10-31 failed", Answer::Failed),
            ("CREATE_IN_PROGRESS", words, Answer::Pending),
        ] {
            assert_eq!(
                answer(Some(&ChangeSetStatus::from(status)), None, reason),
                wanted,
                "{reason}"
            );
        }
    }

    #[test]
    fn every_execution_status_is_told() {
        for name in ExecutionStatus::values() {
            let wanted = match *name {
                "EXECUTE_IN_PROGRESS" => Execution::Running,
                "EXECUTE_COMPLETE" => Execution::Complete,
                "EXECUTE_FAILED" => Execution::Failed,
                "OBSOLETE" => Execution::Impossible,
                _ => Execution::NotBegun,
            };
            assert_eq!(execution(Some(&ExecutionStatus::from(*name))), wanted, "{name}");
        }
    }
}
