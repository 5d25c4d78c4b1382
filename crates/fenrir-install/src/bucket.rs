//! Where code and large templates lie for CloudFormation to read. It is a bucket of the administrator's account, and not
//! the deployer's own: that one does not exist before it is installed.

use std::fmt::Write as _;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, ChecksumMode, CreateBucketConfiguration,
    PublicAccessBlockConfiguration, VersioningConfiguration,
};
use aws_types::SdkConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fenrir_aws::fault;
use fenrir_core::error::{Fault, FaultKind};
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::template::Object;

/// The install bucket of one account and region. Whoever else may have this name gets nothing: S3's names are everybody's.
///
/// Source: Amazon S3 User Guide, "Verifying bucket ownership with bucket owner condition".
#[derive(Debug, Clone)]
pub struct Bucket {
    s3: Client,
    name: String,
    account: String,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it lies.
    pub object: Object,
    /// Whether it was sent; otherwise it was there already.
    pub sent: bool,
}

impl Bucket {
    /// The bucket, which is made when it is not there: private, versioned, TLS only.
    ///
    /// # Errors
    /// It is somebody else's, or a right is missing.
    pub async fn open(config: &SdkConfig, account: &str, region: &str, partition: &str) -> Result<Self, Error> {
        // A local AWS has no host for each bucket.
        let own = config.endpoint_url().is_some();
        let settings = aws_sdk_s3::config::Builder::from(config).force_path_style(own).build();
        let bucket = Self {
            s3: Client::from_conf(settings),
            name: format!("fenrir-install-{account}-{region}"),
            account: account.to_owned(),
        };
        if !bucket.is_there().await? {
            bucket.create(region).await?;
        }
        // Also of one that is there: an earlier try may have come no further.
        bucket.close(partition).await?;
        Ok(bucket)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    async fn is_there(&self) -> Result<bool, Error> {
        let answer = self
            .s3
            .head_bucket()
            .bucket(&self.name)
            .expected_bucket_owner(&self.account)
            .send()
            .await;
        let Err(error) = answer else { return Ok(true) };
        let status = error.raw_response().map(|response| response.status().as_u16());
        let fault = fault("s3:ListBucket", &error);
        match status {
            Some(404) => Ok(false),
            // A HEAD has no body that could tell one from the other.
            Some(301 | 403) => Err(Error::unusable(
                format!(
                    "the bucket `{}`, where the code of an installation goes, is not account {}'s, or you may not use it",
                    self.name, self.account
                ),
                "it takes the administrator's rights of docs/install.md; nobody else should have a bucket of this name",
            )),
            _ => Err(self.failed(fault)),
        }
    }

    async fn create(&self, region: &str) -> Result<(), Error> {
        // Source: Amazon S3 API, CreateBucket: us-east-1 is the one region that is not named.
        let there = (region != "us-east-1").then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region))
                .build()
        });
        let answer = self
            .s3
            .create_bucket()
            .bucket(&self.name)
            .set_create_bucket_configuration(there)
            .send()
            .await;
        match answer.map_err(|error| fault("s3:CreateBucket", &error)) {
            Ok(_) => Ok(()),
            // Somebody installs at the same time.
            Err(fault) if fault.is("BucketAlreadyOwnedByYou") || fault.is("OperationAborted") => Ok(()),
            Err(fault) => Err(self.failed(fault)),
        }
    }

    /// Closes it to everybody else. What lies in it is code that gets rights.
    async fn close(&self, partition: &str) -> Result<(), Error> {
        let public = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .block_public_policy(true)
            .ignore_public_acls(true)
            .restrict_public_buckets(true)
            .build();
        let versioned = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        let arn = format!("arn:{partition}:s3:::{}", self.name);
        let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "OnlyOverTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": [&arn, format!("{arn}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }]});
        let public = self
            .s3
            .put_public_access_block()
            .bucket(&self.name)
            .expected_bucket_owner(&self.account)
            .public_access_block_configuration(public)
            .send();
        let versioned = self
            .s3
            .put_bucket_versioning()
            .bucket(&self.name)
            .expected_bucket_owner(&self.account)
            .versioning_configuration(versioned)
            .send();
        let policy = self
            .s3
            .put_bucket_policy()
            .bucket(&self.name)
            .expected_bucket_owner(&self.account)
            .policy(policy.to_string())
            .send();
        let (public, versioned, policy) = tokio::join!(public, versioned, policy);
        public.map_err(|error| self.failed(fault("s3:PutBucketPublicAccessBlock", &error)))?;
        versioned.map_err(|error| self.failed(fault("s3:PutBucketVersioning", &error)))?;
        policy.map_err(|error| self.failed(fault("s3:PutBucketPolicy", &error)))?;
        Ok(())
    }

    /// Stores bytes under their own hash, unless they are there already.
    ///
    /// # Errors
    /// S3 does not take them.
    pub async fn store(&self, bytes: Vec<u8>, suffix: &str) -> Result<Stored, Error> {
        let digest = Sha256::digest(&bytes);
        let (key, checksum) = (hex(&digest) + suffix, STANDARD.encode(digest));
        if let Some(version) = self.version_of(&key, &checksum).await? {
            return Ok(self.stored(key, version, false));
        }
        let answer = self
            .s3
            .put_object()
            .bucket(&self.name)
            .expected_bucket_owner(&self.account)
            .key(&key)
            .body(ByteStream::from(bytes))
            .checksum_sha256(checksum)
            .send()
            .await;
        let answer = answer.map_err(|error| self.failed(fault("s3:PutObject", &error)))?;
        Ok(self.stored(key, answer.version_id, true))
    }

    fn stored(&self, key: String, version: Option<String>, sent: bool) -> Stored {
        let version = version.filter(|version| !version.is_empty() && version != "null");
        Stored {
            object: Object {
                bucket: self.name.clone(),
                key,
                version,
            },
            sent,
        }
    }

    /// The version of the object that has these very bytes, by S3's own checksum; none when it is not there.
    async fn version_of(&self, key: &str, checksum: &str) -> Result<Option<Option<String>>, Error> {
        let answer = self
            .s3
            .head_object()
            .bucket(&self.name)
            .expected_bucket_owner(&self.account)
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match answer {
            Ok(found) => Ok((found.checksum_sha256() == Some(checksum)).then_some(found.version_id)),
            Err(error) => {
                let fault = fault("s3:GetObject", &error);
                // Whether it is not there or may not be seen: to store it tells.
                if fault.kind == FaultKind::Transient {
                    Err(self.failed(fault))
                } else {
                    Ok(None)
                }
            }
        }
    }

    fn failed(&self, fault: Fault) -> Error {
        Error::Call {
            doing: format!("using the bucket `{}`", self.name),
            fault,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _done = write!(hex, "{byte:02x}");
        hex
    })
}
