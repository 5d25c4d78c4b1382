//! A stack's history: which events are of one operation, how it ended, and what went wrong first.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::primitives::{DateTime, DateTimeFormat};
use aws_sdk_cloudformation::types::{OperationEvent, OperationType, ResourceStatus, StackEvent};
use fenrir_core::problem::printable;
use fenrir_core::timestamp;
use serde::{Deserialize, Serialize};

use crate::findings::{Finder, Finding};
use crate::hook::Hook;
use crate::status::Status;

/// The type of a stack's own events.
const STACK: &str = "AWS::CloudFormation::Stack";

/// The status under which [`Event`] keeps what CloudFormation's validation held against a resource: that which its stack
/// has in detail (`DetailedStatus`). The resource itself, which nothing has happened to, has none.
const VALIDATION_FAILED: &str = "VALIDATION_FAILED";

/// Findings of the validation that one sentence tells; the others are among the events.
const SHOWN: usize = 10;

/// One event of a stack: the form in which `events.json` keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// CloudFormation's id of the event.
    pub id: String,
    /// When, RFC 3339.
    pub at: String,
    /// Logical id; the stack's name for the stack's own events.
    pub logical_id: String,
    /// Physical id, where there is one yet; the stack's ARN for the stack's own events.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub physical_id: String,
    /// Resource type.
    pub resource_type: String,
    /// Status, as CloudFormation spells it; `VALIDATION_FAILED` of what its validation found before it did anything.
    pub status: String,
    /// CloudFormation's words, with nothing unprintable in them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Token of the request that brought it about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// CloudFormation's id of the operation; its rollback is another one. Older stacks' events have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// The hook that was invoked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<Hook>,
}

impl From<&StackEvent> for Event {
    fn from(event: &StackEvent) -> Self {
        let text = |value: Option<&str>| printable(value.unwrap_or_default());
        let status = event.resource_status().map(ResourceStatus::as_str);
        let reason = match (event.resource_status_reason(), event.hook_status_reason()) {
            // A hook tells its own reason beside, or instead of, the resource's.
            (Some(reason), None | Some("")) | (None | Some(""), Some(reason)) => printable(reason),
            (Some(reason), Some(hook)) => printable(&format!("{reason} ({hook})")),
            (None, None) => String::new(),
        };
        Self {
            id: text(event.event_id()),
            at: moment(event.timestamp()),
            logical_id: text(event.logical_resource_id()),
            physical_id: text(event.physical_resource_id()),
            resource_type: text(event.resource_type()),
            status: text(status),
            reason,
            token: text(event.client_request_token()),
            operation: text(event.operation_id()),
            hook: Hook::read(
                event.hook_type(),
                event.hook_status(),
                event.hook_failure_mode(),
                event.hook_status_reason(),
            ),
        }
    }
}

/// RFC 3339; empty where there is none.
fn moment(at: Option<&DateTime>) -> String {
    let at = at.and_then(|at| at.fmt(DateTimeFormat::DateTime).ok());
    at.unwrap_or_default()
}

impl Event {
    /// What CloudFormation's validation held against the operation that `first` began, if that is what `event` tells.
    pub(crate) fn of_validation(event: &OperationEvent, first: &Event) -> Option<Self> {
        let works = [OperationType::CreateStack, OperationType::UpdateStack];
        let is_work = event.operation_type().is_some_and(|kind| works.contains(kind));
        let at = moment(event.timestamp());
        let is_its = match (event.operation_id(), first.operation.as_str()) {
            (Some(id), wanted) if !wanted.is_empty() => id == wanted,
            // Both are CloudFormation's own clock; and nothing but this operation is at work on the stack since.
            _ => timestamp::parse(&at) >= timestamp::parse(&first.at),
        };
        let finding = Finding::read(event).filter(|finding| is_work && is_its && finding.stops())?;
        let Finder::Validation { name, path, reason, .. } = finding.found_by else {
            return None;
        };
        let place = if path.is_empty() {
            String::new()
        } else {
            format!(" at `{path}`")
        };
        Some(Self {
            id: printable(event.event_id().unwrap_or_default()),
            at,
            logical_id: finding.logical_id,
            resource_type: finding.resource_type,
            status: VALIDATION_FAILED.to_owned(),
            reason: format!("{} (early validation `{name}`{place})", reason.trim_end_matches('.')),
            operation: printable(event.operation_id().unwrap_or_default()),
            ..Self::default()
        })
    }

    /// The status of the stack, if this is an event of the stack itself.
    #[must_use]
    pub fn of_stack(&self, stack_arn: &str) -> Option<Status> {
        (self.resource_type == STACK && self.physical_id == stack_arn).then(|| Status::parse(&self.status))
    }

