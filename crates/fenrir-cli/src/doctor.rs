//! What `fenrir doctor` looks at: one [`Finding`] each, with a remedy where something is wrong.
//!
//! Nothing is changed. A right is tried with a call that cannot have an effect: reading something that is not there, or
//! sending bytes under a checksum that is not theirs. What AWS tells only of a call that has an effect is `not checked`.

use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use fenrir_aws::fault;
use fenrir_core::error::{self, FaultKind};
use fenrir_core::owner::{Owner, UNKNOWN_ACCOUNT, UNKNOWN_REGION, config_problem, project_problem};
use fenrir_core::policy::{self, Context};
use fenrir_core::problem::Severity;
use fenrir_core::template::Document;
use fenrir_core::{house, keys};
use fenrir_install::stacks::OwnStacks;
use fenrir_install::template::Kind;
use fenrir_install::version::Relation;
use fenrir_store::{Locks, locks};
use serde::Serialize;
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::arguments::Doctor;
use crate::aws::{self, Aws, Caller, Place, Session, unusable, words};
use crate::fault::Fault;
use crate::scope::Tables;
use crate::source::{self, Source};
use crate::text::{Style, Text, duration};
use crate::version::{self, Deployer};
use crate::{container, package, project};

/// Seconds that a clock may go fast: the deployer refuses a release from further ahead (`created_at`).
const FAST: i64 = 120;
/// Seconds that a clock may go slow: AWS refuses what was signed longer ago.
/// Source: AWS General Reference, "Troubleshooting Signature Version 4 errors".
const SLOW: i64 = 300;
/// The name of what is never there.
const NOBODY: &str = "fenrir-doctor";

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Fine,
    /// Somebody should look, and a deploy may well work.
    Notable,
    /// A deploy will not work.
    Wrong,
    /// It cannot be known.
    NotChecked,
}

