//! What a stage owns right now, for whoever works beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Offset;

/// A cheap handle on a stage's partitions and stored positions.
#[derive(Clone, Default)]
pub struct Assignment(Arc<Mutex<Owned>>);

#[derive(Default)]
struct Owned {
    session: u64,
    partitions: Vec<i32>,
    positions: BTreeMap<i32, Offset>,
}

impl Assignment {
    pub fn partitions(&self) -> Vec<i32> {
        self.lock().partitions.clone()
    }

    /// Changes at every assignment and every recovery.
    pub fn session(&self) -> u64 {
        self.lock().session
    }

    /// The stored position of a partition that is being read.
    pub fn position(&self, partition: i32) -> Option<Offset> {
        self.lock().positions.get(&partition).copied()
    }

    pub(crate) fn set(&self, partitions: Vec<i32>) {
        let mut owned = self.lock();
        *owned = Owned { session: owned.session + 1, partitions, positions: BTreeMap::new() };
    }

    pub(crate) fn moved_to(&self, positions: &BTreeMap<i32, Offset>) {
        self.lock().positions.clone_from(positions);
    }

    fn lock(&self) -> MutexGuard<'_, Owned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
