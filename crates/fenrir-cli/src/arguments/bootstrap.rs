//! `fenrir bootstrap`: what an administrator says.

use std::path::PathBuf;

use clap::Args;

use super::{ProfileArgument, account, pair, region};
use crate::environment;

/// `fenrir bootstrap`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without further arguments it installs or updates, in the account of the credentials:
  fenrir          the deployer, in the region at hand, its home
  fenrir-region   its bucket, in every further region that may be deployed to
  fenrir-account  the roles of a deploy, when this account may be deployed to
Every other account gets `fenrir-account` with its own credentials and `--account-only`.

The changes are shown first. What is not given keeps its value. `make release` builds the code.

Examples:
  fenrir bootstrap --accounts 111111111111,222222222222 --regions eu-west-1 --alert-email team@example.com
  fenrir bootstrap --account-only --deployer-account 111111111111 --profile production
  fenrir bootstrap --list-accounts
  fenrir bootstrap --remove --account-only --profile production")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Bootstrap {
    /// Only the account stack, in the account of the credentials
    #[arg(long, conflicts_with_all = ["region_only", "list_accounts"])]
    pub account_only: bool,
    /// Only the buckets of the further regions
    #[arg(long, conflicts_with = "list_accounts")]
    pub region_only: bool,
    /// Tell which accounts and regions may be deployed to, and what is installed there
    #[arg(long, conflicts_with = "remove")]
    pub list_accounts: bool,
    /// Remove the deployer, or with --account-only or --region-only that part
    #[arg(long)]
    pub remove: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// What the deployer is to be.
    #[command(flatten)]
    pub wishes: WishArguments,
    /// Where AWS is.
    #[command(flatten)]
    pub aws: AdministratorArguments,
}

/// What the deployer is to be.
#[derive(Debug, Args)]
#[command(next_help_heading = "Deployer")]
pub struct WishArguments {
    /// Accounts that may be deployed to, the whole list [default: as before; at first this account]
    #[arg(long, value_name = "ID,...", value_delimiter = ',', value_parser = account)]
    pub accounts: Vec<String>,
    /// Regions that may be deployed to, the whole list [default: as before; at first this region]
    #[arg(long, value_name = "REGION,...", value_delimiter = ',', value_parser = region)]
    pub regions: Vec<String>,
    /// Who gets the alert of a dirty end
    #[arg(long, value_name = "ADDRESS")]
    pub alert_email: Option<String>,
    /// Any other parameter of the deployer's stack (again for more)
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    pub parameters: Vec<(String, String)>,
    /// Where the code of the steps lies, as `<step>/bootstrap`
    #[arg(long, value_name = "FOLDER", default_value = "target/lambda")]
    pub lambdas: PathBuf,
}

/// Where AWS is, for whoever installs.
#[derive(Debug, Args)]
#[command(next_help_heading = "AWS")]
pub struct AdministratorArguments {
    /// Home region of the deployer
    #[arg(long, env = environment::REGION, value_name = "REGION", hide_env_values = true)]
    pub region: Option<String>,
    /// Whose credentials.
    #[command(flatten)]
    pub profile: ProfileArgument,
    /// Where AWS is, such as a local one
    #[arg(long, env = environment::ENDPOINT_URL, value_name = "URL", hide_env_values = true)]
    pub endpoint_url: Option<String>,
    /// Account that the deployer lives in, for --account-only
    #[arg(long, env = environment::DEPLOYER_ACCOUNT, value_name = "ID", hide_env_values = true, value_parser = account)]
    pub deployer_account: Option<String>,
}
