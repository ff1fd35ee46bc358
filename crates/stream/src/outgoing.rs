//! One record on its way out.

use std::sync::Arc;

use rdkafka::message::{Header, OwnedHeaders};

#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    pub topic: Arc<str>,
    /// Chosen from the key if absent.
    pub partition: Option<i32>,
    pub key: Vec<u8>,
    pub payload: Vec<u8>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Outgoing {
    /// A record without key or headers.
    pub fn to(topic: &str, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.into(), partition: None, key: Vec::new(), payload: payload.into(), headers: Vec::new() }
    }

    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = key.into();
        self
    }

    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }

    /// About what the record takes in a queue.
    pub(crate) fn size(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len)).sum();
        self.key.len() + self.payload.len() + headers + 128
    }

    pub(crate) fn owned_headers(&self) -> OwnedHeaders {
        self.headers.iter().fold(OwnedHeaders::new_with_capacity(self.headers.len()), |headers, (key, value)| {
            headers.insert(Header { key, value: value.as_deref() })
        })
    }
}
