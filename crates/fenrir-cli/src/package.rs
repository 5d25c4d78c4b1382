//! Packaging: from the local paths of a template to files named by their content, and the list of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fenrir_core::problem::{Problem, pointer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

use crate::archive::{Packed, Store, Unpackable, hex};
use crate::container::{self, DOCKERFILE, Image, NotBuilt};
use crate::fault::Fault;
use crate::source::{Source, reason};

/// Folder of the packed files, beside the template.
pub const FOLDER: &str = ".fenrir";
/// The list of them, in [`FOLDER`].
pub const LIST: &str = "package.json";

/// Bytes of a definition file: what the deployer reads back to check it.
const DEFINITION_LIMIT: u64 = 1024 * 1024;

/// What is expected at a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A zip of code or of a layer.
    Zip,
    /// An API's or a state machine's definition.
    Definition,
}

/// Properties whose local path is packaged: resource type, property, kind.
const PROPERTIES: [(&str, &str, Kind); 5] = [
    ("AWS::Serverless::Function", "CodeUri", Kind::Zip),
    ("AWS::Serverless::LayerVersion", "ContentUri", Kind::Zip),
    ("AWS::Serverless::Api", "DefinitionUri", Kind::Definition),
    ("AWS::Serverless::HttpApi", "DefinitionUri", Kind::Definition),
    ("AWS::Serverless::StateMachine", "DefinitionUri", Kind::Definition),
];

/// A local path in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Where in the template, as a JSON pointer.
    pub path: String,
    /// Logical id; `None` in Globals.
    pub logical_id: Option<String>,
    /// What is expected there.
    pub kind: Kind,
    /// As the developer wrote it, relative to the template.
    pub source: String,
}

/// One packed file and the place of the template that refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// JSON pointer.
    pub path: String,
    /// As the developer wrote it.
    pub source: String,
    /// Name in [`FOLDER`]: the SHA-256 and the suffix.
    pub file: String,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl Artifact {
    /// What it is for, as a developer would call it: `Hello.CodeUri`.
    #[must_use]
    pub fn label(&self) -> String {
        let parts = self
            .path
            .split('/')
            .filter(|part| !matches!(*part, "" | "Resources" | "Properties"));
        parts.collect::<Vec<_>>().join(".")
    }
}

/// Everything that a template needs: the content of [`LIST`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// SHA-256 of the template file that it was made for.
    pub template_sha256: String,
    /// In the order of the template.
    pub artifacts: Vec<Artifact>,
}

/// The local paths of a template, in its order. What is written in another form than a text, or is a URI, is not ours
/// to package: the policy judges it.
#[must_use]
pub fn references(template: &Value) -> Vec<Reference> {
    let globals = template.get("Globals").and_then(Value::as_object).into_iter().flatten();
    let of_globals = globals.filter_map(|(section, properties)| {
        let kind = format!("AWS::Serverless::{section}");
        reference(&kind, properties, &pointer("/Globals", section), None)
    });
    let resources = template
        .get("Resources")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let of_resources = resources.filter_map(|(id, resource)| {
        let at = pointer(&pointer("/Resources", id), "Properties");
        reference(
            resource.get("Type")?.as_str()?,
            resource.get("Properties")?,
            &at,
            Some(id),
        )
    });
    of_globals.chain(of_resources).collect()
}

fn reference(kind: &str, properties: &Value, at: &str, id: Option<&String>) -> Option<Reference> {
    let (_, property, kind) = PROPERTIES.iter().find(|(of, ..)| *of == kind)?;
    let source = properties
        .get(property)?
        .as_str()
        .filter(|source| !source.contains("://"))?;
    Some(Reference {
        path: pointer(at, property),
        logical_id: id.cloned(),
        kind: *kind,
        source: source.to_owned(),
    })
}

