//! One file per verb.

use std::future::Future;

use crate::exit::Exit;
use crate::fault::{Fault, Stop};

pub mod attach;
pub mod bootstrap;
pub mod completions;
pub mod dashboard;
pub mod deploy;
pub mod diff;
pub mod doctor;
pub mod events;
pub mod explain;
pub mod halt;
pub mod history;
pub mod init;
pub mod lock;
pub mod logs;
pub mod ls;
pub mod man;
pub mod package;
pub mod plan;
pub mod rollback;
pub mod show;
pub mod status;
pub mod unlock;
pub mod validate;

/// Runs a command that talks to AWS.
fn on_runtime(command: impl Future<Output = Result<Exit, Stop>>) -> Result<Exit, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|_| Fault::failed("the operating system gives no means to talk to AWS"))?;
    runtime.block_on(command)
}
