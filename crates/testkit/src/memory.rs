//! Batches without Kafka.

use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;
use stream::{Batch, Message, Offset, Partition};

/// A batch of these payloads at offsets 0, 1, 2…, appended a millisecond apart.
pub fn batch<'a>(topic: &str, partition: i32, payloads: impl IntoIterator<Item = &'a [u8]>) -> Batch<'static> {
    let mut batch = Batch::new(Partition::new(topic, partition), 1, Offset(0));
    for (offset, payload) in (0..).zip(payloads) {
        let timestamp = Timestamp::CreateTime(offset);
        let message =
            OwnedMessage::new(Some(payload.to_vec()), None, topic.to_owned(), timestamp, partition, offset, None);
        batch.push(Message::Owned(message));
    }
    batch
}
