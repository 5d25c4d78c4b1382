//! What a past release was made of: the release as the client stored it, proven as anything else that a client writes.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use fenrir_aws::fault;
use fenrir_core::error::FaultKind;
use fenrir_core::keys::{self, Uri};
use fenrir_core::owner::Owner;
use fenrir_core::release::{Release, TemplateSource};
use fenrir_core::template::Document;
use fenrir_core::timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use crate::archive::hex;
use crate::aws::{Aws, unusable, words};
use crate::fault::Fault;
use crate::upload::checksum;

/// Bytes of a stored release or template. Validate takes no larger ones: an execution's input has at most 256 KiB, a
/// template 1 MB.
const LIMIT: i64 = 1_048_576;

/// Clocks of S3 and Step Functions may differ by so much.
const CLOCKS: Duration = Duration::seconds(5);

/// A past release, whole.
#[derive(Debug, Clone)]
pub struct Original {
    /// The release as it was sent.
    pub release: Release,
    /// Its template.
    pub template: Value,
    /// It was stored again after the release had started: what is here may not be what was deployed.
    pub is_changed: bool,
}

impl Original {
    /// The release of this owner and id, as the client stored it; `started_at` is when its execution started.
    ///
    /// The client may write there at any time: what is read proves nothing but that somebody who may deploy this very
    /// application has written it, and a deploy of it is checked like any other.
    ///
    /// # Errors
    /// It is not there, or is not what it should be.
    pub async fn read(aws: &Aws, owner: &Owner, release_id: &str, started_at: Option<&str>) -> Result<Self, Fault> {
        let key = keys::release(owner, release_id);
        let (bytes, stored_at) = get(aws, &key).await?;
        let unfit = |why: &str| Fault::failed(format!("what is stored of release `{release_id}` {why}"));
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| unfit("is no JSON"))?;
        let release = Release::parse(&value).map_err(|problems| {
            let first = problems
                .first()
                .map(|problem| problem.message.clone())
                .unwrap_or_default();
            unfit(&format!("is not what a release is today: {first}"))
        })?;
        if release.owner() != *owner || release.release_id != release_id {
            return Err(unfit("says that it is another release, or another application's"));
        }
        let template = match &release.template {
            TemplateSource::Inline { template } => template.clone(),
            TemplateSource::Stored {
                template_uri,
                template_sha256,
            } => {
                let uri =
                    Uri::parse(template_uri).map_err(|why| unfit(&format!("has a template whose address {why}")))?;
                let prefix = keys::release_prefix(owner, release_id);
                if uri.bucket != aws.bucket || !uri.key.starts_with(&prefix) {
                    return Err(unfit("has a template that lies elsewhere"));
                }
                let (bytes, _) = get(aws, &uri.key).await?;
                if hex(&Sha256::digest(&bytes)) != *template_sha256 {
                    return Err(unfit("has a template that was changed since"));
                }
                let text = String::from_utf8(bytes).map_err(|_| unfit("has a template that is no text"))?;
                let document = Document::load(&text).map_err(|_| unfit("has a template that cannot be read"))?;
                document.value().clone()
            }
        };
        let started = started_at.and_then(timestamp::parse);
        let is_changed = started
            .zip(stored_at)
            .is_some_and(|(started, stored)| stored > started + CLOCKS);
        Ok(Self {
            release,
            template,
            is_changed,
        })
    }

    /// Where the template names artifacts (`Hello.CodeUri`), and the SHA-256 of each.
    #[must_use]
    pub fn artifacts(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        walk(
            &self.template,
            &mut Vec::new(),
            &self.release.s3_uris_sha256s,
            &mut found,
        );
        found
    }
}