impl State {
    const fn word(self) -> (&'static str, Style) {
        match self {
            Self::Fine => ("ok", Style::Good),
            Self::Notable => ("note", Style::Warn),
            Self::Wrong => ("wrong", Style::Bad),
            Self::NotChecked => ("not checked", Style::Dim),
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What: a word or two, always the same.
    pub check: &'static str,
    /// How it stands.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl Finding {
    fn fine(check: &'static str, found: impl Into<String>) -> Self {
        Self::of(check, State::Fine, found, None)
    }

    fn wrong(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::of(check, State::Wrong, found, Some(remedy.into()))
    }

    fn not_checked(check: &'static str, why: impl Into<String>) -> Self {
        Self::of(check, State::NotChecked, why, None)
    }

    fn of(check: &'static str, state: State, found: impl Into<String>, remedy: Option<String>) -> Self {
        Self {
            check,
            state,
            found: found.into(),
            remedy,
        }
    }

    /// Why a command would stop here.
    fn of_fault(check: &'static str, fault: Fault) -> Self {
        Self::of(check, State::Wrong, fault.message, fault.help)
    }
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// Things that are wrong.
    pub wrong: usize,
    /// Everything that was looked at.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Of these findings.
    #[must_use]
    pub fn of(findings: Vec<Finding>) -> Self {
        let wrong = findings.iter().filter(|finding| finding.state == State::Wrong).count();
        Self { wrong, findings }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.wrong == 0
    }
}

impl Answer for Diagnosis {
    const TYPE: &'static str = "diagnosis";

    fn human(&self, text: &mut Text) {
        let longest = self
            .findings
            .iter()
            .map(|finding| finding.check.len())
            .max()
            .unwrap_or_default();
        for finding in &self.findings {
            let (word, style) = finding.state.word();
            text.put(style, format!("{word:<11}"));
            text.plain(format!("  {:<longest$}  {}", finding.check, finding.found));
            text.end();
            if let Some(remedy) = &finding.remedy {
                text.put(Style::Accent, format!("{:11}  {:longest$}  {remedy}", "", ""));
                text.end();
            }
        }
        text.end();
        match self.wrong {
            0 => text.put(Style::Good, "nothing is wrong"),
            1 => text.put(Style::Bad, "1 thing is wrong"),
            wrong => text.put(Style::Bad, format!("{wrong} things are wrong")),
        }
        text.end();
    }
}

/// Looks at everything.
pub async fn examine(arguments: &Doctor) -> Vec<Finding> {
    let mut findings = Vec::new();
    let document = template(arguments, &mut findings);
    let Some(session) = session(arguments, &mut findings).await else {
        return findings;
    };
    let aws = match Aws::of(session.clone(), &arguments.aws) {
        Ok(aws) => aws,
        Err(fault) => {
            findings.push(Finding::of_fault("deployer", fault));
            return findings;
        }
    };
    let owner = owner(arguments, document.as_ref(), &aws);
    let deployer = version::ask(&aws).await;
    let is_absent = deployer == Deployer::Absent;
    findings.extend(of_deployer(&aws, deployer));
    match &owner {
        Ok(_) if is_absent => {}
        Ok(owner) => {
            let (read, write, lock, freeze, records, executions, account) = tokio::join!(
                bucket(&aws, owner),
                upload(&aws, owner),
                lock(&aws, owner),
                freeze(&aws, owner),
                records(&aws, owner),
                executions(&aws),
                account(&aws, &session),
            );
            findings.extend([read, write, lock, freeze, records, executions, account]);
            findings.push(Finding::not_checked(
                "start",
                "whether you may start a deploy (`states:StartExecution`): AWS tells only whoever starts one",
            ));
        }
        Err(why) => findings.push(Finding::not_checked("rights", why.clone())),
    }
    findings
}

/// The template of this folder, and the tools that packaging it takes.
fn template(arguments: &Doctor, findings: &mut Vec<Finding>) -> Option<Document> {
    const CHECK: &str = "template";
    let given = arguments.scope.template.template.as_deref();
    let path = match source::find(given) {
        Ok(path) => path,
        Err(fault) if given.is_none() && !source::NAMES.iter().any(|name| Path::new(name).exists()) => {
            let words = format!("{}; `fenrir init` writes a first one", fault.message);
            findings.push(Finding::not_checked(CHECK, words));
            return None;
        }
        Err(fault) => {
            findings.push(Finding::of_fault(CHECK, fault));
            return None;
        }
    };
    let source = match Source::read(&path) {
        Ok(source) => source,
        Err(fault) => {
            findings.push(Finding::of_fault(CHECK, fault));
            return None;
        }
    };
    let remedy = format!("`fenrir validate {}` shows where", source.name);
    let document = match source.load() {
        Ok(document) => document,
        Err(problems) => {
            let words = format!(
                "`{}` cannot be read: {}",
                source.name,
                counted(problems.len(), "problem")
            );
            findings.push(Finding::wrong(CHECK, words, remedy));
            return None;
        }
    };
    let context = Context {
        owner: project::owner(document.value(), UNKNOWN_ACCOUNT.to_owned(), UNKNOWN_REGION.to_owned()),
        artifacts: None,
        allowed: std::collections::BTreeSet::new(),
    };
    let problems = policy::judge_without_world(&document, &context).problems;
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    findings.push(match errors {
        0 => Finding::fine(
            CHECK,
            format!("`{}` is valid, as far as it can be judged without AWS", source.name),
        ),
        errors => Finding::wrong(
            CHECK,
            format!("`{}` is refused: {}", source.name, counted(errors, "error")),
            remedy,
        ),
    });
    findings.extend(tools(&path, &document));
    Some(document)
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// What packaging needs on this machine.
fn tools(path: &Path, document: &Document) -> Vec<Finding> {
    let base = package::base(path);
    let (mut images, mut unbuilt) = (0, Vec::new());
    for reference in package::references(document.value()) {
        let folder = base.join(&reference.source);
        if folder.join(container::DOCKERFILE).is_file() {
            images += 1;
        } else if !folder.exists() {
            unbuilt.push(format!("`{}`", reference.source));
        }
    }
    let mut findings = Vec::new();
    if images > 0 {
        findings.push(match container::engine() {
            Some(engine) => Finding::fine(
                "container",
                format!("`{engine}` is there for {}", counted(images, "image")),
            ),
            None => Finding::wrong(
                "container",
                format!(
                    "neither `docker` nor `podman` is there, and {} must be built",
                    counted(images, "image")
                ),
                "install one of them",
            ),
        });
    }
    if !unbuilt.is_empty() {
        let is_rust = base.join("Cargo.toml").is_file();
        let remedy = match (is_rust, container::is_there("cargo-lambda")) {
            (true, true) => "build it: `cargo lambda build --release`",
            (true, false) => "install cargo-lambda, and build it: `cargo lambda build --release`",
            (false, _) => "build it, or mend the path; paths are relative to the template",
        };
        findings.push(Finding::wrong(
            "code",
            format!("{} is not there", unbuilt.join(", ")),
            remedy,
        ));
    }
    findings
}

/// Credentials, region, endpoint and clock.
async fn session(arguments: &Doctor, findings: &mut Vec<Finding>) -> Option<Session> {
    let place = Place::of(&arguments.aws);
    let config = match place.config().await {
        Ok(config) => config,
        Err(fault) => {
            findings.push(Finding::of_fault("credentials", fault));
            return None;
        }
    };
    let region = match aws::region(&config) {
        Ok(region) => {
            findings.push(Finding::fine("region", region.clone()));
            Some(region)
        }
        Err(fault) => {
            findings.push(Finding::of_fault("region", fault));
            None
        }
    };
    // First: a provider tells only once why it has none.
    if let Err(fault) = place.prove(&config).await {
        findings.push(Finding::of_fault("credentials", fault));
        return None;
    }
    if let Some(expired) = expired(&config).await {
        findings.push(expired);
        return None;
    }
    // Without a region there is no STS to ask.
    let region = region?;
    let clock = ServerClock::default();
    let caller = caller(&config, clock.clone()).await;
    let at = config.endpoint_url().unwrap_or("AWS").to_owned();
    findings.extend(clock.finding());
    match caller {
        Ok(caller) => {
            findings.push(Finding::fine("endpoint", format!("{at} answers")));
            findings.push(Finding::fine("credentials", format!("you are {}", caller.arn)));
            Some(Session { config, region, caller })
        }
        Err(fault) => {
            let check = if fault.kind == FaultKind::Transient {
                "endpoint"
            } else {
                "credentials"
            };
            findings.push(Finding::of_fault(check, unusable("asking who you are", &fault)));
            None
        }
    }
}

/// Credentials that say themselves that their time is up.
async fn expired(config: &SdkConfig) -> Option<Finding> {
    let credentials = config.credentials_provider()?.provide_credentials().await.ok()?;
    let until = OffsetDateTime::from(credentials.expiry()?);
    (until < OffsetDateTime::now_utc()).then(|| {
        Finding::wrong(
            "credentials",
            format!("they expired at {}", fenrir_core::timestamp::format(until)),
            "get new ones: `aws sso login`, or as you got these",
        )
    })
}

async fn caller(config: &SdkConfig, clock: ServerClock) -> Result<Caller, error::Fault> {
    let asked = aws_sdk_sts::Client::new(config)
        .get_caller_identity()
        .customize()
        .interceptor(clock)
        .send()
        .await;
    let answer = asked.map_err(|error| fault("sts:GetCallerIdentity", &error))?;
    Ok(Caller {
        account: answer.account.unwrap_or_default(),
        arn: answer.arn.unwrap_or_default(),
    })
}

/// Takes the time from AWS's answer.
#[derive(Debug, Clone, Default)]
struct ServerClock {
    /// Seconds that the clock of this machine is ahead.
    ahead: Arc<Mutex<Option<i64>>>,
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "ServerClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let there = date.and_then(|date| aws_smithy_types::DateTime::from_str(date, Format::HttpDate).ok());
        if let (Some(there), Ok(mut ahead)) = (there, self.ahead.lock()) {
            *ahead = Some(OffsetDateTime::now_utc().unix_timestamp() - there.secs());
        }
        Ok(())
    }
}

impl ServerClock {
    fn finding(&self) -> Option<Finding> {
        const CHECK: &str = "clock";
        let ahead = (*self.ahead.lock().ok()?)?;
        let remedy = "set the clock of this machine: AWS refuses what is signed at another time, and the deployer a release \
                      from the future";
        Some(match ahead {
            ahead if ahead > FAST => Finding::wrong(CHECK, format!("{} fast", duration(ahead)), remedy),
            ahead if ahead < -SLOW => Finding::wrong(CHECK, format!("{} slow", duration(ahead.abs())), remedy),
            _ => Finding::fine(CHECK, "agrees with AWS"),
        })
    }
}

/// Whose rights are to be looked at.
fn owner(arguments: &Doctor, document: Option<&Document>, aws: &Aws) -> Result<Owner, String> {
    let named = document.map(|document| project::owner(document.value(), aws.account.clone(), aws.region.clone()));
    let scope = &arguments.scope;
    let part = |given: &Option<String>, of_file: Option<&String>| given.clone().or_else(|| of_file.cloned());
    let project = part(&scope.project, named.as_ref().map(|owner| &owner.project));
    let config = part(&scope.config, named.as_ref().map(|owner| &owner.config));
    let why = "what you may do: say `--project NAME --config NAME`, or run it where the template is";
    match (project, config) {
        (Some(project), Some(config)) => {
            if project_problem(&project).is_some() || config_problem(&config).is_some() {
                return Err(why.to_owned());
            }
            Ok(Owner {
                account: aws.account.clone(),
                region: aws.region.clone(),
                project,
                config,
            })
        }
        _ => Err(why.to_owned()),
    }
}

/// The deployer, and its version.
fn of_deployer(aws: &Aws, deployer: Deployer) -> Vec<Finding> {
    let arn = &aws.machine.arn;
    let there = || Finding::fine("deployer", arn.clone());
    match deployer {
        Deployer::Absent => vec![Finding::wrong(
            "deployer",
            format!("there is no {arn}"),
            "are `--deployer-account`, `--region` or `--state-machine` right? an administrator installs a deployer with \
             `fenrir bootstrap`",
        )],
        Deployer::Is(said, Relation::Same) => vec![there(), Finding::fine("version", said)],
        Deployer::Is(said, Relation::Compatible) => {
            vec![
                there(),
                Finding::of("version", State::Notable, version::differ(&said), None),
            ]
        }
        Deployer::Is(said, relation) => vec![
            there(),
            Finding::wrong("version", version::refuse(&said), version::remedy(relation)),
        ],
        Deployer::Silent => vec![
            there(),
            Finding::not_checked("version", "the deployer does not say which it is"),
        ],
        Deployer::Unasked(fault) => vec![Finding::not_checked(
            "deployer",
            format!("whether there is {arn}, and of which version: {}", brief(&fault)),
        )],
    }
}

/// Why a call did not go through, in a line.
fn brief(fault: &error::Fault) -> String {
    match fault.kind {
        FaultKind::Denied => format!("you lack the right `{}`", fault.action),
        _ => words(fault),
    }
}

const POLICY: &str = "ask an administrator of the deployer for the developer's policy of this project, config, account and \
                      region (docs/install.md)";

/// A right that is missing.
fn denied(check: &'static str, fault: &error::Fault, of: &str) -> Finding {
    Finding::wrong(check, format!("you lack the right `{}` on {of}", fault.action), POLICY)
}

/// Anything else that is in the way.
fn failed(check: &'static str, fault: &error::Fault) -> Finding {
    Finding::of_fault(check, unusable("looking", fault))
}

/// The bucket of the region, and whether what Fenrir wrote may be read.
async fn bucket(aws: &Aws, owner: &Owner) -> Finding {
    const CHECK: &str = "bucket";
    let answer = aws
        .s3
        .get_object()
        .bucket(&aws.bucket)
        .expected_bucket_owner(&aws.machine.account)
        .key(keys::own(owner, NOBODY, NOBODY))
        .send()
        .await;
    let bucket = &aws.bucket;
    let Err(error) = answer else {
        return Finding::fine(CHECK, bucket.clone());
    };
    let fault = fault("s3:GetObject", &error);
    if fault.is("NoSuchKey") {
        return Finding::fine(CHECK, bucket.clone());
    }
    if fault.is("NoSuchBucket") || fault.is("PermanentRedirect") {
        return Finding::wrong(
            CHECK,
            format!("the deployer has no bucket `{bucket}` in {}", aws.region),
            "is `--region` right? an administrator opens a region with `fenrir bootstrap --regions ...`",
        );
    }
    match fault.kind {
        // Whoever may read but not list is told 403 of what is not there, and the words name the right to list.
        // Source: Amazon S3 API, GetObject, "Permissions"; S3 User Guide, "Troubleshoot access denied (403) errors".
        FaultKind::Denied if fault.message.contains("s3:ListBucket") => Finding::fine(CHECK, bucket.clone()),
        FaultKind::Denied if fault.message.contains("s3:GetObject") => denied(CHECK, &fault, bucket),
        FaultKind::Denied => Finding::not_checked(
            CHECK,
            format!("whether you may read `{bucket}`: S3 says the same of what is not there and of what is forbidden"),
        ),
        _ => failed(CHECK, &fault),
    }
}

/// Whether a release may be stored. The bytes are not those of the checksum, so S3 refuses them even where it may.
///
/// Source: Amazon S3 API, `PutObject`: `BadDigest`.
async fn upload(aws: &Aws, owner: &Owner) -> Finding {
    const CHECK: &str = "upload";
    // SHA-256 of nothing.
    const OF_NOTHING: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let key = keys::release(owner, NOBODY);
    let answer = aws
        .s3
        .put_object()
        .bucket(&aws.bucket)
        .expected_bucket_owner(&aws.machine.account)
        .key(&key)
        .checksum_sha256(OF_NOTHING)
        .body(ByteStream::from_static(b"fenrir doctor"))
        .send()
        .await;
    let prefix = format!("`{}/{}/*`", aws.bucket, keys::owner(owner));
    let Err(error) = answer else {
        return Finding::of(
            CHECK,
            State::Notable,
            format!("{prefix} takes bytes under a wrong checksum: `{key}` was left there, and is not S3's doing"),
            Some("remove it, and tell whoever runs this endpoint".to_owned()),
        );
    };
    let fault = fault("s3:PutObject", &error);
    match fault.kind {
        _ if fault.is("BadDigest") || fault.is("XAmzContentChecksumMismatch") || fault.is("InvalidDigest") => {
            Finding::fine(CHECK, format!("you may write {prefix}"))
        }
        // Told of the bucket already.
        _ if fault.is("NoSuchBucket") || fault.is("PermanentRedirect") => {
            Finding::not_checked(CHECK, "there is no bucket to write to")
        }
        FaultKind::Denied => denied(CHECK, &fault, &prefix),
        _ => failed(CHECK, &fault),
    }
}

/// The lock: whether it may be read, and whether it is held.
async fn lock(aws: &Aws, owner: &Owner) -> Finding {
    const CHECK: &str = "lock";
    if aws.caller.account != aws.machine.account {
        return elsewhere(CHECK, aws);
    }
    match Locks::new(&aws.home, house::LOCKS_TABLE).holder(owner).await {
        Ok(None) => Finding::fine(CHECK, "nobody holds it"),
        Ok(Some(holder)) if holder.dirty => Finding::wrong(
            CHECK,
            format!("release `{}` ended dirty and has kept it", holder.release_id),
            "an operator mends what is left and runs `fenrir unlock --reason WHY`",
        ),
        Ok(Some(holder)) => Finding::of(
            CHECK,
            State::Notable,
            format!("release `{}` is being deployed", holder.release_id),
            Some(format!("`fenrir attach {}` follows it", holder.release_id)),
        ),
        Err(locks::Error::Fault(fault)) if fault.kind == FaultKind::Denied => {
            denied(CHECK, &fault, &format!("the table `{}`", house::LOCKS_TABLE))
        }
        Err(locks::Error::Fault(fault)) => failed(CHECK, &fault),
        Err(other) => Finding::wrong(CHECK, other.to_string(), "tell an operator of the deployer"),
    }
}

/// The freezes of the config, its project and its account.
async fn freeze(aws: &Aws, owner: &Owner) -> Finding {
    const CHECK: &str = "freeze";
    let Ok(tables) = Tables::of(aws) else {
        return elsewhere(CHECK, aws);
    };
    match tables.freezing(&keys::freezes(owner)).await {
        Ok(freezing) if !freezing.on.is_empty() => Finding::wrong(
            CHECK,
            format!("nobody deploys it: {}", freezing.described()),
            freezing.remedy(),
        ),
        Ok(freezing) => match freezing.unseen() {
            Some(unseen) => Finding::not_checked(CHECK, unseen),
            None => Finding::fine(CHECK, "nobody keeps it from being deployed"),
        },
        Err(fault) => Finding::of_fault(CHECK, fault),
    }
}

/// A table's name means one of the caller's own, in another account.
fn elsewhere(check: &'static str, aws: &Aws) -> Finding {
    let (own, deployer) = (&aws.caller.account, &aws.machine.account);
    Finding::not_checked(
        check,
        format!("the credentials are of account {own}, the deployer's tables in account {deployer}"),
    )
}

/// Whether the records may be read.
async fn records(aws: &Aws, owner: &Owner) -> Finding {
    const CHECK: &str = "records";
    if aws.caller.account != aws.machine.account {
        return elsewhere(CHECK, aws);
    }
    let answer = aws_sdk_dynamodb::Client::new(&aws.home)
        .query()
        .table_name(house::RELEASES_TABLE)
        .key_condition_expression("#owner = :owner")
        .expression_attribute_names("#owner", "owner")
        .expression_attribute_values(":owner", AttributeValue::S(keys::owner(owner)))
        .limit(1)
        .send()
        .await;
    match answer.map_err(|error| fault("dynamodb:Query", &error)) {
        Ok(_) => Finding::fine(CHECK, "you may read those of this project and config"),
        Err(fault) if fault.kind == FaultKind::Denied => {
            denied(CHECK, &fault, &format!("the table `{}`", house::RELEASES_TABLE))
        }
        Err(fault) => failed(CHECK, &fault),
    }
}

/// Whether a deploy may be followed.
async fn executions(aws: &Aws) -> Finding {
    const CHECK: &str = "follow";
    let answer = aws
        .sfn
        .describe_execution()
        .execution_arn(aws.machine.execution(NOBODY))
        .send()
        .await;
    match answer.map_err(|error| fault("states:DescribeExecution", &error)) {
        Ok(_) => Finding::fine(CHECK, "you may follow deploys"),
        Err(fault) if fault.is("ExecutionDoesNotExist") => Finding::fine(CHECK, "you may follow deploys"),
        Err(fault) if fault.kind == FaultKind::Denied => denied(CHECK, &fault, "the deployer's executions"),
        Err(fault) => failed(CHECK, &fault),
    }
}

/// Whether the account that is deployed to is open.
async fn account(aws: &Aws, session: &Session) -> Finding {
    const CHECK: &str = "account";
    let account = &aws.account;
    if *account != aws.caller.account {
        return Finding::not_checked(
            CHECK,
            format!("whether account {account} has its stack: the credentials are of another account"),
        );
    }
    // It is in one region, most often the deployer's.
    let mut asked = vec![&aws.machine.region];
    if aws.region != aws.machine.region {
        asked.push(&aws.region);
    }
    for region in asked {
        match OwnStacks::new(&session.config, account, region)
            .look(Kind::Account)
            .await
        {
            Ok(Some(seen)) if seen.stands() => {
                let version = seen.version().unwrap_or("of an older Fenrir");
                return Finding::fine(CHECK, format!("account {account} has its stack: {version}"));
            }
            Ok(_) => {}
            Err(fenrir_install::Error::Call { fault, .. }) => {
                let why = brief(&fault);
                return Finding::not_checked(CHECK, format!("whether account {account} has its stack: {why}"));
            }
            Err(error) => {
                return Finding::wrong(CHECK, error.to_string(), "tell an administrator of the deployer");
            }
        }
    }
    Finding::of(
        CHECK,
        State::Notable,
        format!(
            "account {account} has no stack `{}` in {}",
            house::ACCOUNT_STACK,
            aws.machine.region
        ),
        Some("unless it is in another region: an administrator runs `fenrir bootstrap --account-only`".to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_a_little_wrong() {
        for (ahead, state) in [
            (None, None),
            (Some(0), Some(State::Fine)),
            (Some(FAST), Some(State::Fine)),
            (Some(FAST + 1), Some(State::Wrong)),
            (Some(-SLOW), Some(State::Fine)),
            (Some(-SLOW - 1), Some(State::Wrong)),
        ] {
            let clock = ServerClock {
                ahead: Arc::new(Mutex::new(ahead)),
            };
            assert_eq!(clock.finding().map(|finding| finding.state), state, "{ahead:?}");
        }
    }
}
