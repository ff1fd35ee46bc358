//! Asking reports for the installs of one partition.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, bail};
use event::{Time, topic};
use reqwest::{Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::output::explain;

/// What installs are told apart by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub day: String,
    pub media_source: String,
    pub campaign: String,
    pub country: String,
    pub platform: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub installs: i64,
    pub reinstalls: i64,
}

/// What reports answered for one app of one partition.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub partition: i32,
    pub app: String,
    pub test: bool,
    /// The first offset that the counts rest on.
    pub from: i64,
    /// They are exact up to this one.
    pub position: i64,
    pub rows: BTreeMap<Cell, Counts>,
}

pub(crate) struct Reports {
    pub client: Client,
    pub base: Url,
    /// Days since the epoch.
    pub days: std::ops::RangeInclusive<i64>,
}

#[derive(Deserialize)]
struct Answer {
    as_of: Value,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    day: String,
    media_source: String,
    campaign: String,
    country: String,
    platform: String,
    installs: i64,
    reinstalls: i64,
}

#[derive(Deserialize)]
struct Apps {
    apps: Vec<String>,
}

const DAY_MILLIS: i64 = 86_400_000;

impl Reports {
    /// Every app that anything was counted for.
    pub(crate) async fn apps(&self) -> anyhow::Result<Vec<String>> {
        let apps: Apps = self.get(self.base.join("/v1/apps")?).await?;
        Ok(apps.apps)
    }

    /// The installs of an app in one partition; nothing where reports never read it.
    pub(crate) async fn ask(&self, partition: i32, app: &str, test: bool) -> anyhow::Result<Option<Answered>> {
        let mut url = self.base.join("/v1/stats")?;
        url.query_pairs_mut().extend_pairs([
            ("partition", format!("{}/{partition}", topic::INSTALLS).as_str()),
            ("app_id", app),
            ("from", &date(*self.days.start())),
            ("to", &date(*self.days.end())),
            ("metrics", "installs,reinstalls"),
            ("group_by", "media_source,campaign,country,platform"),
            ("test", if test { "true" } else { "false" }),
        ]);
        let answer: Answer = self.get(url).await?;
        let standing = &answer.as_of[topic::INSTALLS][partition.to_string()];
        let Some(position) = standing["position"].as_i64() else { return Ok(None) };
        let from = standing["incomplete_from"].as_i64().unwrap_or_default();
        let rows = answer.rows.into_iter().map(Row::split).filter(|(_, counts)| *counts != Counts::default());
        Ok(Some(Answered { partition, app: app.to_owned(), test, from, position, rows: rows.collect() }))
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> anyhow::Result<T> {
        let response = self.client.get(url).send().await.map_err(|error| {
            let reason = explain(&error.without_url().into());
            stream::Error::unreachable(format!("reports does not answer at {} (--reports): {reason}", self.base))
        })?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("reports answered {status}: {text}");
        }
        serde_json::from_str(&text).context("reports answered something else than counts")
    }
}

impl Row {
    fn split(self) -> (Cell, Counts) {
        let Self { day, media_source, campaign, country, platform, installs, reinstalls } = self;
        (Cell { day, media_source, campaign, country, platform }, Counts { installs, reinstalls })
    }
}

/// The date of a day since the epoch.
fn date(day: i64) -> String {
    let text = Time::from_trusted_millis(day.saturating_mul(DAY_MILLIS)).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [&self.day, &self.media_source, &self.campaign, &self.country, &self.platform];
        f.write_str(&words.into_iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} installs", self.installs)?;
        if self.reinstalls != 0 {
            write!(f, " and {} reinstalls", self.reinstalls)?;
        }
        Ok(())
    }
}
