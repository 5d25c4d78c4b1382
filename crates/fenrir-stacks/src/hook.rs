//! A hook: a check of the account's own that CloudFormation asks before it makes, changes or removes something.

use aws_sdk_cloudformation::types::{HookFailureMode, HookStatus};
use fenrir_core::problem::printable;
use serde::{Deserialize, Serialize};

/// One invocation of a hook, as an event tells of it. Source: CloudFormation API Reference, `StackEvent` and
/// `OperationEvent`, the fields that begin with `Hook`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Type name, such as `Company::S3::Encryption`.
    pub name: String,
    /// `HOOK_COMPLETE_FAILED`: it said no. `HOOK_FAILED`: it broke down itself.
    pub status: String,
    /// `FAIL` or `WARN`: what its failure does.
    pub mode: String,
    /// Its words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl Hook {
    /// The hook of an event; none where the event names none.
    pub(crate) fn read(
        name: Option<&str>,
        status: Option<&HookStatus>,
        mode: Option<&HookFailureMode>,
        reason: Option<&str>,
    ) -> Option<Self> {
        let name = name.filter(|name| !name.is_empty())?;
        Some(Self {
            name: printable(name),
            status: printable(status.map_or("", HookStatus::as_str)),
            mode: printable(mode.map_or("", HookFailureMode::as_str)),
            reason: printable(reason.unwrap_or_default()),
        })
    }

    /// Whether it kept CloudFormation from going on: it failed, and its failure is not a mere warning.
    #[must_use]
    pub fn stops(&self) -> bool {
        let failed = [HookStatus::HookCompleteFailed.as_str(), HookStatus::HookFailed.as_str()];
        failed.contains(&self.status.as_str()) && self.mode != HookFailureMode::Warn.as_str()
    }

    /// ``refused by the hook `Company::S3::Encryption` (failure mode `FAIL`): the hook's words``.
    #[must_use]
    pub fn describe(&self) -> String {
        let mode = if self.mode.is_empty() {
            String::new()
        } else {
            format!(" (failure mode `{}`)", self.mode)
        };
        let words = if self.reason.is_empty() {
            "it gives no reason"
        } else {
            self.reason.as_str()
        };
        if self.status == HookStatus::HookFailed.as_str() {
            format!("stopped because the hook `{}`{mode} broke down: {words}", self.name)
        } else {
            format!("refused by the hook `{}`{mode}: {words}", self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(status: &str, mode: &str, reason: &str) -> Hook {
        Hook {
            name: "Company::S3::Encryption".to_owned(),
            status: status.to_owned(),
            mode: mode.to_owned(),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn only_a_failure_that_is_no_warning_stops() {
        for (status, mode, wanted) in [
            ("HOOK_COMPLETE_FAILED", "FAIL", true),
            ("HOOK_FAILED", "FAIL", true),
            ("HOOK_COMPLETE_FAILED", "", true),
            ("HOOK_COMPLETE_FAILED", "WARN", false),
            ("HOOK_FAILED", "WARN", false),
            ("HOOK_COMPLETE_SUCCEEDED", "FAIL", false),
            ("HOOK_IN_PROGRESS", "FAIL", false),
        ] {
            assert_eq!(hook(status, mode, "").stops(), wanted, "{status} {mode}");
        }
    }

    #[test]
    fn a_refusal_and_a_breakdown_are_told_apart() {
        assert_eq!(
            hook("HOOK_COMPLETE_FAILED", "FAIL", "no encryption").describe(),
            "refused by the hook `Company::S3::Encryption` (failure mode `FAIL`): no encryption"
        );
        assert_eq!(
            hook("HOOK_FAILED", "", "").describe(),
            "stopped because the hook `Company::S3::Encryption` broke down: it gives no reason"
        );
    }
}
