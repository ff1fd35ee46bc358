//! The messages of a journey, as an SDK or an ad network would send them, each with what it must add to the counts.

use event::{Currency, Micros, Time};
use rand::Rng;
use serde_json::{Map, Value, json};

use crate::simulate::journey::{Credit, Door, Expected, Submission, Traveller, Winner};
use crate::simulate::market::{App, MediaSource};
use crate::simulate::truth::{Cell, Counted, Metric, day};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TouchKind {
    Click,
    Impression,
}

/// What a message tells of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Device,
    Nobody,
    /// What a phone sends under limit-ad-tracking.
    Zeros,
}

/// A click or impression with what its winning would look like.
pub(crate) struct Touch {
    pub submission: Submission,
    source: &'static MediaSource,
    campaign: &'static str,
    kind: TouchKind,
    touch_id: String,
    click_id: Option<String>,
    at: Time,
}

/// Something that happens inside an app.
pub(crate) struct InApp {
    name: &'static str,
    at: Time,
    value: Option<Value>,
    /// In hundredths.
    paid: Option<i64>,
}

const ZERO_ID: &str = "00000000-0000-0000-0000-000000000000";
const MICROS_PER_HUNDREDTH: i64 = 10_000;

impl Touch {
    pub(crate) fn as_winner(&self, match_type: &'static str) -> Winner {
        Winner {
            media_source: self.source.name,
            campaign: self.campaign,
            touch_type: self.kind.as_str(),
            touch_id: self.touch_id.clone(),
            click_id: self.click_id.clone(),
            touch_time: self.at,
            match_type,
        }
    }
}

impl TouchKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Impression => "impression",
        }
    }

    fn metric(self) -> Metric {
        match self {
            Self::Click => Metric::Click,
            Self::Impression => Metric::Impression,
        }
    }
}

impl InApp {
    pub(crate) fn plain(name: &'static str, at: Time) -> Self {
        Self { name, at, value: None, paid: None }
    }

    pub(crate) fn level(level: u32, at: Time) -> Self {
        Self { name: "level_complete", at, value: Some(json!({ "level": level })), paid: None }
    }

    pub(crate) fn purchase(hundredths: i64, at: Time) -> Self {
        Self { name: "purchase", at, value: Some(json!({ "sku": "gems" })), paid: Some(hundredths) }
    }

    pub(crate) fn refund(hundredths: i64, at: Time) -> Self {
        Self { name: "refund", at, value: None, paid: Some(-hundredths) }
    }
}

impl<'s> Traveller<'s> {
    pub(crate) fn touch(
        &mut self,
        kind: TouchKind,
        source: &'static MediaSource,
        at: i64,
        identity: Identity,
    ) -> Touch {
        self.touch_of(self.app, (kind, source), Time::from_trusted_millis(at), identity)
    }

    /// A click for an app that is not the one installed, if the market has another.
    pub(crate) fn touch_of_another_app(&mut self, source: &'static MediaSource, at: i64) -> Option<Touch> {
        let scenario = self.scenario;
        let other = scenario.apps.iter().find(|app| app.id != self.app.id)?;
        Some(self.touch_of(other, (TouchKind::Click, source), Time::from_trusted_millis(at), Identity::Device))
    }

    pub(crate) fn install(&mut self, at: i64, winner: &Winner) -> Submission {
        let by_referrer = winner.match_type == "referrer";
        let identity = if by_referrer { Identity::Nobody } else { Identity::Device };
        let mut body = self.body("install", self.app, Time::from_trusted_millis(at), identity);
        if by_referrer {
            body.insert("referrer".into(), referrer(winner, self.percent(50)).into());
        }
        self.decided_install(body, at, Credit { winner: Some(winner.clone()) })
    }

    pub(crate) fn organic_install(&mut self, at: i64, identity: Identity) -> Submission {
        let body = self.body("install", self.app, Time::from_trusted_millis(at), identity);
        self.decided_install(body, at, Credit::default())
    }

    pub(crate) fn session(&mut self, at: Time, credit: &Credit) -> Submission {
        let mut body = self.body("session", self.app, at, Identity::Nobody);
        body.insert("install_id".into(), self.install_id.clone().into());
        let counted = Counted { cell: self.cell_of(credit, at), metric: Metric::Session, revenue: None };
        Submission { body, door: Door::Events, expected: Some(Expected { counted, credit: Some(credit.clone()) }) }
    }

