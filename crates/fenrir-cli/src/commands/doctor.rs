//! `fenrir doctor`: is everything there that a deploy needs?

use crate::arguments::Doctor;
use crate::commands::on_runtime;
use crate::doctor::{Diagnosis, examine};
use crate::exit::Exit;
use crate::fault::Stop;
use crate::printer::Printer;

/// Looks at everything, and tells all of it at once.
///
/// # Errors
/// There is no means to talk to AWS at all.
pub fn run(arguments: &Doctor, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(async {
        let diagnosis = Diagnosis::of(examine(arguments).await);
        printer.answer(&diagnosis);
        Ok(if diagnosis.is_well() {
            Exit::Success
        } else {
            Exit::Failed
        })
    })
}
