//! What is held against a change set before anything is touched: CloudFormation's early validation, and the hooks of
//! the account. `DescribeChangeSet` says only that there is something; `DescribeEvents` says what.
//!
//! Sources: CloudFormation API Reference, `DescribeEvents` and `OperationEvent`; CloudFormation User Guide, "Validate
//! stack deployments".

use aws_sdk_cloudformation::types::{
    EventType, HookFailureMode, OperationEvent, OperationType, ResourceStatus, ValidationStatus,
};
use fenrir_core::problem::printable;
use serde::{Deserialize, Serialize};

use crate::hook::Hook;

/// Who found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finder {
    /// CloudFormation's early validation.
    Validation {
        /// Such as `PROPERTY_VALIDATION` or `NAME_CONFLICT_VALIDATION`.
        name: String,
        /// `FAIL` or `WARN`.
        mode: String,
        /// Where in the template, such as `/Resources/Queue/Properties`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        path: String,
        /// CloudFormation's words.
        reason: String,
    },
    /// A hook of the account.
    Hook(Hook),
    /// CloudFormation itself, while it made the change set.
    CloudFormation {
        /// Its words.
        reason: String,
    },
}

/// One thing that is held against a change set: the form in which `events.json` keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Logical id; empty where it is about the whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub logical_id: String,
    /// Resource type.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource_type: String,
    /// Who found it, and what.
    pub found_by: Finder,
}

impl Finding {
    /// What an event of the making of a change set holds against it; none where it holds nothing, or is of another
    /// operation.
    pub(crate) fn of_change_set(event: &OperationEvent) -> Option<Self> {
        let kind = event.operation_type();
        let is_of_another = kind.is_some_and(|kind| *kind != OperationType::CreateChangeset);
        Self::read(event).filter(|_| !is_of_another)
    }

    /// What an event of any operation holds against it.
    pub(crate) fn read(event: &OperationEvent) -> Option<Self> {
        let text = |value: Option<&str>| printable(value.unwrap_or_default());
        let hook = Hook::read(
            event.hook_type(),
            event.hook_status(),
            event.hook_failure_mode(),
            event.hook_status_reason(),
        );
        let is_validation = event.event_type() == Some(&EventType::ValidationError);
        let is_failed = |status: &ResourceStatus| status.as_str().ends_with("_FAILED");
        let found_by = if is_validation && event.validation_status() != Some(&ValidationStatus::Skipped) {
            Finder::Validation {
                name: text(event.validation_name()),
                mode: text(event.validation_failure_mode().map(HookFailureMode::as_str)),
                path: text(event.validation_path()),
                reason: text(event.validation_status_reason()),
            }
        } else if let Some(hook) = hook {
            Finder::Hook(hook)
        } else if event.event_type() == Some(&EventType::ProvisioningError)
            || event.resource_status().is_some_and(is_failed)
        {
            Finder::CloudFormation {
                reason: text(event.resource_status_reason()),
            }
        } else {
            return None;
        };
        Some(Self {
            logical_id: text(event.logical_resource_id()),
            resource_type: text(event.resource_type()),
            found_by,
        })
    }

    /// Whether it is why there is no change set, not a mere warning.
    #[must_use]
    pub fn stops(&self) -> bool {
        match &self.found_by {
            Finder::Validation { mode, .. } => mode != HookFailureMode::Warn.as_str(),
            Finder::Hook(hook) => hook.stops(),
            Finder::CloudFormation { .. } => true,
        }
    }

    /// `` `Queue` (AWS::SQS::Queue) at `/Resources/Queue/Properties`: words (early validation `PROPERTY_VALIDATION`) ``,
    /// or ``...: refused by the hook `Company::SQS::Encryption` (failure mode `FAIL`): words``.
    #[must_use]
    pub fn describe(&self) -> String {
        let of_type = match self.resource_type.as_str() {
            "" => String::new(),
            name => format!(" ({name})"),
        };
        let place = match (&self.found_by, self.logical_id.as_str()) {
            (Finder::Validation { path, .. }, "") if !path.is_empty() => format!("at `{path}`: "),
            (_, "") => String::new(),
            (Finder::Validation { path, .. }, id) if !path.is_empty() => format!("`{id}`{of_type} at `{path}`: "),
            (_, id) => format!("`{id}`{of_type}: "),
        };
        let or_silence = |words: &str| {
            if words.is_empty() {
                "no reason given".to_owned()
            } else {
                words.to_owned()
            }
        };
        match &self.found_by {
            Finder::Validation { name, reason, .. } => {
                format!("{place}{} (early validation `{name}`)", or_silence(reason))
            }
            Finder::Hook(hook) => format!("{place}{}", hook.describe()),
            Finder::CloudFormation { reason } => format!("{place}{}", or_silence(reason)),
        }
    }
}
