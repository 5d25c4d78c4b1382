//! The resource types, one file each.

pub mod function;
pub mod queue;
