//! Objects, locks and records.

use aws_sdk_s3::types::BucketVersioningStatus;
use fenrir_core::deployment::Pointer;
use fenrir_core::error::ErrorName;
use fenrir_core::keys;
use fenrir_store::locks::Error as LockError;
use fenrir_store::objects::{Error, hex_sha256};
use fenrir_store::records::Error as RecordError;
use fenrir_store::{Objects, Status};
use fenrir_testkit::{Answer, Recorded};
use serde_json::json;
use time::OffsetDateTime;

use crate::world::{BUCKET, World, execution, head, holder, owner, record};

#[tokio::test]
async fn a_pointer_leads_only_to_the_very_bytes_that_fenrir_wrote_for_the_release() {
    let world = World::start().await;
    let objects = world.objects();
    let head_1 = head("release-1");
    let pointer = objects
        .put_own(&head_1, "a.json", "application/json", b"{}".to_vec())
        .await
        .unwrap();
    assert_eq!(objects.get_own(&head_1, &pointer).await.unwrap(), b"{}");

    // Written again, the old pointer still leads to the old bytes.
    let again = objects
        .put_own(&head_1, "a.json", "application/json", b"[]".to_vec())
        .await
        .unwrap();
    assert_ne!(again.version_id, pointer.version_id);
    assert_eq!(objects.get_own(&head_1, &pointer).await.unwrap(), b"{}");

    let other = |change: fn(&mut Pointer)| {
        let mut pointer = pointer.clone();
        change(&mut pointer);
        pointer
    };
    for pointer in [
        other(|pointer| pointer.bucket = "another".into()),
        other(|pointer| pointer.key = pointer.key.replace("release-1", "release-2")),
        other(|pointer| pointer.key = pointer.key.replacen("fenrir/", "", 1)),
        other(|pointer| pointer.version_id = String::new()),
        other(|pointer| pointer.version_id = "null".into()),
    ] {
        assert!(
            matches!(objects.get_own(&head_1, &pointer).await, Err(Error::NotOwn(_))),
            "{pointer:?}"
        );
    }
    let forged = other(|pointer| pointer.sha256 = "0".repeat(64));
    assert!(matches!(
        objects.get_own(&head_1, &forged).await,
        Err(Error::Changed(_))
    ));
}

#[tokio::test]
async fn an_artifact_is_hashed_and_pinned_and_a_bucket_without_versions_is_refused() {
    let world = World::start().await;
    let bytes = vec![7_u8; 3_000_000];
    world.put(BUCKET, "a.zip", &bytes).await;
    let hashed = world.objects().hash(BUCKET, "a.zip").await.unwrap();
    assert_eq!(hashed.sha256, hex_sha256(&bytes));
    assert_eq!(hashed.size, Some(3_000_000));
    world.put(BUCKET, "a.zip", b"changed").await;
    let read = world
        .objects()
        .read(BUCKET, "a.zip", hashed.version_id.as_deref(), 3_000_000)
        .await
        .unwrap();
    assert_eq!(read.bytes, bytes);

    assert!(matches!(
        world.objects().hash(BUCKET, "b.zip").await,
        Err(Error::Missing(_))
    ));
    assert!(matches!(
        world
            .objects()
            .read(BUCKET, "a.zip", hashed.version_id.as_deref(), 2_999_999)
            .await,
        Err(Error::TooLarge { .. })
    ));
    world.make_bucket("suspended", BucketVersioningStatus::Suspended).await;
    world.put("suspended", "a.zip", b"x").await;
    assert!(matches!(
        world.objects().hash("suspended", "a.zip").await,
        Err(Error::Unversioned(_))
    ));
}

#[tokio::test]
async fn what_s3_answers_is_told_apart() {
    let server = Recorded::start(vec![Answer::xml(
        404,
        "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>",
    )]);
    let missing = Objects::new(&server.config().await).hash("b", "k").await;
    assert!(matches!(missing, Err(Error::Missing(what)) if what == "s3://b/k"));

    let server = Recorded::start(vec![Answer::xml(
        403,
        "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
    )]);
    let denied = Objects::new(&server.config().await).hash("b", "k").await.unwrap_err();
    let step = denied.into_step(ErrorName::LockError, "reading");
    assert_eq!(step.name, ErrorName::InternalError);
    assert!(step.message.contains("`s3:GetObject`"), "{}", step.message);

    let server = Recorded::start(vec![Answer::cut()]);
    let cut = Objects::new(&server.config().await).hash("b", "k").await.unwrap_err();
    assert!(cut.is_transient());
    assert_eq!(
        cut.into_step(ErrorName::LockError, "reading").name,
        ErrorName::TransientError
    );
}

