//! How the deploy ended. Decided from what the steps proved, never from what was only attempted.

use fenrir_core::deployment::{ChangeSetStatus, Deployment, End, Outcome, Progress};
use fenrir_core::error::ErrorName;

/// The end of a deploy. The same state always gets the same end.
#[must_use]
pub fn verdict(deployment: &Deployment) -> End {
    if succeeded(deployment) {
        return End {
            outcome: Outcome::Success,
            error: None,
            cause: None,
        };
    }
    let (outcome, state) = if deployment.cleaned {
        (Outcome::FailureClean, "FailureClean")
    } else {
        (Outcome::FailureDirty, "FailureDirty")
    };
    End {
        outcome,
        error: Some(format!("{state}.{}", name(deployment))),
        cause: Some(deployment.release.sign(&cause(deployment))),
    }
}

/// The stack reached the wanted state; or it is there already, or a plan was asked for, and nothing is left of finding out.
fn succeeded(deployment: &Deployment) -> bool {
    let needs_nothing = deployment
        .change_set
        .as_ref()
        .is_some_and(|change_set| matches!(change_set.status, ChangeSetStatus::NoChanges | ChangeSetStatus::Planned));
    let reached = deployment.stack.progress == Some(Progress::Succeeded) || (needs_nothing && deployment.cleaned);
    reached && deployment.failure.is_none() && deployment.error.is_none()
}

fn name(deployment: &Deployment) -> String {
    let failure = deployment.failure.as_ref().map(|failure| failure.error.clone());
    let error = || deployment.error.as_ref().map(|error| error.error.clone());
    failure
        .or_else(error)
        .unwrap_or_else(|| ErrorName::InternalError.to_string())
}

