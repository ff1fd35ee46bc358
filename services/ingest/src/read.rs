//! From the bytes of a request to events that are ready for Kafka: no I/O, so that every bad input has its table test.

use std::collections::HashSet;

use crate::documents::{self, Grouping};
use crate::media::Framing;
use crate::prepare::{Context, Prepared, prepare};
use crate::rejection::Rejection;

/// What a request holds, event by event in the order they were sent.
pub struct Reading {
    pub grouping: Grouping,
    pub events: Vec<ReadEvent>,
}

pub struct ReadEvent {
    /// The line it stands on in NDJSON, from 1.
    pub line: Option<usize>,
    pub outcome: Result<Prepared, Rejection>,
}

/// Reads a body. What concerns the body as a whole is the error; what concerns one event is that event's outcome.
pub fn read(body: &[u8], framing: Framing, context: Context<'_>) -> Result<Reading, Rejection> {
    let documents = documents::split(body, framing)?;
    let mut ids = HashSet::new();
    let mut events = Vec::with_capacity(documents.documents.len());
    for document in documents.documents {
        let mut outcome = document.event.and_then(|event| prepare(event, context));
        if let Ok(prepared) = &outcome
            && !ids.insert(prepared.event_id.clone())
        {
            let message = "the same event_id stands earlier in this request";
            outcome = Err(Rejection::new("duplicate_in_request", message).at("event_id"));
        }
        events.push(ReadEvent { line: document.line, outcome });
    }
    Ok(Reading { grouping: documents.grouping, events })
}

#[cfg(test)]
mod tests;
