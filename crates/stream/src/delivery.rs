//! What becomes of records on their way to the broker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use tokio::sync::oneshot;
use tracing::debug;

use crate::Outgoing;

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Every replica in sync has it.
    Stored { partition: i32, offset: i64 },
    /// It is certainly not stored.
    Refused(String),
    /// It is certainly not stored, and never will be: by itself it is larger than its topic allows.
    TooLarge(String),
    /// The broker did not answer in time: it may be stored.
    Unknown(String),
}

/// The answers of one call, shared by its records.
pub(crate) struct Settled {
    answers: Mutex<Answers>,
}

struct Answers {
    deliveries: Vec<Delivery>,
    open: usize,
    done: Option<oneshot::Sender<()>>,
    /// Records whose batch was too large, with their places in the call.
    too_large: Vec<(usize, Outgoing)>,
}

impl Settled {
    pub(crate) fn new(records: usize) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (sender, done) = oneshot::channel();
        let deliveries = vec![Delivery::Unknown("no answer".into()); records];
        // With nothing to wait for, the sender is dropped at once and the receiver resolves.
        let sender = (records > 0).then_some(sender);
        let answers = Answers { deliveries, open: records, done: sender, too_large: Vec::new() };
        (Arc::new(Self { answers: Mutex::new(answers) }), done)
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

    pub(crate) fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.lock().deliveries)
    }

    /// The records whose batch was too large: any of them may be small enough by itself.
    pub(crate) fn take_too_large(&self) -> Vec<(usize, Outgoing)> {
        std::mem::take(&mut self.lock().too_large)
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which record of which call a delivery report is about.
pub(crate) struct Ticket {
    pub(crate) settled: Arc<Settled>,
    pub(crate) index: usize,
    pub(crate) bytes: usize,
}

impl Ticket {
    pub(crate) fn settle(self, delivery: Delivery) {
        self.settled.settle(self.index, delivery);
    }
}

/// Takes librdkafka's delivery reports.
pub(crate) struct Deliveries {
    pub(crate) queued: Arc<AtomicUsize>,
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
        let delivery = match result {
            Ok(message) => Delivery::Stored { partition: message.partition(), offset: message.offset() },
            Err((error, message)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                ticket.settled.lock().too_large.push((ticket.index, outgoing(message)));
                Delivery::TooLarge(error.to_string())
            }
            Err((error, _)) if is_certain(error) => Delivery::Refused(error.to_string()),
            Err((error, _)) => Delivery::Unknown(error.to_string()),
        };
        ticket.settle(delivery);
    }
}

/// Errors after which the record is certainly not in the log.
fn is_certain(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidRecord, PurgeQueue, TopicAuthorizationFailed, UnknownPartition, UnknownTopic};
    let codes = [InvalidRecord, PurgeQueue, TopicAuthorizationFailed, UnknownPartition, UnknownTopic];
    error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}

/// The record as it was sent: its report holds the only copy.
fn outgoing(message: &BorrowedMessage<'_>) -> Outgoing {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Outgoing {
        topic: message.topic().into(),
        partition: Some(message.partition()),
        key: message.key().unwrap_or_default().to_vec(),
        payload: message.payload().unwrap_or_default().to_vec(),
        headers: headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
    }
}
