//! The proof: the release is for here and now, and its owner's own.

use fenrir_core::deployment::{Head, Start};
use fenrir_core::error::{ErrorName, FaultKind, StepError};
use fenrir_core::problem::{Problem, printable};
use fenrir_core::release::{Release, TEMPLATE_LIMIT, TemplateSource, canonical};
use fenrir_core::template::Document;
use fenrir_core::{codes, house, keys, timestamp};
use fenrir_lambda::{Environment, NoSession};
use fenrir_store::objects::{Error, TEXT_LIMIT, hex_sha256};
use fenrir_store::{Objects, Records};
use time::Duration;

use crate::refusal;

/// A release whose owner stored it.
pub(crate) struct Proven {
    pub(crate) head: Head,
    pub(crate) release: Release,
}

/// Decodes the release and checks its place and time, without a call.
pub(crate) fn decode(env: &Environment, start: &Start) -> Result<Release, StepError> {
    let release = Release::parse(&start.release).map_err(|problems| refusal::unproven(env, &problems))?;
    let mut problems = place_problems(env, &release)?;
    if release.release_id != start.execution.name {
        let message = format!(
            "the release id `{}` is not the execution's name `{}`",
            release.release_id,
            printable(&start.execution.name)
        );
        problems.push(
            Problem::error(codes::RELEASE_ID, "/release_id", message).help("start the execution under the release id"),
        );
    }
    problems.extend(release.check_time(env.now()));
    if problems.is_empty() {
        Ok(release)
    } else {
        Err(refusal::unproven(env, &problems))
    }
}

fn place_problems(env: &Environment, release: &Release) -> Result<Vec<Problem>, StepError> {
    let settings = env.settings();
    let mut problems = Vec::new();
    for (field, value, allowed) in [
        ("aws_account_id", &release.aws_account_id, &settings.accounts),
        ("aws_region", &release.aws_region, &settings.regions),
    ] {
        if !allowed.contains(value) {
            let known: Vec<String> = allowed.iter().map(|value| format!("`{value}`")).collect();
            let message = format!("this deployer does not deploy to `{value}`");
            let help = format!(
                "it deploys to {}; an administrator decides about others",
                known.join(", ")
            );
            problems.push(Problem::error(codes::RELEASE_PLACE, format!("/{field}"), message).help(help));
        }
    }
    let own = own_bucket(env, &release.aws_region)?;
    if let Some(bucket) = release.bucket.as_ref().filter(|bucket| **bucket != own) {
        let message = format!("`{bucket}` is not the deployer's bucket of `{}`", release.aws_region);
        problems.push(
            Problem::error(codes::RELEASE_BUCKET, "/bucket", message)
                .help(format!("it is `{own}`; or leave `bucket` out")),
        );
    }
    Ok(problems)
}

/// The deployer's bucket of a region. The deployer's account is that of its state machine.
fn own_bucket(env: &Environment, region: &str) -> Result<String, StepError> {
    let machine = env.required("FENRIR_STATE_MACHINE", env.settings().state_machine.as_ref())?;
    let account = machine.split(':').nth(4).filter(|account| account.len() == 12);
    account.map(|account| house::bucket(account, region)).ok_or_else(|| {
        let message =
            format!("the deployer is installed wrongly: `FENRIR_STATE_MACHINE` is `{machine}`, which is no ARN");
        StepError::new(ErrorName::InternalError, message)
    })
}

/// The problem of an allowed region, when reading from its bucket failed because of the bucket and not because of the
/// release: it is not there, not in that region, or not the deployer's.
fn closed_region(env: &Environment, head: &Head, error: &Error) -> Option<Problem> {
    let (bucket, region) = (&head.bucket, &head.owner.aws_region);
    // The bucket of the home region comes with the roles: who may not read there is installed wrongly.
    let is_home = env.own().region().is_some_and(|home| home.as_ref() == region);
    let message = match error {
        Error::NoBucket(_) => format!("the deployer has no bucket in `{region}`: there is no `{bucket}`"),
        Error::Fault(fault) if fault.is("PermanentRedirect") => {
            format!("the deployer has no bucket in `{region}`: `{bucket}` lies in another region")
        }
        Error::Fault(fault) if fault.kind == FaultKind::Denied && !is_home => format!(
            "the deployer may not read its bucket `{bucket}`: it belongs to another account, or its policy is not that of \
             `region.yml`"
        ),
        _ => return None,
    };
    tracing::warn!(bucket, why = %error, "the region's bucket cannot be used");
    let help = format!(
        "an administrator installs or updates the stack `{}` (`region.yml`) there, or takes the region off the \
         deployer's list (docs/install.md)",
        house::REGION_STACK
    );
    Some(Problem::error(codes::RELEASE_PLACE, "/aws_region", message).help(help))
}

/// The problem of an allowed account that does not let the deployer in. A deploy that found out later could not clean up.
pub(crate) async fn closed_account(env: &Environment, head: &Head) -> Result<Option<Problem>, StepError> {
    match env.enter(head).await {
        Ok(_) => Ok(None),
        Err(NoSession::Closed { what, help }) => Ok(Some(
            Problem::error(codes::RELEASE_PLACE, "/aws_account_id", what).help(help),
        )),
        Err(NoSession::Fault(error)) => Err(error),
    }
}

