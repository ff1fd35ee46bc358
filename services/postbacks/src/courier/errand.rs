//! One claimed delivery, from the claim to its end: HTTP, then the outcome acknowledged by Kafka, then removal.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use event::{Attempt, Outcome, Time};
use ledger::Claimed;
use serde_json::value::RawValue;
use stream::Result;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::debug;

use super::attempt::{Parcel, Tried, attempt};
use super::board::{Known, Lot};
use super::desk::Desk;
use super::line::Line;
use super::memory::{Doubt, Unrecorded};
use super::ruling::{Attempts, Duty, Sight, may_record};
use crate::clock::now_ms;
use crate::delivery::Delivery;
use crate::live::Live;
use crate::verdict::{Class, Verdict};

pub(super) struct Errand {
    pub(super) desk: Arc<Desk>,
    pub(super) live: Arc<Live>,
    /// Absent where the endpoint has vanished from the rules.
    pub(super) line: Option<Arc<Line>>,
    pub(super) endpoint: String,
    pub(super) lot: Lot,
    pub(super) claimed: Claimed,
    pub(super) claimed_at: Instant,
    /// How long after that it is ours.
    pub(super) lease: Duration,
    /// Which outcomes are known.
    pub(super) known: Known,
    /// In which it was claimed.
    pub(super) sessions: Vec<u64>,
}

/// How an errand ended, as far as its lane must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// There is nothing left to do, or the lease brings it back.
    Settled,
    /// The endpoint, as the rules of this generation have it, said that it is gone.
    Gone(u64),
}

impl Errand {
    /// `permit` counts against the endpoint's concurrency until the answer is there.
    pub(super) async fn run(self, permit: Option<OwnedSemaphorePermit>) -> Result<Ending> {
        let Some(_under_way) = UnderWay::begin(&self.desk, &self.claimed.id) else {
            metrics::counter!("postbacks_claimed_twice_total").increment(1);
            return Ok(Ending::Settled);
        };
        let unreadable = Delivery::default();
        let decoded = serde_json::from_slice(&self.claimed.body);
        let delivery = decoded.as_ref().unwrap_or(&unreadable);
        let (attempt, tried) = match (self.sight(delivery).duty(), &decoded) {
            (Duty::LetGo, _) => return self.let_go().await,
            (Duty::LookBack { since }, _) => {
                self.desk.memory.raise(Doubt { since });
                return self.give_back().await;
            }
            (Duty::GiveBack, _) => return self.give_back().await,
            (Duty::RecordAnswer, _) => match self.desk.memory.take_unrecorded(&self.claimed.id) {
                Some(Unrecorded { attempt, tried }) => (attempt, tried),
                None => return self.give_back().await,
            },
            (Duty::Request, Err(error)) => {
                (self.claimed.attempt, Tried::unsent(Verdict::Failed(Class::Template), Some(error.to_string())))
            }
            (Duty::Request, Ok(_)) => (self.claimed.attempt, self.attempt(delivery).await),
        };
        drop(permit);
        self.conclude(delivery, attempt, tried).await
    }

    fn sight(&self, delivery: &Delivery<'_>) -> Sight {
        Sight {
            is_finished: self.desk.memory.is_finished(&self.claimed.id),
            is_in_doubt: self.desk.memory.is_in_doubt(),
            has_answer: self.desk.memory.has_unrecorded(&self.claimed.id),
            perhaps_told_since: delivery.perhaps_told_since,
            was_left: self.attempts(delivery).was_left(),
            due_ms: self.claimed.due_ms,
            known: self.known,
            since_claim: self.claimed_at.elapsed(),
            is_session_over: self.desk.sessions() != self.sessions,
        }
    }

    fn attempts(&self, delivery: &Delivery<'_>) -> Attempts {
        let Claimed { attempt: claimed, recorded, has_gap, .. } = self.claimed;
        Attempts { claimed, recorded, has_gap }.perhaps_after(delivery.perhaps_told_since)
    }

    async fn let_go(&self) -> Result<Ending> {
        metrics::counter!("postbacks_already_finished_total").increment(1);
        self.finish().await?;
        Ok(Ending::Settled)
    }

    /// Returns a claim that came to nothing; if somebody else claimed it since, it is theirs.
    async fn give_back(&self) -> Result<Ending> {
        let place = (self.lot.partition, self.endpoint.as_str());
        self.desk.queue(self.lot).give_back(place, &self.claimed).await?;
        Ok(Ending::Settled)
    }

    async fn attempt(&self, delivery: &Delivery<'_>) -> Tried {
        let Some(line) = self.line.as_ref().filter(|_| self.live.rules.has_rule(&delivery.rule)) else {
            return Tried::unsent(Verdict::Failed(Class::EndpointDisabled), None);
        };
        let parcel = Parcel { delivery_id: &self.claimed.id, attempt: self.claimed.attempt, delivery };
        if self.claimed.attempt == 1 {
            let age = now_ms().saturating_sub(delivery.appended_at).max(0);
            metrics::histogram!("postbacks_first_attempt_seconds").record(age as f64 / 1_000.0);
        }
        attempt(line, self.live.signer(&line.endpoint.id), &parcel).await
    }

