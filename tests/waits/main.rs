//! The real state machine and the real steps on a clock that the test puts forward, against a CloudFormation that answers
//! by the same clock: what hours of waiting cost, what a person is told of a failure, how large the state becomes.
//!
//! Needs nothing running: CloudFormation's answers are HTTP, made by [`cloud::Cloud`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "a test fails by panicking, and its futures may be as large as they like"
)]

mod cloud;
mod console;
mod explanation;
mod halts;
mod pace;
mod size;
