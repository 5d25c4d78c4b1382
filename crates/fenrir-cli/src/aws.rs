//! Where AWS is, who asks, and the clients of one command.

use std::error::Error;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use fenrir_aws::fault;
use fenrir_core::error::{self, FaultKind};
use fenrir_core::owner::Owner;
use fenrir_core::problem::printable;
use fenrir_core::release::region_problem;
use fenrir_core::{house, keys};
use fenrir_stacks::Stacks;
use serde::de::DeserializeOwned;

use crate::arguments::AwsArguments;
use crate::fault::Fault;
use crate::profile;

/// How the services spell "these credentials are not, or no longer, good".
/// Sources: the common errors of STS, S3 and Step Functions.
const BAD_CREDENTIALS: [&str; 8] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// For a connection to be there.
const CONNECT: Duration = Duration::from_secs(5);
/// For an answer to be there: none of the calls takes long. An attempt that takes longer is tried again.
const ANSWER: Duration = Duration::from_secs(30);
/// For an upload of 250 MB on a slow line.
const UPLOAD: Duration = Duration::from_hours(1);

/// Everything that a deploy needs of AWS.
#[derive(Debug)]
pub struct Aws {
    /// S3 in the region of the application.
    pub s3: aws_sdk_s3::Client,
    /// Step Functions in the region of the deployer.
    pub sfn: aws_sdk_sfn::Client,
    /// Where the deployer's tables are: its own region, with the caller's rights.
    pub home: SdkConfig,
    /// CloudFormation in the region of the application, with the caller's own rights.
    pub stacks: Stacks,
    /// Who asks.
    pub caller: Caller,
    /// Account to deploy into.
    pub account: String,
    /// Region to deploy into.
    pub region: String,
    /// The deployer's bucket of that region.
    pub bucket: String,
    /// The deployer.
    pub machine: StateMachine,
}

/// Who asks, as STS says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Account id.
    pub account: String,
    /// ARN.
    pub arn: String,
}

/// The deployer's state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateMachine {
    /// ARN.
    pub arn: String,
    /// Its region.
    pub region: String,
    /// Its account: the deployer's.
    pub account: String,
}

impl StateMachine {
    /// Takes `arn:<partition>:states:<region>:<account>:stateMachine:<name>` apart.
    #[must_use]
    pub fn parse(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, "states", region, account, "stateMachine", name] = parts.as_slice() else {
            return None;
        };
        (!region.is_empty() && !name.is_empty() && account.len() == 12).then(|| Self {
            arn: arn.to_owned(),
            region: (*region).to_owned(),
            account: (*account).to_owned(),
        })
    }

    /// The ARN of one of its executions.
    #[must_use]
    pub fn execution(&self, name: &str) -> String {
        format!("{}:{name}", self.arn.replacen(":stateMachine:", ":execution:", 1))
    }
}

impl Aws {
    /// Finds credentials, region and deployer, and asks STS who the caller is.
    ///
    /// # Errors
    /// One of them is missing or not accepted.
    pub async fn connect(arguments: &AwsArguments) -> Result<Self, Fault> {
        // A mistake in the arguments is told before anybody is asked.
        arguments.state_machine.as_deref().map(state_machine).transpose()?;
        let session = Place::of(arguments).session().await?;
        Self::of(session, arguments)
    }

    /// The same, once the credentials are proven.
    ///
    /// # Errors
    /// What is said to be a state machine is none.
    pub fn of(session: Session, arguments: &AwsArguments) -> Result<Self, Fault> {
        let given = arguments.state_machine.as_deref().map(state_machine).transpose()?;
        let Session { config, region, caller } = session;
        let account = arguments.account.clone().unwrap_or_else(|| caller.account.clone());
        let machine = given.unwrap_or_else(|| {
            let deployer = arguments.deployer_account.as_ref().unwrap_or(&caller.account);
            default_machine(&region, deployer)
        });
        let states = config.to_builder().region(Region::new(machine.region.clone())).build();
        Ok(Self {
            s3: s3(&config),
            sfn: aws_sdk_sfn::Client::new(&states),
            home: states,
            stacks: Stacks::new(&config),
            bucket: house::bucket(&machine.account, &region),
            caller,
            account,
            region,
            machine,
        })
    }
}

impl Aws {
    /// Turns to an application that is elsewhere than the command was told: its account, its region, and the deployer's
    /// bucket there.
    pub fn go_to(&mut self, owner: &Owner) {
        self.account.clone_from(&owner.account);
        if owner.region != self.region {
            let region = Region::new(owner.region.clone());
            let config = self.home.to_builder().region(region).build();
            self.s3 = s3(&config);
            self.stacks = Stacks::new(&config);
            self.bucket = house::bucket(&self.machine.account, &owner.region);
            self.region.clone_from(&owner.region);
        }
    }

