//! What all lanes share: where deliveries lie, where outcomes go, and what is known of both.

use std::collections::BTreeSet;
use std::time::Duration;

use event::{Attempt, topic};
use ledger::Queue;
use stream::{Delivery, Outgoing, Producer};

use super::board::{Depot, Lot};
use super::memory::Memory;

pub(super) struct Desk {
    depots: Vec<Depot>,
    producer: Producer,
    pub(super) memory: Memory,
}

impl Desk {
    pub(super) fn new(depots: Vec<Depot>, producer: Producer) -> Self {
        Self { depots, producer, memory: Memory::default() }
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
