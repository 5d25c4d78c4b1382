//! Change sets of Fenrir's own stacks: made, looked at, executed and followed; and the removal of a stack.
//!
//! Reading a stack's history, a change set's answer and the outcome of an operation is what the steps of the machine do,
//! too: `fenrir-stacks` does it for both.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Parameter, StackStatus};
use aws_types::SdkConfig;
use fenrir_aws::fault;
use fenrir_core::deployment::Pointer;
use fenrir_core::error::{Fault, FaultKind};
use fenrir_core::owner::Owner;
use fenrir_core::plan::Reported;
use fenrir_core::problem::printable;
use fenrir_stacks::changes::{Answer, Execution};
use fenrir_stacks::conclusion::{self, Conclusion};
use fenrir_stacks::events::{self, Event};
use fenrir_stacks::status::{Prepare, Status};
use fenrir_stacks::template_url::template_url;
use fenrir_stacks::{ChangeSetSeen, Stacks};
use serde::Serialize;
use tokio::time::sleep;

use crate::bucket::Bucket;
use crate::error::Error;
use crate::template::{Kind, Object};
use crate::version;

/// Bytes of a template that travels with the request; a larger one is read from S3. Source: AWS CloudFormation quotas,
/// "Template body size in a request".
const INLINE: usize = 51_200;
/// Between two looks, at first and at the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// CloudFormation of one account and region, with an administrator's own rights.
#[derive(Debug, Clone)]
pub struct OwnStacks {
    client: Client,
    reader: Stacks,
    endpoint: Option<String>,
    place: Owner,
}

/// One of Fenrir's own stacks, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// ARN.
    pub arn: String,
    /// Status.
    pub status: Status,
    /// Values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Outputs.
    pub outputs: BTreeMap<String, String>,
    /// Whether it is protected from deletion.
    pub protected: bool,
}

impl Seen {
    /// The version of Fenrir that installed it; none of one older than versions are written down, or not yet complete.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.outputs.get(version::OUTPUT).map(String::as_str)
    }

    /// A parameter that is a list.
    #[must_use]
    pub fn list(&self, parameter: &str) -> Vec<String> {
        let value = self.parameters.get(parameter).map_or("", String::as_str);
        let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(str::to_owned).collect()
    }

    /// Whether it once stood whole, or still does.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.status.proves_completion()
    }
}

/// A parameter that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParameterChange {
    /// Name.
    pub name: String,
    /// Value before; none where there is no stack yet.
    pub before: Option<String>,
    /// Value after.
    pub after: String,
}

/// A change set that was made, and not executed yet.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Of what.
    pub kind: Kind,
    /// ARN of the stack.
    pub stack_arn: String,
    /// ARN of the change set; none when there is nothing to change.
    pub change_set: Option<String>,
    /// Whether it creates the stack.
    pub creates: bool,
    /// The version that is there.
    pub version_before: Option<String>,
    /// What changes.
    pub changes: Vec<Reported>,
    /// Which parameters change.
    pub parameters: Vec<ParameterChange>,
    token: String,
}

/// What a stack leaves behind when it is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Logical id.
    pub logical_id: String,
    /// Type.
    pub resource_type: String,
    /// Name.
    pub physical_id: String,
}

impl OwnStacks {
    /// Calls with the credentials, at the endpoint of `config`, in `region` of `account`.
    #[must_use]
    pub fn new(config: &SdkConfig, account: &str, region: &str) -> Self {
        let there = config
            .to_builder()
            .region(aws_sdk_cloudformation::config::Region::new(region.to_owned()))
            .build();
        Self {
            client: Client::new(&there),
            reader: Stacks::new(&there),
            endpoint: config.endpoint_url().map(str::to_owned),
            place: Owner {
                account: account.to_owned(),
                region: region.to_owned(),
                project: String::new(),
                config: String::new(),
            },
        }
    }

    /// Whether a template is small enough to travel with the request, and needs no bucket.
    #[must_use]
    pub const fn is_inline(template: &str) -> bool {
        template.len() <= INLINE
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.place.account
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.place.region
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        self.place.partition()
    }

