//! Fenrir's own stacks, and how an administrator installs them with his own credentials: the deployer never deploys
//! itself.
//!
//! [`template`] holds the templates and the state machine, as this build has them; [`lambdas`] packs the code of the steps;
//! [`bucket`] is where code and large templates lie for CloudFormation to read; [`stacks`] makes, shows, executes and
//! follows change sets; [`version`] says which command understands which deployer. `fenrir bootstrap` and the tests stand
//! on it.

pub mod bucket;
mod error;
pub mod lambdas;
pub mod package;
pub mod stacks;
pub mod template;
pub mod version;

pub use error::Error;