    /// Something failed.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.status.ends_with("_FAILED")
    }

    /// Somebody asked for it. Source: CloudFormation User Guide, "Cancel a stack update".
    #[must_use]
    pub fn is_by_user(&self) -> bool {
        self.reason.contains("User Initiated")
    }

    /// Something failed, or goes back to what it was.
    fn turns_back(&self) -> bool {
        self.is_failure() || self.status.contains("ROLLBACK")
    }

    /// Cancelled because something else failed, or because the update was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.reason.trim_end_matches('.').ends_with("cancelled")
    }
}

/// Whether `event` begins the operation that the request with `token` asked for.
#[must_use]
pub fn begins(event: &Event, stack_arn: &str, token: &str) -> bool {
    event.token == token && event.of_stack(stack_arn).is_some_and(Status::is_start)
}

/// The events of the operation that the request with `token` began, oldest first; empty when it began none.
///
/// The rollback after a cancellation carries the token of who cancelled, so an operation goes on until another one
/// begins, whatever the tokens in between.
#[must_use]
pub fn operation(newest_first: &[Event], stack_arn: &str, token: &str) -> Vec<Event> {
    let mut operation: Vec<Event> = Vec::new();
    for event in newest_first.iter().rev() {
        if begins(event, stack_arn, token) {
            operation.push(event.clone());
        } else if !operation.is_empty() {
            if event.of_stack(stack_arn).is_some_and(Status::is_start) {
                break;
            }
            operation.push(event.clone());
        }
    }
    operation
}

/// The newest status that an operation gave its stack.
#[must_use]
pub fn outcome(operation: &[Event], stack_arn: &str) -> Option<Status> {
    operation.iter().rev().find_map(|event| event.of_stack(stack_arn))
}

/// Whether the events of a stack, all of them, show that it never stood whole: they reach back to its birth, and
/// nothing since then proves the contrary. Events are kept for 90 days (`DescribeStackEvents`); of an older stack
/// nothing is shown.
#[must_use]
pub fn never_completed(all: &[Event], stack_arn: &str) -> bool {
    let statuses: Vec<Status> = all.iter().filter_map(|event| event.of_stack(stack_arn)).collect();
    statuses.iter().any(|status| status.is_birth())
        && !statuses
            .iter()
            .any(|status| status.proves_completion() || *status == Status::Unknown)
}

/// What went wrong first: the first failure of a resource that was not just cancelled; where there is none, the first
/// of the stack's own that gives a reason for failing or going back.
#[must_use]
pub fn root_cause<'a>(operation: &'a [Event], stack_arn: &str) -> Option<&'a Event> {
    let is_own = |event: &&Event| event.of_stack(stack_arn).is_some();
    let of_resource = operation
        .iter()
        .find(|event| !is_own(event) && event.is_failure() && !event.is_cancelled());
    of_resource.or_else(|| {
        operation
            .iter()
            .find(|event| is_own(event) && event.turns_back() && !event.reason.is_empty())
    })
}

/// Whether the events of a failed operation say only that it failed: no resource did. So it is when CloudFormation's
/// validation forbade it before anything was touched, which `DescribeEvents` alone tells of. Source: AWS DevOps Blog,
/// 2026-06-30, "pre-deployment validation on every stack operation".
#[must_use]
pub(crate) fn tells_nothing(operation: &[Event], stack_arn: &str) -> bool {
    let is_own = |event: &Event| event.of_stack(stack_arn).is_some();
    root_cause(operation, stack_arn).is_none_or(|cause| is_own(cause) && !cause.is_by_user())
        && operation.iter().any(|event| is_own(event) && event.turns_back())
}

/// What went wrong first while the stack was being rolled back.
#[must_use]
pub fn rollback_cause<'a>(operation: &'a [Event], stack_arn: &str) -> Option<&'a Event> {
    let start = operation.iter().position(|event| {
        matches!(
            event.of_stack(stack_arn),
            Some(Status::RollbackInProgress | Status::UpdateRollbackInProgress)
        )
    })?;
    root_cause(operation.get(start + 1..)?, stack_arn)
}

/// The resources that were not done when the last of these events came, as `` `Id` (Type) ``.
#[must_use]
pub fn unfinished(operation: &[Event], stack_arn: &str) -> Vec<String> {
    let mut newest: BTreeMap<&str, &Event> = BTreeMap::new();
    for event in operation.iter().filter(|event| event.of_stack(stack_arn).is_none()) {
        newest.insert(&event.logical_id, event);
    }
    newest
        .values()
        .filter(|event| event.status.ends_with("_IN_PROGRESS"))
        .map(|event| format!("`{}` ({})", event.logical_id, event.resource_type))
        .collect()
}

