//! Which of a stack's events are of one release.

use fenrir_stacks::events::Event;
use fenrir_stacks::marks::Marks;

/// Whether another release of Fenrir's brought the event about: every request of a release carries a token of its own.
#[must_use]
pub fn is_anothers(event: &Event, marks: &Marks) -> bool {
    let own = marks.change_set();
    let stem = event.token.get(..own.len());
    stem.is_some_and(|stem| Marks::is_change_set(stem) && stem != own)
}

/// All that a release did to its stack, oldest first: its operation, what it had to mend before, and what it took back
/// afterwards. The rollback after a cancellation may carry any token, so what has begun goes on until somebody else begins.
#[must_use]
pub fn all(newest_first: &[Event], stack_arn: &str, marks: &Marks) -> Vec<Event> {
    let mut is_own = false;
    let mut own = Vec::new();
    for event in newest_first.iter().rev() {
        if let Some(status) = event.of_stack(stack_arn) {
            if event.token.starts_with(marks.change_set()) {
                is_own = true;
            } else if status.is_start() || is_anothers(event, marks) {
                is_own = false;
            }
        }
        if is_own {
            own.push(event.clone());
        }
    }
    own
}

/// The live events, and those of the stored ones that they lack, such as what CloudFormation's early validation found:
/// each after the one that it was stored after.
#[must_use]
pub fn merged(mut live: Vec<Event>, stored: Vec<Event>) -> Vec<Event> {
    let mut next = 0;
    for event in stored {
        if let Some(at) = live.iter().position(|seen| seen.id == event.id) {
            next = at + 1;
        } else {
            live.insert(next, event);
            next += 1;
        }
    }
    live
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/fenrir-hello/1";

    fn marks(release: &str) -> Marks {
        Marks::of(&format!(
            "arn:aws:states:eu-west-1:111122223333:execution:fenrir:{release}"
        ))
    }

    fn event(id: &str, status: &str, token: &str) -> Event {
        Event {
            id: id.to_owned(),
            physical_id: STACK.to_owned(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            status: status.to_owned(),
            token: token.to_owned(),
            ..Event::default()
        }
    }

    fn ids(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.id.as_str()).collect()
    }

    #[test]
    fn a_release_owns_what_it_mended_did_and_took_back() {
        let (own, before, after) = (marks("own"), marks("before"), marks("after"));
        let oldest_first = [
            event("before", "UPDATE_IN_PROGRESS", &before.execute()),
            event("failed", "UPDATE_ROLLBACK_FAILED", ""),
            event("mended", "UPDATE_ROLLBACK_IN_PROGRESS", &own.recover_before()),
            event("at rest", "UPDATE_ROLLBACK_COMPLETE", &own.recover_before()),
            event("begun", "UPDATE_IN_PROGRESS", &own.execute()),
            event("cancelled", "UPDATE_ROLLBACK_IN_PROGRESS", "somebody-by-hand"),
            event("failed again", "UPDATE_ROLLBACK_FAILED", ""),
            event("second rollback", "UPDATE_ROLLBACK_IN_PROGRESS", &own.recover_own()),
            event("by hand", "UPDATE_IN_PROGRESS", ""),
            event("deleted", "DELETE_IN_PROGRESS", &own.delete()),
            event("theirs", "UPDATE_ROLLBACK_IN_PROGRESS", &after.recover_before()),
        ];
        let newest_first: Vec<Event> = oldest_first.into_iter().rev().collect();
        assert_eq!(
            ids(&all(&newest_first, STACK, &own)),
            [
                "mended",
                "at rest",
                "begun",
                "cancelled",
                "failed again",
                "second rollback",
                "deleted"
            ]
        );
        assert!(all(&newest_first, STACK, &marks("nobody")).is_empty());
    }

    #[test]
    fn what_only_the_file_has_keeps_its_place() {
        let of = |ids: &[&str]| ids.iter().map(|id| event(id, "", "")).collect::<Vec<_>>();
        let live = of(&["begun", "failed", "deleted"]);
        let merged = merged(live, of(&["begun", "validation 1", "validation 2", "failed"]));
        assert_eq!(
            ids(&merged),
            ["begun", "validation 1", "validation 2", "failed", "deleted"]
        );
        assert_eq!(ids(&super::merged(Vec::new(), of(&["a", "b"]))), ["a", "b"]);
    }
}
