//! `fenrir unlock`: end a freeze, or remove the lock that a dirty end has kept.

use fenrir_core::house;
use fenrir_core::owner::Owner;
use fenrir_store::{Holder, Lifted, Unlocked, freezes, locks};

use serde::Serialize;

use crate::answer::Answer;
use crate::arguments::Unlock;
use crate::aws::{Aws, unusable};
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;
use crate::scope::{self, Frozen, Tables};
use crate::text::Text;

/// Lets deploys happen again.
///
/// # Errors
/// A deploy is under way, or the tables do not let it.
pub fn run(arguments: &Unlock, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(unlock(arguments, printer))
}

async fn unlock(arguments: &Unlock, printer: &mut Printer) -> Result<Exit, Stop> {
    let aws = Aws::connect(&arguments.aws).await?;
    let work = Work {
        tables: Tables::of(&aws)?,
        who: aws.caller.arn.clone(),
        at: scope::now(),
        reason: arguments.reason.reason.clone(),
    };
    let frozen = Frozen::of(&aws, &arguments.scope, arguments.breadth)?;
    let holder = match &frozen.owner {
        Some(owner) => work.tables.holder(owner).await?.map(|holder| (owner, holder)),
        None => None,
    };
    // One thing at a time: who froze it may have meant to keep everybody out until the mending is done.
    match &holder {
        Some((owner, holder)) if holder.dirty => {
            work.remove(owner, holder).await?;
            printer.answer(&Removed(holder));
            work.tell_of_freezes(&frozen, printer).await;
            Ok(Exit::Success)
        }
        _ if work.lift(&frozen).await? => {
            printer.answer(&Unfrozen { what: &frozen.name });
            work.tell_of_freezes(&frozen, printer).await;
            Ok(Exit::Success)
        }
        _ => {
            let above = work.tables.freezing(&frozen.above).await?;
            if let Some(unseen) = above.unseen() {
                printer.progress(&unseen);
            }
            if !above.on.is_empty() {
                let message = format!("{} itself is not frozen, but {}", frozen.name, above.described());
                return Err(Fault::new(Exit::Locked, message).help(above.remedy()).into());
            }
            if let Some((_, holder)) = &holder {
                return Err(stays(&aws, &frozen, holder).await.into());
            }
            printer.result(&format!("nothing to unlock: {}", frozen.name));
            Ok(Exit::Success)
        }
    }
}

/// A lock that nobody removes: its deploy runs, or the watchdog settles it.
async fn stays(aws: &Aws, frozen: &Frozen, holder: &Holder) -> Fault {
    let words = format!(
        "{} is not frozen; release `{}` holds its lock since `{}`, which is no dirty one",
        frozen.name, holder.release_id, holder.since
    );
    if scope::has_ended(aws, &holder.execution).await {
        return Fault::new(Exit::Locked, format!("{words}, and its execution has ended")).help(scope::SETTLED_SOON);
    }
    Fault::new(Exit::Locked, words).help(format!(
        "`fenrir attach {}` follows it, `fenrir halt --reason WHY` stops it",
        holder.release_id
    ))
}

/// A freeze that was ended.
#[derive(Serialize)]
struct Unfrozen<'a> {
    what: &'a str,
}

impl Answer for Unfrozen<'_> {
    const TYPE: &'static str = "unfrozen";

    fn human(&self, text: &mut Text) {
        text.line(format!("no longer frozen: {}", self.what));
    }
}

/// A dirty lock that was removed, as it was.
#[derive(Serialize)]
#[serde(transparent)]
struct Removed<'a>(&'a Holder);

impl Answer for Removed<'_> {
    const TYPE: &'static str = "unlocked";

    fn human(&self, text: &mut Text) {
        text.line(format!(
            "removed the lock that release `{}` had kept since `{}`: {}",
            self.0.release_id,
            self.0.since,
            self.0.reason.as_deref().unwrap_or("no reason was given")
        ));
    }
}

struct Work {
    tables: Tables,
    who: String,
    at: String,
    reason: String,
}

impl Work {
    /// Removes a dirty lock, and says so in the release's record.
    async fn remove(&self, owner: &Owner, holder: &Holder) -> Result<(), Fault> {
        let unlocked = Unlocked {
            who: self.who.clone(),
            at: self.at.clone(),
            reason: self.reason.clone(),
        };
        let removed = self
            .tables
            .locks
            .unlock(owner, holder, &unlocked, house::RELEASES_TABLE)
            .await;
        removed.map_err(|error| match error {
            locks::Error::Fault(fault) => unusable("removing the lock", &fault),
            locks::Error::Lost(None) => Fault::failed("somebody else removed the lock at this moment"),
            other => Fault::failed(format!("the lock changed at this moment: {other}"))
                .help("look at it again: `fenrir unlock` with the same arguments"),
        })
    }

    /// What still keeps everybody from deploying, and how to end that. Not to know it undoes nothing.
    async fn tell_of_freezes(&self, frozen: &Frozen, printer: &mut Printer) {
        let keys: Vec<String> = frozen.above.iter().chain([&frozen.key]).cloned().collect();
        match self.tables.freezing(&keys).await {
            Ok(freezing) => {
                for freeze in &freezing.on {
                    let described = freeze.describe();
                    printer.warning(&if freeze.key == frozen.key {
                        format!(
                            "the freeze of {} stays: {described}; run it again to lift it",
                            frozen.name
                        )
                    } else {
                        format!(
                            "it still cannot be deployed: {described}; `{}` ends that",
                            freeze.ended_by()
                        )
                    });
                }
                if let Some(unseen) = freezing.unseen() {
                    printer.progress(&unseen);
                }
            }
            Err(fault) => printer.warning(&format!("whether it is frozen cannot be seen: {}", fault.message)),
        }
    }

    async fn lift(&self, frozen: &Frozen) -> Result<bool, Fault> {
        let lifted = Lifted {
            who: self.who.clone(),
            at: self.at.clone(),
            reason: self.reason.clone(),
        };
        let lifted = self.tables.freezes.lift(&frozen.key, &lifted).await;
        lifted.map_err(|error| match error {
            freezes::Error::Fault(fault) => unusable("ending the freeze", &fault),
            other => Fault::failed(other.to_string()),
        })
    }
}