/// Packs what the references name, into `.fenrir/` beside the template at `template`, and writes the list.
///
/// # Errors
/// All problems, each at the place of the template that names the path; or the list cannot be written.
pub fn package(template: &Path, source: &Source, references: &[Reference]) -> Result<Package, Vec<Problem>> {
    let mut packing = Packing::beside(template);
    let (mut artifacts, mut problems) = (Vec::new(), Vec::new());
    for reference in references {
        match packing.pack(reference) {
            Ok(packed) => artifacts.push(Artifact {
                path: reference.path.clone(),
                source: reference.source.clone(),
                file: packed.file,
                sha256: packed.sha256,
                size: packed.size,
            }),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let package = Package {
        template_sha256: sha256(source),
        artifacts,
    };
    packing.write(&package).map_err(|problem| vec![problem])?;
    Ok(package)
}

/// What `fenrir package` made for this very template, with every file proven.
///
/// # Errors
/// There is none, it was made for another text of the template, or a file is missing or changed.
pub fn packaged(template: &Path, source: &Source) -> Result<Package, Fault> {
    let again = |message: String| Fault::usage(message).help("run `fenrir package`");
    let list = clean(&folder(template).join(LIST));
    let text = fs::read(&list).map_err(|e| again(format!("`{}` cannot be read: {}", list.display(), reason(&e))))?;
    let package: Package = serde_json::from_slice(&text)
        .map_err(|_| again(format!("`{}` is not what `fenrir package` writes", list.display())))?;
    if package.template_sha256 != sha256(source) {
        return Err(again(format!("`{}` has changed since it was packaged", source.name)));
    }
    for artifact in &package.artifacts {
        let path = clean(&file(template, artifact));
        let proven = crate::archive::hash(&path).is_ok_and(|found| found == (artifact.sha256.clone(), artifact.size));
        if !proven {
            return Err(again(format!("`{}` is missing or was changed", path.display())));
        }
    }
    Ok(package)
}

/// Where an artifact lies.
#[must_use]
pub fn file(template: &Path, artifact: &Artifact) -> PathBuf {
    folder(template).join(&artifact.file)
}

fn sha256(source: &Source) -> String {
    use sha2::{Digest as _, Sha256};
    hex(&Sha256::digest(source.text.as_bytes()))
}

/// The folder of the template: what local paths are relative to.
#[must_use]
pub fn base(template: &Path) -> &Path {
    match template.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("."),
    }
}

fn folder(template: &Path) -> PathBuf {
    base(template).join(FOLDER)
}

/// Packs, each folder and each image once.
struct Packing<'a> {
    template: &'a Path,
    store: Store,
    folders: BTreeMap<PathBuf, Packed>,
    images: BTreeMap<PathBuf, Image>,
}

impl<'a> Packing<'a> {
    fn beside(template: &'a Path) -> Self {
        Self {
            template,
            store: Store::new(folder(template)),
            folders: BTreeMap::new(),
            images: BTreeMap::new(),
        }
    }

    fn pack(&mut self, reference: &Reference) -> Result<Packed, Problem> {
        let path = clean(&base(self.template).join(&reference.source));
        if !path.exists() {
            let message = format!("`{}` is not there", path.display());
            return Err(Problem::error("F0801", &reference.path, message)
                .help("a local path is relative to the folder of the template"));
        }
        match reference.kind {
            Kind::Definition => self.definition(reference, &path),
            Kind::Zip if path.join(DOCKERFILE).is_file() => self.image(reference, &path),
            Kind::Zip if path.is_dir() => self.folder(reference, path),
            Kind::Zip => self
                .store
                .take_zip(&path)
                .map_err(|error| unpackable(reference, &error)),
        }
    }

    fn folder(&mut self, reference: &Reference, path: PathBuf) -> Result<Packed, Problem> {
        if let Some(packed) = self.folders.get(&path) {
            return Ok(packed.clone());
        }
        // `cargo lambda build --output-format zip` leaves only this in its folder.
        let zip = path.join("bootstrap.zip");
        let packed = if zip.is_file() && !path.join("bootstrap").exists() {
            self.store.take_zip(&zip)
        } else {
            self.store.zip_folder(&path, self.template)
        };
        let packed = packed.map_err(|error| unpackable(reference, &error))?;
        self.folders.insert(path, packed.clone());
        Ok(packed)
    }

