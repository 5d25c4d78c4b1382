//! What to say at the end of a deploy, and with which status to end.

use std::collections::BTreeMap;

use fenrir_core::deployment::{ChangeSetStatus, Deployment, Operation};
use fenrir_core::error::ErrorName;
use fenrir_core::names;
use fenrir_core::owner::Owner;
use fenrir_core::plan::Plan;
use fenrir_core::problem::Problem;
use fenrir_core::template::Document;
use fenrir_stacks::events::{Event, root_cause};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::answer::Answer;
use crate::aws::Aws;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::follow::{End, Follower};
use crate::planned::Planned;
use crate::printer::Printer;
use crate::source::{self, Source};
use crate::text::{Style, Text};

/// The release that ended.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Where.
    pub aws: &'a Aws,
    /// Whose.
    pub owner: &'a Owner,
    /// Its id.
    pub release_id: &'a str,
    /// What it asked for.
    pub operation: Operation,
    /// The template as the developer has it before him, where he has.
    pub template: Option<(&'a Source, &'a Document)>,
}

/// A deploy that ended well.
#[derive(Debug, Serialize)]
struct Deployed<'a> {
    release: &'a str,
    outcome: Outcome,
    stack: String,
    /// `None` where they cannot be read.
    outputs: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Deployed,
    NoChanges,
    Unknown,
}

impl Answer for Deployed<'_> {
    const TYPE: &'static str = "result";

    fn human(&self, text: &mut Text) {
        let name = &self.stack;
        match self.outcome {
            Outcome::NoChanges => text.line(format!("no changes: the stack `{name}` is what the template says")),
            Outcome::Deployed => {
                text.put(Style::Good, "deployed");
                text.line(format!(": the stack `{name}` is what the template says"));
            }
            Outcome::Unknown => {
                text.line("deployed: the execution succeeded, in words that this version of `fenrir` does not know");
            }
        }
        for (key, value) in self.outputs.iter().flatten() {
            text.line(format!("{key}: {value}"));
        }
    }
}

impl Ended<'_> {
    /// Says how it ended. A plan that has changes ends with [`Exit::Changes`], whoever asked for it.
    ///
    /// # Errors
    /// It failed, with the reason.
    pub async fn tell(&self, end: End, follower: &Follower<'_>, printer: &mut Printer) -> Result<Exit, Stop> {
        match end {
            End::Succeeded(_) if self.operation == Operation::Plan => self.planned(printer).await,
            End::Succeeded(output) => {
                self.succeeded(&output, follower.stack(), printer).await;
                Ok(Exit::Success)
            }
            End::Detached(why) => Err(self.detached(&why).into()),
            End::TimedOut => Err(self
                .broken_off(
                    Exit::Dirty,
                    &format!("the {} took longer than the state machine may", self.what()),
                )
                .into()),
            End::Aborted(cause) => {
                let why = format!("somebody stopped the execution{}", after_colon(&cause));
                Err(self.broken_off(Exit::Dirty, &why).into())
            }
            End::Failed { error, cause } => self.failed(&error, &cause, follower, printer).await,
        }
    }

    async fn succeeded(&self, output: &str, stack: &str, printer: &mut Printer) {
        let deployment: Option<Deployment> = serde_json::from_str(output).ok();
        let change_set = deployment.and_then(|deployment| deployment.change_set);
        let mut deployed = Deployed {
            release: self.release_id,
            outcome: match change_set.map(|change_set| change_set.status) {
                Some(ChangeSetStatus::NoChanges) => Outcome::NoChanges,
                Some(ChangeSetStatus::Ready) => Outcome::Deployed,
                _ => Outcome::Unknown,
            },
            stack: names::stack(self.owner),
            outputs: None,
        };
        if self.aws.account == self.aws.caller.account {
            match self.aws.stacks.describe(stack).await {
                Ok(found) => deployed.outputs = Some(found.into_iter().flat_map(|stack| stack.outputs).collect()),
                Err(fault) => printer.progress(&format!("outputs are not shown: {fault}")),
            }
        } else {
            let account = &self.aws.account;
            printer.progress(&format!("outputs are not shown: the stack is in account {account}"));
        }
        printer.answer(&deployed);
    }

    async fn failed(
        &self,
        error: &str,
        cause: &str,
        follower: &Follower<'_>,
        printer: &mut Printer,
    ) -> Result<Exit, Stop> {
        let exit = exit(error);
        if self.operation == Operation::Plan
            && exit == Exit::Failed
            && let Some(plan) = self.own::<Plan>("changes.json").await
        {
            // What would be done shows why it may not be done.
            printer.answer(&Planned::new(self.release_id, &plan));
        } else if let Some((source, document)) = self.template
            && matches!(exit, Exit::Refused | Exit::Failed)
            && let Some(mut problems) = self.own::<Vec<Problem>>("problems.json").await
            && source::refuses(&problems)
        {
            // The machine's places are of the JSON that was uploaded, a single line.
            for problem in &mut problems {
                problem.position = None;
            }
            let problems = source::placed(problems, document);
            if exit == Exit::Refused {
                return Err(Stop::Problems {
                    exit,
                    problems,
                    source: source.clone(),
                });
            }
            printer.problems(&problems, source);
        }
        if matches!(exit, Exit::Failed | Exit::TimedOut | Exit::Dirty) {
            let events = match follower.events() {
                [] => self.own("events.json").await.unwrap_or_default(),
                events => events.to_vec(),
            };
            for failed in failed_resources(&events, follower.stack()) {
                printer.insist(&failed);
            }
        }
        let fault = match exit {
            Exit::Refused => Fault::new(exit, format!("the deployer refused the release: {cause}")),
            Exit::Locked => Fault::new(exit, format!("the project is locked: {cause}")),
            Exit::Failed | Exit::TimedOut => Fault::new(
                exit,
                format!("the {} failed, and nothing half-made is left: {cause}", self.what()),
            ),
            _ => self.broken_off(
                exit,
                &format!(
                    "the {} failed, and something may be left: {error}: {cause}",
                    self.what()
                ),
            ),
        };
        Err(fault.in_lines().into())
    }

    async fn planned(&self, printer: &mut Printer) -> Result<Exit, Stop> {
        let Some(plan) = self.own::<Plan>("changes.json").await else {
            let bucket = &self.aws.bucket;
            let fault = Fault::failed(format!(
                "the plan is made, and cannot be read: `changes.json` of release `{}` in `{bucket}`",
                self.release_id
            ));
            return Err(fault
                .help(
                    "either the developer's policy lacks the right to read what Fenrir wrote (docs/install.md), or the \
                     deployer is older or younger than this `fenrir`",
                )
                .into());
        };
        printer.answer(&Planned::new(self.release_id, &plan));
        Ok(if plan.no_changes { Exit::Success } else { Exit::Changes })
    }

    fn what(&self) -> &'static str {
        match self.operation {
            Operation::Deploy => "deploy",
            Operation::Plan => "plan",
        }
    }

    async fn own<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.aws.own(self.owner, self.release_id, name).await
    }

    /// An end without a clean state.
    fn broken_off(&self, exit: Exit, why: &str) -> Fault {
        Fault::new(exit, why.to_owned()).help(format!(
            "the lock of `{}`, `{}` may be held: tell the team that runs the deployer about release `{}`",
            self.owner.project, self.owner.config, self.release_id
        ))
    }

    fn detached(&self, why: &str) -> Fault {
        Fault::new(
            Exit::Interrupted,
            format!("{why}; release `{}` goes on", self.release_id),
        )
        .help(format!("watch it again with `fenrir attach {}`", self.release_id))
    }
}

