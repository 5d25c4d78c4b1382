//! `fenrir explain`: what a rule does, why, and how to obey it.

use fenrir_core::codes::{self, Explanation};
use serde::Serialize;

use crate::answer::Answer;
use crate::arguments::Explain;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;
use crate::rules;
use crate::text::{Style, Text};

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
    let Explanation {
        code,
        title,
        what,
        why,
        bad,
        good,
    } = *rule;
    printer.answer(&Rule {
        warns: rule.warns(),
        code,
        title,
        what,
        why,
        bad,
        good,
    });
    Ok(Exit::Success)
}

/// A rule, told in full. Its fields are those of [`Explanation`], and whether it only warns.
#[derive(Serialize)]
struct Rule {
    warns: bool,
    code: &'static str,
    title: &'static str,
    what: &'static str,
    why: &'static str,
    bad: &'static str,
    good: &'static str,
}

impl Answer for Rule {
    const TYPE: &'static str = "rule";

    fn human(&self, text: &mut Text) {
        text.put(Style::Strong, format!("{}: {}", self.code, self.title));
        text.end();
        for (title, words) in [
            ("What", self.what),
            ("Why", self.why),
            (if self.warns { "Warned of" } else { "Refused" }, self.bad),
            (if self.warns { "Instead" } else { "Write" }, self.good),
        ] {
            if !words.is_empty() {
                text.heading(format!("{title}:"));
                for line in words.lines() {
                    text.line(format!("  {line}"));
                }
            }
        }
    }
}