    /// Builds the image of the folder and takes `/<logical id>.zip` out of it.
    fn image(&mut self, reference: &Reference, path: &Path) -> Result<Packed, Problem> {
        let Some(id) = &reference.logical_id else {
            let message = format!(
                "`{}` has a Dockerfile, which gives one zip for each function",
                path.display()
            );
            return Err(Problem::error("F0808", &reference.path, message).help("write `CodeUri` on each function"));
        };
        let not_built = |error: NotBuilt| not_built(reference, path, &error);
        let image = if let Some(image) = self.images.get(path) {
            image.clone()
        } else {
            let image = container::build(path).map_err(not_built)?;
            self.images.insert(path.to_owned(), image.clone());
            image
        };
        let scratch = TempDir::new().map_err(|error| {
            let at = std::env::temp_dir().display().to_string();
            unpackable(reference, &Unpackable::Unwritable { path: at, error })
        })?;
        let name = format!("/{id}.zip");
        let copy = scratch.path().join("code.zip");
        image.copy_out(&name, &copy).map_err(not_built)?;
        self.store.take_zip(&copy).map_err(|error| {
            let error = match error {
                Unpackable::NoZip(_) => Unpackable::NoZip(format!("{name} of the image")),
                other => other,
            };
            unpackable(reference, &error)
        })
    }

    fn definition(&self, reference: &Reference, path: &Path) -> Result<Packed, Problem> {
        let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
        if !path.is_file() {
            let message = format!("`{}` is no file, and a definition must be one", path.display());
            return Err(Problem::error("F0809", &reference.path, message).help("name a YAML or JSON file"));
        }
        if size > DEFINITION_LIMIT {
            let message = format!(
                "`{}` has {size} bytes, more than the {DEFINITION_LIMIT} of a definition",
                path.display()
            );
            return Err(Problem::error("F0804", &reference.path, message).help("split the API or the state machine"));
        }
        let suffix = match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("json") => ".json",
            _ => ".yaml",
        };
        self.store
            .take(path, suffix)
            .map_err(|error| unpackable(reference, &error))
    }

    fn write(&self, package: &Package) -> Result<(), Problem> {
        let folder = folder(self.template);
        let text = serde_json::to_string_pretty(package).unwrap_or_default() + "\n";
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join(LIST), text))
            .map_err(|e| {
                Problem::error(
                    "F0803",
                    "",
                    format!("`{}` cannot be written: {}", folder.display(), reason(&e)),
                )
            })
    }
}

/// The path without `.` parts, so that it reads as the developer would write it.
fn clean(path: &Path) -> PathBuf {
    let clean: PathBuf = path
        .components()
        .filter(|part| *part != std::path::Component::CurDir)
        .collect();
    if clean.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        clean
    }
}

fn unpackable(reference: &Reference, error: &Unpackable) -> Problem {
    let (code, help) = match error {
        Unpackable::Unreadable { .. } => ("F0802", "make it readable, or leave it out by a `.fenrirignore`"),
        Unpackable::Unwritable { .. } => ("F0803", "make the folder writable, or free some space"),
        Unpackable::TooLarge { .. } => (
            "F0804",
            "leave out what the function does not need by a `.fenrirignore`",
        ),
        Unpackable::Empty(_) => (
            "F0805",
            "is it built? do `.gitignore` or `.fenrirignore` leave out everything?",
        ),
        Unpackable::Link(_) | Unpackable::Special(_) | Unpackable::Name(_) => {
            ("F0806", "leave it out by a `.fenrirignore`, or put a file in its place")
        }
        Unpackable::NoZip(_) => ("F0807", "name a folder, or a zip"),
    };
    Problem::error(code, &reference.path, error.to_string()).help(help)
}

fn not_built(reference: &Reference, folder: &Path, error: &NotBuilt) -> Problem {
    let message = format!("`{}` is built by its Dockerfile, but {error}", folder.display());
    let help = match error {
        NotBuilt::NoEngine | NotBuilt::NotStarted { .. } => {
            "install one and start it, or build the code yourself and name the folder of the result"
        }
        NotBuilt::Failed(_) => "mend the Dockerfile",
        NotBuilt::NotInImage(_) => "let the Dockerfile put the function's zip there: `/<logical id>.zip`",
    };
    Problem::error("F0808", &reference.path, message).help(help)
}
