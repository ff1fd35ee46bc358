//! Batches without Kafka.

use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;
use stream::{Batch, Message, Offset, Partition};

/// A record as it stands in a log that a test made up.
#[derive(Clone, Copy, Debug)]
pub struct Appended<'a> {
    pub offset: i64,
    /// The broker's time, in milliseconds.
    pub at: i64,
    pub key: Option<&'a [u8]>,
    pub payload: &'a [u8],
}

/// A batch of these payloads at offsets 0, 1, 2…, appended a millisecond apart.
pub fn batch<'a>(topic: &str, partition: i32, payloads: impl IntoIterator<Item = &'a [u8]>) -> Batch<'static> {
    let records = (0..).zip(payloads).map(|(offset, payload)| Appended { offset, at: offset, key: None, payload });
    batch_from(Partition::new(topic, partition), (1, Offset(0)), records)
}

/// A batch of these records, polled in this session of the stage, that begins at `from`.
pub fn batch_from<'a>(
    partition: Partition,
    (session, from): (u64, Offset),
    records: impl IntoIterator<Item = Appended<'a>>,
) -> Batch<'static> {
    let (topic, id) = (partition.topic.to_string(), partition.id);
    let mut batch = Batch::new(partition, session, from);
    for Appended { offset, at, key, payload } in records {
        let (payload, key) = (Some(payload.to_vec()), key.map(<[u8]>::to_vec));
        let message = OwnedMessage::new(payload, key, topic.clone(), Timestamp::CreateTime(at), id, offset, None);
        batch.push(Message::Owned(message));
    }
    batch
}
