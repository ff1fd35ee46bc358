//! A log, a group of workers that run the real step, and their store.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;
use testkit::Reached;

use super::schedule::{Entry, Fault, Step};
use super::store::{Store, Stored};
use super::{PARTITIONS, WORKERS};
use crate::stage::work;
use crate::{Batch, Error, Message, Offset, Owner, Partition, Record, Sink, Standing, Work};

const TOPIC: &str = "numbers";

/// One member of the group: what it owns, where it reads, what it has polled.
#[derive(Default)]
struct Worker {
    positions: BTreeMap<usize, i64>,
    polled: Vec<Batch<'static>>,
    /// Where its last commit stored each partition.
    stored: BTreeMap<usize, i64>,
    /// It has not heard of the last rebalance.
    is_zombie: bool,
}

pub(super) struct World {
    log: [Vec<Entry>; PARTITIONS],
    /// How many of them there are by now.
    partitions: usize,
    letters: BTreeSet<(i32, i64)>,
    store: Store,
    workers: [Worker; WORKERS],
    owners: [usize; PARTITIONS],
    /// The committed offsets.
    witness: BTreeMap<usize, i64>,
    /// The witness as it was when the store was emptied.
    lost: BTreeMap<usize, i64>,
    pub(super) reached: Reached,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            log: Default::default(),
            partitions: PARTITIONS - 1,
            letters: BTreeSet::new(),
            store: Store::default(),
            workers: Default::default(),
            owners: [0, 1, 0],
            witness: BTreeMap::new(),
            lost: BTreeMap::new(),
            reached: Reached::default(),
        };
        (0..WORKERS).for_each(|worker| world.resume(worker));
        world
    }

    pub(super) fn apply(&mut self, step: &Step) {
        match *step {
            Step::Append(partition, entry) => self.log[partition % self.partitions].push(entry),
            Step::Poll { worker, most } => self.poll(worker, most),
            Step::PollTorn { worker, owners } => {
                self.poll(worker, 1);
                self.rebalance(owners, None);
            }
            Step::Commit(worker, fault) => self.commit(worker, fault),
            Step::Crash(worker) => {
                self.note_dropped(worker, "crash with work in hand");
                self.resume(worker);
            }
            Step::Rebalance { owners, frozen } => self.rebalance(owners, frozen),
            Step::Rollback { partition, commits } => {
                if self.store.roll_back(partition, commits) {
                    self.reached.note(if partition.is_none() { "rollback of all" } else { "rollback of one" });
                }
            }
            Step::Empty => self.empty(),
            Step::Grow => {
                if self.partitions < PARTITIONS {
                    self.reached.note("growth");
                }
                self.partitions = PARTITIONS;
            }
            Step::Note(worker) => self.note(worker),
        }
    }

    fn rebalance(&mut self, owners: [usize; PARTITIONS], frozen: Option<usize>) {
        self.owners = owners;
        for worker in 0..WORKERS {
            if frozen == Some(worker) {
                self.workers[worker].is_zombie = true;
            } else {
                self.note_dropped(worker, "rebalance that dropped a gather");
                self.resume(worker);
            }
        }
    }

    fn note_dropped(&mut self, worker: usize, what: &'static str) {
        if !self.workers[worker].polled.is_empty() {
            self.reached.note(what);
        }
    }

    fn empty(&mut self) {
        if self.store.now.values().any(|stored| stored.position > 0) {
            self.reached.note("emptied");
        }
        self.lost = self.witness.clone();
        self.store.empty();
    }

    /// Once in a while, after a commit; the group refuses a member that missed a rebalance. A note is never taken back.
    fn note(&mut self, worker: usize) {
        let Worker { stored, is_zombie, .. } = &self.workers[worker];
        if !is_zombie && !stored.is_empty() {
            for (&id, &position) in stored {
                let noted = self.witness.entry(id).or_insert(position);
                *noted = position.max(*noted);
            }
            self.reached.note("witness");
        }
    }

    /// The one recovery, and the answer to an assignment: drop everything, ask the sink.
    fn resume(&mut self, worker: usize) {
        let owned: Vec<usize> = (0..self.partitions).filter(|&partition| self.owners[partition] == worker).collect();
        let standing = |&id: &usize| {
            let partition = Partition::new(TOPIC, id.try_into().unwrap());
            let end = Offset(self.log[id].len().try_into().unwrap());
            let committed = self.witness.get(&id).copied().map(Offset);
            Standing { partition, committed, metadata: String::new(), first: Offset(0), end }
        };
        let standings: Vec<Standing> = owned.iter().map(standing).collect();
        let positions = self.store.resume(&standings).unwrap().into_iter().map(|bookmark| bookmark.position.0);
        self.workers[worker] = Worker { positions: owned.into_iter().zip(positions).collect(), ..Worker::default() };
    }

    /// As a consumer does: records in order, control records passed over without a sign.
    fn poll(&mut self, worker: usize, most: usize) {
        let Worker { positions, polled, .. } = &mut self.workers[worker];
        if !polled.is_empty() {
            return;
        }
        for (&id, position) in positions {
            let partition = Partition::new(TOPIC, id.try_into().unwrap());
            let mut batch = Batch::new(partition, 0, Offset(*position));
            let from = usize::try_from(*position).unwrap();
            for (offset, entry) in self.log[id].iter().enumerate().skip(from).take(most) {
                let offset = offset.try_into().unwrap();
                if let Some(payload) = payload(*entry) {
                    let bytes = Some(payload.into_bytes());
                    let (topic, id) = (TOPIC.to_owned(), id.try_into().unwrap());
                    let message = OwnedMessage::new(bytes, None, topic, Timestamp::NotAvailable, id, offset, None);
                    batch.push(Message::Owned(message));
                }
                batch.next = Offset(offset + 1);
            }
            if batch.next.0 > *position {
                if batch.is_empty() {
                    self.reached.note("part of control records alone");
                }
                *position = batch.next.0;
                polled.push(batch);
            }
        }
    }

    fn commit(&mut self, worker: usize, fault: Fault) {
        let polled = std::mem::take(&mut self.workers[worker].polled);
        if polled.is_empty() {
            return;
        }
        let (letters, reached) = (&mut self.letters, &mut self.reached);
        let send = |batch: &Batch<'_>| {
            if matches!(fault, Fault::LetterRefused) && batch.refused().len() > 0 {
                reached.note("dead letter refused");
                return Err(Error::transient("the dead letters are away"));
            }
            for (message, reject) in batch.refused() {
                reached.note(if reject.code == "handler_panicked" { "letter after a panic" } else { "letter" });
                letters.insert((batch.partition().id, message.offset().0));
            }
            Ok(())
        };
        self.store.fault = Some(fault);
        let ends: Vec<_> =
            polled.iter().map(|batch| (usize::try_from(batch.partition().id).unwrap(), batch.next.0)).collect();
        let stored =
            work(polled, &mut sum, send).and_then(|parts| self.store.commit(Work { owner: &Owner::default(), parts }));
        self.reached.note(what_came_of(fault, &stored, self.workers[worker].is_zombie));
        match stored {
            Ok(()) => self.workers[worker].stored.extend(ends),
            Err(_) => self.resume(worker),
        }
    }

    /// The invariant.
    pub(super) fn check(&self) -> Result<(), String> {
        for (&id, &Stored { position, sum, rebuilding_until }) in &self.store.now {
            let prefix = &self.log[id][..usize::try_from(position).unwrap()];
            let number = |entry: &Entry| if let Entry::Number(number) = entry { *number } else { 0 };
            let fold: i64 = prefix.iter().map(number).sum();
            if sum != fold {
                return Err(format!("partition {id} holds {sum} at {position}, where the log sums up to {fold}"));
            }
            for (offset, _) in prefix.iter().enumerate().filter(|(_, entry)| entry.is_refused()) {
                if !self.letters.contains(&(id.try_into().unwrap(), offset.try_into().unwrap())) {
                    return Err(format!("{id}/{offset} was passed and is nowhere"));
                }
            }
            let lost = self.lost.get(&id).copied().unwrap_or_default();
            if position < lost && rebuilding_until < lost {
                return Err(format!("partition {id} stands at {position} of {lost} and does not say so"));
            }
        }
        Ok(())
    }

    /// Without further faults, everything is folded.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        (0..WORKERS).for_each(|worker| self.resume(worker));
        let length = |id: usize| i64::try_from(self.log[id].len()).unwrap();
        let ends: Vec<i64> = (0..self.partitions).map(length).collect();
        for _ in 0..=ends.iter().sum() {
            if ends.iter().enumerate().all(|(id, end)| self.store.now[&id].position == *end) {
                return self.check();
            }
            for worker in 0..WORKERS {
                self.poll(worker, 10);
                self.commit(worker, Fault::None);
            }
        }
        Err(format!("stuck at {:?} of {ends:?}", self.store.now))
    }
}

