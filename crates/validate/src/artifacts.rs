//! Artifacts: where they may lie, and the proof of their bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fenrir_core::deployment::Head;
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::keys::{self, Uri};
use fenrir_core::owner::Owner;
use fenrir_core::ownership::{Artifact, Wanted, World, is_allowed};
use fenrir_store::Objects;
use fenrir_store::objects::{Error, hex_sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Objects that are read at once: enough to fill the line, and few enough that their buffers stay small.
const AT_ONCE: usize = 8;
/// Bytes of an artifact whose text is wanted (a definition).
const DEFINITION_LIMIT: u64 = 1024 * 1024;

/// One artifact to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    uri: Uri,
    with_text: bool,
}

/// Which artifacts are read with whose rights.
pub(crate) struct Plan {
    /// In the deployer's bucket, under the owner's own prefixes: read with the step's own role.
    pub(crate) own: Vec<Reading>,
    /// In another bucket, which must be the owner's by its tags: read with `fenrir-deployer`.
    pub(crate) foreign: Vec<Reading>,
}

impl Plan {
    /// What is not in the plan (another owner's prefix of the deployer's bucket, Fenrir's own objects) is not read, and so
    /// does not exist for the policy.
    pub(crate) fn new(head: &Head, wanted: &Wanted) -> Self {
        let owner = head.owner();
        let prefixes = [
            keys::artifact_prefix(&owner),
            keys::release_prefix(&owner, &head.release_id),
        ];
        let (mut own, mut foreign) = (Vec::new(), Vec::new());
        for text in wanted.artifacts.union(&wanted.texts) {
            let Ok(uri) = Uri::parse(text) else { continue };
            let is_own = prefixes.iter().any(|prefix| uri.key.starts_with(prefix));
            let reading = Reading {
                with_text: wanted.texts.contains(text),
                uri,
            };
            if reading.uri.bucket != head.bucket {
                foreign.push(reading);
            } else if is_own {
                own.push(reading);
            }
        }
        Self { own, foreign }
    }

    /// The ARNs of the other buckets.
    pub(crate) fn bucket_arns(&self, owner: &Owner) -> BTreeSet<String> {
        self.foreign
            .iter()
            .map(|reading| bucket_arn(&reading.uri, owner))
            .collect()
    }
}

fn bucket_arn(uri: &Uri, owner: &Owner) -> String {
    format!("arn:{}:s3:::{}", owner.partition(), uri.bucket)
}

/// Those in buckets that the owner may use; the others become unknown.
pub(crate) fn permitted(world: &mut World, foreign: Vec<Reading>, owner: &Owner) -> Vec<Reading> {
    let (permitted, refused): (Vec<_>, Vec<_>) = foreign.into_iter().partition(|reading| {
        let arn = bucket_arn(&reading.uri, owner);
        let bucket = world.resources.iter().find(|bucket| bucket.arn == arn);
        bucket.is_some_and(|bucket| is_allowed(&bucket.tags, &owner.project, &owner.config))
    });
    for reading in refused {
        let why = format!(
            "`{}` is neither the deployer's bucket nor one whose tags let `{}` `{}` use it",
            reading.uri.bucket, owner.project, owner.config
        );
        world.unknown.insert(reading.uri.to_string(), why);
    }
    permitted
}

/// What became of the artifacts.
#[derive(Default)]
pub(crate) struct Hashed {
    artifacts: BTreeMap<String, Artifact>,
    unknown: BTreeMap<String, String>,
}

impl Hashed {
    pub(crate) fn add_to(self, world: &mut World) {
        world.artifacts.extend(self.artifacts);
        world.unknown.extend(self.unknown);
    }
}