/// Whether the operation that is, or was last, at work on the stack was asked for with one of `tokens`.
#[must_use]
pub fn is_last_by(newest_first: &[Event], stack_arn: &str, tokens: &[String]) -> bool {
    let start = newest_first
        .iter()
        .find(|event| event.of_stack(stack_arn).is_some_and(Status::is_start));
    start.is_some_and(|event| tokens.contains(&event.token))
}

/// What a deletion left behind because its deletion policy says so.
#[must_use]
pub fn skipped(operation: &[Event]) -> Vec<&Event> {
    operation
        .iter()
        .filter(|event| event.status == "DELETE_SKIPPED")
        .collect()
}

/// `` `Table` (AWS::DynamoDB::Table, `physical id`) `` of each, joined by commas.
#[must_use]
pub fn names(events: &[Event]) -> String {
    let name = |event: &Event| {
        format!(
            "`{}` ({}, `{}`)",
            event.logical_id, event.resource_type, event.physical_id
        )
    };
    events.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Why `cause`, an event of `operation`, came about: CloudFormation's words, or, where a hook forbade it, which hook and
/// the hook's words. Of a hook's refusal CloudFormation itself says no more than the hook's name.
#[must_use]
pub fn explain(operation: &[Event], cause: &Event, stack_arn: &str) -> String {
    if cause.status == VALIDATION_FAILED {
        return explain_validation(operation, stack_arn);
    }
    let turns_back = |event: &Event| {
        let status = event.of_stack(stack_arn);
        matches!(
            status,
            Some(Status::RollbackInProgress | Status::UpdateRollbackInProgress)
        )
    };
    let mut refusals: Vec<String> = Vec::new();
    // What happened to the same resource since the operation, or its rollback, began.
    for event in operation.iter().take_while(|event| event.id != cause.id).chain([cause]) {
        if turns_back(event) && event.id != cause.id {
            refusals.clear();
        }
        let hook = event.hook.as_ref().filter(|hook| hook.stops());
        let told = hook
            .filter(|_| event.logical_id == cause.logical_id)
            .map(Hook::describe);
        refusals.extend(told.filter(|told| !refusals.contains(told)));
    }
    if refusals.is_empty() {
        return describe(cause, stack_arn);
    }
    let refusals = refusals.join(", and ");
    if cause.of_stack(stack_arn).is_some() {
        return refusals;
    }
    format!("`{}` ({}): {refusals}", cause.logical_id, cause.resource_type)
}

/// All that was found at once is told at once.
fn explain_validation(operation: &[Event], stack_arn: &str) -> String {
    let found = operation.iter().filter(|event| event.status == VALIDATION_FAILED);
    let mut told: Vec<String> = found.map(|event| describe(event, stack_arn)).collect();
    let more = told.len().saturating_sub(SHOWN);
    if more > 0 {
        told.truncate(SHOWN);
        told.push(format!("{more} more"));
    }
    told.join(", and ")
}

/// `` `Queue` (AWS::SQS::Queue): CREATE_FAILED: CloudFormation's words ``.
#[must_use]
pub fn describe(event: &Event, stack_arn: &str) -> String {
    let reason = if event.reason.is_empty() {
        "no reason given"
    } else {
        // The sentence goes on after it.
        event.reason.trim_end_matches('.')
    };
    if event.of_stack(stack_arn).is_some() {
        format!("{}: {reason}", event.status)
    } else {
        format!(
            "`{}` ({}): {}: {reason}",
            event.logical_id, event.resource_type, event.status
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:cloudformation:eu-west-1:1:stack/s/1";

    /// Oldest first: status, token, and for a resource its logical id and reason.
    fn history(lines: &[(&str, &str, &str, &str)]) -> Vec<Event> {
        let mut events: Vec<Event> = lines
            .iter()
            .enumerate()
            .map(|(at, (status, token, logical_id, reason))| Event {
                id: at.to_string(),
                logical_id: if logical_id.is_empty() { "s" } else { logical_id }.to_owned(),
                physical_id: if logical_id.is_empty() { ARN } else { "" }.to_owned(),
                resource_type: if logical_id.is_empty() {
                    STACK
                } else {
                    "AWS::SQS::Queue"
                }
                .to_owned(),
                status: (*status).to_owned(),
                reason: (*reason).to_owned(),
                token: (*token).to_owned(),
                ..Event::default()
            })
            .collect();
        events.reverse();
        events
    }

    #[test]
    fn an_operation_is_what_its_token_began_until_another_begins() {
        let events = history(&[
            ("CREATE_IN_PROGRESS", "old", "", ""),
            ("CREATE_COMPLETE", "old", "", ""),
            ("UPDATE_IN_PROGRESS", "mine", "", ""),
            ("UPDATE_FAILED", "mine", "A", "bad"),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "somebody's cancel", "", "User Initiated"),
            ("UPDATE_ROLLBACK_COMPLETE", "somebody's cancel", "", ""),
            ("UPDATE_IN_PROGRESS", "theirs", "", ""),
            ("UPDATE_COMPLETE", "theirs", "", ""),
        ]);
        let mine = operation(&events, ARN, "mine");
        assert_eq!(mine.len(), 4);
        assert_eq!(outcome(&mine, ARN), Some(Status::UpdateRollbackComplete));
        assert!(operation(&events, ARN, "nobody's").is_empty());
    }

    #[test]
    fn a_token_on_a_resource_alone_begins_nothing() {
        let events = history(&[
            ("UPDATE_COMPLETE", "mine", "", ""),
            ("UPDATE_IN_PROGRESS", "mine", "A", ""),
        ]);
        assert!(operation(&events, ARN, "mine").is_empty());
    }

    #[test]
    fn the_root_cause_is_the_first_failure_that_was_not_cancelled() {
        let events = history(&[
            ("CREATE_IN_PROGRESS", "t", "", ""),
            ("CREATE_FAILED", "t", "A", "Resource creation cancelled"),
            ("CREATE_FAILED", "t", "B", "the real one"),
            ("CREATE_FAILED", "t", "C", "Resource creation cancelled"),
            (
                "ROLLBACK_IN_PROGRESS",
                "t",
                "",
                "The following resource(s) failed to create: [A, B, C].",
            ),
            ("DELETE_FAILED", "t", "D", "in use"),
        ]);
        let mine = operation(&events, ARN, "t");
        assert_eq!(root_cause(&mine, ARN).map(|e| e.logical_id.as_str()), Some("B"));
        assert_eq!(rollback_cause(&mine, ARN).map(|e| e.logical_id.as_str()), Some("D"));
    }

    #[test]
    fn what_was_not_done_is_what_began_and_did_not_end() {
        let events = history(&[
            ("CREATE_IN_PROGRESS", "t", "", ""),
            ("CREATE_IN_PROGRESS", "t", "A", ""),
            ("CREATE_IN_PROGRESS", "t", "B", ""),
            ("CREATE_COMPLETE", "t", "A", ""),
        ]);
        assert_eq!(
            unfinished(&operation(&events, ARN, "t"), ARN),
            ["`B` (AWS::SQS::Queue)"]
        );
    }

    #[test]
    fn whose_operation_was_last_is_told_by_its_start() {
        let events = history(&[
            ("UPDATE_IN_PROGRESS", "mine", "", ""),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "cancel", "", ""),
        ]);
        assert!(is_last_by(&events, ARN, &["mine".to_owned()]));
        assert!(!is_last_by(&events, ARN, &["cancel".to_owned()]));
        assert!(!is_last_by(&[], ARN, &["mine".to_owned()]));
    }

    #[test]
    fn where_no_resource_failed_the_stack_says_why() {
        let events = history(&[
            ("UPDATE_IN_PROGRESS", "t", "", ""),
            ("UPDATE_FAILED", "t", "A", "Resource update cancelled"),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "t", "", "User Initiated"),
        ]);
        let cause = root_cause(&operation(&events, ARN, "t"), ARN).map(|event| describe(event, ARN));
        assert_eq!(cause.as_deref(), Some("UPDATE_ROLLBACK_IN_PROGRESS: User Initiated"));
    }

    #[test]
    fn only_a_whole_history_without_completion_shows_that_a_stack_never_completed() {
        for (statuses, wanted) in [
            (&["REVIEW_IN_PROGRESS"][..], true),
            (
                &[
                    "REVIEW_IN_PROGRESS",
                    "CREATE_IN_PROGRESS",
                    "ROLLBACK_IN_PROGRESS",
                    "ROLLBACK_COMPLETE",
                ],
                true,
            ),
            (&["CREATE_IN_PROGRESS", "CREATE_FAILED"], true),
            (&["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "DELETE_FAILED"], false),
            (&["CREATE_IN_PROGRESS", "A_STATUS_OF_TOMORROW"], false),
            // The birth is too long ago to be seen.
            (&["ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"], false),
            (&[], false),
        ] {
            let lines: Vec<_> = statuses.iter().map(|status| (*status, "", "", "")).collect();
            assert_eq!(never_completed(&history(&lines), ARN), wanted, "{statuses:?}");
        }
    }

    #[test]
    fn another_stacks_completion_says_nothing_of_this_one() {
        let mut events = history(&[("REVIEW_IN_PROGRESS", "", "", ""), ("CREATE_COMPLETE", "", "", "")]);
        if let Some(newest) = events.first_mut() {
            newest.physical_id = "arn:another".to_owned();
        }
        assert!(never_completed(&events, ARN));
    }
}
