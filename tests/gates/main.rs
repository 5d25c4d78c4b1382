//! Validate, Lock and `ReleaseLock`, and the stores under them, on the local AWS: the proof of a release, who gets a lock
//! and who keeps it, and what is written down at the end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "a test fails by panicking, and its futures may be as large as they like"
)]

mod lock;
mod measures;
mod records;
mod release_lock;
mod store;
mod validate;
mod world;
