//! An application to deploy: what `fenrir package` would make of a developer's folder.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use fenrir_core::keys;
use fenrir_core::owner::Owner;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A project with a template and artifacts.
#[derive(Debug, Clone)]
pub struct Application {
    owner: Owner,
    bucket: String,
    release: Map<String, Value>,
    artifacts: Vec<(String, Vec<u8>)>,
}

impl Application {
    /// An application of `project` in `account` and `region`, with an empty template, deployed through `bucket`.
    pub fn new(project: &str, account: &str, region: &str, bucket: &str) -> Self {
        let owner = Owner {
            account: account.to_owned(),
            region: region.to_owned(),
            project: project.to_owned(),
            config: "test".to_owned(),
        };
        let release = json!({
            "project_name": owner.project,
            "config_name": owner.config,
            "aws_account_id": owner.account,
            "aws_region": owner.region,
            "bucket": bucket,
            "s3_uris_sha256s": {},
            "template": {"Transform": "AWS::Serverless-2016-10-31", "Resources": {}},
        });
        Self {
            owner,
            bucket: bucket.to_owned(),
            release: release.as_object().unwrap().clone(),
            artifacts: Vec::new(),
        }
    }

    /// Its owner.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The same application with one more resource, or another of the same logical id.
    #[must_use]
    pub fn with(mut self, logical_id: &str, resource: Value) -> Self {
        self.release["template"]["Resources"][logical_id] = resource;
        self
    }

    /// The same application without a resource.
    #[must_use]
    pub fn without(mut self, logical_id: &str) -> Self {
        let resources = self.release["template"]["Resources"].as_object_mut().unwrap();
        resources.shift_remove(logical_id);
        self
    }

    /// Its template without the transform: what CloudFormation makes of it by itself.
    pub fn resources(&self) -> Value {
        json!({"Resources": self.release["template"]["Resources"]})
    }

    /// The same application with another template.
    #[must_use]
    pub fn template(mut self, template: Value) -> Self {
        self.release.insert("template".to_owned(), template);
        self
    }

    /// The same application with `field` of its release set to `value`, also to something wrong.
    #[must_use]
    pub fn release_field(mut self, field: &str, value: Value) -> Self {
        self.release.insert(field.to_owned(), value);
        self
    }

    /// Adds an artifact, and returns its `s3://` URI.
    pub fn artifact(&mut self, data: Vec<u8>, suffix: &str) -> String {
        let sha256 = hex(&Sha256::digest(&data));
        let key = keys::artifact(&self.owner, &sha256, suffix);
        let uri = format!("s3://{}/{key}", self.bucket);
        self.release["s3_uris_sha256s"][&uri] = Value::String(sha256);
        self.artifacts.push((key, data));
        uri
    }

    /// A Python function that answers 200, as a zip, and its resource.
    #[must_use]
    pub fn with_function(mut self, logical_id: &str, more: &Value) -> Self {
        let uri = self.artifact(
            zip(
                "app.py",
                b"def handler(event, context):\n    return {'statusCode': 200}\n",
            ),
            ".zip",
        );
        let mut properties = json!({
            "CodeUri": uri, "Handler": "app.handler", "Runtime": "python3.12",
        });
        properties
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.with(
            logical_id,
            json!({"Type": "AWS::Serverless::Function", "Properties": properties}),
        )
    }

    /// The release as JSON.
    pub fn release(&self, release_id: &str) -> Value {
        let mut release = self.release.clone();
        release.entry("release_id").or_insert_with(|| json!(release_id));
        let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap();
        release.entry("created_at").or_insert_with(|| json!(now));
        Value::Object(release)
    }

    /// Uploads everything under a release id of its own, and returns the release as JSON.
    pub async fn upload(&self, config: &SdkConfig, release_id: &str) -> Value {
        let s3 = aws_sdk_s3::Client::new(config);
        for (key, data) in &self.artifacts {
            // Named by its content: as with the command, unchanged code keeps its version.
            let there = s3.head_object().bucket(&self.bucket).key(key).send().await;
            if there.is_err() {
                put(&s3, &self.bucket, key, data.clone()).await;
            }
        }
        let release = self.release(release_id);
        let key = keys::release(&self.owner, release_id);
        put(&s3, &self.bucket, &key, release.to_string().into_bytes()).await;
        release
    }
}

async fn put(s3: &aws_sdk_s3::Client, bucket: &str, key: &str, data: Vec<u8>) {
    s3.put_object()
        .bucket(bucket)
        .key(key)
        .body(ByteStream::from(data))
        .send()
        .await
        .unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A zip of one file.
fn zip(name: &str, data: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, SimpleFileOptions::default()).unwrap();
    writer.write_all(data).unwrap();
    writer.finish().unwrap().into_inner()
}