/// How a Fail state's Error ends the command. What is not known to be clean is not.
#[must_use]
pub fn exit(error: &str) -> Exit {
    match error.strip_prefix("FailureClean.") {
        Some(name) if name == ErrorName::BadReleaseError.as_str() => Exit::Refused,
        Some(name) if name == ErrorName::LockExistsError.as_str() => Exit::Locked,
        Some(name) if name == ErrorName::TimeoutError.as_str() => Exit::TimedOut,
        Some(_) => Exit::Failed,
        None => Exit::Dirty,
    }
}

/// What failed, the first cause first, without what was only cancelled because of it.
fn failed_resources<'a>(events: &'a [Event], stack: &str) -> Vec<FailedResource<'a>> {
    let root = root_cause(events, stack);
    let others = events
        .iter()
        .filter(|event| event.is_failure() && !event.is_cancelled() && root.is_none_or(|root| root.id != event.id));
    root.into_iter()
        .chain(others)
        .map(|event| FailedResource {
            logical_id: &event.logical_id,
            resource_type: &event.resource_type,
            status: &event.status,
            reason: &event.reason,
        })
        .collect()
}

/// A resource that failed, and not only because another one did.
#[derive(Debug, Serialize)]
struct FailedResource<'a> {
    logical_id: &'a str,
    resource_type: &'a str,
    status: &'a str,
    reason: &'a str,
}

impl Answer for FailedResource<'_> {
    const TYPE: &'static str = "failure";

    fn human(&self, text: &mut Text) {
        text.put(Style::Bad, "failed");
        text.line(format!(
            ": {} ({}): {}",
            self.logical_id, self.resource_type, self.reason
        ));
    }
}

fn after_colon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_status() {
        for (error, wanted) in [
            ("FailureClean.BadReleaseError", Exit::Refused),
            ("FailureClean.LockExistsError", Exit::Locked),
            ("FailureClean.StackError", Exit::Failed),
            ("FailureClean.TimeoutError", Exit::TimedOut),
            ("FailureDirty.TimeoutError", Exit::Dirty),
            ("FailureDirty.BadReleaseError", Exit::Dirty),
            ("FailureDirty.StackError", Exit::Dirty),
            ("States.Runtime", Exit::Dirty),
            ("", Exit::Dirty),
        ] {
            assert_eq!(exit(error), wanted, "{error}");
        }
    }

    #[test]
    fn the_first_cause_comes_first_and_the_cancelled_not_at_all() {
        let event = |id: &str, status: &str, reason: &str| Event {
            id: id.to_owned(),
            logical_id: id.to_owned(),
            resource_type: "AWS::SQS::Queue".to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            ..Event::default()
        };
        let events = [
            event("Fine", "CREATE_COMPLETE", ""),
            event("Bad", "CREATE_FAILED", "too long"),
            event("Other", "CREATE_FAILED", "Resource creation cancelled"),
            event("Worse", "DELETE_FAILED", "in use"),
        ];
        let failed = failed_resources(&events, "arn:stack");
        let told: Vec<_> = failed.iter().map(|failed| (failed.logical_id, failed.reason)).collect();
        assert_eq!(told, [("Bad", "too long"), ("Worse", "in use")]);
    }
}
