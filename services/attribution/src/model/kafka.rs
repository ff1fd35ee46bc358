//! Kafka, in memory: `activity`, and what `decide` publishes in transactions, as brokers treat them.

use event::topic;
use stream::Outgoing;

use super::PARTITIONS;
use super::schedule::Entry;

/// A record of `activity`.
pub(super) struct Event {
    pub(super) entry: Entry,
    pub(super) payload: String,
    /// When the broker appended it.
    pub(super) at: i64,
}

#[derive(Default)]
pub(super) struct Kafka {
    pub(super) activity: [Vec<Event>; PARTITIONS],
    installs: [Vec<Slot>; PARTITIONS],
    events: [Vec<Slot>; PARTITIONS],
    transactions: Vec<Transaction>,
    /// The committed offsets of `decide`.
    pub(super) committed: [i64; PARTITIONS],
}

/// What stands at an offset of an output.
enum Slot {
    Record { transaction: usize, record: Outgoing },
    Marker,
}

struct Transaction {
    worker: usize,
    state: State,
    /// The positions that it commits, once they are sent.
    offsets: Vec<(usize, i64)>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum State {
    Open,
    Committed,
    Aborted,
}

impl Kafka {
    pub(super) fn begin(&mut self, worker: usize) -> usize {
        assert!(self.open_of(worker).is_none(), "a transactional id has one transaction at a time");
        self.transactions.push(Transaction { worker, state: State::Open, offsets: Vec::new() });
        self.transactions.len() - 1
    }

    pub(super) fn produce(&mut self, transaction: usize, record: Outgoing) {
        let partition = usize::try_from(record.partition.unwrap()).unwrap();
        self.output_mut(&record.topic.clone(), partition).push(Slot::Record { transaction, record });
    }

    pub(super) fn send_offsets(&mut self, transaction: usize, offsets: Vec<(usize, i64)>) {
        self.transactions[transaction].offsets = offsets;
    }

    pub(super) fn open_of(&self, worker: usize) -> Option<usize> {
        self.transactions.iter().position(|each| each.worker == worker && each.state == State::Open)
    }

    /// Ends the transaction of a worker, if it has an open one, and answers whether it had.
    pub(super) fn end(&mut self, worker: usize, state: State) -> bool {
        let Some(number) = self.open_of(worker) else { return false };
        self.transactions[number].state = state;
        let is_its = |slot: &Slot| matches!(slot, Slot::Record { transaction, .. } if *transaction == number);
        for log in self.installs.iter_mut().chain(&mut self.events) {
            if log.iter().any(is_its) {
                log.push(Slot::Marker);
            }
        }
        if state == State::Committed {
            for &(partition, next) in &self.transactions[number].offsets {
                self.committed[partition] = next;
            }
        }
        true
    }

    /// A delayed end: it commits only what was sent whole.
    pub(super) fn arrive(&mut self, worker: usize) -> bool {
        let is_whole = self.open_of(worker).is_some_and(|number| !self.transactions[number].offsets.is_empty());
        is_whole && self.end(worker, State::Committed)
    }

    /// Whether an open transaction may still move the committed offset: then nobody is told it.
    pub(super) fn is_unstable(&self, partition: usize) -> bool {
        let open = self.transactions.iter().filter(|each| each.state == State::Open);
        open.flat_map(|each| &each.offsets).any(|(id, _)| *id == partition)
    }

    /// First offset and end of each partition, open transactions and all.
    pub(super) fn ends(&self, topic: &str) -> Vec<(i32, i64, i64)> {
        let end = |id: usize| match topic {
            topic::ACTIVITY => self.activity[id].len(),
            _ => self.output(topic, id).len(),
        };
        (0..PARTITIONS).map(|id| (id.try_into().unwrap(), 0, end(id).try_into().unwrap())).collect()
    }

    /// As a `read_committed` consumer sees `installs`: records of aborted transactions and markers are passed over, and
    /// nothing is read behind an open one.
    pub(super) fn read_installs(&self, partition: usize, from: i64, most: usize) -> (Vec<(i64, &Outgoing)>, i64) {
        let (mut records, mut next) = (Vec::new(), from);
        for (offset, slot) in self.installs[partition].iter().enumerate().skip(from.try_into().unwrap()) {
            if let Slot::Record { transaction, record } = slot {
                match self.transactions[*transaction].state {
                    State::Open => break,
                    State::Committed if records.len() == most => break,
                    State::Committed => records.push((offset.try_into().unwrap(), record)),
                    State::Aborted => {}
                }
            }
            next = i64::try_from(offset).unwrap() + 1;
        }
        (records, next)
    }

    /// What is committed.
    pub(super) fn published(&self, topic: &str, partition: usize) -> impl Iterator<Item = &Outgoing> {
        self.output(topic, partition).iter().filter_map(|slot| match slot {
            Slot::Record { transaction, record } => {
                (self.transactions[*transaction].state == State::Committed).then_some(record)
            }
            Slot::Marker => None,
        })
    }

    fn output(&self, topic: &str, partition: usize) -> &Vec<Slot> {
        if topic == topic::INSTALLS { &self.installs[partition] } else { &self.events[partition] }
    }

    fn output_mut(&mut self, topic: &str, partition: usize) -> &mut Vec<Slot> {
        if topic == topic::INSTALLS { &mut self.installs[partition] } else { &mut self.events[partition] }
    }
}