fn walk<'v>(
    value: &'v Value,
    path: &mut Vec<&'v str>,
    hashes: &BTreeMap<String, String>,
    found: &mut BTreeMap<String, String>,
) {
    match value {
        Value::String(text) => {
            if let Some(sha256) = hashes.get(text) {
                let parts = path.iter().filter(|part| !matches!(**part, "Resources" | "Properties"));
                found.insert(parts.copied().collect::<Vec<_>>().join("."), sha256.clone());
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(name);
                walk(value, path, hashes, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            for value in items {
                walk(value, path, hashes, found);
            }
        }
        _ => {}
    }
}

/// The newest object of this key in the deployer's bucket, and when it was stored.
async fn get(aws: &Aws, key: &str) -> Result<(Vec<u8>, Option<OffsetDateTime>), Fault> {
    const DOING: &str = "reading what is stored of the release";
    let answer = aws
        .s3
        .get_object()
        .bucket(&aws.bucket)
        .expected_bucket_owner(&aws.machine.account)
        .key(key)
        .send()
        .await;
    let answer: GetObjectOutput = answer.map_err(|error| {
        let fault = fault("s3:GetObject", &error);
        // Who may not list the bucket is told 403 of a key that is not there.
        if fault.is("NoSuchKey") || fault.kind == FaultKind::Denied {
            return Fault::failed(format!(
                "{DOING}: `s3://{}/{key}` is not there, or you may not read it: {}",
                aws.bucket,
                words(&fault)
            ))
            .help("whoever may deploy the application may read it (docs/install.md)");
        }
        unusable(DOING, &fault)
    })?;
    if answer.content_length().is_some_and(|length| length > LIMIT) {
        return Err(Fault::failed(format!(
            "`s3://{}/{key}` is larger than any release",
            aws.bucket
        )));
    }
    let stored_at = answer.last_modified().map(aws_sdk_s3::primitives::DateTime::secs);
    let stored_at = stored_at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let body = answer.body.collect().await;
    let body = body.map_err(|_| Fault::failed(format!("{DOING}: the connection broke")))?;
    Ok((body.into_bytes().to_vec(), stored_at))
}

/// Makes sure that every artifact of a past release is still there with the very bytes it was deployed with.
///
/// # Errors
/// The first that is not, or of which nobody can tell.
pub async fn prove_artifacts(aws: &Aws, owner: &Owner, release: &Release) -> Result<(), Fault> {
    let help = "check out the commit of that release, and `fenrir deploy`";
    for (address, sha256) in &release.s3_uris_sha256s {
        let refused = |why: &str| Fault::failed(format!("the artifact `{address}` {why}")).help(help);
        let uri = Uri::parse(address).map_err(&refused)?;
        let name = uri.key.strip_prefix(&keys::artifact_prefix(owner)).unwrap_or_default();
        if uri.bucket != aws.bucket || !name.starts_with(sha256.as_str()) || sha256.len() != 64 {
            return Err(refused("is not named by its content: other bytes may lie there by now"));
        }
        let answer = aws
            .s3
            .head_object()
            .bucket(&aws.bucket)
            .expected_bucket_owner(&aws.machine.account)
            .key(&uri.key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match answer {
            Ok(answer) if answer.checksum_sha256() == Some(checksum(sha256).as_str()) => {}
            Ok(_) => return Err(refused("has other bytes than it was deployed with")),
            Err(error) => {
                let fault = fault("s3:GetObject", &error);
                if fault.kind == FaultKind::Transient {
                    return Err(unusable("looking at the artifacts", &fault));
                }
                return Err(refused("is not there any more, or you may not read it"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn artifacts_are_named_by_where_the_template_has_them() {
        let template = json!({
            "Globals": {"Function": {"CodeUri": "s3://b/1.zip"}},
            "Resources": {
                "Hello": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "s3://b/2.zip", "Handler": "x"}},
                "Api": {"Properties": {"DefinitionUri": "s3://b/none.json"}},
            },
        });
        let hashes = [("s3://b/1.zip", "one"), ("s3://b/2.zip", "two")];
        let hashes = hashes.map(|(uri, sha)| (uri.to_owned(), sha.to_owned())).into();
        let mut found = BTreeMap::new();
        walk(&template, &mut Vec::new(), &hashes, &mut found);
        let found: Vec<_> = found.iter().map(|(name, sha)| (name.as_str(), sha.as_str())).collect();
        assert_eq!(found, [("Globals.Function.CodeUri", "one"), ("Hello.CodeUri", "two")]);
    }
}
