//! What an administrator decided when he installed Fenrir: environment variables that `template.yml` sets.

use std::collections::BTreeSet;

use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::house;
use fenrir_core::ownership::Limits;

/// The settings of an installation. What is not set allows nothing.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Accounts that may be deployed to (`FENRIR_ACCOUNTS`).
    pub accounts: BTreeSet<String>,
    /// Regions that may be deployed to (`FENRIR_REGIONS`).
    pub regions: BTreeSet<String>,
    /// Table of the locks (`FENRIR_LOCKS_TABLE`).
    pub locks_table: String,
    /// Table of the records (`FENRIR_RELEASES_TABLE`).
    pub releases_table: String,
    /// ARN of the topic that hears of dirty ends (`FENRIR_ALERT_TOPIC`).
    pub alert_topic: Option<String>,
    /// ARN of the state machine (`FENRIR_STATE_MACHINE`).
    pub state_machine: Option<String>,
    /// Layer, web ACL and policy ids that administrators allow (`FENRIR_ALLOWED`).
    pub allowed: BTreeSet<String>,
    /// Caps of what an account shares (`FENRIR_RESERVED_CONCURRENCY`, `FENRIR_PROVISIONED_CONCURRENCY`).
    pub limits: Limits,
}

impl Settings {
    /// Reads the settings through `get`, which gives the value of an environment variable.
    ///
    /// # Errors
    /// `InternalError` for a cap that is no number: a mistyped cap must not become the default.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, StepError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let list = |name: &str| -> BTreeSet<String> {
            let text = get(name).unwrap_or_default();
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let number = |name: &str, default: u32| match get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| {
                let message = format!("the deployer is installed wrongly: `{name}` is `{text}`, which is no number");
                StepError::new(ErrorName::InternalError, message)
            }),
        };
        let defaults = Limits::default();
        Ok(Self {
            accounts: list("FENRIR_ACCOUNTS"),
            regions: list("FENRIR_REGIONS"),
            locks_table: get("FENRIR_LOCKS_TABLE").unwrap_or_else(|| house::LOCKS_TABLE.to_owned()),
            releases_table: get("FENRIR_RELEASES_TABLE").unwrap_or_else(|| house::RELEASES_TABLE.to_owned()),
            alert_topic: get("FENRIR_ALERT_TOPIC"),
            state_machine: get("FENRIR_STATE_MACHINE"),
            allowed: list("FENRIR_ALLOWED"),
            limits: Limits {
                reserved_concurrency: number("FENRIR_RESERVED_CONCURRENCY", defaults.reserved_concurrency)?,
                provisioned_concurrency: number("FENRIR_PROVISIONED_CONCURRENCY", defaults.provisioned_concurrency)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn nothing_set_allows_nothing() {
        let settings = Settings::read(|_| None).unwrap();
        assert!(settings.accounts.is_empty() && settings.regions.is_empty() && settings.allowed.is_empty());
        assert_eq!(settings.limits, Limits::default());
    }

    #[test]
    fn lists_are_split_and_trimmed() {
        let settings = Settings::read(|name| (name == "FENRIR_ACCOUNTS").then(|| "1, 2,,".to_owned())).unwrap();
        assert_eq!(settings.accounts, BTreeSet::from(["1".to_owned(), "2".to_owned()]));
    }

    #[test]
    fn a_mistyped_cap_is_a_fault() {
        let error =
            Settings::read(|name| (name == "FENRIR_RESERVED_CONCURRENCY").then(|| "1O".to_owned())).unwrap_err();
        assert_eq!(error.name, ErrorName::InternalError);
    }
}
