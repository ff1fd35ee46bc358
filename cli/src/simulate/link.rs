//! The click link as a browser sees it.

use anyhow::{Context, anyhow};
use reqwest::{StatusCode, Url};
use serde_json::Value;

use crate::clock::now;
use crate::simulate::fate::{Answered, Fate};
use crate::simulate::http::{ANSWER_WITHIN, HttpDoors};
use crate::simulate::journey::Submission;
use crate::simulate::patience::{FIRST_PAUSE, Patience};
use crate::simulate::truth::day;

enum Answer {
    Stored,
    /// Kafka was too slow for a browser: it may be counted.
    Unconfirmed,
    /// It is certainly not counted.
    NotTaken,
    Refused(String),
}

impl HttpDoors {
    /// Follows a click link until a click was taken. A link's click has no id of its own: when the answer is lost it may
    /// be counted or not, and another try would be another click.
    pub(crate) async fn click(&self, click: &Submission) -> Answered {
        let mut answered = Answered::default();
        let mut patience = Patience::new(self.give_up);
        loop {
            let before = day(now());
            let answer = self.follow(click).await;
            let after = day(now());
            answered.retries = patience.tries;
            match answer {
                Ok(Answer::Stored) if before == after => return Answered { day: Some(before), ..answered },
                Ok(Answer::Stored) => {
                    return Answered { fate: Fate::Doubtful, doubts: vec![before, after], ..answered };
                }
                Ok(Answer::Unconfirmed) | Err(_) => {
                    return Answered { fate: Fate::Doubtful, doubts: vec![before], ..answered };
                }
                Ok(Answer::Refused(reason)) => return Answered { fate: Fate::Refused(reason), ..answered },
                Ok(Answer::NotTaken) => {}
            }
            if !patience.pause(FIRST_PAUSE, &self.stop).await {
                return Answered { fate: Fate::Unsettled("the click link takes nothing".into()), ..answered };
            }
        }
    }

    async fn follow(&self, click: &Submission) -> anyhow::Result<Answer> {
        let response = match self.client.get(self.link(click)?).timeout(ANSWER_WITHIN).send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Ok(Answer::NotTaken),
            Err(error) => return Err(error.into()),
        };
        let status = response.status();
        let text = response.text().await?;
        if status.is_success() {
            let answer: Value = serde_json::from_str(&text)?;
            return Ok(match answer.get("status").and_then(Value::as_str) {
                Some("stored") => Answer::Stored,
                Some("rejected") => Answer::NotTaken,
                _ => Answer::Unconfirmed,
            });
        }
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Ok(Answer::NotTaken),
            status if status.is_client_error() => Ok(Answer::Refused(format!("{status}: {text}"))),
            status => Err(anyhow!("{status}")),
        }
    }

    fn link(&self, click: &Submission) -> anyhow::Result<Url> {
        let mut url = self.base.join(&format!("/v1/click/{}", click.text("app_id"))).context("the click link")?;
        let mut query = url.query_pairs_mut();
        query.append_pair("redirect", "0");
        for (name, value) in &click.body {
            match value {
                Value::String(value) if !matches!(name.as_str(), "app_id" | "kind") => {
                    query.append_pair(name, value);
                }
                Value::Object(device) => {
                    query.extend_pairs(device.iter().filter_map(|(name, value)| Some((name, value.as_str()?))));
                }
                _ => {}
            }
        }
        drop(query);
        Ok(url)
    }
}
