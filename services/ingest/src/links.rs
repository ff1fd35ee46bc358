//! `GET /v1/click/…` and `GET /v1/impression/…`: somebody's browser waits, so Kafka gets 100 ms and no more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use event::{Activity, Kind, Time};
use serde::Serialize;
use stream::{Delivery, Outgoing};
use url::Url;

use crate::answer::{Status, json};
use crate::apps::Apps;
use crate::caller::{Caller, unknown_app};
use crate::doors::{Doors, RequestId};
use crate::link::{Link, read_link};
use crate::prepare::{Context, Warning};
use crate::rejection::Rejection;
use crate::store::{Destination, destination, with_referrer};

const PATIENCE: Duration = Duration::from_millis(100);

/// One transparent pixel.
pub(crate) const PIXEL: [u8; 43] =
    *b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x21\xf9\x04\x01\x00\x00\x00\x00\
\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";

/// What a click says where there is no store to go to.
#[derive(Serialize)]
struct Stay<'a> {
    request_id: &'a str,
    status: Status,
    event_id: &'a str,
    touch_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [Warning],
}

pub(crate) async fn click(
    State(doors): State<Arc<Doors>>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    app_id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let app_id = app_name(app_id)?;
    let apps = doors.apps.borrow().clone();
    let link = read(&doors, &apps, Kind::Click, &app_id, &parts)?;
    let store_url = apps.app(&app_id).and_then(|app| app.store_url.as_ref());
    let destination = destination(link.redirect.as_deref(), store_url)?;
    let touch = link.prepared;
    let location = match destination {
        Destination::Stay => None,
        Destination::Go(url) => Some(carry_on(url, &touch.record)?),
    };
    let status = store(&doors, Kind::Click, touch.record, &parts.method).await;
    if let Some(url) = location {
        return Ok((StatusCode::FOUND, [(LOCATION, url.to_string())]).into_response());
    }
    let (event_id, touch_id) = (touch.event_id.as_str(), touch.touch_id.as_deref());
    let stay = Stay { request_id: &request_id, status, event_id, touch_id, warnings: &touch.warnings };
    Ok(json(StatusCode::OK, serde_json::to_string(&stay)))
}

pub(crate) async fn impression(
    State(doors): State<Arc<Doors>>,
    app_id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Rejection> {
    let (parts, _) = request.into_parts();
    let app_id = app_name(app_id)?;
    let apps = doors.apps.borrow().clone();
    let link = read(&doors, &apps, Kind::Impression, &app_id, &parts)?;
    store(&doors, Kind::Impression, link.prepared.record, &parts.method).await;
    Ok(([(CONTENT_TYPE, "image/gif")], PIXEL).into_response())
}

fn app_name(path: Result<Path<String>, PathRejection>) -> Result<String, Rejection> {
    let malformed = |_| Rejection::new("path_format", "the path must name an app in UTF-8").at("app_id");
    path.map(|Path(app_id)| app_id).map_err(malformed)
}

#[expect(clippy::disallowed_methods, reason = "a door notes the time of arrival")]
fn read(doors: &Doors, apps: &Apps, kind: Kind, app_id: &str, parts: &Parts) -> Result<Link, Rejection> {
    let is_number = app_id.bytes().all(|byte| byte.is_ascii_digit());
    if !doors.open && !is_number && apps.app(app_id).is_none() {
        return Err(unknown_app());
    }
    let sender = doors.sender(parts)?;
    let arrival = Time::from_trusted_millis(jiff::Timestamp::now().as_millisecond());
    let unknown_fields = doors.unknown_fields;
    let context = Context { apps, caller: &Caller::Link, sender: &sender, arrival, unknown_fields };
    read_link(kind, app_id, parts.uri.query().unwrap_or_default(), context)
}

/// The store's address, with the click on it where the store passes it on.
fn carry_on(url: Url, record: &Outgoing) -> Result<Url, Rejection> {
    let click: Activity = serde_json::from_slice(&record.payload).map_err(|error| Rejection::from_json(&error))?;
    Ok(with_referrer(url, &click))
}

/// Sends the touch, and waits for Kafka as long as a browser may be kept waiting. The sending goes on after that.
///
/// A preview that only asks for the headers is no click.
async fn store(doors: &Doors, kind: Kind, record: Outgoing, method: &Method) -> Status {
    if method == Method::HEAD {
        return Status::Unknown;
    }
    let (producer, not_stored) = (doors.producer.clone(), doors.not_stored.clone());
    let sending = doors.touches.spawn(async move {
        let delivery = producer.send(vec![record]).await.into_iter().next();
        let status = match &delivery {
            Some(Delivery::Stored { .. }) => (Status::Stored, "stored"),
            Some(Delivery::Refused(_) | Delivery::TooLarge(_)) => (Status::Rejected, "rejected"),
            Some(Delivery::Unknown(_)) | None => (Status::Unknown, "unknown"),
        };
        metrics::counter!("ingest_events_total", "door" => kind.as_str(), "status" => status.1).increment(1);
        not_stored.fetch_add(usize::from(status.0 != Status::Stored), Ordering::Relaxed);
        status.0
    });
    if let Ok(Ok(status)) = tokio::time::timeout(PATIENCE, sending).await {
        return status;
    }
    match kind {
        Kind::Click => metrics::counter!("click_unconfirmed").increment(1),
        _ => metrics::counter!("impression_unconfirmed").increment(1),
    }
    Status::Unknown
}
