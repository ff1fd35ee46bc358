//! What this process knows of deliveries beyond what Redis says.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::attempt::Tried;
use super::finished::Finished;

#[derive(Default)]
pub(super) struct Memory {
    finished: Mutex<Finished>,
    doubt: Mutex<Option<Doubt>>,
    unrecorded: Mutex<HashMap<String, Unrecorded>>,
    at_work: Mutex<HashSet<String>>,
}

/// An answer that Kafka did not acknowledge, with the number of its attempt: when the lease brings the delivery back to
/// this process, it is recorded without asking the endpoint again.
pub(super) struct Unrecorded {
    pub(super) attempt: u32,
    pub(super) tried: Tried,
}

/// More than this would be an outage so long that repeating is the lesser evil.
const MOST_UNRECORDED: usize = 100_000;

/// What has been delivered is not known well enough: nothing more is taken before the log was read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// How far back it must be read, in milliseconds, where minutes do not do.
    pub(super) since: Option<i64>,
}

impl Memory {
    pub(super) fn is_finished(&self, id: &str) -> bool {
        lock(&self.finished).contains(id)
    }

    /// A delivery has come to its end: an answer that was kept has nothing to add.
    pub(super) fn remember(&self, id: &str) {
        lock(&self.unrecorded).remove(id);
        lock(&self.finished).remember(id);
    }

    pub(super) fn relearn(&self, looked_back: HashSet<u128>) {
        lock(&self.finished).relearn(looked_back);
    }

    pub(super) fn raise(&self, doubt: Doubt) {
        let mut raised = lock(&self.doubt);
        let since = [raised.and_then(|raised| raised.since), doubt.since].into_iter().flatten().min();
        *raised = Some(Doubt { since });
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        lock(&self.doubt).is_some()
    }

    pub(super) fn take_doubt(&self) -> Option<Doubt> {
        lock(&self.doubt).take()
    }

    pub(super) fn keep(&self, id: &str, unrecorded: Unrecorded) {
        let mut kept = lock(&self.unrecorded);
        if kept.len() < MOST_UNRECORDED {
            kept.insert(id.to_owned(), unrecorded);
        }
    }

    pub(super) fn has_unrecorded(&self, id: &str) -> bool {
        lock(&self.unrecorded).contains_key(id)
    }

    pub(super) fn take_unrecorded(&self, id: &str) -> Option<Unrecorded> {
        lock(&self.unrecorded).remove(id)
    }

    /// Takes up a delivery; says no while it is under way already: where Redis goes back, it hands out again what was
    /// claimed a moment ago.
    pub(super) fn take_up(&self, id: &str) -> bool {
        lock(&self.at_work).insert(id.to_owned())
    }

    pub(super) fn put_down(&self, id: &str) {
        lock(&self.at_work).remove(id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
