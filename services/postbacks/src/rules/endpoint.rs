//! Where a rule sends: checked when the file is loaded, so that nothing is left to fail later but the endpoint itself.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use event::Refusal;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use toml::Spanned;
use url::Url;

use super::check_name;
use super::file::EndpointEntry;
use super::located::{Locate, Located};
use crate::field::quoted;
use crate::guard::Guard;
use crate::schedule::Schedule;
use crate::template::{Body, Braces, Piece, Place, UrlTemplate, Values, WhenEmpty, parse, render};

const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
const MOST_AT_ONCE: usize = 1_000;
const MOST_PER_UNIT: u32 = 100_000;
const MOST_HEADERS: usize = 50;

/// A checked endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    method: Method,
    url: UrlTemplate,
    body: Option<Body>,
    headers: Vec<(HeaderName, Vec<Piece>)>,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: usize,
    pub(crate) rate: Rate,
    pub(crate) schedule: Schedule,
    pub(crate) secret_file: Option<PathBuf>,
}

/// How many requests in which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) requests: NonZeroU32,
    pub(crate) per: Duration,
}

/// A request, rendered for one attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Option<String>,
}

impl Endpoint {
    pub(super) fn check(entry: EndpointEntry, guard: &Guard) -> Result<Self, Located> {
        check_name(entry.id.get_ref()).at(&entry.id.span())?;
        let when_empty = if entry.omit_empty { WhenEmpty::Omit } else { WhenEmpty::Keep };
        let url = UrlTemplate::parse(entry.url.get_ref(), when_empty, guard).at(&entry.url.span())?;
        let body = body(entry.body, entry.content_type)?;
        Ok(Self {
            method: method(entry.method, body.is_some())?,
            url,
            body,
            headers: headers(entry.headers)?,
            timeout: checked(entry.timeout, timeout)?.unwrap_or(Duration::from_secs(5)),
            concurrency: checked(entry.concurrency, concurrency)?.unwrap_or(8),
            rate: checked(entry.rate, |text| Rate::parse(&text))?.unwrap_or_default(),
            schedule: checked(entry.retry, schedule)?.unwrap_or_default(),
            id: entry.id.into_inner(),
            secret_file: entry.secret_file,
        })
    }

    /// The request for these values; an error here is for good, since the values never change.
    pub(crate) fn request(&self, values: &Values<'_>) -> Result<Request, Refusal> {
        let mut headers = Vec::with_capacity(self.headers.len() + 1);
        for (name, pieces) in &self.headers {
            headers.push((name.clone(), header_value(&render(pieces, Place::Header, values)?)?));
        }
        let body = self.body.as_ref().map(|body| body.render(values)).transpose()?;
        if let Some(body) = &self.body {
            headers.push((reqwest::header::CONTENT_TYPE, header_value(body.content_type())?));
        }
        Ok(Request { method: self.method.clone(), url: self.url.render(values)?, headers, body })
    }

    /// The URL for people and logs.
    pub(crate) fn masked_url(&self, values: &Values<'_>) -> String {
        self.url.render_masked(values)
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self { requests: NonZeroU32::MIN.saturating_add(99), per: Duration::from_secs(1) }
    }
}

impl Rate {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = || Refusal::new("range", format!("a rate is 1 to {MOST_PER_UNIT} per s, m or h, such as 100/s"));
        let (requests, unit) = text.split_once('/').ok_or_else(refuse)?;
        let per = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3_600),
            _ => return Err(refuse()),
        };
        let requests = requests.parse().ok().filter(|requests: &NonZeroU32| requests.get() <= MOST_PER_UNIT);
        Ok(Self { requests: requests.ok_or_else(refuse)?, per })
    }
}

fn checked<T, O>(value: Option<Spanned<T>>, check: impl Fn(T) -> Result<O, Refusal>) -> Result<Option<O>, Located> {
    value
        .map(|value| {
            let span = value.span();
            check(value.into_inner()).at(&span)
        })
        .transpose()
}

