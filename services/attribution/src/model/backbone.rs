//! What the stages share: Kafka, the two indexes, the time; and the steps that need no worker of `decide`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use event::Activity;
use ledger::{Ask, Value};
use serde_json::json;
use stream::Offset;
use testkit::Reached;

use super::index::{Group, Index};
use super::kafka::{Event, Kafka, State};
use super::schedule::{Entry, Fault, Stage, Step};
use super::{DEVICE_KEY, WORKERS};
use crate::arrival::{Arrival, check};
use crate::known::Known;
use crate::record;
use crate::remember::{self, entry};
use crate::rules::Rules;
use crate::world::{activity, header, touch};

pub(super) struct Backbone {
    pub(super) kafka: Kafka,
    pub(super) remember: Index<remember::Entry>,
    pub(super) record: Index<(String, Known)>,
    /// Of `decide`.
    pub(super) group: Group,
    /// The brokers' time; the workers' clock is ahead of it by `ahead`.
    pub(super) time: i64,
    pub(super) ahead: i64,
    /// Whether it ever was.
    pub(super) was_ahead: bool,
    /// What happens while a worker of `decide` waits, a step at each nap; and how many more naps it takes.
    pub(super) meanwhile: VecDeque<Step>,
    pub(super) naps: usize,
    /// What happens to the next transaction.
    pub(super) fault: Fault,
    pub(super) reached: Reached,
}

#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Backbone>>);

impl Shared {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Backbone {
            kafka: Kafka::default(),
            remember: Index::new(),
            record: Index::new(),
            group: Group::new(),
            time: 1_000_000,
            ahead: 0,
            was_ahead: false,
            meanwhile: VecDeque::new(),
            naps: 0,
            fault: Fault::None,
            reached: Reached::default(),
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Backbone> {
        self.0.lock().unwrap()
    }
}

impl Backbone {
    pub(super) fn apply(&mut self, step: &Step) {
        match step {
            Step::Append(partition, entry) => self.append(*partition, *entry),
            Step::Wait(ms) => self.time += ms,
            Step::SetClock(ahead) => {
                self.ahead = *ahead;
                self.was_ahead |= self.ahead > 0;
            }
            Step::Read(Stage::Remember, worker, most) => self.read_activity(*worker, *most),
            Step::Read(_, worker, most) => self.read_installs(*worker, *most),
            Step::Store(Stage::Remember, worker, fault) => self.remember.store(*worker, *fault, &mut self.reached),
            Step::Store(_, worker, fault) => self.record.store(*worker, *fault, &mut self.reached),
            Step::CatchUp(stage) => self.catch_up(*stage),
            Step::Crash(Stage::Remember, worker) => self.remember.resume(*worker),
            Step::Crash(_, worker) => self.record.resume(*worker),
            Step::Move(Stage::Remember, owners) => self.remember.group.rebalance(*owners),
            Step::Move(Stage::Decide, owners) => self.group.rebalance(*owners),
            Step::Move(Stage::Record, owners) => self.record.group.rebalance(*owners),
            Step::Rollback(Stage::Remember, partition, commits) => {
                self.reached.note_if(self.remember.roll_back(*partition, *commits), "remember went back");
            }
            Step::Rollback(_, partition, commits) => {
                self.reached.note_if(self.record.roll_back(*partition, *commits), "record went back");
            }
            Step::Empty(Stage::Remember) => self.reached.note_if(self.remember.empty(), "remember was emptied"),
            Step::Empty(_) => self.reached.note_if(self.record.empty(), "record was emptied"),
            Step::Expire => {
                let expired = (0..WORKERS).filter(|&worker| self.kafka.end(worker, State::Aborted)).count();
                self.reached.note_if(expired > 0, "transaction timed out");
            }
            Step::Arrive(worker) => self.reached.note_if(self.kafka.arrive(*worker), "delayed commit arrived"),
            Step::Poll(..) | Step::Decide(..) | Step::Publish(..) | Step::Work(..) => {
                unreachable!("a worker of decide does these")
            }
        }
    }

    /// A step of what happens while a worker of `decide` waits or asks.
    pub(super) fn go_on(&mut self) {
        if let Some(step) = self.meanwhile.pop_front() {
            self.reached.note("something happened while decide waited");
            self.apply(&step);
        }
    }

