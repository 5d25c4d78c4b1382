//! `fenrir events`: what CloudFormation did for a release.

use fenrir_core::names;
use fenrir_stacks::events::Event;
use fenrir_stacks::marks::Marks;

use crate::arguments::Events;
use crate::aws::{Aws, unusable};
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;
use crate::releases::{self, Found};
use crate::scope::Tables;

/// Shows the events.
///
/// # Errors
/// There is no such release, or its events cannot be read.
pub fn run(arguments: &Events, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(events(arguments, printer))
}

async fn events(arguments: &Events, printer: &mut Printer) -> Result<Exit, Stop> {
    let mut aws = Aws::connect(&arguments.aws).await?;
    let tables = Tables::of(&aws)?;
    let found = releases::find(&mut aws, &tables, &arguments.scope, &arguments.release).await?;
    let mut events = read(&aws, &found).await?;
    let all = events.len();
    if arguments.failed {
        events.retain(Event::is_failure);
    }
    for event in &events {
        printer.answer(event);
    }
    if events.is_empty() {
        let entry = found.entry.as_ref();
        let why = match all {
            0 if entry.is_some_and(|entry| entry.no_changes) => "the stack was what the release says already",
            0 => "nothing of it was executed, or CloudFormation has forgotten it",
            _ => "nothing failed",
        };
        printer.progress(&format!("there are no events to show: {why}"));
    }
    Ok(Exit::Success)
}

/// Those that Fenrir stored, with a deploy that failed; CloudFormation's own otherwise, for the 90 days that it keeps
/// them (CloudFormation User Guide, "View stack events").
async fn read(aws: &Aws, found: &Found) -> Result<Vec<Event>, Fault> {
    let (owner, release_id) = (&found.owner, found.release_id.as_str());
    if let Some(stored) = aws.own::<Vec<Event>>(owner, release_id, "events.json").await {
        return Ok(stored);
    }
    if aws.account != aws.caller.account {
        return Err(Fault::failed(format!(
            "nothing is stored of its events, and the stack is in account {}",
            aws.account
        ))
        .help("run it with credentials of that account, or look at the stack in its console"));
    }
    let Some(started_at) = found.started_at() else {
        return Ok(Vec::new());
    };
    let known = found.entry.as_ref().and_then(|entry| entry.stack_arn.clone());
    let arn = match known {
        Some(arn) => arn,
        // While it runs the record does not know the stack yet. Its events name it by ARN.
        None => match aws.stacks.describe(&names::stack(owner)).await {
            Ok(Some(stack)) => stack.arn,
            Ok(None) => return Ok(Vec::new()),
            Err(fault) => return Err(unusable("looking at the stack", &fault)),
        },
    };
    let marks = Marks::of(&found.execution_arn(aws));
    let events = aws.stacks.own_operation(&arn, &marks, started_at).await;
    events.map_err(|fault| unusable("reading the stack's events", &fault))
}
