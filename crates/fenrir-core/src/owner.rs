//! Who owns what a deploy touches: an account, a region, a project and a config.

use serde::{Deserialize, Serialize};

/// The owner of a stack and everything in it. Two different owners never share a lock, a name or a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// AWS account id, 12 digits.
    pub account: String,
    /// AWS region, such as `eu-west-1`.
    pub region: String,
    /// `ProjectName`: lower-case path segments, such as `payments/ledger`.
    pub project: String,
    /// `ConfigName`: such as `production`.
    pub config: String,
}

impl Owner {
    /// The partition of the owner's region (`aws`, `aws-cn`, `aws-us-gov`), by the region's prefix.
    ///
    /// Source: AWS General Reference, "Amazon Resource Names (ARNs)".
    #[must_use]
    pub fn partition(&self) -> &'static str {
        if self.region.starts_with("cn-") {
            "aws-cn"
        } else if self.region.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }
}
