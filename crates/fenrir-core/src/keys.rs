//! Where things lie in the bucket and in the tables.
//!
//! The `/` of a project is written `!`, which no project may contain. So the number of segments before the config is
//! fixed, and no owner's prefix contains another's.

use crate::house;
use crate::owner::Owner;

/// `<account>/<region>/<project>/<config>`: the key of the lock and the partition key of the records.
#[must_use]
pub fn owner(owner: &Owner) -> String {
    format!(
        "{}/{}/{}/{}",
        owner.account,
        owner.region,
        owner.project.replace('/', "!"),
        owner.config
    )
}

/// `<owner>/<release id>/`: everything that the client uploads for one release.
#[must_use]
pub fn release_prefix(o: &Owner, release_id: &str) -> String {
    format!("{}/{release_id}/", owner(o))
}

/// `<owner>/<release id>/release`: the release as the client stored it.
#[must_use]
pub fn release(o: &Owner, release_id: &str) -> String {
    format!("{}release", release_prefix(o, release_id))
}

/// `<owner>/artifacts/<sha256><suffix>`: an artifact, named by its content, shared by all releases of the owner.
/// A release id has no such form: it would have to be `artifacts`, which [`crate::release`] refuses.
#[must_use]
pub fn artifact(o: &Owner, sha256: &str, suffix: &str) -> String {
    format!("{}{sha256}{suffix}", artifact_prefix(o))
}

/// `<owner>/artifacts/`.
#[must_use]
pub fn artifact_prefix(o: &Owner) -> String {
    format!("{}/artifacts/", owner(o))
}

/// `fenrir/<owner>/<release id>/<name>`: what Fenrir itself writes about a release.
#[must_use]
pub fn own(o: &Owner, release_id: &str, name: &str) -> String {
    format!("{}{}{name}", house::OWN_PREFIX, release_prefix(o, release_id))
}
