//! Asking reports.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use event::Micros;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::output::explain;
use crate::simulate::Truth;

pub(crate) struct Stats {
    pub client: reqwest::Client,
    pub base: Url,
}

/// One row of an answer: metrics, and whatever it was grouped by.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Counted {
    pub installs: i64,
    pub reinstalls: i64,
    pub events: i64,
    pub clicks: i64,
    pub impressions: i64,
    pub sessions: i64,
    pub revenue: BTreeMap<String, Micros>,
    #[serde(flatten)]
    dimensions: Map<String, Value>,
}

#[derive(Deserialize)]
struct Answer {
    rows: Vec<Counted>,
    totals: Counted,
}

impl Stats {
    /// The counts of an app over the days of the truth.
    pub(crate) async fn ask(&self, truth: &Truth, app: &str, grouping: &[&str]) -> anyhow::Result<Vec<Counted>> {
        let days = || truth.rows.iter().map(|row| row.cell.day.as_str());
        let days = (days().min().unwrap_or_default(), days().max().unwrap_or_default());
        self.ask_days(app, days, grouping).await
    }

    /// The counts of an app, or of several by comma, from one day to another, both inclusive.
    pub(crate) async fn ask_days(
        &self,
        apps: &str,
        (from, to): (&str, &str),
        grouping: &[&str],
    ) -> anyhow::Result<Vec<Counted>> {
        let mut url = self.base.join("/v1/stats")?;
        url.query_pairs_mut().extend_pairs([("app_id", apps), ("from", from), ("to", to), ("granularity", "total")]);
        if !grouping.is_empty() {
            url.query_pairs_mut().append_pair("group_by", &grouping.join(","));
        }
        let response = self.client.get(url).send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("reports answered {status}: {text}");
        }
        let answer: Answer = serde_json::from_str(&text).context("reports answered something else than counts")?;
        Ok(if grouping.is_empty() { vec![answer.totals] } else { answer.rows })
    }
}

impl Stats {
    fn unreachable(&self, error: reqwest::Error) -> stream::Error {
        let reason = explain(&error.without_url().into());
        stream::Error::unreachable(format!("reports does not answer at {} (--reports): {reason}", self.base))
    }
}

impl Counted {
    /// The values of these dimensions; what does not apply is empty.
    pub(crate) fn dimensions(&self, grouping: &[&str]) -> Vec<String> {
        let value = |name: &&str| self.dimensions.get(*name).and_then(Value::as_str).unwrap_or_default().to_owned();
        grouping.iter().map(value).collect()
    }
}
