//! One file per verb.

pub mod explain;
pub mod package;
pub mod validate;