#[tokio::test]
async fn a_lock_is_one_executions_until_it_gives_it_back() {
    let world = World::start().await;
    let (locks, owner) = (world.locks(), owner());
    let (mine, other) = (holder("release-1"), holder("release-2"));
    locks.acquire(&owner, &mine).await.unwrap();
    locks.acquire(&owner, &mine).await.unwrap();
    locks.verify(&owner, &mine.execution).await.unwrap();
    let held = locks.acquire(&owner, &other).await.unwrap_err();
    assert_eq!(held, LockError::Held(Box::new(mine.clone())));
    assert!(matches!(
        locks.verify(&owner, &other.execution).await,
        Err(LockError::Lost(Some(_)))
    ));

    // What is not his he neither releases nor marks.
    locks.release(&owner, &other.execution).await.unwrap();
    assert!(matches!(
        locks.mark_dirty(&owner, &other.execution, "x").await,
        Err(LockError::Lost(_))
    ));
    assert_eq!(locks.holder(&owner).await.unwrap(), Some(mine.clone()));

    locks.release(&owner, &mine.execution).await.unwrap();
    locks.release(&owner, &mine.execution).await.unwrap();
    assert_eq!(locks.holder(&owner).await.unwrap(), None);
    locks.acquire(&owner, &other).await.unwrap();
    // A release that is made again after all that touches nobody's lock.
    locks.release(&owner, &mine.execution).await.unwrap();
    locks.verify(&owner, &other.execution).await.unwrap();
}

#[tokio::test]
async fn a_dirty_lock_stays_with_its_reason() {
    let world = World::start().await;
    let (locks, owner, mine) = (world.locks(), owner(), holder("release-1"));
    locks.acquire(&owner, &mine).await.unwrap();
    for _ in 0..2 {
        locks
            .mark_dirty(&owner, &mine.execution, "a table is left")
            .await
            .unwrap();
    }
    locks.release(&owner, &mine.execution).await.unwrap();
    assert!(matches!(
        locks.verify(&owner, &mine.execution).await,
        Err(LockError::Lost(Some(_)))
    ));
    let other = holder("release-2");
    for refused in [
        locks.acquire(&owner, &mine).await,
        locks.acquire(&owner, &other).await,
        locks.take_over(&owner, &mine.execution, &other, now()).await,
    ] {
        let error = refused.unwrap_err();
        assert!(error.to_string().ends_with("ended dirty: a table is left"), "{error}");
        assert_eq!(error.into_step("x").name, ErrorName::LockExistsError);
    }
}

