//! The HTTP doors: `/v1/stats`, `/v1/apps`, `/v1/health`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query as Parameters, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{Router, get};
use ledger::{Ask, Reader, Seen};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::export;
use crate::query::{BadQuery, Query};
use crate::tally::{APPS, AS_OF, NEWEST, counters_key};

/// The ledgers that are summed, each with its topic.
#[derive(Clone)]
pub(crate) struct Doors {
    readers: Arc<[(String, Reader)]>,
}

/// A question about all apps of a year would read this many keys.
const MOST_KEYS: usize = 10_000;

impl Doors {
    pub(crate) fn new(readers: Vec<(String, Reader)>) -> Self {
        Self { readers: readers.into() }
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/v1/stats", get(stats))
            .route("/v1/apps", get(apps))
            .route("/v1/health", get(|| async { Json(json!({ "ok": true })) }))
            .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "not_found", "", "see /v1/stats and /v1/apps") })
            .with_state(self)
    }

    async fn apps(&self) -> Result<BTreeSet<String>, Problem> {
        let mut apps = BTreeSet::new();
        for (_, reader) in self.readers.iter() {
            for seen in reader.fetch(&[Ask::Members(APPS.into())]).await? {
                let members = seen.values.into_iter().flat_map(ledger::Value::members);
                apps.extend(members.filter_map(|name| String::from_utf8(name).ok()));
            }
        }
        Ok(apps)
    }
}

async fn apps(State(doors): State<Doors>) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "apps": doors.apps().await? })))
}

#[expect(clippy::disallowed_methods, reason = "a question without dates is about today")]
async fn stats(
    State(doors): State<Doors>,
    Parameters(parameters): Parameters<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let today = jiff::Timestamp::now().as_second().div_euclid(86_400);
    let query = Query::parse(&parameters, today)?;
    let apps = match &query.apps {
        Some(apps) => apps.iter().cloned().collect(),
        None => doors.apps().await?,
    };
    let places: Vec<(i64, String)> =
        apps.iter().flat_map(|app| query.days.clone().map(|day| (day, counters_key(app, day, query.test)))).collect();
    if places.len() > MOST_KEYS {
        let message = format!("{} apps and days at once, at most {MOST_KEYS}: name apps or fewer days", places.len());
        return Err(Problem::new(StatusCode::BAD_REQUEST, "range_too_wide", "to", message));
    }
    let (answer, as_of) = sum(&doors, &query, &places).await?;
    let wants_csv = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/csv"));
    if wants_csv {
        return Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], export::csv(&answer, &query)?).into_response());
    }
    let (rows, totals) = (answer.rows_json(&query), answer.totals.json(&query));
    Ok(Json(json!({ "as_of": as_of, "rows": rows, "totals": totals })).into_response())
}

/// Reads each partition's counters together with the position up to which they are exact.
async fn sum(
    doors: &Doors,
    query: &Query,
    places: &[(i64, String)],
) -> Result<(Answer, BTreeMap<String, Value>), Problem> {
    let counters = places.iter().map(|(_, key)| Ask::HGetAll(key.clone()));
    let asks: Vec<Ask> = counters.chain([Ask::HGet(AS_OF.into(), NEWEST.into())]).collect();
    let mut answer = Answer::default();
    let mut as_of = BTreeMap::new();
    for (topic, reader) in doors.readers.iter().filter(|(topic, _)| query.wants_topic(topic)) {
        let mut partitions = BTreeMap::new();
        for mut seen in reader.fetch(&asks).await?.into_iter().filter(|seen| query.wants(topic, seen.partition)) {
            let newest = seen.values.pop().and_then(ledger::Value::bytes);
            partitions.insert(seen.partition, standing(&seen, newest.as_deref()));
            for ((day, _), value) in places.iter().zip(seen.values) {
                for (field, count) in value.counters() {
                    answer.add(query, *day, &field, count);
                }
            }
        }
        if !partitions.is_empty() {
            as_of.insert(topic.clone(), json!(partitions));
        }
    }
    Ok((answer, as_of))
}

/// What `as_of` says of a partition.
fn standing(seen: &Seen, newest: Option<&[u8]>) -> Value {
    let newest = newest.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let newest = newest.map(|millis| event::Time::from_trusted_millis(millis).to_string());
    let mut standing = json!({ "position": seen.position.map(|position| position.0), "newest_event_time": newest });
    if seen.position.is_none() || seen.rebuilding_until.is_some() {
        standing["rebuilding"] = json!({ "until": seen.rebuilding_until.map(|until| until.0) });
    }
    if let Some(from) = seen.incomplete_from {
        standing["incomplete_from"] = json!(from.0);
    }
    standing
}

/// What went wrong, in the envelope that every door of the suite uses.
struct Problem {
    status: StatusCode,
    code: &'static str,
    field: &'static str,
    message: String,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, field: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, field, message: message.into() }
    }
}

impl From<BadQuery> for Problem {
    fn from(bad: BadQuery) -> Self {
        Self::new(StatusCode::BAD_REQUEST, bad.code, bad.field, bad.message)
    }
}

impl From<stream::Error> for Problem {
    fn from(error: stream::Error) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "", error.to_string())
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "", format!("{error:#}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message, "field": self.field } });
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}
