//! The counters of a batch: what is counted, under which key and field.

use std::fmt::Write as _;

use event::{AppId, Platform, Status, Text, Time, TouchType};
use ledger::Effects;

use crate::config::Reports;
use crate::dimension::SEPARATOR;

/// Where a count belongs. Whatever does not apply stays empty.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) app_id: &'a AppId<'a>,
    pub(crate) time: Time,
    pub(crate) test: bool,
    pub(crate) media_source: &'a str,
    pub(crate) campaign: Option<&'a Text<'a, 100>>,
    pub(crate) country: Option<&'a Text<'a, 2>>,
    pub(crate) platform: Option<Platform>,
    pub(crate) event_name: Option<&'a Text<'a, 100>>,
    pub(crate) touch_type: Option<TouchType>,
    pub(crate) status: Option<Status>,
}

/// Effects on counters, gathered.
pub(crate) struct Tally<'a> {
    settings: &'a Reports,
    effects: Effects,
    field: String,
}

/// The key of an app's counters of one day; those of test devices are kept apart.
pub(crate) fn counters_key(app_id: &str, day: i64, test: bool) -> String {
    format!("{}:{app_id}:{day}", if test { "t" } else { "c" })
}

pub(crate) const APPS: &str = "apps";
pub(crate) const AS_OF: &str = "as_of";
pub(crate) const NEWEST: &str = "newest_event_time";

const DAY_SECONDS: i64 = 86_400;

impl<'a> Tally<'a> {
    pub(crate) fn new(settings: &'a Reports) -> Self {
        Self { settings, effects: Effects::default(), field: String::new() }
    }

    /// Raises a counter.
    pub(crate) fn add(&mut self, metric: &str, place: &Place<'_>, by: i64) {
        let key = self.open(metric, place);
        self.effects.add(&key, &self.field, by);
        self.expire(&key, place);
    }

    /// Raises a counter by one, unless this event was counted already.
    pub(crate) fn add_once(&mut self, event_id: &str, appended_at: i64, metric: &str, place: &Place<'_>) {
        let key = self.open(metric, place);
        // A repetition has the same event time, so it looks into the same set.
        let seen = format!("seen:{}", place.time.hour());
        self.effects.add_once((&seen, event_id), &key, &self.field, 1);
        self.effects.expire(&seen, appended_at / 1_000 + seconds(self.settings.dedupe));
        self.expire(&key, place);
    }

    pub(crate) fn into_effects(self) -> Effects {
        self.effects
    }

    /// Notes the app and the newest time, and leaves the counter's field in `self.field`.
    fn open(&mut self, metric: &str, place: &Place<'_>) -> String {
        self.effects.insert(APPS, place.app_id.as_str().as_bytes());
        self.effects.raise(AS_OF, NEWEST, place.time.millis());
        self.field.clear();
        self.field.push_str(metric);
        let hour = place.time.hour().rem_euclid(24);
        // Writing into a string cannot fail.
        write!(self.field, "{SEPARATOR}{hour:02}").unwrap_or_default();
        for word in [
            place.media_source,
            place.campaign.map_or("", Text::as_str),
            place.country.map_or("", Text::as_str),
            place.platform.map_or("", Platform::as_str),
            place.event_name.map_or("", Text::as_str),
            place.touch_type.map_or("", TouchType::as_str),
            place.status.map_or("", Status::as_str),
        ] {
            self.field.push(SEPARATOR);
            self.field.push_str(word);
        }
        counters_key(place.app_id.as_str(), place.time.day(), place.test)
    }

    /// By the event's own day, never by the clock of whoever writes.
    fn expire(&mut self, key: &str, place: &Place<'_>) {
        self.effects.expire(key, (place.time.day() + 1) * DAY_SECONDS + seconds(self.settings.keep));
    }
}

fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 2)
}
