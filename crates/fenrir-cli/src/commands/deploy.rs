//! `fenrir deploy`: judge, package, upload, start, follow.

use fenrir_core::deployment::Operation;
use serde::Serialize;

use crate::answer::Answer;
use crate::arguments::Deploy;
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::Stop;
use crate::launch::Launch;
use crate::printer::Printer;
use crate::text::{Style, Text};

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
    if arguments.no_wait {
        printer.answer(&Detached {
            release: &launch.release.release_id,
        });
        return Ok(Exit::Success);
    }
    let (end, follower) = started.follow(printer).await;
    started.ended().tell(end, &follower, printer).await
}

/// A deploy that was started and is not followed.
#[derive(Serialize)]
pub struct Detached<'a> {
    /// The release.
    pub release: &'a str,
}

impl Answer for Detached<'_> {
    const TYPE: &'static str = "detached";

    fn human(&self, text: &mut Text) {
        text.plain("started; follow it with ");
        text.put(Style::Accent, format!("`fenrir attach {}`", self.release));
        text.end();
    }
}
