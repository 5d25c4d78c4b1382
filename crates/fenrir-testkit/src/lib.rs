//! What tests share: the local AWS ([`LocalAws`]), Fenrir installed in it ([`Deployer`]), applications to deploy
//! ([`Application`]), the state machine in process ([`Machine`]), and recorded answers of AWS ([`Recorded`]).
//!
//! A dev-dependency only. What goes wrong here ends the test: everything panics with the reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "this crate is test code: a panic is how a test fails"
)]

pub mod answers;
mod application;
mod clock;
mod deployer;
mod http;
mod local_aws;
mod machine;
mod recorded;

pub use application::Application;
pub use clock::Clock;
pub use deployer::{Deployer, Ended, LambdaContext, Standing, lambdas, stand_ins};
pub use local_aws::{LocalAws, python, root};
pub use machine::{Failed, Machine, Run, Task};
pub use recorded::{Answer, Recorded, Request};