    /// What the deployer wrote about a release; `None` when it did not, or the caller may not read it.
    pub async fn own<T: DeserializeOwned>(&self, owner: &Owner, release_id: &str, name: &str) -> Option<T> {
        let answer = self
            .s3
            .get_object()
            .bucket(&self.bucket)
            .expected_bucket_owner(&self.machine.account)
            .key(keys::own(owner, release_id, name))
            .send()
            .await
            .ok()?;
        let bytes = answer.body.collect().await.ok()?.into_bytes();
        serde_json::from_slice(&bytes).ok()
    }
}

/// Where AWS is, as the arguments say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// Profile of `~/.aws/config`.
    pub profile: Option<&'a str>,
    /// Whether a flag said it: then the credentials are the profile's, whatever the environment has.
    pub only_profile: bool,
    /// Region.
    pub region: Option<&'a str>,
    /// Endpoint.
    pub endpoint_url: Option<&'a str>,
}

/// Credentials that AWS takes, and a region to use them in.
#[derive(Debug, Clone)]
pub struct Session {
    /// For clients.
    pub config: SdkConfig,
    /// Region.
    pub region: String,
    /// Whose credentials they are.
    pub caller: Caller,
}

impl<'a> Place<'a> {
    /// As the arguments of a developer's command say.
    #[must_use]
    pub fn of(arguments: &'a AwsArguments) -> Self {
        Self {
            profile: arguments.profile.name.as_deref(),
            only_profile: arguments.profile.is_flag,
            region: arguments.region.as_deref(),
            endpoint_url: arguments.endpoint_url.as_deref(),
        }
    }

    /// Finds region and credentials, and asks STS whose they are.
    ///
    /// # Errors
    /// One of them is missing or not accepted.
    pub async fn session(self) -> Result<Session, Fault> {
        let config = self.config().await?;
        let region = self.explained(region(&config)).await?;
        self.prove(&config).await?;
        let caller = caller(&config).await?;
        Ok(Session { config, region, caller })
    }

    /// Proves that there are credentials.
    ///
    /// # Errors
    /// There are none, or they cannot be had.
    pub async fn prove(self, config: &SdkConfig) -> Result<(), Fault> {
        let only = self.profile.filter(|_| self.only_profile);
        self.explained(prove_credentials(config, only).await).await
    }

    /// Without the profile that was named nothing else that fails says what to do.
    async fn explained<T>(self, found: Result<T, Fault>) -> Result<T, Fault> {
        match (found, self.profile) {
            (Err(fault), Some(name)) => Err(profile::missing(name).await.unwrap_or(fault)),
            (found, _) => found,
        }
    }

    /// Clients that notice soon when nobody is there. How often they try again is `AWS_MAX_ATTEMPTS`, as for every AWS
    /// tool.
    ///
    /// # Errors
    /// A flag names a profile that there is not.
    pub async fn config(self) -> Result<SdkConfig, Fault> {
        let only = self.profile.filter(|_| self.only_profile);
        if let Some(name) = only
            && let Some(missing) = profile::missing(name).await
        {
            return Err(missing);
        }
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT)
                .read_timeout(ANSWER)
                .operation_attempt_timeout(ANSWER)
                .build(),
        );
        if let Some(profile) = self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = self.region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(url) = self.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let config = loader.load().await;
        Ok(match only {
            Some(name) => profile::only(name, &config),
            None => config,
        })
    }
}

/// The region that was said, or the profile's.
///
/// # Errors
/// There is none, or what there is is no region.
pub fn region(config: &SdkConfig) -> Result<String, Fault> {
    let region = config.region().map(ToString::to_string);
    let region = region
        .filter(|region| !region.is_empty())
        .ok_or_else(|| Fault::usage("no region is given").help("set `AWS_REGION`, or say `--region REGION`"))?;
    match region_problem(&region) {
        Some(problem) => Err(Fault::usage(format!("`{region}` {problem}"))),
        None => Ok(region),
    }
}

/// S3. A local AWS has no host for each bucket.
#[must_use]
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let own = config.endpoint_url().is_some();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(UPLOAD);
    let config = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(own)
        .timeout_config(timeouts.read_timeout(UPLOAD).build())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The deployer of an account that has its state machine in the application's own region.