/// Reads and hashes artifacts, several at once. What is not there is left out; what cannot be believed is unknown.
pub(crate) async fn hash(objects: &Objects, readings: Vec<Reading>) -> Result<Hashed, StepError> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut readers = JoinSet::new();
    for reading in readings {
        let (objects, places) = (objects.clone(), Arc::clone(&places));
        readers.spawn(async move {
            // Fails only when the semaphore is closed, which nobody does.
            let _place = places.acquire_owned().await;
            let read = read(&objects, &reading).await;
            (reading.uri.to_string(), read)
        });
    }
    let mut hashed = Hashed::default();
    while let Some(done) = readers.join_next().await {
        let (uri, read) = done.map_err(|error| StepError::new(ErrorName::InternalError, error.to_string()))?;
        match read {
            Ok(artifact) => {
                hashed.artifacts.insert(uri, artifact);
            }
            Err(Error::Missing(_) | Error::NoBucket(_)) => {}
            Err(error) if error.is_transient() => {
                return Err(error.into_step(ErrorName::InternalError, &format!("reading `{uri}`")));
            }
            Err(error) => {
                hashed.unknown.insert(uri, error.to_string());
            }
        }
    }
    Ok(hashed)
}

async fn read(objects: &Objects, reading: &Reading) -> Result<Artifact, Error> {
    let Uri { bucket, key } = &reading.uri;
    if !reading.with_text {
        return objects.hash(bucket, key).await;
    }
    let read = objects.read(bucket, key, None, DEFINITION_LIMIT).await?;
    Ok(Artifact {
        sha256: hex_sha256(&read.bytes),
        version_id: Some(read.version_id),
        size: Some(read.bytes.len() as u64),
        // What is no text has none: the policy says so.
        text: String::from_utf8(read.bytes).ok(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use fenrir_core::deployment::Operation;
    use fenrir_core::ownership::{Tagged, Tags};

    use super::*;

    fn owner(project: &str) -> Owner {
        Owner {
            account: "111111111111".into(),
            region: "us-east-1".into(),
            project: project.into(),
            config: "test".into(),
        }
    }

    fn head() -> Head {
        Head {
            operation: Operation::Deploy,
            release_id: "release-1".into(),
            owner: owner("mine").into(),
            bucket: "fenrir-111111111111-us-east-1".into(),
            deadline: String::new(),
        }
    }

    fn plan(uris: &[String]) -> Plan {
        let wanted = Wanted {
            artifacts: uris.iter().cloned().collect(),
            ..Wanted::default()
        };
        Plan::new(&head(), &wanted)
    }

    #[test]
    fn only_the_owners_own_prefixes_of_the_deployers_bucket_are_read() {
        let bucket = head().bucket;
        let (mine, others) = (owner("mine"), owner("others"));
        let own = [
            format!("s3://{bucket}/{}", keys::artifact(&mine, "ab", ".zip")),
            format!("s3://{bucket}/{}code.zip", keys::release_prefix(&mine, "release-1")),
        ];
        let closed = [
            format!("s3://{bucket}/{}", keys::artifact(&others, "ab", ".zip")),
            format!("s3://{bucket}/{}code.zip", keys::release_prefix(&mine, "release-2")),
            format!("s3://{bucket}/{}", keys::own(&mine, "release-1", "template.json")),
            format!("s3://{bucket}/code.zip"),
        ];
        let plan = plan(&[&own[..], &closed[..]].concat());
        let read: BTreeSet<String> = plan.own.iter().map(|reading| reading.uri.to_string()).collect();
        assert_eq!(read, own.into());
        assert!(plan.foreign.is_empty());
    }

    #[test]
    fn another_bucket_is_read_only_when_its_tags_say_so() {
        let uris = ["s3://tagged/a.zip".to_owned(), "s3://untagged/a.zip".to_owned()];
        let plan = plan(&uris);
        assert!(plan.own.is_empty());
        let tags: Tags = [("ProjectName", "mine"), ("ConfigName", "test")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let mut world = World {
            resources: vec![Tagged {
                arn: "arn:aws:s3:::tagged".into(),
                tags,
            }],
            ..World::default()
        };
        assert_eq!(plan.bucket_arns(&owner("mine")).len(), 2);
        let permitted = permitted(&mut world, plan.foreign, &owner("mine"));
        let uris: Vec<String> = permitted.iter().map(|reading| reading.uri.to_string()).collect();
        assert_eq!(uris, ["s3://tagged/a.zip"]);
        assert!(world.unknown.contains_key("s3://untagged/a.zip"));
    }
}
