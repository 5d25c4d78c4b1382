//! A session of `fenrir-deployer`: another account's rights, for one release and one step.

use std::time::SystemTime;

use aws_config::{Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, IdentityCache, SharedCredentialsProvider};
use aws_sdk_sts::types::Tag;
use fenrir_core::deployment::Head;
use fenrir_core::error::{ErrorName, Fault, FaultKind, StepError};
use fenrir_core::house;
use fenrir_core::owner::Owner;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::environment::Step;

/// A session is not used when it ends within this time: an invocation lasts at most 15 minutes (Lambda quotas,
/// "Function timeout").
const MARGIN: Duration = Duration::minutes(16);

/// Why there is no session.
#[derive(Debug)]
pub enum NoSession {
    /// The account does not let the step in: its role is not there, or does not trust the step. Why, and what to do.
    Closed {
        /// What is wrong.
        what: String,
        /// What to do about it.
        help: String,
    },
    /// Anything else.
    Fault(StepError),
}

impl From<NoSession> for StepError {
    /// In the middle of a deploy a closed account is a fault of the installation.
    fn from(none: NoSession) -> Self {
        match none {
            NoSession::Closed { what, help } => Self::new(ErrorName::InternalError, format!("{what}; {help}")),
            NoSession::Fault(error) => error,
        }
    }
}

/// An open session.
#[derive(Debug)]
pub(crate) struct Session {
    owner: Owner,
    release_id: String,
    ends: OffsetDateTime,
    config: SdkConfig,
}

impl Session {
    /// Whether this session is of this very release and lasts long enough.
    pub(crate) fn serves(&self, head: &Head, now: OffsetDateTime) -> bool {
        self.owner == head.owner() && self.release_id == head.release_id && self.ends - now > MARGIN
    }

    /// Its clients' configuration.
    pub(crate) fn config(&self) -> SdkConfig {
        self.config.clone()
    }

    /// Assumes the role.
    pub(crate) async fn open(own: &SdkConfig, step: &Step, head: &Head) -> Result<Self, NoSession> {
        let owner = head.owner();
        let role = house::iam_arn(owner.partition(), &owner.account, "role", house::DEPLOYER_ROLE);
        let answer = aws_sdk_sts::Client::new(own)
            .assume_role()
            .role_arn(&role)
            .role_session_name(&head.release_id)
            .policy(session_policy(step.deployer_actions))
            .tags(tag("ProjectName", &owner.project).map_err(NoSession::Fault)?)
            .tags(tag("ConfigName", &owner.config).map_err(NoSession::Fault)?)
            .send()
            .await
            .map_err(|error| refused(fenrir_aws::fault("sts:AssumeRole", &error), &role, &owner))?;
        let Some(keys) = answer.credentials else {
            let message = format!("assuming `{role}`: an answer without credentials");
            return Err(NoSession::Fault(StepError::new(ErrorName::TransientError, message)));
        };
        let ends = SystemTime::try_from(*keys.expiration()).unwrap_or(SystemTime::UNIX_EPOCH);
        let credentials = Credentials::new(
            keys.access_key_id(),
            keys.secret_access_key(),
            Some(keys.session_token().to_owned()),
            Some(ends),
            "fenrir-deployer",
        );
        let config = own
            .to_builder()
            .region(Region::new(owner.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            // The identity cache of `own` holds the step's own credentials.
            .identity_cache(IdentityCache::lazy().build())
            .build();
        Ok(Self {
            owner,
            release_id: head.release_id.clone(),
            ends: ends.into(),
            config,
        })
    }
}

/// A session policy: at most these calls, whatever the role may. What they may touch is the role's policy.
fn session_policy(actions: &[&str]) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    })
    .to_string()
}

fn tag(key: &str, value: &str) -> Result<Tag, StepError> {
    let built = Tag::builder().key(key).value(value).build();
    built.map_err(|error| StepError::new(ErrorName::InternalError, error.to_string()))
}

/// STS does not say whether the role is not there or does not trust the step: both are `AccessDenied`.
fn refused(fault: Fault, role: &str, owner: &Owner) -> NoSession {
    if fault.kind != FaultKind::Denied {
        return NoSession::Fault(fault.into_step(ErrorName::InternalError, &format!("assuming `{role}`")));
    }
    tracing::warn!(role, why = fault.message, "the account does not let the deployer in");
    NoSession::Closed {
        what: format!(
            "account `{}` does not let the deployer in: `{role}` is not there, or does not trust it",
            owner.account
        ),
        help: format!(
            "an administrator installs or updates the stack `{}` (`account.yml`) there, or takes the account off the \
             deployer's list (docs/install.md)",
            house::ACCOUNT_STACK
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_policy_allows_the_named_calls_and_fits() {
        let policy = session_policy(&["cloudformation:DescribeStacks"]);
        assert_eq!(
            policy,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudformation:DescribeStacks"],"Resource":"*"}]}"#
        );
        // AssumeRole, parameter Policy: at most 2,048 characters.
        let many = vec!["cloudformation:DescribeChangeSetHooks"; 40];
        assert!(session_policy(&many).len() <= 2_048);
    }
}
