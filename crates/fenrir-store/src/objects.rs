//! Objects in S3: what Fenrir wrote itself, what a client stored, and artifacts.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_types::SdkConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fenrir_core::deployment::{Head, Manifest, ManifestAt, Pointer};
use fenrir_core::error::{ErrorName, Fault, FaultKind, StepError};
use fenrir_core::keys;
use fenrir_core::ownership::Artifact;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// The right to write an object.
const PUT: &str = "s3:PutObject";
/// The right to read an object's newest version.
const GET: &str = "s3:GetObject";
/// The right to read a version that is named.
const GET_VERSION: &str = "s3:GetObjectVersion";

/// Bytes of an artifact: 250 MB. Unzipped it may not be larger (Lambda quotas, "Deployment package"), and zipped it is
/// hardly ever the larger one.
pub const ARTIFACT_LIMIT: u64 = 262_144_000;
/// Bytes of anything that is read into memory. The largest, the processed template of a change set, has at most 1 MB
/// (`CloudFormation` quotas, "Template body size in an S3 object") before it is indented.
pub const TEXT_LIMIT: u64 = 8 * 1024 * 1024;
/// Times that an artifact is read anew when the connection breaks in its middle, where the SDK does not try again.
const READS: usize = 3;

/// Why an object could not be written, read or believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The call failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// There is no such object or version.
    #[error("`{0}` is not there")]
    Missing(String),
    /// There is no such bucket.
    #[error("there is no bucket `{0}`")]
    NoBucket(String),
    /// The bucket keeps no versions, so the object may change under our hands.
    #[error("`{0}` has no version: its bucket must have versioning switched on")]
    Unversioned(String),
    /// The pointer leads elsewhere than to what Fenrir wrote for this release.
    #[error("`{0}` was not written by Fenrir for this release")]
    NotOwn(String),
    /// The bytes are not those that were promised.
    #[error("`{0}` is not what was written: its SHA-256 differs")]
    Changed(String),
    /// Too large.
    #[error("`{what}` has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// The object.
        what: String,
        /// Its size, in bytes.
        bytes: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Not the JSON that was expected.
    #[error("`{what}` cannot be decoded: {why}")]
    Garbled {
        /// The object.
        what: String,
        /// Why.
        why: String,
    },
}

impl Error {
    /// The error of a step that could not go on while `doing` something.
    #[must_use]
    pub fn into_step(self, name: ErrorName, doing: &str) -> StepError {
        match self {
            Self::Fault(fault) => fault.into_step(name, doing),
            other => StepError::new(name, format!("{doing}: {other}")),
        }
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.kind == FaultKind::Transient)
    }
}

/// An object that was read as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its version.
    pub version_id: String,
}

/// S3 in one region, with one role.
#[derive(Debug, Clone)]
pub struct Objects {
    client: Client,
}

impl Objects {
    /// S3 as `config` reaches it.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_s3::config::Builder::from(config)
            // Everything that is read is hashed here; the SDK need not hash it, too.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }

