//! Every status a stack can have, and what each step makes of it: the whole judgement of the machine over a stack, as
//! one table. `docs/states.md` is written from it.
//!
//! Source of the list: CloudFormation API Reference, `Stack`, `StackStatus`; of the meanings: CloudFormation User
//! Guide, "Stack status codes".

use std::fmt;

/// What `DescribeStacks` says of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// There is no such stack.
    Absent,
    /// `REVIEW_IN_PROGRESS`.
    ReviewInProgress,
    /// `CREATE_IN_PROGRESS`.
    CreateInProgress,
    /// `CREATE_COMPLETE`.
    CreateComplete,
    /// `CREATE_FAILED`.
    CreateFailed,
    /// `ROLLBACK_IN_PROGRESS`.
    RollbackInProgress,
    /// `ROLLBACK_COMPLETE`.
    RollbackComplete,
    /// `ROLLBACK_FAILED`.
    RollbackFailed,
    /// `UPDATE_IN_PROGRESS`.
    UpdateInProgress,
    /// `UPDATE_COMPLETE_CLEANUP_IN_PROGRESS`.
    UpdateCompleteCleanupInProgress,
    /// `UPDATE_COMPLETE`.
    UpdateComplete,
    /// `UPDATE_FAILED`.
    UpdateFailed,
    /// `UPDATE_ROLLBACK_IN_PROGRESS`.
    UpdateRollbackInProgress,
    /// `UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS`.
    UpdateRollbackCompleteCleanupInProgress,
    /// `UPDATE_ROLLBACK_COMPLETE`.
    UpdateRollbackComplete,
    /// `UPDATE_ROLLBACK_FAILED`.
    UpdateRollbackFailed,
    /// `DELETE_IN_PROGRESS`.
    DeleteInProgress,
    /// `DELETE_COMPLETE`: seen only when asked for by ARN.
    DeleteComplete,
    /// `DELETE_FAILED`.
    DeleteFailed,
    /// `IMPORT_IN_PROGRESS`.
    ImportInProgress,
    /// `IMPORT_COMPLETE`.
    ImportComplete,
    /// `IMPORT_ROLLBACK_IN_PROGRESS`.
    ImportRollbackInProgress,
    /// `IMPORT_ROLLBACK_COMPLETE`.
    ImportRollbackComplete,
    /// `IMPORT_ROLLBACK_FAILED`.
    ImportRollbackFailed,
    /// A status younger than Fenrir. Nothing is done to such a stack.
    Unknown,
}

/// What `Lock` makes of the lock of an execution that has ended, was not dirty, and of which no step can still run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// An operation is under way: the lock stays.
    Never,
    /// It is taken over, unless the execution was at work on the stack: what it left only a person can mend.
    OfTheUninvolved,
    /// It is taken over.
    Always,
}

/// What `CreateChangeSet` does about a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepare {
    /// A change set that creates the stack.
    Create,
    /// A change set that updates it.
    Update,
    /// It never completed (its events must say so): it is deleted, then created anew.
    Replace,
    /// Its rollback is gone on with, once; then a change set that updates it.
    Recover,
    /// Somebody is at it: refused.
    Busy,
    /// Refused; a person must bring it back first.
    Refuse,
}

/// What `WaitExecute` concludes: of the stack, and, being the newest status that our own operation brought about, of
/// the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclude {
    /// Not yet at an end.
    Wait,
    /// The wanted state.
    Succeeded,
    /// Failed and rolled back, or never completed: what is left is for `CleanUp`.
    RolledBack,
    /// Failed, and CloudFormation could not roll back.
    Stuck,
    /// The stack was deleted underneath us.
    Gone,
    /// Nothing that an executed change set of ours leads to.
    Foreign,
}

/// What `CleanUp` does about a stack at which this execution was at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tidy {
    /// Nothing half-made is left.
    Clean,
    /// If this execution made it, it is deleted: it never completed. Otherwise nothing of ours is in it.
    DeleteOwn,
    /// Our own operation is waited for; somebody else's is left alone.
    Await,
    /// Our own update is cancelled and its rollback waited for; somebody else's is left alone.
    Cancel,
    /// The rollback of our own update is gone on with, once; then, and of somebody else's, a person must look.
    Recover,
    /// A person must look.
    Dirty,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The status.
    pub status: Status,
    /// As CloudFormation spells it.
    pub name: &'static str,
    /// An operation is under way.
    pub in_progress: bool,
    /// What `CreateChangeSet` does.
    pub prepare: Prepare,
    /// What `WaitExecute` concludes.
    pub conclude: Conclude,
    /// What `CleanUp` does.
    pub tidy: Tidy,
    /// What a person can do where Fenrir refuses or gives up.
    pub advice: &'static str,
}