/// Proves that the release's owner wanted it, and that its id is new.
pub(crate) async fn prove(env: &Environment, start: &Start, release: Release) -> Result<Proven, StepError> {
    let owner = release.owner();
    let head = Head {
        operation: release.operation,
        release_id: release.release_id.clone(),
        bucket: own_bucket(env, &owner.region)?,
        deadline: deadline(start, &release)?,
        owner: owner.clone().into(),
    };
    let key = keys::release(&owner, &release.release_id);
    let objects = Objects::new(&env.own_in(&owner.region));
    let refuse = |message: String, help: &str| {
        let problem = Problem::error(codes::RELEASE_PROOF, "", message).help(help);
        Err(refusal::unproven(env, &[problem]))
    };
    let stored = match objects.read(&head.bucket, &key, None, TEXT_LIMIT).await {
        Ok(stored) => stored,
        Err(Error::Missing(what)) => {
            let message = format!("the release is not stored at `{what}`, so nobody knows whether its owner wants it");
            return refuse(
                message,
                "store the same release there before the execution starts, as `fenrir deploy` does",
            );
        }
        Err(error @ Error::TooLarge { .. }) => return refuse(error.to_string(), "store the release and nothing else"),
        Err(error) => {
            return Err(match closed_region(env, &head, &error) {
                Some(problem) => refusal::unproven(env, &[problem]),
                None => error.into_step(ErrorName::InternalError, "reading the stored release"),
            });
        }
    };
    let same = crate::json(&stored.bytes).is_ok_and(|stored| canonical(&stored) == canonical(&start.release));
    if !same {
        let message = format!(
            "the release stored at `s3://{}/{key}` is not the one that was started",
            head.bucket
        );
        return refuse(message, "store the very release that the execution is started with");
    }
    let record = Records::new(env.own(), &env.settings().releases_table)
        .get(&owner, &release.release_id)
        .await
        .map_err(|error| error.into_step(ErrorName::InternalError, "looking for earlier releases"))?;
    if record.is_some_and(|record| record.execution != start.execution.arn) {
        let message = format!("the release id `{}` was used before", release.release_id);
        let problem = Problem::error(codes::RELEASE_ID, "/release_id", message);
        return Err(refusal::unproven(
            env,
            &[problem.help("give every release an id of its own")],
        ));
    }
    Ok(Proven { head, release })
}

fn deadline(start: &Start, release: &Release) -> Result<String, StepError> {
    let started = timestamp::parse(&start.execution.started_at).ok_or_else(|| {
        let message = format!(
            "the execution started at `{}`, which is no time",
            printable(&start.execution.started_at)
        );
        StepError::new(ErrorName::InternalError, message)
    })?;
    Ok(timestamp::format(
        started + Duration::seconds(i64::from(release.timeout)),
    ))
}

/// The template of a proven release: loaded, or its problems.
pub(crate) async fn template(env: &Environment, proven: &Proven) -> Result<Result<Document, Vec<Problem>>, StepError> {
    match &proven.release.template {
        TemplateSource::Inline { template } => Ok(Document::from_value(template.clone())),
        TemplateSource::Stored {
            template_uri,
            template_sha256,
        } => stored_template(env, proven, template_uri, template_sha256).await,
    }
}

async fn stored_template(
    env: &Environment,
    proven: &Proven,
    uri: &str,
    sha256: &str,
) -> Result<Result<Document, Vec<Problem>>, StepError> {
    let Proven { head, release } = proven;
    let refuse = |message: String, help: &str| {
        Ok(Err(vec![
            Problem::error(codes::STORED_TEMPLATE, "/template_uri", message).help(help),
        ]))
    };
    let prefix = format!(
        "s3://{}/{}",
        head.bucket,
        keys::release_prefix(&head.owner(), &release.release_id)
    );
    let Some(name) = uri.strip_prefix(&prefix) else {
        return refuse(
            format!("`{uri}` is not under the release's own prefix"),
            &format!("store it under `{prefix}`"),
        );
    };
    let key = format!("{}{name}", keys::release_prefix(&head.owner(), &release.release_id));
    let objects = Objects::new(&env.own_in(&head.owner.aws_region));
    let read = match objects.read(&head.bucket, &key, None, TEMPLATE_LIMIT as u64).await {
        Ok(read) => read,
        Err(error @ (Error::Missing(_) | Error::TooLarge { .. })) => {
            return refuse(
                error.to_string(),
                "store the template there before the execution starts",
            );
        }
        Err(error) => return Err(error.into_step(ErrorName::InternalError, "reading the template")),
    };
    if hex_sha256(&read.bytes) != sha256 {
        let message = format!("`{uri}` does not have the SHA-256 that `template_sha256` says");
        return refuse(
            message,
            "it was changed after the release was made: run `fenrir deploy` again",
        );
    }
    match String::from_utf8(read.bytes) {
        Ok(text) => Ok(Document::load(&text)),
        Err(_) => refuse(format!("`{uri}` is not UTF-8 text"), "store the template as JSON"),
    }
}
