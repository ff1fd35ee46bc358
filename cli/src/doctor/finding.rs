//! One thing that the doctor looked at.

use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub place: String,
    pub verdict: Verdict,
    pub found: String,
    /// Empty where there is nothing to do.
    pub advice: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Ok,
    /// Worth a look; no promise hangs on it.
    Notice,
    /// A promise does not hold like this.
    Danger,
}

impl Verdict {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Notice => "notice",
            Self::Danger => "danger",
        }
    }
}

impl Finding {
    pub(crate) fn ok(place: impl Into<String>, found: impl Into<String>) -> Self {
        Self { place: place.into(), verdict: Verdict::Ok, found: found.into(), advice: String::new() }
    }

    pub(crate) fn notice(place: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { place: place.into(), verdict: Verdict::Notice, found: found.into(), advice: advice.into() }
    }

    pub(crate) fn danger(place: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { place: place.into(), verdict: Verdict::Danger, found: found.into(), advice: advice.into() }
    }
}
