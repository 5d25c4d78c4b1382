//! `fenrir plan`: everything that a deploy does up to the change set, and what that would do.

use fenrir_core::deployment::Operation;

use crate::arguments::Plan;
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::Stop;
use crate::launch::Launch;
use crate::printer::Printer;

/// Packages and uploads the template, and tells what a deploy of it would do.
///
/// # Errors
/// It could not be deployed, or the deployer could not tell.
pub fn run(arguments: &Plan, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(plan(arguments, printer))
}

async fn plan(arguments: &Plan, printer: &mut Printer) -> Result<Exit, Stop> {
    let launch = Launch::of_template(&arguments.launch, Operation::Plan).await?;
    let started = launch.start(printer).await?;
    let (end, follower) = started.follow(printer).await;
    let exit = started.ended().tell(end, &follower, printer).await?;
    Ok(match exit {
        Exit::Changes if !arguments.detailed_exitcode => Exit::Success,
        exit => exit,
    })
}
