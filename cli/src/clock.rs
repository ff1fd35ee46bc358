//! The one place that reads the clock.

use event::Time;

#[expect(clippy::disallowed_methods, reason = "the one clock of the tools")]
pub(crate) fn now() -> Time {
    Time::from_trusted_millis(jiff::Timestamp::now().as_millisecond())
}
