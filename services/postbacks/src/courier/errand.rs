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
use super::board::Lot;
use super::desk::{Desk, Doubt, Unrecorded};
use super::line::Line;
use crate::clock::now_ms;
use crate::delivery::Delivery;
use crate::live::Live;
use crate::verdict::{Class, Verdict};

/// A process that was stopped must not deliver when it wakes: somebody else may hold the delivery by then.
const START_WITHIN: Duration = Duration::from_secs(5);

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
    /// Since when outcomes are known, in milliseconds.
    pub(super) knows_since: i64,
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
        let Claimed { id, attempt, .. } = &self.claimed;
        if self.desk.is_finished(id) {
            metrics::counter!("postbacks_already_finished_total").increment(1);
            self.finish().await?;
            return Ok(Ending::Settled);
        }
        let unreadable = Delivery::default();
        let decoded = serde_json::from_slice(&self.claimed.body);
        let delivery = decoded.as_ref().unwrap_or(&unreadable);
        let earlier = self.desk.take_unrecorded(id);
        let (attempt, tried) = match (earlier, &decoded) {
            (Some(Unrecorded { attempt, tried }), _) => (attempt, tried),
            (None, Err(error)) => (*attempt, Tried::unsent(Verdict::Failed(Class::Template), Some(error.to_string()))),
            (None, Ok(_)) if !self.may_start(delivery) => return self.give_back().await,
            (None, Ok(_)) => (*attempt, self.attempt(delivery).await),
        };
        drop(permit);
        self.conclude(delivery, attempt, tried).await
    }

    fn may_start(&self, delivery: &Delivery<'_>) -> bool {
        let unknown = delivery.perhaps_told_since.filter(|&since| since < self.knows_since);
        if unknown.is_some() {
            self.desk.raise(Doubt { since: unknown });
        }
        unknown.is_none() && self.claimed_at.elapsed() < START_WITHIN
    }

    /// Returns a claim that came to nothing; if somebody else claimed it since, it is theirs.
    async fn give_back(&self) -> Result<Ending> {
        self.retry_at(now_ms()).await?;
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
        if self.claimed_at.elapsed() >= self.lease {
            // Somebody else may have made it since, and a success is recorded once.
            metrics::counter!("postbacks_late_total").increment(1);
            return Ok(Ending::Settled);
        }
        let record = self.record(delivery, attempt, (&tried, next_at));
        if let Err(reason) = self.desk.publish(self.lot, &delivery.src, &record).await {
            debug!(delivery = id, reason, "unrecorded");
            metrics::counter!("postbacks_unrecorded_total").increment(1);
            self.desk.keep(id, Unrecorded { attempt, tried });
            self.desk.raise(Doubt { since: None });
            return Ok(Ending::Settled);
        }
        self.count(&record, tried.latency);
        match next_at {
            Some(due_ms) => self.retry_at(due_ms).await?,
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
            possibly_repeated: attempt.saturating_sub(1) > self.claimed.recorded,
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

    async fn retry_at(&self, due_ms: i64) -> Result<()> {
        let place = (self.lot.partition, self.endpoint.as_str());
        self.desk.queue(self.lot).retry(place, &self.claimed.id, self.claimed.attempt, due_ms).await
    }

    /// Remembers before it removes: if Redis brings the delivery back, it is known.
    async fn finish(&self) -> Result<()> {
        self.desk.remember(&self.claimed.id);
        self.desk.queue(self.lot).finish(self.lot.partition, &self.endpoint, &self.claimed.id).await
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
