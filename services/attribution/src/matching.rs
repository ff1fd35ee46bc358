//! Whether a touch is about an install, and whether it counts.

use event::{Activity, IdType, MatchType, TouchType};

use crate::referrer::Referrer;
use crate::touch::Touch;

/// What ties a touch to an install, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tie {
    Referrer,
    DeviceId(IdType),
}

/// The first tier that is not empty wins, however recent the others are. The probabilistic ones will stand after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    ClickById,
    ImpressionById,
}

/// Why a touch that is tied to the install does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objection {
    OtherPlatform,
    AfterInstall,
    OutsideWindow,
}

impl Tie {
    /// The strongest tie between the two, if there is any.
    pub(crate) fn between(install: &Activity<'_>, referrer: &Referrer, touch: &Touch<'_>) -> Option<Self> {
        if install.app_id != touch.app_id {
            return None;
        }
        if touch.referrer_only || (touch.touch_type == TouchType::Click && referrer.names(touch)) {
            return Some(Self::Referrer);
        }
        let shared = install.device.matching_ids().find(|(id_type, id)| touch.has_id(*id_type, id));
        shared.map(|(id_type, _)| Self::DeviceId(id_type))
    }

    pub(crate) fn match_type(self) -> MatchType {
        match self {
            Self::Referrer => MatchType::Referrer,
            Self::DeviceId(_) => MatchType::DeviceId,
        }
    }
}

impl Tier {
    pub(crate) fn of(touch: &Touch<'_>) -> Self {
        match touch.touch_type {
            TouchType::Click => Self::ClickById,
            TouchType::Impression => Self::ImpressionById,
        }
    }
}

impl Objection {
    pub(crate) fn to(install: &Activity<'_>, touch: &Touch<'_>) -> Option<Self> {
        let age = install.event_time.millis() - touch.time.millis();
        let platforms = touch.platform.zip(install.platform);
        if platforms.is_some_and(|(touched, installed)| touched != installed) {
            Some(Self::OtherPlatform)
        } else if age < 0 {
            Some(Self::AfterInstall)
        } else if !touch.window.contains(age) {
            Some(Self::OutsideWindow)
        } else {
            None
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OtherPlatform => "other_platform",
            Self::AfterInstall => "touch_after_install",
            Self::OutsideWindow => "outside_window",
        }
    }
}
