//! `fenrir package`

use serde::Serialize;

use crate::answer::Answer;
use crate::arguments;
use crate::exit::Exit;
use crate::fault::Stop;
use crate::package::{FOLDER, LIST, Package, package, references};
use crate::printer::Printer;
use crate::source::{self, Source};
use crate::text::Text;

/// Packs the template's local code into `.fenrir/`.
///
/// # Errors
/// The template or something it names cannot be packaged.
pub fn run(arguments: &arguments::Package, printer: &mut Printer) -> Result<Exit, Stop> {
    let path = source::find(arguments.template.template.as_deref())?;
    let source = Source::read(&path)?;
    let document = source.document()?;
    let references = references(document.value());
    let package = package(&path, &source, &references).map_err(|problems| Stop::Problems {
        exit: Exit::Usage,
        problems: source::placed(problems, &document),
        source: source.clone(),
    })?;
    let is_empty = package.artifacts.is_empty();
    printer.answer(&Packages(package));
    if is_empty {
        printer.progress("nothing to package: the template names no local path");
    } else {
        printer.progress(&format!(
            "`{FOLDER}/{LIST}` lists them; `fenrir deploy` uploads and deploys them"
        ));
    }
    Ok(Exit::Success)
}

/// What was packed.
#[derive(Serialize)]
#[serde(transparent)]
struct Packages(Package);

impl Answer for Packages {
    const TYPE: &'static str = "package";

    fn human(&self, text: &mut Text) {
        for artifact in &self.0.artifacts {
            text.line(format!(
                "{}: {} -> {FOLDER}/{} ({} bytes)",
                artifact.label(),
                artifact.source,
                artifact.file,
                artifact.size
            ));
        }
    }
}
