//! The guarantee of the three stages together, as a property over schedules: whatever the lag between them, whatever
//! crashes, hangs, goes back or is emptied, *what is published equals the fold of `activity` below the committed offset*:
//! each install is decided once and each event goes out once, and a decision misses no touch that was appended before its
//! hold had ended. Handler, hold, questions and answers, the recent decisions, and what `remember` and `record` make of a
//! record are the real ones; Kafka and the two stores are in memory.
//!
//! Each of these was tried, and fails: asking `record` without waiting for it; recent decisions that outlive their session;
//! a floor that is not asked for anew in a new session; an old answer of where `activity` ends for records that it does not
//! hold; recent decisions that are known in every partition. Not seen to fail: a floor that is not raised when a generation
//! is forgotten, and a generation that is forgotten before its commit, which needs three partitions in one step.
//!
//! A partition stands for itself: install and event ids are told apart within one, as the key of `activity` demands.

mod schedule;

mod backbone;
mod index;
mod kafka;

mod member;
mod reference;

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use testkit::{Reached, explore};

use self::backbone::Shared;
use self::member::Member;
use self::schedule::{Entry, Fault, Stage, Step, step};
use crate::apps::Apps;

const PARTITIONS: usize = 2;
const WORKERS: usize = 2;
/// Three naps.
const HOLD: Duration = Duration::from_millis(60);
/// Few enough decisions that they are forgotten within a schedule.
const GENERATION: usize = 2;
const DEVICE_KEY: &[u8] = b"game|device";

struct Model {
    shared: Shared,
    members: Vec<Member>,
}

impl Model {
    fn new(apps: &Apps) -> Self {
        let shared = Shared::new();
        let members = (0..WORKERS).map(|worker| Member::new(&shared, worker, apps)).collect();
        Self { shared, members }
    }

    fn apply(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Poll(worker, most) => self.members[*worker].poll(*most),
            Step::Decide(worker, meanwhile) => self.members[*worker].decide(meanwhile),
            Step::Publish(worker, fault) => self.members[*worker].publish(*fault),
            Step::Work(worker) => self.work(*worker)?,
            Step::Crash(Stage::Decide, worker) => self.members[*worker].crash(),
            elsewhere => self.shared.lock().apply(elsewhere),
        }
        self.shared.lock().check_published()
    }

    fn work(&mut self, worker: usize) -> Result<(), String> {
        for step in [
            Step::CatchUp(Stage::Remember),
            Step::CatchUp(Stage::Record),
            Step::Publish(worker, Fault::None),
            Step::Poll(worker, 3),
            Step::Decide(worker, Vec::new()),
            Step::Publish(worker, Fault::None),
        ] {
            self.apply(&step)?;
        }
        Ok(())
    }

    /// Without further faults, everything is decided.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..20 {
            for step in [Step::Expire, Step::SetClock(0), Step::CatchUp(Stage::Remember), Step::CatchUp(Stage::Record)]
            {
                self.apply(&step)?;
            }
            for worker in 0..WORKERS {
                self.apply(&Step::Publish(worker, Fault::None))?;
                self.apply(&Step::Poll(worker, usize::MAX))?;
                self.apply(&Step::Decide(worker, Vec::new()))?;
            }
            let mut shared = self.shared.lock();
            let ends = shared.kafka.activity.each_ref().map(|events| i64::try_from(events.len()).unwrap());
            if shared.kafka.committed == ends {
                return shared.check_decisions();
            }
        }
        Err("it does not come to an end".to_owned())
    }

    fn reached(&self) -> Reached {
        self.shared.lock().reached.clone()
    }
}

#[test]
fn each_install_is_decided_once_and_each_event_goes_out_once_whatever_the_schedule() {
    let apps = Apps::open(Path::new("/nowhere/apps.toml")).unwrap();
    let schedules = prop::collection::vec(step(), 1..120);
    let reached = explore(100_000, &schedules, |steps, reached| {
        let mut model = Model::new(&apps);
        for step in steps {
            model.apply(step)?;
        }
        model.settle()?;
        reached.add(&model.reached());
        Ok(())
    });
    reached.require(
        50,
        &[
            "install decided",
            "repeated install dropped",
            "repeated event dropped",
            "event with the attribution of its install",
            "something happened while decide waited",
            "decide gave up waiting",
            "answer of a commit lost",
            "died within a transaction",
            "end of a transaction delayed",
            "delayed commit arrived",
            "committed offset not told while a transaction is open",
            "open transaction aborted by its successor",
            "transaction timed out",
            "zombie fenced",
            "rebalance that dropped a gather",
            "index fenced",
            "remember went back",
            "remember was emptied",
            "record went back",
            "record was emptied",
        ],
    );
}

/// Where `activity` ended was kept for later records, if the clock said that they came before it was asked.
#[test]
fn a_clock_that_is_ahead_lets_no_repetition_through() {
    let mut model = Model::new(&Apps::open(Path::new("/nowhere/apps.toml")).unwrap());
    let install = |event_id, install_id| Step::Append(1, Entry::Install { event_id, install_id, device: 0 });
    for step in [
        Step::SetClock(3_600_000),
        install(0, 0),
        Step::Work(1),
        Step::Append(1, Entry::Event { event_id: 5, install_id: 0 }),
        install(5, 1),
        Step::Poll(1, 2),
        Step::Decide(1, Vec::new()),
        Step::Publish(1, Fault::None),
    ] {
        model.apply(&step).unwrap();
    }
    model.settle().unwrap();
}
