//! The calls. Each may be made twice: what was done already, by this very execution, is success.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::operation::describe_events::builders::DescribeEventsFluentBuilder;
use aws_sdk_cloudformation::primitives::DateTimeFormat;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, EventFilter, OperationEvent, Tag, TemplateStage};
use aws_types::SdkConfig;
use fenrir_aws::fault;
use fenrir_core::deployment::{Pointer, StackAction};
use fenrir_core::error::Fault;
use fenrir_core::house;
use fenrir_core::owner::Owner;
use fenrir_core::plan::Reported;
use fenrir_core::problem::printable;
use fenrir_core::timestamp;
use tokio::time::{Instant, sleep};

use crate::changes::{self, Answer, Execution};
use crate::events::{self, Event};
use crate::findings::Finding;
use crate::marks::Marks;
use crate::status::Status;
use crate::template_url::template_url;

/// By how much the clocks of Step Functions and of CloudFormation may differ, generously.
const CLOCKS: time::Duration = time::Duration::minutes(10);

/// Findings that are read of one change set or operation: one of 500 resources may have thousands, and nobody reads so many.
const MOST_FINDINGS: usize = 500;

/// How long a look waits for what was just begun to be seen.
const LAG: Duration = Duration::from_secs(1);

/// What `read` makes of the failures that `DescribeEvents` tells of, page by page.
async fn failures<T>(
    asked: DescribeEventsFluentBuilder,
    read: impl Fn(&OperationEvent) -> Option<T>,
) -> Result<Vec<T>, Fault> {
    let failed = EventFilter::builder().failed_events(true).build();
    let mut pages = asked.filters(failed).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| fault("cloudformation:DescribeEvents", &error))?;
        found.extend(page.operation_events().iter().filter_map(&read));
        if found.len() >= MOST_FINDINGS {
            found.truncate(MOST_FINDINGS);
            break;
        }
    }
    Ok(found)
}

/// CloudFormation of one account and region.
#[derive(Debug, Clone)]
pub struct Stacks {
    client: Client,
    endpoint: Option<String>,
}

/// A stack as `DescribeStacks` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// ARN.
    pub arn: String,
    /// Status.
    pub status: Status,
    /// CloudFormation's words about the status, printable.
    pub reason: String,
    /// Tags; none before the first change set was executed.
    pub tags: BTreeMap<String, String>,
    /// Outputs, key and value, in CloudFormation's order.
    pub outputs: Vec<(String, String)>,
    /// When its last update began, RFC 3339; none of a stack that was only created.
    pub updated_at: Option<String>,
}

impl Stack {
    /// Whether its tags are those of `owner`.
    #[must_use]
    pub fn is_of(&self, owner: &Owner) -> bool {
        let is = |key: &str, value: &str| self.tags.get(key).is_some_and(|have| have == value);
        is("ProjectName", &owner.project) && is("ConfigName", &owner.config)
    }
}

/// A change set to make.
#[derive(Debug, Clone, Copy)]
pub struct NewChangeSet<'a> {
    /// Whose stack.
    pub owner: &'a Owner,
    /// Name (to create) or ARN (to update) of the stack.
    pub stack: &'a str,
    /// Whether it creates or updates.
    pub action: StackAction,
    /// The rewritten template.
    pub template: &'a Pointer,
    /// All tags of the stack.
    pub tags: &'a BTreeMap<String, String>,
    /// The execution's marks.
    pub marks: &'a Marks,
    /// It replaces the execution's first one, which another change set has outdated.
    pub again: bool,
}

/// A change set that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeChangeSet {
    /// ARN of the change set.
    pub arn: String,
    /// ARN of its stack.
    pub stack_arn: String,
}

/// A change set as `DescribeChangeSet` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSetSeen {
    /// ARN.
    pub arn: String,
    /// ARN of its stack.
    pub stack_arn: String,
    /// Description: says whose it is.
    pub description: String,
    /// How it stands.
    pub answer: Answer,
    /// How its execution stands.
    pub execution: Execution,
    /// CloudFormation's words about that, printable.
    pub reason: String,
    /// All changes, all pages.
    pub changes: Vec<Reported>,
}

