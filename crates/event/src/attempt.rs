//! One delivery attempt and its outcome: the records of topic `postbacks`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Time;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The endpoint answered 2xx.
    Delivered,
    /// It will be tried again at `next_attempt_at`.
    Retrying,
    /// It will not be tried again.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Attempt<'a> {
    #[serde(borrow)]
    pub delivery_id: Cow<'a, str>,
    #[serde(borrow)]
    pub rule: Cow<'a, str>,
    #[serde(borrow)]
    pub endpoint: Cow<'a, str>,
    #[serde(borrow)]
    pub event_id: Cow<'a, str>,
    #[serde(borrow)]
    pub app_id: Cow<'a, str>,
    /// 1 for the first.
    pub attempt: u32,
    pub outcome: Outcome,
    /// What went wrong: `dns` `connect_refused` `connect_reset` `timeout` `tls` `ssrf_blocked` `http_3xx` `http_4xx`
    /// `http_5xx` `template` `endpoint_disabled` `endpoint_backlog_full`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub latency_ms: u64,
    /// What was requested, with secrets masked.
    #[serde(borrow)]
    pub url: Cow<'a, str>,
    /// The first KiB of the answer.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Time>,
    /// An earlier attempt may have reached the endpoint although no outcome was recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub possibly_repeated: bool,
}
