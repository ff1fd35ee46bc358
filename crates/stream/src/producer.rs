//! The producer of the edges: idempotent, acknowledged by every replica in sync, bounded in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::util::Timeout;
use tokio::sync::oneshot;
use tracing::debug;

use crate::{Error, Kafka, Outgoing, Result};

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Every replica in sync has it.
    Stored { partition: i32, offset: i64 },
    /// It is certainly not stored.
    Refused(String),
    /// The broker did not answer in time: it may be stored.
    Unknown(String),
}

/// Cheap to clone; all clones share one queue and one budget.
#[derive(Clone)]
pub struct Producer(Arc<Inner>);

struct Inner {
    producer: ThreadedProducer<Deliveries>,
    queued: Arc<AtomicUsize>,
}

/// Bytes that may wait for the broker. Above 80 % the doors stop taking more.
const BUDGET: usize = 64 << 20;

impl Producer {
    pub fn open(kafka: &Kafka, name: &str) -> Result<Self> {
        let queued = Arc::new(AtomicUsize::new(0));
        let context = Deliveries { queued: queued.clone() };
        let producer = ThreadedProducer::from_config_and_context(&kafka.producer(name)?, context)
            .map_err(|error| Error::configuration(format!("kafka.options: {error}")))?;
        Ok(Self(Arc::new(Inner { producer, queued })))
    }

    /// Asks Kafka for a topic; a missing server or topic is a fatal error that says what to do.
    pub fn check(&self, kafka: &Kafka, topic: &str) -> Result<()> {
        let metadata = self
            .0
            .producer
            .client()
            .fetch_metadata(Some(topic), Duration::from_secs(10))
            .map_err(|error| kafka.unreachable(&error))?;
        crate::kafka::require_topic(kafka, topic, &metadata)
    }

    /// Sends the records and waits until each is settled: one answer per record, in order. The records are queued at the
    /// first poll; dropping the future then cancels the waiting, not the sending.
    pub async fn send(&self, records: Vec<Outgoing>) -> Vec<Delivery> {
        let (settled, done) = self.enqueue(records);
        // The sender lives in `settled` until every record has its answer: it cannot be dropped before.
        done.await.unwrap_or_default();
        settled.take()
    }

    /// As `send`, for threads outside the runtime.
    pub fn send_blocking(&self, records: Vec<Outgoing>) -> Vec<Delivery> {
        let (settled, done) = self.enqueue(records);
        done.blocking_recv().unwrap_or_default();
        settled.take()
    }

    /// Whether the queue has room for more: asked before a request is read.
    pub fn has_room(&self) -> bool {
        self.0.queued.load(Ordering::Relaxed) < BUDGET / 5 * 4
    }

    /// Waits for what is queued, and tells how many records are still unsent.
    pub fn flush(&self, within: Duration) -> usize {
        if let Err(error) = self.0.producer.flush(Timeout::After(within)) {
            debug!(%error, "flush");
        }
        usize::try_from(self.0.producer.in_flight_count()).unwrap_or_default()
    }

    fn enqueue(&self, records: Vec<Outgoing>) -> (Arc<Settled>, oneshot::Receiver<()>) {
        let (settled, done) = Settled::new(records.len());
        for (index, record) in records.into_iter().enumerate() {
            self.enqueue_one(&record, Ticket { settled: settled.clone(), index, bytes: record.size() });
        }
        (settled, done)
    }

    fn enqueue_one(&self, record: &Outgoing, ticket: Ticket) {
        if self.0.queued.fetch_add(ticket.bytes, Ordering::Relaxed) > BUDGET {
            self.0.queued.fetch_sub(ticket.bytes, Ordering::Relaxed);
            return ticket.settle(Delivery::Refused("the queue is full".into()));
        }
        let mut base = BaseRecord::with_opaque_to(&record.topic, Box::new(ticket)).payload(&record.payload);
        if !record.key.is_empty() {
            base = base.key(&record.key);
        }
        if let Some(partition) = record.partition {
            base = base.partition(partition);
        }
        if let Err((error, base)) = self.0.producer.send(base.headers(record.owned_headers())) {
            self.0.queued.fetch_sub(base.delivery_opaque.bytes, Ordering::Relaxed);
            base.delivery_opaque.settle(Delivery::Refused(error.to_string()));
        }
    }
}

/// The answers of one call, shared by its records.
struct Settled {
    answers: Mutex<Answers>,
}

struct Answers {
    deliveries: Vec<Delivery>,
    open: usize,
    done: Option<oneshot::Sender<()>>,
}

impl Settled {
    fn new(records: usize) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (sender, done) = oneshot::channel();
        let deliveries = vec![Delivery::Unknown("no answer".into()); records];
        // With nothing to wait for, the sender is dropped at once and the receiver resolves.
        let sender = (records > 0).then_some(sender);
        (Arc::new(Self { answers: Mutex::new(Answers { deliveries, open: records, done: sender }) }), done)
    }

    fn settle(&self, index: usize, delivery: Delivery) {
        let mut answers = self.lock();
        answers.deliveries[index] = delivery;
        answers.open -= 1;
        if answers.open == 0 {
            // Dropping the sender wakes whoever still waits.
            answers.done = None;
        }
    }

    fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.lock().deliveries)
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Ticket {
    settled: Arc<Settled>,
    index: usize,
    bytes: usize,
}

impl Ticket {
    fn settle(self, delivery: Delivery) {
        self.settled.settle(self.index, delivery);
    }
}

struct Deliveries {
    queued: Arc<AtomicUsize>,
}

impl rdkafka::client::ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::kafka::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        self.queued.fetch_sub(ticket.bytes, Ordering::Relaxed);
        ticket.settle(match result {
            Ok(message) => Delivery::Stored { partition: message.partition(), offset: message.offset() },
            Err((error, _)) if is_certain(error) => Delivery::Refused(error.to_string()),
            Err((error, _)) => Delivery::Unknown(error.to_string()),
        });
    }
}

/// Errors after which the record is certainly not in the log.
fn is_certain(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        InvalidRecord, MessageSizeTooLarge, PurgeQueue, TopicAuthorizationFailed, UnknownPartition, UnknownTopic,
    };
    let codes =
        [MessageSizeTooLarge, InvalidRecord, PurgeQueue, TopicAuthorizationFailed, UnknownPartition, UnknownTopic];
    error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}