/// How a deletion stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// The stack is gone.
    Gone,
    /// CloudFormation could not delete it, for this reason.
    Failed(String),
    /// Not yet at an end.
    Underway,
}

/// `ValidationError` is what CloudFormation says of everything; a stack that is not there it tells by words.
fn is_absent(fault: &Fault) -> bool {
    fault.is("ValidationError") && fault.message.contains("does not exist")
}

fn is_no_change_set(fault: &Fault) -> bool {
    fault.is("ChangeSetNotFound") || fault.is("ChangeSetNotFoundException") || is_absent(fault)
}

/// The service role that CloudFormation works with in the owner's account.
fn service_role(owner: &Owner) -> String {
    house::iam_arn(owner.partition(), &owner.account, "role", house::CLOUDFORMATION_ROLE)
}

impl Stacks {
    /// Calls with the credentials, in the region, at the endpoint of `config`.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
            endpoint: config.endpoint_url().map(str::to_owned),
        }
    }

    /// The stack of this name or ARN. By name a deleted stack is not there; by ARN it is, as `DELETE_COMPLETE`.
    ///
    /// # Errors
    /// Any fault of `DescribeStacks`.
    pub async fn describe(&self, stack: &str) -> Result<Option<Stack>, Fault> {
        let answer = self.client.describe_stacks().stack_name(stack).send().await;
        let answer = match answer.map_err(|error| fault("cloudformation:DescribeStacks", &error)) {
            Ok(answer) => answer,
            Err(fault) if is_absent(&fault) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        Ok(answer.stacks().first().map(|stack| Stack {
            arn: stack.stack_id().unwrap_or_default().to_owned(),
            status: stack
                .stack_status()
                .map_or(Status::Unknown, |status| Status::parse(status.as_str())),
            reason: printable(stack.stack_status_reason().unwrap_or_default()),
            tags: stack
                .tags()
                .iter()
                .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
                .collect(),
            outputs: stack
                .outputs()
                .iter()
                .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())))
                .collect(),
            updated_at: stack
                .last_updated_time()
                .and_then(|at| at.fmt(DateTimeFormat::DateTime).ok()),
        }))
    }

    /// Whether the stack has any resource.
    ///
    /// # Errors
    /// Any fault of `ListStackResources`.
    pub async fn has_resources(&self, stack: &str) -> Result<bool, Fault> {
        let answer = self.client.list_stack_resources().stack_name(stack).send().await;
        let answer = answer.map_err(|error| fault("cloudformation:ListStackResources", &error))?;
        Ok(!answer.stack_resource_summaries().is_empty() || answer.next_token().is_some())
    }

    /// Makes a change set. The same one asked for again, also after its answer was lost, is the same change set. One that
    /// has its name and cannot be it is removed: the name is derived from the execution, so nobody needs it.
    ///
    /// No option is set that keeps CloudFormation from rolling back, and none that takes in existing resources.
    ///
    /// # Errors
    /// Any fault of `CreateChangeSet`; of `DescribeChangeSet` and `DeleteChangeSet` when one of that name is there.
    pub async fn create_change_set(&self, new: NewChangeSet<'_>) -> Result<MadeChangeSet, Fault> {
        let refused = match self.try_create_change_set(new).await {
            Err(fault) if fault.is("AlreadyExistsException") => fault,
            made => return made,
        };
        let seen = self.describe_change_set(new.stack, new.marks.change_set()).await?;
        let Some(seen) = seen else { return Err(refused) };
        let is_it = seen.description == new.marks.description() && seen.answer != Answer::Obsolete;
        if is_it {
            return Ok(MadeChangeSet {
                arn: seen.arn,
                stack_arn: seen.stack_arn,
            });
        }
        if !self.delete_change_set(&seen.stack_arn, &seen.arn).await? {
            return Err(refused);
        }
        self.try_create_change_set(new).await
    }

    async fn try_create_change_set(&self, new: NewChangeSet<'_>) -> Result<MadeChangeSet, Fault> {
        let tags = new
            .tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let token = if new.again {
            new.marks.change_set_again()
        } else {
            new.marks.change_set().to_owned()
        };
        let answer = self
            .client
            .create_change_set()
            .stack_name(new.stack)
            .change_set_name(new.marks.change_set())
            .client_token(token)
            .description(new.marks.description())
            .change_set_type(match new.action {
                StackAction::Create => ChangeSetType::Create,
                StackAction::Update => ChangeSetType::Update,
            })
            .template_url(template_url(new.template, new.owner, self.endpoint.as_deref()))
            .role_arn(service_role(new.owner))
            .capabilities(Capability::CapabilityIam)
            .capabilities(Capability::CapabilityNamedIam)
            .capabilities(Capability::CapabilityAutoExpand)
            .include_nested_stacks(false)
            .set_tags(Some(tags.collect()))
            .send()
            .await;
        let answer = answer.map_err(|error| fault("cloudformation:CreateChangeSet", &error))?;
        Ok(MadeChangeSet {
            arn: answer.id().unwrap_or_default().to_owned(),
            stack_arn: answer.stack_id().unwrap_or_default().to_owned(),
        })
    }

    /// The change set of this execution on the stack, if it made one.
    ///
    /// # Errors
    /// Any fault of `DescribeChangeSet`.
    pub async fn own_change_set(&self, stack: &str, marks: &Marks) -> Result<Option<ChangeSetSeen>, Fault> {
        let seen = self.describe_change_set(stack, marks.change_set()).await?;
        Ok(seen.filter(|seen| seen.description == marks.description()))
    }

    /// The change set of this name or ARN, with all its changes.
    ///
    /// # Errors
    /// Any fault of `DescribeChangeSet`.
    pub async fn describe_change_set(&self, stack: &str, change_set: &str) -> Result<Option<ChangeSetSeen>, Fault> {
        let mut seen: Option<ChangeSetSeen> = None;
        let mut next = None;
        loop {
            let answer = self
                .client
                .describe_change_set()
                .stack_name(stack)
                .change_set_name(change_set)
                .include_property_values(true)
                .set_next_token(next)
                .send()
                .await;
            let page = match answer.map_err(|error| fault("cloudformation:DescribeChangeSet", &error)) {
                Ok(page) => page,
                Err(fault) if is_no_change_set(&fault) => return Ok(None),
                Err(fault) => return Err(fault),
            };
            let changes = page
                .changes()
                .iter()
                .filter_map(|change| change.resource_change())
                .map(changes::reported);
            // How it stands is what the last page says: it was asked last.
            let reason = page.status_reason().unwrap_or_default();
            let mut all = seen.take().map_or_else(Vec::new, |seen| seen.changes);
            all.extend(changes);
            seen = Some(ChangeSetSeen {
                arn: page.change_set_id().unwrap_or_default().to_owned(),
                stack_arn: page.stack_id().unwrap_or_default().to_owned(),
                description: page.description().unwrap_or_default().to_owned(),
                answer: changes::answer(page.status(), page.execution_status(), reason),
                execution: changes::execution(page.execution_status()),
                reason: printable(reason),
                changes: all,
            });
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(seen);
            }
        }
    }

    /// What early validation and hooks hold against the change set with this ARN, oldest pages first. A region that
    /// does not know `DescribeEvents` answers with a fault.
    ///
    /// # Errors
    /// Any fault of `DescribeEvents`.
    pub async fn findings(&self, change_set_arn: &str) -> Result<Vec<Finding>, Fault> {
        let asked = self.client.describe_events().change_set_name(change_set_arn);
        failures(asked, Finding::of_change_set).await
    }

    /// `operation`, which failed, oldest first, and after its first event what CloudFormation's validation held against
    /// it, where only `DescribeEvents` tells of that. What cannot be found out is left out: a deploy does not fail
    /// twice.
    pub async fn with_validation(&self, stack_arn: &str, mut operation: Vec<Event>) -> Vec<Event> {
        let Some(first) = operation
            .first()
            .filter(|_| events::tells_nothing(&operation, stack_arn))
        else {
            return operation;
        };
        let asked = self.client.describe_events().stack_name(stack_arn);
        match failures(asked, |event| Event::of_validation(event, first)).await {
            Ok(found) => {
                operation.splice(1..1, found);
            }
            Err(fault) => tracing::warn!(%fault, "what validation held against the stack cannot be read"),
        }
        operation
    }

    /// The template that SAM made of ours, as text.
    ///
    /// # Errors
    /// Any fault of `GetTemplate`.
    pub async fn processed_template(&self, stack: &str, change_set: &str) -> Result<String, Fault> {
        self.template(stack, Some(change_set)).await
    }

    /// The template that the stack runs, after the transform, as text.
    ///
    /// # Errors
    /// Any fault of `GetTemplate`.
    pub async fn deployed_template(&self, stack: &str) -> Result<String, Fault> {
        self.template(stack, None).await
    }

    async fn template(&self, stack: &str, change_set: Option<&str>) -> Result<String, Fault> {
        let answer = self
            .client
            .get_template()
            .stack_name(stack)
            .set_change_set_name(change_set.map(str::to_owned))
            .template_stage(TemplateStage::Processed)
            .send()
            .await;
        let answer = answer.map_err(|error| fault("cloudformation:GetTemplate", &error))?;
        Ok(answer.template_body().unwrap_or_default().to_owned())
    }

    /// Names and ARNs of the stack's change sets that were not executed.
    ///
    /// # Errors
    /// Any fault of `ListChangeSets`.
    pub async fn unexecuted_change_sets(&self, stack: &str) -> Result<Vec<(String, String)>, Fault> {
        let mut pages = self.client.list_change_sets().stack_name(stack).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault("cloudformation:ListChangeSets", &error))?;
            let unexecuted = page.summaries().iter().filter(|summary| {
                let execution = changes::execution(summary.execution_status());
                matches!(execution, Execution::NotBegun | Execution::Impossible)
            });
            found.extend(unexecuted.filter_map(|summary| {
                Some((
                    summary.change_set_name()?.to_owned(),
                    summary.change_set_id()?.to_owned(),
                ))
            }));
        }
        Ok(found)
    }

    /// Executes the change set. One that is executed already, or gone, is no fault: the truth is read from the stack.
    ///
    /// # Errors
    /// Any other fault of `ExecuteChangeSet`.
    pub async fn execute(&self, stack: &str, change_set: &str, marks: &Marks) -> Result<(), Fault> {
        let answer = self
            .client
            .execute_change_set()
            .stack_name(stack)
            .change_set_name(change_set)
            .client_request_token(marks.execute())
            // A failed create must not leave named resources behind: they would block every later deploy.
            .retain_except_on_create(true)
            // The API Reference calls true the default, the User Guide false.
            .disable_rollback(false)
            .send()
            .await;
        match answer.map_err(|error| fault("cloudformation:ExecuteChangeSet", &error)) {
            Ok(_) => Ok(()),
            Err(fault) if is_settled_elsewhere(&fault) || is_no_change_set(&fault) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// The stack's events, newest first, up to and including the first for which `is_last` holds. Never reads a page
    /// more than that takes.
    ///
    /// # Errors
    /// Any fault of `DescribeStackEvents`.
    pub async fn events(&self, stack: &str, is_last: impl Fn(&Event) -> bool) -> Result<Vec<Event>, Fault> {
        let mut pages = self
            .client
            .describe_stack_events()
            .stack_name(stack)
            .into_paginator()
            .send();
        let mut events = Vec::new();
        // An event that is added between two pages may move one of the first onto the second.
        let mut ids = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = match page.map_err(|error| fault("cloudformation:DescribeStackEvents", &error)) {
                Ok(page) => page,
                Err(fault) if is_absent(&fault) => return Ok(events),
                Err(fault) => return Err(fault),
            };
            for event in page.stack_events().iter().map(Event::from) {
                if !ids.insert(event.id.clone()) {
                    continue;
                }
                let last = is_last(&event);
                events.push(event);
                if last {
                    return Ok(events);
                }
            }
        }
        Ok(events)
    }

    /// The events of the operation that executing this execution's change set began, oldest first; empty when it did
    /// not begin. `started` is when the execution started: nothing before it can be its.
    ///
    /// # Errors
    /// Any fault of `DescribeStackEvents`.
    pub async fn own_operation(&self, stack: &str, marks: &Marks, started: &str) -> Result<Vec<Event>, Fault> {
        let token = marks.execute();
        // Two services' clocks are compared.
        let earliest = timestamp::parse(started).map(|started| started - CLOCKS);
        let is_before = |event: &Event| {
            let at = timestamp::parse(&event.at);
            at.zip(earliest).is_some_and(|(at, earliest)| at < earliest)
        };
        let read = self
            .events(stack, |event| events::begins(event, stack, &token) || is_before(event))
            .await?;
        Ok(events::operation(&read, stack, &token))
    }

    /// Whether the operation that is, or was last, at work on the stack is this execution's.
    ///
    /// # Errors
    /// Any fault of `DescribeStackEvents`.
    pub async fn is_last_own(&self, stack: &str, marks: &Marks) -> Result<bool, Fault> {
        let is_start = |event: &Event| event.of_stack(stack).is_some_and(Status::is_start);
        let read = self.events(stack, is_start).await?;
        Ok(events::is_last_by(&read, stack, &[marks.execute(), marks.delete()]))
    }

    /// Cancels a running update. An update that is not, or no longer, running is no fault.
    ///
    /// # Errors
    /// Any other fault of `CancelUpdateStack`.
    pub async fn cancel_update(&self, stack: &str, marks: &Marks) -> Result<(), Fault> {
        let answer = self
            .client
            .cancel_update_stack()
            .stack_name(stack)
            .client_request_token(marks.cancel())
            .send()
            .await;
        match answer.map_err(|error| fault("cloudformation:CancelUpdateStack", &error)) {
            Ok(_) => Ok(()),
            Err(fault) if fault.is("ValidationError") || fault.is("TokenAlreadyExistsException") => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Goes on with a rollback that failed. One that goes on already, or is over, is no fault.
    ///
    /// No resource is skipped: what is skipped is no longer what CloudFormation believes it to be, and only a person may
    /// say that this does no harm (`ContinueUpdateRollback`, `ResourcesToSkip`).
    ///
    /// # Errors
    /// Any other fault of `ContinueUpdateRollback`.
    pub async fn continue_rollback(&self, stack: &str, owner: &Owner, token: &str) -> Result<(), Fault> {
        let answer = self
            .client
            .continue_update_rollback()
            .stack_name(stack)
            .role_arn(service_role(owner))
            .client_request_token(token)
            .send()
            .await;
        match answer.map_err(|error| fault("cloudformation:ContinueUpdateRollback", &error)) {
            Ok(_) => {
                // Its reads may lag behind: what still seems to have failed now has perhaps just begun.
                sleep(LAG).await;
                Ok(())
            }
            Err(fault) if fault.is("ValidationError") || fault.is("TokenAlreadyExistsException") => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Whether somebody has asked already, with this token, that the stack's last rollback go on.
    ///
    /// # Errors
    /// Any fault of `DescribeStackEvents`.
    pub async fn has_recovered(&self, stack: &str, token: &str) -> Result<bool, Fault> {
        let is_own = |event: &Event| event.token == token && event.of_stack(stack).is_some();
        let is_start = |event: &Event| event.of_stack(stack).is_some_and(Status::is_start);
        let read = self.events(stack, |event| is_own(event) || is_start(event)).await?;
        Ok(read.iter().any(is_own))
    }

    /// Deletes a change set; `false` when it is in a state that does not let it (being made, or executing). One that
    /// is gone is no fault.
    ///
    /// # Errors
    /// Any other fault of `DeleteChangeSet`.
    pub async fn delete_change_set(&self, stack: &str, change_set: &str) -> Result<bool, Fault> {
        let answer = self
            .client
            .delete_change_set()
            .stack_name(stack)
            .change_set_name(change_set)
            .send()
            .await;
        match answer.map_err(|error| fault("cloudformation:DeleteChangeSet", &error)) {
            Ok(_) => Ok(true),
            Err(fault) if is_no_change_set(&fault) => Ok(true),
            Err(fault) if is_settled_elsewhere(&fault) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Begins to delete the stack with this ARN. Who calls has proven that it may be deleted.
    ///
    /// # Errors
    /// Any fault of `DeleteStack`.
    pub async fn delete_stack(&self, stack_arn: &str, owner: &Owner, marks: &Marks) -> Result<(), Fault> {
        let answer = self
            .client
            .delete_stack()
            .stack_name(stack_arn)
            .role_arn(service_role(owner))
            .client_request_token(marks.delete())
            .send()
            .await;
        match answer.map_err(|error| fault("cloudformation:DeleteStack", &error)) {
            Ok(_) => Ok(()),
            Err(fault) if is_absent(&fault) || fault.is("TokenAlreadyExistsException") => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// What the deletion that this execution began left of the stack with this ARN, because a deletion policy says so.
    /// A deletion in the midst of a create leaves what is to be retained, and its name would block the next deploy.
    ///
    /// # Errors
    /// Any fault of `DescribeStackEvents`.
    pub async fn left_behind(&self, stack_arn: &str, marks: &Marks) -> Result<Vec<Event>, Fault> {
        let token = marks.delete();
        let read = self
            .events(stack_arn, |event| events::begins(event, stack_arn, &token))
            .await?;
        let deletion = events::operation(&read, stack_arn, &token);
        Ok(events::skipped(&deletion).into_iter().cloned().collect())
    }

    /// Waits for the end of a deletion that was begun, at most for `patience`.
    ///
    /// # Errors
    /// Any fault of `DescribeStacks`.
    pub async fn deletion(&self, stack_arn: &str, patience: Duration) -> Result<Deletion, Fault> {
        let ends = |stack: Option<&Stack>| match stack.map(|stack| (stack.status, &stack.reason)) {
            None | Some((Status::DeleteComplete, _)) => Some(Deletion::Gone),
            Some((Status::DeleteFailed, reason)) => Some(Deletion::Failed(reason.clone())),
            Some(_) => None,
        };
        let end = self.poll(stack_arn, patience, ends).await?;
        Ok(end.unwrap_or(Deletion::Underway))
    }

    /// Waits until no operation is under way on the stack, at most for `patience`; the status then seen last.
    ///
    /// # Errors
    /// Any fault of `DescribeStacks`.
    pub async fn settled(&self, stack_arn: &str, patience: Duration) -> Result<Option<Status>, Fault> {
        let status = |stack: Option<&Stack>| stack.map_or(Status::Absent, |stack| stack.status);
        let settles = |stack: Option<&Stack>| Some(status(stack)).filter(|status| !status.in_progress());
        self.poll(stack_arn, patience, settles).await
    }

    /// Asks again and again, more and more slowly, until `end` finds one.
    async fn poll<T>(
        &self,
        stack_arn: &str,
        patience: Duration,
        end: impl Fn(Option<&Stack>) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        const LONGEST: Duration = Duration::from_secs(10);
        let until = Instant::now() + patience;
        let mut pause = Duration::from_millis(300);
        loop {
            let stack = self.describe(stack_arn).await?;
            if let Some(end) = end(stack.as_ref()) {
                return Ok(Some(end));
            }
            if Instant::now() + pause > until {
                return Ok(None);
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST);
        }
    }
}

/// The change set or the token was used already, or cannot be used any more.
fn is_settled_elsewhere(fault: &Fault) -> bool {
    [
        "InvalidChangeSetStatus",
        "InvalidChangeSetStatusException",
        "TokenAlreadyExists",
        "TokenAlreadyExistsException",
    ]
    .iter()
    .any(|code| fault.is(code))
}
