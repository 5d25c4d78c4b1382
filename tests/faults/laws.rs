//! The laws of the machine, asserted from outside: CloudFormation, the tables, the topic, the end of the execution.

use std::collections::BTreeSet;

use fenrir_core::keys;
use fenrir_core::owner::Owner;
use fenrir_stacks::marks::Marks;

use crate::scenario::{Prepared, Scenario};
use crate::strike::{Call, Kind, Strike, Tenacity};
use crate::world::{StackSeen, Told, World};

/// Bytes of the state between two steps.
const MOST_STATE: usize = 16 * 1024;

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum End {
    Success,
    Clean,
    Dirty,
    /// `ReleaseLock` never came to its end: nobody recorded anything.
    Unrecorded,
    /// In none of the three ends.
    Outside,
}

impl End {
    pub(crate) fn of(told: &Told) -> Self {
        match &told.run.outcome {
            Ok(_) => Self::Success,
            Err(_) if told.run.path.iter().any(|state| state == "ReleaseLockFailed") => Self::Unrecorded,
            Err(failed) if failed.error.starts_with("FailureClean.") => Self::Clean,
            Err(failed) if failed.error.starts_with("FailureDirty.") => Self::Dirty,
            Err(_) => Self::Outside,
        }
    }
}

/// The error of an execution, or `Success`.
pub(crate) fn error(told: &Told) -> &str {
    told.run
        .outcome
        .as_ref()
        .err()
        .map_or("Success", |failed| failed.error.as_str())
}

fn cause(told: &Told) -> &str {
    told.run
        .outcome
        .as_ref()
        .err()
        .map_or("", |failed| failed.cause.as_str())
}

/// Whoever looks from outside after an execution.
pub(crate) struct Inspection<'a> {
    pub(crate) world: &'a World,
    pub(crate) scenario: Scenario,
    pub(crate) prepared: &'a Prepared,
    pub(crate) strike: Option<&'a Strike>,
    pub(crate) told: &'a Told,
    broken: Vec<String>,
}

impl<'a> Inspection<'a> {
    /// The laws that are broken. With a strike the next deploy is tried as well.
    pub(crate) async fn broken(
        world: &'a World,
        scenario: Scenario,
        prepared: &'a Prepared,
        strike: Option<&'a Strike>,
        told: &'a Told,
    ) -> Vec<String> {
        let mut inspection = Self {
            world,
            scenario,
            prepared,
            strike,
            told,
            broken: Vec::new(),
        };
        let end = End::of(told);
        inspection.form(end);
        let stack = world.stack(inspection.owner()).await;
        inspection.truth(end, stack.as_ref());
        inspection.nothing_left(end, stack.as_ref()).await;
        inspection.lock(end).await;
        inspection.record(end).await;
        inspection.bucket().await;
        inspection.what_is_deployed("after it").await;
        inspection.nothing_whole_is_deleted().await;
        inspection.passes_unnoticed();
        if strike.is_some() {
            inspection.afterwards().await;
        }
        inspection.broken
    }

