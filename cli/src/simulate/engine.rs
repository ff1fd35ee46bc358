//! Plays a scenario: each step of a journey is acknowledged before the next is sent, at the rate that was asked for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::simulate::deliveries::Deliveries;
use crate::simulate::fate::{Answered, Fate};
use crate::simulate::journey::{Door, Scenario, Submission};
use crate::simulate::target::Target;
use crate::simulate::truth::Tally;

/// How fast, how much, how many at once.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Messages a second; none: as fast as they are taken.
    pub rate: Option<f64>,
    /// Journeys are begun until they have this many messages in all.
    pub count: Option<u64>,
    pub batch: usize,
    pub in_flight: usize,
}

/// How far a run is, for whoever watches it.
#[derive(Debug, Default)]
pub struct Progress {
    pub stored: AtomicU64,
    pub retried: AtomicU64,
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Outcome {
    pub tally: Tally,
    pub stored: u64,
    pub duplicates: u64,
    pub retries: u64,
    pub refused: u64,
    pub unsettled: u64,
    /// The first few reasons, of messages that were refused or never settled.
    pub reasons: Vec<String>,
    pub journeys: u64,
    pub elapsed: Duration,
}

/// Plays until the count is reached and everything is answered, or until it is stopped: then nothing new is sent, and
/// what is under way gets its answer.
pub async fn play(scenario: Scenario, pace: Pace, target: Target, watch: Watch) -> Result<Outcome, JoinError> {
    let started = Instant::now();
    let mut engine = Engine::new(scenario, pace, watch);
    let mut flights = JoinSet::new();
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    loop {
        let stopping = engine.watch.stop.is_cancelled();
        while !stopping && flights.len() < pace.in_flight {
            let Some(batch) = engine.next_batch() else { break };
            let target = target.clone();
            flights.spawn(async move {
                let answers = target.send(batch.iter().map(|parcel| parcel.message.clone()).collect()).await;
                batch.into_iter().zip(answers).collect::<Vec<_>>()
            });
        }
        if flights.is_empty() && (stopping || engine.is_done()) {
            break;
        }
        tokio::select! {
            Some(landed) = flights.join_next() => engine.land(landed?),
            at = clock.tick() => engine.tokens.fill(at.into_std()),
        }
    }
    engine.outcome.journeys = engine.next_number;
    engine.outcome.elapsed = started.elapsed();
    Ok(engine.outcome)
}

/// What a run shares with whoever started it.
#[derive(Clone, Default)]
pub struct Watch {
    pub progress: Arc<Progress>,
    pub stop: CancellationToken,
    /// Foretells deliveries, where there is a rules file.
    pub deliveries: Option<Arc<Deliveries>>,
}

struct Engine {
    scenario: Scenario,
    pace: Pace,
    watch: Watch,
    outcome: Outcome,
    tokens: Tokens,
    ready: VecDeque<Parcel>,
    /// Journeys under way: their coming steps, and how many messages of the present one are unanswered.
    open: BTreeMap<u64, Open>,
    next_number: u64,
    planned: u64,
}

struct Parcel {
    journey: u64,
    message: Submission,
}

struct Open {
    steps: std::vec::IntoIter<Vec<Submission>>,
    unanswered: usize,
}

const REASONS: usize = 5;

impl Engine {
    fn new(scenario: Scenario, pace: Pace, watch: Watch) -> Self {
        Self {
            scenario,
            pace,
            watch,
            outcome: Outcome::default(),
            tokens: Tokens::new(pace.rate),
            ready: VecDeque::new(),
            open: BTreeMap::new(),
            next_number: 0,
            planned: 0,
        }
    }

    fn is_done(&self) -> bool {
        self.ready.is_empty() && self.open.is_empty() && !self.has_more()
    }

    fn has_more(&self) -> bool {
        self.pace.count.is_none_or(|count| self.planned < count)
    }

