//! What the steps stand on: a local AWS with a bucket, a table of locks and the role that they assume.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::types::{Capability, StackStatus, Tag};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use fenrir_core::deployment::{
    Caught, ChangeSetStatus, Deployment, Execution, Halt, Head, Manifest, ManifestAt, Operation, Pointer, Progress,
    Stack, Times, Wait,
};
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::owner::Owner;
use fenrir_core::ownership::World;
use fenrir_core::template::Document;
use fenrir_core::{keys, names, policy};
use fenrir_lambda::{Environment, Settings, Step};
use fenrir_store::{Halts, Holder, Locks, Objects};
use fenrir_testkit::LocalAws;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

const ACCOUNT: &str = "111111111111";
const REGION: &str = LocalAws::REGION;
const BUCKET: &str = "fenrir-111111111111-us-east-1";
const TABLE: &str = "fenrir-locks";

/// A queue; a `timeout` above 43,200 seconds is refused when it is made.
pub(crate) fn queue(timeout: u32) -> Value {
    json!({"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": timeout}})
}

/// A table with a name, which would block the next deploy if it stayed behind.
pub(crate) fn table() -> Value {
    json!({"Type": "AWS::Serverless::SimpleTable"})
}

/// The template as Validate rewrites it.
fn rewritten(resources: &Value) -> Value {
    let template = json!({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources});
    let document = Document::from_value(template).unwrap();
    let context = policy::Context {
        owner: owner(),
        artifacts: Some(BTreeMap::new()),
        allowed: BTreeSet::new(),
    };
    let judgement = policy::judge(&document, &context, &World::default());
    judgement.template.unwrap_or_else(|| panic!("{:?}", judgement.problems))
}

fn owner() -> Owner {
    Owner {
        account: ACCOUNT.into(),
        region: REGION.into(),
        project: "team/app".into(),
        config: "dev".into(),
    }
}

/// The state of a deploy whose time is over.
pub(crate) fn overdue(mut deployment: Deployment) -> Deployment {
    let now = OffsetDateTime::now_utc();
    deployment.release.deadline = fenrir_core::timestamp::format(now - Duration::seconds(1));
    deployment
}

/// The state as a Catch hands it on.
pub(crate) fn after_error(mut deployment: Deployment, error: &str, message: &str) -> Deployment {
    deployment.error = Some(Caught {
        error: error.to_owned(),
        cause: json!({"errorType": error, "errorMessage": message}).to_string(),
    });
    deployment
}

