//! `fenrir events`: what CloudFormation did for a release.

use fenrir_core::{names, timestamp};
use fenrir_stacks::events::Event;
use fenrir_stacks::marks::Marks;

use crate::arguments::Events;
use crate::aws::{Aws, unusable};
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::mine;
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
    let mut events = read(&aws, &found, printer).await?;
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

/// Clocks of two services that are compared.
const CLOCKS: time::Duration = time::Duration::minutes(10);

/// CloudFormation's own, for the 90 days that it keeps them, also of a stack that is gone (CloudFormation User Guide, "View
/// stack events"), and what only Fenrir has stored beside a deploy that failed. It stores them before it cleans up, so the
/// stored ones alone are not all.
async fn read(aws: &Aws, found: &Found, printer: &mut Printer) -> Result<Vec<Event>, Fault> {
    let stored: Option<Vec<Event>> = aws.own(&found.owner, &found.release_id, "events.json").await;
    match (live(aws, found).await, stored) {
        (Ok(live), stored) => Ok(mine::merged(live, stored.unwrap_or_default())),
        (Err(fault), Some(stored)) => {
            printer.progress(&format!(
                "only what was stored of them, before anything was cleaned up: {}",
                fault.message
            ));
            Ok(stored)
        }
        (Err(fault), None) => Err(fault),
    }
}

async fn live(aws: &Aws, found: &Found) -> Result<Vec<Event>, Fault> {
    if aws.account != aws.caller.account {
        return Err(Fault::failed(format!(
            "the stack is in account {}, whose events are not shown here",
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
        None => match aws.stacks.describe(&names::stack(&found.owner)).await {
            Ok(Some(stack)) => stack.arn,
            Ok(None) => return Ok(Vec::new()),
            Err(fault) => return Err(unusable("looking at the stack", &fault)),
        },
    };
    let earliest = timestamp::parse(started_at).map(|started| started - CLOCKS);
    let is_before = |event: &Event| {
        let at = timestamp::parse(&event.at);
        at.zip(earliest).is_some_and(|(at, earliest)| at < earliest)
    };
    let events = aws.stacks.events(&arn, is_before).await;
    let events = events.map_err(|fault| unusable("reading the stack's events", &fault))?;
    Ok(mine::all(&events, &arn, &Marks::of(&found.execution_arn(aws))))
}
