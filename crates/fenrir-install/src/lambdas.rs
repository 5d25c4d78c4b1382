//! The code of the steps: found, proven to be for one kind of processor, and packed so that the same binary is the same
//! zip.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{io, thread};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::error::Error;

/// What `provided.al2023` runs. Source: Lambda Developer Guide, "Building a custom runtime".
const BOOTSTRAP: &str = "bootstrap";
/// Read and run by whatever user Lambda has.
const MODE: u32 = 0o755;
/// How hard a zip is packed: it is sent once, and loaded at every cold start.
const PACKED_HARD: i64 = 9;

/// What the code was built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// `arm64`.
    Arm64,
    /// `x86_64`.
    X86,
}

impl Architecture {
    /// As Lambda spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }

    /// Of a program, by the header of its file; none when it is no 64-bit ELF program for either.
    ///
    /// Source: elf(5), `e_ident` and `e_machine`.
    #[must_use]
    pub fn of_program(bytes: &[u8]) -> Option<Self> {
        let is_elf64 = bytes.starts_with(&[0x7f, b'E', b'L', b'F', 2, 1]);
        let machine = bytes.get(18..20).filter(|_| is_elf64)?;
        match machine {
            [183, 0] => Some(Self::Arm64),
            [62, 0] => Some(Self::X86),
            _ => None,
        }
    }
}

/// The code of all Lambdas.
#[derive(Debug)]
pub struct Code {
    /// What they were built for.
    pub architecture: Architecture,
    programs: BTreeMap<String, Vec<u8>>,
}

impl Code {
    /// Reads `<folder>/<name>/bootstrap` of each of `names`.
    ///
    /// # Errors
    /// What is missing or is no program for Lambda, all of it at once; programs for different processors.
    pub fn read(folder: &Path, names: &[&str]) -> Result<Self, Error> {
        let mut programs = BTreeMap::new();
        let (mut missing, mut strange) = (Vec::new(), Vec::new());
        let mut built_for: BTreeMap<Architecture, Vec<&str>> = BTreeMap::new();
        for name in names {
            let path = path(folder, name);
            let Ok(bytes) = fs::read(&path) else {
                missing.push(format!("`{}`", path.display()));
                continue;
            };
            match Architecture::of_program(&bytes) {
                Some(architecture) => built_for.entry(architecture).or_default().push(name),
                None => strange.push(format!("`{}`", path.display())),
            }
            programs.insert((*name).to_owned(), bytes);
        }
        let built = "`make release` builds them; `--lambdas FOLDER` says where they lie";
        if !missing.is_empty() {
            return Err(Error::unusable(
                format!(
                    "the code of the steps is not complete: {} cannot be read",
                    list(&missing)
                ),
                built,
            ));
        }
        if !strange.is_empty() {
            return Err(Error::unusable(
                format!(
                    "{} is no program that Lambda runs: 64-bit Linux, arm64 or x86_64",
                    list(&strange)
                ),
                built,
            ));
        }
        let mut architectures = built_for.keys();
        if let (Some(architecture), None) = (architectures.next(), architectures.next()) {
            return Ok(Self {
                architecture: *architecture,
                programs,
            });
        }
        let groups: Vec<String> = built_for
            .iter()
            .map(|(architecture, names)| format!("{} for {}", names.join(", "), architecture.name()))
            .collect();
        Err(Error::unusable(
            format!("the steps are built for different processors: {}", groups.join("; ")),
            "build them anew: `make release`, or `make release ARCH=x86-64`",
        ))
    }

    /// The zip of each, packed at once on all processors.
    ///
    /// # Errors
    /// A zip cannot be written.
    pub fn pack(self) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let waiting = Mutex::new(self.programs.into_iter());
        let packed = Mutex::new(Ok(BTreeMap::new()));
        let work = || {
            loop {
                let Some((name, program)) = waiting.lock().ok().and_then(|mut waiting| waiting.next()) else {
                    return;
                };
                let zip = zip(&program);
                let Ok(mut packed) = packed.lock() else { return };
                match (zip, packed.as_mut()) {
                    (Ok(zip), Ok(packed)) => {
                        packed.insert(name, zip);
                    }
                    (Err(error), Ok(_)) => *packed = Err(error),
                    (_, Err(_)) => {}
                }
            }
        };
        let workers = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(work);
            }
        });
        let packed = packed
            .into_inner()
            .unwrap_or_else(|_| Err(io::Error::other("a thread stopped")));
        packed.map_err(|error| Error::failed(format!("the code of the steps cannot be packed: {error}"), "try again"))
    }
}

/// Where the program of a Lambda lies.
fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).join(BOOTSTRAP)
}

fn list(names: &[String]) -> String {
    names.join(", ")
}

fn zip(program: &[u8]) -> io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level()))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(MODE);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(BOOTSTRAP, options)?;
    zip.write_all(program)?;
    Ok(zip.finish()?.into_inner())
}

/// What is not optimised is not shipped: to pack it hard would take longer than a local AWS gives back.
const fn level() -> i64 {
    if cfg!(debug_assertions) { 1 } else { PACKED_HARD }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test that cannot go on has failed"
    )]
    use super::*;

    fn program(machine: u8) -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1];
        bytes.resize(18, 0);
        bytes.extend([machine, 0]);
        bytes
    }

    fn folder(programs: &[(&str, Vec<u8>)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!(
            "fenrir-install-{}-{:?}",
            std::process::id(),
            thread::current().id()
        ));
        let _old = fs::remove_dir_all(&folder);
        for (name, bytes) in programs {
            fs::create_dir_all(folder.join(name)).unwrap();
            fs::write(path(&folder, name), bytes).unwrap();
        }
        folder
    }

    #[test]
    fn the_processor_is_read_from_the_program_itself() {
        assert_eq!(Architecture::of_program(&program(183)), Some(Architecture::Arm64));
        assert_eq!(Architecture::of_program(&program(62)), Some(Architecture::X86));
        for other in [&program(40)[..], b"#!/bin/sh", &program(62)[..19], b""] {
            assert_eq!(Architecture::of_program(other), None);
        }
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let folder = folder(&[("lock", program(62))]);
        let error = Code::read(&folder, &["execute", "lock", "validate"]).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("execute/bootstrap`, `") && said.contains("validate/bootstrap`"),
            "{said}"
        );
        assert!(!said.contains("lock/bootstrap"), "{said}");
    }

    #[test]
    fn programs_for_different_processors_are_refused() {
        let folder = folder(&[
            ("lock", program(62)),
            ("validate", program(183)),
            ("execute", program(62)),
        ]);
        let error = Code::read(&folder, &["execute", "lock", "validate"]).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("validate for arm64; execute, lock for x86_64"), "{said}");
        fs::write(path(&folder, "lock"), "#!/bin/sh").unwrap();
        let error = Code::read(&folder, &["lock"]).unwrap_err();
        assert!(error.to_string().contains("no program that Lambda runs"), "{error}");
    }

    #[test]
    fn the_same_program_is_the_same_zip() {
        let folder = folder(&[("lock", program(62)), ("validate", program(62))]);
        let pack = || Code::read(&folder, &["lock", "validate"]).unwrap().pack().unwrap();
        let zips = pack();
        assert_eq!(zips, pack());
        assert_eq!(zips.keys().collect::<Vec<_>>(), ["lock", "validate"]);
        assert_eq!(zips.get("lock"), zips.get("validate"));
    }
}
