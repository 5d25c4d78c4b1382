//! Installs and updates: everything is prepared and shown before anything is changed.

use std::collections::BTreeMap;

use fenrir_core::house;
use fenrir_install::bucket::Bucket;
use fenrir_install::lambdas::Code;
use fenrir_install::stacks::{OwnStacks, Prepared, Seen};
use fenrir_install::template::{Kind, Local};
use fenrir_install::{Error, package, version};

use super::answers::{Installed, StackChanges};
use super::{ACCOUNTS, Lists, Parameters, REGIONS, Work, fault, teller};
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;

/// The parameter of `account.yml`.
const DEPLOYER_ACCOUNT: &str = "DeployerAccount";
/// The parameter that the code itself decides.
const ARCHITECTURE: &str = "Architecture";

/// A stack to be installed or updated.
struct Target {
    kind: Kind,
    stacks: OwnStacks,
    wishes: Parameters,
    template: String,
    seen: Option<Seen>,
}

/// The account stack, in the account of the credentials.
///
/// # Errors
/// What stands in the way, or went wrong.
pub async fn account(work: &Work<'_>, printer: &mut Printer) -> Result<Exit, Stop> {
    let stacks = work.stacks(work.home());
    let seen = stacks.look(Kind::Account).await.map_err(fault)?;
    let trusted = work.arguments.aws.deployer_account.clone();
    let is_new = seen.as_ref().is_none_or(|seen| !seen.stands());
    if trusted.is_none() && is_new {
        return Err(
            Fault::usage("the account stack must be told which account the deployer lives in")
                .help("say `--deployer-account ID`: its steps get rights in this account")
                .into(),
        );
    }
    let wishes = trusted.map(|account| (DEPLOYER_ACCOUNT.to_owned(), account));
    let target = Target::new(Kind::Account, stacks, wishes.into_iter().collect(), seen);
    let next = vec![format!(
        "put {} into the deployer's list, where it is not on it: `fenrir bootstrap --accounts ...` with the deployer's credentials",
        work.account()
    )];
    let changed = carry_out(work, vec![target], printer).await?;
    printer.answer(&Installed {
        next: if changed.is_empty() { Vec::new() } else { next },
        ..installed(changed)
    });
    Ok(Exit::Success)
}

/// The buckets of the further regions.
///
/// # Errors
/// What stands in the way, or went wrong.
pub async fn regions(work: &Work<'_>, printer: &mut Printer) -> Result<Exit, Stop> {
    let deployer = work.deployer().await?.filter(Seen::stands);
    let Some(deployer) = deployer else {
        return Err(no_deployer(work).into());
    };
    let lists = work.lists(Some(&deployer));
    let targets = further(work, &lists).await?;
    if targets.is_empty() {
        printer.progress("there is no further region: say `--regions`, or look at `fenrir bootstrap --list-accounts`");
    }
    let on_list = deployer.list(REGIONS);
    let new: Vec<&String> = lists
        .regions
        .iter()
        .filter(|region| !on_list.contains(region))
        .collect();
    let next = (!new.is_empty()).then(|| "`fenrir bootstrap --regions ...` lets the deployer deploy there".to_owned());
    let changed = carry_out(work, targets, printer).await?;
    printer.answer(&Installed {
        next: next.into_iter().collect(),
        ..installed(changed)
    });
    Ok(Exit::Success)
}

/// There is no deployer to speak of.
pub(super) fn no_deployer(work: &Work<'_>) -> Fault {
    let (account, home) = (work.account(), work.home());
    Fault::usage(format!("account {account} has no deployer in {home}")).help(
        "are `--region` (the deployer's home) and the credentials (of the deployer's account) right? `fenrir bootstrap` \
         installs one",
    )
}

