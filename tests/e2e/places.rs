//! Many accounts and many regions: deploys beside each other, and the places that are not open.

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration,
};
use fenrir_core::owner::Owner;
use fenrir_core::{house, keys};
use fenrir_testkit::{Application, Deployer, Ended};
use serde_json::{Value, json};

use crate::scenarios::{assert_failed, assert_nothing_held, both_ways, queue, stack_status};
use crate::workplace::{Ran, Workplace};
use crate::{Way, deployer};

/// How long four deploys may take to hold their locks at the same time.
const PATIENCE: Duration = Duration::from_mins(1);

/// Two accounts in two regions.
const PLACES: [(&str, &str); 4] = [
    (Deployer::ACCOUNT, Deployer::REGION),
    (Deployer::OTHER_ACCOUNT, Deployer::REGION),
    (Deployer::ACCOUNT, Deployer::OTHER_REGION),
    (Deployer::OTHER_ACCOUNT, Deployer::OTHER_REGION),
];

/// One project and config in every place at once: each has its own lock, stack, record and code.
async fn every_place_at_once(way: Way) {
    let name = way.name("everywhere");
    let applications = PLACES.map(|(account, region)| {
        let application = deployer().application_in(&name, account, region);
        // Lambda takes code only from a bucket of its own region.
        let application = application.with_function("Worker", &json!({}));
        (0..8).fold(application, |application, number| {
            application.with(&format!("Q{number}"), queue())
        })
    });
    let ids = PLACES.map(|(account, region)| format!("{name}-{account}-{region}"));
    let deploy = |place: usize| Box::pin(way.deploy(&applications[place], &ids[place]));
    let (first, second, third, fourth, ()) = tokio::join!(
        deploy(0),
        deploy(1),
        deploy(2),
        deploy(3),
        several_locked(&applications)
    );
    let mut stacks = Vec::new();
    for (ended, (application, id)) in [first, second, third, fourth].iter().zip(applications.iter().zip(&ids)) {
        assert_eq!(ended.status, "SUCCEEDED", "{id}: {} {}", ended.error, ended.cause);
        assert_eq!(stack_status(application).await.unwrap(), "CREATE_COMPLETE", "{id}");
        assert_nothing_held(application).await;
        let record = deployer().record(application.owner(), id).await.unwrap();
        assert_eq!(record["status"], "SUCCESS");
        let Owner { account, region, .. } = application.owner();
        let stack = record["stack_arn"].clone();
        assert!(
            stack.starts_with(&format!("arn:aws:cloudformation:{region}:{account}:stack/")),
            "{stack}"
        );
        stacks.push(stack);
        assert_sessions_tell(application, id);
    }
    stacks.dedup();
    assert_eq!(stacks.len(), PLACES.len());
}

