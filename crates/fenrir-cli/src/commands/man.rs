//! `fenrir man`: the manual pages.

use clap::CommandFactory as _;

use crate::arguments::{Arguments, Man};
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;
use crate::source::reason;

/// Writes a page for each command.
///
/// # Errors
/// The folder cannot be made or written to.
pub fn run(arguments: &Man, printer: &mut Printer) -> Result<Exit, Stop> {
    let folder = &arguments.folder;
    let unwritable = |error: std::io::Error| {
        Fault::usage(format!(
            "`{}` cannot be written to: {}",
            folder.display(),
            reason(&error)
        ))
    };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    clap_mangen::generate_to(Arguments::command(), folder).map_err(unwritable)?;
    printer.result(&format!("the manual pages are in `{}`", folder.display()));
    Ok(Exit::Success)
}
