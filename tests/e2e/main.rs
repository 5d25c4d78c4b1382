//! The whole deployer on the local AWS.