/// Waits until more than one lock is held: the deploys do not wait for each other.
async fn several_locked(applications: &[Application]) {
    let began = Instant::now();
    loop {
        let mut held = 0;
        for application in applications {
            held += usize::from(deployer().lock(application.owner()).await.is_some());
        }
        if held > 1 {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "only {held} locks are held at once");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What the deployer calls in the account it calls in a session that names release, project and config.
fn assert_sessions_tell(application: &Application, release_id: &str) {
    let owner = application.owner();
    let caller = format!(
        "arn:aws:sts::{}:assumed-role/{}/{release_id}",
        owner.account,
        house::DEPLOYER_ROLE
    );
    let calls = deployer().aws().calls();
    let own: Vec<&Value> = calls.iter().filter(|call| call["caller"] == caller).collect();
    for action in ["cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"] {
        assert!(
            own.iter().any(|call| call["action"] == action),
            "{caller} does not call {action}"
        );
    }
    let tags = json!({"ProjectName": owner.project, "ConfigName": owner.config});
    assert!(own.iter().all(|call| call["session_tags"] == tags), "{own:?}");
}

fn assert_no_lock_was_taken(ended: &Ended) {
    assert!(!ended.path.contains(&"Lock".to_owned()), "{:?}", ended.path);
}

/// An account on the list, without the account stack.
async fn an_account_without_its_stack(way: Way) {
    let name = way.name("closed-account");
    let application = deployer()
        .application_in(&name, Deployer::CLOSED_ACCOUNT, Deployer::REGION)
        .with("Jobs", queue());
    let ended = way.deploy(&application, &name).await;
    let said = [
        "account `444444444444` does not let the deployer in",
        "an administrator installs or updates the stack `fenrir-account` (`account.yml`) there, or takes the account off \
         the deployer's list",
    ];
    assert_failed(&ended, "FailureClean.BadReleaseError", &said, &name);
    assert_no_lock_was_taken(&ended);
    assert_nothing_held(&application).await;
    let record = deployer().record(application.owner(), &name).await.unwrap();
    assert_eq!(record["status"], "REFUSED");
}

/// A region on the list, without a bucket: not even the release can be stored there.
async fn a_region_without_a_bucket(way: Way) {
    let name = way.name("closed-region");
    let application = deployer()
        .application_in(&name, Deployer::ACCOUNT, Deployer::CLOSED_REGION)
        .with("Jobs", queue());
    let ended = way.run(&application, &name, application.release(&name)).await;
    let said = [
        "the deployer has no bucket in `ap-southeast-2`: there is no `fenrir-111111111111-ap-southeast-2`",
        "an administrator installs or updates the stack `fenrir-region` (`region.yml`) there, or takes the region off \
         the deployer's list",
    ];
    assert_failed(&ended, "FailureClean.BadReleaseError", &said, &name);
    assert_no_lock_was_taken(&ended);
    assert_nothing_held(&application).await;
    assert_eq!(deployer().record(application.owner(), &name).await, None);
}

/// Somebody else was faster to take the bucket's name, and would gladly let Fenrir in.
async fn a_region_whose_bucket_is_somebody_elses(way: Way) {
    let name = way.name("taken-region");
    let application = deployer()
        .application_in(&name, Deployer::ACCOUNT, Deployer::TAKEN_REGION)
        .with("Jobs", queue());
    let release = application.release(&name);
    let bucket = take_the_name().await;
    let key = keys::release(application.owner(), &name);
    let body = ByteStream::from(release.to_string().into_bytes());
    let theirs = stranger().await;
    theirs
        .put_object()
        .bucket(&bucket)
        .key(&key)
        .body(body)
        .send()
        .await
        .unwrap();
    let ours = deployer().aws().config(Deployer::ACCOUNT, Deployer::TAKEN_REGION).await;
    let lured = aws_sdk_s3::Client::new(&ours)
        .get_object()
        .bucket(&bucket)
        .key(&key)
        .send()
        .await;
    assert!(lured.is_ok(), "the stranger lets the whole account in");

    let ended = way.run(&application, &name, release).await;
    let said = [
        "`fenrir-111111111111-ca-central-1`: it belongs to another account",
        "an administrator installs or updates the stack `fenrir-region` (`region.yml`) there, or takes the region off \
         the deployer's list",
    ];
    assert_failed(&ended, "FailureClean.BadReleaseError", &said, &name);
    assert_no_lock_was_taken(&ended);
    assert_nothing_held(&application).await;
}

/// S3 as somebody uses it who has nothing to do with the company.
async fn stranger() -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::new(&deployer().aws().config("999999999999", Deployer::TAKEN_REGION).await)
}

/// The stranger's bucket of the deployer's name, just like the real one and open for the deployer's account. May be called
/// again.
async fn take_the_name() -> String {
    let bucket = house::bucket(Deployer::ACCOUNT, Deployer::TAKEN_REGION);
    let there = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::from(Deployer::TAKEN_REGION))
        .build();
    let open = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": Deployer::ACCOUNT}, "Action": "s3:*",
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]
    }]});
    let theirs = stranger().await;
    let made = theirs
        .create_bucket()
        .bucket(&bucket)
        .create_bucket_configuration(there)
        .send()
        .await;
    if let Err(error) = made {
        let error = error.into_service_error();
        assert!(error.is_bucket_already_owned_by_you(), "{error}");
    }
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let versioning = theirs.put_bucket_versioning().bucket(&bucket);
    versioning
        .versioning_configuration(versions.build())
        .send()
        .await
        .unwrap();
    let policy = theirs.put_bucket_policy().bucket(&bucket);
    policy.policy(open.to_string()).send().await.unwrap();
    bucket
}

