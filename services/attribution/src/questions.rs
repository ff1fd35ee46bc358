//! What must be known before a batch can be decided: gathered first, so that it is asked for in one go.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::Context as _;
use event::{Activity, Kind, Text};
use stream::Offset;

use crate::arrival::Arrival;
use crate::keys;
use crate::known::Known;
use crate::referrer::Referrer;
use crate::touch::Touch;

/// The names of the index entries that a batch needs.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Questions {
    /// In every partition: a touch may have come in anywhere.
    pub(crate) touches: BTreeSet<String>,
    /// In the partition of the batch.
    pub(crate) first_seen: BTreeSet<String>,
    /// In the partition of the batch.
    pub(crate) decisions: BTreeSet<String>,
}

/// What stands in the index under those names.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) touches: HashMap<String, Vec<Vec<u8>>>,
    pub(crate) first_seen: HashMap<String, Offset>,
    pub(crate) decisions: HashMap<String, Arc<Known>>,
}

impl Questions {
    pub(crate) fn add(&mut self, activity: &Activity<'_>) {
        if activity.kind.is_touch() {
            return;
        }
        self.first_seen.insert(keys::first_seen(activity));
        self.decisions.extend(keys::decision(activity));
        if activity.kind == Kind::Install {
            self.touches.extend(touch_keys(activity));
        }
    }
}

impl Answers {
    /// Whether the same event was seen before this record.
    pub(crate) fn is_repeated(&self, arrival: &Arrival<'_>) -> bool {
        let first = self.first_seen.get(&keys::first_seen(&arrival.activity));
        first.is_some_and(|first| *first < arrival.offset)
    }

    /// Every touch that may have to do with an install, some of them more than once.
    pub(crate) fn touches_for(&self, install: &Activity<'_>) -> anyhow::Result<Vec<Touch<'_>>> {
        let keys = touch_keys(install);
        let members = keys.iter().filter_map(|key| self.touches.get(key)).flatten();
        members.map(|member| serde_json::from_slice(member).context("reading a touch from the index")).collect()
    }
}

/// Under which names the touches of an install may stand.
fn touch_keys(install: &Activity<'_>) -> Vec<String> {
    let app = install.app_id.as_str();
    let by_device = install.device.matching_ids();
    let mut found: Vec<String> =
        by_device.map(|(id_type, id)| keys::touches_by_device(app, id_type.as_str(), id)).collect();
    if let Some(text) = &install.referrer {
        let referrer = Referrer::parse(text.as_str());
        found.extend(referrer.touch_id.iter().map(|id: &Text<'_, 64>| keys::touches_by_touch_id(app, id.as_str())));
        found.extend(referrer.click_id.iter().map(|id| keys::touches_by_click_id(app, id.as_str())));
    }
    found
}
