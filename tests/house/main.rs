//! What the files of the repository say about each other: the state machine, the two stacks, the crates.
//!
//! Needs nothing running. A name that is spelled in two files, a right that nobody uses, a call without a right, a
//! state that nobody reaches: each is a failing test here, before it is a failing deploy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod comparison;
mod files;
mod iam;
mod install;
mod machine;
mod operations;
mod roles;
mod service_role;