/// The deployer, its buckets in the further regions, and the account stack of its own account.
///
/// # Errors
/// What stands in the way, or went wrong.
pub async fn deployer(work: &Work<'_>, printer: &mut Printer) -> Result<Exit, Stop> {
    let stacks = work.stacks(work.home());
    let seen = stacks.look(Kind::Deployer).await.map_err(fault)?;
    let lists = work.lists(seen.as_ref());
    // What needs no AWS comes first: a missing file must not be told after minutes of work.
    let mut wishes = wishes(work, &lists, seen.as_ref())?;
    let names: Vec<&str> = code_names();
    let code = Code::read(&work.arguments.wishes.lambdas, &names).map_err(fault)?;
    let architecture = code.architecture.name().to_owned();
    if let Some(said) = wishes.insert(ARCHITECTURE.to_owned(), architecture.clone())
        && said != architecture
    {
        let fault = Fault::usage(format!(
            "the steps are built for {architecture}, and `Architecture={said}` is said"
        ));
        return Err(fault
            .help("leave it out, as the code itself says it; or build for the other: `make release ARCH=...`")
            .into());
    }
    let mut targets = Vec::new();
    if lists.accounts.iter().any(|account| account == work.account()) {
        let seen = stacks.look(Kind::Account).await.map_err(fault)?;
        let trusted = BTreeMap::from([(DEPLOYER_ACCOUNT.to_owned(), work.account().to_owned())]);
        targets.push(Target::new(Kind::Account, stacks.clone(), trusted, seen));
    }
    targets.extend(further(work, &lists).await?);
    let mut deployer = Target::new(Kind::Deployer, stacks, wishes, seen);
    deployer.template = upload(work, code, printer).await.map_err(fault)?;
    // Last: what a new version needs elsewhere is there before it.
    targets.push(deployer);
    let before = targets.last().and_then(|target| target.seen.clone());
    let changed = carry_out(work, targets, printer).await?;
    let state_machine = work.state_machine();
    printer.answer(&Installed {
        state_machine: Some(state_machine),
        bucket: Some(house::bucket(work.account(), work.home())),
        next: next(work, &lists, before.as_ref()),
        ..installed(changed)
    });
    Ok(Exit::Success)
}

/// The Lambdas, as the template names them.
fn code_names() -> Vec<&'static str> {
    let locals = Kind::Deployer.locals().into_iter();
    locals
        .filter_map(|local| match local {
            Local::Code(name) => Some(name),
            Local::Definition => None,
        })
        .collect()
}

/// The deployer's parameters, as they are said.
fn wishes(work: &Work<'_>, lists: &Lists, seen: Option<&Seen>) -> Result<Parameters, Fault> {
    let said = &work.arguments.wishes;
    let is_new = seen.is_none_or(|seen| !seen.stands());
    let mut wishes = Parameters::new();
    let mut say = |name: &str, value: String| match wishes.insert(name.to_owned(), value) {
        Some(_) => Err(Fault::usage(format!("the parameter `{name}` is said twice"))),
        None => Ok(()),
    };
    if is_new || !said.accounts.is_empty() {
        say(ACCOUNTS, lists.accounts.join(","))?;
    }
    if is_new || !said.regions.is_empty() {
        say(REGIONS, lists.regions.join(","))?;
    }
    if let Some(address) = &said.alert_email {
        say("AlertEmail", address.clone())?;
    }
    for (name, value) in &said.parameters {
        if [ACCOUNTS, REGIONS].contains(&name.as_str()) {
            let flag = name.to_lowercase();
            return Err(Fault::usage(format!(
                "say `--{flag}` instead of `--parameter {name}=...`"
            )));
        }
        say(name, value.clone())?;
    }
    Ok(wishes)
}

/// The buckets of the regions beside the home.
async fn further(work: &Work<'_>, lists: &Lists) -> Result<Vec<Target>, Fault> {
    let mut targets = Vec::new();
    for region in lists.regions.iter().filter(|region| *region != work.home()) {
        let stacks = work.stacks(region);
        let seen = stacks.look(Kind::Region).await.map_err(fault)?;
        let accounts = BTreeMap::from([(ACCOUNTS.to_owned(), lists.accounts.join(","))]);
        targets.push(Target::new(Kind::Region, stacks, accounts, seen));
    }
    Ok(targets)
}

/// Packs and uploads the code; the template that names it.
async fn upload(work: &Work<'_>, code: Code, printer: &mut Printer) -> Result<String, Error> {
    let bucket = open_bucket(work, work.home()).await?;
    let packaged = package::deployer(&bucket, code.pack()?).await?;
    let (sent, all) = (packaged.sent, packaged.objects);
    printer.progress(&match sent {
        0 => format!("the code is in `{}` already: {all} objects", bucket.name()),
        _ => format!("uploaded {sent} of {all} objects to `{}`", bucket.name()),
    });
    Ok(packaged.template)
}

async fn open_bucket(work: &Work<'_>, region: &str) -> Result<Bucket, Error> {
    let stacks = work.stacks(region);
    let config = &work.session.config;
    let there = config
        .to_builder()
        .region(aws_config::Region::new(region.to_owned()))
        .build();
    Bucket::open(&there, work.account(), region, stacks.partition()).await
}

