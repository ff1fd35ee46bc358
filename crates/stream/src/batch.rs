//! The records of one partition that one poll brought, read in place.

use std::collections::HashSet;
use std::marker::PhantomData;

use rdkafka::message::{BorrowedMessage, Headers as _, OwnedMessage};
use rdkafka::{Message as _, Timestamp};
use serde::Deserialize;

use crate::refused::{self, Reject};
use crate::{Balance, Error, Mark, Offset, Part, Partition, Result};

/// The records of one partition, and those among them that are refused.
pub struct Batch<'poll> {
    partition: Partition,
    session: u64,
    from: Offset,
    pub(crate) next: Offset,
    messages: Vec<Message<'poll>>,
    rejects: Vec<Reject>,
    /// Records that made the handler panic: it does not see them again.
    poisoned: Vec<usize>,
    current: Option<usize>,
    repeated: u64,
}

/// A record as the source has it: borrowed from librdkafka, or owned where there is no Kafka.
pub enum Message<'poll> {
    Borrowed(BorrowedMessage<'poll>),
    Owned(OwnedMessage),
}

/// A decoded record.
pub struct Record<'b, T> {
    pub offset: Offset,
    /// The broker's timestamp in milliseconds: when the record was appended, where the topic says so.
    pub appended_at: i64,
    pub key: Option<&'b [u8]>,
    pub payload: &'b [u8],
    pub value: T,
    message: &'b Message<'b>,
}

impl<'poll> Batch<'poll> {
    /// An empty batch that starts at `from`.
    pub fn new(partition: Partition, session: u64, from: Offset) -> Self {
        let (messages, rejects, poisoned) = (Vec::new(), Vec::new(), Vec::new());
        Self { partition, session, from, next: from, messages, rejects, poisoned, current: None, repeated: 0 }
    }

    /// Appends a record; the batch now ends behind it.
    pub fn push(&mut self, message: Message<'poll>) {
        self.next = Offset(message.offset().0 + 1);
        self.messages.push(message);
    }

    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Changes at every assignment and every recovery: what a handler remembers from another session may never have
    /// been stored.
    pub fn session(&self) -> u64 {
        self.session
    }

    pub fn len(&self) -> usize {
        self.messages.len()
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The records as they are in the log, undecoded.
    pub fn messages(&self) -> impl Iterator<Item = &Message<'poll>> {
        self.messages.iter()
    }

    /// When the newest record was appended, in milliseconds.
    pub fn last_appended_at(&self) -> Option<i64> {
        self.messages.iter().map(Message::timestamp).max()
    }

    /// Decodes each record as it is reached; what does not decode becomes a reject and is skipped.
    pub fn decode<'b, T: Deserialize<'b>>(&'b mut self) -> impl Iterator<Item = Record<'b, T>> {
        self.pass_over_refused();
        self.current = None;
        Decode {
            messages: &self.messages,
            poisoned: &self.poisoned,
            rejects: &mut self.rejects,
            current: &mut self.current,
            next: 0,
            decoded: PhantomData,
        }
    }

    /// Refuses a record for what no single field can tell.
    pub fn refuse(&mut self, offset: Offset, code: &str, reason: impl Into<String>) {
        if let Some(index) = self.messages.iter().position(|message| message.offset() == offset) {
            self.rejects.push(Reject { index, code: code.into(), reason: reason.into() });
        }
    }

    /// Takes back what decoding refused, where another stage of the service refuses it. A record that made the handler
    /// panic stays refused.
    pub fn pass_over_refused(&mut self) {
        self.rejects.retain(|reject| self.poisoned.contains(&reject.index));
    }

    /// Tells that the handler dropped so many records because they were there already.
    pub fn repeated(&mut self, records: u64) {
        self.repeated += records;
    }

    /// Ends the batch as a part of the work, with what the handler made of it.
    pub fn finish<O>(self, output: O) -> Part<O> {
        let count = |records: usize| u64::try_from(records).unwrap_or(u64::MAX);
        let refused = self.rejects.iter().map(|reject| reject.index).collect::<HashSet<_>>().len();
        let (taken, refused, repeated) = (count(self.messages.len()), count(refused), self.repeated);
        let last = self.messages.last().and_then(Message::mark);
        let balance = Balance { taken, refused, repeated, last, ..Balance::new(self.from) };
        Part { partition: self.partition, from: self.from, next: self.next, output, balance }
    }

    /// Refuses the record that the handler was at when it panicked, so that the others can go on.
    pub(crate) fn refuse_panicked(&mut self) -> Result<()> {
        let Some(index) = self.current.take() else {
            return Err(Error::transient(format!("the handler panicked outside any record of {}", self.partition)));
        };
        self.poisoned.push(index);
        self.repeated = 0;
        self.rejects.retain(|reject| reject.index != index);
        self.rejects.push(Reject { index, code: "handler_panicked".into(), reason: "the handler panicked".into() });
        Ok(())
    }

    /// Of each record, whether it was refused.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = bool> {
        let refused: HashSet<usize> = self.rejects.iter().map(|reject| reject.index).collect();
        (0..self.messages.len()).map(move |index| refused.contains(&index))
    }

