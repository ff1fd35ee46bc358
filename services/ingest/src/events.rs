//! `POST /v1/events`: an answer only after every event has found its outcome.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use event::Time;
use stream::{Delivery, Outgoing};

use crate::answer::{Outcome, Status, answer};
use crate::body::{check_length, read_body};
use crate::caller::{Caller, identify, refuse_key_in_query};
use crate::doors::{Doors, RequestId};
use crate::inflate::inflate;
use crate::media::{self, Encoding};
use crate::prepare::{Context, Prepared};
use crate::read::{Reading, read};
use crate::rejection::Rejection;

pub(crate) async fn post(
    State(doors): State<Arc<Doors>>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, body) = request.into_parts();
    let reading = receive(&doors, &parts, body).await?;
    let grouping = reading.grouping;
    let outcomes = store(&doors, reading).await;
    count(&outcomes);
    Ok(answer(grouping, &outcomes, &request_id))
}

/// Everything before Kafka; what can be refused without the body is refused first.
#[expect(clippy::disallowed_methods, reason = "a door notes the time of arrival")]
async fn receive(doors: &Doors, parts: &Parts, body: Body) -> Result<Reading, Rejection> {
    if !doors.producer.has_room() {
        return Err(Rejection::new("overloaded", "Kafka takes events more slowly than they come; try again"));
    }
    refuse_key_in_query(&parts.uri)?;
    let apps = doors.apps.borrow().clone();
    let caller = if doors.open { Caller::Anyone } else { identify(&apps, &parts.headers)? };
    doors.rates.check(&caller)?;
    let framing = media::framing(&parts.headers)?;
    let encoding = media::encoding(&parts.headers)?;
    check_length(&parts.headers)?;
    let sender = doors.sender(parts)?;

    let mut body = read_body(body, doors.body_timeout).await?;
    if encoding == Encoding::Gzip {
        body = inflate(&body)?;
    }
    let arrival = Time::from_trusted_millis(jiff::Timestamp::now().as_millisecond());
    let context =
        Context { apps: &apps, caller: &caller, sender: &sender, arrival, unknown_fields: doors.unknown_fields };
    read(&body, framing, context)
}

/// Sends what is valid, and puts Kafka's answers back beside the refusals.
async fn store(doors: &Doors, reading: Reading) -> Vec<Outcome> {
    let mut records: Vec<Outgoing> = Vec::with_capacity(reading.events.len());
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(reading.events.len());
    for (index, event) in reading.events.into_iter().enumerate() {
        outcomes.push(match event.outcome {
            Ok(Prepared { event_id, record, warnings, .. }) => {
                records.push(record);
                let (event_id, problem) = (Some(event_id), None);
                Outcome { index, line: event.line, event_id, status: Status::Stored, problem, warnings }
            }
            Err(rejection) => {
                let problem = Some(rejection.into());
                let (event_id, warnings) = (None, Vec::new());
                Outcome { index, line: event.line, event_id, status: Status::Rejected, problem, warnings }
            }
        });
    }
    let mut deliveries = doors.producer.send(records).await.into_iter();
    for outcome in outcomes.iter_mut().filter(|outcome| outcome.problem.is_none()) {
        // A missing answer is no answer: it may be stored.
        settle(outcome, deliveries.next().unwrap_or_else(|| Delivery::Unknown("no answer".into())));
    }
    let not_stored =
        outcomes.iter().filter_map(|outcome| outcome.problem.as_ref()).filter(|problem| problem.is_of_kafka());
    doors.not_stored.fetch_add(not_stored.count(), Ordering::Relaxed);
    outcomes
}

fn settle(outcome: &mut Outcome, delivery: Delivery) {
    let (status, code, message) = match delivery {
        Delivery::Stored { .. } => return,
        Delivery::Refused(reason) => (Status::Rejected, "not_stored", format!("Kafka did not take it: {reason}")),
        Delivery::TooLarge(reason) => {
            (Status::Rejected, "record_too_large", format!("it is larger than its topic allows: {reason}"))
        }
        Delivery::Unknown(reason) => {
            let message = format!("it may be stored, so send it again with the same event_id: {reason}");
            (Status::Unknown, "unknown", message)
        }
    };
    outcome.status = status;
    outcome.problem = Some(Rejection::new(code, message).into());
}

fn count(outcomes: &[Outcome]) {
    for (status, name) in [(Status::Stored, "stored"), (Status::Rejected, "rejected"), (Status::Unknown, "unknown")] {
        let events = outcomes.iter().filter(|outcome| outcome.status == status).count();
        if events > 0 {
            metrics::counter!("ingest_events_total", "door" => "events", "status" => name).increment(events as u64);
        }
    }
    for code in outcomes.iter().filter_map(|outcome| outcome.problem.as_ref()).map(|problem| problem.code) {
        metrics::counter!("ingest_refused_events_total", "code" => code).increment(1);
    }
}
