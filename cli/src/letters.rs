//! Dead letters as they stand in Kafka.

use std::time::Duration;

use serde::Serialize;
use stream::tail::{Start, Stored, Tail, Until};
use stream::{
    HEADER_CODE, HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_SERVICE, HEADER_TOPIC, HEADER_VERSION, Kafka,
    dead_topic,
};

/// A refused record with where it came from and why it was refused.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Letter {
    pub topic: String,
    pub partition: String,
    pub offset: String,
    pub code: String,
    pub reason: String,
    pub service: String,
    pub version: String,
    /// Where the letter itself stands.
    pub letter_offset: i64,
    /// Milliseconds since the epoch, by the broker.
    pub refused_at: i64,
    pub key: String,
    /// Bytes that are not UTF-8 are shown as `\xNN`.
    pub payload: String,
}

const PATIENCE: Duration = Duration::from_secs(15);

/// Every dead letter of a topic, in the order of refusal.
pub(crate) fn read(kafka: &Kafka, topic: &str) -> anyhow::Result<Vec<Letter>> {
    let tail = Tail::open(kafka, &dead_topic(topic), Start::Everything, Until::Ends)?;
    let letters: stream::Result<Vec<Letter>> =
        tail.records(PATIENCE).map(|stored| stored.map(|stored| letter(&stored))).collect();
    Ok(letters?)
}

fn letter(stored: &Stored) -> Letter {
    // Our headers come first; the original's own may have the same name when it is a letter itself.
    let header = |name: &str| {
        let found = stored.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| readable(value)).unwrap_or_default()
    };
    Letter {
        topic: header(HEADER_TOPIC),
        partition: header(HEADER_PARTITION),
        offset: header(HEADER_OFFSET),
        code: header(HEADER_CODE),
        reason: header(HEADER_REASON),
        service: header(HEADER_SERVICE),
        version: header(HEADER_VERSION),
        letter_offset: stored.offset.0,
        refused_at: stored.timestamp,
        key: readable(stored.key.as_deref().unwrap_or_default()),
        payload: readable(stored.payload.as_deref().unwrap_or_default()),
    }
}

fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_shown_as_bytes() {
        assert_eq!(readable(b"caf\xc3\xa9 \xff\x00"), "caf\u{e9} \\xff\u{0}");
    }
}