impl Entry {
    fn is_refused(&self) -> bool {
        matches!(self, Self::Garbage | Self::Poison)
    }
}

fn payload(entry: Entry) -> Option<String> {
    match entry {
        Entry::Number(number) => Some(number.to_string()),
        Entry::Garbage => Some("garbage".to_owned()),
        Entry::Poison => Some("-1".to_owned()),
        Entry::Control => None,
    }
}

/// A handler with a bug: it panics at a negative number.
fn sum(batch: &mut Batch<'_>) -> anyhow::Result<i64> {
    let number = |Record { value, .. }: Record<'_, i64>| {
        if value < 0 { std::panic::resume_unwind(Box::new("negative")) } else { value }
    };
    Ok(batch.decode::<i64>().map(number).sum())
}

fn what_came_of(fault: Fault, stored: &crate::Result<()>, is_zombie: bool) -> &'static str {
    match (fault, stored) {
        (Fault::AnswerLost, _) => "answer lost",
        (Fault::NotApplied, _) => "commit not applied",
        (Fault::FirstPartOnly, Err(_)) => "first part alone applied",
        (_, Err(Error::Fenced(_))) if is_zombie => "zombie fenced",
        (_, Err(Error::Fenced(_))) => "worker fenced",
        (_, Ok(())) if is_zombie => "zombie whose commit is as good as any",
        (_, Ok(())) => "commit",
        _ => "commit that never began",
    }
}
