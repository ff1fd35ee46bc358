//! What all lanes share: where deliveries lie, where outcomes go, and what is known of both.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event::{Attempt, topic};
use ledger::Queue;
use stream::{Delivery, Outgoing, Producer};

use super::attempt::Tried;
use super::board::{Depot, Lot};
use super::finished::Finished;

pub(super) struct Desk {
    depots: Vec<Depot>,
    producer: Producer,
    finished: Mutex<Finished>,
    doubt: Mutex<Option<Doubt>>,
    unrecorded: Mutex<HashMap<String, Unrecorded>>,
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

impl Desk {
    pub(super) fn new(depots: Vec<Depot>, producer: Producer) -> Self {
        Self { depots, producer, finished: Mutex::default(), doubt: Mutex::default(), unrecorded: Mutex::default() }
    }

    /// The current session of every depot's assignment.
    pub(super) fn sessions(&self) -> Vec<u64> {
        self.depots.iter().map(|depot| depot.assignment.session()).collect()
    }

    /// Every partition of every depot that this process owns.
    pub(super) fn lots(&self) -> Vec<Lot> {
        let of_depot = |(depot, stored): (usize, &Depot)| {
            stored
                .assignment
                .partitions()
                .into_iter()
                .map(move |partition| Lot { depot, partition })
                .collect::<Vec<_>>()
        };
        self.depots.iter().enumerate().flat_map(of_depot).collect()
    }

    /// The partition numbers among them: those of `postbacks` are the same.
    pub(super) fn partitions(&self) -> Vec<i32> {
        self.lots().into_iter().map(|lot| lot.partition).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn queue(&self, lot: Lot) -> &Queue {
        &self.depots[lot.depot].queue
    }

    pub(super) fn is_finished(&self, id: &str) -> bool {
        lock(&self.finished).contains(id)
    }

    pub(super) fn remember(&self, id: &str) {
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

    pub(super) fn keep(&self, id: &str, unrecorded: Unrecorded) {
        let mut kept = lock(&self.unrecorded);
        if kept.len() < MOST_UNRECORDED {
            kept.insert(id.to_owned(), unrecorded);
        }
    }

    pub(super) fn take_unrecorded(&self, id: &str) -> Option<Unrecorded> {
        lock(&self.unrecorded).remove(id)
    }

    pub(super) fn take_doubt(&self) -> Option<Doubt> {
        lock(&self.doubt).take()
    }

    /// Publishes an attempt beside its source record's partition number. Only `Ok` means that Kafka has it.
    pub(super) async fn publish(&self, lot: Lot, src: &str, attempt: &Attempt<'_>) -> Result<(), String> {
        let payload = serde_json::to_vec(attempt).map_err(|error| error.to_string())?;
        let record = Outgoing::to(topic::POSTBACKS, payload)
            .partition(lot.partition)
            .key(attempt.delivery_id.as_bytes())
            .header("ce_id", format!("{}-{}", attempt.delivery_id, attempt.attempt))
            .header("ce_type", "attributary.postbacks.attempt")
            .header("ce_source", format!("/apps/{}", attempt.app_id))
            .header("ce_specversion", "1.0")
            .header("src", src);
        match self.producer.send(vec![record]).await.pop() {
            Some(Delivery::Stored { .. }) => Ok(()),
            Some(Delivery::Refused(reason) | Delivery::TooLarge(reason) | Delivery::Unknown(reason)) => Err(reason),
            None => Err("no answer".to_owned()),
        }
    }

    /// Waits for records on their way; answers how many are still unsent.
    pub(super) fn flush(&self, within: Duration) -> usize {
        self.producer.flush(within)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
