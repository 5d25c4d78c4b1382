//! Benchmarks only: see `policy.rs`.
