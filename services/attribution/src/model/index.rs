//! A ledger stage, `remember` or `record`, in memory: its workers, and a store that keeps entries together with the
//! position they came from.

use std::collections::BTreeMap;

use ledger::{Ask, Seen, Value};
use stream::Offset;
use testkit::Reached;

use super::schedule::Fault;
use super::{PARTITIONS, WORKERS};

pub(super) struct Index<E> {
    store: [Option<Kept<E>>; PARTITIONS],
    /// The positions before each commit.
    history: Vec<[Option<i64>; PARTITIONS]>,
    workers: [Worker<E>; WORKERS],
    pub(super) group: Group,
}

/// Who owns which partition.
pub(super) struct Group {
    pub(super) generation: u64,
    pub(super) owners: [usize; PARTITIONS],
}

/// What is stored of a partition: the entries below a position.
struct Kept<E> {
    position: i64,
    entries: Vec<(i64, E)>,
}

struct Worker<E> {
    /// As of when it owns its partitions; 0 before it has asked.
    generation: u64,
    positions: BTreeMap<usize, i64>,
    polled: Vec<Part<E>>,
}

struct Part<E> {
    partition: usize,
    from: i64,
    next: i64,
    entries: Vec<(i64, E)>,
}

impl Group {
    pub(super) fn new() -> Self {
        Self { generation: 1, owners: [0, 1] }
    }

    pub(super) fn rebalance(&mut self, owners: [usize; PARTITIONS]) {
        self.generation += 1;
        self.owners = owners;
    }

    pub(super) fn owned_by(&self, worker: usize) -> Vec<usize> {
        (0..PARTITIONS).filter(|&id| self.owners[id] == worker).collect()
    }
}

impl<E> Index<E> {
    pub(super) fn new() -> Self {
        let store = std::array::from_fn(|_| None);
        let workers = std::array::from_fn(|_| Worker { generation: 0, positions: BTreeMap::new(), polled: Vec::new() });
        Self { store, history: Vec::new(), workers, group: Group::new() }
    }

    /// Polls; `gather` is asked for a partition's entries from a position on, and where they end.
    pub(super) fn read(&mut self, worker: usize, gather: impl Fn(usize, i64) -> (Vec<(i64, E)>, i64)) {
        if self.workers[worker].generation != self.group.generation {
            self.resume(worker);
        }
        let Worker { positions, polled, .. } = &mut self.workers[worker];
        if !polled.is_empty() {
            return;
        }
        for (&partition, position) in positions {
            let (entries, next) = gather(partition, *position);
            if next > *position {
                polled.push(Part { partition, from: *position, next, entries });
                *position = next;
            }
        }
    }

    /// The stored position equals `from`, or nothing is written.
    pub(super) fn store(&mut self, worker: usize, fault: Fault, reached: &mut Reached) {
        let parts = std::mem::take(&mut self.workers[worker].polled);
        if parts.is_empty() {
            return;
        }
        let is_lost = matches!(fault, Fault::NotApplied | Fault::EndDelayed);
        self.history.push(self.positions());
        let mut has_failed = is_lost || fault == Fault::AnswerLost;
        for (number, part) in parts.into_iter().enumerate().filter(|_| !is_lost) {
            match &mut self.store[part.partition] {
                _ if number > 0 && fault == Fault::Torn => has_failed = true,
                Some(kept) if kept.position == part.from => {
                    kept.position = part.next;
                    kept.entries.extend(part.entries);
                }
                _ => {
                    reached.note("index fenced");
                    has_failed = true;
                }
            }
        }
        if has_failed {
            reached.note("index commit failed");
            self.resume(worker);
        }
    }

    /// As a stage does once a second: a worker whose positions are not the stored ones any more asks again.
    pub(super) fn notice(&mut self, worker: usize) {
        let Worker { positions, polled, .. } = &self.workers[worker];
        let stored = self.positions();
        if polled.is_empty() && positions.iter().any(|(&id, &position)| stored[id] != Some(position)) {
            self.resume(worker);
        }
    }

    /// The worker has nothing in hand any more, and asks the store where to go on.
    pub(super) fn resume(&mut self, worker: usize) {
        let owned = self.group.owned_by(worker);
        let mut start = |id: usize| self.store[id].get_or_insert(Kept { position: 0, entries: Vec::new() }).position;
        let positions = owned.into_iter().map(|id| (id, start(id))).collect();
        self.workers[worker] = Worker { generation: self.group.generation, positions, polled: Vec::new() };
    }

    /// Answers whether anything changed.
    pub(super) fn roll_back(&mut self, partition: Option<usize>, commits: usize) -> bool {
        let Some(earlier) = self.history.len().checked_sub(commits).map(|number| self.history[number]) else {
            return false;
        };
        let before = self.positions();
        for id in (0..PARTITIONS).filter(|&id| partition.is_none_or(|only| only == id)) {
            let Some(position) = earlier[id] else {
                self.store[id] = None;
                continue;
            };
            if let Some(kept) = &mut self.store[id] {
                kept.position = kept.position.min(position);
                kept.entries.retain(|(offset, _)| *offset < kept.position);
            }
        }
        before != self.positions()
    }

    pub(super) fn empty(&mut self) -> bool {
        let before = self.positions();
        self.store = std::array::from_fn(|_| None);
        self.history.clear();
        before != self.positions()
    }

    pub(super) fn positions(&self) -> [Option<i64>; PARTITIONS] {
        std::array::from_fn(|id| self.store[id].as_ref().map(|kept| kept.position))
    }

    /// As the real index answers: values together with the position they belong to.
    pub(super) fn fetch(&self, partitions: &[i32], asks: &[Ask], answer: fn(&[(i64, E)], &Ask) -> Value) -> Vec<Seen> {
        let seen = |&partition: &i32| {
            let kept = self.store[usize::try_from(partition).unwrap()].as_ref();
            let entries = kept.map_or([].as_slice(), |kept| &kept.entries);
            let values = asks.iter().map(|ask| answer(entries, ask)).collect();
            let position = kept.map(|kept| Offset(kept.position));
            Seen { partition, position, rebuilding_until: None, incomplete_from: None, values }
        };
        partitions.iter().map(seen).collect()
    }
}
