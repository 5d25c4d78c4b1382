//! What is deployed, and the questions to the records.

use fenrir_core::deployment::Operation;
use fenrir_core::owner::Owner;
use fenrir_core::{house, keys};
use fenrir_store::history::{Filter, Wanted};
use fenrir_store::records::Error as RecordError;
use fenrir_store::{Current, Record, Status};
use fenrir_testkit::{Answer, Recorded};
use serde_json::json;

use crate::world::{World, holder, owner, record};

/// A deploy that began and ended at these minutes.
fn deploy(name: &str, status: Status, began: u32, ended: u32) -> Record {
    Record {
        started_at: format!("2026-11-21T22:{began:02}:00.000Z"),
        ended_at: (status != Status::Started).then(|| format!("2026-11-21T22:{ended:02}:00Z")),
        metadata: [("author".into(), "ada".into()), ("commit".into(), format!("of {name}"))].into(),
        ..record(name, status)
    }
}

/// The releases that the owner's item names as deployed and as last.
fn names(current: Option<Current>) -> (Option<String>, Option<String>) {
    let current = current.unwrap_or_default();
    (
        current.deployed.map(|summary| summary.release_id),
        current.last.map(|summary| summary.release_id),
    )
}

fn named(deployed: &str, last: &str) -> (Option<String>, Option<String>) {
    let some = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    (some(deployed), some(last))
}

impl World {
    /// Takes the lock for a deploy, and gives it back with this end.
    async fn deploys(&self, ended: &Record) {
        let (owner, mine) = (owner(), holder(&ended.release_id));
        let started = Record {
            status: Status::Started,
            ended_at: None,
            ..ended.clone()
        };
        let records = self.records();
        let locks = self.locks().along(records.along(&owner, &started));
        locks.acquire(&owner, &mine).await.unwrap();
        let locks = self.locks().along(records.along(&owner, ended));
        locks.release(&owner, &mine.execution).await.unwrap();
    }

    async fn current(&self) -> Option<Current> {
        self.records().current(&owner()).await.unwrap()
    }

    /// The calls of DynamoDB since the last time they were forgotten.
    fn calls_of_the_table(&self) -> Vec<String> {
        let calls = self.aws.calls();
        let actions = calls.iter().filter_map(|call| call["action"].as_str());
        actions
            .filter(|action| action.starts_with("dynamodb:"))
            .map(str::to_owned)
            .collect()
    }
}

#[tokio::test]
async fn what_is_deployed_is_written_in_the_call_that_gives_the_lock_back() {
    let world = World::start().await;
    assert_eq!(world.current().await, None);
    let first = deploy("release-1", Status::Success, 0, 1);
    let before = world.calls_of_the_table().len();
    world.deploys(&first).await;
    let calls = world.calls_of_the_table();
    assert_eq!(calls[before..], ["dynamodb:TransactWriteItems"; 2]);

    let deployed = world.current().await.unwrap().deployed.unwrap();
    assert_eq!(deployed.release_id, "release-1");
    assert_eq!(
        (deployed.who.as_deref(), deployed.commit.as_deref()),
        (Some("ada"), Some("of release-1"))
    );
    assert_eq!(
        (deployed.started_at, deployed.ended_at),
        (first.started_at, first.ended_at)
    );
    assert_eq!(names(world.current().await), named("release-1", "release-1"));

    // What fails does not change what is deployed, and neither does what began earlier and took the lock later.
    world.deploys(&deploy("release-2", Status::FailureClean, 4, 5)).await;
    assert_eq!(names(world.current().await), named("release-1", "release-2"));
    world.deploys(&deploy("release-3", Status::Success, 3, 6)).await;
    assert_eq!(names(world.current().await), named("release-3", "release-3"));
}

