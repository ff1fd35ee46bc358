//! A worker of `decide`: the real handler behind the real hold, and a publisher whose transactions may go wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use event::topic;
use stream::{Batch, Bookmark, Error, Offset, Outgoing, Owner, Part, Partition, Sink, Standing, Work};
use testkit::{Appended, batch_from};

use super::backbone::{Shared, recorded, remembered};
use super::kafka::State;
use super::schedule::{Fault, Step};
use super::{DEVICE_KEY, GENERATION, HOLD, PARTITIONS};
use crate::apps::Apps;
use crate::commits::Counted;
use crate::decider::Decider;
use crate::ends::Log;
use crate::hold::{Clock, Hold};
use crate::lookups::Lookups;
use crate::recent::Recent;

pub(super) struct Member {
    shared: Shared,
    worker: usize,
    apps: Apps,
    decider: Decider,
    sink: Counted<Transactions>,
    session: u64,
    /// Nothing before it has asked where to begin.
    positions: Option<BTreeMap<usize, i64>>,
    generation: u64,
    polled: Vec<Batch<'static>>,
    parts: Vec<Part<Vec<Outgoing>>>,
}

/// A transaction a commit.
struct Transactions {
    shared: Shared,
    worker: usize,
    /// The member's, as of when it took over its partitions.
    generation: u64,
}

impl Member {
    pub(super) fn new(shared: &Shared, worker: usize, apps: &Apps) -> Self {
        let sink = Counted::new(Transactions { shared: shared.clone(), worker, generation: 0 });
        let decider = Decider {
            lookups: lookups(shared),
            recent: Recent::of(GENERATION),
            commits: sink.commits(),
            apps: apps.clone(),
        };
        Self {
            shared: shared.clone(),
            worker,
            apps: apps.clone(),
            decider,
            sink,
            session: 0,
            positions: None,
            generation: 0,
            polled: Vec::new(),
            parts: Vec::new(),
        }
    }

    pub(super) fn crash(&mut self) {
        *self = Self::new(&self.shared.clone(), self.worker, &self.apps.clone());
    }

    /// Between a poll and its commit nothing is polled; a change of the group drops what was gathered.
    pub(super) fn poll(&mut self, most: usize) {
        if !self.parts.is_empty() {
            return;
        }
        let generation = self.shared.lock().group.generation;
        if self.generation != generation || self.positions.is_none() {
            if !self.polled.is_empty() {
                self.shared.lock().reached.note("rebalance that dropped a gather");
            }
            self.fail();
            self.resume();
        }
        if !self.polled.is_empty() {
            return;
        }
        let shared = self.shared.lock();
        for (&id, position) in self.positions.iter_mut().flatten() {
            let events = shared.kafka.activity[id].iter().enumerate().skip((*position).try_into().unwrap()).take(most);
            let records = events.map(|(offset, event)| Appended {
                offset: offset.try_into().unwrap(),
                at: event.at,
                key: Some(DEVICE_KEY),
                payload: event.payload.as_bytes(),
            });
            let partition = Partition::new(topic::ACTIVITY, id.try_into().unwrap());
            let batch = batch_from(partition, (self.session, Offset(*position)), records);
            if !batch.is_empty() {
                *position += i64::try_from(batch.len()).unwrap();
                self.polled.push(batch);
            }
        }
    }

    pub(super) fn decide(&mut self, meanwhile: &[Step]) {
        let polled = std::mem::take(&mut self.polled);
        if polled.is_empty() {
            return;
        }
        {
            let mut shared = self.shared.lock();
            shared.meanwhile = meanwhile.iter().cloned().collect();
            shared.naps = meanwhile.len() + 6;
        }
        for mut batch in polled {
            match self.decider.handle(&mut batch) {
                Ok(output) => self.parts.push(batch.finish(output)),
                Err(_) => {
                    self.shared.lock().reached.note("decide gave up waiting");
                    return self.fail();
                }
            }
        }
        self.shared.lock().reached.note("batch decided");
    }

    pub(super) fn publish(&mut self, fault: Fault) {
        let parts = std::mem::take(&mut self.parts);
        if parts.is_empty() {
            return;
        }
        self.shared.lock().fault = fault;
        if self.sink.commit(Work { owner: &Owner::default(), parts }).is_err() {
            self.fail();
        }
    }

    /// The one recovery: everything is dropped; the next poll asks where to go on.
    fn fail(&mut self) {
        self.positions = None;
        self.polled.clear();
        self.parts.clear();
    }

