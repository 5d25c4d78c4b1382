//! What the gates stand on: a local AWS with a bucket, two tables, a topic, the role that is assumed, and a state machine.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use fenrir_core::deployment::{Deployment, Head, Operation, Start, StartedExecution};
use fenrir_core::owner::Owner;
use fenrir_core::{house, timestamp};
use fenrir_lambda::{Environment, Settings, Step};
use fenrir_store::{Holder, Locks, Objects, Record, Records, Status};
use fenrir_testkit::{Application, LocalAws};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const REGION: &str = LocalAws::REGION;
pub(crate) const BUCKET: &str = "fenrir-111111111111-us-east-1";
const MACHINE: &str = "arn:aws:states:us-east-1:111111111111:stateMachine:fenrir";

pub(crate) fn owner() -> Owner {
    application().owner().clone()
}

/// An application with one function, and a rule that every resource keeps.
pub(crate) fn application() -> Application {
    Application::new("team/app", ACCOUNT, REGION, BUCKET).with_function("Api", &json!({}))
}

/// The ARN of an execution of the state machine.
pub(crate) fn execution(name: &str) -> String {
    format!("{}:{name}", MACHINE.replace("stateMachine", "execution"))
}

pub(crate) fn holder(name: &str) -> Holder {
    Holder {
        execution: execution(name),
        release_id: name.to_owned(),
        who: None,
        since: "2026-11-21T22:06:31Z".to_owned(),
        dirty: false,
        reason: None,
    }
}

pub(crate) fn record(name: &str, status: Status) -> Record {
    Record {
        release_id: name.to_owned(),
        status,
        execution: execution(name),
        operation: Operation::Deploy,
        started_at: "2026-11-21T22:06:31Z".to_owned(),
        deadline: None,
        ended_at: None,
        metadata: [("commit".to_owned(), "abc".to_owned())].into(),
        stack: "fenrir-team-app-test--x".to_owned(),
        stack_arn: None,
        no_changes: false,
        error: None,
        cause: None,
        stored: [].into(),
        unlocked: None,
    }
}

pub(crate) fn head(release_id: &str) -> Head {
    Head {
        operation: Operation::Deploy,
        release_id: release_id.to_owned(),
        owner: owner().into(),
        bucket: BUCKET.to_owned(),
        deadline: "2026-11-21T22:16:31Z".to_owned(),
    }
}

pub(crate) struct World {
    pub(crate) aws: LocalAws,
    pub(crate) config: SdkConfig,
}

impl World {
    pub(crate) async fn start() -> Self {
        let aws = LocalAws::start(&["--stack-seconds", "0", "--change-set-seconds", "0"]);
        let config = aws.config(ACCOUNT, REGION).await;
        let world = Self { aws, config };
        world.make_bucket(BUCKET, BucketVersioningStatus::Enabled).await;
        world.make_table(house::LOCKS_TABLE, &["key"], &[]).await;
        let indexes = [
            (house::BY_TIME_INDEX, ["owner", "started_at"]),
            (house::OPEN_INDEX, [house::OPEN, "release_id"]),
            (house::CURRENT_INDEX, [house::CURRENT, "owner"]),
        ];
        world
            .make_table(house::RELEASES_TABLE, &["owner", "release_id"], &indexes)
            .await;
        world.make_deployer().await;
        world
    }

    pub(crate) async fn make_bucket(&self, bucket: &str, versioning: BucketVersioningStatus) {
        let s3 = aws_sdk_s3::Client::new(&self.config);
        s3.create_bucket().bucket(bucket).send().await.unwrap();
        let versioning = VersioningConfiguration::builder().status(versioning).build();
        let request = s3.put_bucket_versioning().bucket(bucket);
        request.versioning_configuration(versioning).send().await.unwrap();
    }

