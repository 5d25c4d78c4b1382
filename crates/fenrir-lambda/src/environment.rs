//! What a step works with: its settings, its own clients' configuration, and sessions of `fenrir-deployer`.

use std::fmt;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::SharedCredentialsProvider;
use aws_smithy_http_client::{Builder, tls};
use fenrir_aws::calls::Calls;
use fenrir_core::deployment::Head;
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::problem::Problem;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::metrics::{Measure, Metrics};
use crate::session::{NoSession, Session};
use crate::settings::Settings;

/// Who a step is, and which calls it makes. The roles of `template.yml` and `account.yml` are compared with it.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The crate's name, such as `create-changeset`.
    pub name: &'static str,
    /// Calls with the step's own role.
    pub own_actions: &'static [&'static str],
    /// Calls with `fenrir-deployer` of the target account; the session policy of its session.
    pub deployer_actions: &'static [&'static str],
}

/// Tries of one call, the first included. With the standard mode's back-off (up to 1, 2 and 4 seconds) that is below
/// 20 seconds of waiting; what is still throttled then, the state machine tries again later.
const ATTEMPTS: u32 = 4;

/// The SDK's own back-off before the first retry (standard mode).
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What a step works with.
#[derive(Debug)]
pub struct Environment {
    step: &'static Step,
    settings: Settings,
    own: SdkConfig,
    pace: f64,
    // One session, of the release at hand: the session of another release is dropped before anything else happens.
    session: Mutex<Option<Session>>,
    clock: Clock,
    calls: Calls,
    metrics: Metrics,
}

/// Where a step's time comes from.
struct Clock(Box<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Environment {
    /// The environment of a Lambda: credentials, region and endpoint from the variables that the Lambda runtime sets
    /// (Lambda Developer Guide, "Defined runtime environment variables").
    ///
    /// The SDK's own search goes on through profiles, web identities, containers and instance metadata: all of it would
    /// be in each step's zip, and none of it is where a Lambda's credentials are.
    ///
    /// # Errors
    /// `InternalError` when a setting is wrong.
    pub fn load(step: &'static Step) -> Result<Self, StepError> {
        let settings = Settings::read(|name| std::env::var(name).ok())?;
        let variable = |name| std::env::var(name).ok();
        let own = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(variable("AWS_REGION").map(Region::new))
            .credentials_provider(SharedCredentialsProvider::new(
                EnvironmentVariableCredentialsProvider::new(),
            ));
        let own = match variable("AWS_ENDPOINT_URL") {
            Some(endpoint) => own.endpoint_url(endpoint),
            None => own,
        };
        Ok(Self::new(step, settings, own.build()))
    }

    /// An environment of given parts; retries and timeouts of `own` are set to the step's, and its calls are counted.
    #[must_use]
    pub fn new(step: &'static Step, settings: Settings, own: SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            // Bodies of streams are not under it: a large artifact may take longer.
            .operation_attempt_timeout(Duration::from_secs(15))
            .build();
        let calls = Calls::default();
        // One for all clients: each would make its own, with its own connections and its own copy of the certificates.
        let http = own.http_client().unwrap_or_else(|| {
            let rustls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
            Builder::new().tls_provider(rustls).build_https()
        });
        let own = own
            .into_builder()
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            .http_client(calls.counting(http))
            .build();
        Self {
            step,
            settings,
            own,
            pace: 1.0,
            session: Mutex::new(None),
            clock: Clock(Box::new(OffsetDateTime::now_utc)),
            calls,
            metrics: Metrics::default(),
        }
    }

    /// The same environment, hurried: an attempt of a call may take as long as `attempt`, and pauses between tries and
    /// the step's own patience last `pace` times as long. How often is tried stays the same. For tests, in which AWS is on
    /// the same machine.
    #[must_use]
    pub fn hurried(mut self, attempt: Duration, pace: f64) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(attempt)
            .operation_attempt_timeout(attempt)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(FIRST_PAUSE.mul_f64(pace));
        self.own = self
            .own
            .into_builder()
            .retry_config(retries)
            .timeout_config(timeouts)
            .build();
        self.pace = pace;
        self
    }

    /// How long the step is patient where production would be patient for `production`.
    #[must_use]
    pub fn patience(&self, production: Duration) -> Duration {
        production.mul_f64(self.pace)
    }

    /// The same environment with another clock: a test of what takes hours.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        self.clock = Clock(Box::new(clock));
        self
    }

    /// The installation's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The step.
    #[must_use]
    pub fn step(&self) -> &'static Step {
        self.step
    }

    /// Clients of the step's own role in the Lambda's own region: tables, topic, state machine.
    #[must_use]
    pub fn own(&self) -> &SdkConfig {
        &self.own
    }

    /// Clients of the step's own role in another region: the region's bucket.
    #[must_use]
    pub fn own_in(&self, region: &str) -> SdkConfig {
        self.own.to_builder().region(Region::new(region.to_owned())).build()
    }

    /// Clients of `fenrir-deployer` in the release's account and region, limited to the step's deployer actions.
    ///
    /// The session is named after the release and tagged with project and config. It is made once per release and
    /// kept until it nears its end.
    ///
    /// # Errors
    /// `InternalError` when the role is not there, does not trust the step or may not be tagged; `TransientError`.
    pub async fn deployer(&self, head: &Head) -> Result<SdkConfig, StepError> {
        Ok(self.enter(head).await?)
    }

    /// [`Environment::deployer`], for whom a closed account is an answer.
    ///
    /// # Errors
    /// [`NoSession::Closed`] when the role is not there or does not trust the step.
    pub async fn enter(&self, head: &Head) -> Result<SdkConfig, NoSession> {
        let mut slot = self.session.lock().await;
        if let Some(session) = slot.as_ref().filter(|session| session.serves(head, self.now())) {
            return Ok(session.config());
        }
        *slot = None;
        let session = Session::open(&self.own, self.step, head).await?;
        let config = session.config();
        *slot = Some(session);
        Ok(config)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        (self.clock.0)()
    }

    /// What was asked of AWS, by whichever client.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Measures something.
    pub fn measure(&self, measure: &Measure<'_>) {
        self.metrics.put(measure, self.now());
    }

    /// Measures a refusal: once by each rule.
    pub fn measure_refusal(&self, problems: &[Problem]) {
        self.metrics.put_refusals(problems, self.now());
    }

    /// What was measured.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A setting that this step cannot do without.
    ///
    /// # Errors
    /// `InternalError` that names the variable, when it is not set.
    pub fn required<'a>(&self, name: &str, value: Option<&'a String>) -> Result<&'a str, StepError> {
        value.map(String::as_str).ok_or_else(|| {
            let message = format!(
                "the deployer is installed wrongly: `{name}` is not set for `{}`",
                self.step.name
            );
            StepError::new(ErrorName::InternalError, message)
        })
    }
}
