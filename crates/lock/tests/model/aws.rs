//! What the steps meet: a stack and its change sets, as CloudFormation treats them. It knows no fencing token: whoever
//! has the right may call at any time, and each call is one atomic act.

use fenrir_stacks::Status;

/// One of the two executions.
pub type Exec = usize;

/// How a change set stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeSet {
    Pending,
    Available,
    Refused,
    NoChanges,
    Executed,
    Obsolete,
}

/// A stack. Its id stands for its ARN: a stack of the same name made later is another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stack {
    pub id: u8,
    pub status: Status,
    /// Who made it, of the two.
    pub made_by: Option<Exec>,
    /// Whose change set created it, of the two.
    pub created_by: Option<Exec>,
    /// Whose token the operation carries that is, or was last, at work.
    pub last: Option<Exec>,
    /// The rollback of that operation was gone on with.
    pub recovered: bool,
    /// The newest status that each one's own change set gave it: what its events show by the token.
    pub outcomes: [Option<Status>; 2],
    /// Its events show that it once stood whole.
    pub whole: bool,
    /// Whose template it was brought to.
    pub shows: Option<Exec>,
    /// By name: the name tells whose it is.
    pub change_sets: [Option<ChangeSet>; 2],
}

impl Stack {
    pub const fn new(id: u8, status: Status, made_by: Option<Exec>) -> Self {
        Self {
            id,
            status,
            made_by,
            created_by: None,
            last: None,
            recovered: false,
            outcomes: [None; 2],
            whole: matches!(status, Status::CreateComplete),
            shows: None,
            change_sets: [None; 2],
        }
    }

    /// `ExecuteChangeSet`, by ARNs. Whether it began.
    pub fn execute(&mut self, by: Exec) -> bool {
        let status = match self.status {
            Status::ReviewInProgress => Status::CreateInProgress,
            status if is_updatable(status) => Status::UpdateInProgress,
            _ => return false,
        };
        if self.change_sets[by] != Some(ChangeSet::Available) {
            return false;
        }
        for change_set in self.change_sets.iter_mut().flatten() {
            *change_set = ChangeSet::Obsolete;
        }
        self.change_sets[by] = Some(ChangeSet::Executed);
        if status == Status::CreateInProgress {
            self.created_by = Some(by);
        }
        self.last = Some(by);
        self.recovered = false;
        // Another operation begins: the one before has its outcome.
        self.outcomes[by] = Some(status);
        self.status = status;
        true
    }

    /// `CancelUpdateStack`. Whether it did anything.
    pub fn cancel(&mut self) -> bool {
        let may = self.status == Status::UpdateInProgress;
        if may {
            self.goes_to(Status::UpdateRollbackInProgress);
        }
        may
    }

    /// `DeleteStack`, by ARN. Whether it began.
    pub fn delete(&mut self, by: Exec) -> bool {
        if self.status == Status::DeleteInProgress {
            return false;
        }
        self.status = Status::DeleteInProgress;
        self.last = Some(by);
        true
    }

    /// `ContinueUpdateRollback`. Whether it did anything.
    pub fn continue_rollback(&mut self) -> bool {
        let may = self.status == Status::UpdateRollbackFailed;
        if may {
            self.goes_to(Status::UpdateRollbackInProgress);
            self.recovered = true;
        }
        may
    }

    /// Whether this change set waits to be executed on a stack that others may update.
    pub fn is_updatable_with(&self, change_set: Exec) -> bool {
        is_updatable(self.status) && self.change_sets[change_set] == Some(ChangeSet::Available)
    }

    /// Somebody else executes a change set of his own, which leaves the stack as whole as it was.
    pub fn outdate(&mut self, change_set: Exec) {
        self.change_sets[change_set] = Some(ChangeSet::Obsolete);
    }

    /// `DeleteChangeSet`; `false` while it is being made, or once it is executed.
    pub fn delete_change_set(&mut self, of: Exec) -> bool {
        if matches!(self.change_sets[of], Some(ChangeSet::Pending | ChangeSet::Executed)) {
            return false;
        }
        self.change_sets[of] = None;
        true
    }

    /// What CloudFormation may do next by itself; a stack that goes to `Absent` is gone.
    pub fn next(&self) -> &'static [Status] {
        match self.status {
            Status::CreateInProgress => &[Status::CreateComplete, Status::RollbackInProgress],
            Status::RollbackInProgress => &[Status::RollbackComplete],
            Status::UpdateInProgress => &[Status::UpdateComplete, Status::UpdateRollbackInProgress],
            Status::UpdateRollbackInProgress => &[Status::UpdateRollbackComplete, Status::UpdateRollbackFailed],
            // In a stack that was only under review there is nothing that could stay.
            Status::DeleteInProgress if self.made_by.is_some() && self.created_by.is_none() => &[Status::Absent],
            Status::DeleteInProgress => &[Status::Absent, Status::DeleteFailed],
            _ => &[],
        }
    }

    /// The operation at work gives the stack this status.
    pub fn goes_to(&mut self, status: Status) {
        let is_deletion = self.status == Status::DeleteInProgress;
        self.status = status;
        self.whole |= status.proves_completion();
        if let Some(by) = self.last.filter(|_| !is_deletion) {
            self.outcomes[by] = Some(status);
            if matches!(status, Status::CreateComplete | Status::UpdateComplete) {
                self.shows = Some(by);
            }
        }
    }
}

/// Whether CloudFormation takes a change set that updates. Source: CloudFormation User Guide, "Stack status codes".
pub const fn is_updatable(status: Status) -> bool {
    matches!(
        status,
        Status::CreateComplete | Status::UpdateComplete | Status::UpdateRollbackComplete
    )
}
