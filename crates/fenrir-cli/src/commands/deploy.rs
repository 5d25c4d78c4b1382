//! `fenrir deploy`: judge, package, upload, start, follow.

use fenrir_core::deployment::Operation;

use crate::arguments::Deploy;
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::Stop;
use crate::launch::Launch;
use crate::printer::Printer;

/// Packages, uploads and deploys the template.
///
/// # Errors
/// It cannot be deployed, or the deploy failed.
pub fn run(arguments: &Deploy, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(deploy(arguments, printer))
}

async fn deploy(arguments: &Deploy, printer: &mut Printer) -> Result<Exit, Stop> {
    let launch = Launch::of_template(&arguments.launch, Operation::Deploy).await?;
    let started = launch.start(printer).await?;
    let (end, follower) = started.follow(printer).await;
    started.ended().tell(end, &follower, printer).await
}