pub(crate) struct Bench {
    aws: LocalAws,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let aws = LocalAws::start(&["--stack-seconds", "0.1", "--change-set-seconds", "0.2"]);
        let bench = Self { aws };
        bench.make_bucket().await;
        bench.make_table().await;
        bench.make_roles().await;
        bench
    }

    async fn config(&self) -> aws_config::SdkConfig {
        self.aws.config(ACCOUNT, REGION).await
    }

    async fn make_bucket(&self) {
        let s3 = aws_sdk_s3::Client::new(&self.config().await);
        s3.create_bucket().bucket(BUCKET).send().await.unwrap();
        let versioning = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        s3.put_bucket_versioning()
            .bucket(BUCKET)
            .versioning_configuration(versioning)
            .send()
            .await
            .unwrap();
    }

    async fn make_table(&self) {
        let key = KeySchemaElement::builder()
            .attribute_name("key")
            .key_type(KeyType::Hash);
        let attribute = AttributeDefinition::builder()
            .attribute_name("key")
            .attribute_type(ScalarAttributeType::S);
        aws_sdk_dynamodb::Client::new(&self.config().await)
            .create_table()
            .table_name(TABLE)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key.build().unwrap())
            .attribute_definitions(attribute.build().unwrap())
            .send()
            .await
            .unwrap();
    }

    /// Both roles may do anything: what a step can do with the one is then its session policy, and only that.
    async fn make_roles(&self) {
        let root = json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")});
        self.make_role("fenrir-deployer", &root).await;
        self.make_role(
            "fenrir-cloudformation",
            &json!({"Service": "cloudformation.amazonaws.com"}),
        )
        .await;
    }

    async fn make_role(&self, name: &str, principal: &Value) {
        let iam = aws_sdk_iam::Client::new(&self.config().await);
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]
        }]});
        iam.create_role()
            .role_name(name)
            .assume_role_policy_document(trust.to_string())
            .send()
            .await
            .unwrap();
        let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
        iam.put_role_policy()
            .role_name(name)
            .policy_name("all")
            .policy_document(all.to_string())
            .send()
            .await
            .unwrap();
    }

    /// A release that holds the lock.
    pub(crate) async fn release(&self, id: &str, resources: &Value) -> Release<'_> {
        self.prepare(id, resources, Operation::Deploy).await
    }

    pub(crate) async fn plan(&self, id: &str, resources: &Value) -> Release<'_> {
        self.prepare(id, resources, Operation::Plan).await
    }

    async fn prepare(&self, id: &str, resources: &Value, operation: Operation) -> Release<'_> {
        let owner = owner();
        let now = OffsetDateTime::now_utc();
        let format = fenrir_core::timestamp::format;
        let execution = format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:fenrir:{id}");
        let head = Head {
            operation,
            release_id: id.to_owned(),
            owner: owner.clone().into(),
            bucket: BUCKET.to_owned(),
            deadline: format(now + Duration::minutes(10)),
        };
        let config = self.config().await;
        let objects = Objects::new(&config);
        let put = async |name: &str, value: Value| {
            let bytes = value.to_string().into_bytes();
            objects.put_own(&head, name, "application/json", bytes).await.unwrap()
        };
        let tags = [("ProjectName", &owner.project), ("ConfigName", &owner.config)];
        let manifest = Manifest {
            tags: tags.map(|(key, value)| (key.to_owned(), value.clone())).into(),
            metadata: BTreeMap::new(),
        };
        let template: Pointer = put("template.json", rewritten(resources)).await;
        self.lose_lock().await;
        let holder = Holder {
            execution: execution.clone(),
            release_id: id.to_owned(),
            who: None,
            since: format(now),
            dirty: false,
            reason: None,
        };
        Locks::new(&config, TABLE).acquire(&owner, &holder).await.unwrap();
        let deployment = Deployment {
            stack: Stack {
                name: names::stack(&owner),
                arn: None,
                action: None,
                progress: None,
            },
            release: head,
            execution: Execution {
                arn: execution,
                started_at: format(now),
            },
            template,
            manifest: ManifestAt::Here(manifest),
            change_set: None,
            wait: Wait::first(),
            times: Times::default(),
            halt: None,
            failure: None,
            error: None,
            cleaned: false,
            end: None,
        };
        Release {
            bench: self,
            deployment,
        }
    }

    /// A whole deploy, which succeeds.
    pub(crate) async fn deploy(&self, id: &str, resources: &Value) {
        let ended = self.release(id, resources).await.run_to_end().await;
        assert_eq!(ended.stack.progress, Some(Progress::Succeeded), "{:?}", ended.failure);
    }

    /// The stack, by the ARN that the deploy knows; none once it is deleted.
    pub(crate) async fn status(&self, deployment: &Deployment) -> Option<StackStatus> {
        self.status_of(deployment.stack.arn.as_ref()?).await
    }

    pub(crate) async fn status_by_name(&self) -> Option<StackStatus> {
        self.status_of(&names::stack(&owner())).await
    }

    async fn status_of(&self, stack: &str) -> Option<StackStatus> {
        let answer = self
            .cloudformation()
            .await
            .describe_stacks()
            .stack_name(stack)
            .send()
            .await;
        let stack = answer.ok()?.stacks.unwrap_or_default().remove(0);
        stack
            .stack_status
            .filter(|status| *status != StackStatus::DeleteComplete)
    }

    async fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.config().await)
    }

    /// How many change sets of the stack could still be executed, or were not.
    pub(crate) async fn change_sets(&self) -> usize {
        let listed = self
            .cloudformation()
            .await
            .list_change_sets()
            .stack_name(names::stack(&owner()))
            .send()
            .await
            .unwrap();
        let left = |status: &str| !status.starts_with("EXECUTE");
        let statuses = listed
            .summaries()
            .iter()
            .filter_map(|summary| summary.execution_status());
        statuses.filter(|status| left(status.as_str())).count()
    }

    /// Gives the stack another value of a tag, as somebody might who works without Fenrir.
    pub(crate) async fn retag(&self, key: &str, value: &str) {
        let tags = [("ProjectName", "team/app"), ("ConfigName", "dev")].map(|(have, old)| {
            Tag::builder()
                .key(have)
                .value(if have == key { value } else { old })
                .build()
        });
        let stack = names::stack(&owner());
        self.cloudformation()
            .await
            .update_stack()
            .stack_name(&stack)
            .use_previous_template(true)
            .set_tags(Some(tags.to_vec()))
            .capabilities(Capability::CapabilityAutoExpand)
            .send()
            .await
            .unwrap();
        while self.status_of(&stack).await != Some(StackStatus::UpdateComplete) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// A stack of this name that somebody else made, and that never completed.
    pub(crate) async fn leave_rolled_back(&self, project: &str) {
        let stack = names::stack(&owner());
        self.cloudformation()
            .await
            .create_stack()
            .stack_name(&stack)
            .template_body(json!({"Resources": {"Bad": queue(99_999)}}).to_string())
            .tags(Tag::builder().key("ProjectName").value(project).build())
            .send()
            .await
            .unwrap();
        while self.status_of(&stack).await != Some(StackStatus::RollbackComplete) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn has_table(&self) -> bool {
        let client = aws_sdk_dynamodb::Client::new(&self.config().await);
        let listed = client.list_tables().send().await.unwrap();
        listed.table_names().iter().any(|name| name != TABLE)
    }

    pub(crate) async fn lose_lock(&self) {
        aws_sdk_dynamodb::Client::new(&self.config().await)
            .delete_item()
            .table_name(TABLE)
            .key("key", AttributeValue::S(keys::owner(&owner())))
            .send()
            .await
            .unwrap();
    }

    /// Asks the release to stop, as `fenrir halt` does.
    pub(crate) async fn halt(&self, release_id: &str) {
        let halt = Halt {
            who: "arn:aws:iam::111111111111:user/ada".to_owned(),
            since: "2026-11-21T22:06:31Z".to_owned(),
            reason: "wrong branch".to_owned(),
        };
        let halts = Halts::new(&self.config().await, TABLE);
        halts.put(&owner(), release_id, halt).await.unwrap();
    }

    /// What the step stored beside the release.
    pub(crate) async fn stored(&self, release: &Release<'_>, name: &str) -> Option<Value> {
        let key = keys::own(&owner(), &release.deployment.release.release_id, name);
        let s3 = aws_sdk_s3::Client::new(&self.config().await);
        let object = s3.get_object().bucket(BUCKET).key(key).send().await.ok()?;
        let bytes = object.body.collect().await.unwrap().into_bytes();
        serde_json::from_slice(&bytes).ok()
    }

    pub(crate) fn stack_seconds(&self, seconds: f64) {
        self.aws.turn(&json!({"stack_seconds": seconds}));
    }

    pub(crate) fn change_set_seconds(&self, seconds: f64) {
        self.aws.turn(&json!({"change_set_seconds": seconds}));
    }

    /// Loses the next answer of each of these calls, after it took effect.
    pub(crate) fn lose_answers(&self, actions: &[&str]) {
        let faults: Vec<Value> = actions
            .iter()
            .map(|action| json!({"action": action, "fault": "lost"}))
            .collect();
        self.aws.order_faults(&json!(faults));
    }

    /// The calls since the start, without those of the tests' own.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.aws
            .calls()
            .iter()
            .map(|call| call["action"].as_str().unwrap().to_owned())
            .collect()
    }
}

