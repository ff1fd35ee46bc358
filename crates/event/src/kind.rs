//! What happened, where, and through which door it came.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an activity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Click,
    Impression,
    Install,
    Session,
    Event,
}

impl Kind {
    /// Whether this is something an ad network did, which may earn an install.
    pub fn is_touch(self) -> bool {
        matches!(self, Self::Click | Self::Impression)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Impression => "impression",
            Self::Install => "install",
            Self::Session => "session",
            Self::Event => "event",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    Android,
    Ios,
    Web,
    Other,
}

impl Platform {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Android => "android",
            Self::Ios => "ios",
            Self::Web => "web",
            Self::Other => "other",
        }
    }
}

/// The door an activity came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Sdk,
    S2s,
    Link,
    Kafka,
    Import,
}
