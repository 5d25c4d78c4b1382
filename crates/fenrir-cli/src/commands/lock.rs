//! `fenrir lock`: keep everybody from deploying.

use fenrir_store::Freeze;
use fenrir_store::freezes::Error;
use serde::Serialize;

use crate::answer::Answer;
use crate::arguments::Lock;
use crate::aws::{Aws, unusable};
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;
use crate::scope::{self, Frozen, Tables};
use crate::text::Text;

/// Freezes a config, a project or an account.
///
/// # Errors
/// It is frozen already, or cannot be frozen.
pub fn run(arguments: &Lock, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(lock(arguments, printer))
}

async fn lock(arguments: &Lock, printer: &mut Printer) -> Result<Exit, Stop> {
    let aws = Aws::connect(&arguments.aws).await?;
    let tables = Tables::of(&aws)?;
    let frozen = Frozen::of(&aws, &arguments.scope, arguments.breadth)?;
    let freeze = Freeze {
        key: frozen.key.clone(),
        who: aws.caller.arn.clone(),
        since: scope::now(),
        reason: arguments.reason.reason.clone(),
    };
    tables.freezes.put(&freeze).await.map_err(|error| match error {
        Error::Fault(fault) => unusable("freezing it", &fault),
        Error::Frozen(other) => Fault::new(
            Exit::Locked,
            format!("{} is frozen already: {}", frozen.name, other.describe()),
        )
        .help("`fenrir unlock --reason WHY` with the same arguments ends that freeze"),
        Error::Garbled(_) => Fault::failed(error.to_string()),
    })?;
    printer.answer(&Done {
        what: &frozen.name,
        freeze: &freeze,
    });
    if let Some(owner) = &frozen.owner {
        // The freeze stands, whatever is known of the lock.
        let running = tables.holder(owner).await.ok().flatten().filter(|holder| !holder.dirty);
        if let Some(holder) = running {
            printer.progress(&format!(
                "the release `{}` is being deployed and goes on; `fenrir halt --reason WHY` stops it",
                holder.release_id
            ));
        }
    }
    printer.progress("nobody deploys it until `fenrir unlock --reason WHY` with the same arguments");
    Ok(Exit::Success)
}

/// A freeze that stands now.
#[derive(Serialize)]
struct Done<'a> {
    what: &'a str,
    #[serde(flatten)]
    freeze: &'a Freeze,
}

impl Answer for Done<'_> {
    const TYPE: &'static str = "freeze";

    fn human(&self, text: &mut Text) {
        text.line(format!("frozen: {}", self.what));
    }
}
