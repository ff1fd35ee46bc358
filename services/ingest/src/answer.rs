//! What the doors say: the error envelope, and the outcome of each event.

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::documents::Grouping;
use crate::prepare::Warning;
use crate::rejection::Rejection;

const DOCS: &str = "docs/errors.md#";

/// One event's line in an answer.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event_id: Option<String>,
    pub(crate) status: Status,
    #[serde(flatten)]
    pub(crate) problem: Option<Problem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<Warning>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Stored,
    Rejected,
    Unknown,
}

/// Code, message and field, with the place where they are explained.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    docs: String,
}

/// A refusal on its way out; the request's id is put in where every answer passes.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) rejection: Rejection,
    status: StatusCode,
    /// Which event of a batch the rejection is about.
    index: Option<usize>,
    /// The results, as JSON.
    results: Option<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    request_id: &'a str,
    stored: usize,
    rejected: usize,
    unknown: usize,
    results: &'a [Outcome],
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let docs = format!("{DOCS}{}", rejection.code);
        Self { code: rejection.code, message: rejection.message, field: rejection.field, index: None, docs }
    }
}

impl Problem {
    /// Whether the event itself was good.
    pub(crate) fn is_of_kafka(&self) -> bool {
        matches!(self.code, "unknown" | "not_stored")
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Failure { rejection: self, status, index: None, results: None }.into_response()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
            }
            // What is left of such a body is not worth reading for the sake of the connection.
            StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl Failure {
    /// `{"error":{…},"request_id":…}`, with the results after it, where there are any.
    pub(crate) fn body(self, request_id: &str) -> Result<String, serde_json::Error> {
        let mut problem = Problem::from(self.rejection);
        problem.index = self.index;
        let problem = serde_json::to_string(&problem)?;
        let results = self.results.map(|results| format!(r#","results":{results}"#)).unwrap_or_default();
        Ok(format!(r#"{{"error":{problem},"request_id":"{request_id}"{results}}}"#))
    }
}

/// Answers a request whose events have all found their outcome.
///
/// | outcomes | answer |
/// |---|---|
/// | all stored | 200 |
/// | some stored | 207 |
/// | none valid, a single event | the status of its code |
/// | none valid, a batch | 400 |
/// | none stored, some valid | 503 |
pub(crate) fn answer(grouping: Grouping, outcomes: &[Outcome], request_id: &str) -> Response {
    let count = |status| outcomes.iter().filter(|outcome| outcome.status == status).count();
    let (stored, unknown) = (count(Status::Stored), count(Status::Unknown));
    if stored > 0 {
        let status = if stored == outcomes.len() { StatusCode::OK } else { StatusCode::MULTI_STATUS };
        let rejected = outcomes.len() - stored - unknown;
        let report = Report { request_id, stored, rejected, unknown, results: outcomes };
        return json(status, serde_json::to_string(&report));
    }
    let problems = || outcomes.iter().filter_map(|outcome| Some((outcome.index, outcome.problem.as_ref()?)));
    let valid = problems().find(|(_, problem)| problem.is_of_kafka());
    let Some((index, problem)) = valid.or_else(|| problems().next()) else {
        return Rejection::new("body_empty", "the body holds no event").into_response();
    };
    let rejection = Rejection { code: problem.code, message: problem.message.clone(), field: problem.field.clone() };
    if grouping == Grouping::Single && valid.is_none() {
        return rejection.into_response();
    }
    let status = if valid.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_REQUEST };
    let index = (grouping == Grouping::Batch).then_some(index);
    // The results hold the ids to send again, those that were made here among them.
    match serde_json::to_string(outcomes) {
        Ok(results) => Failure { rejection, status, index, results: Some(results) }.into_response(),
        Err(_) => rejection.into_response(),
    }
}

pub(crate) fn json(status: StatusCode, body: Result<String, serde_json::Error>) -> Response {
    match body {
        Ok(body) => (status, [(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
