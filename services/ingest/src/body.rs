//! Reading a body: never more of it, and never for longer, than was agreed.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::rejection::Rejection;

pub(crate) const MAX_BODY: usize = 1024 * 1024;
const BYTES_PER_SECOND: f64 = 1024.0;
/// What a slow start is worth: the rate is asked for only after it.
const GRACE: Duration = Duration::from_secs(5);

/// Refuses a body that says it is too large, before a byte of it is asked for.
pub(crate) fn check_length(headers: &HeaderMap) -> Result<(), Rejection> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(length) if length > MAX_BODY as u64 => Err(too_large()),
        _ => Ok(()),
    }
}

/// Reads a body to its end, within `limit` in all and at no less than 1 KiB/s.
pub(crate) async fn read_body(mut body: Body, limit: Duration) -> Result<Vec<u8>, Rejection> {
    let start = Instant::now();
    let mut received = Vec::new();
    loop {
        let earned = GRACE + Duration::from_secs_f64(received.len() as f64 / BYTES_PER_SECOND);
        let slow = |_| Rejection::new("body_timeout", "the body came too slowly");
        let Some(frame) = timeout_at(start + limit.min(earned), body.frame()).await.map_err(slow)? else {
            return Ok(received);
        };
        let frame = frame.map_err(|_| Rejection::new("body_incomplete", "the body broke off or is malformed"))?;
        let Ok(bytes) = frame.into_data() else { continue };
        if received.len() + bytes.len() > MAX_BODY {
            return Err(too_large());
        }
        received.extend_from_slice(&bytes);
    }
}

fn too_large() -> Rejection {
    Rejection::new("body_too_large", format!("a body has at most {MAX_BODY} bytes"))
}
