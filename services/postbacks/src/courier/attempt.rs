//! One attempt: a request, and what came of it.

use std::error::Error as _;
use std::io;
use std::time::{Duration, SystemTime};

use event::Refusal;
use reqwest::header::{HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Request, Response};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use url::Host;

use super::line::Line;
use crate::clock::now_ms;
use crate::delivery::Delivery;
use crate::guard::Blocked;
use crate::schedule::retry_after;
use crate::signature::Signer;
use crate::template::Values;
use crate::verdict::{Class, Verdict};

/// What is read of an answer, and what of that is kept.
const MOST_READ: usize = 16 * 1024;
const MOST_KEPT: usize = 1024;

/// What is sent, and who it says it is.
pub(super) struct Parcel<'a> {
    pub(super) delivery_id: &'a str,
    pub(super) attempt: u32,
    pub(super) delivery: &'a Delivery<'a>,
}

/// What one attempt came to.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) verdict: Verdict,
    pub(super) status: Option<u16>,
    pub(super) latency: Duration,
    /// With secrets masked.
    pub(super) url: String,
    pub(super) answer: Option<String>,
    /// How long the endpoint asked to be left alone.
    pub(super) asked: Option<Duration>,
}

impl Tried {
    /// An attempt that ended before any request was made.
    pub(super) fn unsent(verdict: Verdict, answer: Option<String>) -> Self {
        Self { verdict, status: None, latency: Duration::ZERO, url: String::new(), answer, asked: None }
    }
}

/// Makes one attempt. It ends within the endpoint's timeout, whatever the endpoint does.
pub(super) async fn attempt(line: &Line, signer: Option<&Signer>, parcel: &Parcel<'_>) -> Tried {
    let event: Value = match serde_json::from_str(parcel.delivery.event.get()) {
        Ok(event) => event,
        Err(error) => return Tried::unsent(Verdict::Failed(Class::Template), Some(error.to_string())),
    };
    let values = Values { event: &event, delivery_id: parcel.delivery_id, attempt: parcel.attempt };
    let url = line.endpoint.masked_url(&values);
    let request = match request(line, signer, parcel, &values) {
        Ok(request) => request,
        Err(refusal) => return Tried { url, ..Tried::unsent(Verdict::Failed(Class::Template), Some(refusal.message)) },
    };
    if let Err(blocked) = check_literal(line, &request) {
        return Tried { url, ..Tried::unsent(Verdict::Retry(Class::SsrfBlocked), Some(blocked.to_string())) };
    }
    let started = Instant::now();
    let deadline = started + line.endpoint.timeout;
    let tried = match timeout_at(deadline, line.client.execute(request)).await {
        Err(_) => Tried::unsent(Verdict::Retry(Class::Timeout), None),
        Ok(Err(error)) => Tried::unsent(Verdict::Retry(class_of(&error)), None),
        Ok(Ok(response)) => answered(response, deadline).await,
    };
    Tried { latency: started.elapsed(), url, ..tried }
}

/// Host literals never reach the resolver.
fn check_literal(line: &Line, request: &Request) -> Result<(), Blocked> {
    match request.url().host() {
        Some(Host::Ipv4(address)) => line.guard.check(address.into()),
        Some(Host::Ipv6(address)) => line.guard.check(address.into()),
        Some(Host::Domain(_)) | None => Ok(()),
    }
}

fn request(line: &Line, signer: Option<&Signer>, parcel: &Parcel<'_>, values: &Values<'_>) -> Result<Request, Refusal> {
    let rendered = line.endpoint.request(values)?;
    let mut request = Request::new(rendered.method, rendered.url);
    let headers = request.headers_mut();
    headers.extend(rendered.headers);
    let seconds = now_ms().div_euclid(1_000);
    let mut own = vec![
        ("webhook-id", parcel.delivery_id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("idempotency-key", parcel.delivery_id.to_owned()),
        ("attributary-sequence", parcel.delivery.src.to_string()),
    ];
    if let Some(signer) = signer {
        let body = rendered.body.as_deref().unwrap_or_default();
        own.push(("webhook-signature", signer.sign(parcel.delivery_id, seconds, body)?));
    }
    for (name, value) in own {
        let value = HeaderValue::from_str(&value).map_err(|error| Refusal::new("template", error.to_string()))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    *request.body_mut() = rendered.body.map(Into::into);
    Ok(request)
}

/// The status decides; a body that never ends is cut, and changes nothing.
#[expect(clippy::disallowed_methods, reason = "Retry-After may be a date")]
async fn answered(mut response: Response, deadline: Instant) -> Tried {
    let status = response.status().as_u16();
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let asked = asked.and_then(|value| retry_after(value, SystemTime::now()));
    let mut body = Vec::new();
    let mut read = 0;
    while let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await {
        let room = MOST_KEPT.saturating_sub(body.len());
        body.extend_from_slice(&chunk[..room.min(chunk.len())]);
        read += chunk.len();
        if read >= MOST_READ {
            break;
        }
    }
    let answer = (!body.is_empty()).then(|| String::from_utf8_lossy(&body).into_owned());
    Tried {
        verdict: Verdict::of_status(status),
        status: Some(status),
        latency: Duration::ZERO,
        url: String::new(),
        answer,
        asked,
    }
}

/// Where in the chain of causes the reason lies.
fn class_of(error: &reqwest::Error) -> Class {
    let mut is_refused = false;
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<Blocked>() {
            return Class::SsrfBlocked;
        }
        if error.is::<rustls::Error>() {
            return Class::Tls;
        }
        let io_error = error.downcast_ref::<io::Error>();
        is_refused |= io_error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        // An I/O error passes over what it wraps and names the cause behind it.
        cause = match io_error.and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    match is_refused {
        _ if error.is_timeout() => Class::Timeout,
        _ if error.is_dns() => Class::Dns,
        true => Class::ConnectRefused,
        false => Class::ConnectReset,
    }
}

#[cfg(test)]
mod tests;
