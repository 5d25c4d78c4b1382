//! The profiles of `~/.aws/config` and `~/.aws/credentials`.

use aws_config::SdkConfig;
use aws_config::profile::{ProfileFileCredentialsProvider, load};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use crate::fault::Fault;

/// Profiles that are named where one is missing.
const NAMED: usize = 20;

/// That there is no profile of this name, and which there are.
pub async fn missing(name: &str) -> Option<Fault> {
    let profiles = match load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), None).await {
        Ok(profiles) => profiles,
        Err(error) => return Some(Fault::usage(format!("the profiles cannot be read: {error}"))),
    };
    if profiles.get_profile(name).is_some() {
        return None;
    }
    let mut known: Vec<String> = profiles.profiles().map(|name| format!("`{name}`")).collect();
    known.sort();
    known.truncate(NAMED);
    let help = if known.is_empty() {
        "there is none at all: `aws configure` writes one".to_owned()
    } else {
        format!("there are {}", known.join(", "))
    };
    Some(
        Fault::usage(format!(
            "there is no profile `{name}` in `~/.aws/config` or `~/.aws/credentials`"
        ))
        .help(help),
    )
}

/// The same, with the credentials of this profile and of nothing else: `AWS_ACCESS_KEY_ID` is stronger than a profile in
/// the SDK's own chain, and a flag must be stronger than that. So does the AWS CLI it.
///
/// Source: botocore, `create_credential_resolver` (an explicit profile takes the environment's keys out of the chain).
#[must_use]
pub fn only(name: &str, config: &SdkConfig) -> SdkConfig {
    // For what the profile itself asks: the role that it assumes.
    let mut asking = ProviderConfig::without_region()
        .with_region(config.region().cloned())
        .with_use_fips(config.use_fips())
        .with_use_dual_stack(config.use_dual_stack());
    if let Some(timeouts) = config.timeout_config() {
        asking = asking.with_timeout_config(timeouts.clone());
    }
    if let Some(retries) = config.retry_config() {
        asking = asking.with_retry_config(retries.clone());
    }
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&asking)
        .profile_name(name)
        .build();
    config
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build()
}
