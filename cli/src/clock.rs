//! The one place that reads the clock.

use event::Time;

pub(crate) fn now() -> Time {
    Time::from_trusted_millis(jiff::Timestamp::now().as_millisecond())
}
