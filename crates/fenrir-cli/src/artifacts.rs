//! The packed files in the deployer's bucket: where each lies, and the template that names them there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fenrir_core::keys;
use fenrir_core::owner::Owner;
use fenrir_core::template::Document;
use serde_json::Value;

use crate::aws::Aws;
use crate::fault::Fault;
use crate::package::{self, Package};
use crate::printer::Printer;
use crate::upload::{self, Upload};

/// All artifacts of a release.
#[derive(Debug, Default)]
pub struct Artifacts(Vec<Artifact>);

#[derive(Debug)]
struct Artifact {
    /// JSON pointer of the property that names it.
    path: String,
    /// What it is, for people.
    label: String,
    key: String,
    uri: String,
    file: PathBuf,
    sha256: String,
    size: u64,
}

impl Artifacts {
    /// Where each file of `package` lies in the deployer's bucket: named by its content, so that the same code keeps
    /// its key from release to release.
    #[must_use]
    pub fn place(bucket: &str, owner: &Owner, template: &Path, package: &Package) -> Self {
        let place = |artifact: &package::Artifact| {
            let suffix = artifact.file.strip_prefix(&artifact.sha256).unwrap_or_default();
            let key = keys::artifact(owner, &artifact.sha256, suffix);
            Artifact {
                path: artifact.path.clone(),
                label: format!("{}: {}", artifact.label(), artifact.source),
                uri: format!("s3://{bucket}/{key}"),
                key,
                file: package::file(template, artifact),
                sha256: artifact.sha256.clone(),
                size: artifact.size,
            }
        };
        Self(package.artifacts.iter().map(place).collect())
    }

    /// The template with the artifacts' addresses in place of the local paths.
    #[must_use]
    pub fn rewrite(&self, document: &Document) -> Value {
        let mut template = document.value().clone();
        for artifact in &self.0 {
            if let Some(property) = template.pointer_mut(&artifact.path) {
                *property = Value::String(artifact.uri.clone());
            }
        }
        template
    }

    /// The release's `s3_uris_sha256s`.
    #[must_use]
    pub fn hashes(&self) -> BTreeMap<String, String> {
        self.0
            .iter()
            .map(|artifact| (artifact.uri.clone(), artifact.sha256.clone()))
            .collect()
    }

    /// Uploads what the bucket does not have, and says what it did.
    ///
    /// # Errors
    /// The bucket does not take one of them.
    pub async fn upload(&self, aws: &Aws, printer: &mut Printer) -> Result<(), Fault> {
        let uploads = self.0.iter().map(|artifact| Upload {
            key: artifact.key.clone(),
            file: artifact.file.clone(),
            sha256: artifact.sha256.clone(),
        });
        let sent = upload::files(aws, uploads.collect()).await?;
        for artifact in &self.0 {
            let done = if sent.get(&artifact.key) == Some(&true) {
                "uploaded"
            } else {
                "unchanged"
            };
            printer.progress(&format!("{done} {} ({} bytes)", artifact.label, artifact.size));
        }
        Ok(())
    }
}
