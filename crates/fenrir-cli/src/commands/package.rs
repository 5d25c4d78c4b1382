//! `fenrir package`

use crate::arguments::Package;
use crate::exit::Exit;
use crate::fault::Stop;
use crate::package::{FOLDER, LIST, package, references};
use crate::printer::Printer;
use crate::source::{self, Source};

/// Packs the template's local code into `.fenrir/`.
///
/// # Errors
/// The template or something it names cannot be packaged.
pub fn run(arguments: &Package, printer: &mut Printer) -> Result<Exit, Stop> {
    let path = source::find(arguments.template.template.as_deref())?;
    let source = Source::read(&path)?;
    let document = source.document()?;
    let references = references(document.value());
    let package = package(&path, &source, &references).map_err(|problems| Stop::Problems {
        exit: Exit::Usage,
        problems: source::placed(problems, &document),
        source: source.clone(),
    })?;
    for artifact in &package.artifacts {
        printer.result(&format!(
            "{}: {} -> {FOLDER}/{} ({} bytes)",
            artifact.label(),
            artifact.source,
            artifact.file,
            artifact.size
        ));
    }
    match package.artifacts.len() {
        0 => printer.progress("nothing to package: the template names no local path"),
        _ => printer.progress(&format!(
            "`{FOLDER}/{LIST}` lists them; `fenrir deploy` uploads and deploys them"
        )),
    }
    Ok(Exit::Success)
}
