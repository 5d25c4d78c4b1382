//! Generated names: `fenrir-<project>-<config>-<logical id>--<digest>`.
//!
//! The digest is that of the exact owner, type and logical id, so two owners never share a name. It stands behind the
//! only `--` of the name and is always as long, so no name is a prefix of another. A single `-` would not do: with
//! the digest of `a`'s function known, a config named like `a`'s name would have made names that begin with it, and
//! SAM's `LambdaInvokePolicy` grants `name*`.

use sha2::{Digest, Sha256};

use crate::owner::Owner;

/// Characters of the digest: 16 of base32, 80 bits.
pub const DIGEST_LENGTH: usize = 16;

/// How a service wants its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The service's limit, in characters.
    pub limit: usize,
    /// Only lower case (S3 buckets).
    pub lower: bool,
    /// What the name ends in, within the limit (`.fifo`).
    pub suffix: &'static str,
}

impl Style {
    /// Mixed case, up to `limit` characters.
    #[must_use]
    pub const fn up_to(limit: usize) -> Self {
        Self {
            limit,
            lower: false,
            suffix: "",
        }
    }

    /// Lower case only.
    #[must_use]
    pub const fn lower(self) -> Self {
        Self { lower: true, ..self }
    }

    /// Ending in `suffix`.
    #[must_use]
    pub const fn ending(self, suffix: &'static str) -> Self {
        Self { suffix, ..self }
    }
}

/// The stack's name. Limit: 128 characters (`CreateChangeSet`, `StackName`).
#[must_use]
pub fn stack(owner: &Owner) -> String {
    join(
        &format!("fenrir-{}-{}", owner.project, owner.config),
        &digest(owner, "stack", ""),
        Style::up_to(128),
    )
}

/// The name of a resource of `kind` (its CloudFormation type) with `logical_id` in the owner's stack.
#[must_use]
pub fn resource(owner: &Owner, kind: &str, logical_id: &str, style: Style) -> String {
    let readable = format!("fenrir-{}-{}-{logical_id}", owner.project, owner.config);
    join(&readable, &digest(owner, kind, logical_id), style)
}

/// Base32 (RFC 4648, lower case) of the first 80 bits of the SHA-256 of the length-prefixed parts.
fn digest(owner: &Owner, kind: &str, logical_id: &str) -> String {
    let mut hash = Sha256::new();
    for part in [
        &owner.account,
        &owner.region,
        &owner.project,
        &owner.config,
        kind,
        logical_id,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let bits = hash
        .finalize()
        .iter()
        .take(DIGEST_LENGTH * 5 / 8)
        .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    (0..DIGEST_LENGTH)
        .rev()
        .map(|at| {
            // Five bits are 0..=31: the first 26 are letters, the rest the digits 2 to 7.
            let five = u8::try_from(bits >> (at * 5) & 31).unwrap_or_default();
            char::from(if five < 26 { b'a' + five } else { b'2' + five - 26 })
        })
        .collect()
}

fn join(readable: &str, digest: &str, style: Style) -> String {
    let room = style.limit.saturating_sub(2 + DIGEST_LENGTH + style.suffix.len());
    let mut folded = String::with_capacity(room);
    for c in readable.chars() {
        if folded.len() >= room {
            break;
        }
        match c {
            'A'..='Z' if style.lower => folded.push(c.to_ascii_lowercase()),
            'a'..='z' | 'A'..='Z' | '0'..='9' => folded.push(c),
            _ if !folded.ends_with('-') => folded.push('-'),
            _ => {}
        }
    }
    format!("{}--{digest}{}", folded.trim_end_matches('-'), style.suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(project: &str, config: &str) -> Owner {
        Owner {
            account: "111111111111".into(),
            region: "us-east-1".into(),
            project: project.into(),
            config: config.into(),
        }
    }

    #[test]
    fn slash_and_dash_do_not_meet() {
        assert_ne!(stack(&owner("a/b", "c-d")), stack(&owner("a/b-c", "d")));
    }

    #[test]
    fn a_config_that_spells_out_a_name_does_not_extend_it() {
        let victim = resource(&owner("p", "c"), "AWS::Lambda::Function", "Fn", Style::up_to(64));
        let digest = victim.rsplit('-').next().unwrap_or_default();
        for config in [format!("c-Fn-{digest}"), format!("c-Fn--{digest}")] {
            let attacker = resource(&owner("p", &config), "AWS::Lambda::Function", "X", Style::up_to(140));
            assert!(!attacker.starts_with(&victim), "{attacker} extends {victim}");
        }
    }

    #[test]
    fn limits_and_suffixes_hold() {
        let long = owner(&"p/".repeat(99), &"c".repeat(200));
        for (style, wanted) in [
            (Style::up_to(32), 32),
            (Style::up_to(80).ending(".fifo"), 80),
            (Style::up_to(63).lower(), 63),
        ] {
            let name = resource(&long, "T", "Logical", style);
            assert!(name.len() <= wanted, "{name}");
            assert!(name.ends_with(style.suffix));
            assert!(!style.lower || name == name.to_lowercase());
        }
    }
}
