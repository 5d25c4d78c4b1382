//! What becomes of a release whose execution ended outside the machine: stopped by hand, out of time, broken off.
//!
//! Its record still says that it has started, and mostly it still holds the lock. [`settle`] finds out what it did to its
//! stack, removes what only it made and never completed, gives the lock back or marks it dirty, and writes the end into
//! the record. [`mend`] does the record alone, for a deploy that took the lock over. Both may run any number of times and
//! at once: whatever they write is written only where the record still says that this very execution has started.
//!
//! What happened is read from Step Functions and CloudFormation ([`execution`]), judged as data ([`judgement`]), and told
//! in one sentence.

mod case;
pub mod execution;
pub mod judgement;
mod words;

pub use case::{PATIENCE, Settlement, mend, settle};
