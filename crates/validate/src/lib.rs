//! The state Validate: proves the release and its artifacts, judges the template, and stores what may be deployed.
//!
//! It reads what anybody may have written, so the order matters. First the release is decoded and its place checked
//! (account, region, bucket, time), without a call. Then it is proven: the client must have stored the same release under
//! the owner's prefix, which only that owner may write. Only a proven release is recorded when it is refused, so that
//! nobody can write into another's history. Then the account is entered: where it cannot be, no later step could clean up.
//! Then every artifact is hashed and pinned, owners are asked for, and the policy judges.
//!
//! When Validate breaks down, which try was the last is known to the state machine only. It then calls the same function
//! once more, to record that (the state `RecordBreakdown`).

mod artifacts;
mod breakdown;
mod proof;
mod refusal;

use std::collections::BTreeMap;

use fenrir_core::deployment::{Deployment, Execution, Manifest, ManifestAt, Pointer, Stack, Start, Times, Wait};
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::ownership::{Wanted, World};
use fenrir_core::policy::{self, Context};
use fenrir_core::problem::{Problem, Severity};
use fenrir_core::release::{Release, TEMPLATE_LIMIT};
use fenrir_core::template::Document;
use fenrir_core::{codes, names, timestamp};
use fenrir_lambda::{Answer, Environment, Step};
use fenrir_owners::Owners;
use fenrir_store::Objects;
use serde::Serialize;
use serde_json::Value;

use crate::proof::Proven;

/// Calls with the step's own role.
pub const OWN_ACTIONS: &[&str] = &[
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "s3:GetObject",
    "s3:GetObjectVersion",
    // Without it S3 answers 403 for an object that is not there, and nobody could tell the one from the other.
    "s3:ListBucket",
    "s3:PutObject",
    "sts:AssumeRole",
    "sts:TagSession",
];
/// Calls with `fenrir-deployer` of the target account: whose things are, and artifacts in an application's own bucket.
pub const DEPLOYER_ACTIONS: &[&str] = &[
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "iam:GetRole",
    "kms:DescribeKey",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "tag:GetResources",
];
/// The step.
pub const STEP: Step = Step {
    name: "validate",
    own_actions: OWN_ACTIONS,
    deployer_actions: DEPLOYER_ACTIONS,
};

/// What the function answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answered {
    /// To Validate: the deployment that begins.
    Begun(Box<Deployment>),
    /// To `RecordBreakdown`.
    Recorded {
        /// Whether there is a record now; there is none when nobody has proven the release.
        recorded: bool,
    },
}

impl Answer for Answered {}

/// What the state machine calls: Validate, or after it has broken down the record of that.
///
/// # Errors
/// As [`run`]; `TransientError` and `InternalError` when nothing could be recorded.
pub async fn answer(env: &Environment, start: Start) -> Result<Answered, StepError> {
    if let Some(broke_down) = &start.broke_down {
        let recorded = breakdown::record(env, &start, broke_down).await?;
        return Ok(Answered::Recorded { recorded });
    }
    let deployment = run(env, start).await?;
    Ok(Answered::Begun(Box::new(deployment)))
}

/// Validates what the client sent.
///
/// # Errors
/// `BadReleaseError` with all problems; `TransientError`; `InternalError`.
pub async fn run(env: &Environment, start: Start) -> Result<Deployment, StepError> {
    let release = proof::decode(env, &start)?;
    let proven = proof::prove(env, &start, release).await?;
    if let Some(problem) = proof::closed_account(env, &proven.head).await? {
        return Err(refusal::recorded(env, &start, &proven, vec![problem]).await?);
    }
    match judge(env, &proven).await? {
        Ok(template) => store(env, &start, &proven, &template).await,
        Err(problems) => Err(refusal::recorded(env, &start, &proven, problems).await?),
    }
}

/// Judges the template of a proven release: the rewritten template, or all its problems.
async fn judge(env: &Environment, proven: &Proven) -> Result<Result<Vec<u8>, Vec<Problem>>, StepError> {
    let document = match proof::template(env, proven).await? {
        Ok(document) => document,
        Err(problems) => return Ok(Err(problems)),
    };
    let context = Context {
        owner: proven.head.owner(),
        artifacts: Some(proven.release.s3_uris_sha256s.clone()),
        allowed: env.settings().allowed.clone(),
    };
    let wanted = policy::wanted(&document, &context);
    let world = world(env, proven, wanted).await?;
    judged(&document, &context, &world)
}