both_ways!(
    every_place_at_once,
    an_account_without_its_stack,
    a_region_without_a_bucket,
    a_region_whose_bucket_is_somebody_elses,
);

/// Where the deployer is, for a command that deploys elsewhere.
fn home() -> [&'static str; 2] {
    ["--state-machine", deployer().state_machine()]
}

/// A folder with an application of one queue.
fn jobs(project: &str) -> Workplace {
    Workplace::with(deployer(), project, "  Jobs:\n    Type: AWS::SQS::Queue\n")
}

fn deploy(workplace: &Workplace, more: &[&str]) -> Ran {
    workplace.run(&[&["deploy"], &home()[..], more].concat())
}

#[tokio::test]
async fn the_command_deploys_code_to_another_region() {
    let project = "places/hello";
    let hello = Workplace::of("hello", project);
    let there = ["--region", Deployer::OTHER_REGION];
    deploy(&hello, &there).ends(0, &["deployed", "eu-west-1", "execute-api"]);
    deploy(&hello, &there).ends(0, &["no changes"]);
    let owner = |region: &str| Owner {
        region: region.to_owned(),
        config: "dev".to_owned(),
        ..deployer().application(project).owner().clone()
    };
    assert!(deployer().stack(&owner(Deployer::OTHER_REGION)).await.is_some());
    assert!(deployer().stack(&owner(Deployer::REGION)).await.is_none());
}

#[test]
fn the_command_deploys_to_another_account_and_region() {
    let jobs = jobs("places/jobs");
    let there = ["--region", Deployer::OTHER_REGION, "--account", Deployer::OTHER_ACCOUNT];
    deploy(&jobs, &there).ends(0, &["deployed", "222222222222", "eu-west-1"]);
}

#[test]
fn the_command_says_that_the_deployer_is_in_another_region() {
    let jobs = jobs("places/lost");
    let ran = jobs.run(&["deploy", "--region", Deployer::OTHER_REGION]);
    ran.ends(
        2,
        &[
            "there is no deployer `arn:aws:states:eu-west-1:111111111111:stateMachine:fenrir`",
            "--state-machine",
        ],
    );
}

#[test]
fn the_command_says_who_opens_an_account() {
    let jobs = jobs("places/closed-account");
    let ran = jobs.run(&["deploy", "--account", Deployer::CLOSED_ACCOUNT]);
    ran.ends(
        3,
        &[
            "account `444444444444` does not let the deployer in",
            "an administrator",
            "`fenrir-account`",
        ],
    );
}

#[test]
fn the_command_says_who_opens_a_region() {
    let jobs = jobs("places/closed-region");
    deploy(&jobs, &["--region", Deployer::CLOSED_REGION]).ends(
        2,
        &[
            "the deployer of account `111111111111` has no bucket `fenrir-111111111111-ap-southeast-2`",
            "an administrator of the deployer opens `ap-southeast-2`",
        ],
    );
}

/// Code never goes to a bucket that only has the right name.
#[tokio::test]
async fn the_command_uploads_nothing_to_a_stranger() {
    let jobs = jobs("places/taken-region");
    let bucket = take_the_name().await;
    deploy(&jobs, &["--region", Deployer::TAKEN_REGION]).ends(2, &["or the bucket is not account `111111111111`'s"]);
    let listed = stranger().await.list_objects_v2().bucket(bucket);
    let found = listed.prefix("111111111111/ca-central-1/places").send().await.unwrap();
    assert_eq!(found.key_count(), Some(0), "{found:?}");
}