    /// What shall be sent now; a click for the link goes alone.
    fn next_batch(&mut self) -> Option<Vec<Parcel>> {
        let size = self.tokens.available(self.pace.batch);
        if size == 0 {
            return None;
        }
        while self.ready.len() < size && self.has_more() {
            self.begin_journey();
        }
        let alone = self.ready.front()?.message.door == Door::Link;
        let events = self.ready.iter().take(size).take_while(|parcel| parcel.message.door == Door::Events).count();
        let batch: Vec<Parcel> = self.ready.drain(..if alone { 1 } else { events }).collect();
        self.tokens.take(batch.len());
        Some(batch)
    }

    fn begin_journey(&mut self) {
        let journey = self.scenario.journey(self.next_number);
        self.planned += journey.len() as u64;
        self.open.insert(self.next_number, Open { steps: journey.steps.into_iter(), unanswered: 0 });
        self.take_step(self.next_number);
        self.next_number += 1;
    }

    fn take_step(&mut self, number: u64) {
        let Some(journey) = self.open.get_mut(&number) else { return };
        match journey.steps.next() {
            Some(step) => {
                journey.unanswered = step.len();
                self.ready.extend(step.into_iter().map(|message| Parcel { journey: number, message }));
            }
            None => {
                self.open.remove(&number);
            }
        }
    }

    fn land(&mut self, batch: Vec<(Parcel, Answered)>) {
        for (parcel, answered) in batch {
            let taken = matches!(answered.fate, Fate::Stored | Fate::Doubtful);
            self.note(&parcel.message, answered);
            // What follows would have another meaning without this message.
            if !taken {
                self.open.remove(&parcel.journey);
            }
            let Some(journey) = self.open.get_mut(&parcel.journey) else { continue };
            journey.unanswered -= 1;
            if journey.unanswered == 0 {
                self.take_step(parcel.journey);
            }
        }
    }

    fn note(&mut self, message: &Submission, answered: Answered) {
        self.outcome.retries += u64::from(answered.retries);
        self.watch.progress.retried.fetch_add(u64::from(answered.retries), Ordering::Relaxed);
        let expected = message.expected.as_ref();
        for day in answered.doubts {
            if let Some(expected) = expected {
                let mut cell = expected.counted.cell.clone();
                cell.day = day;
                self.outcome.tally.doubt(cell);
            }
        }
        match answered.fate {
            Fate::Stored => {
                self.outcome.stored += 1;
                self.watch.progress.stored.fetch_add(1, Ordering::Relaxed);
                let Some(mut expected) = expected.cloned() else {
                    self.outcome.duplicates += 1;
                    return;
                };
                if let Some(day) = answered.day {
                    expected.counted.cell.day = day;
                }
                self.outcome.tally.add(&expected.counted);
                if let Some(deliveries) = &self.watch.deliveries {
                    deliveries
                        .foretell(message, &expected)
                        .iter()
                        .for_each(|rule| self.outcome.tally.expect_delivery(rule));
                }
            }
            Fate::Doubtful => {}
            Fate::Refused(reason) => {
                self.outcome.refused += 1;
                self.keep_reason(reason);
            }
            Fate::Unsettled(reason) => {
                self.outcome.unsettled += 1;
                self.keep_reason(reason);
            }
        }
    }

    fn keep_reason(&mut self, reason: String) {
        if self.outcome.reasons.len() < REASONS && !self.outcome.reasons.contains(&reason) {
            self.outcome.reasons.push(reason);
        }
    }
}

/// A bucket that fills at the rate and holds a second of it: after an outage there is no flood.
struct Tokens {
    rate: Option<f64>,
    filled_at: Instant,
    tokens: f64,
}

impl Tokens {
    fn new(rate: Option<f64>) -> Self {
        Self { rate, filled_at: Instant::now(), tokens: 1.0 }
    }

    fn fill(&mut self, at: Instant) {
        let Some(rate) = self.rate else { return };
        let elapsed = at.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * rate).min(rate.max(1.0));
        self.filled_at = at;
    }

    fn available(&self, at_most: usize) -> usize {
        if self.rate.is_none() { at_most } else { at_most.min(self.tokens as usize) }
    }

    fn take(&mut self, messages: usize) {
        if self.rate.is_some() {
            self.tokens -= messages as f64;
        }
    }
}
