//! The step Validate.

use fenrir_core::deployment::{Caught, Manifest, ManifestAt, Start};
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::keys;
use fenrir_core::problem::Problem;
use fenrir_store::Status;
use fenrir_store::objects::hex_sha256;
use serde_json::{Value, json};
use validate::Answered;

use crate::world::{BUCKET, World, application, execution, owner, record};

/// The refusal of a release, which must be one, and whether it is recorded.
async fn refusal(world: &World, name: &str, refused: Result<impl std::fmt::Debug, StepError>) -> (String, bool) {
    let error = refused.unwrap_err();
    assert_eq!(error.name, ErrorName::BadReleaseError, "{error}");
    let record = world.records().get(&owner(), name).await.unwrap();
    (
        error.message,
        record.is_some_and(|record| record.status == Status::Refused),
    )
}

#[tokio::test]
async fn a_good_release_becomes_a_pinned_template_twice_the_same() {
    let world = World::start().await;
    let application = application().release_field("change_set_tags", json!({"Team": "ledger"}));
    let deployment = world.validate(&application, "release-1").await.unwrap();
    let template: Value = world
        .objects()
        .get_own_json(&deployment.release, &deployment.template)
        .await
        .unwrap();
    let code = &template["Resources"]["Api"]["Properties"]["CodeUri"];
    assert_eq!(code["Bucket"], BUCKET);
    assert!(
        code["Version"].as_str().is_some_and(|version| !version.is_empty()),
        "{code}"
    );
    let manifest = world
        .objects()
        .manifest(&deployment.release, &deployment.manifest)
        .await
        .unwrap();
    assert_eq!(
        manifest.tags,
        [("ConfigName", "test"), ("ProjectName", "team/app"), ("Team", "ledger")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    );
    assert_eq!(deployment.execution.arn, execution("release-1"));

    assert!(matches!(deployment.manifest, ManifestAt::Here(_)), "it is small");

    // The same application again, under another release: the same template, byte by byte, from the same version.
    let again = world.validate(&application, "release-2").await.unwrap();
    let template_again: Value = world
        .objects()
        .get_own_json(&again.release, &again.template)
        .await
        .unwrap();
    assert_eq!(
        template["Resources"]["Api"]["Properties"]["FunctionName"],
        template_again["Resources"]["Api"]["Properties"]["FunctionName"]
    );
}

#[tokio::test]
async fn a_large_manifest_stays_out_of_the_state() {
    let world = World::start().await;
    let note = "n".repeat(Manifest::SMALL / 2);
    let application = application().release_field("metadata", json!({"note": note, "more": note}));
    let deployment = world.validate(&application, "release-1").await.unwrap();
    assert!(matches!(deployment.manifest, ManifestAt::Stored(_)));
    let manifest = world
        .objects()
        .manifest(&deployment.release, &deployment.manifest)
        .await
        .unwrap();
    assert_eq!(manifest.metadata["note"], note);
    assert!(serde_json::to_vec(&deployment).unwrap().len() < 4096);
}

#[tokio::test]
async fn a_release_that_its_owner_did_not_store_is_refused_and_not_recorded() {
    let world = World::start().await;
    let release = application().upload(&world.config, "release-1").await;

    // Started under another id than it was stored.
    let mut other = release.clone();
    other["release_id"] = json!("release-2");
    let (message, recorded) = refusal(&world, "release-2", world.validate_release("release-2", other).await).await;
    assert!(
        message.contains("F0111") && message.contains("is not stored"),
        "{message}"
    );
    assert!(!recorded);

    // Another than the stored one: one tag more.
    let mut changed = release.clone();
    changed["change_set_tags"] = json!({"Team": "x"});
    let (message, recorded) = refusal(&world, "release-1", world.validate_release("release-1", changed).await).await;
    assert!(message.contains("is not the one that was started"), "{message}");
    assert!(!recorded);

    // The same in another order and spelling is the same.
    let key = keys::release(&owner(), "release-1");
    world
        .put(
            BUCKET,
            &key,
            serde_json::to_string_pretty(&reversed(&release)).unwrap().as_bytes(),
        )
        .await;
    world.validate_release("release-1", release).await.unwrap();
}

/// The same object with its keys in the opposite order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .rev()
            .map(|(name, value)| (name.clone(), reversed(value)))
            .collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn what_is_not_for_here_and_now_is_refused_without_a_call() {
    let world = World::start().await;
    let before = world.aws.calls().len();
    let good = json!({
        "release_id": "release-1", "project_name": "team/app", "config_name": "test",
        "aws_account_id": "111111111111", "aws_region": "us-east-1",
        "created_at": fenrir_core::timestamp::format(time::OffsetDateTime::now_utc()), "template": {},
    });
    for (field, value, code) in [
        ("aws_account_id", json!("333333333333"), "F0107"),
        ("aws_region", json!("eu-west-1"), "F0107"),
        ("bucket", json!("somebody-elses"), "F0108"),
        ("created_at", json!("2020-01-01T00:00:00Z"), "F0109"),
        ("created_at", json!("2999-01-01T00:00:00Z"), "F0109"),
        ("release_id", json!("release-2"), "F0110"),
        ("stack_status", json!("CREATE_COMPLETE"), "F0102"),
        ("success", json!(true), "F0102"),
        ("templat", json!({}), "F0101"),
    ] {
        let mut release = good.clone();
        release[field] = value;
        let refused = world.validate_release("release-1", release).await.unwrap_err();
        assert_eq!(refused.name, ErrorName::BadReleaseError);
        assert!(refused.message.contains(code), "{field}: {}", refused.message);
    }
    assert_eq!(world.aws.calls().len(), before);
}

#[tokio::test]
async fn artifacts_that_are_changed_missing_or_anothers_are_refused_and_recorded() {
    let world = World::start().await;
    let release = application().upload(&world.config, "release-1").await;
    let uri = release["s3_uris_sha256s"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap()
        .clone();
    let key = uri.strip_prefix(&format!("s3://{BUCKET}/")).unwrap();
    world.put(BUCKET, key, b"other code").await;
    let (message, recorded) = refusal(&world, "release-1", world.validate_release("release-1", release).await).await;
    assert!(message.contains("SHA-256"), "{message}");
    assert!(recorded);
    let record = world.records().get(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!(record.cause.as_deref(), Some(message.as_str()));
    let problems: Vec<Problem> = world
        .objects()
        .get_own_json(&crate::world::head("release-1"), &record.stored["problems"])
        .await
        .unwrap();
    assert_eq!(problems.len(), 1);

    let function = |uri: &str| {
        json!({"Type": "AWS::Serverless::Function",
            "Properties": {"CodeUri": uri, "Handler": "app.handler", "Runtime": "python3.12"}})
    };
    let sha256 = hex_sha256(b"code");
    for (number, key) in [
        format!("{}gone.zip", keys::artifact_prefix(&owner())),
        "111111111111/us-east-1/others/test/artifacts/code.zip".to_owned(),
        keys::own(&owner(), "release-0", "template.json"),
    ]
    .into_iter()
    .enumerate()
    {
        if number > 0 {
            world.put(BUCKET, &key, b"code").await;
        }
        let (name, uri) = (format!("release-x{number}"), format!("s3://{BUCKET}/{key}"));
        let theirs = application()
            .with("Api", function(&uri))
            .release_field("s3_uris_sha256s", json!({&uri: sha256}));
        let (message, recorded) = refusal(&world, &name, world.validate(&theirs, &name).await).await;
        assert!(
            message.contains("does not exist, or is not this project's"),
            "{message}"
        );
        assert!(recorded);
    }
}

#[tokio::test]
async fn an_artifact_in_another_bucket_needs_the_owners_tags_on_it() {
    let world = World::start().await;
    let versioned = aws_sdk_s3::types::BucketVersioningStatus::Enabled;
    world.make_bucket("applications-own", versioned).await;
    world.put("applications-own", "code.zip", b"code").await;
    let uri = "s3://applications-own/code.zip";
    let mut theirs = application()
        .with(
            "Api",
            json!({"Type": "AWS::Serverless::Function",
                "Properties": {"CodeUri": uri, "Handler": "app.handler", "Runtime": "python3.12"}}),
        )
        .release_field("s3_uris_sha256s", json!({uri: hex_sha256(b"code")}));
    let (message, _) = refusal(&world, "release-1", world.validate(&theirs, "release-1").await).await;
    assert!(
        message.contains("neither the deployer's bucket nor one whose tags let"),
        "{message}"
    );

    tag_bucket(&world, "applications-own").await;
    theirs = theirs.release_field("metadata", json!({"try": "2"}));
    let deployment = world.validate(&theirs, "release-2").await.unwrap();
    let template: Value = world
        .objects()
        .get_own_json(&deployment.release, &deployment.template)
        .await
        .unwrap();
    assert_eq!(
        template["Resources"]["Api"]["Properties"]["CodeUri"]["Bucket"],
        "applications-own"
    );
    assert_eq!(world.calls_of("sts:AssumeRole"), 2);
}

async fn tag_bucket(world: &World, bucket: &str) {
    use aws_sdk_s3::types::{Tag, Tagging};
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().unwrap();
    let tagging = Tagging::builder()
        .tag_set(tag("ProjectName", "team/app"))
        .tag_set(tag("ConfigName", "test"))
        .build()
        .unwrap();
    let s3 = aws_sdk_s3::Client::new(&world.config);
    s3.put_bucket_tagging()
        .bucket(bucket)
        .tagging(tagging)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_release_id_is_used_once() {
    let world = World::start().await;
    let mut earlier = record("release-1", Status::Success);
    earlier.execution = execution("earlier");
    world.records().write(&owner(), &earlier).await.unwrap();
    let (message, recorded) = refusal(&world, "release-1", world.validate(&application(), "release-1").await).await;
    assert!(message.contains("was used before"), "{message}");
    assert!(!recorded);
    assert_eq!(world.records().get(&owner(), "release-1").await.unwrap(), Some(earlier));
}

#[tokio::test]
async fn a_large_template_lies_beside_the_release() {
    let world = World::start().await;
    let inline = application();
    let uploaded = inline.upload(&world.config, "release-0").await;
    let text = uploaded["template"].to_string();
    let key = format!("{}template", keys::release_prefix(&owner(), "release-1"));
    let elsewhere = format!("{}template", keys::release_prefix(&owner(), "release-0"));
    for key in [&key, &elsewhere] {
        world.put(BUCKET, key, text.as_bytes()).await;
    }
    for (key, sha256, wanted) in [
        (&key, hex_sha256(text.as_bytes()), None),
        (&key, hex_sha256(b"other"), Some("does not have the SHA-256")),
        (
            &elsewhere,
            hex_sha256(text.as_bytes()),
            Some("not under the release's own prefix"),
        ),
    ] {
        let mut release = uploaded.clone();
        release.as_object_mut().unwrap().remove("template");
        release["release_id"] = json!("release-1");
        release["template_uri"] = json!(format!("s3://{BUCKET}/{key}"));
        release["template_sha256"] = json!(sha256);
        world
            .put(
                BUCKET,
                &keys::release(&owner(), "release-1"),
                release.to_string().as_bytes(),
            )
            .await;
        let validated = world.validate_release("release-1", release).await;
        match wanted {
            None => drop(validated.unwrap()),
            Some(words) => {
                let (message, recorded) = refusal(&world, "release-1", validated).await;
                assert!(message.contains(words) && recorded, "{message}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_tried_again_and_refuses_nobody() {
    let world = World::start().await;
    let release = application().upload(&world.config, "release-1").await;
    world
        .aws
        .order_faults(&json!([{"action": "s3:GetObject", "fault": "unavailable", "times": 40}]));
    let error = world.validate_release("release-1", release).await.unwrap_err();
    assert_eq!(error.name, ErrorName::TransientError, "{error}");
    assert_eq!(world.records().get(&owner(), "release-1").await.unwrap(), None);
}

/// What a catcher of the state machine makes of an error.
fn caught(error: &StepError) -> Caught {
    Caught {
        error: error.name.to_string(),
        cause: json!({"errorType": error.name.to_string(), "errorMessage": error.message}).to_string(),
    }
}

/// What the state `RecordBreakdown` makes of a breakdown.
async fn recorded(world: &World, name: &str, release: Value, broke_down: Caught) -> Result<bool, StepError> {
    let start = Start {
        broke_down: Some(broke_down),
        ..World::handed(name, release)
    };
    match validate::answer(&world.environment(&validate::STEP), start).await? {
        Answered::Recorded { recorded } => Ok(recorded),
        Answered::Begun(deployment) => panic!("it begins {deployment:?}"),
    }
}

#[tokio::test]
async fn a_proven_release_that_validate_breaks_down_with_is_recorded_and_may_still_start() {
    let world = World::start().await;
    let release = application().upload(&world.config, "release-1").await;
    // The release is read and proven, and then the artifact cannot be.
    let artifact_away = || {
        let away = json!([{"action": "s3:GetObject", "fault": "unavailable", "skip": 1, "times": 40}]);
        world.aws.order_faults(&away);
    };
    artifact_away();
    let error = world.validate_release("release-1", release.clone()).await.unwrap_err();
    assert_eq!(error.name, ErrorName::TransientError, "{error}");
    assert_eq!(
        world.records().get(&owner(), "release-1").await.unwrap(),
        None,
        "the machine tries it again, and nobody is told that it failed"
    );
    artifact_away();
    assert!(
        recorded(&world, "release-1", release.clone(), caught(&error))
            .await
            .unwrap()
    );
    let record = world.records().get(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!(
        (record.status, record.error.as_deref()),
        (Status::Refused, Some("TransientError"))
    );
    let cause = record.cause.unwrap();
    for words in [
        "before anything was changed",
        "`s3:GetObject` did not go through",
        "run `fenrir deploy` again",
    ] {
        assert!(cause.contains(words), "`{words}` is not in: {cause}");
    }

    // Its answer may be lost, and it runs again. What the same execution begins afterwards counts.
    world.aws.order_faults(&json!([]));
    assert!(
        recorded(&world, "release-1", release.clone(), caught(&error))
            .await
            .unwrap()
    );
    let deployment = world.validate_release("release-1", release).await.unwrap();
    lock::run(&world.environment(&lock::STEP), deployment).await.unwrap();
    let record = world.records().get(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!(record.status, Status::Started);
}

#[tokio::test]
async fn a_breakdown_of_a_release_that_is_not_proven_writes_nothing() {
    let world = World::start().await;
    let release = application().upload(&world.config, "release-1").await;
    let timed_out = || Caught {
        error: "Sandbox.Timedout".to_owned(),
        cause: "Task timed out after 900 seconds".to_owned(),
    };
    // Nobody stored it; another is stored; it is no release at all.
    let (mut other, mut changed) = (release.clone(), release.clone());
    other["release_id"] = json!("release-2");
    changed["timeout"] = json!(700);
    for (name, unproven) in [("release-2", other), ("release-1", changed), ("release-1", json!("{"))] {
        assert!(!recorded(&world, name, unproven, timed_out()).await.unwrap(), "{name}");
        assert_eq!(world.records().get(&owner(), name).await.unwrap(), None, "{name}");
    }
    // The id is another execution's.
    let mut earlier = record("release-1", Status::Success);
    earlier.execution = execution("earlier");
    world.records().write(&owner(), &earlier).await.unwrap();
    assert!(
        !recorded(&world, "release-1", release.clone(), timed_out())
            .await
            .unwrap()
    );
    assert_eq!(world.records().get(&owner(), "release-1").await.unwrap(), Some(earlier));
    // Nobody can look: that is no proof either.
    world
        .aws
        .order_faults(&json!([{"action": "s3:GetObject", "fault": "denied", "times": 40}]));
    let error = recorded(&world, "release-1", release, timed_out()).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InternalError, "{error}");
    assert_eq!(
        world.calls_of("dynamodb:PutItem"),
        0,
        "the end of the earlier one was a transaction"
    );
}

#[tokio::test]
async fn the_largest_release_leaves_a_state_of_a_few_kilobytes() {
    let world = World::start().await;
    // Tags, metadata and names as many and as long as they may be.
    let many = |count: usize, length: usize| -> Value {
        (0..count)
            .map(|number| (format!("Key{number:0>40}"), json!("v".repeat(length))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let id = |number: usize| format!("Queue{number}{}", "x".repeat(90));
    let resources: serde_json::Map<_, _> = (0..500)
        .map(|number| (id(number), json!({"Type": "AWS::SQS::Queue"})))
        .collect();
    let application = application()
        .release_field("change_set_tags", many(47, 256))
        .release_field("metadata", many(50, 1_024))
        .template(json!({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}));
    let deployment = world.validate(&application, "release-of-500").await.unwrap();
    assert!(matches!(deployment.manifest, ManifestAt::Stored(_)));
    let template: Value = world
        .objects()
        .get_own_json(&deployment.release, &deployment.template)
        .await
        .unwrap();
    assert_eq!(template["Resources"].as_object().unwrap().len(), 500);
    // What later steps may add to it is held below 16 KiB by tests/waits/size.rs.
    let state = serde_json::to_string(&deployment).unwrap();
    assert!(state.len() < 4096, "{} bytes", state.len());
}
