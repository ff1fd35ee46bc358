//! Who earned an install, as it is written into `installs` and `events`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Kind, Text, Time};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Attributed,
    #[default]
    Organic,
    Blocked,
    /// The install that this event belongs to is not known (yet).
    Pending,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Conversion {
    #[default]
    Install,
    Reinstall,
    Reattribution,
    Reengagement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TouchType {
    Click,
    Impression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatchType {
    Referrer,
    DeviceId,
    Probabilistic,
}

/// The decision on an install, whole: what a reader needs to count it, tell a network of it and explain it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct Attribution<'a> {
    pub status: Status,
    pub conversion: Conversion,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub media_source: Option<Text<'a, 150>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Text<'a, 100>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<Text<'a, 64>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub adset: Option<Text<'a, 100>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub adset_id: Option<Text<'a, 64>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub ad: Option<Text<'a, 100>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub ad_id: Option<Text<'a, 64>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a, 100>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub site_id: Option<Text<'a, 64>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub click_id: Option<Text<'a, 256>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sub1: Option<Text<'a, 100>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sub2: Option<Text<'a, 100>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sub3: Option<Text<'a, 100>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sub4: Option<Text<'a, 100>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sub5: Option<Text<'a, 100>>,
    /// Every other parameter of the winning click.
    #[serde(borrow, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<Text<'a, 128>, Text<'a, 1024>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touch_type: Option<TouchType>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub touch_id: Option<Text<'a, 64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touch_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_type: Option<MatchType>,
    /// When the install happened: events carry it, so that a reader of `events` alone can tell cohorts apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install_time: Option<Time>,
    pub version: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub correction: bool,
    /// The attribution that a correction replaces.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<Attribution<'a>>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub rules_version: Option<Text<'a, 64>>,
    /// The other touches that counted, latest first, at most three.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub contributors: Vec<Contributor<'a>>,
    /// Why the decision is what it is, where that needs saying.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text<'a, 200>>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Contributor<'a> {
    #[serde(borrow)]
    pub media_source: Text<'a, 150>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Text<'a, 100>>,
    pub touch_type: TouchType,
    #[serde(borrow)]
    pub touch_id: Text<'a, 64>,
    pub touch_time: Time,
    pub match_type: MatchType,
}

impl TouchType {
    /// The touch type of a kind; only clicks and impressions have one.
    pub fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Click => Some(Self::Click),
            Kind::Impression => Some(Self::Impression),
            Kind::Install | Kind::Session | Kind::Event => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Impression => "impression",
        }
    }
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attributed => "attributed",
            Self::Organic => "organic",
            Self::Blocked => "blocked",
            Self::Pending => "pending",
        }
    }
}
