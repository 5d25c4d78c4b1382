//! `fenrir halt`: ask a running deploy to stop.

use fenrir_core::deployment;
use fenrir_store::halts::Error;
use serde::Serialize;

use crate::answer::Answer;
use crate::arguments::Halt;
use crate::aws::{Aws, unusable};
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;
use crate::scope::{self, Tables};
use crate::text::Text;

/// Asks the deploy that holds the lock to stop.
///
/// # Errors
/// Nothing is being deployed, or it cannot be asked.
pub fn run(arguments: &Halt, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(halt(arguments, printer))
}

async fn halt(arguments: &Halt, printer: &mut Printer) -> Result<Exit, Stop> {
    let aws = Aws::connect(&arguments.aws).await?;
    let tables = Tables::of(&aws)?;
    let owner = scope::owner(&aws, &arguments.scope)?;
    let name = format!(
        "`{}` `{}` in account {}, {}",
        owner.project, owner.config, owner.account, owner.region
    );
    let holder = tables.holder(&owner).await?;
    let Some(holder) = holder.filter(|holder| !holder.dirty) else {
        let fault = Fault::usage(format!("nothing is being deployed to {name}"));
        return Err(fault
            .help("`fenrir lock --reason WHY` keeps everybody from deploying")
            .into());
    };
    if let Some(release) = arguments
        .release
        .as_ref()
        .filter(|release| **release != holder.release_id)
    {
        let fault = Fault::usage(format!(
            "the release `{release}` is not being deployed to {name}: `{}` is",
            holder.release_id
        ));
        return Err(fault.help("say that one, or none").into());
    }
    // What cannot be looked at may run: a halt too many does no harm.
    if scope::has_ended(&aws, &holder.execution).await {
        let fault = Fault::usage(format!(
            "the release `{}` holds the lock of {name}, and its execution has ended: nobody would hear the halt",
            holder.release_id
        ));
        return Err(fault.help(scope::SETTLED_SOON).into());
    }
    let halt = deployment::Halt {
        who: aws.caller.arn.clone(),
        since: scope::now(),
        reason: arguments.reason.reason.clone(),
    };
    let asked = tables.halts.put(&owner, &holder.release_id, halt.clone()).await;
    asked.map_err(|error| match error {
        Error::Fault(fault) => unusable("asking the deploy to stop", &fault),
        other @ Error::Garbled(_) => Fault::failed(other.to_string()),
    })?;
    printer.answer(&Asked {
        release: &holder.release_id,
        halt,
    });
    printer.progress(&format!(
        "it stops when it looks next, within about two minutes; `fenrir attach {}` follows it",
        holder.release_id
    ));
    Ok(Exit::Success)
}

/// A deploy that was asked to stop.
#[derive(Serialize)]
struct Asked<'a> {
    release: &'a str,
    #[serde(flatten)]
    halt: deployment::Halt,
}

impl Answer for Asked<'_> {
    const TYPE: &'static str = "halt";

    fn human(&self, text: &mut Text) {
        text.line(format!("asked the release `{}` to stop", self.release));
    }
}