    fn owner(&self) -> &'a Owner {
        self.prepared.application.owner()
    }

    fn must(&mut self, holds: bool, law: &str, but: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(format!("{law}: {}", but()));
        }
    }

    fn strikes_to_the_end(&self, step: &str) -> bool {
        self.strike.is_some_and(|strike| {
            strike.step == step && (strike.tenacity == Tenacity::Machine || strike.kind == Kind::Denied)
        })
    }

    /// The end has the right form, the state stayed small.
    fn form(&mut self, end: End) {
        let told = self.told;
        let last = told.run.path.last().cloned().unwrap_or_default();
        let wanted = match end {
            End::Success => "Success",
            End::Clean => "FailureClean",
            End::Dirty | End::Unrecorded => "FailureDirty",
            End::Outside => "one of the three ends",
        };
        self.must(last == wanted, "every execution ends in one of three states", || {
            format!("{} after `{last}`: {}", error(told), cause(told))
        });
        let signed = cause(told).ends_with(&format!("(release {})", told.release_id));
        self.must(
            end == End::Success || signed,
            "the cause ends with the release id",
            || cause(told).to_owned(),
        );
        let largest = told.run.largest_state;
        self.must(largest < MOST_STATE, "the state stays small", || {
            format!("{largest} bytes")
        });
    }

    /// Law 1.
    fn truth(&mut self, end: End, now: Option<&StackSeen>) {
        let (prepared, told) = (self.prepared, self.told);
        let before = prepared.before.as_ref();
        let ids: BTreeSet<String> = prepared.application.resources()["Resources"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let is_wanted = match prepared.wanted {
            Some(wanted) => now.is_some_and(|now| {
                now.is_whole()
                    && now.status != "UPDATE_ROLLBACK_COMPLETE"
                    && now.topic.as_deref() == Some(wanted)
                    && now.resources.keys().eq(&ids)
            }),
            // A plan wants nothing; what is broken cannot be had.
            None => self.scenario.is_plan() && now == before,
        };
        let is_before = match (before, now) {
            (None, None) => true,
            (Some(before), Some(now)) if before.is_whole() && now.status != "UPDATE_ROLLBACK_FAILED" => {
                now.is_whole()
                    && now.arn == before.arn
                    && now.topic == before.topic
                    && now.resources.keys().eq(before.resources.keys())
            }
            (Some(before), None) => !before.is_whole(),
            // It was stuck, and still is.
            (Some(before), Some(now)) if self.scenario == Scenario::StuckBefore => {
                now.arn == before.arn && now.status == "UPDATE_ROLLBACK_FAILED"
            }
            (Some(before), Some(now)) => now == before,
            (None, Some(_)) => false,
        };
        let completed = cause(told).contains("it was completed after all, and stays");
        let holds = match end {
            End::Success => is_wanted,
            End::Clean => is_before || (completed && is_wanted),
            End::Unrecorded => is_before || is_wanted || self.scenario == Scenario::Dirty,
            End::Dirty | End::Outside => true,
        };
        self.must(holds, "law 1", || {
            format!(
                "{} ({}), but the stack is {now:?} and was {before:?}",
                error(told),
                cause(told)
            )
        });
    }

    /// Law 2: nothing half-made.
    async fn nothing_left(&mut self, end: End, now: Option<&StackSeen>) {
        if !matches!(end, End::Success | End::Clean) {
            return;
        }
        let own = Marks::of(&self.told.arn);
        let left = self.world.change_sets(self.owner()).await;
        self.must(!left.iter().any(|name| name == own.change_set()), "law 2", || {
            "its change set is left".to_owned()
        });
        let before = self.prepared.before.as_ref().map(|before| before.arn.clone());
        let half = now.filter(|now| !now.is_whole() && Some(&now.arn) != before.as_ref());
        self.must(half.is_none(), "law 2", || {
            format!("a half-made stack is left: {half:?}")
        });
    }

    /// Laws 2 and 5: whose lock is left.
    async fn lock(&mut self, end: End) {
        let (told, prepared) = (self.told, self.prepared);
        let lock = self.world.lock(self.owner()).await;
        let is_own = lock.as_ref().is_some_and(|lock| lock["execution"] == told.arn);
        match end {
            End::Success | End::Clean => self.must(!is_own, "law 2", || format!("it still holds the lock: {lock:?}")),
            End::Dirty => {
                let reason = lock
                    .as_ref()
                    .and_then(|lock| lock.get("reason"))
                    .map_or("", String::as_str);
                let is_dirty = is_own && lock.as_ref().is_some_and(|lock| lock["dirty"] == "true");
                let says =
                    !reason.is_empty() && cause(told).starts_with(reason.split(" (release").next().unwrap_or_default());
                // There is nothing to mark where somebody removed the lock.
                let is_lost = self.scenario == Scenario::LockLost && lock.is_none();
                self.must(is_lost || (is_dirty && says), "law 2", || {
                    format!("it ended dirty ({}), and the lock is {lock:?}", cause(told))
                });
                self.alert();
            }
            End::Unrecorded => {
                // The lock store itself refuses, or Lambda, or at the very last the topic.
                let excused = self.strikes_to_the_end("release-lock")
                    && self
                        .strike
                        .is_some_and(|strike| strike.call.as_ref().is_none_or(|call| !call.action.starts_with("s3:")));
                self.must(excused, "law 2", || format!("nothing is recorded: {}", cause(told)));
                let has_run = self.strike.is_some_and(|strike| strike.call.is_some());
                if self.scenario == Scenario::Dirty && has_run {
                    self.alert();
                }
            }
            End::Outside => {}
        }
        if !is_own && let Some(lock) = &lock {
            let same = prepared.lock_before.as_ref() == Some(lock);
            self.must(same, "law 5", || {
                format!("another's lock was {:?} and is {lock:?}", prepared.lock_before)
            });
        }
        if self.scenario == Scenario::Held {
            self.must(lock == prepared.lock_before, "law 5", || {
                format!("the holder's lock is {lock:?}")
            });
        }
        let others = self.world.locks_of_others(self.owner()).await;
        let same = others == prepared.locks_of_others;
        self.must(same, "law 5", || {
            format!("locks of others were {:?} and are {others:?}", prepared.locks_of_others)
        });
    }

    /// Law 2: the team hears of a dirty end.
    fn alert(&mut self) {
        let published = self
            .told
            .calls
            .iter()
            .flat_map(|(_, calls)| calls)
            .any(|call| call.action == "sns:Publish" && call.fault.as_deref().is_none_or(Kind::takes_effect));
        let is_silenced = self.strike.is_some_and(Strike::silences);
        self.must(published || is_silenced, "law 2", || "nobody was alerted".to_owned());
    }

    /// The record tells the same end.
    async fn record(&mut self, end: End) {
        let told = self.told;
        let record = self.world.record(self.owner(), &told.release_id).await;
        let Some(record) = record else {
            let excused = told.run.path[1] != "Lock" && self.strike.is_some_and(leaves_no_record);
            self.must(excused, "the record", || {
                format!("there is none after {}: {}", error(told), cause(told))
            });
            return;
        };
        let wanted: &[&str] = match end {
            End::Success => &["SUCCESS"],
            End::Clean => &["FAILURE_CLEAN", "REFUSED"],
            End::Dirty => &["FAILURE_DIRTY"],
            End::Unrecorded => &["STARTED", "SUCCESS", "FAILURE_CLEAN", "FAILURE_DIRTY"],
            End::Outside => &[],
        };
        self.must(wanted.contains(&record["status"].as_str()), "the record", || {
            format!("says {} of {}: {}", record["status"], error(told), cause(told))
        });
        if matches!(end, End::Dirty | End::Clean) && record["status"] != "REFUSED" {
            let same = record.get("error").map(String::as_str) == Some(error(told))
                && record.get("cause").map(String::as_str) == Some(cause(told));
            self.must(same, "the record", || format!("tells another end: {record:?}"));
        }
    }

    /// Law 6, and whose: everything that the record points to is there, and nothing was written but for this release.
    async fn bucket(&mut self) {
        let (world, owner, release_id) = (self.world, self.owner(), &self.told.release_id);
        let misleading = world.misleading(owner, release_id).await;
        self.must(misleading.is_empty(), "law 6", || misleading.join("; "));
        let own = keys::own(owner, release_id, "");
        let written = world.written().await;
        let others = written.difference(&self.prepared.written);
        let others: Vec<&String> = others.filter(|key| !key.starts_with(&own)).collect();
        self.must(others.is_empty(), "law 6", || format!("it wrote {others:?}"));
    }

    /// What is deployed and what ended last are what the records say.
    async fn what_is_deployed(&mut self, when: &str) {
        let standing = self.world.standing(self.owner()).await;
        self.must(standing.agrees(), "what is deployed", || {
            format!("{when}: {standing:?}")
        });
    }

    /// Law 9.
    async fn nothing_whole_is_deleted(&mut self) {
        let Some(before) = self.prepared.before.as_ref().filter(|before| before.is_whole()) else {
            return;
        };
        let status = self.world.status_of(&before.arn).await;
        let is_deleted = status.as_ref().is_none_or(|status| status.starts_with("DELETE_"));
        self.must(!is_deleted, "law 9", || {
            format!("a stack that stood whole is {status:?}")
        });
    }

    /// Law 4: what passes, passes unnoticed.
    fn passes_unnoticed(&mut self) {
        let Some(strike) = self.strike.filter(|strike| strike.passes()) else {
            return;
        };
        // A success that cannot be read is believed where the answer says nothing anyway. Of S3 it is the headers that say
        // something: an answer without them is that of a bucket without versions.
        let is_s3 = strike.call.as_ref().is_some_and(|call| call.action.starts_with("s3:"));
        let is_believed = strike.kind == Kind::Garbage || (strike.kind == Kind::Garbled && is_s3);
        let (have, wanted) = (error(self.told), self.scenario.end());
        // What takes time may let a late deploy come to its end before anybody looks at the clock again; law 1 holds it to it.
        let is_overtaken =
            self.scenario.is_late() && have == "Success" && matches!(strike.kind, Kind::TimedOut | Kind::Slow);
        // Or it is over before the change set is executed.
        let is_too_late = self.scenario.is_late() && have == "FailureClean.TimeoutError";
        let is_excused = is_believed || is_overtaken || is_too_late;
        self.must(have == wanted || is_excused, "law 4", || {
            format!("what passed made {have} of {wanted}: {}", cause(self.told))
        });
    }

    /// With the faults gone, the next deploy succeeds, or is refused because the lock is dirty, or was to be marked as dirty,
    /// and then succeeds.
    async fn afterwards(&mut self) {
        let (world, owner) = (self.world, self.owner());
        let application = Scenario::mended(self.prepared);
        let mut release_id = format!("{}-after", self.told.release_id);
        let lock = world.lock(owner).await;
        let is_dirty = lock.as_ref().is_some_and(|lock| lock["dirty"] == "true");
        let is_unmarked = lock.is_some() && End::of(self.told) == End::Unrecorded;
        if is_dirty || is_unmarked || self.scenario == Scenario::Held {
            let told = world.deploy(&application, &release_id).await;
            self.must(error(&told) == "FailureClean.LockExistsError", "afterwards", || {
                format!(
                    "a lock {lock:?} is there, and the next deploy ends {}: {}",
                    error(&told),
                    cause(&told)
                )
            });
            world.remove_lock(owner).await;
            release_id.push_str("-2");
            // As an operator does before he unlocks.
            world.settled(owner).await;
        }
        let told = world.deploy(&application, &release_id).await;
        let stack = world.stack(owner).await;
        let is_there = stack
            .as_ref()
            .is_some_and(|stack| stack.is_whole() && stack.topic.as_deref() == Some("after"));
        self.must(told.run.outcome.is_ok() && is_there, "afterwards", || {
            format!(
                "the next deploy ends {} ({}) with {stack:?}",
                error(&told),
                cause(&told)
            )
        });
        self.what_is_deployed("after the next deploy").await;
        world.remove_lock(owner).await;
    }
}

/// Whether Validate can write nothing down, nor can `RecordBreakdown`, which is the same function: it is killed each time
/// before it does anything; the table of the records refuses; or what goes before the proof cannot be read, and without
/// the proof nothing may be written into an owner's history.
fn leaves_no_record(strike: &Strike) -> bool {
    let always = strike.tenacity == Tenacity::Machine;
    // A text that S3 gives is believed to be the object: another than the one that was started.
    let is_believed = matches!(strike.kind, Kind::Garbage | Kind::Garbled);
    let of_call = |call: &Call| match (call.action.as_str(), call.nth) {
        ("s3:GetObject", 0) => always || is_believed,
        ("dynamodb:GetItem", 0) => always,
        ("dynamodb:PutItem", _) => always && strike.kind != Kind::Lost,
        _ => false,
    };
    let of_step = || always && strike.kind == Kind::KilledBefore;
    strike.step == "validate" && strike.call.as_ref().map_or_else(of_step, of_call)
}
