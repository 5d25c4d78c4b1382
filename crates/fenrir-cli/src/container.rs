//! Code that a container image builds: `docker` or `podman` builds the folder's Dockerfile, and the zip is copied out.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use tempfile::TempDir;

/// What makes a folder one that is built in a container.
pub const DOCKERFILE: &str = "Dockerfile";

/// Engines, in the order they are looked for.
const ENGINES: [&str; 2] = ["docker", "podman"];

/// Why no zip came out.
#[derive(Debug, thiserror::Error)]
pub enum NotBuilt {
    /// Neither engine is there.
    #[error("neither `docker` nor `podman` is installed")]
    NoEngine,
    /// The engine could not be started.
    #[error("`{engine}` cannot be started: {}", crate::source::reason(.error))]
    NotStarted {
        /// Which.
        engine: &'static str,
        /// Why.
        error: io::Error,
    },
    /// The engine answered with a failure; its own words are on the terminal.
    #[error("`{0}` failed, see its own words above")]
    Failed(String),
    /// The image has no such file.
    #[error("the image has no `{0}`")]
    NotInImage(String),
}

/// An image that was built, and the engine that has it.
#[derive(Debug, Clone)]
pub struct Image {
    engine: &'static str,
    id: String,
}

/// Builds the image of `folder`. What the engine says goes to our stderr as it comes: a build takes minutes.
///
/// # Errors
/// There is no engine, or the build fails.
pub fn build(folder: &Path) -> Result<Image, NotBuilt> {
    let engine = engine().ok_or(NotBuilt::NoEngine)?;
    let failed = |error| NotBuilt::NotStarted { engine, error };
    // Absolute, so that no folder's name reads as an option.
    let context = folder.canonicalize().map_err(failed)?;
    let scratch = TempDir::new().map_err(failed)?;
    let id_file = scratch.path().join("image");
    let status = Command::new(engine)
        .args([
            OsStr::new("build"),
            OsStr::new("--iidfile"),
            id_file.as_os_str(),
            context.as_os_str(),
        ])
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .map_err(failed)?;
    let id = fs::read_to_string(&id_file).unwrap_or_default().trim().to_owned();
    if !status.success() || id.is_empty() {
        return Err(NotBuilt::Failed(format!("{engine} build {}", folder.display())));
    }
    Ok(Image { engine, id })
}

impl Image {
    /// Copies `path` out of the image to `to`, by a container that never runs.
    ///
    /// # Errors
    /// There is no such file in the image, or the engine fails.
    pub fn copy_out(&self, path: &str, to: &Path) -> Result<(), NotBuilt> {
        // An image of only files has no command, and without one `create` refuses; it is never run.
        let container = self.run(&["create".as_ref(), self.id.as_ref(), "fenrir".as_ref()])?;
        let container = container.ok_or_else(|| NotBuilt::Failed(format!("{} create", self.engine)))?;
        let from = format!("{container}:{path}");
        let copied = self.run(&["cp".as_ref(), from.as_ref(), to.as_os_str()])?;
        self.run(&["rm".as_ref(), container.as_ref()])?;
        match copied {
            Some(_) => Ok(()),
            None => Err(NotBuilt::NotInImage(path.to_owned())),
        }
    }

    /// What the engine says on stdout; `None` when it fails.
    fn run(&self, arguments: &[&OsStr]) -> Result<Option<String>, NotBuilt> {
        let output = Command::new(self.engine)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| NotBuilt::NotStarted {
                engine: self.engine,
                error,
            })?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(output.status.success().then_some(said))
    }
}

/// The engine that would build an image, if there is one.
#[must_use]
pub fn engine() -> Option<&'static str> {
    ENGINES.iter().copied().find(|engine| is_there(engine))
}

/// Whether a program of this name can be started.
#[must_use]
pub fn is_there(engine: &str) -> bool {
    Command::new(engine)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
