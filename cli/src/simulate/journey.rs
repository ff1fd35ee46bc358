//! What one simulated person does, and what must come of it. Pure: the same scenario and number give the same journey.

use event::{Platform, Time};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value};

use crate::simulate::market::{App, COUNTRIES, Country};
use crate::simulate::story;
use crate::simulate::truth::Counted;

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub started_at: Time,
    pub apps: Vec<App>,
    /// Milliseconds of event time between two journeys: the traffic's own clock.
    pub spacing_ms: f64,
    pub shares: Shares,
    pub content: Content,
}

/// Which messages of a journey are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Everything,
    /// Decided installs, each once.
    Installs,
}

/// Between 0 and 1 each.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Messages that are sent a second time.
    pub duplicates: f64,
    /// Journeys that happened hours or days before they are sent.
    pub late: f64,
    /// Clicks that come through the click link.
    pub links: f64,
}

/// Steps are taken in order: each is acknowledged whole before the next is sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journey {
    pub steps: Vec<Vec<Submission>>,
}

/// One message to a door, and what it must add to the counts: nothing when it is sent a second time.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    pub body: Map<String, Value>,
    pub door: Door,
    pub expected: Option<Expected>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Events,
    Link,
}

/// What a message must add to the counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    pub counted: Counted,
    /// For an install and what follows it: who earned it.
    pub credit: Option<Credit>,
}

/// Who earns an install; nobody, when there is no winner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Credit {
    pub winner: Option<Winner>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Winner {
    pub media_source: &'static str,
    pub campaign: &'static str,
    pub touch_type: &'static str,
    pub touch_id: String,
    pub click_id: Option<String>,
    pub touch_time: Time,
    pub match_type: &'static str,
}

/// Whoever makes a journey: the person's ids, place and luck.
pub(crate) struct Traveller<'s> {
    pub scenario: &'s Scenario,
    pub rng: StdRng,
    pub app: &'s App,
    pub country: &'static Country,
    pub install_id: String,
    pub device_id: String,
    /// When the journey's last message happened, in milliseconds.
    pub moment: i64,
}

const HOUR: i64 = 3_600_000;
/// Touches are kept for their window and a day; a journey that starts with an impression must not be older than that.
const LATEST_MS: i64 = 12 * HOUR;

impl Scenario {
    pub fn journey(&self, number: u64) -> Journey {
        let mut journey = story::tell(self.traveller(number));
        match self.content {
            Content::Everything => self.repeat_some(&mut journey, number),
            Content::Installs => {
                journey.steps.iter_mut().for_each(|step| step.retain(|message| message.text("kind") == "install"))
            }
        }
        journey.steps.retain(|step| !step.is_empty());
        journey
    }

    fn traveller(&self, number: u64) -> Traveller<'_> {
        let mut rng = self.rng(number, 1);
        let app = &self.apps[rng.random_range(0..self.apps.len())];
        let country = pick(&mut rng, &COUNTRIES, |country| country.weight);
        let elapsed = number as f64 * self.spacing_ms;
        let late = if rng.random_bool(self.shares.late) { rng.random_range(HOUR..LATEST_MS) } else { 0 };
        Traveller {
            scenario: self,
            app,
            country,
            install_id: uuid(&mut rng),
            device_id: uuid(&mut rng),
            moment: self.started_at.millis() + elapsed as i64 - late,
            rng,
        }
    }

    /// Sends some messages again, one step later: the same event id, or for an install the same install id alone.
    fn repeat_some(&self, journey: &mut Journey, number: u64) {
        let mut rng = self.rng(number, 2);
        for index in 0..journey.steps.len() {
            let firsts = journey.steps[index]
                .iter()
                .filter(|message| message.expected.is_some() && message.door == Door::Events);
            let chosen: Vec<Submission> = firsts.filter(|_| rng.random_bool(self.shares.duplicates)).cloned().collect();
            if chosen.is_empty() {
                continue;
            }
            if journey.steps.len() == index + 1 {
                journey.steps.push(Vec::new());
            }
            for mut again in chosen {
                again.expected = None;
                if again.text("kind") == "install" && rng.random_bool(0.5) {
                    again.body.insert("event_id".into(), uuid(&mut rng).into());
                }
                journey.steps[index + 1].push(again);
            }
        }
    }

    /// Each journey has a generator of its own, so that none depends on how many came before.
    fn rng(&self, number: u64, purpose: u64) -> StdRng {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&number.to_le_bytes());
        seed[16..24].copy_from_slice(&purpose.to_le_bytes());
        StdRng::from_seed(seed)
    }
}

impl Submission {
    /// The same click by way of the link: the door gives it its time, and a link says nothing of the country.
    pub fn through_link(mut self) -> Self {
        for field in ["event_id", "event_time", "touch_id", "country", "source"] {
            self.body.shift_remove(field);
        }
        if let Some(expected) = &mut self.expected {
            expected.counted.cell.country.clear();
        }
        Self { door: Door::Link, ..self }
    }

    /// A text of the message, empty where it has none.
    pub fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Journey {
    pub fn len(&self) -> usize {
        self.steps.iter().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Traveller<'_> {
    pub(crate) fn platform(&self) -> &'static str {
        self.app.platform.as_str()
    }

    /// The field of `device` that holds the id that networks know.
    pub(crate) fn id_field(&self) -> &'static str {
        if self.app.platform == Platform::Ios { "idfa" } else { "advertising_id" }
    }

    pub(crate) fn uuid(&mut self) -> String {
        uuid(&mut self.rng)
    }

    pub(crate) fn percent(&mut self, chance: u32) -> bool {
        self.rng.random_range(0..100) < chance
    }
}

/// One of the items, the heavier the likelier.
pub(crate) fn pick<'a, T>(rng: &mut StdRng, items: &'a [T], weight: impl Fn(&T) -> u32) -> &'a T {
    let total: u32 = items.iter().map(&weight).sum();
    let mut drawn = rng.random_range(0..total);
    for item in items {
        let share = weight(item);
        if drawn < share {
            return item;
        }
        drawn -= share;
    }
    &items[items.len() - 1]
}

fn uuid(rng: &mut StdRng) -> String {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string()
}
