//! The resource types, one file each.

pub mod api;
pub mod function;
pub mod layer;
pub mod queue;
pub mod simple_table;
