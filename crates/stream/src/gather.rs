//! Records until the limits of a step are reached, as one batch per partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use rdkafka::Offset as KafkaOffset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::rebalance::Rebalance;
use crate::unripe::Unripe;
use crate::{Batch, BatchLimits, Message, Offset, Partition, Result};

/// One step's records, whatever their number: what a step may hold in memory.
const MOST_BYTES: usize = 64 << 20;
/// Records between two looks at the clock while they keep coming: a look costs as much as a tenth of a record.
const LOOK_EVERY: usize = 64;

/// One step's batches, while they grow.
pub(crate) struct Gather<'a, 'poll> {
    limits: &'a BatchLimits,
    topic: &'a Arc<str>,
    session: u64,
    positions: &'a BTreeMap<i32, Offset>,
    batches: HashMap<i32, Batch<'poll>>,
    records: usize,
    bytes: usize,
}

impl<'a, 'poll> Gather<'a, 'poll> {
    pub(crate) fn new(
        limits: &'a BatchLimits,
        topic: &'a Arc<str>,
        session: u64,
        positions: &'a BTreeMap<i32, Offset>,
    ) -> Self {
        Self { limits, topic, session, positions, batches: HashMap::new(), records: 0, bytes: 0 }
    }

    /// Polls until the limits are reached. A change of assignment drops everything gathered so far.
    pub(crate) fn poll(
        mut self,
        consumer: &'poll BaseConsumer<Rebalance>,
        unripe: &mut Unripe,
    ) -> Result<Vec<Batch<'poll>>> {
        let started = Instant::now();
        let deadline = started + self.limits.max_wait;
        for message in unripe.ripe(self.limits.max_records, started) {
            self.add(Message::Owned(message));
        }
        let (mut patience, mut polls) = (Duration::ZERO, 0);
        // Once at least, whatever there is: a change of assignment is told in a poll.
        while !consumer.context().is_pending() {
            let polled = consumer.poll(patience);
            (patience, polls) = (Duration::ZERO, polls + 1);
            let idle = polled.is_none();
            match polled {
                Some(Ok(message)) => {
                    if let Some(message) = unripe.pass(message) {
                        self.add(Message::Borrowed(message));
                    }
                }
                Some(Err(error)) if is_transport(&error) => {
                    metrics::counter!("kafka_transport_errors_total").increment(1);
                }
                Some(Err(error)) => return Err(error.into()),
                None => {}
            }
            if !self.has_room() {
                break;
            }
            if let Some(until) = unripe.full_until() {
                if self.records == 0 {
                    std::thread::sleep(until.min(deadline).saturating_duration_since(Instant::now()));
                }
                break;
            }
            if idle || polls % LOOK_EVERY == 0 {
                let remaining = deadline.saturating_duration_since(Instant::now());
                if remaining.is_zero() {
                    break;
                }
                if idle {
                    patience = remaining;
                }
            }
        }
        if consumer.context().is_pending() {
            return Ok(Vec::new());
        }
        self.pass_control_records(consumer, unripe)?;
        Ok(self.batches.into_values().collect())
    }

    /// The consumer's position is past control records, which no record shows: a part may move without any.
    fn pass_control_records(&mut self, consumer: &BaseConsumer<Rebalance>, unripe: &Unripe) -> Result<()> {
        for element in consumer.position()?.elements() {
            let (id, KafkaOffset::Offset(position)) = (element.partition(), element.offset()) else { continue };
            let is_ahead = self.positions.get(&id).is_some_and(|from| position > from.0);
            if is_ahead
                && !unripe.has(id)
                && let Some(batch) = self.batch(id)
            {
                batch.next = Offset(position);
            }
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.records < self.limits.max_records && self.bytes < MOST_BYTES
    }

    fn add(&mut self, message: Message<'poll>) {
        let bytes = message.raw().map_or(0, <[u8]>::len);
        if let Some(batch) = self.batch(message.partition()) {
            batch.push(message);
            (self.records, self.bytes) = (self.records + 1, self.bytes + bytes);
        }
    }

    /// None for a partition that was fetched before the last recovery.
    fn batch(&mut self, id: i32) -> Option<&mut Batch<'poll>> {
        let &from = self.positions.get(&id)?;
        let (topic, session) = (self.topic, self.session);
        let start = || Batch::new(Partition { topic: topic.clone(), id }, session, from);
        Some(self.batches.entry(id).or_insert_with(start))
    }
}

/// Connections that come and go: librdkafka mends them by itself.
fn is_transport(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
    let codes = [AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve];
    error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}