#[tokio::test]
async fn a_plan_and_a_refusal_say_nothing_of_what_is_deployed() {
    let world = World::start().await;
    let plan = Record {
        operation: Operation::Plan,
        ..deploy("release-1", Status::Success, 0, 1)
    };
    world.deploys(&plan).await;
    let refused = deploy("release-2", Status::Refused, 0, 1);
    world.records().write(&owner(), &refused).await.unwrap();
    assert_eq!(world.current().await, None);
}

#[tokio::test]
async fn an_end_that_is_written_late_overwrites_nothing_newer() {
    let world = World::start().await;
    let records = world.records();
    records
        .write(&owner(), &deploy("release-0", Status::FailureDirty, 0, 1))
        .await
        .unwrap();
    assert_eq!(names(world.current().await), named("", "release-0"));
    world.deploys(&deploy("release-3", Status::Success, 6, 7)).await;

    // It ended before; it even began later, and lost the race for the lock.
    for (number, began) in [(1, 2), (2, 6)] {
        let late = deploy(&format!("release-{number}"), Status::Success, began, 5);
        records.write(&owner(), &late).await.unwrap();
        let read = records.get(&owner(), &late.release_id).await.unwrap();
        assert_eq!(read, Some(late), "the record is written all the same");
        assert_eq!(names(world.current().await), named("release-3", "release-3"));
    }
    records
        .write(&owner(), &deploy("release-4", Status::FailureDirty, 8, 9))
        .await
        .unwrap();
    assert_eq!(names(world.current().await), named("release-3", "release-4"));

    // A success that is written down when the next deploy has failed: the stack is what it says.
    records
        .write(&owner(), &deploy("release-5", Status::Success, 7, 8))
        .await
        .unwrap();
    assert_eq!(names(world.current().await), named("release-5", "release-4"));
}

#[tokio::test]
async fn an_end_that_is_written_again_changes_what_is_deployed_only_the_first_time() {
    let world = World::start().await;
    let mine = holder("release-1");
    let first = deploy("release-1", Status::Success, 2, 3);
    world.deploys(&first).await;
    // It began before and ends before the first one's second try, whose clock says later.
    world.deploys(&deploy("release-2", Status::Success, 1, 4)).await;
    let again = deploy("release-1", Status::Success, 2, 5);
    let locks = world.locks().along(world.records().along(&owner(), &again));
    locks.release(&owner(), &mine.execution).await.unwrap();
    world.records().write(&owner(), &again).await.unwrap();
    assert_eq!(names(world.current().await), named("release-2", "release-2"));
    let read = world.records().get(&owner(), "release-1").await.unwrap();
    assert_eq!(read, Some(first), "it ended when the first try said so");

    // And another end is still refused.
    let other = deploy("release-1", Status::FailureClean, 2, 5);
    let refused = world.records().write(&owner(), &other).await;
    assert_eq!(refused, Err(RecordError::Used("release-1".to_owned())));
    assert_eq!(names(world.current().await), named("release-2", "release-2"));
}

#[tokio::test]
async fn a_dirty_end_that_was_overtaken_is_the_last_as_long_as_it_holds_the_lock() {
    let world = World::start().await;
    let records = world.records();
    // It began later, and ended before the other one got the lock; the clocks of the two differ besides.
    world.deploys(&deploy("release-2", Status::Success, 5, 9)).await;
    let (dirty, mine) = (deploy("release-1", Status::FailureDirty, 1, 8), holder("release-1"));
    world.locks().acquire(&owner(), &mine).await.unwrap();
    world
        .locks()
        .mark_dirty(&owner(), &mine.execution, "a table is left")
        .await
        .unwrap();
    for ended in [8, 12] {
        // The second try, whose clock says later, changes nothing.
        let again = deploy("release-1", Status::FailureDirty, 1, ended);
        records.write_held(&owner(), &again, house::LOCKS_TABLE).await.unwrap();
        assert_eq!(names(world.current().await), named("release-2", "release-1"));
        let read = records.get(&owner(), "release-1").await.unwrap();
        assert_eq!(read.as_ref(), Some(&dirty));
    }

    // Who has lost the lock overwrites nothing newer, and is recorded all the same.
    let lost = deploy("release-0", Status::FailureDirty, 0, 7);
    records.write_held(&owner(), &lost, house::LOCKS_TABLE).await.unwrap();
    assert_eq!(names(world.current().await), named("release-2", "release-1"));
    assert_eq!(records.get(&owner(), "release-0").await.unwrap(), Some(lost));

    // Another end is refused here, too.
    let other = deploy("release-1", Status::FailureClean, 1, 8);
    let refused = records.write_held(&owner(), &other, house::LOCKS_TABLE).await;
    assert_eq!(refused, Err(RecordError::Used("release-1".to_owned())));
}

