//! CloudFormation, as the steps of the machine need it.
//!
//! [`status`] is the table of every status a stack can have and what each step makes of it, [`marks`] the names and
//! tokens by which an execution knows its own work again, [`events`] reads a stack's history, [`changes`] a change
//! set's answer, [`findings`] what is held against one; all of that is data in, data out. [`Stacks`] makes the calls, with the credentials of the target
//! account's `fenrir-deployer`.

mod calls;
pub mod changes;
pub mod conclusion;
pub mod events;
pub mod findings;
pub mod hook;
pub mod marks;
pub mod status;
pub mod template_url;

pub use calls::{ChangeSetSeen, Deletion, MadeChangeSet, NewChangeSet, Stack, Stacks};
pub use status::Status;
