//! What apps, ad clicks and servers report: the one shape of topic `activity`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AppId, Attribution, Currency, Device, EventId, Kind, Micros, Platform, Refusal, Source, Text, Time};

/// The name of an in-app event.
pub type EventName<'a> = Text<'a, 100>;

/// One thing that happened: a click, an impression, an install (first open), a session or an in-app event.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Activity<'a> {
    #[serde(borrow)]
    pub event_id: EventId<'a>,
    pub kind: Kind,
    #[serde(borrow)]
    pub app_id: AppId<'a>,
    pub event_time: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub install_id: Option<Text<'a, 128>>,
    #[serde(borrow, default, skip_serializing_if = "Device::is_empty")]
    pub device: Device<'a>,
    /// Keyed hash of the address (IPv4, or the /64 of IPv6), 16 hex digits.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub ip_hash: Option<Text<'a, 16>>,
    /// Keyed hash of the address' network (/24 or /48), 16 hex digits.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub ip_net_hash: Option<Text<'a, 16>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub ip_class: Option<Text<'a, 16>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Text<'a, 512>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text<'a, 2>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub city: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub media_source: Option<Text<'a, 150>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<Text<'a, 64>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub adset: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub adset_id: Option<Text<'a, 64>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub ad: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub ad_id: Option<Text<'a, 64>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub site_id: Option<Text<'a, 64>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sub_site_id: Option<Text<'a, 64>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sub1: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sub2: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sub3: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sub4: Option<Text<'a, 100>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sub5: Option<Text<'a, 100>>,
    /// The network's own id of the click, returned to it unchanged.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub click_id: Option<Text<'a, 256>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub touch_id: Option<Text<'a, 64>>,
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<Text<'a, 128>, Text<'a, 1024>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retargeting: bool,
    /// A duration such as `7d` or `24h`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub click_window: Option<Text<'a, 16>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub view_window: Option<Text<'a, 16>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Text<'a, 256>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Value>,
    /// The store's install referrer, as the store gave it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<Text<'a, 1024>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrer_click_time: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_begin_time: Option<Time>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub event_name: Option<EventName<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revenue: Option<Micros>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<Text<'a, 128>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Value>,
}

/// A record of `installs` and `events`: an activity and the attribution of its install.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Decided<'a> {
    #[serde(borrow)]
    pub attribution: Attribution<'a>,
    #[serde(borrow, flatten)]
    pub activity: Activity<'a>,
}

impl Activity<'_> {
    /// What no single field can tell: which fields a kind needs.
    pub fn check(&self) -> Result<(), Refusal> {
        let missing =
            |field: &str| Refusal::new("field_missing", format!("{field} is required for kind {}", self.kind.as_str()));
        if self.kind.is_touch() {
            let source = self.media_source.as_ref().map(Text::as_str).unwrap_or_default();
            if source.is_empty() {
                return Err(missing("media_source"));
            }
            if source == crate::ORGANIC {
                return Err(Refusal::new(
                    "media_source_reserved",
                    "media_source organic is reserved for installs that nobody earned",
                ));
            }
        }
        if self.kind == Kind::Event && self.event_name.as_ref().is_none_or(|name| name.as_str().is_empty()) {
            return Err(missing("event_name"));
        }
        if self.revenue.is_some() && self.currency.is_none() {
            return Err(Refusal::new("currency_missing", "revenue needs a currency, and the app has no default"));
        }
        Ok(())
    }

    /// The key of the record in Kafka: what happens to one device stays in one partition, in order.
    pub fn partition_key(&self) -> String {
        let device_key = self
            .install_id
            .as_ref()
            .map(Text::as_str)
            .or_else(|| self.device.matching_ids().next().map(|(_, id)| id))
            .or_else(|| self.ip_hash.as_ref().map(Text::as_str))
            .unwrap_or(self.event_id.as_str());
        format!("{}|{device_key}", self.app_id)
    }
}
