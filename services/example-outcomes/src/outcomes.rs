//! The handler, and the answer to a question.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use event::{Attempt, Outcome, Time};
use ledger::{Ask, Effects, Reader, Seen, Value};
use stream::{Batch, Record};

const KEPT_SECONDS: i64 = 90 * 86_400;

/// One hash a day; one field for each outcome and endpoint.
pub(crate) fn count(batch: &mut Batch<'_>) -> anyhow::Result<Effects> {
    let mut effects = Effects::default();
    for Record { appended_at, value: attempt, .. } in batch.decode::<Attempt>() {
        let outcome = match attempt.outcome {
            Outcome::Delivered => "delivered",
            Outcome::Retrying => "retrying",
            Outcome::Failed => "failed",
        };
        let day = &Time::from_trusted_millis(appended_at).to_string()[.."2026-11-22".len()];
        effects.add(day, &format!("{outcome} {}", attempt.endpoint), 1);
        effects.expire(day, appended_at / 1_000 + KEPT_SECONDS);
    }
    Ok(effects)
}

/// Counts by endpoint and outcome.
type Sums = BTreeMap<String, BTreeMap<String, i64>>;

pub(crate) async fn answer(reader: State<Reader>, day: Path<String>) -> Result<Json<Sums>, (StatusCode, String)> {
    let seen = reader.fetch(&[Ask::HGetAll(day.0)]).await;
    seen.map(|seen| Json(sum(seen))).map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
}

fn sum(partitions: Vec<Seen>) -> Sums {
    let mut sums = Sums::new();
    for (field, count) in partitions.into_iter().flat_map(|seen| seen.values).flat_map(Value::counters) {
        let (outcome, endpoint) = field.split_once(' ').unwrap_or_default();
        *sums.entry(endpoint.to_owned()).or_default().entry(outcome.to_owned()).or_default() += count;
    }
    sums
}

#[cfg(test)]
mod tests;
