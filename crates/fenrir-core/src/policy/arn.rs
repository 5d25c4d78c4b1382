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
    pub(crate) fn whose(&self, judge: &Judge<'_>, scope: Scope) -> Whose {
        let owner = judge.owner();
        let part = |given: &str, own: &str, is_known: bool| {
            if given == own {
                Whose::Own
            } else if is_known || given.is_empty() {
                Whose::Foreign
            } else {
                Whose::Unknown
            }
        };
        let in_scope = |named, own, is_known| if named { (own, is_known) } else { ("", true) };
        let (region, knows_region) = in_scope(scope.region, owner.region.as_str(), owner.has_region());
        let (account, knows_account) = in_scope(scope.account, owner.account.as_str(), owner.has_account());
        let parts = [
            // The region decides on it.
            part(self.partition, owner.partition(), owner.has_region()),
            part(self.region, region, knows_region),
            part(self.account, account, knows_account),
        ];
        let any = |whose| parts.contains(&whose).then_some(whose);
        any(Whose::Foreign).or(any(Whose::Unknown)).unwrap_or(Whose::Own)
    }
}

/// Whose an ARN is, by its partition, region and account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The release's.
    Own,
    /// Another's.
    Foreign,
    /// Nobody said for which account and region the template is judged. Never allowed.
    Unknown,
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