#[tokio::test]
async fn a_lost_answer_leaves_what_is_deployed_with_who_wrote_it() {
    let world = World::start().await;
    for (number, status) in [(1, Status::Success), (2, Status::FailureDirty)] {
        let ended = deploy(&format!("release-{number}"), status, number, number + 1);
        let fault = json!([{"action": "dynamodb:TransactWriteItems", "fault": "lost"}]);
        world.aws.order_faults(&fault);
        world.records().write(&owner(), &ended).await.unwrap();
        assert_eq!(
            world.records().get(&owner(), &ended.release_id).await.unwrap(),
            Some(ended)
        );
    }
    assert_eq!(names(world.current().await), named("release-1", "release-2"));
}

#[tokio::test]
async fn a_history_is_read_page_by_page_newest_first() {
    let world = World::start().await;
    let (records, owner) = (world.records(), owner());
    let long = "x".repeat(3_000);
    for number in 0..500 {
        let at = |second: u32| format!("2026-11-21T{:02}:{:02}:{second:02}.000Z", number / 60, number % 60);
        let one = Record {
            started_at: at(0),
            ended_at: Some(at(1)),
            cause: Some(long.clone()),
            ..record(&format!("release-{number:04}"), Status::Refused)
        };
        records.write(&owner, &one).await.unwrap();
    }
    world
        .records()
        .write(&owner, &deploy("release-last", Status::Success, 59, 59))
        .await
        .unwrap();
    let before = world.calls_of_the_table().len();

    // Pages of the caller's size.
    let (mut wanted, mut ids, mut pages) = (
        Wanted {
            limit: Some(120),
            after: None,
        },
        Vec::new(),
        0,
    );
    loop {
        let page = records.history(&owner, None, &wanted).await.unwrap();
        assert!(page.items.len() <= 120);
        ids.extend(page.items.into_iter().map(|entry| entry.release_id));
        pages += 1;
        wanted.after = page.next;
        if wanted.after.is_none() {
            break;
        }
    }
    let mut sorted: Vec<String> = (0..500).rev().map(|number| format!("release-{number:04}")).collect();
    sorted.insert(0, "release-last".to_owned());
    assert_eq!(ids, sorted);
    assert_eq!(pages, 5);

    // Pages of the table's own: 1.5 MB do not come at once.
    let first = records.history(&owner, None, &Wanted::default()).await.unwrap();
    assert!(first.next.is_some() && first.items.len() < 501, "{}", first.items.len());

    let since = records
        .history(&owner, Some("2026-11-21T08:00:00Z"), &Wanted::default())
        .await
        .unwrap();
    assert_eq!((since.items.len(), since.next), (21, None));
    let calls = world.calls_of_the_table();
    assert!(
        calls[before..].iter().all(|action| action == "dynamodb:Query"),
        "{calls:?}"
    );
}

