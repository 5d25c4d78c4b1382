//! What a person is told of a deploy that did not reach the wanted state: what failed, where, CloudFormation's own
//! words, and what to do next.

use fenrir_core::deployment::{Deployment, Halt, Pointer, StackAction};
use fenrir_core::error::ErrorName;
use fenrir_core::problem::printable;
use fenrir_stacks::Status;
use fenrir_stacks::events::{self, Event};
use fenrir_stacks::marks::Marks;

use crate::verdict::Why;

/// Resources that are named as unfinished.
const SHOWN: usize = 5;

/// All that the sentence is made of.
pub(crate) struct Story<'a> {
    pub(crate) why: Why,
    pub(crate) status: Status,
    pub(crate) operation: &'a [Event],
    /// ARN of the stack.
    pub(crate) stack: &'a str,
    pub(crate) marks: &'a Marks,
    /// It was to stop: the deadline had passed, or somebody halted it.
    pub(crate) stopping: bool,
    /// Where the events lie.
    pub(crate) events: Option<&'a Pointer>,
}

impl Story<'_> {
    /// The sentence.
    pub(crate) fn tell(&self, deployment: &Deployment) -> String {
        let name = &deployment.stack.name;
        let is_new = deployment.stack.action == Some(StackAction::Create);
        let (work, back) = if is_new {
            ("creation", "nothing of it stays")
        } else {
            ("update", "it was rolled back to what it was before")
        };
        let words = match self.why {
            Why::RolledBack if self.is_cancelled() && self.stopping => format!(
                "{} while stack `{name}` was being updated{}; the update was cancelled and {back}; {}",
                stopped(deployment),
                self.unfinished(),
                after_stop(deployment)
            ),
            Why::RolledBack if self.is_cancelled() => format!(
                "the update of stack `{name}` was cancelled, not by Fenrir, and {back}; find out who did it, then run \
                 `fenrir deploy` again"
            ),
            Why::RolledBack => format!(
                "the {work} of stack `{name}` failed: {}; {back}; mend that and run `fenrir deploy` again",
                self.cause()
            ),
            // What to do about it CleanUp knows, which tries to go on with the rollback.
            Why::Stuck => format!(
                "the {work} of stack `{name}` failed: {}; it could not be rolled back at once{}: status `{}`",
                self.cause(),
                self.rollback(),
                self.status
            ),
            Why::Gone => format!(
                "stack `{name}` was deleted while it was being deployed, not by Fenrir; find out who did it, then run \
                 `fenrir deploy` again"
            ),
            Why::NotExecuted => format!(
                "the change set of stack `{name}` was not executed: {}; nothing was changed; {}",
                refused(deployment),
                match self.name(deployment) {
                    ErrorName::HaltError => Halt::THEN,
                    _ => "run `fenrir deploy` again",
                }
            ),
            Why::Stopped => format!(
                "{} while stack `{name}` was being created{}; what was made of it is removed; {}",
                stopped(deployment),
                self.unfinished(),
                after_stop(deployment)
            ),
            Why::Endless => format!(
                "stack `{name}` is still in status `{}` long after {}{}; look at its events in the CloudFormation console",
                self.status,
                stopped(deployment),
                self.unfinished()
            ),
        };
        match self.events {
            Some(at) => format!("{words}; all events are in `s3://{}/{}`", at.bucket, at.key),
            None => words,
        }
    }

    /// The error's name: whether it ended so because it was to stop, and why it was to.
    pub(crate) fn name(&self, deployment: &Deployment) -> ErrorName {
        let caught = deployment.error.as_ref().map(|caught| caught.error.as_str());
        let to_stop = if deployment.halt.is_some() {
            ErrorName::HaltError
        } else {
            ErrorName::TimeoutError
        };
        match self.why {
            Why::Stopped | Why::Endless => to_stop,
            Why::RolledBack if self.is_cancelled() && self.stopping => to_stop,
            Why::NotExecuted if caught == Some(ErrorName::TimeoutError.as_str()) => ErrorName::TimeoutError,
            Why::NotExecuted if caught == Some(ErrorName::HaltError.as_str()) => ErrorName::HaltError,
            _ => ErrorName::StackError,
        }
    }

    fn cause(&self) -> String {
        events::root_cause(self.operation, self.stack).map_or_else(
            || "CloudFormation gives no reason".to_owned(),
            |event| events::explain(self.operation, event, self.stack),
        )
    }

    fn rollback(&self) -> String {
        events::rollback_cause(self.operation, self.stack)
            .map(|event| format!(" ({})", events::explain(self.operation, event, self.stack)))
            .unwrap_or_default()
    }

    /// Whether the update ended because somebody cancelled it.
    fn is_cancelled(&self) -> bool {
        let token = self.marks.cancel();
        self.operation.iter().any(|event| {
            let by_user = event.of_stack(self.stack).is_some() && event.is_by_user();
            event.token == token || (by_user && event.status == "UPDATE_ROLLBACK_IN_PROGRESS")
        })
    }

    fn unfinished(&self) -> String {
        // What a cancellation or a rollback began afterwards is not what took so long.
        let forward: Vec<Event> = self
            .operation
            .iter()
            .take_while(|event| !event.status.contains("ROLLBACK"))
            .filter(|event| !event.reason.trim_end_matches('.').ends_with("cancelled"))
            .cloned()
            .collect();
        let waiting = events::unfinished(&forward, self.stack);
        let shown = waiting
            .iter()
            .take(SHOWN)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        match waiting.len() {
            0 => String::new(),
            n if n > SHOWN => format!(", waiting for {shown} and {} more", n - SHOWN),
            _ => format!(", waiting for {shown}"),
        }
    }
}

