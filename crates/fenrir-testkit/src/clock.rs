//! A clock that a test puts forward.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use time::OffsetDateTime;

/// A clock that stands still until it is put forward. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Mutex<OffsetDateTime>>);

impl Clock {
    /// A clock that shows `at`.
    pub fn at(at: OffsetDateTime) -> Self {
        Self(Arc::new(Mutex::new(at)))
    }

    /// What it shows.
    pub fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }

    /// Puts it forward.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}
