//! Tells where may be deployed, and what is installed there.

use fenrir_install::stacks::{OwnStacks, Seen};
use fenrir_install::template::Kind;
use fenrir_install::version::{self, Relation};

use super::answers::{Listed, Listing};
use super::install::no_deployer;
use super::{ACCOUNTS, REGIONS, Work};
use crate::exit::Exit;
use crate::fault::Stop;
use crate::printer::Printer;

/// Lists accounts and regions.
///
/// # Errors
/// There is no deployer, or it cannot be looked at.
pub async fn list(work: &Work<'_>, printer: &mut Printer) -> Result<Exit, Stop> {
    let Some(deployer) = work.deployer().await? else {
        return Err(no_deployer(work).into());
    };
    let mut accounts = Vec::new();
    for account in deployer.list(ACCOUNTS) {
        accounts.push(if account == work.account() {
            account_stack(work, &account, &deployer.list(REGIONS)).await
        } else {
            Listed {
                name: account,
                state: "not looked at".to_owned(),
                version: None,
                note: Some("the credentials are of another account".to_owned()),
            }
        });
    }
    let mut regions = Vec::new();
    for region in deployer.list(REGIONS) {
        regions.push(if region == work.home() {
            let what = (Some(Ok(deployer.clone())), "`fenrir bootstrap`");
            listed(region, what.0, what.1)
        } else {
            let seen = work.stacks(&region).look(Kind::Region).await;
            listed(region, seen.transpose(), "`fenrir bootstrap --region-only`")
        });
    }
    printer.answer(&Listing {
        deployer_account: work.account().to_owned(),
        home: work.home().to_owned(),
        version: deployer.version().map(str::to_owned),
        status: deployer.status.row().name,
        accounts,
        regions,
    });
    Ok(Exit::Success)
}

/// The account stack is in one region, whichever it is.
async fn account_stack(work: &Work<'_>, account: &str, regions: &[String]) -> Listed {
    let home = work.home().to_owned();
    let mut found = None;
    for region in std::iter::once(&home).chain(regions.iter().filter(|region| **region != home)) {
        let stacks: OwnStacks = work.stacks(region);
        found = stacks.look(Kind::Account).await.transpose();
        if found.is_some() {
            break;
        }
    }
    listed(account.to_owned(), found, "`fenrir bootstrap --account-only`")
}

fn listed(name: String, seen: Option<Result<Seen, fenrir_install::Error>>, remedy: &str) -> Listed {
    let (state, version, note) = match seen {
        None => ("missing".to_owned(), None, Some(format!("{remedy} installs it"))),
        Some(Err(error)) => ("not looked at".to_owned(), None, Some(error.to_string())),
        Some(Ok(seen)) if !seen.stands() => (
            seen.status.row().name.to_owned(),
            None,
            Some(format!("{remedy} installs it")),
        ),
        Some(Ok(seen)) => {
            let version = seen.version().map(str::to_owned);
            let is_own = version
                .as_deref()
                .and_then(|there| version::relation(version::OWN, there));
            let note = match is_own {
                Some(Relation::Same) => None,
                _ => Some(format!("{remedy} brings it to {}", version::OWN)),
            };
            ("installed".to_owned(), version, note)
        }
    };
    Listed {
        name,
        state,
        version,
        note,
    }
}
