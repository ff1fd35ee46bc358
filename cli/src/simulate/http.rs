//! The doors of ingest as a client sees them: it sends until it knows that a message is stored.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::output::explain;
use crate::simulate::fate::{Answered, Fate};
use crate::simulate::journey::{Door, Submission};
use crate::simulate::patience::{FIRST_PAUSE, Patience};

/// Sends batches to `POST /v1/events` and single clicks to the click link.
#[derive(Clone)]
pub struct HttpDoors {
    pub client: reqwest::Client,
    pub base: Url,
    /// How long one batch may go without success before it is given up.
    pub give_up: Duration,
    /// Once this is cancelled, a batch gets only a few seconds more.
    pub stop: CancellationToken,
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    results: Vec<Line>,
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Line {
    status: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    field: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    message: String,
}

/// What one request told of the messages in it.
enum Verdict {
    /// One for each message; `None` is still open.
    Each(Vec<Option<Fate>>),
    /// Nothing is known: again, after this long.
    Again(Duration, String),
}

pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

impl HttpDoors {
    /// Sends a batch until each of its messages has found its fate, in the order of the batch.
    pub async fn send(&self, batch: &[Submission]) -> Vec<Answered> {
        if let [click] = batch
            && click.door == Door::Link
        {
            return vec![self.click(click).await];
        }
        let mut fates: Vec<Option<Fate>> = vec![None; batch.len()];
        let mut patience = Patience::new(self.give_up);
        loop {
            let open: Vec<usize> = (0..batch.len()).filter(|&index| fates[index].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let messages: Vec<&Submission> = open.iter().map(|&index| &batch[index]).collect();
            let (pause, reason) = match self.post(&messages).await {
                Verdict::Again(pause, reason) => (pause, reason),
                Verdict::Each(answers) => {
                    for (index, fate) in open.into_iter().zip(answers) {
                        fates[index] = fate;
                    }
                    (Duration::ZERO, "not every event of the batch was stored".to_owned())
                }
            };
            if fates.iter().any(Option::is_none) && !patience.pause(pause, &self.stop).await {
                fates
                    .iter_mut()
                    .filter(|fate| fate.is_none())
                    .for_each(|fate| *fate = Some(Fate::Unsettled(reason.clone())));
            }
        }
        fates
            .into_iter()
            .flatten()
            .map(|fate| Answered { fate, retries: patience.tries, ..Answered::default() })
            .collect()
    }

    async fn post(&self, messages: &[&Submission]) -> Verdict {
        let mut body = Vec::with_capacity(messages.len() * 512);
        for message in messages {
            if let Err(error) = serde_json::to_writer(&mut body, &message.body) {
                return Verdict::Each(vec![Some(Fate::Refused(error.to_string())); messages.len()]);
            }
            body.push(b'\n');
        }
        let Ok(url) = self.base.join("/v1/events") else {
            return Verdict::Each(vec![Some(Fate::Refused("the URL is not one of a door".into())); messages.len()]);
        };
        let request =
            self.client.post(url).header(CONTENT_TYPE, "application/x-ndjson").timeout(ANSWER_WITHIN).body(body);
        match request.send().await {
            Ok(response) => judge(response, messages.len()).await,
            Err(error) => Verdict::Again(FIRST_PAUSE, explain(&error.into())),
        }
    }
}

async fn judge(response: Response, messages: usize) -> Verdict {
    let status = response.status();
    if status == StatusCode::OK {
        return Verdict::Each(vec![Some(Fate::Stored); messages]);
    }
    let wait = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let pause = wait.unwrap_or(FIRST_PAUSE);
    let Ok(body) = response.bytes().await else { return Verdict::Again(pause, "the answer broke off".into()) };
    let report = serde_json::from_slice::<Report>(&body).unwrap_or(Report { results: Vec::new(), error: None });
    if report.results.len() == messages {
        return Verdict::Each(report.results.into_iter().map(fate).collect());
    }
    let reason =
        report.error.map_or_else(|| status.to_string(), |error| format!("{status}: {}: {}", error.code, error.message));
    let may_pass =
        status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if may_pass { Verdict::Again(pause, reason) } else { Verdict::Each(vec![Some(Fate::Refused(reason)); messages]) }
}

/// `None`: it has to be sent again, under the same event id.
fn fate(line: Line) -> Option<Fate> {
    match (line.status.as_str(), line.code.as_str()) {
        ("stored", _) => Some(Fate::Stored),
        ("rejected", "not_stored" | "overloaded") => None,
        ("rejected", code) => {
            Some(Fate::Refused(format!("{code}: {} ({})", line.message, line.field.unwrap_or_default())))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_never_be_stored_is_given_up() {
        for (status, code, expected) in [
            ("stored", "", Some(true)),
            ("rejected", "ts_too_old", Some(false)),
            ("rejected", "not_stored", None),
            ("unknown", "unknown", None),
        ] {
            let line = Line { status: status.into(), code: code.into(), message: String::new(), field: None };
            assert_eq!(fate(line).map(|fate| fate == Fate::Stored), expected, "{status} {code}");
        }
    }
}
