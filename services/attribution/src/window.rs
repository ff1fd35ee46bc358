//! How long before an install a touch may lie and still earn it.

use event::TouchType;
use serde::{Deserialize, Serialize};

/// A length of time in milliseconds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Window(i64);

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Window {
    /// Takes a whole number of days, hours or minutes, such as `7d`, `24h`, `90m`.
    pub fn parse(text: &str) -> Option<Self> {
        let (unit_at, unit) = text.char_indices().next_back()?;
        let digits = &text[..unit_at];
        let unit = match unit {
            'd' => DAY,
            'h' => HOUR,
            'm' => MINUTE,
            _ => return None,
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let count: i64 = digits.parse().ok()?;
        Some(Self(count.saturating_mul(unit)))
    }

    /// The window where neither link nor network nor app says otherwise.
    pub const fn default_of(touch: TouchType) -> Self {
        match touch {
            TouchType::Click => Self(7 * DAY),
            TouchType::Impression => Self(DAY),
        }
    }

    /// The nearest window that is allowed for this type of touch.
    #[must_use]
    pub fn clamped(self, touch: TouchType) -> Self {
        let longest = match touch {
            TouchType::Click => 30 * DAY,
            TouchType::Impression => DAY,
        };
        Self(self.0.clamp(HOUR, longest))
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    pub const fn contains(self, age: i64) -> bool {
        0 <= age && age <= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_number_and_a_unit() {
        for (text, expected) in [
            ("7d", Some(7 * DAY)),
            ("24h", Some(DAY)),
            ("90m", Some(90 * MINUTE)),
            ("0h", Some(0)),
            ("999999999999999d", Some(i64::MAX)),
            ("7", None),
            ("d", None),
            ("", None),
            ("-7d", None),
            ("+7d", None),
            ("1.5h", None),
            ("7 d", None),
            ("7w", None),
            ("7д", None),
        ] {
            assert_eq!(Window::parse(text).map(Window::millis), expected, "{text}");
        }
    }

    #[test]
    fn a_window_stays_within_the_bounds_of_its_touch() {
        for (text, touch, expected) in [
            ("60d", TouchType::Click, 30 * DAY),
            ("30d", TouchType::Click, 30 * DAY),
            ("0h", TouchType::Click, HOUR),
            ("7d", TouchType::Impression, DAY),
            ("2h", TouchType::Impression, 2 * HOUR),
        ] {
            assert_eq!(Window::parse(text).unwrap().clamped(touch).millis(), expected, "{text}");
        }
    }
}