/// Makes all change sets, shows them, asks, and executes them one after the other. The stacks that were changed.
async fn carry_out(work: &Work<'_>, mut targets: Vec<Target>, printer: &mut Printer) -> Result<Vec<String>, Stop> {
    for target in &mut targets {
        target.clear_away(work, printer).await?;
    }
    let mut prepared = Vec::new();
    for target in &targets {
        match target.prepare(work).await {
            Ok(made) => prepared.push((&target.stacks, made)),
            Err(error) => {
                discard(&prepared).await;
                return Err(fault(error).into());
            }
        }
    }
    for (stacks, made) in &prepared {
        printer.answer(&StackChanges::of(made, stacks));
    }
    let waiting = || prepared.iter().filter(|(_, made)| made.change_set.is_some());
    let count = waiting().count();
    if count == 0 {
        protect(&targets).await?;
        return Ok(Vec::new());
    }
    let question = match count {
        1 => "make these changes?".to_owned(),
        _ => format!("make these changes to {count} stacks?"),
    };
    if let Err(fault) = printer.confirm(&question, work.arguments.yes) {
        discard(&prepared).await;
        return Err(fault.into());
    }
    let mut changed = Vec::new();
    for (at, (stacks, made)) in prepared
        .iter()
        .enumerate()
        .filter(|(_, (_, made))| made.change_set.is_some())
    {
        printer.progress(&format!("{}: executing the change set", stacks.name(made.kind)));
        if let Err(error) = stacks.execute(made, &mut teller(printer)).await {
            discard(prepared.get(at + 1..).unwrap_or_default()).await;
            return Err(fault(error).into());
        }
        changed.push(made.kind.stack().to_owned());
    }
    protect(&targets).await?;
    Ok(changed)
}

async fn discard(prepared: &[(&OwnStacks, Prepared)]) {
    for (stacks, made) in prepared {
        stacks.discard(made).await;
    }
}

/// Nobody deletes one of these stacks by a slip.
async fn protect(targets: &[Target]) -> Result<(), Fault> {
    for target in targets {
        if target.seen.as_ref().is_none_or(|seen| !seen.protected) {
            target.stacks.protect(target.kind, true).await.map_err(fault)?;
        }
    }
    Ok(())
}

impl Target {
    fn new(kind: Kind, stacks: OwnStacks, wishes: Parameters, seen: Option<Seen>) -> Self {
        Self {
            kind,
            stacks,
            wishes,
            template: kind.text().to_owned(),
            seen,
        }
    }

    /// Removes what an earlier try left that failed.
    async fn clear_away(&mut self, work: &Work<'_>, printer: &mut Printer) -> Result<(), Fault> {
        let Some(seen) = &self.seen else { return Ok(()) };
        if !self.stacks.is_leftover(self.kind, seen).await.map_err(fault)? {
            return Ok(());
        }
        let name = self.stacks.name(self.kind);
        printer.progress(&format!(
            "{name} is in {}: an earlier try failed and left it. It never stood whole",
            seen.status.row().name
        ));
        printer.confirm("remove it, and begin anew?", work.arguments.yes)?;
        let removed = self.stacks.remove(self.kind, seen, &mut teller(printer)).await;
        removed.map_err(fault)?;
        self.seen = None;
        Ok(())
    }

    async fn prepare(&self, work: &Work<'_>) -> Result<Prepared, Error> {
        let needs_bucket = !OwnStacks::is_inline(&self.template);
        let bucket = if needs_bucket {
            Some(open_bucket(work, self.stacks.region()).await?)
        } else {
            None
        };
        self.stacks
            .prepare(
                self.kind,
                &self.template,
                &self.wishes,
                self.seen.as_ref(),
                bucket.as_ref(),
            )
            .await
    }
}

fn installed(changed: Vec<String>) -> Installed {
    Installed {
        changed: !changed.is_empty(),
        version: version::OWN,
        stacks: changed,
        state_machine: None,
        bucket: None,
        next: Vec::new(),
    }
}

/// What is left to be done elsewhere.
fn next(work: &Work<'_>, lists: &Lists, before: Option<&Seen>) -> Vec<String> {
    let (own, home) = (work.account(), work.home());
    let had = |parameter: &str| before.map(|seen| seen.list(parameter)).unwrap_or_default();
    let mut next = Vec::new();
    let known = had(ACCOUNTS);
    let is_update = before.and_then(Seen::version) != Some(version::OWN);
    for account in lists.accounts.iter().filter(|account| *account != own) {
        if is_update || !known.contains(account) {
            next.push(format!(
                "`fenrir bootstrap --account-only --deployer-account {own} --region {home}` with credentials of account {account}"
            ));
        }
    }
    for region in had(REGIONS).iter().filter(|region| !lists.regions.contains(region)) {
        next.push(format!(
            "{region} is no longer deployed to, and its bucket stays: `fenrir bootstrap --remove --region-only --regions {region}`"
        ));
    }
    next
}
