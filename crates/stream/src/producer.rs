//! The producer of the edges: idempotent, acknowledged by every replica in sync, bounded in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use rdkafka::util::Timeout;
use tokio::sync::oneshot;
use tracing::debug;

use crate::delivery::{Deliveries, Settled, Ticket};
use crate::reach::{require_leader, require_topic};
use crate::{Delivery, Error, Kafka, Outgoing, Result};

/// Cheap to clone; all clones share one queue and one budget.
#[derive(Clone)]
pub struct Producer(Arc<Inner>);

struct Inner {
    producer: Sender,
    /// Puts each record into a batch of its own; made when it is first needed.
    alone: OnceLock<Option<Sender>>,
    config: ClientConfig,
    queued: Arc<AtomicUsize>,
}

type Sender = ThreadedProducer<Deliveries>;

/// One send: the answers, and what resolves when all of them are there.
type Sent = (Arc<Settled>, oneshot::Receiver<()>);

/// Bytes that may wait for the broker. Above 80 % the doors stop taking more.
const BUDGET: usize = 64 << 20;

impl Producer {
    pub fn open(kafka: &Kafka, name: &str) -> Result<Self> {
        let queued = Arc::new(AtomicUsize::new(0));
        let config = kafka.producer(name)?;
        let producer = Sender::from_config_and_context(&config, Deliveries { queued: queued.clone() })
            .map_err(|error| Error::configuration(format!("kafka.options: {error}")))?;
        Ok(Self(Arc::new(Inner { producer, alone: OnceLock::new(), config, queued })))
    }

    /// Asks Kafka for a topic; a missing server or topic is a fatal error that says what to do.
    pub fn check(&self, kafka: &Kafka, topic: &str) -> Result<()> {
        let client = self.0.producer.client();
        let metadata =
            client.fetch_metadata(Some(topic), Duration::from_secs(10)).map_err(|error| kafka.unreachable(&error))?;
        require_topic(kafka, topic, &metadata)?;
        require_leader(kafka, topic, &metadata, client)
    }

    /// Sends the records and waits until each is settled: one answer per record, in order. The records are queued at the
    /// first poll; dropping the future then cancels the waiting, not the sending.
    pub async fn send(&self, records: Vec<Outgoing>) -> Vec<Delivery> {
        let (settled, done) = enqueue(&self.0.producer, &self.0.queued, records);
        // The sender lives in `settled` until every record has its answer: it cannot be dropped before.
        done.await.unwrap_or_default();
        let mut deliveries = settled.take();
        if let Some((indices, (settled, done))) = self.send_alone(&settled) {
            done.await.unwrap_or_default();
            replace(&mut deliveries, &indices, &settled);
        }
        deliveries
    }

    /// As `send`, for threads outside the runtime.
    pub fn send_blocking(&self, records: Vec<Outgoing>) -> Vec<Delivery> {
        let (settled, done) = enqueue(&self.0.producer, &self.0.queued, records);
        done.blocking_recv().unwrap_or_default();
        let mut deliveries = settled.take();
        if let Some((indices, (settled, done))) = self.send_alone(&settled) {
            done.blocking_recv().unwrap_or_default();
            replace(&mut deliveries, &indices, &settled);
        }
        deliveries
    }

    /// Whether the queue has room for more: asked before a request is read.
    pub fn has_room(&self) -> bool {
        self.0.queued.load(Ordering::Relaxed) < BUDGET / 5 * 4
    }

    /// Waits for what is queued, and tells how many records are still unsent.
    pub fn flush(&self, within: Duration) -> usize {
        let senders = || [Some(&self.0.producer), self.0.alone.get().and_then(Option::as_ref)].into_iter().flatten();
        for sender in senders() {
            if let Err(error) = sender.flush(Timeout::After(within)) {
                debug!(%error, "flush");
            }
        }
        senders().map(|sender| usize::try_from(sender.in_flight_count()).unwrap_or_default()).sum()
    }

    /// A broker refuses a batch that is too large whole: the records of it, each by itself, may be small enough.
    fn send_alone(&self, settled: &Settled) -> Option<(Vec<usize>, Sent)> {
        let (indices, records): (Vec<usize>, Vec<Outgoing>) = settled.take_too_large().into_iter().unzip();
        if records.is_empty() {
            return None;
        }
        let open = || {
            let mut config = self.0.config.clone();
            config.set("batch.num.messages", "1");
            Sender::from_config_and_context(&config, Deliveries { queued: self.0.queued.clone() }).ok()
        };
        let alone = self.0.alone.get_or_init(open).as_ref()?;
        Some((indices, enqueue(alone, &self.0.queued, records)))
    }
}

/// Puts the answers of records that were sent again where the first ones stood.
fn replace(deliveries: &mut [Delivery], indices: &[usize], settled: &Settled) {
    for (&index, delivery) in indices.iter().zip(settled.take()) {
        deliveries[index] = delivery;
    }
}

fn enqueue(sender: &Sender, queued: &AtomicUsize, records: Vec<Outgoing>) -> Sent {
    let (settled, done) = Settled::new(records.len());
    for (index, record) in records.into_iter().enumerate() {
        enqueue_one(sender, queued, &record, Ticket { settled: settled.clone(), index, bytes: record.size() });
    }
    (settled, done)
}

fn enqueue_one(sender: &Sender, queued: &AtomicUsize, record: &Outgoing, ticket: Ticket) {
    if queued.fetch_add(ticket.bytes, Ordering::Relaxed) > BUDGET {
        queued.fetch_sub(ticket.bytes, Ordering::Relaxed);
        return ticket.settle(Delivery::Refused("the queue is full".into()));
    }
    let mut base = BaseRecord::with_opaque_to(&record.topic, Box::new(ticket)).payload(&record.payload);
    if !record.key.is_empty() {
        base = base.key(&record.key);
    }
    if let Some(partition) = record.partition {
        base = base.partition(partition);
    }
    if let Err((error, base)) = sender.send(base.headers(record.owned_headers())) {
        queued.fetch_sub(base.delivery_opaque.bytes, Ordering::Relaxed);
        base.delivery_opaque.settle(match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => Delivery::TooLarge(error.to_string()),
            _ => Delivery::Refused(error.to_string()),
        });
    }
}
