//! The public doors: what they share, and the way every request takes through them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use stream::Producer;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::address::Addresses;
use crate::answer::Failure;
use crate::apps::Apps;
use crate::prepare::{Sender, UnknownFields, clean_user_agent};
use crate::rate::Rates;
use crate::rejection::Rejection;
use crate::{events, links};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const HEADER_BYTES: usize = 16 * 1024;

/// What the doors need to do their work.
pub(crate) struct Doors {
    pub(crate) producer: Producer,
    pub(crate) apps: watch::Receiver<Arc<Apps>>,
    pub(crate) addresses: Addresses,
    pub(crate) rates: Rates,
    pub(crate) open: bool,
    pub(crate) unknown_fields: UnknownFields,
    pub(crate) body_timeout: Duration,
    /// Touches that Kafka has not answered yet, whether their browser still waits or not.
    pub(crate) touches: TaskTracker,
    /// How many records Kafka did not take.
    pub(crate) not_stored: Arc<AtomicUsize>,
}

/// What a request is called in its answer and in the log.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl Doors {
    /// What the connection tells of the sender.
    pub(crate) fn sender(&self, parts: &Parts) -> Result<Sender, Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        let address = self.addresses.sender(peer, &parts.headers)?;
        let user_agent =
            parts.headers.get(USER_AGENT).map(|agent| clean_user_agent(&String::from_utf8_lossy(agent.as_bytes())));
        Ok(Sender {
            fingerprint: self.addresses.fingerprint(address),
            user_agent: user_agent.filter(|agent| !agent.is_empty()),
        })
    }
}

/// Every route, with what all of them have in common around it.
pub(crate) fn router(doors: Arc<Doors>) -> Router {
    Router::new()
        .route("/v1/events", post(events::post))
        .route("/v1/click/{app_id}", get(links::click))
        .route("/v1/impression/{app_id}", get(links::impression))
        .route("/v1/health", get(health))
        .fallback(|| async { Rejection::new("not_found", "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Rejection::new("method_not_allowed", "the path takes another method; see Allow")
        })
        .layer(middleware::from_fn(pass))
        .with_state(doors)
}

async fn health(State(doors): State<Arc<Doors>>) -> Result<Response, Rejection> {
    if !doors.producer.has_room() {
        return Err(Rejection::new("overloaded", "Kafka takes events more slowly than they come"));
    }
    Ok(([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#).into_response())
}

/// Gives each request its id, puts it into the answer, and measures.
#[expect(clippy::disallowed_methods, reason = "every request gets an id")]
async fn pass(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = Uuid::now_v7().to_string();
    let door = door(request.uri().path());
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let response = if headers > HEADER_BYTES {
        Rejection::new("header_too_long", format!("the headers have at most {HEADER_BYTES} bytes")).into_response()
    } else {
        next.run(request).await
    };
    let mut response = with_envelope(response, &request_id);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let status = response.status().as_u16().to_string();
    metrics::counter!("ingest_requests_total", "door" => door, "status" => status).increment(1);
    metrics::histogram!("ingest_request_seconds", "door" => door).record(started.elapsed().as_secs_f64());
    response
}

fn door(path: &str) -> &'static str {
    match path {
        "/v1/events" => "events",
        _ if path.starts_with("/v1/click/") => "click",
        _ if path.starts_with("/v1/impression/") => "impression",
        _ => "other",
    }
}

/// Writes the body of a refusal, which only knows the id of its request here.
fn with_envelope(mut response: Response, request_id: &str) -> Response {
    let Some(failure) = response.extensions_mut().remove::<Failure>() else { return response };
    metrics::counter!("ingest_refused_requests_total", "code" => failure.rejection.code).increment(1);
    match failure.body(request_id) {
        Ok(body) => {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *response.body_mut() = body.into();
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests;
