//! A click or an impression, as far as a decision needs it: what `remember` stores and `decide` weighs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use event::{Activity, AppId, EventId, IdType, Platform, Text, Time, TouchType};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::rules::Rules;
use crate::window::Window;

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Touch<'a> {
    #[serde(borrow)]
    pub app_id: AppId<'a>,
    pub touch_type: TouchType,
    #[serde(borrow)]
    pub event_id: EventId<'a>,
    #[serde(borrow)]
    pub touch_id: Text<'a, 64>,
    pub time: Time,
    pub received_at: Time,
    /// The window that was in force at the touch's time.
    pub window: Window,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The device's identifiers that may match, with their types.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<(Text<'a, 16>, Text<'a, 64>)>,
    #[serde(borrow)]
    pub origin: Origin<'a>,
    /// No such click was stored: all that is known of it is what the store's referrer said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub referrer_only: bool,
}

/// Where a touch came from, as the network tells it: it is copied into the attribution of what the touch earns.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Origin<'a> {
    #[serde(borrow)]
    pub media_source: Text<'a, 150>,
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
    pub site_id: Option<Text<'a, 64>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub click_id: Option<Text<'a, 256>>,
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
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<Text<'a, 128>, Text<'a, 1024>>,
}

/// How much longer than its window a touch is remembered: installs are decided behind the hold, and again for a day.
const DECIDED_UNTIL: i64 = 25 * 3_600_000;

impl<'a> Touch<'a> {
    /// The touch that an activity is, if it is one.
    pub fn of(activity: &Activity<'a>, rules: &Rules) -> Option<Self> {
        let touch_type = TouchType::of(activity.kind)?;
        let origin = Origin::of(activity)?;
        let link = match touch_type {
            TouchType::Click => &activity.click_window,
            TouchType::Impression => &activity.view_window,
        };
        let link = link.as_ref().map(Text::as_str);
        let touch_id = activity.touch_id.clone().filter(|id| !id.as_str().is_empty());
        let owned = |id: &str| Cow::Owned(id.to_owned());
        let ids = activity.device.matching_ids();
        Some(Self {
            touch_type,
            window: rules.window(touch_type, link, activity.app_id.as_str(), origin.media_source.as_str()),
            touch_id: touch_id.unwrap_or_else(|| Text::from(owned(activity.event_id.as_str()))),
            ids: ids
                .map(|(id_type, id)| (Text::from(Cow::Borrowed(id_type.as_str())), Text::from(owned(id))))
                .collect(),
            app_id: activity.app_id.clone(),
            event_id: activity.event_id.clone(),
            time: activity.event_time,
            received_at: activity.received_at.unwrap_or(activity.event_time),
            platform: activity.platform,
            origin,
            referrer_only: false,
        })
    }

    /// Whether the device had this identifier.
    pub fn has_id(&self, id_type: IdType, id: &str) -> bool {
        self.ids.iter().any(|(own_type, own)| own_type.as_str() == id_type.as_str() && own.as_str() == id)
    }

    /// Under which names it must be found again. Only clicks travel through a store, so only they are looked up by
    /// their own ids.
    pub(crate) fn keys(&self) -> Vec<String> {
        let app = self.app_id.as_str();
        let by_device =
            |(id_type, id): &(Text<'_, 16>, Text<'_, 64>)| keys::touches_by_device(app, id_type.as_str(), id.as_str());
        let mut found: Vec<String> = self.ids.iter().map(by_device).collect();
        if self.touch_type == TouchType::Click {
            found.push(keys::touches_by_touch_id(app, self.touch_id.as_str()));
            found.extend(self.origin.click_id.iter().map(|id| keys::touches_by_click_id(app, id.as_str())));
        }
        found
    }

    /// When no install can need it any more, in seconds: a pure function of the event.
    pub(crate) fn expires_at(&self) -> i64 {
        let millis = self.time.millis().saturating_add(self.window.millis()).saturating_add(DECIDED_UNTIL);
        millis / 1000 + 1
    }
}

impl<'a> Origin<'a> {
    fn of(activity: &Activity<'a>) -> Option<Self> {
        Some(Self {
            media_source: activity.media_source.clone()?,
            campaign: activity.campaign.clone(),
            campaign_id: activity.campaign_id.clone(),
            adset: activity.adset.clone(),
            adset_id: activity.adset_id.clone(),
            ad: activity.ad.clone(),
            ad_id: activity.ad_id.clone(),
            channel: activity.channel.clone(),
            site_id: activity.site_id.clone(),
            click_id: activity.click_id.clone().filter(|id| !id.as_str().is_empty()),
            sub1: activity.sub1.clone(),
            sub2: activity.sub2.clone(),
            sub3: activity.sub3.clone(),
            sub4: activity.sub4.clone(),
            sub5: activity.sub5.clone(),
            params: activity.params.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touch_is_read_back_as_it_was_stored() {
        let record = r#"{"event_id":"e","kind":"click","app_id":"game","event_time":"2026-11-22T10:11:12.345Z","media_source":"ac\"me",
            "device":{"idfa":"6D92078A-8246-4BA4-AE5B-76104861E7DC"},"click_id":"c","sub2":"s","click_window":"60d","params":{"k":"v"}}"#;
        let activity: Activity = serde_json::from_str(record).unwrap();
        let touch = Touch::of(&activity, &Rules::default()).unwrap();
        let stored = serde_json::to_string(&touch).unwrap();
        assert_eq!(serde_json::from_str::<Touch>(&stored).unwrap(), touch);
        assert_eq!(touch.window.millis(), 30 * 86_400_000);
        assert_eq!(
            touch.keys(),
            ["t:game:idfa:6d92078a-8246-4ba4-ae5b-76104861e7dc", "t:game:touch_id:e", "t:game:click_id:c"]
        );
    }
}
