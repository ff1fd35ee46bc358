//! The names of the index entries, below the tag of a partition. Free text comes last, so no name can be read as another.

use event::{Activity, Text};

/// The touches of a device.
pub(crate) fn touches_by_device(app_id: &str, id_type: &str, id: &str) -> String {
    format!("t:{app_id}:{id_type}:{id}")
}

/// The click with this id of ours.
pub(crate) fn touches_by_touch_id(app_id: &str, touch_id: &str) -> String {
    format!("t:{app_id}:touch_id:{touch_id}")
}

/// The clicks with this id of their network.
pub(crate) fn touches_by_click_id(app_id: &str, click_id: &str) -> String {
    format!("t:{app_id}:click_id:{click_id}")
}

/// Where an event was first seen. By app, because senders make their own event ids.
pub(crate) fn first_seen(activity: &Activity<'_>) -> String {
    format!("e:{}:{}", activity.app_id, activity.event_id)
}

/// What was decided on the install that this activity is or belongs to; nothing can be known of an event without an
/// install id.
pub(crate) fn decision(activity: &Activity<'_>) -> Option<String> {
    let install_id = activity.install_id.as_ref().map(Text::as_str).filter(|id| !id.is_empty());
    match (install_id, activity.kind) {
        (Some(id), _) => Some(decision_on(activity.app_id.as_str(), id)),
        (None, event::Kind::Install) => Some(decision_on(activity.app_id.as_str(), activity.event_id.as_str())),
        (None, _) => None,
    }
}

pub(crate) fn decision_on(app_id: &str, install: &str) -> String {
    format!("i:{app_id}:{install}")
}
