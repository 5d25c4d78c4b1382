//! What CloudFormation answers about a change set.

use aws_sdk_cloudformation::types::{self, ChangeSetStatus, ExecutionStatus};
use fenrir_core::policy;
use fenrir_core::problem::printable;
use serde::{Deserialize, Serialize};

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
/// Source: the waiters of the AWS CLI (`aws cloudformation deploy`) and of SAM CLI look for these two.
const NO_CHANGES: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];

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
        Some(ChangeSetStatus::Failed) if NO_CHANGES.iter().any(|words| reason.contains(words)) => Answer::NoChanges,
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

/// One change: the form in which `changes.json` keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic`.
    pub action: String,
    /// Logical id.
    pub logical_id: String,
    /// Physical id, of what is there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub physical_id: String,
    /// Resource type.
    pub resource_type: String,
    /// `True`, `False`, `Conditional`, where CloudFormation says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// What happens to the resource itself (`Delete`, `Retain`, ...), where CloudFormation says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_action: Option<String>,
    /// What of it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// What of a resource changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// `Properties`, `Tags`, `Metadata`, ...
    pub attribute: String,
    /// The property's name, for `Properties`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The value before, where CloudFormation says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value after, where CloudFormation says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// `Never`, `Conditionally`, `Always`: whether the resource is made anew for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recreation: Option<String>,
}

impl From<&types::ResourceChange> for Change {
    fn from(change: &types::ResourceChange) -> Self {
        let text = |value: Option<&str>| printable(value.unwrap_or_default());
        Self {
            action: text(change.action().map(types::ChangeAction::as_str)),
            logical_id: text(change.logical_resource_id()),
            physical_id: text(change.physical_resource_id()),
            resource_type: text(change.resource_type()),
            replacement: change.replacement().map(|value| printable(value.as_str())),
            policy_action: change.policy_action().map(|value| printable(value.as_str())),
            details: change
                .details()
                .iter()
                .filter_map(types::ResourceChangeDetail::target)
                .map(Detail::from)
                .collect(),
        }
    }
}

impl From<&types::ResourceTargetDefinition> for Detail {
    fn from(target: &types::ResourceTargetDefinition) -> Self {
        Self {
            attribute: printable(target.attribute().map_or("", |attribute| attribute.as_str())),
            name: target.name().map(printable),
            before: target.before_value().map(printable),
            after: target.after_value().map(printable),
            recreation: target.requires_recreation().map(|value| printable(value.as_str())),
        }
    }
}

impl From<&Change> for policy::Change {
    fn from(change: &Change) -> Self {
        Self {
            action: change.action.clone(),
            logical_id: change.logical_id.clone(),
            resource_type: change.resource_type.clone(),
            replacement: change.replacement.clone(),
        }
    }
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
