//! A release on its way: made of the template before the developer, or of one that was deployed before; then sent,
//! started and watched. What all commands that start an execution share.

use std::path::{Path, PathBuf};

use fenrir_core::console;
use fenrir_core::deployment::Operation;
use fenrir_core::owner::Owner;
use fenrir_core::policy::{self, Context};
use fenrir_core::problem::{Problem, Severity};
use fenrir_core::release::Release;
use fenrir_core::template::Document;
use serde::Serialize;

use crate::answer::Answer;
use crate::arguments::LaunchArguments;
use crate::artifacts::Artifacts;
use crate::aws::Aws;
use crate::ending::Ended;
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::follow::{End, Follower};
use crate::interrupt::Interrupt;
use crate::package::{self, Package};
use crate::printer::Printer;
use crate::project;
use crate::release::{self, Wishes};
use crate::source::{self, Source};
use crate::text::{Style, Text};
use crate::version;

/// Seconds that a deploy may take when nobody says.
const TIMEOUT: u32 = 600;

/// A release that is ready to be sent.
#[derive(Debug)]
pub struct Launch {
    /// Where to.
    pub aws: Aws,
    /// Whose.
    pub owner: Owner,
    /// The release, proven by the deployer's own rules as far as they need no AWS.
    pub release: Release,
    /// What it needs in the bucket.
    artifacts: Artifacts,
    /// The template as the developer has it before him, where it is made of that one.
    local: Option<Local>,
}

impl Launch {
    /// A release of the template before the developer: judged, packaged, and addressed. Nothing is sent.
    ///
    /// # Errors
    /// What is wrong with the template, the code or the arguments.
    pub async fn of_template(arguments: &LaunchArguments, operation: Operation) -> Result<Self, Stop> {
        let local = Local::read(arguments.template.template.as_deref(), arguments.config.as_deref())?;
        let aws = Aws::connect(&arguments.aws).await?;
        let owner = project::owner(local.document.value(), aws.account.clone(), aws.region.clone());
        local.judge(&owner, &arguments.allowed)?;
        let package = local.package(arguments.packaged)?;
        let artifacts = Artifacts::place(&aws.bucket, &owner, &local.path, &package);
        let release = local.release(&aws, &owner, operation, arguments, &artifacts)?;
        Ok(Self {
            aws,
            owner,
            release,
            artifacts,
            local: Some(local),
        })
    }

    /// A release that was made otherwise, and whose artifacts are where it says.
    #[must_use]
    pub fn of_release(aws: Aws, release: Release) -> Self {
        Self {
            aws,
            owner: release.owner(),
            release,
            artifacts: Artifacts::default(),
            local: None,
        }
    }

    /// Uploads what the bucket does not have, stores the release, and starts its execution. Until then Ctrl-C stops it all,
    /// afterwards only the watching.
    ///
    /// # Errors
    /// The bucket or the state machine does not take it, or somebody pressed Ctrl-C before anything was started.
    pub async fn start(&self, printer: &mut Printer) -> Result<Started<'_>, Stop> {
        let interrupt = Interrupt::listen().map_err(|_| Fault::failed("Ctrl-C cannot be listened to"))?;
        let announced = Announced {
            release: &self.release.release_id,
            project: &self.owner.project,
            config: &self.owner.config,
            account: &self.owner.account,
            region: &self.owner.region,
        };
        printer.tell(&announced);
        printer.detail(&format!("as {}", self.aws.caller.arn));
        printer.detail(&format!("through {}", self.aws.machine.arn));
        printer.detail(&format!("by way of the bucket {}", self.aws.bucket));
        let (deployer, own) = (&self.aws.machine.account, &self.aws.caller.account);
        if deployer != own {
            printer.progress(&format!("through the deployer of account {deployer}"));
        }
        let sending = async {
            self.artifacts.upload(&self.aws, printer).await?;
            release::store(&self.aws, &self.release).await
        };
        // The deployer's version is asked for meanwhile.
        let sending = async { tokio::join!(sending, version::ask(&self.aws)) };
        let (input, deployer) = tokio::select! {
            biased;
            () = interrupt.raised() => return Err(Fault::failed("interrupted; nothing was started").into()),
            sent = sending => sent,
        };
        let input = input?;
        deployer.check(printer)?;
        // From here on it cannot be taken back: the answer may be lost, and the execution run.
        let execution = release::start(&self.aws, &self.release.release_id, input).await?;
        printer.tell(&Begun {
            release: &self.release.release_id,
            console: console::execution(&execution).unwrap_or_default(),
            execution: &execution,
        });
        Ok(Started {
            launch: self,
            execution,
            interrupt,
        })
    }
}

