//! A local AWS with Fenrir in it, executions that are struck, and what can be seen of them from outside.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use fenrir_core::names::Style;
use fenrir_core::owner::Owner;
use fenrir_core::{house, keys, names};
use fenrir_harness::{Answer, Invoke, Steps};
use fenrir_stacks::marks::Marks;
use fenrir_store::Records;
use fenrir_store::objects::{Objects, hex_sha256};
use fenrir_testkit::{Application, Deployer, Failed, Run, Standing};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::laws::End;
use crate::strike::{Kind, Strike, Tenacity};

/// What an attempt of a call may take.
const ATTEMPT: Duration = Duration::from_millis(900);
/// Seconds until an answer that comes too late, and until one that comes just in time.
const LATE: f64 = 1.2;
const SLOW: f64 = 0.3;
/// What a second of the SDK's back-off and of a step's patience, and of a Wait state, lasts; and how much shorter the
/// machine's retry pauses are.
const PACE: f64 = 0.005;
const WAIT_SCALE: f64 = 0.01;
const RETRIES: f64 = 0.05;

/// What everything is called that applications may refer to.
pub(crate) const SURROUNDINGS: &str = "surroundings";

/// A local AWS with Fenrir in it.
pub(crate) struct World {
    pub(crate) deployer: Deployer,
    config: SdkConfig,
    steps: Steps,
}

/// A call as the local AWS saw it: its action, and the fault that struck it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) action: String,
    pub(crate) fault: Option<String>,
}

/// What an execution did and how it ended.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) arn: String,
    pub(crate) release_id: String,
    pub(crate) run: Run,
    /// The calls of each run of a step.
    pub(crate) calls: Vec<(&'static str, Vec<Seen>)>,
    /// Whether the first strike struck.
    pub(crate) struck: bool,
}

/// What one run of the watchdog did.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) answer: Answer,
    pub(crate) struck: bool,
    pub(crate) calls: Vec<Seen>,
}

impl Watched {
    /// Somebody was told.
    pub(crate) fn told(&self) -> bool {
        let takes_effect = |call: &Seen| call.fault.as_deref().is_none_or(Kind::takes_effect);
        self.calls
            .iter()
            .any(|call| call.action == "sns:Publish" && takes_effect(call))
    }
}

/// A stack as it can be seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StackSeen {
    pub(crate) arn: String,
    pub(crate) status: String,
    /// Logical ids and statuses.
    pub(crate) resources: BTreeMap<String, String>,
    /// What SNS says of the topic: its display name.
    pub(crate) topic: Option<String>,
}

impl StackSeen {
    /// It stands whole.
    pub(crate) fn is_whole(&self) -> bool {
        ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"].contains(&self.status.as_str())
    }
}

impl World {
    /// Seconds per resource of a stack operation.
    pub(crate) const STACK_SECONDS: f64 = 0.01;

    pub(crate) async fn start() -> Self {
        let mut deployer = Deployer::install_in_process();
        deployer.keep_config().await;
        deployer
            .aws()
            .turn(&json!({"stack_seconds": Self::STACK_SECONDS, "change_set_seconds": 0.02}));
        let config = deployer.config().await;
        let steps = Steps::of(&deployer).await.hurried(ATTEMPT, PACE);
        let world = Self {
            deployer,
            config,
            steps,
        };
        world.surround().await;
        world
    }