    pub(crate) fn refused(&self) -> impl ExactSizeIterator<Item = (&Message<'poll>, &Reject)> {
        self.rejects.iter().map(|reject| (&self.messages[reject.index], reject))
    }
}

struct Decode<'b, 'poll, T> {
    messages: &'b [Message<'poll>],
    poisoned: &'b [usize],
    rejects: &'b mut Vec<Reject>,
    current: &'b mut Option<usize>,
    next: usize,
    decoded: PhantomData<T>,
}

impl<'b, 'poll: 'b, T: Deserialize<'b>> Iterator for Decode<'b, 'poll, T> {
    type Item = Record<'b, T>;

    fn next(&mut self) -> Option<Record<'b, T>> {
        loop {
            let index = self.next;
            let Some(message) = self.messages.get(index) else {
                *self.current = None;
                return None;
            };
            self.next += 1;
            if self.poisoned.contains(&index) {
                continue;
            }
            match refused::decode(message.payload()) {
                Ok(value) => {
                    *self.current = Some(index);
                    return Some(Record::new(message, value));
                }
                Err((code, reason)) => self.rejects.push(Reject { index, code, reason }),
            }
        }
    }
}

impl<'b, T> Record<'b, T> {
    fn new(message: &'b Message<'b>, value: T) -> Self {
        let payload = message.payload().unwrap_or_default();
        Self { offset: message.offset(), appended_at: message.timestamp(), key: message.key(), payload, value, message }
    }

    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.message.header(name)
    }
}

/// Both kinds of message answer the same questions.
macro_rules! either {
    ($message:expr, $inner:ident => $answer:expr) => {
        match $message {
            Message::Borrowed($inner) => $answer,
            Message::Owned($inner) => $answer,
        }
    };
}

impl Message<'_> {
    pub(crate) fn partition(&self) -> i32 {
        either!(self, message => message.partition())
    }

    pub fn offset(&self) -> Offset {
        Offset(either!(self, message => message.offset()))
    }

    pub fn key(&self) -> Option<&[u8]> {
        either!(self, message => message.key())
    }

    /// The bytes as they are in the log.
    pub fn raw(&self) -> Option<&[u8]> {
        either!(self, message => message.payload())
    }

    /// The event: a leading schema-registry frame (a zero byte and a schema id of four bytes) is skipped.
    pub fn payload(&self) -> Option<&[u8]> {
        match self.raw() {
            Some([0, _, _, _, _, event @ ..]) => Some(event),
            other => other,
        }
    }

    pub fn timestamp(&self) -> i64 {
        either!(self, message => message.timestamp()).to_millis().unwrap_or_default()
    }

    /// Only a broker's own timestamps rise with the offsets.
    fn mark(&self) -> Option<Mark> {
        match either!(self, message => message.timestamp()) {
            Timestamp::LogAppendTime(appended_at) => Some(Mark { offset: self.offset(), appended_at }),
            _ => None,
        }
    }

    pub fn headers(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let owned =
            |header: rdkafka::message::Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
        either!(self, message => message.headers().map(|headers| headers.iter().map(owned).collect()).unwrap_or_default())
    }

    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        either!(self, message => message.headers()?.iter().find(|header| header.key == name)?.value)
    }
}

#[cfg(test)]
mod tests;