/// What is about to be deployed, and where to.
#[derive(Debug, Serialize)]
struct Announced<'a> {
    release: &'a str,
    project: &'a str,
    config: &'a str,
    account: &'a str,
    region: &'a str,
}

impl Answer for Announced<'_> {
    const TYPE: &'static str = "release";

    fn human(&self, text: &mut Text) {
        text.plain("release ");
        text.put(Style::Strong, self.release);
        text.line(format!(
            ": {} {} to account {}, {}",
            self.project, self.config, self.account, self.region
        ));
    }
}

/// Where it can be watched.
#[derive(Debug, Serialize)]
struct Begun<'a> {
    release: &'a str,
    execution: &'a str,
    console: String,
}

impl Answer for Begun<'_> {
    const TYPE: &'static str = "execution";

    fn human(&self, text: &mut Text) {
        text.put(Style::Accent, &self.console);
        text.end();
    }
}

/// A release whose execution was started.
#[derive(Debug)]
pub struct Started<'a> {
    /// What was started.
    pub launch: &'a Launch,
    /// ARN.
    pub execution: String,
    /// Ctrl-C, since before the first upload.
    pub interrupt: Interrupt,
}

impl<'a> Started<'a> {
    /// Watches it until its end, or until somebody or something stops the watching.
    pub async fn follow(&self, printer: &mut Printer) -> (End, Follower<'a>) {
        let mut follower = Follower::new(&self.launch.aws, self.execution.clone(), &self.launch.owner);
        let end = follower.follow(&self.interrupt, printer).await;
        (end, follower)
    }

    /// Who says how it ended.
    #[must_use]
    pub fn ended(&self) -> Ended<'a> {
        let local = self.launch.local.as_ref();
        Ended {
            aws: &self.launch.aws,
            owner: &self.launch.owner,
            release_id: &self.launch.release.release_id,
            operation: self.launch.release.operation,
            template: local.map(|local| (&local.source, &local.document)),
        }
    }
}

/// The template, as the developer has it.
#[derive(Debug)]
struct Local {
    path: PathBuf,
    source: Source,
    document: Document,
}

impl Local {
    fn read(given: Option<&Path>, config: Option<&str>) -> Result<Self, Stop> {
        let path = source::find(given)?;
        let source = Source::read(&path)?;
        let mut document = source.document()?;
        if let Some(config) = config {
            document.set_config(config);
        }
        Ok(Self { path, source, document })
    }

    fn refused(&self, exit: Exit, problems: Vec<Problem>) -> Stop {
        Stop::Problems {
            exit,
            problems: source::placed(problems, &self.document),
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
        let mut problems = policy::judge_without_world(&self.document, &context).problems;
        problems.retain(|problem| problem.severity != Severity::NotChecked);
        if source::refuses(&problems) {
            Err(self.refused(Exit::Refused, problems))
        } else {
            Ok(())
        }
    }

    fn package(&self, packaged: bool) -> Result<Package, Stop> {
        if packaged {
            return Ok(package::packaged(&self.path, &self.source)?);
        }
        let references = package::references(self.document.value());
        package::package(&self.path, &self.source, &references).map_err(|problems| self.refused(Exit::Usage, problems))
    }

    fn release(
        &self,
        aws: &Aws,
        owner: &Owner,
        operation: Operation,
        arguments: &LaunchArguments,
        artifacts: &Artifacts,
    ) -> Result<Release, Stop> {
        let mut metadata = release::commit(package::base(&self.path));
        metadata.insert("author".to_owned(), aws.caller.arn.clone());
        metadata.extend(arguments.metadata.iter().cloned());
        let wishes = Wishes {
            operation,
            timeout: arguments.timeout.unwrap_or(TIMEOUT),
            tags: arguments.tags.iter().cloned().collect(),
            metadata,
        };
        let (template, hashes) = (artifacts.rewrite(&self.document), artifacts.hashes());
        release::make(owner, &aws.bucket, template, hashes, wishes).map_err(release::unfit)
    }
}
