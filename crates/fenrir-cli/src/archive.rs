//! Zips that are the same bytes for the same files, on every machine and at every time, so that unchanged code keeps
//! its key, its version, and is not deployed again.
//!
//! What goes in: every file of the folder, without those that `.gitignore` and `.fenrirignore` of the folder and below
//! name. `.fenrirignore` is the stronger one: `!node_modules/` there brings back what `.gitignore` leaves out. Rules
//! outside of the folder say nothing, or the same folder would give another zip elsewhere. Never packed is what differs
//! from machine to machine and no function needs: [`NEVER`]. Empty folders are not packed.
//!
//! A symbolic link is packed as the file or folder it leads to, and refused when that lies outside of the folder.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::WalkBuilder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::source::reason;

/// Names that are never packed.
pub const NEVER: [&str; 6] = [
    ".git",
    ".fenrir",
    ".gitignore",
    ".fenrirignore",
    "__pycache__",
    ".DS_Store",
];

/// Ignore rules of Fenrir's own.
pub const IGNORE_FILE: &str = ".fenrirignore";

/// Bytes that a function's code may have unzipped, layers included: 250 MB. Source: Lambda quotas, "Deployment package
/// size". (Its 50 MB for the zip are for direct uploads; Fenrir's code comes from S3.)
pub const UNZIPPED_LIMIT: u64 = 250 * 1024 * 1024;

/// The mode of every entry: readable by the user that Lambda runs as, and executable, which `bootstrap` must be. One
/// mode for all, because checkouts and systems differ in theirs.
const MODE: u32 = 0o755;

/// A file in `.fenrir/`, named by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// File name.
    pub file: String,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
}

/// Why something cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum Unpackable {
    /// The operating system refused.
    #[error("`{path}` cannot be read: {}", reason(.error))]
    Unreadable {
        /// What.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The result cannot be written.
    #[error("`{path}` cannot be written: {}", reason(.error))]
    Unwritable {
        /// Where.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A symbolic link that leads out of the folder, in a circle, or nowhere.
    #[error("the symbolic link `{0}` leads out of the folder, in a circle, or nowhere")]
    Link(String),
    /// A socket, a pipe, a device.
    #[error("`{0}` is neither a file nor a folder")]
    Special(String),
    /// A file name that a zip cannot carry.
    #[error("the file name `{0}` is no UTF-8")]
    Name(String),
    /// No file, or all of them ignored.
    #[error("there is no file to pack in `{0}`")]
    Empty(String),
    /// Larger than Lambda takes.
    #[error("`{path}` has {size} bytes unzipped, more than the {UNZIPPED_LIMIT} (250 MB) that Lambda takes")]
    TooLarge {
        /// What.
        path: String,
        /// Bytes.
        size: u64,
    },
    /// Not a zip, or a damaged one.
    #[error("`{0}` is no zip that can be read")]
    NoZip(String),
}

/// The folder of packed files, made when it is first needed.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// A store in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where a packed file lies.
    #[must_use]
    pub fn path(&self, packed: &Packed) -> PathBuf {
        self.folder.join(&packed.file)
    }

    /// Zips the files of `folder`, without `template`, whose changes are no changes of code.
    ///
    /// # Errors
    /// Something in it cannot be packed.
    pub fn zip_folder(&self, folder: &Path, template: &Path) -> Result<Packed, Unpackable> {
        let entries = entries(folder, template)?;
        let size = entries.iter().map(|entry| entry.size).sum();
        within_limit(folder, size)?;
        let mut file = self.temporary()?;
        write_zip(file.as_file_mut(), &entries).map_err(|(path, error)| Unpackable::Unreadable { path, error })?;
        self.keep(file, ".zip")
    }

    /// Takes a zip as it is.
    ///
    /// # Errors
    /// It is no zip, or too large.
    pub fn take_zip(&self, path: &Path) -> Result<Packed, Unpackable> {
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        let no_zip = || Unpackable::NoZip(path.display().to_string());
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|_| no_zip())?;
        if archive.is_empty() {
            return Err(Unpackable::Empty(path.display().to_string()));
        }
        let mut size = 0_u64;
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(|_| no_zip())?;
            size = size.saturating_add(entry.size());
        }
        within_limit(path, size)?;
        self.take(path, ".zip")
    }

    /// Takes a file as it is, ending its name in `suffix`.
    ///
    /// # Errors
    /// It cannot be read, or its copy not written.
    pub fn take(&self, path: &Path, suffix: &str) -> Result<Packed, Unpackable> {
        let mut from = File::open(path).map_err(|error| unreadable(path, error))?;
        let mut to = self.temporary()?;
        io::copy(&mut from, &mut to).map_err(|error| unreadable(path, error))?;
        self.keep(to, suffix)
    }

    fn temporary(&self) -> Result<NamedTempFile, Unpackable> {
        fs::create_dir_all(&self.folder)
            .and_then(|()| NamedTempFile::new_in(&self.folder))
            .map_err(|error| unwritable(&self.folder, error))
    }

    /// Names a finished file by its content.
    fn keep(&self, mut file: NamedTempFile, suffix: &str) -> Result<Packed, Unpackable> {
        let failed = |error| unwritable(&self.folder, error);
        file.flush().map_err(failed)?;
        let (sha256, size) = hash(file.path()).map_err(failed)?;
        let packed = Packed {
            file: format!("{sha256}{suffix}"),
            sha256,
            size,
        };
        file.persist(self.path(&packed)).map_err(|e| failed(e.error))?;
        Ok(packed)
    }
}