fn judged(document: &Document, context: &Context, world: &World) -> Result<Result<Vec<u8>, Vec<Problem>>, StepError> {
    let judgement = policy::judge(document, context, world);
    let refuses = |problem: &Problem| problem.severity != Severity::Warning;
    if judgement.problems.iter().any(refuses) {
        return Ok(Err(judgement.problems));
    }
    let Some(template) = judgement.template else {
        let message = "the policy found no problem and made no template";
        return Err(StepError::new(ErrorName::InternalError, message));
    };
    let text = bytes(&template)?;
    if text.len() > TEMPLATE_LIMIT {
        let message = format!(
            "the template has {} bytes after Fenrir rewrote it; CloudFormation takes {TEMPLATE_LIMIT}",
            text.len()
        );
        let help = "split the application into several projects";
        return Ok(Err(vec![
            Problem::error(codes::TOO_LARGE, "/template", message).help(help),
        ]));
    }
    Ok(Ok(text))
}

/// What is known of everything that the template refers to.
async fn world(env: &Environment, proven: &Proven, mut wanted: Wanted) -> Result<World, StepError> {
    let owner = proven.head.owner();
    let plan = artifacts::Plan::new(&proven.head, &wanted);
    wanted.resources.extend(plan.bucket_arns(&owner));
    // Nothing is asked for: nobody is asked.
    let asks = Wanted {
        artifacts: [].into(),
        texts: [].into(),
        ..wanted
    };
    let own = Objects::new(&env.own_in(&owner.region));
    let (mut world, own_artifacts) = if asks.is_empty() {
        let world = World {
            account: owner.account.clone(),
            region: owner.region.clone(),
            partition: Some(owner.partition().to_owned()),
            ..World::default()
        };
        (world, artifacts::hash(&own, plan.own).await?)
    } else {
        let deployer = env.deployer(&proven.head).await?;
        let owners = Owners::new(&deployer);
        let fetch = async {
            let fetched = owners.fetch(&asks, &owner).await;
            fetched.map_err(|fault| fault.into_step(ErrorName::InternalError, "asking whose things are"))
        };
        let (mut world, hashed) = tokio::try_join!(fetch, artifacts::hash(&own, plan.own))?;
        let foreign = artifacts::permitted(&mut world, plan.foreign, &owner);
        artifacts::hash(&Objects::new(&deployer), foreign)
            .await?
            .add_to(&mut world);
        (world, hashed)
    };
    own_artifacts.add_to(&mut world);
    world.limits = env.settings().limits.clone();
    Ok(world)
}

/// Stores what may be deployed, and begins the deployment.
async fn store(env: &Environment, start: &Start, proven: &Proven, template: &[u8]) -> Result<Deployment, StepError> {
    let Proven { head, release } = proven;
    let objects = Objects::new(&env.own_in(&head.owner.aws_region));
    let (template, manifest) = tokio::try_join!(
        put(&objects, proven, "template.json", template.to_vec()),
        keep(&objects, proven, manifest(release)),
    )?;
    Ok(Deployment {
        execution: Execution {
            arn: start.execution.arn.clone(),
            started_at: start.execution.started_at.clone(),
        },
        template,
        manifest,
        stack: Stack {
            name: names::stack(&head.owner()),
            arn: None,
            action: None,
            progress: None,
        },
        change_set: None,
        wait: Wait::first(),
        times: Times {
            validated: Some(timestamp::exact(env.now())),
            ..Times::default()
        },
        halt: None,
        failure: None,
        error: None,
        cleaned: false,
        end: None,
        release: head.clone(),
    })
}

fn manifest(release: &Release) -> Manifest {
    let mut tags: BTreeMap<String, String> = release.change_set_tags.clone();
    tags.insert("ProjectName".to_owned(), release.project_name.clone());
    tags.insert("ConfigName".to_owned(), release.config_name.clone());
    Manifest {
        tags,
        metadata: release.metadata.clone(),
    }
}

/// The manifest goes in the state while it is small.
async fn keep(objects: &Objects, proven: &Proven, manifest: Manifest) -> Result<ManifestAt, StepError> {
    let json = bytes(&manifest)?;
    if json.len() <= Manifest::SMALL {
        return Ok(ManifestAt::Here(manifest));
    }
    put(objects, proven, "manifest.json", json)
        .await
        .map(ManifestAt::Stored)
}

pub(crate) async fn put(objects: &Objects, proven: &Proven, name: &str, body: Vec<u8>) -> Result<Pointer, StepError> {
    let stored = objects.put_own(&proven.head, name, "application/json", body).await;
    stored.map_err(|error| error.into_step(ErrorName::InternalError, &format!("storing `{name}`")))
}

pub(crate) fn bytes(value: &impl Serialize) -> Result<Vec<u8>, StepError> {
    serde_json::to_vec(value).map_err(|error| StepError::new(ErrorName::InternalError, error.to_string()))
}

/// The JSON of a text, or what is wrong with it.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}