#[tokio::test]
async fn every_owner_is_listed_in_one_paged_query() {
    let world = World::start().await;
    let records = world.records();
    let mut keys: Vec<String> = Vec::new();
    for (number, (account, region)) in [
        ("111111111111", "us-east-1"),
        ("111111111111", "us-east-2"),
        ("222222222222", "us-east-1"),
    ]
    .into_iter()
    .enumerate()
    {
        for project in ["team/app", "team/app2", "team"] {
            let owner = Owner {
                account: account.into(),
                region: region.into(),
                project: project.into(),
                config: "test".into(),
            };
            let ended = deploy(&format!("release-{number}"), Status::Success, 0, 1);
            records.write(&owner, &ended).await.unwrap();
            // Records beside it, which are not listed.
            records
                .write(&owner, &deploy("release-9", Status::Started, 2, 3))
                .await
                .unwrap();
            keys.push(keys::owner(&owner));
        }
    }
    keys.sort();
    let before = world.calls_of_the_table().len();
    let (mut wanted, mut listed) = (
        Wanted {
            limit: Some(4),
            after: None,
        },
        Vec::new(),
    );
    for page in 0.. {
        let found = records.list(&Filter::default(), &wanted).await.unwrap();
        listed.extend(found.items.iter().map(|current| current.owner.clone()));
        wanted.after = found.next;
        if wanted.after.is_none() {
            assert_eq!(page, 2);
            break;
        }
    }
    assert_eq!(listed, keys);
    let of = async |account: Option<&str>, region: Option<&str>| {
        let filter = Filter {
            account: account.map(str::to_owned),
            region: region.map(str::to_owned),
        };
        let page = records.list(&filter, &Wanted::default()).await.unwrap();
        page.items.into_iter().map(|current| current.owner).collect::<Vec<_>>()
    };
    assert_eq!(of(Some("222222222222"), None).await, keys[6..]);
    assert_eq!(of(Some("111111111111"), Some("us-east-2")).await, keys[3..6]);
    assert_eq!(of(None, Some("us-east-1")).await.len(), 6);
    assert_eq!(of(Some("22222222222"), None).await, Vec::<String>::new());
    assert_eq!(records.open_all().await.unwrap().len(), 9);
    let calls = world.calls_of_the_table();
    assert!(
        calls[before..].iter().all(|action| action == "dynamodb:Query"),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_question_names_the_index_and_the_key_that_answer_it() {
    let nothing = || Answer::json(200, json!({"Items": [], "Count": 0, "ScannedCount": 0}).to_string());
    let server = Recorded::start(vec![nothing(), nothing(), nothing()]);
    let records = fenrir_store::Records::new(&server.config().await, "fenrir-releases");
    records
        .history(&owner(), Some("2026"), &Wanted::default())
        .await
        .unwrap();
    let filter = Filter {
        account: Some("222222222222".to_owned()),
        region: None,
    };
    records.list(&filter, &Wanted::default()).await.unwrap();
    records.open_all().await.unwrap();
    let asked: Vec<serde_json::Value> = server
        .requests()
        .iter()
        .map(|request| {
            assert_eq!(request.operation, "Query");
            serde_json::from_str(&request.body).unwrap()
        })
        .collect();
    let index = |number: usize| asked[number]["IndexName"].as_str().unwrap();
    assert_eq!([index(0), index(1), index(2)], ["by-time", "current", "open"]);
    assert_eq!(
        asked[0]["KeyConditionExpression"],
        "#owner = :owner AND #started_at >= :since"
    );
    assert_eq!(asked[0]["ScanIndexForward"], false);
    assert_eq!(asked[1]["ExpressionAttributeValues"][":prefix"]["S"], "222222222222/");
    assert!(asked.iter().all(|query| query.get("FilterExpression").is_none()));
}

#[tokio::test]
async fn the_item_of_what_is_deployed_is_no_record() {
    let world = World::start().await;
    world.deploys(&deploy("release-1", Status::Success, 0, 1)).await;
    let records = world.records();
    assert_eq!(records.entry(&owner(), "current").await.unwrap(), None);
    let entry = records.entry(&owner(), "release-1").await.unwrap().unwrap();
    assert_eq!(entry.metadata["author"], "ada");
    let history = records.history(&owner(), None, &Wanted::default()).await.unwrap();
    assert_eq!(history.items.len(), 1);
    assert!(fenrir_core::release::release_id_problem("current").is_some());
}