    /// Makes a role, a security group, a subnet and a key that every project may refer to.
    async fn surround(&self) {
        use aws_sdk_cloudformation::types::Capability;
        let tags = |tags: &[(&str, &str)]| -> Value {
            tags.iter()
                .map(|(key, value)| json!({"Key": key, "Value": value}))
                .collect()
        };
        let everybody = [
            ("Name", SURROUNDINGS),
            ("ProjectName", "_all"),
            ("ConfigName", "_all"),
            ("ServiceName", "_all"),
        ];
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
        }]});
        // What IAM of the account says, as in the policy that every key has at first.
        let root = format!("arn:aws:iam::{}:root", Deployer::ACCOUNT);
        let by_iam = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*",
        }]});
        let resource =
            |kind: &str, properties: Value| json!({"Type": format!("AWS::{kind}"), "Properties": properties});
        let template = json!({"Resources": {
            "Role": resource("IAM::Role", json!({
                "RoleName": SURROUNDINGS, "AssumeRolePolicyDocument": trust, "Tags": tags(&everybody),
            })),
            "Vpc": resource("EC2::VPC", json!({"CidrBlock": "10.0.0.0/16"})),
            "Group": resource("EC2::SecurityGroup", json!({
                "GroupDescription": "x", "VpcId": {"Ref": "Vpc"}, "Tags": tags(&everybody),
            })),
            "Subnet": resource("EC2::Subnet", json!({
                "VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24",
                "Tags": tags(&[("Name", SURROUNDINGS), ("DeployWithFenrir", "true")]),
            })),
            "Key": resource("KMS::Key", json!({"KeyPolicy": by_iam, "Tags": tags(&[("FenrirAllAllowed", "true")])})),
            "Alias": resource("KMS::Alias", json!({
                "AliasName": format!("alias/{SURROUNDINGS}"), "TargetKeyId": {"Ref": "Key"},
            })),
        }});
        let made = aws_sdk_cloudformation::Client::new(&self.config)
            .create_stack()
            .stack_name(SURROUNDINGS)
            .capabilities(Capability::CapabilityNamedIam)
            .template_body(template.to_string())
            .send()
            .await
            .unwrap();
        self.at_rest(made.stack_id().unwrap(), "CREATE_COMPLETE").await;
    }

    async fn at_rest(&self, stack: &str, wanted: &str) {
        loop {
            let status = self.status_of(stack).await.unwrap();
            if !status.ends_with("_IN_PROGRESS") {
                assert_eq!(status, wanted, "{stack}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Deploys, with nothing in the way.
    pub(crate) async fn deploy(&self, application: &Application, release_id: &str) -> Told {
        self.strike(application, release_id, &[], Duration::ZERO, None).await
    }

    /// Deploys under `strikes`, as if the execution had started `ago`; before `unlocked_before` somebody removes its lock.
    pub(crate) async fn strike(
        &self,
        application: &Application,
        release_id: &str,
        strikes: &[Strike],
        ago: Duration,
        unlocked_before: Option<&'static str>,
    ) -> Told {
        let release = application.upload(&self.config, release_id).await;
        let unlocked_before = unlocked_before.map(|step| (step, application.owner()));
        let under = Under::new(self, strikes, unlocked_before);
        let invoke: Box<Invoke<'_>> = Box::new(|step, event| Box::pin(under.invoke(step, event)));
        let machine = fenrir_harness::machine(&*invoke, WAIT_SCALE).retrying(RETRIES);
        let started = OffsetDateTime::now_utc() - ago;
        let run = fenrir_harness::execute_since(&self.deployer, &machine, release_id, release, started).await;

        Told {
            arn: fenrir_harness::execution_arn(&self.deployer, release_id),
            release_id: release_id.to_owned(),
            run,
            struck: under.struck.get(),
            calls: under.calls.take(),
        }
    }

    /// Invokes the watchdog under `strikes`, as Step Functions' event on the end of the execution does.
    pub(crate) async fn watch(&self, execution: &str, strikes: &[Strike]) -> Watched {
        let under = Under::new(self, strikes, None);
        let event = json!({
            "version": "0", "id": "1", "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
            "account": Deployer::ACCOUNT, "time": "2026-11-21T22:06:31Z", "region": Deployer::REGION, "resources": [],
            "detail": {"executionArn": execution, "status": "ABORTED"},
        });
        let answer = under.invoke(::watchdog::STEP.name, event).await;
        Watched {
            answer,
            struck: under.struck.get(),
            calls: under.calls.take().into_iter().flat_map(|(_, calls)| calls).collect(),
        }
    }

    /// Deploys, and leaves what there is when the steps of these names are killed whenever they begin: a lock and a record
    /// that says that it has started are among it.
    pub(crate) async fn leave(&self, application: &Application, release_id: &str, killed: &[&'static str]) -> Told {
        let kills: Vec<Strike> = killed.iter().map(|step| Strike::kills(step)).collect();
        let told = self.strike(application, release_id, &kills, Duration::ZERO, None).await;
        assert_eq!(End::of(&told), End::Unrecorded, "{release_id}: {:?}", told.run);
        self.settled(application.owner()).await;
        told
    }

    /// Keys of what Fenrir itself wrote into the bucket, of all releases.
    pub(crate) async fn written(&self) -> BTreeSet<String> {
        let mut pages = aws_sdk_s3::Client::new(&self.config)
            .list_objects_v2()
            .bucket(self.deployer.bucket())
            .prefix(house::OWN_PREFIX)
            .into_paginator()
            .send();
        let mut keys = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            keys.extend(
                page.contents()
                    .iter()
                    .filter_map(|object| object.key().map(str::to_owned)),
            );
        }
        keys
    }

    /// Why what the record of a release points to is not there as it says.
    pub(crate) async fn misleading(&self, owner: &Owner, release_id: &str) -> Vec<String> {
        let records = Records::new(&self.config, house::RELEASES_TABLE);
        let Some(record) = records.get(owner, release_id).await.unwrap() else {
            return Vec::new();
        };
        let objects = Objects::new(&self.config);
        let mut misleading = Vec::new();
        for (name, at) in &record.stored {
            let read = objects.read(&at.bucket, &at.key, Some(&at.version_id), u64::MAX).await;
            let is_there = read.as_ref().is_ok_and(|read| hex_sha256(&read.bytes) == at.sha256);
            if !is_there || !at.key.starts_with(&keys::own(owner, release_id, "")) {
                misleading.push(format!("`{name}` is to be at {at:?}: {:?}", read.err()));
            }
        }
        misleading
    }

    /// The stack of this owner as it is.
    pub(crate) async fn stack(&self, owner: &Owner) -> Option<StackSeen> {
        let stack = self.deployer.stack(owner).await?;
        let arn = stack.stack_id().unwrap().to_owned();
        let cloudformation = aws_sdk_cloudformation::Client::new(&self.config);
        let listed = cloudformation.list_stack_resources().stack_name(&arn).send().await;
        let mut resources = BTreeMap::new();
        let mut topic = None;
        for resource in listed.unwrap().stack_resource_summaries() {
            let status = resource.resource_status().unwrap().as_str().to_owned();
            let id = resource.logical_resource_id().unwrap();
            if id == "Topic" {
                topic = self
                    .display_name(resource.physical_resource_id().unwrap_or_default())
                    .await;
            }
            resources.insert(id.to_owned(), status);
        }
        Some(StackSeen {
            arn,
            status: stack.stack_status().unwrap().as_str().to_owned(),
            resources,
            topic,
        })
    }

    /// Waits until CloudFormation is done with the stack.
    pub(crate) async fn settled(&self, owner: &Owner) {
        for _ in 0..100 {
            let stack = self.deployer.stack(owner).await;
            if !stack.is_some_and(|stack| stack.stack_status().unwrap().as_str().ends_with("_IN_PROGRESS")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn display_name(&self, topic: &str) -> Option<String> {
        let sns = aws_sdk_sns::Client::new(&self.config);
        let found = sns.get_topic_attributes().topic_arn(topic).send().await.ok()?;
        found.attributes()?.get("DisplayName").cloned()
    }

    /// The status of a stack by its ARN, also after it was deleted.
    pub(crate) async fn status_of(&self, arn: &str) -> Option<String> {
        let cloudformation = aws_sdk_cloudformation::Client::new(&self.config);
        let found = cloudformation.describe_stacks().stack_name(arn).send().await.ok()?;
        Some(found.stacks().first()?.stack_status()?.as_str().to_owned())
    }

    /// Names of the change sets that were not executed.
    pub(crate) async fn change_sets(&self, owner: &Owner) -> Vec<String> {
        self.deployer.change_sets(owner).await
    }

    pub(crate) async fn lock(&self, owner: &Owner) -> Option<BTreeMap<String, String>> {
        self.deployer.lock(owner).await
    }

    pub(crate) async fn record(&self, owner: &Owner, release_id: &str) -> Option<BTreeMap<String, String>> {
        self.deployer.record(owner, release_id).await
    }

    pub(crate) async fn standing(&self, owner: &Owner) -> Standing {
        self.deployer.standing(owner).await
    }

    /// Every item of the lock table but the owner's own.
    pub(crate) async fn locks_of_others(&self, owner: &Owner) -> BTreeMap<String, String> {
        let found = aws_sdk_dynamodb::Client::new(&self.config)
            .scan()
            .table_name(house::LOCKS_TABLE)
            .send()
            .await
            .unwrap();
        let own = keys::owner(owner);
        let key_of = |item: &std::collections::HashMap<String, AttributeValue>| item["key"].as_s().unwrap().clone();
        let sorted = |item: &std::collections::HashMap<String, AttributeValue>| {
            format!("{:?}", item.iter().collect::<BTreeMap<_, _>>())
        };
        found
            .items()
            .iter()
            .map(|item| (key_of(item), sorted(item)))
            .filter(|(key, _)| *key != own)
            .collect()
    }

    /// Puts a lock, as an execution that holds it would have.
    pub(crate) async fn put_lock(&self, owner: &Owner, execution: &str, release_id: &str) {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        aws_sdk_dynamodb::Client::new(&self.config)
            .put_item()
            .table_name(house::LOCKS_TABLE)
            .item("key", AttributeValue::S(keys::owner(owner)))
            .item("execution", text(execution))
            .item("release_id", text(release_id))
            .item("since", text("2026-11-21T22:06:31Z"))
            .item("dirty", AttributeValue::Bool(false))
            .send()
            .await
            .unwrap();
    }

    /// What an operator does to a dirty lock, when the stack is mended.
    pub(crate) async fn remove_lock(&self, owner: &Owner) {
        aws_sdk_dynamodb::Client::new(&self.config)
            .delete_item()
            .table_name(house::LOCKS_TABLE)
            .key("key", AttributeValue::S(keys::owner(owner)))
            .send()
            .await
            .unwrap();
    }

    /// Makes a bucket by hand, of the name that this resource is to have.
    pub(crate) async fn take_name(&self, owner: &Owner, logical_id: &str) {
        let name = names::resource(owner, "AWS::S3::Bucket", logical_id, Style::up_to(63).lower());
        let s3 = aws_sdk_s3::Client::new(&self.config);
        s3.create_bucket().bucket(name).send().await.unwrap();
    }

    /// Makes a change set by hand, as an earlier deploy would have left it, and executes it until the stack is at rest in
    /// the status `executed`, where one is given.
    pub(crate) async fn leave_change_set(
        &self,
        application: &Application,
        execution: &str,
        create: bool,
        executed: Option<&str>,
    ) {
        use aws_sdk_cloudformation::types::{ChangeSetStatus, ChangeSetType, Tag};
        let owner = application.owner();
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let cloudformation = aws_sdk_cloudformation::Client::new(&self.config);
        let kind = if create {
            ChangeSetType::Create
        } else {
            ChangeSetType::Update
        };
        let made = cloudformation
            .create_change_set()
            .stack_name(names::stack(owner))
            .change_set_name(Marks::of(execution).change_set())
            .change_set_type(kind)
            .template_body(application.resources().to_string())
            .tags(tag("ProjectName", &owner.project))
            .tags(tag("ConfigName", &owner.config))
            .send()
            .await
            .unwrap();
        let (stack, change_set) = (made.stack_id().unwrap(), made.id().unwrap());
        loop {
            let found = cloudformation
                .describe_change_set()
                .change_set_name(change_set)
                .send()
                .await
                .unwrap();
            if *found.status().unwrap() == ChangeSetStatus::CreateComplete {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let Some(status) = executed else { return };
        cloudformation
            .execute_change_set()
            .change_set_name(change_set)
            .send()
            .await
            .unwrap();
        self.at_rest(stack, status).await;
    }
}

/// An execution whose steps and calls are struck.
struct Under<'a> {
    world: &'a World,
    strikes: &'a [Strike],
    /// Before which step whose lock is removed.
    unlocked_before: Option<(&'static str, &'a Owner)>,
    spent: Vec<Cell<bool>>,
    struck: Cell<bool>,
    calls: RefCell<Vec<(&'static str, Vec<Seen>)>>,
}

impl<'a> Under<'a> {
    fn new(world: &'a World, strikes: &'a [Strike], unlocked_before: Option<(&'static str, &'a Owner)>) -> Self {
        Self {
            world,
            strikes,
            unlocked_before,
            spent: strikes.iter().map(|_| Cell::new(false)).collect(),
            struck: Cell::new(false),
            calls: RefCell::default(),
        }
    }

    async fn invoke(&self, step: &'static str, event: Value) -> Answer {
        let aws = self.world.deployer.aws();
        if let Some((_, owner)) = self.unlocked_before.filter(|(before, _)| *before == step) {
            self.world.remove_lock(owner).await;
        }
        let due: Vec<usize> = (0..self.strikes.len())
            .filter(|&number| self.strikes[number].step == step && !self.spent[number].get())
            .collect();
        let orders: Vec<Value> = due
            .iter()
            .filter_map(|&number| self.strikes[number].order(LATE, SLOW))
            .collect();
        aws.take_calls();
        if !orders.is_empty() {
            aws.order_faults(&json!(orders));
        }
        let kinds: Vec<Kind> = due.iter().map(|&number| self.strikes[number].kind).collect();
        let answer = self.run(step, event, &kinds).await;
        if !orders.is_empty() {
            aws.order_faults(&json!([]));
        }
        let seen: Vec<Seen> = aws.take_calls().iter().map(Seen::from).collect();
        for number in due {
            let strike = &self.strikes[number];
            let has_struck = strike.call.as_ref().is_none_or(|call| {
                seen.iter()
                    .any(|seen| seen.action == call.action && seen.fault.is_some())
            });
            if has_struck {
                self.spent[number].set(strike.tenacity != Tenacity::Machine);
                if number == 0 {
                    self.struck.set(true);
                }
            }
        }
        self.calls.borrow_mut().push((step, seen));
        answer
    }

    async fn run(&self, step: &'static str, event: Value, kinds: &[Kind]) -> Answer {
        let steps = &self.world.steps;
        let has = |kind| kinds.contains(&kind);
        if has(Kind::KilledBefore) {
            return Err(Failed {
                error: "Runtime.ExitError".to_owned(),
                cause: json!({"errorType": "Runtime.ExitError", "errorMessage": "exit status 137"}).to_string(),
            });
        }
        if has(Kind::KilledAfter) {
            let _lost = steps.invoke(step, event).await;
            return Err(Failed {
                error: "Sandbox.Timedout".to_owned(),
                cause: json!({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"}).to_string(),
            });
        }
        if has(Kind::KilledThere) {
            return tokio::select! {
                answer = steps.invoke(step, event) => answer,
                () = self.until_struck() => Err(Failed {
                    error: "Runtime.ExitError".to_owned(),
                    // Lambda may be killed without a word.
                    cause: String::new(),
                }),
            };
        }
        if has(Kind::RunTwice) {
            // Whoever asked the first time hears nothing of it.
            let _lost = steps.invoke(step, event.clone()).await;
        }
        if has(Kind::RunAtOnce) {
            let (answer, _lost) = tokio::join!(steps.invoke(step, event.clone()), steps.invoke(step, event));
            return answer;
        }
        steps.invoke(step, event).await
    }

    async fn until_struck(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if self
                .world
                .deployer
                .aws()
                .calls()
                .iter()
                .any(|call| call.get("fault").is_some())
            {
                return;
            }
        }
    }
}

impl From<&Value> for Seen {
    fn from(call: &Value) -> Self {
        Self {
            action: call["action"].as_str().unwrap().to_owned(),
            fault: call.get("fault").map(|fault| fault.as_str().unwrap().to_owned()),
        }
    }
}