/// Why the deploy was to stop.
fn stopped(deployment: &Deployment) -> String {
    deployment
        .halt
        .as_ref()
        .map_or_else(|| "the timeout passed".to_owned(), Halt::describe)
}

/// What to do after it was stopped.
fn after_stop(deployment: &Deployment) -> &'static str {
    match deployment.halt {
        Some(_) => Halt::THEN,
        None => "run `fenrir deploy` again, with a longer `--timeout` if it needs it",
    }
}

/// Why `Execute` says it failed; of an execution that it began nobody knows why it did not happen.
fn refused(deployment: &Deployment) -> String {
    deployment.error.as_ref().map_or_else(
        || "CloudFormation accepted it and did nothing, or somebody else was first".to_owned(),
        |caught| printable(&caught.message()),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:cloudformation:eu-west-1:1:stack/s/1";

    fn deployment(action: &str) -> Deployment {
        serde_json::from_value(json!({
            "release": {
                "operation": "deploy", "release_id": "release-1", "aws_account_id": "1", "aws_region": "eu-west-1",
                "project_name": "p", "config_name": "c", "bucket": "b", "deadline": "2026-01-01T00:10:00Z"
            },
            "execution": {"arn": "arn:execution", "started_at": "2026-01-01T00:00:00Z"},
            "template": {"bucket": "b", "key": "k", "version_id": "v", "sha256": "s"},
            "manifest": {"here": {"tags": {}, "metadata": {}}},
            "stack": {"name": "fenrir-p-c", "arn": ARN, "action": action},
            "wait": {"seconds": 1, "polls": 0}
        }))
        .unwrap()
    }

    fn events(lines: &[(&str, &str, &str)]) -> Vec<Event> {
        let of = |(logical_id, status, reason): &(&str, &str, &str)| {
            let own = logical_id.is_empty();
            Event {
                logical_id: (*logical_id).to_owned(),
                physical_id: if own { ARN } else { "" }.to_owned(),
                resource_type: if own {
                    "AWS::CloudFormation::Stack"
                } else {
                    "AWS::SQS::Queue"
                }
                .to_owned(),
                status: (*status).to_owned(),
                reason: (*reason).to_owned(),
                ..Event::default()
            }
        };
        lines.iter().map(of).collect()
    }

    fn tell(why: Why, status: Status, action: &str, stopping: bool, lines: &[(&str, &str, &str)]) -> String {
        let pointer = Pointer {
            bucket: "b".into(),
            key: "fenrir/events.json".into(),
            version_id: "v".into(),
            sha256: "s".into(),
        };
        Story {
            why,
            status,
            operation: &events(lines),
            stack: ARN,
            marks: &Marks::of("arn:execution"),
            stopping,
            events: Some(&pointer),
        }
        .tell(&deployment(action))
    }

    #[test]
    fn a_failed_create_names_the_resource_and_cloudformations_words() {
        let lines = [
            ("", "CREATE_IN_PROGRESS", ""),
            ("A", "CREATE_FAILED", "Resource creation cancelled"),
            ("Queue", "CREATE_FAILED", "VisibilityTimeout is too long"),
        ];
        assert_eq!(
            tell(Why::RolledBack, Status::RollbackComplete, "CREATE", false, &lines),
            "the creation of stack `fenrir-p-c` failed: `Queue` (AWS::SQS::Queue): CREATE_FAILED: VisibilityTimeout is \
             too long; nothing of it stays; mend that and run `fenrir deploy` again; all events are in `s3://b/fenrir/events.json`"
        );
    }

    #[test]
    fn a_late_update_says_what_it_waited_for() {
        let lines = [
            ("", "UPDATE_IN_PROGRESS", ""),
            ("Slow", "UPDATE_IN_PROGRESS", ""),
            ("", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
            ("Slow", "UPDATE_IN_PROGRESS", ""),
        ];
        let told = tell(Why::RolledBack, Status::UpdateRollbackComplete, "UPDATE", true, &lines);
        assert!(
            told.contains("waiting for `Slow` (AWS::SQS::Queue); the update was cancelled"),
            "{told}"
        );
        let told = tell(Why::RolledBack, Status::UpdateRollbackComplete, "UPDATE", false, &lines);
        assert!(told.contains("was cancelled, not by Fenrir"), "{told}");
    }

    #[test]
    fn a_stuck_update_says_both_why_it_failed_and_why_it_stays() {
        let lines = [
            ("", "UPDATE_IN_PROGRESS", ""),
            ("A", "UPDATE_FAILED", "first"),
            (
                "",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to update: [A].",
            ),
            ("B", "UPDATE_FAILED", "second"),
            (
                "",
                "UPDATE_ROLLBACK_FAILED",
                "The following resource(s) failed to update: [B].",
            ),
        ];
        let told = tell(Why::Stuck, Status::UpdateRollbackFailed, "UPDATE", false, &lines);
        assert!(
            told.contains("UPDATE_FAILED: first; it could not be rolled back at once (`B`"),
            "{told}"
        );
        assert!(
            told.contains("UPDATE_FAILED: second): status `UPDATE_ROLLBACK_FAILED`"),
            "{told}"
        );
    }
}
