//! Which command understands which deployer.
//!
//! The deployer's version is that of the command that installed it. Two versions understand each other when their first
//! number that is not zero, and those before it, are the same: `1.2.0` and `1.9.3` do, `0.1.0` and `0.2.0` do not. It is what
//! Cargo means by compatible.

use std::fmt;

/// The tag of the state machine, and the output of each of Fenrir's own stacks, that says the version.
pub const TAG: &str = "FenrirVersion";
/// The output of each of Fenrir's own stacks that says the version.
pub const OUTPUT: &str = "Version";
/// The version of this build.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// A version: three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

/// What two versions are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The same.
    Same,
    /// They differ, and understand each other.
    Compatible,
    /// The deployer is older, and does not understand what the command says.
    DeployerTooOld,
    /// The deployer is newer, and does not understand what the command says.
    DeployerTooNew,
}

impl Version {
    /// Reads `1.2.3`. What follows a `-` or a `+` says nothing about compatibility.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let core = text.split(['-', '+']).next()?;
        let mut numbers = core.split('.').map(|number| {
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| number.parse().ok()).flatten()
        });
        let version = Self {
            major: numbers.next()??,
            minor: numbers.next()??,
            patch: numbers.next()??,
        };
        numbers.next().is_none().then_some(version)
    }

    /// What must be the same for two versions to understand each other.
    fn line(self) -> (u64, u64, u64) {
        match (self.major, self.minor) {
            (0, 0) => (0, 0, self.patch),
            (0, minor) => (0, minor, 0),
            (major, _) => (major, 0, 0),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What a deployer of `deployer` is to a command of `command`; none when one of them is no version.
#[must_use]
pub fn relation(command: &str, deployer: &str) -> Option<Relation> {
    let (command, deployer) = (Version::parse(command)?, Version::parse(deployer)?);
    Some(if command == deployer {
        Relation::Same
    } else if command.line() == deployer.line() {
        Relation::Compatible
    } else if deployer < command {
        Relation::DeployerTooOld
    } else {
        Relation::DeployerTooNew
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_that_is_not_zero_decides() {
        use Relation::{Compatible, DeployerTooNew, DeployerTooOld, Same};
        for (command, deployer, wanted) in [
            ("0.1.0", "0.1.0", Some(Same)),
            ("0.1.0", "0.1.7", Some(Compatible)),
            ("0.1.7", "0.1.0", Some(Compatible)),
            ("0.2.0", "0.1.9", Some(DeployerTooOld)),
            ("0.1.9", "0.2.0", Some(DeployerTooNew)),
            ("1.0.0", "0.9.0", Some(DeployerTooOld)),
            ("1.2.0", "1.9.3", Some(Compatible)),
            ("1.2.0", "2.0.0", Some(DeployerTooNew)),
            ("0.0.1", "0.0.2", Some(DeployerTooNew)),
            ("1.0.0", "1.0.0-rc.1", Some(Same)),
            ("1.0.0", "one", None),
            ("1.0.0", "1.0", None),
            ("1.0.0", "1.0.0.0", None),
            ("1.0.0", "1.+1.0", None),
        ] {
            assert_eq!(relation(command, deployer), wanted, "{command} {deployer}");
        }
    }
}
