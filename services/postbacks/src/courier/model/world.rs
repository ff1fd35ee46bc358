//! The endpoint, the log of outcomes, Redis, and the processes; and what must be true of them.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use event::Outcome;
use testkit::Reached;

use super::COURIERS;
use super::process::{Errand, Process, State};
use super::redis::{Claimed, Redis};
use super::schedule::{Answer, Fault, Step};
use crate::courier::attempt::Tried;
use crate::courier::board::{Board, Known};
use crate::courier::look_back::WINDOW_MS;
use crate::courier::memory::{Doubt, Unrecorded};
use crate::courier::ruling::{Duty, RECORDED_WITHIN, Sight, is_possibly_repeated, lease, may_claim, may_record};
use crate::schedule::Schedule;
use crate::verdict::{Class, Verdict};

/// The endpoint's.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What a rebuild looks back.
pub(super) const HORIZON_MS: i64 = 48 * 3_600 * 1_000;
/// Redis forgets its last moments, and no more.
pub(super) const FORGETS_MS: i64 = 60_000;

/// A record of topic `postbacks`.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    at: i64,
    id: usize,
    outcome: Outcome,
    possibly_repeated: bool,
    /// Whether an answered success came before this one's request.
    repeats: bool,
}

/// What happened to one delivery.
#[derive(Default)]
pub(super) struct Story {
    successes: usize,
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
    log: Vec<Attempt>,
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
        for id in 0..self.scheduled {
            let is_over = |attempt: &Attempt| attempt.id == id && attempt.outcome != Outcome::Retrying;
            if !self.log.iter().any(is_over) {
                return Err(format!("delivery {id} came to nothing"));
            }
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Schedule => {
                self.scheduled += 1;
                self.check_position();
            }
            Step::Pass(ms) => self.pass(ms),
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
            if let State::Recording { until, attempt, next_at } = errand.state {
                self.reached.note("delayed record arrived");
                self.log.push(Attempt { at: self.now.min(until), ..attempt });
                errand.state = State::Recorded { next_at };
            }
        }
    }

    fn keep_history(&mut self) {
        if self.history.last().is_none_or(|(_, last)| *last != self.redis) {
            self.history.push((self.now, self.redis.clone()));
        }
    }

    fn turn(&mut self, courier: usize) {
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

    fn claim(&mut self, courier: usize) {
        self.keep_history();
        let process = &mut self.couriers[courier];
        let may_claim = may_claim(&process.board, &process.sessions(), process.memory.is_in_doubt());
        if process.is_frozen || !process.owns || !may_claim {
            return;
        }
        let lease_until = self.now + millis(lease(TIMEOUT));
        let Some(claimed) = self.redis.claim(self.now, lease_until) else { return };
        let (claimed_at, known) = (self.now, process.board.known);
        process.errands.push(Errand { claimed, claimed_at, known, state: State::Claimed });
        if is_possibly_repeated(claimed.attempt, claimed.recorded) {
            self.reached.note("claimed after a crash or a lost answer");
        }
        if courier != self.owner {
            self.reached.note("claimed by a zombie");
            let story = self.stories.entry(claimed.id).or_default();
            // It has not looked back since the partition moved; only Redis tells it what others did, unless that went back.
            story.was_dropped = true;
            story.disturbances += usize::from(story.went_back);
        }
    }

    /// As an errand does before and instead of its request.
    fn begin(&mut self, courier: usize, pick: usize) {
        self.keep_history();
        let process = &mut self.couriers[courier];
        let Some(at) = pick_errand(process, pick, |state| matches!(state, State::Claimed)) else { return };
        let Errand { claimed, claimed_at, known, .. } = process.errands[at];
        let Claimed { id, attempt, recorded, due, perhaps_told_since } = claimed;
        if !process.memory.take_up(&name(id)) {
            self.reached.note("claimed while under way");
            process.errands.remove(at);
            return;
        }
        let sight = Sight {
            is_finished: process.memory.is_finished(&name(id)),
            is_in_doubt: process.memory.is_in_doubt(),
            has_answer: process.memory.has_unrecorded(&name(id)),
            perhaps_told_since,
            is_possibly_repeated: is_possibly_repeated(attempt, recorded),
            due_ms: due,
            known,
            since_claim: elapsed(claimed_at, self.now),
        };
        let repeats = self.stories.entry(id).or_default().successes > 0;
        match sight.duty() {
            Duty::Request => process.errands[at].state = State::Requested { at: self.now, repeats },
            Duty::RecordAnswer => {
                self.reached.note("earlier answer recorded");
                let Unrecorded { attempt, tried } = process.memory.take_unrecorded(&name(id)).unwrap();
                process.unrecorded.remove(&id);
                process.errands[at].state = State::Answered { attempt, tried, repeats: false };
            }
            duty => {
                process.errands.remove(at);
                match duty {
                    Duty::LetGo => {
                        self.reached.note("let go");
                        process.memory.remember(&name(id));
                        self.redis.finish(id);
                    }
                    Duty::LookBack { since } => {
                        self.reached.note("given back for a look back");
                        process.memory.raise(Doubt { since });
                        self.redis.give_back(&claimed);
                    }
                    _ => {
                        self.reached.note("given back");
                        self.redis.give_back(&claimed);
                    }
                }
                process.memory.put_down(&name(id));
            }
        }
    }

    fn answer(&mut self, courier: usize, pick: usize, answer: Answer) -> Result<(), String> {
        let process = &mut self.couriers[courier];
        let Some(at) = pick_errand(process, pick, |state| matches!(state, State::Requested { .. })) else {
            return Ok(());
        };
        let errand = &mut process.errands[at];
        let State::Requested { at: requested_at, repeats } = errand.state else { return Ok(()) };
        let verdict = match answer {
            _ if elapsed(requested_at, self.now) > TIMEOUT => Verdict::Retry(Class::Timeout),
            Answer::Success => Verdict::Delivered,
            Answer::Busy => Verdict::Retry(Class::Http5xx),
            Answer::Refused => Verdict::Failed(Class::Http4xx),
        };
        errand.state =
            State::Answered { attempt: errand.claimed.attempt, tried: Tried::unsent(verdict, None), repeats };
        let id = errand.claimed.id;
        let story = self.stories.entry(id).or_default();
        if verdict != Verdict::Delivered {
            return Ok(());
        }
        story.successes += 1;
        if story.successes == 1 {
            return Ok(());
        }
        self.reached.note("success repeated");
        if story.successes - 1 > story.disturbances {
            return Err(format!(
                "delivery {id} was told {} times, and {} may have been lost",
                story.successes, story.disturbances
            ));
        }
        Ok(())
    }

    /// As an errand does with an answer: in time to the log, else nowhere.
    fn record(&mut self, courier: usize, pick: usize, fault: Fault) {
        let process = &mut self.couriers[courier];
        let Some(at) = pick_errand(process, pick, |state| matches!(state, State::Answered { .. })) else { return };
        let Errand { claimed, claimed_at, known, state } = process.errands.remove(at);
        let State::Answered { attempt, tried, repeats } = state else { return };
        let id = claimed.id;
        if !may_record(elapsed(claimed_at, self.now), lease(TIMEOUT)) {
            self.reached.note("too late to record");
            process.memory.put_down(&name(id));
            let story = self.stories.entry(id).or_default();
            story.disturbances += usize::from(tried.verdict == Verdict::Delivered);
            story.was_dropped = true;
            return;
        }
        let wait = match tried.verdict {
            Verdict::Retry(_) => Schedule::default().wait(&name(id), attempt, None),
            _ => None,
        };
        let next_at = wait.map(|wait| self.now + millis(wait));
        let outcome = tried.verdict.outcome(next_at.is_some());
        let possibly_repeated = is_possibly_repeated(attempt, claimed.recorded);
        let record = Attempt { at: self.now, id, outcome, possibly_repeated, repeats };
        let under_way = match fault {
            Fault::None => Some(State::Recorded { next_at }),
            Fault::Delayed => {
                let until = self.now + millis(RECORDED_WITHIN);
                Some(State::Recording { until, attempt: record, next_at })
            }
            Fault::AnswerLost | Fault::NotApplied => None,
        };
        if matches!(fault, Fault::None | Fault::AnswerLost) {
            self.reached.note(if possibly_repeated { "recorded, flagged" } else { "recorded" });
            self.log.push(record);
        }
        if let Some(state) = under_way {
            process.errands.push(Errand { claimed, claimed_at, known, state });
            return;
        }
        self.reached.note("not acknowledged");
        if tried.verdict == Verdict::Delivered {
            process.unrecorded.insert(id);
        }
        process.memory.keep(&name(id), Unrecorded { attempt, tried });
        process.memory.raise(Doubt { since: None });
        process.memory.put_down(&name(id));
    }

    /// Remembers before it removes.
    fn remove(&mut self, courier: usize, pick: usize, fault: Fault) {
        self.keep_history();
        let process = &mut self.couriers[courier];
        let Some(at) = pick_errand(process, pick, |state| matches!(state, State::Recorded { .. })) else { return };
        let Errand { claimed, state, .. } = process.errands.remove(at);
        let State::Recorded { next_at } = state else { return };
        let is_applied = matches!(fault, Fault::None | Fault::AnswerLost);
        match next_at {
            Some(due) if is_applied => self.redis.retry(claimed.id, claimed.attempt, due),
            Some(_) => {}
            None => {
                process.memory.remember(&name(claimed.id));
                if is_applied {
                    self.redis.finish(claimed.id);
                }
            }
        }
        self.reached.note_if(!is_applied, "removal lost");
        process.memory.put_down(&name(claimed.id));
    }

    fn deliver(&mut self, courier: usize) -> Result<(), String> {
        self.turn(courier);
        self.claim(courier);
        self.begin(courier, 0);
        self.answer(courier, 0, Answer::Success)?;
        self.record(courier, 0, Fault::None);
        self.remove(courier, 0, Fault::None);
        Ok(())
    }
}

/// One of the errands of a process that are in this state.
fn pick_errand(process: &Process, pick: usize, is_meant: impl Fn(&State) -> bool) -> Option<usize> {
    let meant = process.errands.iter().enumerate().filter(|(_, errand)| is_meant(&errand.state));
    if process.is_frozen { None } else { meant.map(|(at, _)| at).nth(pick) }
}

/// A delivery's id, as it is written.
pub(super) fn name(id: usize) -> String {
    format!("{id:032x}")
}

fn elapsed(from: i64, to: i64) -> Duration {
    Duration::from_millis(u64::try_from(to - from).unwrap())
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap()
}
