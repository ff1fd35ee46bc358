//! The two public doors: where a canary goes in, and where it must be seen.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, RequestBuilder, Url};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::canary::Canary;
use crate::config;

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Doors {
    client: Client,
    handle: Handle,
    events: Url,
    stats: Url,
    app: String,
    key: Option<String>,
}

/// How many canaries reports has counted, and up to where in each partition of `installs`.
pub(crate) struct Counted {
    pub(crate) installs: i64,
    as_of: Value,
}

impl Doors {
    pub(crate) fn open(config: &config::Canary, handle: Handle) -> anyhow::Result<Self> {
        let door = |name: &str, base: &str, path: &str| {
            let url = Url::parse(base).and_then(|base| base.join(path));
            url.map_err(|error| service::bad_configuration(format!("canary.{name}: {error}: {base}")))
        };
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may be faster; then its provider serves as well.
            rustls::crypto::ring::default_provider().install_default().ok();
        }
        Ok(Self {
            client: Client::builder().timeout(ANSWER_WITHIN).build().context("making an HTTP client")?,
            handle,
            events: door("ingest", &config.ingest, "/v1/events")?,
            stats: door("reports", &config.reports, "/v1/stats")?,
            app: config.app.clone(),
            key: config.secret_key.clone(),
        })
    }

    /// Returns when ingest says that Kafka has both events.
    pub(crate) fn send(&self, canary: &Canary) -> Result<(), String> {
        let request = self.client.post(self.events.clone()).json(&canary.events(&self.app));
        let request = match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        self.ask("ingest", request).map(drop)
    }

    /// The canaries of its day.
    pub(crate) fn counted(&self, canary: &Canary) -> Result<Counted, String> {
        let time = canary.time.to_string();
        let day = time.split('T').next().unwrap_or_default();
        let mut url = self.stats.clone();
        url.query_pairs_mut().extend_pairs([
            ("app_id", self.app.as_str()),
            ("test", "true"),
            ("from", day),
            ("to", day),
            ("metrics", "installs"),
            ("granularity", "total"),
        ]);
        let mut answer = self.ask("reports", self.client.get(url))?;
        let installs = answer["totals"]["installs"].as_i64().ok_or("reports answered without a count")?;
        Ok(Counted { installs, as_of: answer["as_of"]["installs"].take() })
    }

    fn ask(&self, service: &str, request: RequestBuilder) -> Result<Value, String> {
        let answer = self.handle.block_on(async {
            let response = request.send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.text().await?))
        });
        match answer {
            Ok((status, text)) if status.as_u16() == 200 => {
                serde_json::from_str(&text).map_err(|error| format!("{service} answered no JSON: {error}"))
            }
            Ok((status, text)) => Err(format!("{service} answered {status}: {text}")),
            Err(error) => Err(format!("{service} does not answer: {error}")),
        }
    }
}

impl Counted {
    /// Whether the record at this offset is counted.
    pub(crate) fn holds(&self, partition: i32, offset: i64) -> bool {
        self.as_of[partition.to_string()]["position"].as_i64().is_some_and(|position| position > offset)
    }
}