    pub(crate) fn in_app(&mut self, happened: InApp, credit: &Credit) -> Submission {
        let mut body = self.body("event", self.app, happened.at, Identity::Nobody);
        body.insert("install_id".into(), self.install_id.clone().into());
        body.insert("event_name".into(), happened.name.into());
        if let Some(value) = happened.value {
            body.insert("event_value".into(), value);
        }
        let revenue = happened.paid.and_then(|paid| self.price(paid));
        if let Some((amount, currency)) = revenue {
            body.insert("revenue".into(), amount.to_string().into());
            body.insert("currency".into(), currency.as_str().into());
            body.insert("order_id".into(), self.uuid().into());
        }
        let cell = Cell { event_name: happened.name.into(), ..self.cell_of(credit, happened.at) };
        let counted = Counted { cell, metric: Metric::Event, revenue };
        Submission { body, door: Door::Events, expected: Some(Expected { counted, credit: Some(credit.clone()) }) }
    }

    fn decided_install(&self, mut body: Map<String, Value>, at: i64, credit: Credit) -> Submission {
        body.insert("install_id".into(), self.install_id.clone().into());
        let cell = self.cell_of(&credit, Time::from_trusted_millis(at));
        let counted = Counted { cell, metric: Metric::Install, revenue: None };
        Submission { body, door: Door::Events, expected: Some(Expected { counted, credit: Some(credit) }) }
    }

    fn touch_of(
        &mut self,
        app: &App,
        (kind, source): (TouchKind, &'static MediaSource),
        at: Time,
        identity: Identity,
    ) -> Touch {
        let campaign = source.campaigns[self.rng.random_range(0..source.campaigns.len())];
        let touch_id = self.touch_id(at);
        let click_id = (kind == TouchKind::Click).then(|| format!("{}-{}", source.name, self.uuid()));
        let mut body = self.body(kind.as_str(), app, at, identity);
        for (field, value) in [("touch_id", touch_id.as_str()), ("media_source", source.name), ("campaign", campaign)] {
            body.insert(field.into(), value.into());
        }
        body.insert("site_id".into(), format!("site_{}", self.rng.random_range(1..40)).into());
        if identity == Identity::Nobody {
            // A network's server sends it. The key is then the event's id, and not the hash of an address, which changes
            // with the hash key: sent again after a restart, it would land in another partition and count twice.
            body.insert("source".into(), "s2s".into());
        }
        if let Some(click_id) = &click_id {
            body.insert("click_id".into(), click_id.clone().into());
        }
        let cell = Cell {
            app_id: app.id.clone(),
            media_source: source.name.into(),
            campaign: campaign.into(),
            ..self.cell_of(&Credit::default(), at)
        };
        let counted = Counted { cell, metric: kind.metric(), revenue: None };
        let submission = Submission { body, door: Door::Events, expected: Some(Expected { counted, credit: None }) };
        Touch { submission, source, campaign, kind, touch_id, click_id, at }
    }

    fn body(&mut self, kind: &str, app: &App, at: Time, identity: Identity) -> Map<String, Value> {
        let mut body = Map::new();
        let texts = [
            ("event_id", self.uuid()),
            ("kind", kind.to_owned()),
            ("app_id", app.id.clone()),
            ("event_time", at.to_string()),
            ("platform", self.platform().to_owned()),
            ("country", self.country.code.to_owned()),
        ];
        for (field, value) in texts {
            body.insert(field.into(), value.into());
        }
        let device = match identity {
            Identity::Device => Some(json!({ self.id_field(): self.device_id })),
            Identity::Zeros => Some(json!({ self.id_field(): ZERO_ID, "limit_ad_tracking": true })),
            Identity::Nobody => None,
        };
        if let Some(device) = device {
            body.insert("device".into(), device);
        }
        body
    }

    /// Where something is counted that the winner of the install, if any, gets the credit for.
    fn cell_of(&self, credit: &Credit, at: Time) -> Cell {
        let winner = credit.winner.as_ref();
        Cell {
            app_id: self.app.id.clone(),
            day: day(at),
            media_source: winner.map_or(event::ORGANIC, |winner| winner.media_source).into(),
            campaign: winner.map_or("", |winner| winner.campaign).into(),
            country: self.country.code.into(),
            platform: self.platform().into(),
            event_name: String::new(),
        }
    }

    fn price(&self, hundredths: i64) -> Option<(Micros, Currency)> {
        let currency = Currency::parse(self.country.currency).ok()?;
        Some((Micros::new(hundredths * MICROS_PER_HUNDREDTH), currency))
    }

    fn touch_id(&mut self, at: Time) -> String {
        let millis = u64::try_from(at.millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.rng.random()).into_uuid().to_string()
    }
}

/// What the store hands to the app: it names the click by our id or by the network's own.
fn referrer(winner: &Winner, by_touch_id: bool) -> String {
    let names = format!("media_source={}&campaign={}", winner.media_source, winner.campaign);
    match &winner.click_id {
        Some(click_id) if !by_touch_id => format!("{names}&click_id={click_id}"),
        _ => format!("{names}&touch_id={}", winner.touch_id),
    }
}
