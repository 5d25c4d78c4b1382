//! The sessions of `fenrir-deployer`: one for each release, limited to the step's calls, and a clear word when the role is
//! not there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use aws_sdk_sts::config::ProvideCredentials;
use fenrir_core::deployment::{Head, Operation};
use fenrir_core::error::ErrorName;
use fenrir_core::owner::Owner;
use fenrir_lambda::{Environment, Settings, Step};
use fenrir_testkit::{Answer, Recorded};

const STEP: Step = Step {
    name: "test",
    own_actions: &[],
    deployer_actions: &["cloudformation:DescribeStacks"],
};

fn head(release_id: &str, account: &str) -> Head {
    let owner = Owner {
        account: account.into(),
        region: "eu-west-1".into(),
        project: "team/app".into(),
        config: "test".into(),
    };
    Head {
        operation: Operation::Deploy,
        release_id: release_id.into(),
        owner: owner.into(),
        bucket: "b".into(),
        deadline: String::new(),
    }
}

fn keys(id: &str, ends: &str) -> Answer {
    Answer::xml(
        200,
        format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>s\
             </SecretAccessKey><SessionToken>t</SessionToken><Expiration>{ends}</Expiration></Credentials>\
             </AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

async fn environment(server: &Recorded) -> Environment {
    Environment::new(&STEP, Settings::default(), server.config().await)
}

async fn key(environment: &Environment, head: &Head) -> String {
    let config = environment.deployer(head).await.unwrap();
    assert_eq!(config.region().map(AsRef::as_ref), Some("eu-west-1"));
    let provider = config.credentials_provider().unwrap();
    provider.provide_credentials().await.unwrap().access_key_id().to_owned()
}

#[tokio::test]
async fn a_session_is_one_releases_and_carries_its_names_and_limits() {
    let far = "2999-01-01T00:00:00Z";
    let server = Recorded::start(vec![keys("one", far), keys("two", far), keys("three", far)]);
    let environment = environment(&server).await;
    let first = head("release-1", "111111111111");
    assert_eq!(key(&environment, &first).await, "one");
    assert_eq!(key(&environment, &first).await, "one");
    assert_eq!(key(&environment, &head("release-2", "111111111111")).await, "two");
    assert_eq!(key(&environment, &head("release-2", "222222222222")).await, "three");
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    let body = &requests[0].body;
    for part in [
        "RoleArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Ffenrir-deployer",
        "RoleSessionName=release-1",
        "Tags.member.1.Key=ProjectName&Tags.member.1.Value=team%2Fapp",
        "Tags.member.2.Key=ConfigName&Tags.member.2.Value=test",
        "%22Action%22%3A%5B%22cloudformation%3ADescribeStacks%22%5D",
    ] {
        assert!(body.contains(part), "{part} is not in {body}");
    }
}

#[tokio::test]
async fn a_session_that_nears_its_end_is_made_anew() {
    let server = Recorded::start(vec![
        keys("old", "2001-01-01T00:00:00Z"),
        keys("new", "2999-01-01T00:00:00Z"),
    ]);
    let environment = environment(&server).await;
    let head = head("release-1", "111111111111");
    environment.deployer(&head).await.unwrap();
    assert_eq!(key(&environment, &head).await, "new");
}

#[tokio::test]
async fn an_account_without_the_role_is_told_as_such() {
    let denied =
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>";
    let server = Recorded::start(vec![Answer::xml(403, denied)]);
    let error = environment(&server)
        .await
        .deployer(&head("release-1", "222222222222"))
        .await
        .unwrap_err();
    assert_eq!(error.name, ErrorName::InternalError);
    assert_eq!(
        error.message,
        "account `222222222222` does not let the deployer in: `arn:aws:iam::222222222222:role/fenrir-deployer` is not \
         there, or does not trust it; an administrator installs or updates the stack `fenrir-account` (`account.yml`) \
         there, or takes the account off the deployer's list (docs/install.md)"
    );
}
