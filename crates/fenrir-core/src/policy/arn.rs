//! ARNs, taken apart exactly.

use super::judge::Judge;

/// `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arn<'t> {
    pub(crate) partition: &'t str,
    pub(crate) service: &'t str,
    pub(crate) region: &'t str,
    pub(crate) account: &'t str,
    pub(crate) resource: &'t str,
}

impl<'t> Arn<'t> {
    /// Source: AWS General Reference, "Amazon Resource Names (ARNs)".
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next().filter(|resource| !resource.is_empty())?,
        })
    }

    /// Whether it names something in the release's own partition, region and account. Services without regions or
    /// accounts in their ARNs leave those empty.
    pub(crate) fn is_own(&self, judge: &Judge<'_>, scope: Scope) -> bool {
        let owner = judge.owner();
        self.partition == owner.partition()
            && self.region == if scope.region { owner.region.as_str() } else { "" }
            && self.account == if scope.account { owner.account.as_str() } else { "" }
    }
}

/// Which parts the ARNs of a service have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Names a region.
    pub region: bool,
    /// Names an account.
    pub account: bool,
}

impl Scope {
    /// Most services.
    pub const REGIONAL: Self = Self {
        region: true,
        account: true,
    };
    /// IAM.
    pub const GLOBAL: Self = Self {
        region: false,
        account: true,
    };
    /// S3.
    pub const BARE: Self = Self {
        region: false,
        account: false,
    };
}