const WAIT: &str = "wait until CloudFormation is done, then run `fenrir deploy` again";
const BY_HAND: &str = "look at the stack's events in the CloudFormation console";

const fn row(
    status: Status,
    name: &'static str,
    prepare: Prepare,
    conclude: Conclude,
    tidy: Tidy,
    advice: &'static str,
) -> Row {
    Row {
        status,
        name,
        in_progress: matches!(prepare, Prepare::Busy),
        prepare,
        conclude,
        tidy,
        advice,
    }
}

/// The table. A stack in progress is busy for `CreateChangeSet`, whoever is at it: this execution holds the lock and
/// has not begun, so it is somebody else (the one exception, a deletion of its own, is told apart by its token).
pub const TABLE: [Row; 25] = {
    use Conclude as C;
    use Prepare as P;
    use Status as S;
    use Tidy as T;
    [
        row(S::Absent, "no such stack", P::Create, C::Gone, T::Clean, ""),
        row(
            S::ReviewInProgress,
            "REVIEW_IN_PROGRESS",
            P::Replace,
            C::Foreign,
            T::DeleteOwn,
            "",
        ),
        row(
            S::CreateInProgress,
            "CREATE_IN_PROGRESS",
            P::Busy,
            C::Wait,
            T::DeleteOwn,
            WAIT,
        ),
        row(
            S::CreateComplete,
            "CREATE_COMPLETE",
            P::Update,
            C::Succeeded,
            T::Clean,
            "",
        ),
        row(
            S::CreateFailed,
            "CREATE_FAILED",
            P::Replace,
            C::RolledBack,
            T::DeleteOwn,
            "",
        ),
        row(
            S::RollbackInProgress,
            "ROLLBACK_IN_PROGRESS",
            P::Busy,
            C::Wait,
            T::Await,
            WAIT,
        ),
        row(
            S::RollbackComplete,
            "ROLLBACK_COMPLETE",
            P::Replace,
            C::RolledBack,
            T::DeleteOwn,
            "",
        ),
        row(
            S::RollbackFailed,
            "ROLLBACK_FAILED",
            P::Replace,
            C::RolledBack,
            T::DeleteOwn,
            "",
        ),
        row(
            S::UpdateInProgress,
            "UPDATE_IN_PROGRESS",
            P::Busy,
            C::Wait,
            T::Cancel,
            WAIT,
        ),
        row(
            S::UpdateCompleteCleanupInProgress,
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            P::Busy,
            C::Wait,
            T::Await,
            WAIT,
        ),
        row(
            S::UpdateComplete,
            "UPDATE_COMPLETE",
            P::Update,
            C::Succeeded,
            T::Clean,
            "",
        ),
        row(
            S::UpdateFailed,
            "UPDATE_FAILED",
            P::Refuse,
            C::Stuck,
            T::Dirty,
            "roll the stack back (`aws cloudformation rollback-stack`), then run `fenrir deploy` again",
        ),
        row(
            S::UpdateRollbackInProgress,
            "UPDATE_ROLLBACK_IN_PROGRESS",
            P::Busy,
            C::Wait,
            T::Await,
            WAIT,
        ),
        row(
            S::UpdateRollbackCompleteCleanupInProgress,
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            P::Busy,
            C::Wait,
            T::Await,
            WAIT,
        ),
        row(
            S::UpdateRollbackComplete,
            "UPDATE_ROLLBACK_COMPLETE",
            P::Update,
            C::RolledBack,
            T::Clean,
            "",
        ),
        row(
            S::UpdateRollbackFailed,
            "UPDATE_ROLLBACK_FAILED",
            P::Recover,
            C::Stuck,
            T::Recover,
            "mend what its events name, run `aws cloudformation continue-update-rollback`, then run `fenrir deploy` again",
        ),
        row(
            S::DeleteInProgress,
            "DELETE_IN_PROGRESS",
            P::Busy,
            C::Wait,
            T::Await,
            WAIT,
        ),
        row(S::DeleteComplete, "DELETE_COMPLETE", P::Create, C::Gone, T::Clean, ""),
        row(
            S::DeleteFailed,
            "DELETE_FAILED",
            P::Refuse,
            C::Stuck,
            T::Dirty,
            "mend what its events name and delete the stack again, then run `fenrir deploy` again",
        ),
        row(
            S::ImportInProgress,
            "IMPORT_IN_PROGRESS",
            P::Busy,
            C::Wait,
            T::Await,
            WAIT,
        ),
        row(
            S::ImportComplete,
            "IMPORT_COMPLETE",
            P::Update,
            C::Foreign,
            T::Clean,
            "",
        ),
        row(
            S::ImportRollbackInProgress,
            "IMPORT_ROLLBACK_IN_PROGRESS",
            P::Busy,
            C::Wait,
            T::Await,
            WAIT,
        ),
        row(
            S::ImportRollbackComplete,
            "IMPORT_ROLLBACK_COMPLETE",
            P::Update,
            C::Foreign,
            T::Clean,
            "",
        ),
        row(
            S::ImportRollbackFailed,
            "IMPORT_ROLLBACK_FAILED",
            P::Refuse,
            C::Stuck,
            T::Dirty,
            BY_HAND,
        ),
        row(S::Unknown, "any other", P::Refuse, C::Wait, T::Dirty, BY_HAND),
    ]
};