    /// Writes `body` as Fenrir's own object `name` of the release. Writing it again makes another version.
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::Unversioned`].
    pub async fn put_own(&self, head: &Head, name: &str, content_type: &str, body: Vec<u8>) -> Result<Pointer, Error> {
        let key = keys::own(&head.owner(), &head.release_id, name);
        let digest = Sha256::digest(&body);
        let answer = self
            .client
            .put_object()
            .bucket(&head.bucket)
            .key(&key)
            .content_type(content_type)
            .checksum_sha256(BASE64.encode(digest))
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| fenrir_aws::fault(PUT, &error))?;
        Ok(Pointer {
            version_id: real_version(answer.version_id, &head.bucket, &key)?,
            bucket: head.bucket.clone(),
            key,
            sha256: hex(&digest),
        })
    }

    /// Reads what a pointer of the state leads to, if it is Fenrir's own of this very release and unchanged.
    ///
    /// # Errors
    /// [`Error::NotOwn`] before anything is read; [`Error::Changed`], [`Error::Missing`], [`Error::TooLarge`],
    /// [`Error::Fault`].
    pub async fn get_own(&self, head: &Head, pointer: &Pointer) -> Result<Vec<u8>, Error> {
        let what = address(&pointer.bucket, &pointer.key);
        if !pointer.is_own(head) {
            return Err(Error::NotOwn(what));
        }
        let version = Some(pointer.version_id.as_str());
        let read = self.read(&pointer.bucket, &pointer.key, version, TEXT_LIMIT).await?;
        if hex_sha256(&read.bytes) == pointer.sha256 {
            Ok(read.bytes)
        } else {
            Err(Error::Changed(what))
        }
    }

    /// [`Objects::get_own`], decoded from JSON.
    ///
    /// # Errors
    /// Those, and [`Error::Garbled`].
    pub async fn get_own_json<T: DeserializeOwned>(&self, head: &Head, pointer: &Pointer) -> Result<T, Error> {
        let bytes = self.get_own(head, pointer).await?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Garbled {
            what: address(&pointer.bucket, &pointer.key),
            why: error.to_string(),
        })
    }

    /// The release's manifest, wherever it is.
    ///
    /// # Errors
    /// Those of [`Objects::get_own_json`], when it is stored.
    pub async fn manifest(&self, head: &Head, at: &ManifestAt) -> Result<Manifest, Error> {
        match at {
            ManifestAt::Here(manifest) => Ok(manifest.clone()),
            ManifestAt::Stored(pointer) => self.get_own_json(head, pointer).await,
        }
    }

    /// Reads an object of at most `limit` bytes; its newest version, unless one is named.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NoBucket`], [`Error::TooLarge`], [`Error::Unversioned`], [`Error::Fault`].
    pub async fn read(&self, bucket: &str, key: &str, version: Option<&str>, limit: u64) -> Result<Read, Error> {
        let mut answer = self.open(bucket, key, version, limit).await?;
        let version_id = real_version(answer.version_id.take(), bucket, key)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.body.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| broken(&error))?);
            refuse_above(limit, bytes.len() as u64, bucket, key)?;
        }
        Ok(Read { bytes, version_id })
    }

    /// Hashes an object as it streams by, and pins the version that was hashed. The memory it takes does not grow with
    /// the object.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NoBucket`], [`Error::TooLarge`], [`Error::Unversioned`], [`Error::Fault`].
    pub async fn hash(&self, bucket: &str, key: &str) -> Result<Artifact, Error> {
        let mut version = None;
        let mut last = None;
        for _ in 0..READS {
            match self.hash_once(bucket, key, &mut version).await {
                Err(error) if error.is_transient() => last = Some(error),
                done => return done,
            }
        }
        Err(last.unwrap_or_else(|| Error::Missing(address(bucket, key))))
    }

    async fn hash_once(&self, bucket: &str, key: &str, version: &mut Option<String>) -> Result<Artifact, Error> {
        let mut answer = self.open(bucket, key, version.as_deref(), ARTIFACT_LIMIT).await?;
        let version_id = real_version(answer.version_id.take(), bucket, key)?;
        *version = Some(version_id.clone());
        let (mut digest, mut size) = (Sha256::new(), 0_u64);
        while let Some(chunk) = answer.body.next().await {
            let chunk = chunk.map_err(|error| broken(&error))?;
            size += chunk.len() as u64;
            refuse_above(ARTIFACT_LIMIT, size, bucket, key)?;
            digest.update(&chunk);
        }
        Ok(Artifact {
            sha256: hex(&digest.finalize()),
            version_id: Some(version_id),
            size: Some(size),
            text: None,
        })
    }

    /// Begins to read, unless the object says that it is larger than `limit` bytes.
    async fn open(&self, bucket: &str, key: &str, version: Option<&str>, limit: u64) -> Result<GetObjectOutput, Error> {
        let action = if version.is_some() { GET_VERSION } else { GET };
        let request = self
            .client
            .get_object()
            .bucket(bucket)
            .key(key)
            .set_version_id(version.map(str::to_owned));
        let answer = request.send().await.map_err(|error| {
            let fault = fenrir_aws::fault(action, &error);
            if fault.is("NoSuchKey") || fault.is("NoSuchVersion") {
                Error::Missing(address(bucket, key))
            } else if fault.is("NoSuchBucket") {
                Error::NoBucket(bucket.to_owned())
            } else {
                Error::Fault(fault)
            }
        })?;
        let bytes = answer
            .content_length
            .and_then(|length| u64::try_from(length).ok())
            .unwrap_or_default();
        refuse_above(limit, bytes, bucket, key)?;
        Ok(answer)
    }
}

fn refuse_above(limit: u64, bytes: u64, bucket: &str, key: &str) -> Result<(), Error> {
    if bytes > limit {
        let what = address(bucket, key);
        return Err(Error::TooLarge { what, bytes, limit });
    }
    Ok(())
}

/// The version of an answer. `null` is that of a bucket whose versioning is suspended: it names whatever is newest.
fn real_version(version: Option<String>, bucket: &str, key: &str) -> Result<String, Error> {
    version
        .filter(|version| !version.is_empty() && version != "null")
        .ok_or_else(|| Error::Unversioned(address(bucket, key)))
}

fn broken(error: &aws_sdk_s3::primitives::ByteStreamError) -> Error {
    Error::Fault(Fault {
        kind: FaultKind::Transient,
        action: GET,
        code: None,
        message: format!("the connection broke while the object was read: {error}"),
    })
}

fn address(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

/// The SHA-256 of `bytes` in lower-case hex.
#[must_use]
pub fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
