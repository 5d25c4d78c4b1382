//! The deployer's template with its code: uploaded, and named by object and version.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use crate::bucket::{Bucket, Stored};
use crate::error::Error;
use crate::template::{DEFINITION, Kind, Local};

/// Uploads that run at once.
const AT_ONCE: usize = 8;

/// A template whose code is in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packaged {
    /// The template.
    pub template: String,
    /// How many objects were sent.
    pub sent: usize,
    /// How many objects there are.
    pub objects: usize,
}

/// Uploads what the deployer's template names: `zips` by the name of the Lambda, and the definition of the state machine.
/// What is there already keeps its version, so that unchanged code is not deployed again.
///
/// # Errors
/// The first upload that S3 does not take.
pub async fn deployer(bucket: &Bucket, mut zips: BTreeMap<String, Vec<u8>>) -> Result<Packaged, Error> {
    let locals = Kind::Deployer.locals();
    let uploads = locals.iter().filter_map(|local| match *local {
        Local::Code(name) => Some((*local, zips.remove(name)?, ".zip")),
        Local::Definition => Some((*local, DEFINITION.as_bytes().to_vec(), ".asl.json")),
    });
    let mut waiting = uploads.collect::<Vec<_>>().into_iter();
    let (mut running, mut stored) = (JoinSet::new(), BTreeMap::<Local<'static>, Stored>::new());
    loop {
        while running.len() < AT_ONCE
            && let Some((local, bytes, suffix)) = waiting.next()
        {
            let bucket = bucket.clone();
            running.spawn(async move { (local, bucket.store(bytes, suffix).await) });
        }
        match running.join_next().await {
            Some(Ok((local, answer))) => {
                stored.insert(local, answer?);
            }
            Some(Err(stopped)) => return Err(Error::failed(format!("an upload stopped: {stopped}"), "try again")),
            None => break,
        }
    }
    let (objects, sent) = (stored.len(), stored.values().filter(|stored| stored.sent).count());
    let pinned = stored
        .into_iter()
        .map(|(local, stored)| (local, stored.object))
        .collect();
    Ok(Packaged {
        template: Kind::Deployer.packaged(&pinned),
        sent,
        objects,
    })
}
