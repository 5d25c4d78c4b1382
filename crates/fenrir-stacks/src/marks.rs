//! The marks by which an execution knows its own work again, also after an answer was lost: the change set's name and
//! the tokens of its operations, all derived from the execution's ARN.

use sha2::{Digest, Sha256};

/// What every change set of Fenrir's begins with.
const PREFIX: &str = "fenrir-";

/// The marks of one execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    execution: String,
    stem: String,
}

impl Marks {
    /// The marks of the execution with this ARN.
    #[must_use]
    pub fn of(execution: &str) -> Self {
        // 96 bits are enough to never meet again, and leave room for the suffixes below.
        let digest = Sha256::digest(execution.as_bytes());
        let bits = digest
            .iter()
            .take(12)
            .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        Self {
            execution: execution.to_owned(),
            stem: format!("{PREFIX}{bits:024x}"),
        }
    }

    /// Whether a change set of this name was made by some execution of Fenrir's.
    #[must_use]
    pub fn is_change_set(name: &str) -> bool {
        name.strip_prefix(PREFIX).is_some_and(|digits| {
            digits.len() == 24 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    }

    /// Name and client token of the change set. Limits: `[a-zA-Z][-a-zA-Z0-9]*`, 128 characters (`CreateChangeSet`,
    /// `ChangeSetName` and `ClientToken`).
    #[must_use]
    pub fn change_set(&self) -> &str {
        &self.stem
    }

    /// Description of the change set: tells an operator whose it is, and us that it is ours.
    /// Limit: 1,024 characters (`CreateChangeSet`, `Description`).
    #[must_use]
    pub fn description(&self) -> String {
        format!("Made by {}", self.execution)
    }

    /// Token of `ExecuteChangeSet`: every event of the operation carries it. Limits: `[a-zA-Z0-9][-a-zA-Z0-9]*`, 128
    /// characters (`ExecuteChangeSet`, `ClientRequestToken`).
    #[must_use]
    pub fn execute(&self) -> String {
        format!("{}-execute", self.stem)
    }

    /// Client token of the change set that replaces an outdated one, under the same name.
    #[must_use]
    pub fn change_set_again(&self) -> String {
        format!("{}-again", self.stem)
    }

    /// Token of `ContinueUpdateRollback` before the execution's own update: of what an earlier one left.
    #[must_use]
    pub fn recover_before(&self) -> String {
        format!("{}-recover-before", self.stem)
    }

    /// Token of `ContinueUpdateRollback` after the execution's own update.
    #[must_use]
    pub fn recover_own(&self) -> String {
        format!("{}-recover-own", self.stem)
    }

    /// Token of `CancelUpdateStack`.
    #[must_use]
    pub fn cancel(&self) -> String {
        format!("{}-cancel", self.stem)
    }

    /// Token of `DeleteStack`.
    #[must_use]
    pub fn delete(&self) -> String {
        format!("{}-delete", self.stem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:states:eu-west-1:111111111111:execution:fenrir:_a-release_id";

    #[test]
    fn marks_are_the_same_for_the_same_execution_only() {
        assert_eq!(Marks::of(ARN), Marks::of(ARN));
        assert_ne!(Marks::of(ARN).change_set(), Marks::of("another").change_set());
    }

    #[test]
    fn names_and_tokens_have_the_form_that_the_api_wants() {
        let marks = Marks::of(ARN);
        for mark in [
            marks.change_set().to_owned(),
            marks.execute(),
            marks.cancel(),
            marks.delete(),
            marks.recover_before(),
            marks.recover_own(),
            marks.change_set_again(),
        ] {
            assert!(mark.starts_with(|c: char| c.is_ascii_alphabetic()), "{mark}");
            assert!(mark.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{mark}");
            assert!(mark.len() <= 128, "{mark}");
        }
    }
}
