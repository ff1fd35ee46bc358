//! What was sent and what Kafka said of it: the truth that everything else is compared with.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

pub(crate) const APP: &str = "com.example.game";
/// The networks that buy ads; nobody earns the rest.
pub(crate) const SOURCES: [&str; 3] = ["acme_ads", "bluebird_social", "cobalt_search"];
pub(crate) const ORGANIC: &str = "organic";

/// One device, from the click on an ad to its purchases.
pub(crate) struct Device {
    id: String,
    source: Option<&'static str>,
    purchases: u32,
}

/// What is known of an event that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Kafka has it.
    Stored,
    /// It may be there.
    Unknown,
}

#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) fates: BTreeMap<String, Fate>,
    /// Who earned each install, by install id.
    pub(crate) earned: BTreeMap<String, &'static str>,
    pub(crate) installs_stored: u64,
    pub(crate) latencies: Vec<Duration>,
    pub(crate) refusals: u64,
}

impl Device {
    pub(crate) fn draw(random: &mut StdRng) -> Self {
        let hex = format!("{:032x}", random.random::<u128>());
        let id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        let source = SOURCES.get(random.random_range(0..4)).copied();
        Self { id, source, purchases: random.random_range(0..3) }
    }

    pub(crate) fn source(&self) -> &'static str {
        self.source.unwrap_or(ORGANIC)
    }

    pub(crate) fn install_id(&self) -> String {
        format!("inst-{}", self.id)
    }

    /// What the ad network sends before the install.
    pub(crate) fn touches(&self) -> Vec<Value> {
        let Some(source) = self.source else { return Vec::new() };
        let touch = |kind: &str| {
            let id = format!("{kind}-{}", self.id);
            self.event(kind, &id, json!({ "media_source": source, "click_id": id }))
        };
        vec![touch("click"), touch("impression")]
    }

    /// What the app sends from its first start on.
    pub(crate) fn journey(&self) -> Vec<Value> {
        let install = self.install_id();
        let mut events = vec![
            self.event("install", &install, json!({ "install_id": install })),
            self.event("session", &format!("ses-{}", self.id), json!({ "install_id": install })),
        ];
        for number in 0..self.purchases {
            let paid = json!({ "install_id": install, "event_name": "purchase", "revenue": "1.25", "currency": "USD" });
            events.push(self.event("event", &format!("buy{number}-{}", self.id), paid));
        }
        events
    }

    fn event(&self, kind: &str, id: &str, more: Value) -> Value {
        let mut event = json!({ "event_id": id, "kind": kind, "app_id": APP, "platform": "android", "country": "DE",
                                "device": { "advertising_id": self.id } });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    }
}

impl Truth {
    /// Before an event is sent it may be there, and once Kafka has acknowledged it, it is.
    pub(crate) fn note(&mut self, events: &[Value], fate: Fate) {
        for event in events {
            let id = event["event_id"].as_str().unwrap().to_owned();
            let before = self.fates.insert(id, fate);
            if fate == Fate::Stored && before != Some(Fate::Stored) && event["kind"] == "install" {
                self.installs_stored += 1;
            }
        }
    }

    pub(crate) fn stored(&self) -> u64 {
        self.fates.values().filter(|&&fate| fate == Fate::Stored).count() as u64
    }

    /// The latency that 99 of 100 acknowledged requests kept to.
    pub(crate) fn p99(&self) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default()
    }
}
