//! What a person is told of a release whose execution ended outside the machine: how it ended, what was found, and what
//! to do next.

use fenrir_core::deployment::{Head, cut};
use fenrir_stacks::Status;
use fenrir_stacks::events::{self, Event};

use crate::execution::{Ended, How, LastState};
use crate::judgement::Found;

/// Characters of what Step Functions, or whoever stopped the execution, says of its end.
const SAID: usize = 500;

/// What becomes of a lock that is kept.
const UNLOCK: &str = "; the lock stays until then: release it with `fenrir unlock --reason WHY`";

/// All that the sentence is made of.
pub(crate) struct Story<'a> {
    pub(crate) head: &'a Head,
    /// The stack's name.
    pub(crate) stack: &'a str,
    pub(crate) ended: &'a Ended,
    pub(crate) last: Option<&'a LastState>,
    pub(crate) found: Found,
    /// The stack's ARN, where there is one.
    pub(crate) arn: Option<&'a str>,
    pub(crate) status: Status,
    /// The events of the execution's own operation, oldest first.
    pub(crate) operation: &'a [Event],
    /// What its deletion of the stack left.
    pub(crate) left_behind: &'a [Event],
    /// The lock is kept, marked dirty.
    pub(crate) keeps_lock: bool,
}

impl Story<'_> {
    /// The sentence, signed.
    pub(crate) fn tell(&self) -> String {
        let next = if self.keeps_lock && self.found.status() == fenrir_store::Status::FailureDirty {
            UNLOCK
        } else {
            ""
        };
        self.head
            .sign(&format!("{}; {}{next}", how(self.ended, self.last), self.found()))
    }

    fn found(&self) -> String {
        let name = self.stack;
        match self.found {
            Found::Completed => {
                format!("stack `{name}` reached the wanted state all the same, and nothing is to be done")
            }
            Found::NotExecuted => format!(
                "nothing of it was executed, and nothing is left{}; run `fenrir deploy` again",
                self.before()
            ),
            Found::Gone => self.gone(),
            Found::RolledBack => format!(
                "the change of stack `{name}` failed: {}; it was rolled back{}; mend that and run `fenrir deploy` again",
                self.cause(),
                if self.is_new() { "" } else { " to what it was before" }
            ),
            Found::Stuck => format!(
                "the change of stack `{name}` failed: {}; it could not be rolled back{} and is in status `{}`; {}",
                self.cause(),
                self.rollback(),
                self.status,
                self.status.row().advice
            ),
            Found::LeftBehind => format!(
                "stack `{name}` was deleted before it was complete, but CloudFormation left {} because of its deletion \
                 policy; delete it by hand if nothing in it is needed, then deploy again",
                events::names(self.left_behind)
            ),
            Found::Unclear => format!(
                "what it did to stack `{name}`, which is in status `{}`, cannot be told; look at the stack's events in \
                 the CloudFormation console",
                self.status
            ),
        }
    }

    /// The stack is not there.
    fn gone(&self) -> String {
        let name = self.stack;
        let outcome = self.arn.and_then(|arn| events::outcome(self.operation, arn));
        match outcome {
            None => format!(
                "there is no stack `{name}`, so nothing of it is left{}; run `fenrir deploy` again",
                self.before()
            ),
            Some(Status::CreateComplete | Status::UpdateComplete) => format!(
                "stack `{name}` reached the wanted state and was deleted afterwards, not by Fenrir; find out who did it, \
                 then run `fenrir deploy` again"
            ),
            Some(_) => format!(
                "the creation of stack `{name}` failed: {}; nothing of it stays; mend that and run `fenrir deploy` again",
                self.cause()
            ),
        }
    }

    /// The operation created the stack.
    fn is_new(&self) -> bool {
        let first = self.operation.first().zip(self.arn);
        first.and_then(|(event, arn)| event.of_stack(arn)) == Some(Status::CreateInProgress)
    }

    /// What had failed already when the execution ended.
    fn before(&self) -> String {
        let deployment = self.last.and_then(|last| last.deployment.as_ref());
        let failure = deployment.and_then(|deployment| deployment.failure.as_ref());
        failure.map_or_else(String::new, |failure| format!("; before that: {}", failure.cause))
    }

    fn cause(&self) -> String {
        let cause = self.arn.and_then(|arn| {
            let event = events::root_cause(self.operation, arn)?;
            Some(events::explain(self.operation, event, arn))
        });
        cause.unwrap_or_else(|| "CloudFormation gives no reason".to_owned())
    }

    fn rollback(&self) -> String {
        let cause = self.arn.and_then(|arn| {
            let event = events::rollback_cause(self.operation, arn)?;
            Some(format!(" ({})", events::explain(self.operation, event, arn)))
        });
        cause.unwrap_or_default()
    }
}