    /// Records the outcome, and only then finishes or reschedules: what Kafka did not acknowledge is not finished.
    async fn conclude(&self, delivery: &Delivery<'_>, attempt: u32, tried: Tried) -> Result<Ending> {
        let id = &self.claimed.id;
        let wait = match (tried.verdict, &self.line) {
            (Verdict::Retry(_), Some(line)) => line.endpoint.schedule.wait(id, attempt, tried.asked),
            _ => None,
        };
        let next_at = wait.map(|wait| now_ms() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2));
        if !may_record(self.claimed_at.elapsed(), self.lease) {
            metrics::counter!("postbacks_late_total").increment(1);
            return Ok(Ending::Settled);
        }
        let record = self.record(delivery, attempt, (&tried, next_at));
        if let Err(reason) = self.desk.publish(self.lot, &delivery.src, &record).await {
            debug!(delivery = id, reason, "unrecorded");
            metrics::counter!("postbacks_unrecorded_total").increment(1);
            self.desk.memory.keep(id, Unrecorded { attempt, tried });
            self.desk.memory.raise(Doubt { since: None });
            return Ok(Ending::Settled);
        }
        self.count(&record, tried.latency);
        match next_at {
            Some(due_ms) => {
                let place = (self.lot.partition, self.endpoint.as_str());
                let next = (due_ms, self.attempts(delivery).leave_a_gap(attempt));
                self.desk.queue(self.lot).retry(place, &self.claimed, next).await?;
            }
            None => self.finish().await?,
        }
        Ok(if tried.verdict == Verdict::Gone { Ending::Gone(self.live.generation) } else { Ending::Settled })
    }

    fn record<'a>(
        &'a self,
        delivery: &'a Delivery<'_>,
        attempt: u32,
        (tried, next_at): (&'a Tried, Option<i64>),
    ) -> Attempt<'a> {
        Attempt {
            delivery_id: Cow::Borrowed(&self.claimed.id),
            rule: Cow::Borrowed(&delivery.rule),
            endpoint: Cow::Borrowed(&self.endpoint),
            event_id: Cow::Borrowed(&delivery.event_id),
            app_id: Cow::Borrowed(&delivery.app_id),
            attempt,
            outcome: tried.verdict.outcome(next_at.is_some()),
            class: tried.verdict.class().map(|class| Cow::Borrowed(class.as_str())),
            status: tried.status,
            latency_ms: u64::try_from(tried.latency.as_millis()).unwrap_or(u64::MAX),
            url: Cow::Borrowed(&tried.url),
            answer: tried.answer.as_deref().map(Cow::Borrowed),
            next_attempt_at: next_at.map(Time::from_trusted_millis),
            possibly_repeated: self.attempts(delivery).is_possibly_repeated(attempt),
        }
    }

    fn count(&self, attempt: &Attempt<'_>, latency: Duration) {
        let outcome = match attempt.outcome {
            Outcome::Delivered => "delivered",
            Outcome::Retrying => "retrying",
            Outcome::Failed => "failed",
        };
        let endpoint = self.endpoint.clone();
        metrics::histogram!("postbacks_attempt_seconds", "endpoint" => endpoint.clone()).record(latency.as_secs_f64());
        if attempt.possibly_repeated {
            metrics::counter!("postbacks_repeats_total", "endpoint" => endpoint.clone()).increment(1);
        }
        let class = attempt.class.as_deref().unwrap_or("none").to_owned();
        metrics::counter!("postbacks_attempts_total", "endpoint" => endpoint, "outcome" => outcome, "class" => class)
            .increment(1);
    }

    /// Remembers before it removes: if Redis brings the delivery back, it is known.
    async fn finish(&self) -> Result<()> {
        self.desk.memory.remember(&self.claimed.id);
        self.desk.queue(self.lot).finish(self.lot.partition, &self.endpoint, &self.claimed.id).await
    }
}

/// Holds a delivery as under way until it is dropped.
struct UnderWay {
    desk: Arc<Desk>,
    id: String,
}

impl UnderWay {
    fn begin(desk: &Arc<Desk>, id: &str) -> Option<Self> {
        desk.memory.take_up(id).then(|| Self { desk: desk.clone(), id: id.to_owned() })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.desk.memory.put_down(&self.id);
    }
}

impl Default for Delivery<'_> {
    fn default() -> Self {
        Self {
            rule: Cow::Borrowed(""),
            event_id: Cow::Borrowed(""),
            app_id: Cow::Borrowed(""),
            src: Cow::Borrowed(""),
            appended_at: 0,
            perhaps_told_since: None,
            event: RawValue::NULL,
        }
    }
}
