//! Records until the limits of a step are reached, as one batch per partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message as _, Offset as KafkaOffset};

use crate::rebalance::Rebalance;
use crate::{Batch, BatchLimits, Message, Offset, Partition, Result};

/// One step's records, whatever their number: what a step may hold in memory.
const MOST_BYTES: usize = 64 << 20;
/// Records between two looks at the clock while they keep coming: a look costs as much as a tenth of a record.
const LOOK_EVERY: usize = 64;

/// Polls until the limits are reached. A change of assignment drops everything gathered so far.
pub(crate) fn gather<'poll>(
    consumer: &'poll BaseConsumer<Rebalance>,
    limits: &BatchLimits,
    topic: &Arc<str>,
    session: u64,
    positions: &BTreeMap<i32, Offset>,
) -> Result<Vec<Batch<'poll>>> {
    let deadline = Instant::now() + limits.max_wait;
    let mut patience = Duration::ZERO;
    let mut batches: HashMap<i32, Batch<'poll>> = HashMap::new();
    let (mut records, mut bytes) = (0, 0);
    while records < limits.max_records && bytes < MOST_BYTES && !consumer.context().is_pending() {
        let polled = consumer.poll(patience);
        patience = Duration::ZERO;
        let idle = polled.is_none();
        match polled {
            Some(Ok(message)) => {
                let id = message.partition();
                let Some(&from) = positions.get(&id) else { continue }; // fetched before the last recovery
                (records, bytes) = (records + 1, bytes + message.payload_len());
                let start = || Batch::new(Partition { topic: topic.clone(), id }, session, from);
                batches.entry(id).or_insert_with(start).push(Message::Borrowed(message));
            }
            Some(Err(error)) if is_transport(&error) => metrics::counter!("kafka_transport_errors_total").increment(1),
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
        if idle || records % LOOK_EVERY == 0 {
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
    for element in consumer.position()?.elements() {
        let (id, KafkaOffset::Offset(position)) = (element.partition(), element.offset()) else { continue };
        let Some(&from) = positions.get(&id) else { continue };
        // The consumer's position is past control records, which no record shows: a part may move without any.
        if position > from.0 {
            let start = || Batch::new(Partition { topic: topic.clone(), id }, session, from);
            batches.entry(id).or_insert_with(start).next = Offset(position);
        }
    }
    Ok(batches.into_values().collect())
}

/// Connections that come and go: librdkafka mends them by itself.
fn is_transport(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
    let codes = [AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve];
    error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}
