//! `fenrir explain`: what a rule does, why, and how to obey it.

use fenrir_core::codes;

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
    let code = arguments.code.as_str();
    let Some(rule) = codes::explain(code).or_else(|| rules::explain(code)) else {
        return Err(Fault::usage(format!("there is no rule `{code}`"))
            .help("the code stands in the brackets of a problem, such as `F0004`")
            .into());
    };
    printer.result(&format!("{}: {}", rule.code, rule.title));
    for (title, text) in [
        ("What", rule.what),
        ("Why", rule.why),
        ("Refused", rule.bad),
        ("Write", rule.good),
    ] {
        if !text.is_empty() {
            printer.result("");
            printer.result(&format!("{title}:"));
            for line in text.lines() {
                printer.result(&format!("  {line}"));
            }
        }
    }
    Ok(Exit::Success)
}
