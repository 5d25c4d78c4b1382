//! `fenrir attach`: follow a deploy that has started.

use std::path::Path;

use fenrir_aws::fault;
use fenrir_core::owner::Owner;
use fenrir_core::release::Release;
use fenrir_core::template::Document;
use serde_json::Value;

use crate::arguments::Attach;
use crate::aws::{Aws, unusable};
use crate::commands::on_runtime;
use crate::ending::Ended;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::follow::Follower;
use crate::interrupt::Interrupt;
use crate::printer::Printer;
use crate::source::{self, Source};

/// Follows a deploy until its end.
///
/// # Errors
/// There is no such deploy, or it failed.
pub fn run(arguments: &Attach, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(attach(arguments, printer))
}

async fn attach(arguments: &Attach, printer: &mut Printer) -> Result<Exit, Stop> {
    let mut aws = Aws::connect(&arguments.aws).await?;
    let execution = aws.machine.execution(&arguments.release);
    let release = release(&aws, &execution, &arguments.release).await?;
    let owner = release.owner();
    if owner.region != aws.region {
        let (release, region) = (&arguments.release, &owner.region);
        let fault = Fault::usage(format!(
            "the release `{release}` deploys to region `{region}`, not `{}`",
            aws.region
        ));
        return Err(fault.help(format!("say `--region {region}`")).into());
    }
    aws.account.clone_from(&owner.account);
    let template = template(arguments.template.template.as_deref(), &owner)?;
    let interrupt = Interrupt::listen().map_err(|_| Fault::failed("Ctrl-C cannot be listened to"))?;
    let mut follower = Follower::new(&aws, execution, &owner);
    let end = follower.follow(&interrupt, printer).await;
    let ended = Ended {
        aws: &aws,
        owner: &owner,
        release_id: &arguments.release,
        operation: release.operation,
        template: template.as_ref().map(|(source, document)| (source, document)),
    };
    Ok(match ended.tell(end, &follower, printer).await? {
        // Nobody asked whether there are any.
        Exit::Changes => Exit::Success,
        exit => exit,
    })
}

/// The release that the execution was started with.
async fn release(aws: &Aws, execution: &str, release: &str) -> Result<Release, Fault> {
    let answer = aws.sfn.describe_execution().execution_arn(execution).send().await;
    let answer = answer.map_err(|error| {
        let fault = fault("states:DescribeExecution", &error);
        if fault.is("ExecutionDoesNotExist") || fault.is("InvalidArn") || fault.is("StateMachineDoesNotExist") {
            return Fault::usage(format!(
                "there is no release `{release}` at the deployer `{}`",
                aws.machine.arn
            ))
            .help("`fenrir deploy` says the release at its start; `--state-machine` says which deployer");
        }
        unusable("looking for the release", &fault)
    })?;
    let input: Option<Value> = answer.input().and_then(|input| serde_json::from_str(input).ok());
    let release_read = input.and_then(|input| Release::parse(&input).ok());
    release_read.ok_or_else(|| {
        Fault::usage(format!("the execution `{release}` was not started with a release"))
            .help("`fenrir attach` follows what `fenrir deploy` has started")
    })
}

/// The template that was deployed, if the developer has it before him: then a refusal shows its lines.
fn template(given: Option<&Path>, owner: &Owner) -> Result<Option<(Source, Document)>, Stop> {
    let path = match (given, source::find(given)) {
        (_, Ok(path)) => path,
        (None, Err(_)) => return Ok(None),
        (Some(_), Err(fault)) => return Err(fault.into()),
    };
    let read = Source::read(&path).map_err(Stop::from).and_then(|source| {
        let document = source.document()?;
        Ok((source, document))
    });
    match read {
        Ok((source, document)) => {
            let of_file = crate::project::owner(document.value(), owner.account.clone(), owner.region.clone());
            Ok((of_file == *owner).then_some((source, document)))
        }
        Err(stop) if given.is_some() => Err(stop),
        Err(_) => Ok(None),
    }
}
