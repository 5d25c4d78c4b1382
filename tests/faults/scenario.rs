//! The deploys that are struck: from each situation that a deploy can begin in to each end that it can have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use fenrir_testkit::{Application, Failed};
use serde_json::{Value, json};

use crate::strike::{Call, Kind, Strike, Tenacity};
use crate::world::{SURROUNDINGS, StackSeen, Told, World};

/// What a deploy meets, and what becomes of it when nothing goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scenario {
    /// A new stack.
    Create,
    /// An update.
    Update,
    /// The same again.
    NoChanges,
    /// A plan of a new stack.
    Plan,
    /// A plan of a new stack with code, and with things that are there already.
    References,
    /// A new stack that cannot be made, and is cleaned away.
    FailingCreate,
    /// An update that rolls back.
    FailingUpdate,
    /// A rolled back leftover is in the way.
    ReplaceRolledBack,
    /// A leftover under review is in the way.
    ReplaceReview,
    /// A change set of an earlier deploy is left.
    LeftoverChangeSet,
    /// A lock was left behind by an execution that ended.
    TakeOver,
    /// Somebody else holds the lock.
    Held,
    /// The template breaks a rule.
    Refused,
    /// SAM refuses what the policy let pass.
    ChangeSetFails,
    /// Tags and metadata do not fit into the state.
    Large,
    /// An update that is not done in time.
    LateUpdate,
    /// A new stack that is not made in time.
    LateCreate,
    /// A new stack that cannot be made and not be cleaned away.
    Dirty,
    /// CloudFormation's validation forbids the update when it is executed.
    NameTaken,
    /// The change set cannot be executed.
    NotExecuted,
    /// Somebody removed the lock meanwhile.
    LockLost,
    /// An update that is not done in time, and that `WaitExecute` cannot cancel.
    Uncancelled,
    /// An update that rolls back, not at the first try.
    StuckUpdate,
    /// The rollback of an earlier update failed.
    StuckBefore,
    /// A lock, and a stack that never was made, were left behind by an execution that ended and did not say how.
    TakeOverAtWork,
}

/// What is known before the deploy that is struck begins.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) application: Application,
    pub(crate) before: Option<StackSeen>,
    pub(crate) lock_before: Option<BTreeMap<String, String>>,
    pub(crate) locks_of_others: BTreeMap<String, String>,
    /// Keys of what Fenrir had written.
    pub(crate) written: BTreeSet<String>,
    /// The display name of the topic that the release wants; none when it cannot be had.
    pub(crate) wanted: Option<&'static str>,
}

/// A release's timeout at the least.
const SHORTEST_TIMEOUT: u64 = 60;
/// What is left of it in a late deploy: enough to begin to execute.
const LEFT: Duration = Duration::from_millis(3_500);
/// Seconds per resource in a late deploy.
const SLOW_STACK: f64 = 1.2;

/// Without these nothing is cleaned up, and nothing is written down.
const LAST_STEPS: [&str; 2] = ["cleanup", "release-lock"];

const ALL_STEPS: &[&str] = &[
    "validate",
    "lock",
    "create-changeset",
    "wait-changeset",
    "execute",
    "wait-execute",
    "cleanup",
    "release-lock",
];

pub(crate) fn topic(display_name: &str) -> Value {
    json!({"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": display_name}})
}

/// A queue that SQS refuses, after the topic.
pub(crate) fn broken() -> Value {
    json!({"Type": "AWS::SQS::Queue", "DependsOn": "Topic", "Properties": {"VisibilityTimeout": 99_999}})
}

/// A bucket, whose name may be taken.
fn bucket() -> Value {
    json!({"Type": "AWS::S3::Bucket"})
}

/// An end of its own: an execution that was stopped is waited for, because a step of it may still run.
pub(crate) fn said_clean() -> Failed {
    Failed {
        error: "FailureClean.StackError".to_owned(),
        cause: String::new(),
    }
}

/// With a function that refers to everything that `World::surround` makes.
fn referring(application: Application) -> Application {
    let application = application.with_function(
        "Worker",
        &json!({
            "Role": SURROUNDINGS,
            "VpcConfig": {"SecurityGroupIds": [SURROUNDINGS], "SubnetIds": [SURROUNDINGS]},
        }),
    );
    let key = json!({"KmsMasterKeyId": format!("alias/{SURROUNDINGS}"), "DisplayName": "wanted"});
    application.with("Topic", json!({"Type": "AWS::SNS::Topic", "Properties": key}))
}

impl Scenario {
    pub(crate) const ALL: [Self; 25] = [
        Self::Create,
        Self::Update,
        Self::NoChanges,
        Self::Plan,
        Self::References,
        Self::FailingCreate,
        Self::FailingUpdate,
        Self::ReplaceRolledBack,
        Self::ReplaceReview,
        Self::LeftoverChangeSet,
        Self::TakeOver,
        Self::Held,
        Self::Refused,
        Self::ChangeSetFails,
        Self::Large,
        Self::LateUpdate,
        Self::LateCreate,
        Self::Dirty,
        Self::NameTaken,
        Self::NotExecuted,
        Self::LockLost,
        Self::Uncancelled,
        Self::StuckUpdate,
        Self::StuckBefore,
        Self::TakeOverAtWork,
    ];