impl Status {
    /// The status that CloudFormation spells so.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        TABLE
            .iter()
            .find(|row| row.name == name)
            .map_or(Self::Unknown, |row| row.status)
    }

    /// Its line of the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        const UNKNOWN: Row = row(
            Status::Unknown,
            "any other",
            Prepare::Refuse,
            Conclude::Wait,
            Tidy::Dirty,
            BY_HAND,
        );
        TABLE.iter().find(|row| row.status == self).unwrap_or(&UNKNOWN)
    }

    /// Whether an operation is under way. A lock is never taken over then, and a status that nobody knows counts.
    #[must_use]
    pub fn in_progress(self) -> bool {
        self.row().in_progress || self == Self::Unknown
    }

    /// Whether a lock is taken over.
    #[must_use]
    pub fn takeover(self) -> Takeover {
        let row = self.row();
        if self.in_progress() {
            Takeover::Never
        } else if row.conclude == Conclude::Stuck && row.prepare != Prepare::Recover {
            Takeover::OfTheUninvolved
        } else {
            // A rollback that failed the next deploy goes on with by itself.
            Takeover::Always
        }
    }

    /// Whether a stack that has an event of this status once stood whole: such a stack is never deleted.
    #[must_use]
    pub const fn proves_completion(self) -> bool {
        matches!(
            self,
            Self::CreateComplete
                | Self::UpdateInProgress
                | Self::UpdateCompleteCleanupInProgress
                | Self::UpdateComplete
                | Self::UpdateFailed
                | Self::UpdateRollbackInProgress
                | Self::UpdateRollbackCompleteCleanupInProgress
                | Self::UpdateRollbackComplete
                | Self::UpdateRollbackFailed
                | Self::ImportComplete
                | Self::ImportInProgress
                | Self::ImportRollbackInProgress
                | Self::ImportRollbackComplete
                | Self::ImportRollbackFailed
        )
    }

    /// Whether a stack's history begins with an event of this status.
    #[must_use]
    pub const fn is_birth(self) -> bool {
        matches!(self, Self::ReviewInProgress | Self::CreateInProgress)
    }

    /// Whether an event of this status begins an operation.
    #[must_use]
    pub const fn is_start(self) -> bool {
        matches!(
            self,
            Self::CreateInProgress | Self::UpdateInProgress | Self::DeleteInProgress | Self::ImportInProgress
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}

/// The text of `docs/states.md`.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# What each step makes of a stack's status\n\n\
         Written from `crates/fenrir-stacks/src/status.rs` (`FENRIR_BLESS=1 cargo test -p fenrir-stacks states_document` \
         writes it anew). The steps decide by this very table.\n\n\
         Lock takes a lock over only from an execution that has ended, was not dirty and left nothing for a person, when \
         none of its steps can still run, and only where the stack is not in progress (`crates/lock/tests/takeover.rs` \
         holds it to the table). WaitChangeSet and Execute read the change set, \
         not the stack. WaitExecute waits while the stack is in progress; then the newest status that its **own** \
         operation brought about decides, known by the operation's token in the stack's events, so that a stack which \
         stood at `UPDATE_COMPLETE` before is no success. CleanUp looks at the stack only where this execution was at \
         work on it. Somebody else's operation it leaves alone on a stack that stood before; on a stack that this execution \
         made it awaits the end, and what that left half-made is dirty. A stack that stands whole by this execution's own \
         doing is a success, however late.\n\n\
         To replace is to delete and to create anew. It takes the release's own tags (a stack under review has none \
         yet: there the generated name and no resource at all), and events that reach back to the stack's birth and \
         show that it never stood whole. Otherwise CreateChangeSet refuses. To go on with a rollback is \
         `ContinueUpdateRollback` that skips nothing; where it fails again, CreateChangeSet refuses too. A \
         plan does neither: it is refused, and says what a deploy would do first.\n\n\
         Change sets that an earlier deploy left are removed. The deploy's own one, when another change set outdated it, is \
         made anew once.\n\n\
         | status | Lock | CreateChangeSet | WaitExecute | CleanUp | what a person can do |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in &TABLE {
        let name = if row.name.bytes().any(|b| b.is_ascii_lowercase()) {
            row.name.to_owned()
        } else {
            format!("`{}`", row.name)
        };
        let cells = [
            name.as_str(),
            row.status.takeover().describe(),
            row.prepare.describe(),
            row.conclude.describe(),
            row.tidy.describe(),
            row.advice,
        ];
        text.extend(["| ", &cells.join(" | "), " |\n"]);
    }
    text
}