#[tokio::test]
async fn a_freeze_of_account_project_or_config_keeps_everybody_out() {
    let world = World::start().await;
    let (locks, owner, mine) = (world.locks(), owner(), holder("release-1"));
    let flags = ["--whole-account ", "--whole-project ", ""];
    for (key, flag) in keys::freezes(&owner).into_iter().zip(flags) {
        world.freeze(&key).await;
        let error = locks.acquire(&owner, &mine).await.unwrap_err();
        let LockError::Frozen(freeze) = error else {
            panic!("{error}");
        };
        assert_eq!(freeze.reason, "holidays");
        assert_eq!(freeze.ended_by(), format!("fenrir unlock {flag}--reason WHY"));
        assert_eq!(locks.holder(&owner).await.unwrap(), None);
        world.thaw(&key).await;
    }
    world.freeze("freeze/111111111111/team!app2").await;
    locks.acquire(&owner, &mine).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_leaves_the_lock_with_who_took_it() {
    let world = World::start().await;
    let (locks, owner, mine) = (world.locks(), owner(), holder("release-1"));
    let (started, ended) = (
        record("release-1", Status::Started),
        record("release-1", Status::Success),
    );
    let put = |record| world.records().along(&owner, record);
    for (doing, action) in [
        ("take", "dynamodb:TransactWriteItems"),
        ("write", "dynamodb:PutItem"),
        ("release", "dynamodb:TransactWriteItems"),
    ] {
        let before = world.calls_of(action);
        world.aws.order_faults(&json!([{"action": action, "fault": "lost"}]));
        match doing {
            "take" => locks.clone().along(put(&started)).acquire(&owner, &mine).await.unwrap(),
            "write" => world.records().write(&owner, &started).await.unwrap(),
            _ => {
                let locks = locks.clone().along(put(&ended));
                locks.release(&owner, &mine.execution).await.unwrap();
            }
        }
        assert!(world.calls_of(action) >= before + 2, "{action} was not made again");
    }
    assert_eq!(locks.holder(&owner).await.unwrap(), None);
    assert_eq!(
        world.records().get(&owner, "release-1").await.unwrap(),
        Some(ended.clone())
    );

    // A release id that another execution used takes no lock with it.
    let mut other = started.clone();
    other.execution = "another".to_owned();
    let taken = locks.clone().along(put(&other)).acquire(&owner, &mine).await;
    assert_eq!(taken, Err(LockError::Recorded));
    assert_eq!(locks.holder(&owner).await.unwrap(), None);
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[tokio::test]
async fn a_lock_that_is_claimed_is_not_taken_over_before_that_ends() {
    let world = World::start().await;
    let (owner, locks) = (owner(), world.locks());
    let (ended, mine) = (holder("release-1"), holder("release-2"));
    locks.acquire(&owner, &ended).await.unwrap();
    let until = now() + time::Duration::minutes(16);
    locks.claim(&owner, &ended.execution, until).await.unwrap();
    assert_eq!(locks.verify(&owner, &ended.execution).await, Ok(()));
    let early = locks.take_over(&owner, &ended.execution, &mine, until).await;
    assert!(matches!(early, Err(LockError::Held(holder)) if holder.execution == ended.execution));
    let late = until + time::Duration::seconds(1);
    assert_eq!(locks.take_over(&owner, &ended.execution, &mine, late).await, Ok(()));
    // Who comes too late touches nothing, nor does who ended dirty.
    let lost = locks.claim(&owner, &ended.execution, late).await;
    assert!(matches!(lost, Err(LockError::Lost(Some(holder))) if holder.execution == mine.execution));
    locks
        .mark_dirty(&owner, &mine.execution, "a table is left")
        .await
        .unwrap();
    let dirty = locks.claim(&owner, &mine.execution, late).await;
    assert!(matches!(dirty, Err(LockError::Lost(Some(holder))) if holder.dirty));
}

#[tokio::test]
async fn of_many_one_gets_the_lock() {
    let world = World::start().await;
    let owner = owner();
    let ended = holder("release-0");
    world.locks().acquire(&owner, &ended).await.unwrap();
    let mut racers = tokio::task::JoinSet::new();
    for number in 1..=12 {
        let (locks, owner, ended) = (world.locks(), owner.clone(), ended.clone());
        racers.spawn(async move {
            let mine = holder(&format!("release-{number}"));
            loop {
                match locks.take_over(&owner, &ended.execution, &mine, now()).await {
                    // Two transactions met: as the machine does, it is tried again.
                    Err(LockError::Fault(_)) => {}
                    Ok(()) => break Some(mine.execution),
                    Err(LockError::Held(_)) => break None,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    let winners: Vec<String> = racers.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(
        world.locks().holder(&owner).await.unwrap().unwrap().execution,
        winners[0]
    );
}

#[tokio::test]
async fn a_record_is_one_executions_and_ends_once() {
    let world = World::start().await;
    let (records, owner) = (world.records(), owner());
    let started = record("release-1", Status::Started);
    let ended = record("release-1", Status::Success);
    for record in [&started, &started, &ended, &ended] {
        records.write(&owner, record).await.unwrap();
    }
    assert_eq!(records.get(&owner, "release-1").await.unwrap(), Some(ended));
    let mut others = record("release-1", Status::Started);
    others.execution = execution("another");
    for refused in [started, record("release-1", Status::FailureClean), others] {
        assert!(
            matches!(records.write(&owner, &refused).await, Err(RecordError::Used(_))),
            "{refused:?}"
        );
    }
}
