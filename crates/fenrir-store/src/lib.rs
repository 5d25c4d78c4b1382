//! What Fenrir keeps: objects in S3 ([`Objects`]), locks ([`Locks`], [`Freezes`], [`Halts`]) and records ([`Records`],
//! [`Current`]) in DynamoDB.
//!
//! Every write may be made twice by the same execution, with the same result: a retry after a lost answer finds its own
//! work and is content.

mod attributes;
mod batch;
pub mod current;
pub mod freezes;
pub mod halts;
pub mod history;
pub mod locks;
pub mod objects;
pub mod records;

pub use current::{Current, Summary};
pub use freezes::{Freeze, Freezes, Lifted};
pub use halts::Halts;
pub use history::{Entry, Said};
pub use locks::{Holder, Locks};
pub use objects::Objects;
pub use records::{Record, Records, Status, Unlocked};