impl Takeover {
    const fn describe(self) -> &'static str {
        match self {
            Self::Never => "no takeover",
            Self::OfTheUninvolved => "takeover, unless its execution was at work on the stack",
            Self::Always => "takeover",
        }
    }
}

impl Prepare {
    const fn describe(self) -> &'static str {
        match self {
            Self::Create => "creates the stack",
            Self::Update => "updates the stack, if its tags are the release's",
            Self::Replace => "replaces it, if it never completed",
            Self::Recover => "goes on with the rollback and updates the stack, if its tags are the release's",
            Self::Busy => "refuses: somebody is at it",
            Self::Refuse => "refuses",
        }
    }
}

impl Conclude {
    const fn describe(self) -> &'static str {
        match self {
            Self::Wait => "waits",
            Self::Succeeded => "success",
            Self::RolledBack => "failure",
            Self::Stuck => "failure that could not be rolled back",
            Self::Gone => "failure: the stack was deleted underneath",
            Self::Foreign => "failure: the change set was not executed",
        }
    }
}

impl Tidy {
    const fn describe(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::DeleteOwn => "deletes the stack, if this execution made it",
            Self::Await => "waits for its own operation",
            Self::Cancel => "cancels its own update and waits for the rollback",
            Self::Recover => "goes on with its own rollback, once; then dirty",
            Self::Dirty => "dirty",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use aws_sdk_cloudformation::types::StackStatus;

    use super::*;

    #[test]
    fn every_status_of_the_api_has_its_own_row() {
        for name in StackStatus::values() {
            let status = Status::parse(name);
            assert_ne!(status, Status::Unknown, "{name}");
            assert_eq!(status.row().name, *name);
        }
        assert_eq!(
            TABLE.len(),
            StackStatus::values().len() + 2,
            "the API's, and absent and unknown"
        );
    }

    #[test]
    fn what_is_in_progress_by_name_is_in_progress_by_the_table() {
        for row in &TABLE {
            let by_name = row.name.ends_with("_IN_PROGRESS") && row.status != Status::ReviewInProgress;
            assert_eq!(row.in_progress, by_name, "{}", row.name);
            assert_eq!(
                row.conclude == Conclude::Wait,
                by_name || row.status == Status::Unknown,
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn only_the_four_of_law_nine_are_replaced_and_they_prove_no_completion() {
        let replaced: Vec<_> = TABLE
            .iter()
            .filter(|r| r.prepare == Prepare::Replace)
            .map(|r| r.status)
            .collect();
        assert_eq!(
            replaced,
            [
                Status::ReviewInProgress,
                Status::CreateFailed,
                Status::RollbackComplete,
                Status::RollbackFailed
            ]
        );
        for row in &TABLE {
            let deleted = row.prepare == Prepare::Replace || row.tidy == Tidy::DeleteOwn;
            assert!(!(deleted && row.status.proves_completion()), "{}", row.name);
        }
    }

    #[test]
    fn success_is_said_of_two_statuses_only() {
        let good: Vec<_> = TABLE
            .iter()
            .filter(|r| r.conclude == Conclude::Succeeded)
            .map(|r| r.status)
            .collect();
        assert_eq!(good, [Status::CreateComplete, Status::UpdateComplete]);
    }

    #[test]
    fn wherever_a_step_refuses_or_gives_up_there_is_advice() {
        for row in &TABLE {
            if matches!(row.prepare, Prepare::Refuse | Prepare::Busy | Prepare::Recover) || row.tidy == Tidy::Dirty {
                assert!(!row.advice.is_empty(), "{}", row.name);
            }
        }
    }

    #[test]
    fn states_document_is_written_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/states.md");
        if std::env::var_os("FENRIR_BLESS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap_or_default(),
            document(),
            "FENRIR_BLESS=1 writes it anew"
        );
    }
}