    /// `the account stack `fenrir-account` of account 111122223333, eu-west-1`.
    #[must_use]
    pub fn name(&self, kind: Kind) -> String {
        let (name, stack) = (kind.name(), kind.stack());
        format!("the {name} `{stack}` of account {}, {}", self.account(), self.region())
    }

    /// The stack, when there is one.
    ///
    /// # Errors
    /// It cannot be looked at, or is not Fenrir's.
    pub async fn look(&self, kind: Kind) -> Result<Option<Seen>, Error> {
        let seen = self.describe(kind.stack()).await;
        let Some(seen) = seen.map_err(Error::call(format!("looking at {}", self.name(kind))))? else {
            return Ok(None);
        };
        if seen.stands() && !seen.outputs.contains_key(kind.mark()) {
            return Err(Error::unusable(
                format!(
                    "{} is not Fenrir's: it has no output `{}`",
                    self.name(kind),
                    kind.mark()
                ),
                "choose another account or region, or rename that stack",
            ));
        }
        Ok(Some(seen))
    }

    async fn describe(&self, stack: &str) -> Result<Option<Seen>, Fault> {
        let answer = self.client.describe_stacks().stack_name(stack).send().await;
        let answer = match answer.map_err(|error| fault("cloudformation:DescribeStacks", &error)) {
            Ok(answer) => answer,
            Err(fault) if is_absent(&fault) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        Ok(answer.stacks().first().map(|stack| {
            let parameters = stack.parameters().iter().filter_map(|parameter| {
                Some((
                    parameter.parameter_key()?.to_owned(),
                    parameter.parameter_value()?.to_owned(),
                ))
            });
            let outputs = stack
                .outputs()
                .iter()
                .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())));
            Seen {
                arn: stack.stack_id().unwrap_or_default().to_owned(),
                status: stack
                    .stack_status()
                    .map_or(Status::Unknown, |status| Status::parse(status.as_str())),
                parameters: parameters.collect(),
                outputs: outputs.collect(),
                protected: stack.enable_termination_protection().unwrap_or_default(),
            }
        }))
    }

    /// Makes a change set: `template` is the packaged one, `wishes` the parameters that are given. What is not given
    /// keeps its value, or gets the template's default.
    ///
    /// # Errors
    /// The stack is in no state for one, or CloudFormation does not make it. Nothing is left of it then.
    pub async fn prepare(
        &self,
        kind: Kind,
        template: &str,
        wishes: &BTreeMap<String, String>,
        seen: Option<&Seen>,
        bucket: Option<&Bucket>,
    ) -> Result<Prepared, Error> {
        let creates = self.creates(kind, seen)?;
        let template = &Kind::named(template, self.account(), self.region());
        let known = kind.parameters();
        if let Some(name) = wishes.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(Error::unusable(
                format!("{} has no parameter `{name}`", self.name(kind)),
                format!("it has {}", known.join(", ")),
            ));
        }
        let token = token();
        let had = |name: &str| seen.filter(|_| !creates).and_then(|seen| seen.parameters.get(name));
        let parameters = known.iter().filter_map(|name| {
            let parameter = Parameter::builder().parameter_key(*name);
            match (wishes.get(*name), had(name)) {
                (Some(value), _) => Some(parameter.parameter_value(value).build()),
                (None, Some(_)) => Some(parameter.use_previous_value(true).build()),
                (None, None) => None,
            }
        });
        let changed = wishes.iter().filter(|(name, value)| had(name) != Some(value));
        let changed = changed.map(|(name, value)| ParameterChange {
            name: name.clone(),
            before: had(name).cloned(),
            after: value.clone(),
        });
        let doing = format!("making a change set for {}", self.name(kind));
        let mut request = self
            .client
            .create_change_set()
            .stack_name(kind.stack())
            .change_set_name(&token)
            .client_token(&token)
            .description("Made by `fenrir bootstrap`")
            .change_set_type(if creates {
                ChangeSetType::Create
            } else {
                ChangeSetType::Update
            })
            .set_parameters(Some(parameters.collect()))
            .capabilities(Capability::CapabilityNamedIam)
            .capabilities(Capability::CapabilityAutoExpand)
            .include_nested_stacks(false);
        if creates {
            // Tables and buckets outlive their stack: an installation that was removed finds its own again.
            request = request.import_existing_resources(true);
        }
        request = match bucket {
            Some(bucket) if !Self::is_inline(template) => {
                let stored = bucket.store(template.as_bytes().to_vec(), ".yml").await?;
                request.template_url(self.url(&stored.object))
            }
            _ => request.template_body(template.as_str()),
        };
        let made = request.send().await;
        let made = made.map_err(|error| fault("cloudformation:CreateChangeSet", &error));
        let made = made.map_err(|fault| self.busy_or(kind, &doing, fault))?;
        let mut prepared = Prepared {
            kind,
            stack_arn: made.stack_id().unwrap_or_default().to_owned(),
            change_set: Some(made.id().unwrap_or_default().to_owned()),
            creates,
            version_before: seen.and_then(Seen::version).map(str::to_owned),
            changes: Vec::new(),
            parameters: changed.collect(),
            token,
        };
        match self.made(&prepared).await {
            Ok(Some(seen)) => {
                prepared.changes = seen.changes;
                Ok(prepared)
            }
            Ok(None) => {
                // A change set without changes cannot be executed, and would be left for ever.
                self.discard(&prepared).await;
                prepared.change_set = None;
                Ok(prepared)
            }
            Err(error) => {
                self.discard(&prepared).await;
                Err(error)
            }
        }
    }

    /// Whether a change set creates the stack, or updates it.
    fn creates(&self, kind: Kind, seen: Option<&Seen>) -> Result<bool, Error> {
        let Some(seen) = seen else { return Ok(true) };
        let row = seen.status.row();
        let name = self.name(kind);
        match row.prepare {
            Prepare::Create => Ok(true),
            Prepare::Update => Ok(false),
            // An earlier try went no further than its change set.
            Prepare::Replace if seen.status == Status::ReviewInProgress => Ok(true),
            Prepare::Replace => Err(Error::unusable(
                format!("{name} is in {}: an earlier try failed and left it", row.name),
                "run `fenrir bootstrap` again, which removes it first",
            )),
            Prepare::Busy => Err(busy(&name, row.name)),
            Prepare::Recover => Err(Error::unusable(
                format!("{name} is in {}: an update failed, and so did its rollback", row.name),
                "mend what its events name, run `aws cloudformation continue-update-rollback`, then `fenrir bootstrap` again",
            )),
            Prepare::Refuse => Err(Error::unusable(
                format!("{name} is in {}", row.name),
                "look at its events in the CloudFormation console and bring it back, then run `fenrir bootstrap` again",
            )),
        }
    }

    fn busy_or(&self, kind: Kind, doing: &str, fault: Fault) -> Error {
        if fault.is("ValidationError") && fault.message.contains("_IN_PROGRESS") {
            return busy(&self.name(kind), "another operation");
        }
        Error::call(doing)(fault)
    }

    fn url(&self, object: &Object) -> String {
        let pointer = Pointer {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            version_id: object.version.clone().unwrap_or_default(),
            sha256: String::new(),
        };
        let url = template_url(&pointer, &self.place, self.endpoint.as_deref());
        match object.version {
            Some(_) => url,
            // Named by its content, in a bucket of the administrator's.
            None => url.split('?').next().unwrap_or_default().to_owned(),
        }
    }

    /// The change set once it is made; none when there is nothing to change.
    async fn made(&self, prepared: &Prepared) -> Result<Option<ChangeSetSeen>, Error> {
        let name = self.name(prepared.kind);
        let change_set = prepared.change_set.as_deref().unwrap_or_default();
        let mut pause = PAUSES.0;
        loop {
            let seen = self.reader.describe_change_set(&prepared.stack_arn, change_set).await;
            let seen = seen.map_err(Error::call(format!("looking at the change set of {name}")))?;
            let Some(seen) = seen else {
                return Err(somebody_else(&name));
            };
            match seen.answer {
                Answer::Made => return Ok(Some(seen)),
                Answer::NoChanges => return Ok(None),
                Answer::Obsolete | Answer::Gone => return Err(somebody_else(&name)),
                Answer::Failed => return Err(self.not_made(&name, &seen).await),
                Answer::Pending => {}
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(PAUSES.1);
        }
    }

    async fn not_made(&self, name: &str, seen: &ChangeSetSeen) -> Error {
        // Early validation and hooks say more elsewhere; where that cannot be read, the change set's own words must do.
        let findings = self.reader.findings(&seen.arn).await.unwrap_or_default();
        let mut said = vec![seen.reason.clone()];
        said.extend(findings.iter().map(fenrir_stacks::findings::Finding::describe));
        said.retain(|words| !words.is_empty());
        Error::failed(
            format!("the change set of {name} failed: {}", said.join("; ")),
            "nothing was changed; mend what it says and run `fenrir bootstrap` again",
        )
    }

    /// Removes a change set that is not to be executed, and the stack in review that came with it. What cannot be removed
    /// now is found by the next try.
    pub async fn discard(&self, prepared: &Prepared) {
        let Some(change_set) = &prepared.change_set else { return };
        let removed = self.reader.delete_change_set(&prepared.stack_arn, change_set).await;
        if removed.is_err() || !prepared.creates {
            return;
        }
        let Ok(Some(seen)) = self.describe(&prepared.stack_arn).await else {
            return;
        };
        let others = self.reader.unexecuted_change_sets(&prepared.stack_arn).await;
        if seen.status == Status::ReviewInProgress && others.is_ok_and(|others| others.is_empty()) {
            let _left = self.client.delete_stack().stack_name(&prepared.stack_arn).send().await;
        }
    }

    /// Brings a stack to what `template` and `wishes` say, without asking anybody.
    ///
    /// # Errors
    /// As [`Self::prepare`] and [`Self::execute`].
    pub async fn install(
        &self,
        kind: Kind,
        template: &str,
        wishes: &BTreeMap<String, String>,
        bucket: Option<&Bucket>,
    ) -> Result<(), Error> {
        let seen = self.look(kind).await?;
        let prepared = self.prepare(kind, template, wishes, seen.as_ref(), bucket).await?;
        self.execute(&prepared, &mut |_| {}).await
    }

    /// Executes a change set and follows it to its end; each event is told to `on_event`.
    ///
    /// # Errors
    /// It did not reach its end, with the first real reason.
    pub async fn execute(&self, prepared: &Prepared, on_event: &mut dyn FnMut(&Event)) -> Result<(), Error> {
        let Some(change_set) = &prepared.change_set else {
            return Ok(());
        };
        let (name, arn) = (self.name(prepared.kind), &prepared.stack_arn);
        let answer = self
            .client
            .execute_change_set()
            .stack_name(arn)
            .change_set_name(change_set)
            .client_request_token(&prepared.token)
            .send()
            .await;
        if let Err(error) = answer {
            let fault = fault("cloudformation:ExecuteChangeSet", &error);
            if fault.is("InvalidChangeSetStatus") || fault.is("ChangeSetNotFound") || fault.is("ValidationError") {
                return Err(somebody_else(&name));
            }
            // The answer may be lost and the change set be executed: the stack tells.
            if fault.kind != FaultKind::Transient {
                return Err(Error::call(format!("executing the change set of {name}"))(fault));
            }
        }
        let operation = self.follow(arn, &prepared.token, &name, on_event).await?;
        let doing = || Error::call(format!("looking at {name}"));
        let status = self
            .describe(arn)
            .await
            .map_err(doing())?
            .map_or(Status::Absent, |seen| seen.status);
        let outcome = events::outcome(&operation, arn);
        let execution = if outcome.is_some() {
            Execution::NotBegun
        } else {
            let seen = self
                .reader
                .describe_change_set(arn, change_set)
                .await
                .map_err(doing())?;
            seen.map_or(Execution::Complete, |seen| seen.execution)
        };
        let operation = self.reader.with_validation(arn, operation).await;
        let reason = events::root_cause(&operation, arn).map(|cause| events::explain(&operation, cause, arn));
        let reason = reason.unwrap_or_else(|| format!("it ended in {}", status.row().name));
        match conclusion::at_rest(status, outcome, execution) {
            Conclusion::Succeeded => Ok(()),
            Conclusion::NotBegun => Err(somebody_else(&name)),
            Conclusion::Stuck => Err(Error::failed(
                format!("{name} failed, and could not be rolled back: {reason}"),
                "mend it, run `aws cloudformation continue-update-rollback`, then `fenrir bootstrap` again",
            )),
            Conclusion::RolledBack | Conclusion::Unseen if prepared.creates => Err(Error::failed(
                format!("{name} could not be created: {reason}"),
                "mend it and run `fenrir bootstrap` again, which removes what is left and begins anew",
            )),
            Conclusion::RolledBack | Conclusion::Unseen => Err(Error::failed(
                format!("{name} was rolled back: {reason}"),
                "it is what it was before; mend it and run `fenrir bootstrap` again",
            )),
        }
    }

    /// Follows the operation that `token` began until the stack is at rest. Its events, oldest first.
    async fn follow(
        &self,
        arn: &str,
        token: &str,
        name: &str,
        on_event: &mut dyn FnMut(&Event),
    ) -> Result<Vec<Event>, Error> {
        let mut told = BTreeSet::new();
        let mut pause = PAUSES.0;
        let mut looks_at_rest = 0;
        let mut lost = 0;
        loop {
            let seen = self.describe(arn).await;
            let history = self.reader.events(arn, |event| events::begins(event, arn, token)).await;
            match (seen, history) {
                (Ok(seen), Ok(history)) => {
                    lost = 0;
                    let operation = events::operation(&history, arn, token);
                    for event in &operation {
                        if told.insert(event.id.clone()) {
                            on_event(event);
                            pause = PAUSES.0;
                        }
                    }
                    let rests = seen.is_none_or(|seen| !seen.status.in_progress());
                    let has_ended = events::outcome(&operation, arn).is_some_and(|status| !status.in_progress());
                    looks_at_rest += u32::from(rests);
                    // The end may be seen before the event that tells of it.
                    if rests && (has_ended || looks_at_rest > 3) {
                        return Ok(operation);
                    }
                }
                (Err(fault), _) | (_, Err(fault)) => {
                    lost += 1;
                    if fault.kind != FaultKind::Transient || lost > 20 {
                        return Err(Error::call(format!("following {name}, which goes on"))(fault));
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(PAUSES.1);
        }
    }

    /// Whether the stack is what a first try left that failed: it never stood whole, and can only be removed.
    ///
    /// # Errors
    /// Its history cannot be read.
    pub async fn is_leftover(&self, kind: Kind, seen: &Seen) -> Result<bool, Error> {
        let can_be = seen.status.row().prepare == Prepare::Replace && seen.status != Status::ReviewInProgress;
        if !can_be {
            return Ok(false);
        }
        let history = self.reader.events(&seen.arn, |_| false).await;
        let history = history.map_err(Error::call(format!("reading the events of {}", self.name(kind))))?;
        Ok(events::never_completed(&history, &seen.arn))
    }

    /// Protects the stack from deletion, or no longer.
    ///
    /// # Errors
    /// Any fault of the call.
    pub async fn protect(&self, kind: Kind, protected: bool) -> Result<(), Error> {
        let answer = self
            .client
            .update_termination_protection()
            .stack_name(kind.stack())
            .enable_termination_protection(protected)
            .send()
            .await;
        let answer = answer.map_err(|error| fault("cloudformation:UpdateTerminationProtection", &error));
        answer
            .map(|_| ())
            .map_err(Error::call(format!("protecting {}", self.name(kind))))
    }

    /// What outlives the stack.
    ///
    /// # Errors
    /// Any fault of `ListStackResources`.
    pub async fn kept(&self, kind: Kind, seen: &Seen) -> Result<Vec<Kept>, Error> {
        let retained = kind.retained();
        let mut pages = self
            .client
            .list_stack_resources()
            .stack_name(&seen.arn)
            .into_paginator()
            .items()
            .send();
        let mut kept = Vec::new();
        while let Some(resource) = pages.next().await {
            let resource = resource.map_err(|error| fault("cloudformation:ListStackResources", &error));
            let resource = resource.map_err(Error::call(format!("listing what is in {}", self.name(kind))))?;
            let text = |value: Option<&str>| printable(value.unwrap_or_default());
            let logical_id = text(resource.logical_resource_id());
            if retained.contains(logical_id.as_str()) {
                kept.push(Kept {
                    logical_id,
                    resource_type: text(resource.resource_type()),
                    physical_id: text(resource.physical_resource_id()),
                });
            }
        }
        Ok(kept)
    }

    /// Deletes the stack and follows it to its end.
    ///
    /// # Errors
    /// It cannot be deleted, with the first real reason.
    pub async fn remove(&self, kind: Kind, seen: &Seen, on_event: &mut dyn FnMut(&Event)) -> Result<(), Error> {
        let name = self.name(kind);
        if seen.protected {
            self.protect(kind, false).await?;
        }
        let token = token();
        let answer = self
            .client
            .delete_stack()
            .stack_name(&seen.arn)
            .client_request_token(&token)
            .send()
            .await;
        answer
            .map_err(|error| fault("cloudformation:DeleteStack", &error))
            .map_err(Error::call(format!("deleting {name}")))?;
        let operation = self.follow(&seen.arn, &token, &name, on_event).await?;
        let left = self.describe(&seen.arn).await;
        let left = left.map_err(Error::call(format!("looking at {name}")))?;
        if left.is_none_or(|left| left.status == Status::DeleteComplete) {
            return Ok(());
        }
        let cause = events::root_cause(&operation, &seen.arn);
        let cause = cause.map_or_else(
            || "CloudFormation does not say why".to_owned(),
            |cause| events::explain(&operation, cause, &seen.arn),
        );
        Err(Error::failed(
            format!("{name} could not be deleted: {cause}"),
            "mend it and run the same command again",
        ))
    }

    /// Names of the stacks of applications in this account and region.
    ///
    /// # Errors
    /// Any fault of `ListStacks`.
    pub async fn applications(&self) -> Result<Vec<String>, Error> {
        let gone = StackStatus::DeleteComplete;
        let there = StackStatus::values()
            .iter()
            .filter(|status| **status != gone.as_str())
            .map(|status| StackStatus::from(*status));
        let mut pages = self
            .client
            .list_stacks()
            .set_stack_status_filter(Some(there.collect()))
            .into_paginator()
            .items()
            .send();
        let mut names = Vec::new();
        while let Some(stack) = pages.next().await {
            let stack = stack.map_err(|error| fault("cloudformation:ListStacks", &error));
            let stack = stack.map_err(Error::call(format!(
                "listing the stacks of account {}, {}",
                self.account(),
                self.region()
            )))?;
            let name = stack.stack_name().unwrap_or_default();
            // No name of Fenrir's own has `--`, every generated one does (fenrir_core::names).
            if name.starts_with(fenrir_core::house::PREFIX) && name.contains("--") {
                names.push(printable(name));
            }
        }
        Ok(names)
    }
}

/// `ValidationError` is what CloudFormation says of everything; a stack that is not there it tells by words.
fn is_absent(fault: &Fault) -> bool {
    fault.is("ValidationError") && fault.message.contains("does not exist")
}

fn busy(name: &str, status: &str) -> Error {
    Error::unusable(
        format!("{name} is being changed already ({status})"),
        "wait until that is done, then run `fenrir bootstrap` again",
    )
}

fn somebody_else(name: &str) -> Error {
    Error::failed(
        format!("somebody else changed {name} at this moment; this change set is outdated and was not executed"),
        "run `fenrir bootstrap` again: it shows what is left to change",
    )
}

/// A name that nobody else gives a change set. Limits: `[a-zA-Z][-a-zA-Z0-9]*`, 128 characters (`CreateChangeSet`).
fn token() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = now.unwrap_or_default().as_nanos();
    format!("fenrir-bootstrap-{nanos:x}-{:x}", std::process::id())
}
