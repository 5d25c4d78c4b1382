//! `fenrir bootstrap`: install, update, list and remove Fenrir itself, with an administrator's own credentials.

use crate::arguments::Bootstrap;
use crate::bootstrap::{Work, install, listing, removal};
use crate::commands::on_runtime;
use crate::exit::Exit;
use crate::fault::Stop;
use crate::printer::Printer;

/// Installs, updates, lists or removes.
///
/// # Errors
/// What stands in the way, or went wrong.
pub fn run(arguments: &Bootstrap, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(bootstrap(arguments, printer))
}

async fn bootstrap(arguments: &Bootstrap, printer: &mut Printer) -> Result<Exit, Stop> {
    let work = Work::begin(arguments).await?;
    if arguments.remove {
        removal::remove(&work, printer).await
    } else if arguments.list_accounts {
        listing::list(&work, printer).await
    } else if arguments.account_only {
        install::account(&work, printer).await
    } else if arguments.region_only {
        install::regions(&work, printer).await
    } else {
        install::deployer(&work, printer).await
    }
}
