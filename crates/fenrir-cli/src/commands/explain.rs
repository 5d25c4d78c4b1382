//! `fenrir explain`: what a rule does, why, and how to obey it.

use crate::arguments::Explain;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;
use crate::rules;

/// Prints the explanation of a code.
///
/// # Errors
/// There is no such rule.
pub fn run(arguments: &Explain, printer: &mut Printer) -> Result<Exit, Stop> {
    let code = arguments.code.to_uppercase();
    let Some(rule) = rules::find(&code) else {
        return Err(Fault::usage(format!("there is no rule `{}`", arguments.code))
            .help("the code stands in the brackets of a problem: `error[F0801]`")
            .into());
    };
    printer.result(&format!("{}: {}", rule.code, rule.title));
    printer.result("");
    printer.result(rule.why);
    printer.result("");
    printer.result("Example:");
    for line in rule.example.lines() {
        printer.result(&format!("  {line}"));
    }
    Ok(Exit::Success)
}
