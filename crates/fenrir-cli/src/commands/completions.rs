//! `fenrir completions`: what lets a shell complete the command.

use clap::CommandFactory as _;

use crate::arguments::{Arguments, Completions};
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;

/// Writes the script for a shell.
///
/// # Errors
/// The script cannot be made.
pub fn run(arguments: &Completions, printer: &mut Printer) -> Result<Exit, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "fenrir", &mut script);
    let script = String::from_utf8(script).map_err(|_| Fault::failed("the script is no text: a fault of Fenrir"))?;
    printer.raw(&script);
    Ok(Exit::Success)
}