    fn resume(&mut self) {
        let (generation, owned) = {
            let shared = self.shared.lock();
            (shared.group.generation, shared.group.owned_by(self.worker))
        };
        self.sink.settle().unwrap();
        let Some(standings) = self.standings(&owned) else { return };
        let bookmarks = self.sink.resume(&standings).unwrap();
        self.session += 1;
        self.generation = generation;
        self.positions =
            Some(owned.into_iter().zip(bookmarks.into_iter().map(|bookmark| bookmark.position.0)).collect());
    }

    /// Nothing where a committed offset may still move.
    fn standings(&self, owned: &[usize]) -> Option<Vec<Standing>> {
        let mut shared = self.shared.lock();
        if owned.iter().any(|&id| shared.kafka.is_unstable(id)) {
            shared.reached.note("committed offset not told while a transaction is open");
            return None;
        }
        let standing = |&id: &usize| Standing {
            partition: Partition::new(topic::ACTIVITY, id.try_into().unwrap()),
            committed: Some(Offset(shared.kafka.committed[id])),
            metadata: String::new(),
            first: Offset(0),
            end: Offset(shared.kafka.activity[id].len().try_into().unwrap()),
        };
        Some(owned.iter().map(standing).collect())
    }
}

impl Sink for Transactions {
    type Output = Vec<Outgoing>;

    fn settle(&mut self) -> stream::Result<()> {
        let mut shared = self.shared.lock();
        if shared.kafka.end(self.worker, State::Aborted) {
            shared.reached.note("open transaction aborted by its successor");
        }
        self.generation = shared.group.generation;
        Ok(())
    }

    fn resume(&mut self, standings: &[Standing]) -> stream::Result<Vec<Bookmark>> {
        Ok(standings.iter().map(|standing| standing.committed.unwrap_or(standing.first).into()).collect())
    }

    fn commit(&mut self, work: Work<'_, Vec<Outgoing>>) -> stream::Result<()> {
        let mut shared = self.shared.lock();
        let fault = std::mem::replace(&mut shared.fault, Fault::None);
        if fault == Fault::NotApplied {
            return Err(Error::transient("not begun"));
        }
        let transaction = shared.kafka.begin(self.worker);
        let position = |part: &Part<_>| (usize::try_from(part.partition.id).unwrap(), part.next.0);
        let positions: Vec<_> = work.parts.iter().map(position).collect();
        let records: Vec<_> = work.parts.into_iter().flat_map(|part| part.output).collect();
        let sent = if fault == Fault::Torn { records.len() / 2 } else { records.len() };
        for record in records.into_iter().take(sent) {
            shared.kafka.produce(transaction, record);
        }
        if fault == Fault::Torn {
            shared.reached.note("died within a transaction");
            return Err(Error::transient("died"));
        }
        if shared.group.generation != self.generation {
            shared.reached.note("zombie fenced");
            return Err(Error::Fenced("not a member of this generation".into()));
        }
        shared.kafka.send_offsets(transaction, positions);
        if fault == Fault::EndDelayed {
            shared.reached.note("end of a transaction delayed");
            return Err(Error::transient("no answer"));
        }
        shared.kafka.end(self.worker, State::Committed);
        if fault == Fault::AnswerLost {
            shared.reached.note("answer of a commit lost");
            return Err(Error::transient("no answer"));
        }
        shared.reached.note("commit");
        Ok(())
    }
}

/// The real questions, put to the stores of the model. While a worker waits, the rest of the world goes on.
fn lookups(shared: &Shared) -> Lookups {
    let [clock, sleeping, running, log, remember, record] = std::array::from_fn(|_| shared.clone());
    let now = move || {
        let shared = clock.lock();
        shared.time + shared.ahead
    };
    let sleep = move |length: Duration| {
        let mut shared = sleeping.lock();
        shared.time += i64::try_from(length.as_millis()).unwrap();
        shared.go_on();
    };
    let goes_on = move |_: Option<&str>| {
        let mut shared = running.lock();
        let goes_on = shared.naps > 0;
        shared.naps = shared.naps.saturating_sub(1);
        goes_on
    };
    Lookups {
        hold: Hold::new(HOLD, Clock { now: Box::new(now), sleep: Box::new(sleep) }, goes_on),
        log: Log::new(move |topic| Ok(log.lock().kafka.ends(topic)), PARTITIONS),
        remembered: Box::new(move |ids, asks| {
            let mut shared = remember.lock();
            shared.go_on();
            Ok(shared.remember.fetch(ids, asks, remembered))
        }),
        recorded: Box::new(move |ids, asks| {
            let mut shared = record.lock();
            shared.go_on();
            Ok(shared.record.fetch(ids, asks, recorded))
        }),
        ends: None,
    }
}
