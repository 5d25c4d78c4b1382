//! Uploads named by content: what is already there, byte for byte, is not sent again and keeps its version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fenrir_aws::fault;
use fenrir_core::error;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use crate::aws::{Aws, unusable, words};
use crate::fault::Fault;

/// Uploads that run at once: enough to hide the way there and back, few enough for a laptop's line.
const AT_ONCE: usize = 8;

/// A file to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Key in the deployer's bucket.
    pub key: String,
    /// The file.
    pub file: PathBuf,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
}

/// Uploads what is not there yet. Tells for each key whether it was sent.
///
/// # Errors
/// The first that S3 does not take.
pub async fn files(aws: &Aws, uploads: Vec<Upload>) -> Result<BTreeMap<String, bool>, Fault> {
    // Two functions may have the same code.
    let uploads: BTreeMap<String, Upload> = uploads.into_iter().map(|upload| (upload.key.clone(), upload)).collect();
    let mut waiting = uploads.into_values();
    let (mut running, mut done) = (JoinSet::new(), BTreeMap::new());
    loop {
        while running.len() < AT_ONCE
            && let Some(upload) = waiting.next()
        {
            running.spawn(file(Bucket::of(aws), upload));
        }
        match running.join_next().await {
            Some(Ok(sent)) => {
                let (key, sent) = sent?;
                done.insert(key, sent);
            }
            Some(Err(stopped)) => return Err(Fault::failed(format!("an upload stopped: {stopped}"))),
            None => return Ok(done),
        }
    }
}

/// The deployer's bucket. A bucket of this name that belongs to another account gets nothing: S3's names are
/// everybody's, and anybody can know this one.
///
/// Source: Amazon S3 User Guide, "Verifying bucket ownership with bucket owner condition".
struct Bucket {
    s3: aws_sdk_s3::Client,
    name: String,
    owner: String,
    region: String,
}

impl Bucket {
    fn of(aws: &Aws) -> Self {
        Self {
            s3: aws.s3.clone(),
            name: aws.bucket.clone(),
            owner: aws.machine.account.clone(),
            region: aws.region.clone(),
        }
    }
}

async fn file(bucket: Bucket, upload: Upload) -> Result<(String, bool), Fault> {
    let checksum = checksum(&upload.sha256);
    if is_there(&bucket, &upload.key, &checksum).await? {
        return Ok((upload.key, false));
    }
    let body = ByteStream::from_path(&upload.file)
        .await
        .map_err(|_| unreadable(&upload.file))?;
    put(&bucket, &upload.key, body, &checksum).await?;
    Ok((upload.key, true))
}

/// Stores a text under `key`.
///
/// # Errors
/// S3 does not take it.
pub async fn text(aws: &Aws, key: &str, text: &str) -> Result<(), Fault> {
    let checksum = STANDARD.encode(Sha256::digest(text.as_bytes()));
    let body = ByteStream::from(text.as_bytes().to_vec());
    put(&Bucket::of(aws), key, body, &checksum).await
}

/// Whether the object is there with these very bytes. Its name proves nothing; S3's own checksum does.
async fn is_there(bucket: &Bucket, key: &str, checksum: &str) -> Result<bool, Fault> {
    let answer = bucket
        .s3
        .head_object()
        .bucket(&bucket.name)
        .expected_bucket_owner(&bucket.owner)
        .key(key)
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await;
    match answer {
        Ok(answer) => Ok(answer.checksum_sha256() == Some(checksum)),
        Err(error) => {
            let fault = fault("s3:GetObject", &error);
            // Who may not list the bucket is told 403 of a key that is not there; the PutObject will tell.
            if fault.kind == error::FaultKind::Transient {
                Err(refused(bucket, &fault))
            } else {
                Ok(false)
            }
        }
    }
}

/// Stores bytes; S3 itself proves the checksum, and refuses others.
async fn put(bucket: &Bucket, key: &str, body: ByteStream, checksum: &str) -> Result<(), Fault> {
    let answer = bucket
        .s3
        .put_object()
        .bucket(&bucket.name)
        .expected_bucket_owner(&bucket.owner)
        .key(key)
        .body(body)
        .checksum_sha256(checksum)
        .send()
        .await;
    answer
        .map(|_| ())
        .map_err(|error| refused(bucket, &fault("s3:PutObject", &error)))
}

fn refused(bucket: &Bucket, fault: &error::Fault) -> Fault {
    let Bucket {
        name, owner, region, ..
    } = bucket;
    let doing = format!("uploading to `{name}`");
    if fault.is("NoSuchBucket") || fault.is("PermanentRedirect") {
        return Fault::usage(format!(
            "the deployer of account `{owner}` has no bucket `{name}` in `{region}`"
        ))
        .help(format!(
            "are `--region` and `--deployer-account` right? if they are, an administrator of the deployer opens \
             `{region}` (`region.yml`, docs/install.md)"
        ));
    }
    if fault.kind == error::FaultKind::Denied {
        let words = words(fault);
        return Fault::usage(format!(
            "{doing}: you lack the right `{}` there, or the bucket is not account `{owner}`'s: {words}",
            fault.action
        ))
        .help(
            "ask an administrator of the deployer for the developer's policy of this project, config, account and \
             region (docs/install.md)",
        );
    }
    unusable(&doing, fault)
}

fn unreadable(file: &Path) -> Fault {
    Fault::usage(format!("`{}` cannot be read", file.display())).help("run `fenrir package` again")
}

/// S3 writes checksums in base64.
pub(crate) fn checksum(sha256: &str) -> String {
    let nibbles: Vec<u8> = sha256
        .chars()
        .filter_map(|c| u8::try_from(c.to_digit(16)?).ok())
        .collect();
    let bytes: Vec<u8> = nibbles
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble))
        .collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_checksum_is_the_hash_in_base64() {
        // SHA-256 of nothing.
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(super::checksum(hex), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
