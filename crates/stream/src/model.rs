//! The guarantee as a property over schedules: whatever order of polls, commits, lost answers, crashes, zombies, rebalances
//! and rollbacks of the store, after every step *the store equals the fold of the log up to the stored position*, and no
//! position has passed a record that is neither counted nor among the dead letters.

mod schedule;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;

use self::schedule::{Entry, Fault, Step, step};
use crate::stage::work;
use crate::{Batch, Error, Message, Offset, Owner, Partition, Record, Result, Sink, Standing, Work};

const TOPIC: &str = "numbers";
const PARTITIONS: usize = 3;
const WORKERS: usize = 3;

/// What the store holds of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Stored {
    position: i64,
    sum: i64,
}

#[derive(Default)]
struct Store {
    now: BTreeMap<usize, Stored>,
    history: Vec<BTreeMap<usize, Stored>>,
    fault: Option<Fault>,
}

/// The ledger's rule, in memory: the stored position equals `from`, or nothing is written.
impl Sink for Store {
    type Output = i64;

    fn resume(&mut self, standings: &[Standing]) -> Result<Vec<Offset>> {
        let start = |standing: &Standing| {
            let stored = self.now.entry(standing.partition.id.try_into().unwrap()).or_default();
            Offset(stored.position)
        };
        Ok(standings.iter().map(start).collect())
    }

    fn commit(&mut self, work: Work<'_, i64>) -> Result<()> {
        let fault = self.fault.take().unwrap_or(Fault::None);
        if matches!(fault, Fault::NotApplied) {
            return Err(Error::transient("not applied"));
        }
        self.history.push(self.now.clone());
        let mut fenced = false;
        for (index, part) in work.parts.into_iter().enumerate() {
            let stored = self.now.get_mut(&usize::try_from(part.partition.id).unwrap());
            match stored {
                _ if index > 0 && matches!(fault, Fault::FirstPartOnly) => fenced = true,
                Some(stored) if stored.position == part.from.0 => {
                    *stored = Stored { position: part.next.0, sum: stored.sum + part.output };
                }
                _ => fenced = true,
            }
        }
        match fault {
            Fault::AnswerLost => Err(Error::transient("no answer")),
            _ if fenced => Err(Error::Fenced("it moved".into())),
            _ => Ok(()),
        }
    }
}

/// One member of the group: what it owns, where it reads, what it has polled.
#[derive(Default)]
struct Worker {
    positions: BTreeMap<usize, i64>,
    polled: Vec<Batch<'static>>,
}

#[derive(Default)]
struct World {
    log: [Vec<Entry>; PARTITIONS],
    letters: BTreeSet<(i32, i64)>,
    store: Store,
    workers: [Worker; WORKERS],
    owners: [usize; PARTITIONS],
}

impl World {
    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Append(partition, entry) => self.log[partition].push(entry),
            Step::Poll { worker, most } => self.poll(worker, most),
            Step::Commit(worker, fault) => self.commit(worker, fault),
            Step::Crash(worker) => self.resume(worker),
            Step::Rebalance { owners, frozen } => {
                self.owners = owners;
                (0..WORKERS).filter(|&worker| Some(worker) != frozen).for_each(|worker| self.resume(worker));
            }
            Step::Rollback { partition, commits } => self.roll_back(partition, commits),
            Step::Empty => self.store.now.clear(),
        }
    }

    /// The one recovery, and the answer to an assignment: drop everything, ask the sink.
    fn resume(&mut self, worker: usize) {
        let owned: Vec<usize> = (0..PARTITIONS).filter(|&partition| self.owners[partition] == worker).collect();
        let standing = |&id: &usize| {
            let partition = Partition::new(TOPIC, id.try_into().unwrap());
            let end = Offset(self.log[id].len().try_into().unwrap());
            Standing { partition, committed: None, metadata: String::new(), first: Offset(0), end }
        };
        let standings: Vec<Standing> = owned.iter().map(standing).collect();
        let positions = self.store.resume(&standings).unwrap().into_iter().map(|position| position.0);
        self.workers[worker] = Worker { positions: owned.into_iter().zip(positions).collect(), polled: Vec::new() };
    }

    /// As a consumer does: records in order, control records passed over without a sign.
    fn poll(&mut self, worker: usize, most: usize) {
        let Worker { positions, polled } = &mut self.workers[worker];
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
                *position = batch.next.0;
                polled.push(batch);
            }
        }
    }

    fn commit(&mut self, worker: usize, fault: Fault) {
        let polled = std::mem::take(&mut self.workers[worker].polled);
        let letters = &mut self.letters;
        let send = |batch: &Batch<'_>| {
            if matches!(fault, Fault::LetterRefused) && batch.refused().len() > 0 {
                return Err(Error::transient("the dead letters are away"));
            }
            letters.extend(batch.refused().map(|(message, _)| (batch.partition().id, message.offset().0)));
            Ok(())
        };
        self.store.fault = Some(fault);
        let stored =
            work(polled, &mut sum, send).and_then(|parts| self.store.commit(Work { owner: &Owner::default(), parts }));
        if stored.is_err() {
            self.resume(worker);
        }
    }

    fn roll_back(&mut self, partition: Option<usize>, commits: usize) {
        let Some(index) = self.store.history.len().checked_sub(commits) else { return };
        let earlier = self.store.history[index].clone();
        for id in (0..PARTITIONS).filter(|&id| partition.is_none_or(|only| only == id)) {
            match earlier.get(&id) {
                Some(&stored) => drop(self.store.now.insert(id, stored)),
                None => drop(self.store.now.remove(&id)),
            }
        }
    }

    /// The invariant.
    fn check(&self) {
        for (&id, stored) in &self.store.now {
            let position = usize::try_from(stored.position).unwrap();
            let prefix = &self.log[id][..position];
            let fold: i64 =
                prefix.iter().map(|entry| if let Entry::Number(number) = entry { *number } else { 0 }).sum();
            assert_eq!(stored.sum, fold, "partition {id} at {position}");
            for (offset, entry) in prefix.iter().enumerate() {
                let letter = (id.try_into().unwrap(), offset.try_into().unwrap());
                let refused = matches!(entry, Entry::Garbage | Entry::Poison);
                assert!(!refused || self.letters.contains(&letter), "{id}/{offset} was passed and is nowhere");
            }
        }
    }

    /// Without further faults, everything is folded.
    fn settle(&mut self) {
        (0..WORKERS).for_each(|worker| self.resume(worker));
        while (0..PARTITIONS).any(|id| self.store.now[&id].position < self.log[id].len().try_into().unwrap()) {
            for worker in 0..WORKERS {
                self.poll(worker, 10);
                self.commit(worker, Fault::None);
            }
        }
        self.check();
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_the_fold_of_a_prefix_whatever_the_schedule(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::default();
        (0..WORKERS).for_each(|worker| world.resume(worker));
        for step in &steps {
            world.apply(step);
            world.check();
        }
        world.settle();
    }
}
