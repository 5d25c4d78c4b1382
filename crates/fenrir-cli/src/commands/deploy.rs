//! `fenrir deploy`: judge, package, upload, start, follow.

use std::path::Path;

use fenrir_core::owner::Owner;
use fenrir_core::policy::{self, Context};
use fenrir_core::problem::{Problem, Severity};
use fenrir_core::release::Release;
use fenrir_core::template::Document;

use crate::arguments::Deploy;
use crate::artifacts::Artifacts;
use crate::aws::Aws;
use crate::commands::on_runtime;
use crate::ending::Ended;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::follow::Follower;
use crate::interrupt::Interrupt;
use crate::package::{self, Package};
use crate::printer::Printer;
use crate::project;
use crate::release::{self, Wishes};
use crate::source::{self, Source};

/// Packages, uploads and deploys the template.
///
/// # Errors
/// It cannot be deployed, or the deploy failed.
pub fn run(arguments: &Deploy, printer: &mut Printer) -> Result<Exit, Stop> {
    on_runtime(deploy(arguments, printer))
}

async fn deploy(arguments: &Deploy, printer: &mut Printer) -> Result<Exit, Stop> {
    let path = source::find(arguments.template.template.as_deref())?;
    let source = Source::read(&path)?;
    let document = source.document()?;
    let template = Template {
        path: &path,
        source: &source,
        document: &document,
    };
    let aws = Aws::connect(&arguments.aws).await?;
    let owner = project::owner(document.value(), aws.account.clone(), aws.region.clone());
    template.judge(&owner, &arguments.allowed)?;
    let package = template.package(arguments.packaged)?;
    let artifacts = Artifacts::place(&aws.bucket, &owner, &path, &package);
    let release = template.release(&aws, &owner, arguments, &artifacts)?;

    let interrupt = Interrupt::listen().map_err(|_| Fault::failed("Ctrl-C cannot be listened to"))?;
    let (project, config, id) = (&owner.project, &owner.config, &release.release_id);
    printer.progress(&format!(
        "release {id}: {project} {config} to account {}, {}",
        owner.account, owner.region
    ));
    artifacts.upload(&aws, printer).await?;
    let execution = release::start(&aws, &release).await?;
    printer.progress(&format!("execution {execution}"));
    let mut follower = Follower::new(&aws, execution, &owner);
    let end = follower.follow(&interrupt, printer).await;
    let ended = Ended {
        aws: &aws,
        owner: &owner,
        release_id: id,
        template: Some((&source, &document)),
    };
    ended.tell(end, &follower, printer).await
}

/// The template of a deploy, as the developer has it.
struct Template<'a> {
    path: &'a Path,
    source: &'a Source,
    document: &'a Document,
}

impl Template<'_> {
    fn refused(&self, exit: Exit, problems: Vec<Problem>) -> Stop {
        Stop::Problems {
            exit,
            problems: source::placed(problems, self.document),
            source: self.source.clone(),
        }
    }

    /// What can be judged here is judged here, so that a refusal comes at once. What only AWS or the deployer's
    /// administrators know is left to the deployer, which judges everything again.
    fn judge(&self, owner: &Owner, allowed: &[String]) -> Result<(), Stop> {
        let context = Context {
            owner: owner.clone(),
            artifacts: None,
            allowed: allowed.iter().cloned().collect(),
        };
        let mut problems = policy::judge_without_world(self.document, &context).problems;
        problems.retain(|problem| problem.severity != Severity::NotChecked);
        if source::refuses(&problems) {
            Err(self.refused(Exit::Refused, problems))
        } else {
            Ok(())
        }
    }

    fn package(&self, packaged: bool) -> Result<Package, Stop> {
        if packaged {
            return Ok(package::packaged(self.path, self.source)?);
        }
        let references = package::references(self.document.value());
        package::package(self.path, self.source, &references).map_err(|problems| self.refused(Exit::Usage, problems))
    }

    fn release(&self, aws: &Aws, owner: &Owner, arguments: &Deploy, artifacts: &Artifacts) -> Result<Release, Stop> {
        let mut metadata = release::commit(package::base(self.path));
        metadata.insert("author".to_owned(), aws.caller.arn.clone());
        metadata.extend(arguments.metadata.iter().cloned());
        let wishes = Wishes {
            timeout: arguments.timeout,
            tags: arguments.tags.iter().cloned().collect(),
            metadata,
        };
        let hashes = artifacts.hashes();
        release::make(owner, &aws.bucket, artifacts.rewrite(self.document), hashes, wishes).map_err(|problems| {
            Stop::Problems {
                exit: Exit::Usage,
                problems,
                source: Source {
                    name: "the release".to_owned(),
                    text: String::new(),
                },
            }
        })
    }
}