/// SHA-256 and length of a file, read as a stream: memory does not grow with it.
///
/// # Errors
/// It cannot be read.
pub fn hash(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok((hex(&hasher.finalize()), size));
        };
        hasher.update(bytes);
        size += read as u64;
    }
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _done = write!(hex, "{byte:02x}");
        hex
    })
}

/// A file to be packed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// Name in the zip, `/` between its parts. First, because entries are sorted by it.
    name: String,
    path: PathBuf,
    size: u64,
}

/// All files of `folder` that are packed, sorted by name.
fn entries(folder: &Path, template: &Path) -> Result<Vec<Entry>, Unpackable> {
    let root = folder.canonicalize().map_err(|error| unreadable(folder, error))?;
    let template = template.canonicalize().ok();
    let escaped = Arc::new(Mutex::new(None));
    let mut entries = Vec::new();
    for found in walk(&root, &escaped) {
        let found = found.map_err(|error| walked_into(&root, error))?;
        let kind = found.file_type();
        if kind.is_some_and(|kind| kind.is_dir()) || template.as_deref() == Some(found.path()) {
            continue;
        }
        let shown = || {
            found
                .path()
                .strip_prefix(&root)
                .unwrap_or(found.path())
                .display()
                .to_string()
        };
        if !kind.is_some_and(|kind| kind.is_file()) {
            return Err(Unpackable::Special(shown()));
        }
        entries.push(Entry {
            name: zip_name(&root, found.path()).ok_or_else(|| Unpackable::Name(shown()))?,
            size: found.metadata().map_err(|error| walked_into(&root, error))?.len(),
            path: found.into_path(),
        });
    }
    if let Some(link) = escaped.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(Unpackable::Link(link));
    }
    if entries.is_empty() {
        return Err(Unpackable::Empty(folder.display().to_string()));
    }
    entries.sort();
    Ok(entries)
}

/// Walks `root` under the ignore rules. The first link that leads out of it is told by `escaped` and not followed.
fn walk(root: &Path, escaped: &Arc<Mutex<Option<String>>>) -> ignore::Walk {
    let (inside, escaped) = (root.to_owned(), Arc::clone(escaped));
    WalkBuilder::new(root)
        .standard_filters(false)
        .git_ignore(true)
        .require_git(false)
        .add_custom_ignore_filename(IGNORE_FILE)
        .follow_links(true)
        .filter_entry(move |entry| {
            if entry.depth() > 0 && NEVER.iter().any(|name| entry.file_name() == *name) {
                return false;
            }
            let stays = !entry.path_is_symlink() || entry.path().canonicalize().is_ok_and(|to| to.starts_with(&inside));
            if !stays {
                let shown = entry
                    .path()
                    .strip_prefix(&inside)
                    .unwrap_or(entry.path())
                    .display()
                    .to_string();
                escaped
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(shown);
            }
            stays
        })
        .build()
}

/// What the walk could not pass.
fn walked_into(root: &Path, error: ignore::Error) -> Unpackable {
    let (path, is_link) = blamed(&error, root);
    let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
    match error.into_io_error() {
        Some(error) if !is_link => Unpackable::Unreadable { path: shown, error },
        _ => Unpackable::Link(shown),
    }
}

/// The path that an error of the walk is about, and whether it is a link (a broken one, or one in a circle).
fn blamed(error: &ignore::Error, root: &Path) -> (PathBuf, bool) {
    match error {
        ignore::Error::WithPath { path, .. } => (path.clone(), path.is_symlink()),
        ignore::Error::Loop { child, .. } => (child.clone(), true),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => blamed(err, root),
        _ => (root.to_owned(), false),
    }
}

fn zip_name(root: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/"))
}

/// Writes the zip; an error comes with the path it is about.
fn write_zip(to: &mut File, entries: &[Entry]) -> Result<(), (String, io::Error)> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(MODE);
    let mut zip = ZipWriter::new(BufWriter::new(to));
    for entry in entries {
        let about = |error| (entry.path.display().to_string(), error);
        zip.start_file(&entry.name, options).map_err(|e| about(e.into()))?;
        let mut file = File::open(&entry.path).map_err(about)?;
        io::copy(&mut file, &mut zip).map_err(about)?;
    }
    let about = |error| ("the zip".to_owned(), error);
    let mut inner = zip.finish().map_err(|e| about(e.into()))?;
    inner.flush().map_err(about)
}

fn within_limit(path: &Path, size: u64) -> Result<(), Unpackable> {
    if size > UNZIPPED_LIMIT {
        return Err(Unpackable::TooLarge {
            path: path.display().to_string(),
            size,
        });
    }
    Ok(())
}

fn unreadable(path: &Path, error: io::Error) -> Unpackable {
    Unpackable::Unreadable {
        path: path.display().to_string(),
        error,
    }
}

fn unwritable(path: &Path, error: io::Error) -> Unpackable {
    Unpackable::Unwritable {
        path: path.display().to_string(),
        error,
    }
}