    async fn make_table(&self, table: &str, keys: &[&str], indexes: &[(&str, [&str; 2])]) {
        let schema = |keys: &[&str]| -> Vec<KeySchemaElement> {
            let kinds = [KeyType::Hash, KeyType::Range];
            let element = |(key, kind): (&&str, KeyType)| {
                let element = KeySchemaElement::builder().attribute_name(*key).key_type(kind);
                element.build().unwrap()
            };
            keys.iter().zip(kinds).map(element).collect()
        };
        let mut attributes: BTreeSet<&str> = keys.iter().copied().collect();
        attributes.extend(indexes.iter().flat_map(|(_, keys)| keys));
        let mut request = aws_sdk_dynamodb::Client::new(&self.config)
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(schema(keys)));
        for name in attributes {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            let attribute = attribute.attribute_type(ScalarAttributeType::S);
            request = request.attribute_definitions(attribute.build().unwrap());
        }
        for (name, keys) in indexes {
            let all = Projection::builder().projection_type(ProjectionType::All).build();
            let index = GlobalSecondaryIndex::builder().index_name(*name).projection(all);
            let index = index.set_key_schema(Some(schema(keys)));
            request = request.global_secondary_indexes(index.build().unwrap());
        }
        request.send().await.unwrap();
    }

    /// It may do anything: what a step can do with it is then the session policy, and only that.
    async fn make_deployer(&self) {
        let root = json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")});
        self.make_role(house::DEPLOYER_ROLE, &root).await;
    }

    /// A role that may do anything, for `principal`.
    pub(crate) async fn make_role(&self, name: &str, principal: &Value) {
        let iam = aws_sdk_iam::Client::new(&self.config);
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]
        }]});
        let role = iam.create_role().role_name(name);
        role.assume_role_policy_document(trust.to_string())
            .send()
            .await
            .unwrap();
        let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
        let policy = iam.put_role_policy().role_name(name).policy_name("all");
        policy.policy_document(all.to_string()).send().await.unwrap();
    }

    pub(crate) fn environment(&self, step: &'static Step) -> Environment {
        let settings = Settings {
            accounts: [ACCOUNT.to_owned()].into(),
            regions: [REGION.to_owned()].into(),
            locks_table: house::LOCKS_TABLE.to_owned(),
            releases_table: house::RELEASES_TABLE.to_owned(),
            alert_topic: None,
            state_machine: Some(MACHINE.to_owned()),
            ..Settings::default()
        };
        Environment::new(step, settings, self.config.clone())
    }

    pub(crate) fn locks(&self) -> Locks {
        Locks::new(&self.config, house::LOCKS_TABLE)
    }

    pub(crate) fn records(&self) -> Records {
        Records::new(&self.config, house::RELEASES_TABLE)
    }

    pub(crate) fn objects(&self) -> Objects {
        Objects::new(&self.config)
    }

    /// The calls of one action so far.
    pub(crate) fn calls_of(&self, action: &str) -> usize {
        self.aws.calls().iter().filter(|call| call["action"] == action).count()
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, body: &[u8]) {
        let s3 = aws_sdk_s3::Client::new(&self.config);
        let body = ByteStream::from(body.to_vec());
        s3.put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
    }

    /// Freezes what the key of a lock table says.
    pub(crate) async fn freeze(&self, key: &str) {
        let mut request = aws_sdk_dynamodb::Client::new(&self.config)
            .put_item()
            .table_name(house::LOCKS_TABLE);
        for (name, value) in [("key", key), ("who", "ops"), ("since", "today"), ("reason", "holidays")] {
            request = request.item(name, AttributeValue::S(value.to_owned()));
        }
        request.send().await.unwrap();
    }

    pub(crate) async fn thaw(&self, key: &str) {
        let request = aws_sdk_dynamodb::Client::new(&self.config)
            .delete_item()
            .table_name(house::LOCKS_TABLE);
        request
            .key("key", AttributeValue::S(key.to_owned()))
            .send()
            .await
            .unwrap();
    }

    /// What the state machine hands to Validate.
    pub(crate) fn handed(name: &str, release: Value) -> Start {
        Start {
            execution: StartedExecution {
                arn: execution(name),
                name: name.to_owned(),
                started_at: timestamp::format(OffsetDateTime::now_utc() - Duration::seconds(1)),
            },
            release,
            broke_down: None,
        }
    }

    /// Uploads the application and validates it.
    pub(crate) async fn validate(
        &self,
        application: &Application,
        name: &str,
    ) -> Result<Deployment, fenrir_core::error::StepError> {
        let release = application.upload(&self.config, name).await;
        self.validate_release(name, release).await
    }

    pub(crate) async fn validate_release(
        &self,
        name: &str,
        release: Value,
    ) -> Result<Deployment, fenrir_core::error::StepError> {
        validate::run(&self.environment(&validate::STEP), Self::handed(name, release)).await
    }

    /// A deployment that passed Validate.
    pub(crate) async fn deployment(&self, name: &str) -> Deployment {
        self.validate(&application(), name).await.unwrap()
    }
}