    /// The steps that do something here that they do in no scenario before.
    pub(crate) fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Create => ALL_STEPS,
            Self::Update => &["create-changeset", "execute", "wait-execute"],
            Self::FailingCreate => &["wait-execute", "cleanup", "release-lock"],
            Self::NoChanges | Self::Plan => &["wait-changeset", "cleanup"],
            Self::ReplaceRolledBack | Self::ReplaceReview | Self::LeftoverChangeSet | Self::StuckBefore => {
                &["create-changeset"]
            }
            Self::TakeOver | Self::Held | Self::TakeOverAtWork => &["lock"],
            Self::Refused | Self::References => &["validate"],
            Self::FailingUpdate | Self::LateUpdate | Self::LateCreate | Self::NotExecuted | Self::StuckUpdate => {
                &["wait-execute", "cleanup"]
            }
            Self::NameTaken => &["wait-execute"],
            Self::LockLost => &["execute", "wait-execute", "cleanup", "release-lock"],
            Self::Uncancelled => &["cleanup"],
            Self::ChangeSetFails => &["wait-changeset"],
            Self::Large => &["lock", "create-changeset"],
            Self::Dirty => &["release-lock"],
        }
    }

    /// The steps that are killed and run twice here.
    pub(crate) fn is_late(self) -> bool {
        matches!(self, Self::LateUpdate | Self::LateCreate | Self::Uncancelled)
    }

    fn is_update(self) -> bool {
        matches!(
            self,
            Self::Update
                | Self::NoChanges
                | Self::FailingUpdate
                | Self::LeftoverChangeSet
                | Self::LateUpdate
                | Self::NameTaken
                | Self::NotExecuted
                | Self::LockLost
                | Self::Uncancelled
                | Self::StuckUpdate
                | Self::StuckBefore
        )
    }

    pub(crate) fn is_plan(self) -> bool {
        matches!(self, Self::Plan | Self::References)
    }

    fn is_broken(self) -> bool {
        matches!(
            self,
            Self::FailingCreate
                | Self::FailingUpdate
                | Self::Dirty
                | Self::ChangeSetFails
                | Self::NameTaken
                | Self::StuckUpdate
        )
    }

    /// How it ends when nothing goes wrong.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Self::FailingCreate | Self::FailingUpdate | Self::NameTaken | Self::NotExecuted | Self::StuckUpdate => {
                "FailureClean.StackError"
            }
            Self::LateUpdate | Self::LateCreate => "FailureClean.TimeoutError",
            // Of the right that WaitExecute has not.
            Self::Uncancelled => "FailureClean.InternalError",
            // Without its lock it removes nothing of what it made, not even its change set.
            Self::LockLost => "FailureDirty.LockLostError",
            Self::Held => "FailureClean.LockExistsError",
            Self::Refused => "FailureClean.BadReleaseError",
            Self::ChangeSetFails => "FailureClean.ChangeSetError",
            Self::Dirty => "FailureDirty.StackError",
            _ => "Success",
        }
    }

    /// What strikes in this scenario in any case.
    pub(crate) fn strikes(self) -> Vec<Strike> {
        let denied = |step, action: &str| {
            let call = Some(Call {
                action: action.to_owned(),
                nth: 0,
            });
            vec![Strike {
                step,
                call,
                kind: Kind::Denied,
                tenacity: Tenacity::Machine,
            }]
        };
        match self {
            Self::Dirty => denied("cleanup", "cloudformation:DeleteStack"),
            Self::NotExecuted => denied("execute", "cloudformation:ExecuteChangeSet"),
            Self::Uncancelled => denied("wait-execute", "cloudformation:CancelUpdateStack"),
            _ => Vec::new(),
        }
    }

    /// Brings about the situation.
    pub(crate) async fn prepare(self, world: &World, project: &str) -> Prepared {
        let base = world.deployer.application(project);
        let owner = base.owner().clone();
        if self.is_update() {
            let told = world
                .deploy(&base.clone().with("Topic", topic("before")), &format!("{project}-0"))
                .await;
            assert!(told.run.outcome.is_ok(), "{project}: {:?}", told.run);
        }
        let before = world.stack(&owner).await;
        let earlier = fenrir_harness::execution_arn(&world.deployer, &format!("{project}-earlier"));
        let aws = world.deployer.aws();
        match self {
            Self::ReplaceRolledBack => {
                let left = base.clone().with("Topic", topic("left")).with("Broken", broken());
                world
                    .leave_change_set(&left, &earlier, true, Some("ROLLBACK_COMPLETE"))
                    .await;
            }
            Self::ReplaceReview => {
                let left = base.clone().with("Topic", topic("left"));
                world.leave_change_set(&left, &earlier, true, None).await;
            }
            Self::LeftoverChangeSet => {
                let left = base.clone().with("Topic", topic("left"));
                world.leave_change_set(&left, &earlier, false, None).await;
            }
            Self::StuckBefore => {
                aws.turn(&json!({"failing_reverts": 1}));
                let left = base.clone().with("Topic", topic("left")).with("Broken", broken());
                world.leave(&left, &format!("{project}-earlier"), &LAST_STEPS).await;
                // As an operator does before he unlocks; CleanUp would have gone on with the rollback.
                world.remove_lock(&owner).await;
            }
            Self::NameTaken => world.take_name(&owner, "Store").await,
            Self::TakeOverAtWork => {
                world.take_name(&owner, "Store").await;
                let left = base.clone().with("Topic", topic("left")).with("Store", bucket());
                world.leave(&left, &format!("{project}-earlier"), &LAST_STEPS).await;
                aws.tell_execution(&earlier, "FAILED", Some(&said_clean()));
            }
            Self::TakeOver | Self::Held => {
                world.put_lock(&owner, &earlier, &format!("{project}-earlier")).await;
                if self == Self::Held {
                    aws.tell_execution(&earlier, "RUNNING", None);
                } else {
                    aws.tell_execution(&earlier, "FAILED", Some(&said_clean()));
                }
            }
            _ => {}
        }
        // What is stuck stood whole before it was.
        let before = match before {
            Some(before) if self == Self::StuckBefore => Some(before),
            _ => world.stack(&owner).await,
        };
        let wanted = if self == Self::NoChanges { "before" } else { "wanted" };
        let mut application = base.with("Topic", topic(wanted));
        if self.is_broken() && !matches!(self, Self::ChangeSetFails | Self::NameTaken) {
            application = application.with("Broken", broken());
        }
        application = match self {
            Self::ChangeSetFails => application.with(
                "Store",
                json!({
                    "Type": "AWS::Serverless::SimpleTable", "Properties": {"PrimaryKey": {"Name": "id"}},
                }),
            ),
            Self::Large => application.release_field(
                "metadata",
                json!({"a": "x".repeat(1_000), "b": "x".repeat(1_000), "c": "x".repeat(1_000)}),
            ),
            Self::Plan => application.release_field("operation", json!("plan")),
            Self::References => referring(application).release_field("operation", json!("plan")),
            Self::Refused => application.with(
                "Named",
                json!({"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "n"}}),
            ),
            Self::NameTaken => application.with("Store", bucket()),
            Self::LateUpdate | Self::LateCreate | Self::Uncancelled => ["A", "B", "C"]
                .into_iter()
                .fold(application, |application, id| application.with(id, topic(id)))
                .release_field("timeout", json!(SHORTEST_TIMEOUT)),
            _ => application,
        };
        Prepared {
            before,
            lock_before: world.lock(&owner).await,
            locks_of_others: world.locks_of_others(&owner).await,
            written: world.written().await,
            wanted: (!self.is_broken() && !self.is_plan()).then_some(wanted),
            application,
        }
    }

    /// Deploys under `strikes`.
    pub(crate) async fn run(self, world: &World, prepared: &Prepared, release_id: &str, strikes: &[Strike]) -> Told {
        let all: Vec<Strike> = strikes.iter().cloned().chain(self.strikes()).collect();
        let aws = world.deployer.aws();
        let mut ago = Duration::ZERO;
        if self.is_late() {
            aws.turn(&json!({"stack_seconds": SLOW_STACK}));
            ago = Duration::from_secs(SHORTEST_TIMEOUT).checked_sub(LEFT).unwrap();
        }
        if self == Self::StuckUpdate {
            aws.turn(&json!({"failing_reverts": 1}));
        }
        let unlocked_before = (self == Self::LockLost).then_some("execute");
        let told = world
            .strike(&prepared.application, release_id, &all, ago, unlocked_before)
            .await;
        aws.turn(&json!({"stack_seconds": World::STACK_SECONDS, "failing_reverts": 0}));
        told
    }

    /// What is deployed afterwards, when all is well again.
    pub(crate) fn mended(prepared: &Prepared) -> Application {
        let application = prepared.application.clone().with("Topic", topic("after"));
        ["A", "B", "C", "Broken", "Named", "Worker", "Store"]
            .into_iter()
            .fold(application, Application::without)
            .release_field("operation", json!("deploy"))
            .release_field("timeout", json!(600))
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::NoChanges => "no-changes",
            Self::Plan => "plan",
            Self::References => "references",
            Self::FailingCreate => "failing-create",
            Self::FailingUpdate => "failing-update",
            Self::ReplaceRolledBack => "replace-rolled-back",
            Self::ReplaceReview => "replace-review",
            Self::LeftoverChangeSet => "leftover-change-set",
            Self::TakeOver => "take-over",
            Self::Held => "held",
            Self::Refused => "refused",
            Self::ChangeSetFails => "change-set-fails",
            Self::Large => "large",
            Self::LateUpdate => "late-update",
            Self::LateCreate => "late-create",
            Self::Dirty => "dirty",
            Self::NameTaken => "name-taken",
            Self::NotExecuted => "not-executed",
            Self::LockLost => "lock-lost",
            Self::Uncancelled => "uncancelled",
            Self::StuckUpdate => "stuck-update",
            Self::StuckBefore => "stuck-before",
            Self::TakeOverAtWork => "take-over-at-work",
        })
    }
}