pub(crate) struct Release<'a> {
    bench: &'a Bench,
    pub(crate) deployment: Deployment,
}

impl Release<'_> {
    async fn environment(&self, step: &'static Step) -> Environment {
        let settings = Settings {
            locks_table: TABLE.to_owned(),
            ..Settings::default()
        };
        Environment::new(step, settings, self.bench.config().await)
    }

    pub(crate) async fn create_change_set(&self) -> Result<Deployment, StepError> {
        let env = self.environment(&create_changeset::STEP).await;
        Box::pin(create_changeset::run(&env, self.deployment.clone())).await
    }

    pub(crate) async fn wait_change_set(&self, deployment: Deployment) -> Result<Deployment, StepError> {
        let env = self.environment(&wait_changeset::STEP).await;
        Box::pin(wait_changeset::run(&env, deployment)).await
    }

    pub(crate) async fn execute(&self, deployment: Deployment) -> Result<Deployment, StepError> {
        let env = self.environment(&execute::STEP).await;
        Box::pin(execute::run(&env, deployment)).await
    }

    pub(crate) async fn wait_execute(&self, deployment: Deployment) -> Result<Deployment, StepError> {
        let env = self.environment(&wait_execute::STEP).await;
        Box::pin(wait_execute::run(&env, deployment)).await
    }

    pub(crate) async fn clean_up(&self, deployment: Deployment) -> Result<Deployment, StepError> {
        let env = self.environment(&cleanup::STEP).await;
        Box::pin(cleanup::run(&env, deployment)).await
    }

    pub(crate) async fn twice_create_change_set(&self) -> Deployment {
        let once = self.create_change_set().await.unwrap();
        assert_eq!(self.create_change_set().await.unwrap(), once);
        once
    }

    /// Tries again as the machine does, while what is to be removed is still being made.
    pub(crate) async fn twice_clean_up(&self, deployment: Deployment) -> Deployment {
        let once = loop {
            match self.clean_up(deployment.clone()).await {
                Err(error) if error.name == ErrorName::TransientError => {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
                cleaned => break cleaned.unwrap(),
            }
        };
        assert_eq!(self.clean_up(deployment).await.unwrap(), once);
        assert!(once.cleaned);
        once
    }

    /// Polls as the machine does, ten times as fast.
    pub(crate) async fn until_ready(&self, mut deployment: Deployment) -> Deployment {
        loop {
            deployment = self.wait_change_set(deployment).await.unwrap();
            if deployment.change_set.as_ref().unwrap().status != ChangeSetStatus::Pending {
                return deployment;
            }
            pause(&deployment).await;
        }
    }

    pub(crate) async fn until_executed(&self, mut deployment: Deployment) -> Deployment {
        loop {
            deployment = self.wait_execute(deployment).await.unwrap();
            if deployment.stack.progress != Some(Progress::InProgress) {
                return deployment;
            }
            pause(&deployment).await;
        }
    }

    /// From a change set that was made to the end of its execution.
    pub(crate) async fn run_from(&self, made: Deployment) -> Deployment {
        let ready = self.until_ready(made).await;
        assert_eq!(
            ready.change_set.as_ref().unwrap().status,
            ChangeSetStatus::Ready,
            "{:?}",
            ready.failure
        );
        let executed = self.execute(ready).await.unwrap();
        self.until_executed(executed).await
    }

    pub(crate) async fn run_to_end(&self) -> Deployment {
        self.run_from(self.create_change_set().await.unwrap()).await
    }
}

async fn pause(deployment: &Deployment) {
    tokio::time::sleep(std::time::Duration::from_millis(
        u64::from(deployment.wait.seconds) * 100,
    ))
    .await;
}