fn method(method: Option<Spanned<String>>, has_body: bool) -> Result<Method, Located> {
    let Some(method) = method else { return Ok(if has_body { Method::POST } else { Method::GET }) };
    match (method.get_ref().as_str(), has_body) {
        ("GET", false) => Ok(Method::GET),
        ("GET", true) => Err(Refusal::new("rule_invalid", "a GET has no body")).at(&method.span()),
        ("POST", _) => Ok(Method::POST),
        _ => Err(Refusal::new("rule_invalid", "method is GET or POST")).at(&method.span()),
    }
}

fn body(body: Option<Spanned<String>>, content_type: Option<Spanned<String>>) -> Result<Option<Body>, Located> {
    match (body, content_type) {
        (None, None) => Ok(None),
        (None, Some(content_type)) => {
            Err(Refusal::new("rule_invalid", "content_type without a body")).at(&content_type.span())
        }
        (Some(body), content_type) => {
            let content_type = content_type.map(Spanned::into_inner);
            let media = content_type.as_deref().unwrap_or("application/json");
            Body::parse(body.get_ref(), media).map(Some).at(&body.span())
        }
    }
}

fn headers(entries: BTreeMap<String, Spanned<String>>) -> Result<Vec<(HeaderName, Vec<Piece>)>, Located> {
    let count = entries.len();
    let mut headers = Vec::with_capacity(count);
    for (name, value) in entries {
        let span = value.span();
        if count > MOST_HEADERS {
            return Err(Refusal::new("range", format!("at most {MOST_HEADERS} headers, received {count}"))).at(&span);
        }
        let name = header_name(&name).at(&span)?;
        let pieces = parse(value.get_ref(), Braces::Refused).at(&span)?;
        for piece in &pieces {
            if let Piece::Literal(literal) = piece {
                header_value(literal).at(&span)?;
            }
        }
        headers.push((name, pieces));
    }
    Ok(headers)
}

/// What would change where a request goes, how long it is, or who signed it.
const FORBIDDEN: [&str; 13] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "idempotency-key",
    "cookie",
    "accept-encoding",
];
const FORBIDDEN_PREFIXES: [&str; 4] = ["webhook-", "proxy-", "attributary-", ":"];

fn header_name(name: &str) -> Result<HeaderName, Refusal> {
    let lower = name.to_ascii_lowercase();
    let forbidden =
        FORBIDDEN.contains(&lower.as_str()) || FORBIDDEN_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
    match lower.parse::<HeaderName>() {
        Ok(parsed) if !forbidden => Ok(parsed),
        _ => Err(Refusal::new("header_name_forbidden", format!("header {} may not be set", quoted(name)))),
    }
}

fn header_value(value: &str) -> Result<HeaderValue, Refusal> {
    let visible = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let parsed = if visible { HeaderValue::from_str(value).ok() } else { None };
    parsed.ok_or_else(|| Refusal::new("header_value_invalid", "a header holds visible ASCII and spaces only"))
}

fn timeout(text: String) -> Result<Duration, Refusal> {
    let within = |timeout: &Duration| (Duration::from_millis(100)..=LONGEST_TIMEOUT).contains(timeout);
    duration(&text).filter(within).ok_or_else(|| Refusal::new("range", "a timeout is 100ms to 30s"))
}

fn concurrency(requests: i64) -> Result<usize, Refusal> {
    let requests = usize::try_from(requests).ok().filter(|requests| (1..=MOST_AT_ONCE).contains(requests));
    requests.ok_or_else(|| Refusal::new("range", format!("concurrency is 1 to {MOST_AT_ONCE}")))
}

fn schedule(steps: Vec<String>) -> Result<Schedule, Refusal> {
    let steps: Option<Vec<Duration>> = steps.iter().map(|step| duration(step)).collect();
    Schedule::new(
        steps.ok_or_else(|| Refusal::new("range", "a step of a retry schedule is a duration such as 5s or 1h"))?,
    )
}

fn duration(text: &str) -> Option<Duration> {
    humantime_serde::re::humantime::parse_duration(text).ok()
}
