//! The names of Fenrir's own things: the same in every installation, so that `template.yml`, `account.yml`, the steps
//! and the command agree without telling each other.

/// What every generated name begins with.
pub const PREFIX: &str = "fenrir-";
/// Role of a target account that the step roles assume.
pub const DEPLOYER_ROLE: &str = "fenrir-deployer";
/// Service role of a target account that CloudFormation works with.
pub const CLOUDFORMATION_ROLE: &str = "fenrir-cloudformation";
/// Managed policy of a target account that bounds every role that Fenrir writes.
pub const BOUNDARY: &str = "fenrir-permissions-boundary";
/// The state machine, and the stack it is installed by.
pub const STATE_MACHINE: &str = "fenrir";
/// The stack of a target account (`account.yml`).
pub const ACCOUNT_STACK: &str = "fenrir-account";
/// The stack of a further region (`region.yml`), in the deployer's account.
pub const REGION_STACK: &str = "fenrir-region";
/// Table of the locks; partition key `key`.
pub const LOCKS_TABLE: &str = "fenrir-locks";
/// Table of the records; partition key `owner`, sort key `release_id`.
pub const RELEASES_TABLE: &str = "fenrir-releases";
/// Sparse index of the records: partition key [`OPEN`], sort key `release_id`.
pub const OPEN_INDEX: &str = "open";
/// Attribute that only the record of a release that has started and not ended has.
pub const OPEN: &str = "open";
/// Index of the records: partition key `owner`, sort key `started_at`.
pub const BY_TIME_INDEX: &str = "by-time";
/// Sparse index of what is deployed: partition key [`CURRENT`], sort key `owner`.
pub const CURRENT_INDEX: &str = "current";
/// Attribute that only the item of what is deployed has.
pub const CURRENT: &str = "current";
/// Where Fenrir's own objects lie in the bucket. The bucket policy lets only the step roles put objects there.
pub const OWN_PREFIX: &str = "fenrir/";

/// The deployer's bucket for a region: `fenrir-<deployer account>-<region>`.
#[must_use]
pub fn bucket(deployer_account: &str, region: &str) -> String {
    format!("fenrir-{deployer_account}-{region}")
}

/// The ARN of an IAM resource of Fenrir in a target account; `kind` is `role` or `policy`.
#[must_use]
pub fn iam_arn(partition: &str, account: &str, kind: &str, name: &str) -> String {
    format!("arn:{partition}:iam::{account}:{kind}/{name}")
}