fn default_machine(region: &str, account: &str) -> StateMachine {
    let owner = Owner {
        region: region.to_owned(),
        account: String::new(),
        project: String::new(),
        config: String::new(),
    };
    StateMachine {
        arn: format!(
            "arn:{}:states:{region}:{account}:stateMachine:{}",
            owner.partition(),
            house::STATE_MACHINE
        ),
        region: region.to_owned(),
        account: account.to_owned(),
    }
}

fn state_machine(arn: &str) -> Result<StateMachine, Fault> {
    StateMachine::parse(arn).ok_or_else(|| {
        Fault::usage(format!("`{arn}` is no state machine"))
            .help("it looks like `arn:aws:states:eu-west-1:111122223333:stateMachine:fenrir`")
    })
}

/// Asks for credentials before anything else: without them every call would fail with words about something else.
///
/// # Errors
/// There are none, or they cannot be had.
async fn prove_credentials(config: &SdkConfig, only: Option<&str>) -> Result<(), Fault> {
    let help = match only {
        None => "set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; for single sign-on, \
                 `eval \"$(aws configure export-credentials --format env)\"`"
            .to_owned(),
        Some(name) => format!(
            "for single sign-on and programs, `eval \"$(aws configure export-credentials --profile {name} --format env)\"`, \
             and leave `--profile` out"
        ),
    };
    let without = || {
        let what = match only {
            None => "there are no AWS credentials".to_owned(),
            Some(name) => format!("the profile `{name}` has no AWS credentials"),
        };
        Fault::usage(what).help(help.as_str())
    };
    let provider = config.credentials_provider().ok_or_else(without)?;
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        Err(CredentialsError::CredentialsNotLoaded(_)) => Err(without()),
        Err(error) => {
            Err(Fault::usage(format!("the AWS credentials cannot be had: {}", chain(&error))).help(help.as_str()))
        }
    }
}

/// Whose credentials they are, as STS says.
///
/// # Errors
/// It does not say.
pub async fn caller(config: &SdkConfig) -> Result<Caller, Fault> {
    let answer = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
    let answer = answer.map_err(|error| unusable("asking who you are", &fault("sts:GetCallerIdentity", &error)))?;
    match (answer.account, answer.arn) {
        (Some(account), Some(arn)) => Ok(Caller { account, arn }),
        _ => Err(Fault::failed("STS does not say who you are")),
    }
}

/// A failed call before the deploy has started, as an error for the person in front of it.
#[must_use]
pub fn unusable(doing: &str, fault: &error::Fault) -> Fault {
    let words = words(fault);
    let is_in = |codes: &[&str]| codes.iter().any(|code| fault.is(code));
    if is_in(&BAD_CREDENTIALS) {
        return Fault::usage(format!("{doing}: AWS does not accept the credentials: {words}"))
            .help("get new ones, or choose another profile with `--profile`");
    }
    match fault.kind {
        FaultKind::Denied => Fault::usage(format!("{doing}: you lack the right `{}`: {words}", fault.action))
            .help("ask an administrator of the deployer for the developer's policy (docs/install.md)"),
        FaultKind::Transient => Fault::failed(format!("{doing}: AWS cannot be reached, or fails: {words}"))
            .help("nothing was deployed; look at the network and the name of the region, and try again"),
        FaultKind::Refused => {
            let code = fault.code.as_ref().map(|code| format!("{code}: ")).unwrap_or_default();
            Fault::failed(format!("{doing}: `{}` was refused: {code}{words}", fault.action))
        }
    }
}

/// The service's own words; where it gave none, those of the connection, without the layers of code in between.
#[must_use]
pub fn words(fault: &error::Fault) -> String {
    let message = printable(&fault.message);
    match (fault.kind, &fault.code) {
        (FaultKind::Transient, None) => {
            let innermost = message.rsplit(": ").next().unwrap_or(&message);
            innermost.split(" (os error").next().unwrap_or(innermost).to_lowercase()
        }
        _ => message,
    }
}

/// The words of an error and of its causes, each once.
fn chain(error: &dyn Error) -> String {
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.dedup();
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_named_by_its_machine() {
        let arn = "arn:aws:states:eu-west-1:111122223333:stateMachine:fenrir";
        let machine = StateMachine::parse(arn);
        assert_eq!(machine, Some(default_machine("eu-west-1", "111122223333")));
        let execution = machine.map(|machine| machine.execution("r-1"));
        assert_eq!(
            execution.as_deref(),
            Some("arn:aws:states:eu-west-1:111122223333:execution:fenrir:r-1")
        );
        for bad in [
            "",
            "fenrir",
            "arn:aws:states:eu-west-1:1:stateMachine:fenrir",
            &format!("{arn}:alias"),
        ] {
            assert_eq!(StateMachine::parse(bad), None, "{bad}");
        }
    }
}