    fn append(&mut self, partition: usize, entry: Entry) {
        let number = self.kafka.activity.iter().map(Vec::len).sum::<usize>();
        let device = |device: u8| json!({ "oaid": format!("device-{device}") });
        let payload = match entry {
            Entry::Click { device: name } => {
                let age = i64::try_from(number * 37 % 50 * 1_000 + number).unwrap();
                touch("click", &format!("t{number}"), age, json!({ "device": device(name) }))
            }
            Entry::Install { event_id, install_id, device: name } => {
                let more = json!({ "install_id": format!("i{install_id}"), "device": device(name) });
                activity("install", &format!("e{event_id}"), more)
            }
            Entry::Event { event_id, install_id } => {
                let more = json!({ "install_id": format!("i{install_id}"), "event_name": "purchase" });
                activity("event", &format!("e{event_id}"), more)
            }
            Entry::Garbage => "garbage".to_owned(),
        };
        self.time += 1;
        self.kafka.activity[partition].push(Event { entry, payload, at: self.time });
    }

    fn catch_up(&mut self, stage: Stage) {
        for worker in 0..WORKERS {
            // What it had in hand first, then the rest.
            for _ in 0..2 {
                match stage {
                    Stage::Remember => self.remember.notice(worker),
                    _ => self.record.notice(worker),
                }
                self.apply(&Step::Read(stage, worker, usize::MAX));
                self.apply(&Step::Store(stage, worker, Fault::None));
            }
        }
    }

    fn read_activity(&mut self, worker: usize, most: usize) {
        let Self { kafka, remember, .. } = self;
        remember.read(worker, |partition, from| {
            let events = kafka.activity[partition].iter().enumerate().skip(from.try_into().unwrap()).take(most);
            let mut next = from;
            let mut entries = Vec::new();
            for (offset, event) in events {
                let offset = i64::try_from(offset).unwrap();
                entries.extend(
                    arrival(event, offset).map(|arrival| {
                        (offset, entry(&arrival, &Rules::default(), Duration::from_secs(3_600)).unwrap())
                    }),
                );
                next = offset + 1;
            }
            (entries, next)
        });
    }

    fn read_installs(&mut self, worker: usize, most: usize) {
        let Self { kafka, record, .. } = self;
        record.read(worker, |partition, from| {
            let (records, next) = kafka.read_installs(partition, from, most);
            let entry = |(offset, install): (i64, &stream::Outgoing)| {
                let decided = serde_json::from_slice(&install.payload).unwrap();
                (offset, record::entry(&decided, header(install, "src")).unwrap())
            };
            (records.into_iter().map(entry).collect(), next)
        });
    }
}

fn arrival(event: &Event, offset: i64) -> Option<Arrival<'_>> {
    let activity: Activity<'_> = serde_json::from_str(&event.payload).ok()?;
    let (key, members) = check(Some(DEVICE_KEY), event.payload.as_bytes(), &activity).ok()?;
    Some(Arrival { offset: Offset(offset), appended_at: event.at, key, members, activity })
}

/// What the index of `remember` holds under a name.
pub(super) fn remembered(entries: &[(i64, remember::Entry)], ask: &Ask) -> Value {
    match ask {
        Ask::ZRange(name) => Value::Members(
            entries
                .iter()
                .filter_map(|(_, entry)| match entry {
                    remember::Entry::Touch { keys, member, .. } if keys.contains(name) => Some(member.clone()),
                    _ => None,
                })
                .collect(),
        ),
        Ask::Get(name) => entries
            .iter()
            .find_map(|(_, entry)| match entry {
                remember::Entry::FirstSeen { key, offset, .. } if key == name => Some(offset.to_string()),
                _ => None,
            })
            .map_or(Value::None, |offset| Value::Bytes(offset.into_bytes())),
        _ => unreachable!("decide asks nothing else"),
    }
}

/// What the index of `record` holds under a name.
pub(super) fn recorded(entries: &[(i64, (String, Known))], ask: &Ask) -> Value {
    let Ask::Get(name) = ask else { unreachable!("decide asks nothing else") };
    let known = entries.iter().find_map(|(_, (key, known))| (key == name).then_some(known));
    known.map_or(Value::None, |known| Value::Bytes(serde_json::to_vec(known).unwrap()))
}