fn cause(deployment: &Deployment) -> String {
    let failure = deployment.failure.as_ref().map(|failure| failure.cause.clone());
    let error = deployment.error.as_ref().map(|error| match error.message() {
        message if message.is_empty() => format!("a step ended with `{}` and without a word", error.error),
        message => message,
    });
    let what = match (failure, error) {
        // An error of Execute is part of what WaitExecute finds out.
        (Some(failure), Some(error)) if !failure.contains(&error) => format!("{failure}; afterwards: {error}"),
        (Some(words), _) | (None, Some(words)) => words,
        (None, None) => "the deploy ended without success and without a reason: a fault of Fenrir".to_owned(),
    };
    if deployment.cleaned {
        return format!("{what}; nothing was left behind");
    }
    let stack = &deployment.stack.name;
    let lost = ErrorName::LockLostError.to_string();
    if deployment.error.as_ref().is_some_and(|error| error.error == lost) {
        return format!(
            "{what}; something may be left in stack `{stack}`, which without the lock nothing was done about; find out who \
             removed or took the lock, look at the stack, then run `fenrir deploy` again"
        );
    }
    format!(
        "{what}; something may be left in stack `{stack}`: the lock stays until an operator has looked and run `fenrir \
         unlock --reason WHY`"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use fenrir_core::deployment::{Caught, ChangeSet, Failure};
    use serde_json::json;

    use super::*;

    fn deployment() -> Deployment {
        let pointer = json!({"bucket": "b", "key": "k", "version_id": "1", "sha256": "0"});
        serde_json::from_value(json!({
            "release": {
                "operation": "deploy",
                "release_id": "release-1",
                "aws_account_id": "111111111111",
                "aws_region": "us-east-1",
                "project_name": "p",
                "config_name": "c",
                "bucket": "b",
                "deadline": "2026-11-21T22:16:31Z",
            },
            "execution": {"arn": "arn", "started_at": "2026-11-21T22:06:31Z"},
            "template": pointer,
            "manifest": {"here": {"tags": {}, "metadata": {}}},
            "stack": {"name": "fenrir-p-c--x"},
            "wait": {"seconds": 1, "polls": 0},
        }))
        .unwrap()
    }

    fn change_set(status: ChangeSetStatus) -> ChangeSet {
        ChangeSet {
            name: "c".into(),
            arn: None,
            status,
            changes: None,
            remade: false,
        }
    }

    fn caught(name: &str, cause: &str) -> Caught {
        Caught {
            error: name.into(),
            cause: cause.into(),
        }
    }

    /// Every combination of what the verdict looks at.
    fn all() -> Vec<Deployment> {
        let mut all = Vec::new();
        for progress in [
            None,
            Some(Progress::InProgress),
            Some(Progress::Succeeded),
            Some(Progress::Failed),
        ] {
            for status in [
                None,
                Some(ChangeSetStatus::Pending),
                Some(ChangeSetStatus::Ready),
                Some(ChangeSetStatus::NoChanges),
                Some(ChangeSetStatus::Planned),
                Some(ChangeSetStatus::Failed),
            ] {
                for failure in [None, Some(Failure::new(ErrorName::StackError, "it rolled back"))] {
                    for error in [None, Some(caught("States.Timeout", ""))] {
                        for cleaned in [false, true] {
                            let mut one = deployment();
                            one.stack.progress = progress;
                            one.change_set = status.map(change_set);
                            one.failure.clone_from(&failure);
                            one.error.clone_from(&error);
                            one.cleaned = cleaned;
                            all.push(one);
                        }
                    }
                }
            }
        }
        all
    }

    #[test]
    fn success_is_said_only_of_a_stack_that_is_what_was_wanted() {
        for deployment in all() {
            let status = deployment.change_set.as_ref().map(|change_set| change_set.status);
            let reached = deployment.stack.progress == Some(Progress::Succeeded)
                || (deployment.cleaned
                    && matches!(status, Some(ChangeSetStatus::NoChanges | ChangeSetStatus::Planned)));
            let is_success = verdict(&deployment).outcome == Outcome::Success;
            let unharmed = deployment.failure.is_none() && deployment.error.is_none();
            assert_eq!(is_success, reached && unharmed, "{deployment:?}");
        }
    }

    #[test]
    fn a_failure_is_clean_only_when_it_was_cleaned() {
        for deployment in all() {
            let end = verdict(&deployment);
            let (Some(error), Some(cause)) = (&end.error, &end.cause) else {
                assert_eq!(end.outcome, Outcome::Success);
                continue;
            };
            assert_eq!(end.outcome == Outcome::FailureClean, deployment.cleaned);
            assert_eq!(error.starts_with("FailureClean."), deployment.cleaned);
            assert!(cause.ends_with("(release release-1)"), "{cause}");
        }
    }

    #[test]
    fn the_first_failure_is_named_and_what_came_after_is_told() {
        let mut deployment = deployment();
        deployment.failure = Some(Failure::new(ErrorName::StackError, "the queue could not be made"));
        deployment.error = Some(caught(
            "CleanUpError",
            r#"{"errorType":"CleanUpError","errorMessage":"the stack cannot be deleted"}"#,
        ));
        let end = verdict(&deployment);
        assert_eq!(end.error.as_deref(), Some("FailureDirty.StackError"));
        assert_eq!(
            end.cause.as_deref(),
            Some(
                "the queue could not be made; afterwards: the stack cannot be deleted; something may be left in stack \
                 `fenrir-p-c--x`: the lock stays until an operator has looked and run `fenrir unlock --reason WHY` (release \
                 release-1)"
            )
        );
    }

    #[test]
    fn without_its_lock_it_does_not_say_that_a_lock_stays() {
        let mut deployment = deployment();
        deployment.error = Some(caught(
            "LockLostError",
            r#"{"errorType":"LockLostError","errorMessage":"checking the lock: nobody holds it"}"#,
        ));
        let end = verdict(&deployment);
        assert_eq!(end.error.as_deref(), Some("FailureDirty.LockLostError"));
        let cause = end.cause.unwrap();
        assert!(
            cause.starts_with("checking the lock: nobody holds it; something may be left in stack"),
            "{cause}"
        );
        assert!(!cause.contains("unlock"), "{cause}");
    }

    #[test]
    fn what_the_failure_tells_is_not_told_again() {
        let mut deployment = deployment();
        deployment.cleaned = true;
        deployment.failure = Some(Failure::new(
            ErrorName::StackError,
            "it was not executed: a right is missing",
        ));
        deployment.error = Some(caught("InternalError", "a right is missing"));
        let cause = verdict(&deployment).cause.unwrap();
        assert_eq!(
            cause,
            "it was not executed: a right is missing; nothing was left behind (release release-1)"
        );
    }

    #[test]
    fn an_error_without_words_is_told_by_its_name() {
        let mut deployment = deployment();
        deployment.cleaned = true;
        deployment.error = Some(caught("States.Timeout", ""));
        let end = verdict(&deployment);
        assert_eq!(end.error.as_deref(), Some("FailureClean.States.Timeout"));
        assert_eq!(
            end.cause.as_deref(),
            Some("a step ended with `States.Timeout` and without a word; nothing was left behind (release release-1)")
        );
    }

    #[test]
    fn a_long_cause_keeps_the_release_id() {
        let mut deployment = deployment();
        deployment.error = Some(caught("E", &"x".repeat(100_000)));
        let cause = verdict(&deployment).cause.unwrap();
        assert!(cause.chars().count() < Failure::CAUSE_LIMIT + 100);
        assert!(cause.ends_with("(release release-1)"));
    }
}
