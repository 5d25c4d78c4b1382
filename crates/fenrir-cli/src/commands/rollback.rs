//! `fenrir rollback`: deploy a past release again, as a new one.

use fenrir_core::deployment::Operation;
use fenrir_core::owner::Owner;
use fenrir_store::Entry;
use serde::Serialize;
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::arguments::Rollback;
use crate::aws::Aws;
use crate::commands::deploy::Detached;
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::launch::Launch;
use crate::original::{self, Original};
use crate::printer::Printer;
use crate::release::{self, Wishes};
use crate::releases::{self, Found, Place, Successes, is_success, short_commit, short_who};
use crate::scope::{self, Tables};
use crate::text::{Cell, Style, Text, when};

/// Metadata that names the release that a rollback goes back to.
pub const ROLLBACK_OF: &str = "rollback_of";

/// Goes back to a past release.
///
/// # Errors
/// There is none to go back to, or it cannot be deployed again, or the deploy failed.
pub fn run(arguments: &Rollback, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(rollback(arguments, printer))
}

async fn rollback(arguments: &Rollback, printer: &mut Printer) -> Result<Exit, Stop> {
    let mut aws = Aws::connect(&arguments.aws).await?;
    let tables = Tables::of(&aws)?;
    let (owner, entry) = if let Some(release_id) = &arguments.release {
        let found = releases::find(&mut aws, &tables, &arguments.scope, release_id).await?;
        chosen(found)?
    } else {
        let owner = scope::owner(&aws, &arguments.scope)?;
        let entry = before(&aws, &tables, &owner).await?;
        (owner, entry)
    };
    let deployed = releases::current(&aws, &tables, &owner).await?;
    let deployed = deployed
        .and_then(|current| current.deployed)
        .map(|deployed| deployed.release_id);
    if deployed.as_deref() == Some(&entry.release_id) {
        let fault = Fault::usage(format!("release `{}` is what is deployed", entry.release_id));
        return Err(fault.help("`fenrir history` lists the others").into());
    }
    let original = Original::read(&aws, &owner, &entry.release_id, Some(&entry.started_at)).await?;
    if original.is_changed || original.release.operation != Operation::Deploy {
        let fault = Fault::failed(format!(
            "release `{}` was stored again after it had started: what is there may not be what was deployed",
            entry.release_id
        ));
        return Err(fault.help("check out its commit, and `fenrir deploy`").into());
    }
    original::prove_artifacts(&aws, &owner, &original.release).await?;
    printer.tell(&Return {
        place: Place::from(&owner),
        from: deployed.as_deref(),
        to: &entry.release_id,
        commit: entry.metadata.get("commit").map(String::as_str),
        who: entry.metadata.get("author").map(String::as_str),
        deployed_at: entry.ended_at.as_deref(),
        now: OffsetDateTime::now_utc(),
    });
    printer.warning(
        "data is not rolled back: tables, buckets and queues keep what was written to them, and resources that are not \
         in the old template are removed, unless they are retained",
    );
    let question = format!("deploy release {} again?", entry.release_id);
    printer.confirm(&question, arguments.yes)?;
    let release = remade(&aws, &owner, original, arguments)?;
    let launch = Launch::of_release(aws, release);
    let started = launch.start(printer).await?;
    if arguments.no_wait {
        printer.answer(&Detached {
            release: &launch.release.release_id,
        });
        return Ok(Exit::Success);
    }
    let (end, follower) = started.follow(printer).await;
    started.ended().tell(end, &follower, printer).await
}

/// The release that was said, if it is one that can be gone back to.
fn chosen(found: Found) -> Result<(Owner, Entry), Fault> {
    let release_id = &found.release_id;
    let refused = |why: &str| {
        Fault::usage(format!("release `{release_id}` {why}"))
            .help("only to a deploy that succeeded can one go back; `fenrir history` lists them")
    };
    match found.entry {
        None => Err(refused("is not recorded")),
        Some(entry) if is_success(&entry) => Ok((found.owner, entry)),
        Some(entry) if !entry.is_deploy() => Err(refused("was not deployed: it was a plan, or was refused")),
        Some(entry) => Err(refused(&format!("is {}", entry.status))),
    }
}

/// The success before what is deployed now. Releases that changed nothing are the same as the one before them: what is
/// deployed began with the last one that changed something.
async fn before(aws: &Aws, tables: &Tables, owner: &Owner) -> Result<Entry, Fault> {
    let unread = |error| releases::unread(aws, "reading the history", error);
    let place = Place::from(owner);
    let deployed = releases::current(aws, tables, owner).await?;
    let deployed = deployed.and_then(|current| current.deployed).ok_or_else(|| {
        Fault::usage(format!(
            "nothing is deployed of {place}: there is nothing to go back from"
        ))
        .help("`fenrir history --all` lists every release")
    })?;
    let mut history = Successes::of(tables, owner);
    let mut is_past = false;
    // Whether the next older success is what is deployed as well.
    let mut is_same = true;
    while let Some(entry) = history.next().await.map_err(unread)? {
        is_past |= entry.release_id == deployed.release_id;
        if !is_past || !is_success(&entry) {
            continue;
        }
        if !is_same {
            return Ok(entry);
        }
        is_same = entry.no_changes;
    }
    Err(Fault::usage(format!(
        "there is no success of {place} before release `{}`",
        deployed.release_id
    ))
    .help("`fenrir history --all` lists every release"))
}

/// A new release of the old one's template, artifacts and tags.
fn remade(
    aws: &Aws,
    owner: &Owner,
    original: Original,
    arguments: &Rollback,
) -> Result<fenrir_core::release::Release, Stop> {
    let old = original.release;
    let mut metadata = old.metadata;
    metadata.insert("author".to_owned(), aws.caller.arn.clone());
    metadata.insert(ROLLBACK_OF.to_owned(), old.release_id);
    let wishes = Wishes {
        operation: Operation::Deploy,
        timeout: arguments.timeout.unwrap_or(old.timeout),
        tags: old.change_set_tags,
        metadata,
    };
    release::make(owner, &aws.bucket, original.template, old.s3_uris_sha256s, wishes).map_err(release::unfit)
}

/// From which release to which.
#[derive(Debug, Serialize)]
struct Return<'a> {
    #[serde(flatten)]
    place: Place,
    from: Option<&'a str>,
    to: &'a str,
    commit: Option<&'a str>,
    who: Option<&'a str>,
    deployed_at: Option<&'a str>,
    #[serde(skip)]
    now: OffsetDateTime,
}

impl Answer for Return<'_> {
    const TYPE: &'static str = "rollback";

    fn human(&self, text: &mut Text) {
        text.heading(format!("{}: back to a past release", self.place));
        text.field("from", self.from.unwrap_or("nothing"));
        text.field("to", Cell::of(Style::Strong, self.to));
        if let Some(at) = self.deployed_at {
            text.field("deployed", when(at, self.now));
        }
        if let Some(commit) = self.commit {
            text.field("commit", short_commit(commit));
        }
        if let Some(who) = self.who {
            text.field("by", short_who(who));
        }
    }
}