/// The sentence, signed, where the account lets nobody in who could look: what is wrong with it, and what to do.
pub(crate) fn closed(
    head: &Head,
    stack: &str,
    ended: &Ended,
    last: Option<&LastState>,
    (what, help): (&str, &str),
    keeps_lock: bool,
) -> String {
    let how = how(ended, last);
    let next = if keeps_lock { UNLOCK } else { "" };
    head.sign(&format!(
        "{how}; what it did to stack `{stack}` cannot be told, because {what}; {help}, and looks at the stack in the \
         CloudFormation console of the account{next}"
    ))
}

/// How the execution ended, as a clause.
pub(crate) fn how(ended: &Ended, last: Option<&LastState>) -> String {
    let state = last.map_or_else(String::new, |last| format!(" in state `{}`", last.name));
    let said = match (ended.error.as_str(), ended.cause.as_str()) {
        ("", "") => String::new(),
        (error, "") => format!(" (`{}`)", cut(error, SAID)),
        ("", cause) => format!(" ({})", cut(cause, SAID)),
        (error, cause) => format!(" (`{}`: {})", cut(error, SAID), cut(cause, SAID)),
    };
    match ended.how {
        How::Aborted => format!("the execution was stopped by hand{state}{said}"),
        How::TimedOut => format!("the execution ran into the state machine's own timeout{state}"),
        How::Failed => format!("the execution broke off{state}, before its end was written down{said}"),
        How::Succeeded => "the execution ended well, but its end was not written down".to_owned(),
        How::Forgotten => "the execution ended so long ago that Step Functions has forgotten it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use fenrir_core::deployment::Operation;
    use fenrir_core::owner::Owner;

    use super::*;

    const ARN: &str = "arn:aws:cloudformation:eu-west-1:1:stack/s/1";

    fn head() -> Head {
        let owner = Owner {
            account: "1".into(),
            region: "eu-west-1".into(),
            project: "p".into(),
            config: "c".into(),
        };
        Head {
            operation: Operation::Deploy,
            release_id: "release-1".into(),
            owner: owner.into(),
            bucket: String::new(),
            deadline: String::new(),
        }
    }

    fn ended(how: How, error: &str, cause: &str) -> Ended {
        Ended {
            how,
            at: None,
            error: error.into(),
            cause: cause.into(),
        }
    }

    fn events(lines: &[(&str, &str, &str)]) -> Vec<Event> {
        let of = |(logical_id, status, reason): &(&str, &str, &str)| {
            let own = logical_id.is_empty();
            let kind = if own {
                "AWS::CloudFormation::Stack"
            } else {
                "AWS::SQS::Queue"
            };
            Event {
                logical_id: (*logical_id).to_owned(),
                physical_id: if own { ARN } else { "url" }.to_owned(),
                resource_type: kind.to_owned(),
                status: (*status).to_owned(),
                reason: (*reason).to_owned(),
                ..Event::default()
            }
        };
        lines.iter().map(of).collect()
    }

    fn tell(found: Found, status: Status, lines: &[(&str, &str, &str)]) -> String {
        let last = LastState {
            name: "WaitForExecute".into(),
            deployment: None,
        };
        Story {
            head: &head(),
            stack: "s",
            ended: &ended(How::Aborted, "", "wrong button"),
            last: Some(&last),
            found,
            arn: Some(ARN),
            status,
            operation: &events(lines),
            left_behind: &events(&[("Jobs", "DELETE_SKIPPED", "")]),
            keeps_lock: true,
        }
        .tell()
    }

    #[test]
    fn each_end_says_how_what_and_what_to_do() {
        let failed = [
            ("", "UPDATE_IN_PROGRESS", ""),
            ("Jobs", "UPDATE_FAILED", "too long"),
            ("", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
            ("Store", "UPDATE_FAILED", "in use"),
        ];
        let created = [("", "CREATE_IN_PROGRESS", ""), ("Jobs", "CREATE_FAILED", "too long")];
        for (found, status, lines, said) in [
            (
                Found::Completed,
                Status::UpdateComplete,
                &failed[..0],
                "stack `s` reached the wanted state all the same, and nothing is to be done",
            ),
            (
                Found::NotExecuted,
                Status::UpdateComplete,
                &[],
                "nothing of it was executed, and nothing is left; run `fenrir deploy` again",
            ),
            (
                Found::RolledBack,
                Status::UpdateRollbackComplete,
                &failed,
                "the change of stack `s` failed: `Jobs` (AWS::SQS::Queue): UPDATE_FAILED: too long; it was rolled back to \
                 what it was before; mend that and run `fenrir deploy` again",
            ),
            (
                Found::Gone,
                Status::DeleteComplete,
                &created,
                "the creation of stack `s` failed: `Jobs` (AWS::SQS::Queue): CREATE_FAILED: too long; nothing of it stays; \
                 mend that and run `fenrir deploy` again",
            ),
            (
                Found::Stuck,
                Status::UpdateRollbackFailed,
                &failed,
                "the change of stack `s` failed: `Jobs` (AWS::SQS::Queue): UPDATE_FAILED: too long; it could not be rolled \
                 back (`Store` (AWS::SQS::Queue): UPDATE_FAILED: in use) and is in status `UPDATE_ROLLBACK_FAILED`; ",
            ),
            (
                Found::LeftBehind,
                Status::DeleteComplete,
                &created,
                "stack `s` was deleted before it was complete, but CloudFormation left `Jobs` (AWS::SQS::Queue, `url`) \
                 because of its deletion policy; delete it by hand if nothing in it is needed, then deploy again",
            ),
        ] {
            let told = tell(found, status, lines);
            let how = "the execution was stopped by hand in state `WaitForExecute` (wrong button); ";
            assert!(told.starts_with(&format!("{how}{said}")), "{told}");
            let unlock =
                "; the lock stays until then: release it with `fenrir unlock --reason WHY` (release release-1)";
            let is_dirty = found.status() == fenrir_store::Status::FailureDirty;
            assert_eq!(told.ends_with(unlock), is_dirty, "{told}");
            assert!(told.ends_with(" (release release-1)"), "{told}");
        }
    }

    #[test]
    fn each_way_to_end_outside_the_machine_is_told_apart() {
        for (how_it_was, error, cause, said) in [
            (How::Aborted, "", "", "the execution was stopped by hand"),
            (
                How::TimedOut,
                "States.Timeout",
                "",
                "the execution ran into the state machine's own timeout",
            ),
            (
                How::Failed,
                "States.Runtime",
                "no such path",
                "the execution broke off, before its end was written down (`States.Runtime`: no such path)",
            ),
            (
                How::Forgotten,
                "",
                "",
                "the execution ended so long ago that Step Functions has forgotten it",
            ),
        ] {
            assert_eq!(how(&ended(how_it_was, error, cause), None), said);
        }
    }

    #[test]
    fn what_somebody_says_in_stopping_it_cannot_fill_the_sentence() {
        let long = "x".repeat(30_000);
        assert!(how(&ended(How::Aborted, &long, &long), None).chars().count() < 1_200);
    }
}
