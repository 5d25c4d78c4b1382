//! Removes a stack: what stays is said first, and nothing is removed that a deploy needs.

use aws_sdk_sfn::types::ExecutionStatus;
use fenrir_aws::fault as call_fault;
use fenrir_install::stacks::{OwnStacks, Seen};
use fenrir_install::template::Kind;

use super::answers::Removed;
use super::{REGIONS, Work, fault, teller};
use crate::aws::unusable;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;

/// Names of stacks that are told one by one; the rest is counted.
const SHOWN: usize = 5;

/// Removes the stack that is meant.
///
/// # Errors
/// Something still needs it, the answer is no, or it cannot be removed.
pub async fn remove(work: &Work<'_>, printer: &mut Printer) -> Result<Exit, Stop> {
    let arguments = work.arguments;
    let deployer = work.deployer().await?;
    let given = &arguments.wishes.regions;
    let of_list = deployer.as_ref().map(|seen| seen.list(REGIONS)).unwrap_or_default();
    if arguments.region_only {
        let regions: Vec<String> = given.iter().filter(|region| *region != work.home()).cloned().collect();
        if regions.is_empty() {
            let fault = Fault::usage("which regions? the home of the deployer is not among those that can be removed");
            return Err(fault.help("say `--regions REGION,...`").into());
        }
        if let Some(region) = regions.iter().find(|region| of_list.contains(region)) {
            return Err(Fault::failed(format!("`{region}` may be deployed to"))
                .help("take it off the deployer's list first: `fenrir bootstrap --regions ...` without it")
                .into());
        }
        nothing_runs(work, deployer.as_ref()).await?;
        for region in &regions {
            let stacks = work.stacks(region);
            no_applications(&stacks, std::slice::from_ref(region), work).await?;
            one(work, Kind::Region, &stacks, printer).await?;
        }
        return Ok(Exit::Success);
    }
    let mut regions = if given.is_empty() { of_list } else { given.clone() };
    if !regions.iter().any(|region| region == work.home()) {
        regions.push(work.home().to_owned());
    }
    if arguments.account_only && deployer.is_none() && given.is_empty() {
        return Err(
            Fault::usage("in which regions may there be applications? the deployer is in another account")
                .help("say `--regions REGION,...`, those of the deployer's list: each is looked at")
                .into(),
        );
    }
    let kind = if arguments.account_only {
        Kind::Account
    } else {
        Kind::Deployer
    };
    nothing_runs(work, deployer.as_ref()).await?;
    let stacks = work.stacks(work.home());
    no_applications(&stacks, &regions, work).await?;
    one(work, kind, &stacks, printer).await?;
    if kind == Kind::Deployer {
        for region in regions.iter().filter(|region| *region != work.home()) {
            printer.progress(&format!(
                "the bucket of {region} stays: `fenrir bootstrap --remove --region-only --regions {region}`"
            ));
        }
        printer.progress("the account stacks stay: `fenrir bootstrap --remove --account-only` in each account");
    }
    Ok(Exit::Success)
}

/// Fails while a release is running.
async fn nothing_runs(work: &Work<'_>, deployer: Option<&Seen>) -> Result<(), Fault> {
    if deployer.is_none_or(|seen| !seen.stands()) {
        return Ok(());
    }
    let running = aws_sdk_sfn::Client::new(&work.session.config)
        .list_executions()
        .state_machine_arn(work.state_machine())
        .status_filter(ExecutionStatus::Running)
        .max_results(1)
        .send()
        .await;
    let running = match running.map_err(|error| call_fault("states:ListExecutions", &error)) {
        Ok(running) => running,
        Err(fault) if fault.is("StateMachineDoesNotExist") => return Ok(()),
        Err(fault) => return Err(unusable("looking for running releases", &fault)),
    };
    match running.executions().first() {
        None => Ok(()),
        Some(execution) => Err(Fault::failed(format!("the release `{}` is running", execution.name()))
            .help("wait until it has ended, or stop it with `fenrir halt`")),
    }
}

/// Fails while there are stacks of applications.
async fn no_applications(stacks: &OwnStacks, regions: &[String], work: &Work<'_>) -> Result<(), Fault> {
    let mut left = Vec::new();
    for region in regions {
        let names = work.stacks(region).applications().await.map_err(fault)?;
        left.extend(names.into_iter().map(|name| format!("`{name}` in {region}")));
    }
    if left.is_empty() {
        return Ok(());
    }
    let count = left.len();
    let more = count.saturating_sub(SHOWN);
    left.truncate(SHOWN);
    let mut names = left.join(", ");
    if more > 0 {
        names.push_str(" and ");
        names.push_str(&more.to_string());
        names.push_str(" more");
    }
    Err(Fault::failed(format!(
        "account {} still has {count} stacks of applications: {names}",
        stacks.account()
    ))
    .help("their updates and deletions need what is to be removed: delete them first"))
}

async fn one(work: &Work<'_>, kind: Kind, stacks: &OwnStacks, printer: &mut Printer) -> Result<(), Fault> {
    let mut answer = Removed {
        stack: kind.stack(),
        account: stacks.account().to_owned(),
        region: stacks.region().to_owned(),
        removed: false,
        kept: Vec::new(),
    };
    let Some(seen) = stacks.look(kind).await.map_err(fault)? else {
        printer.answer(&answer);
        return Ok(());
    };
    if seen.status.in_progress() {
        let fault = Fault::usage(format!("{} is in {}", stacks.name(kind), seen.status.row().name));
        return Err(fault.help("wait until that is done, then run the same command again"));
    }
    answer.kept = stacks.kept(kind, &seen).await.map_err(fault)?;
    let name = stacks.name(kind);
    printer.progress(&format!("to be removed: {name}"));
    for kept in &answer.kept {
        printer.progress(&format!("  stays: {} ({})", kept.physical_id, kept.resource_type));
    }
    agreed(kind, work.arguments.yes, printer)?;
    stacks.remove(kind, &seen, &mut teller(printer)).await.map_err(fault)?;
    answer.removed = true;
    printer.answer(&answer);
    Ok(())
}

/// A removal is agreed to by typing the stack's name.
fn agreed(kind: Kind, yes: bool, printer: &mut Printer) -> Result<(), Fault> {
    if yes {
        return Ok(());
    }
    let stack = kind.stack();
    let typed = printer.ask(&format!("type `{stack}` to remove it: "));
    let typed = typed.ok_or_else(|| {
        Fault::usage("nobody can be asked whether it may be removed").help("say `--yes` where there is no terminal")
    })?;
    if typed == stack {
        Ok(())
    } else {
        Err(Fault::failed("nothing was removed: the answer was another"))
    }
}
