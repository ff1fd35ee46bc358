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
    newest: Option<Time>,
    /// The counter at hand. Both are written anew for each, into the same memory.
    key: String,
    field: String,
}

/// The key of an app's counters of one day; those of test devices are kept apart.
pub(crate) fn counters_key(app_id: &str, day: i64, test: bool) -> String {
    let mut key = String::new();
    write_key(&mut key, app_id, day, test);
    key
}

fn write_key(key: &mut String, app_id: &str, day: i64, test: bool) {
    key.push_str(if test { "t:" } else { "c:" });
    key.push_str(app_id);
    // Writing into a string cannot fail.
    write!(key, ":{day}").unwrap_or_default();
}

pub(crate) const APPS: &str = "apps";
pub(crate) const AS_OF: &str = "as_of";
pub(crate) const NEWEST: &str = "newest_event_time";

const DAY_SECONDS: i64 = 86_400;

impl<'a> Tally<'a> {
    pub(crate) fn new(settings: &'a Reports) -> Self {
        let (key, field) = (String::new(), String::new());
        Self { settings, effects: Effects::default(), newest: None, key, field }
    }

    /// Raises a counter.
    pub(crate) fn add(&mut self, metric: &str, place: &Place<'_>, by: i64) {
        let first = self.open(metric, place);
        self.effects.add(&self.key, &self.field, by);
        if first {
            self.note(place);
        }
    }

    /// Raises a counter by one, unless this event was counted already.
    pub(crate) fn add_once(&mut self, event_id: &str, metric: &str, place: &Place<'_>) {
        let first = self.open(metric, place);
        // A repetition has the same event time, so it looks into the same set.
        let seen = format!("seen:{}", place.time.hour());
        self.effects.add_once((&seen, event_id), &self.key, &self.field, 1);
        self.effects.expire_after(&seen, self.settings.dedupe);
        if first {
            self.note(place);
        }
    }

    pub(crate) fn into_effects(mut self) -> Effects {
        if let Some(newest) = self.newest {
            self.effects.raise(AS_OF, NEWEST, newest.millis());
        }
        self.effects
    }

    /// Leaves the counter in `self.key` and `self.field`. True: it is the first under its key.
    fn open(&mut self, metric: &str, place: &Place<'_>) -> bool {
        self.newest = self.newest.max(Some(place.time));
        self.key.clear();
        write_key(&mut self.key, place.app_id.as_str(), place.time.day(), place.test);
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
        !self.effects.holds(&self.key)
    }

    /// Notes what is the same for all counters under a key: the app, and when they expire, by the event's own day and
    /// never by the clock of whoever writes.
    fn note(&mut self, place: &Place<'_>) {
        self.effects.insert(APPS, place.app_id.as_str().as_bytes());
        let day_ends = (place.time.day() + 1) * DAY_SECONDS;
        self.effects.expire(&self.key, day_ends + seconds(self.settings.keep));
    }
}

fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 2)
}
