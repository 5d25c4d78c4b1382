//! `fenrir validate`: the judgement of the deployer, without AWS.

use std::fs;
use std::path::Path;

use fenrir_core::owner::{UNKNOWN_ACCOUNT, UNKNOWN_REGION};
use fenrir_core::ownership::World;
use fenrir_core::policy::{self, Context, Judgement};
use fenrir_core::problem::{Problem, Severity};
use fenrir_core::template::Document;
use serde::Serialize;
use serde_json::Value;

use crate::answer::Answer;
use crate::arguments::Validate;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::{Diagnostic, Printer};
use crate::project;
use crate::source::{self, Source, reason};
use crate::text::Text;

/// Account and region to judge for when nobody says.
const NOBODY: (&str, &str) = (UNKNOWN_ACCOUNT, UNKNOWN_REGION);

/// The answer for programs; people see the lines of the file.
#[derive(Debug, Serialize)]
struct Validation<'a> {
    template: &'a str,
    valid: bool,
    diagnostics: Vec<Diagnostic<'a>>,
}

impl Answer for Validation<'_> {
    const TYPE: &'static str = "validation";

    fn human(&self, text: &mut Text) {
        let unchecked = if self.diagnostics.is_empty() {
            ""
        } else {
            ", as far as it can be checked without AWS"
        };
        text.line(format!("`{}` is valid{unchecked}", self.template));
    }
}

/// Judges a template and tells the result.
///
/// # Errors
/// The template or the inventory cannot be read, or the rewritten template not written.
pub fn run(arguments: &Validate, printer: &mut Printer) -> Result<Exit, Stop> {
    let path = source::find(arguments.template.as_deref())?;
    let source = Source::read(&path)?;
    let inventory = arguments.inventory.as_deref().map(inventory).transpose()?;
    let judgement = match source.load() {
        Ok(mut document) => {
            if let Some(config) = &arguments.config {
                document.set_config(config);
            }
            let (judgement, document) = (judge(&document, inventory, arguments), document);
            Judgement {
                problems: source::placed(judgement.problems, &document),
                ..judgement
            }
        }
        Err(problems) => Judgement {
            problems,
            template: None,
        },
    };
    tell(&judgement.problems, &source, printer);
    if source::refuses(&judgement.problems) {
        return Ok(Exit::Refused);
    }
    match (&arguments.emit_template, &judgement.template) {
        (Some(to), Some(template)) => emit(to, template)?,
        (Some(to), None) => printer.progress(&format!(
            "`{}` is not written: it needs everything to be checked; give an `--inventory`",
            to.display()
        )),
        (None, _) => {}
    }
    Ok(Exit::Success)
}

fn judge(document: &Document, inventory: Option<World>, arguments: &Validate) -> Judgement {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let of_inventory = |of: fn(&World) -> &String| inventory.as_ref().and_then(|world| given(of(world)));
    let account = of_inventory(|world| &world.account).or_else(|| arguments.account.clone());
    let region = of_inventory(|world| &world.region).or_else(|| arguments.region.clone());
    let context = Context {
        owner: project::owner(
            document.value(),
            account.unwrap_or_else(|| NOBODY.0.to_owned()),
            region.unwrap_or_else(|| NOBODY.1.to_owned()),
        ),
        artifacts: None,
        allowed: arguments.allowed.iter().cloned().collect(),
    };
    let Some(world) = inventory else {
        return policy::judge_without_world(document, &context);
    };
    let world = World {
        account: context.owner.account.clone(),
        region: context.owner.region.clone(),
        ..world
    };
    policy::judge(document, &context, &world)
}

fn inventory(path: &Path) -> Result<World, Fault> {
    let name = path.display();
    let text = fs::read(path).map_err(|e| Fault::usage(format!("`{name}` cannot be read: {}", reason(&e))))?;
    serde_json::from_slice(&text).map_err(|e| {
        Fault::usage(format!("`{name}` is no inventory: {e}")).help("`fenrir validate --help` shows the form")
    })
}

fn emit(to: &Path, template: &Value) -> Result<(), Fault> {
    let text = serde_json::to_string_pretty(template).unwrap_or_default() + "\n";
    fs::write(to, text).map_err(|e| Fault::usage(format!("`{}` cannot be written: {}", to.display(), reason(&e))))
}

fn tell(problems: &[Problem], source: &Source, printer: &mut Printer) {
    let of_answer = |problem: &&Problem| printer.is_json() || problem.severity == Severity::NotChecked;
    let validation = Validation {
        template: &source.name,
        valid: !source::refuses(problems),
        diagnostics: problems
            .iter()
            .filter(of_answer)
            .map(|problem| Diagnostic::of(problem, &source.name))
            .collect(),
    };
    if printer.is_json() {
        return printer.answer(&validation);
    }
    if !problems.is_empty() {
        printer.report(problems, source);
    }
    if validation.valid {
        if !problems.is_empty() {
            printer.raw("\n");
        }
        printer.answer(&validation);
    }
}
