//! What may be worked on: which deliveries lie where, told to every lane at every tick.

use std::collections::HashMap;

use ledger::Queue;
use stream::Assignment;

/// The deliveries that one stage scheduled.
pub(crate) struct Depot {
    pub(crate) queue: Queue,
    /// The partitions that this process owns.
    pub(crate) assignment: Assignment,
}

/// One partition of a depot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lot {
    pub(super) depot: usize,
    pub(super) partition: i32,
}

/// The default is closed: nothing may be worked on.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// The assignments that this was written for, depot by depot: in another session it is void.
    pub(super) sessions: Vec<u64>,
    pub(super) by_endpoint: HashMap<String, Vec<Lot>>,
    pub(super) known: Known,
}

/// From when to when outcomes were recorded that are known, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) since: i64,
    pub(super) until: i64,
}

impl Board {
    pub(super) fn is_open(&self) -> bool {
        !self.sessions.is_empty()
    }
}
