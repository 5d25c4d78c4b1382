//! Whose is it: what a template refers to outside itself ([`Wanted`]), and what is known of that ([`World`]).
//!
//! Data in, data out. In a deploy `fenrir-owners` turns the one into the other by asking AWS; for
//! `fenrir validate --inventory` the world is a file; in a test it is written down. The judgement is the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What a template refers to outside itself. Names have become ARNs of the release's own account and region before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `s3://bucket/key` of code, layers and definitions.
    pub artifacts: BTreeSet<String>,
    /// Those of `artifacts` whose text is wanted too (definitions), at most 1 MB each.
    pub texts: BTreeSet<String>,
    /// Role names (no path).
    pub roles: BTreeSet<String>,
    /// Name tags of security groups.
    pub security_groups: BTreeSet<String>,
    /// Name tags or ids of subnets.
    pub subnets: BTreeSet<String>,
    /// Whether the VPCs of all subnets tagged `DeployWithFenrir=true` are wanted.
    pub deploy_subnets: bool,
    /// ARNs of everything else whose tags decide.
    pub resources: BTreeSet<String>,
    /// `alias/...` of KMS keys.
    pub kms_aliases: BTreeSet<String>,
}

impl Wanted {
    /// How many things are asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        [
            &self.artifacts,
            &self.roles,
            &self.security_groups,
            &self.subnets,
            &self.resources,
            &self.kms_aliases,
        ]
        .iter()
        .map(|names| names.len())
        .sum()
    }

    /// Nothing outside the template.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The key of [`World::unknown`] when the subnets tagged `DeployWithFenrir` ([`Wanted::deploy_subnets`]) could not be
/// found out.
pub const DEPLOY_SUBNETS: &str = "subnets tagged DeployWithFenrir";

/// Tags as a map; the Name tag is one of them.
pub type Tags = BTreeMap<String, String>;

/// What is known of the world: the file format of `fenrir validate --inventory`.
///
/// What is not in it is not there, and so is nobody's. What could not be found out stands in [`World::unknown`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct World {
    /// Account id of the release.
    pub account: String,
    /// Region of the release.
    pub region: String,
    /// Partition; `aws` where left out.
    pub partition: Option<String>,
    /// Caps of the account that releases share.
    pub limits: Limits,
    /// Artifacts by `s3://bucket/key`.
    pub artifacts: BTreeMap<String, Artifact>,
    /// IAM roles.
    pub roles: Vec<Tagged>,
    /// Security groups.
    pub security_groups: Vec<Placed>,
    /// Subnets.
    pub subnets: Vec<Placed>,
    /// Everything with an ARN whose tags are read.
    pub resources: Vec<Tagged>,
    /// `alias/x` to the key's ARN.
    pub kms_aliases: BTreeMap<String, String>,
    /// Stacks of the account and region.
    pub stacks: Vec<StackSeen>,
    /// What could not be checked, by what was asked (an ARN, a name, an id, a URI) and why. Never allowed.
    pub unknown: BTreeMap<String, String>,
}

/// Caps that one release may take of what the account shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Highest `ReservedConcurrentExecutions` of a function.
    pub reserved_concurrency: u32,
    /// Highest `ProvisionedConcurrencyConfig` of a function.
    pub provisioned_concurrency: u32,
}

impl Default for Limits {
    /// A tenth of an account's default pool of 1,000 (Lambda quotas, "Concurrent executions").
    fn default() -> Self {
        Self {
            reserved_concurrency: 100,
            provisioned_concurrency: 100,
        }
    }
}

/// An object that was read and hashed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Artifact {
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// The version that was hashed. Absent only in an inventory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The text, for definitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Something with an ARN and tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tagged {
    /// ARN.
    pub arn: String,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

/// Something in a VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// `sg-...` or `subnet-...`.
    pub id: String,
    /// `vpc-...`.
    pub vpc_id: String,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A stack that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StackSeen {
    /// Name.
    pub name: String,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
    /// CloudFormation's status.
    pub status: String,
}

/// Correct tags on a referenced resource: the release's own `ProjectName` and `ConfigName`, or
/// `FenrirAllowed:<project>:<config>` = `true`, or `FenrirAllAllowed` = `true`. Case matters.
#[must_use]
pub fn is_allowed(tags: &Tags, project: &str, config: &str) -> bool {
    let is = |key: &str, value: &str| tags.get(key).is_some_and(|have| have == value);
    (is("ProjectName", project) && is("ConfigName", config))
        || is(&format!("FenrirAllowed:{project}:{config}"), "true")
        || is("FenrirAllAllowed", "true")
}

/// Correct tags on a security group or a role of `service` (a function's logical id): `ProjectName`, `ConfigName` and
/// `ServiceName`, each the release's or `_all`.
#[must_use]
pub fn is_shared_with(tags: &Tags, project: &str, config: &str, service: &str) -> bool {
    [
        ("ProjectName", project),
        ("ConfigName", config),
        ("ServiceName", service),
    ]
    .iter()
    .all(|(key, value)| tags.get(*key).is_some_and(|have| have == value || have == "_all"))
}
