//! The endpoint, the log of outcomes, Redis, and the processes; and what must be true of them.

use std::collections::{BTreeMap, HashSet};

use event::Outcome;
use testkit::Reached;

use super::COURIERS;
use super::process::{Process, State};
use super::redis::Redis;
use super::schedule::{Answer, Fault, Step};
use crate::courier::board::{Board, Known};
use crate::courier::look_back::WINDOW_MS;
use crate::courier::ruling::may_claim;

/// What a rebuild looks back.
pub(super) const HORIZON_MS: i64 = 48 * 3_600 * 1_000;
/// Redis forgets its last moments, and no more.
pub(super) const FORGETS_MS: i64 = 60_000;

/// A record of topic `postbacks`.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    pub(super) at: i64,
    pub(super) id: usize,
    pub(super) outcome: Outcome,
    pub(super) possibly_repeated: bool,
    /// Whether an answered success came before this one's request.
    pub(super) repeats: bool,
}

/// What happened to one delivery.
#[derive(Default)]
pub(super) struct Story {
    pub(super) successes: usize,
    /// What may each have cost an answered success its record.
    pub(super) disturbances: usize,
    /// Redis went back: it may hand the delivery out a second time.
    pub(super) went_back: bool,
    /// A process that had it in hand died, stood still or lost the partition.
    pub(super) was_dropped: bool,
}

pub(super) struct World {
    pub(super) now: i64,
    pub(super) scheduled: usize,
    pub(super) redis: Redis,
    pub(super) history: Vec<(i64, Redis)>,
    pub(super) log: Vec<Attempt>,
    pub(super) owner: usize,
    pub(super) couriers: [Process; COURIERS],
    pub(super) stories: BTreeMap<usize, Story>,
    pub(super) was_emptied: bool,
    pub(super) reached: Reached,
}

impl World {
    pub(super) fn new() -> Self {
        let mut couriers: [Process; COURIERS] = Default::default();
        couriers[0].owns = true;
        couriers.iter_mut().for_each(|courier| courier.session = 1);
        Self {
            now: 1_000_000_000_000,
            scheduled: 0,
            redis: Redis::default(),
            history: Vec::new(),
            log: Vec::new(),
            owner: 0,
            couriers,
            stories: BTreeMap::new(),
            was_emptied: false,
            reached: Reached::default(),
        }
    }

    /// Every record is flagged that must be, and a success is recorded once.
    fn check(&self) -> Result<(), String> {
        let mut delivered = HashSet::new();
        for attempt in &self.log {
            let Attempt { id, outcome, possibly_repeated, repeats, .. } = *attempt;
            // If Redis forgot a claim, and he who made it cannot be asked, nobody knows of it.
            let story = &self.stories[&id];
            if story.went_back && story.was_dropped {
                continue;
            }
            if outcome == Outcome::Delivered && !delivered.insert(id) {
                return Err(format!("two successes of delivery {id} are recorded"));
            }
            if repeats && !possibly_repeated {
                return Err(format!("delivery {id} was told again, and its record does not say so"));
            }
        }
        Ok(())
    }

    /// Without further faults, everything is told.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        (0..COURIERS).for_each(|courier| self.wake(courier));
        self.check_position();
        self.work_off()?;
        for id in 0..self.scheduled {
            let is_over = |attempt: &Attempt| attempt.id == id && attempt.outcome != Outcome::Retrying;
            if !self.log.iter().any(is_over) {
                return Err(format!("delivery {id} came to nothing"));
            }
        }
        Ok(())
    }

    /// Whatever is in hand or due is brought to its end.
    fn work_off(&mut self) -> Result<(), String> {
        for _ in 0..200 {
            for courier in 0..COURIERS {
                for pick in 0..4 {
                    self.begin(courier, pick);
                    self.answer(courier, pick, Answer::Success)?;
                    self.record(courier, pick, Fault::None);
                    self.remove(courier, pick, Fault::None);
                }
            }
            if self.redis.is_empty() {
                break;
            }
            self.deliver(self.owner)?;
            self.pass(5_000);
            self.check()?;
        }
        Ok(())
    }

    /// Long enough that a look back does not reach behind it.
    fn quiet(&mut self) -> Result<(), String> {
        (0..COURIERS).for_each(|courier| self.wake(courier));
        self.check_position();
        self.work_off()?;
        self.reached.note("a quiet hour");
        self.pass(3_600_000);
        Ok(())
    }

    pub(super) fn apply(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Schedule => {
                self.scheduled += 1;
                self.check_position();
            }
            Step::Pass(ms) => self.pass(ms),
            Step::Quiet => self.quiet()?,
            Step::Turn(courier) => self.turn(courier),
            Step::Claim(courier) => self.claim(courier),
            Step::Begin(courier, pick) => self.begin(courier, pick),
            Step::Answer(courier, pick, answer) => self.answer(courier, pick, answer)?,
            Step::Record(courier, pick, fault) => self.record(courier, pick, fault),
            Step::Remove(courier, pick, fault) => self.remove(courier, pick, fault),
            Step::Deliver(courier) => self.deliver(courier)?,
            Step::Crash(courier) => self.crash(courier),
            Step::Move(courier) => self.move_to(courier),
            Step::MoveFrozen(courier) => self.freeze_and_move_to(courier),
            Step::Wake(courier) => self.wake(courier),
            Step::Rollback(changes) => self.roll_back(changes),
            Step::Empty => self.empty(),
            Step::Check => self.check_position(),
        }
        self.check()
    }

    fn pass(&mut self, ms: i64) {
        self.now += ms;
        let running = self.couriers.iter_mut().filter(|process| !process.is_frozen);
        for errand in running.flat_map(|process| &mut process.errands) {
            if let State::Recording { until, attempt, next } = errand.state {
                self.reached.note("delayed record arrived");
                self.log.push(Attempt { at: self.now.min(until), ..attempt });
                errand.state = State::Recorded { next };
            }
            errand.lose_if_late(self.now, self.stories.entry(errand.claimed.id).or_default());
        }
    }

    pub(super) fn keep_history(&mut self) {
        if self.history.last().is_none_or(|(_, last)| *last != self.redis) {
            self.history.push((self.now, self.redis.clone()));
        }
    }

    pub(super) fn turn(&mut self, courier: usize) {
        let process = &mut self.couriers[courier];
        if process.is_frozen {
            return;
        }
        let (sessions, asked) = (process.sessions(), process.memory.take_doubt());
        let mut known = process.board.known;
        if !may_claim(&process.board, &sessions, asked.is_some()) {
            let newest = self.log.iter().map(|attempt| attempt.at).max().unwrap_or_default();
            let since = (newest - WINDOW_MS).min(asked.and_then(|doubt| doubt.since).unwrap_or(i64::MAX));
            known = Known { since, until: self.now };
            let read = self.log.iter().filter(|attempt| attempt.at >= since);
            let finished = read.filter(|attempt| attempt.outcome != Outcome::Retrying);
            let finished: HashSet<u128> = finished.map(|attempt| attempt.id as u128).collect();
            process.memory.relearn(finished);
            self.reached.note("look back");
        }
        process.board = Board { sessions, known, ..Board::default() };
    }
}

/// A delivery's id, as it is written.
pub(super) fn name(id: usize) -> String {
    format!("{id:032x}")
}
