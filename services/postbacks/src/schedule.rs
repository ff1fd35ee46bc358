//! When a delivery is tried again.

use std::time::{Duration, SystemTime};

use event::Refusal;
use sha2::{Digest, Sha256};

/// However long an endpoint asks for: a delivery is not put off for more than a day at a time.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3_600);
const MOST_STEPS: usize = 20;

/// The waits after the first attempt, the second, and so on; there is one attempt more than there are waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule(Vec<Duration>);

impl Default for Schedule {
    /// 9 attempts in about 22 h 21 m.
    fn default() -> Self {
        Self([5, 60, 300, 900, 3_600, 10_800, 21_600, 43_200].map(Duration::from_secs).to_vec())
    }
}

impl Schedule {
    pub(crate) fn new(steps: Vec<Duration>) -> Result<Self, Refusal> {
        let within = |step: &Duration| (Duration::from_secs(1)..=LONGEST_WAIT).contains(step);
        if steps.len() > MOST_STEPS || !steps.iter().all(within) {
            let message = format!("a retry schedule has at most {MOST_STEPS} steps of 1s to 24h each");
            return Err(Refusal::new("range", message));
        }
        Ok(Self(steps))
    }

    /// How long to wait after attempt `attempt` (1 for the first) failed; nothing when it was the last. What the
    /// endpoint asked for can only make it later.
    pub(crate) fn wait(&self, delivery_id: &str, attempt: u32, asked: Option<Duration>) -> Option<Duration> {
        let index = usize::try_from(attempt.max(1) - 1).ok()?;
        let step = self.0.get(index)?;
        let wait = step.mul_f64(spread(delivery_id, attempt));
        Some(wait.max(asked.unwrap_or_default()).min(LONGEST_WAIT))
    }
}

/// A factor from 0.9 to 1.1 that is always the same for the same attempt, so that whoever recovers it agrees.
fn spread(delivery_id: &str, attempt: u32) -> f64 {
    let digest = Sha256::new().chain_update(delivery_id).chain_update(attempt.to_be_bytes()).finalize();
    let number = digest.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    0.9 + 0.2 * f64::from(number) / f64::from(u32::MAX)
}

/// Reads `Retry-After`: digits or an HTTP date; anything else is ignored.
pub(crate) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = header.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_schedule_makes_nine_attempts_in_about_a_day() {
        let schedule = Schedule::default();
        let waits: Vec<f64> =
            (1..).map_while(|attempt| schedule.wait("d", attempt, None)).map(|wait| wait.as_secs_f64()).collect();
        let expected = [5.0, 60.0, 300.0, 900.0, 3_600.0, 10_800.0, 21_600.0, 43_200.0];
        assert_eq!(waits.len(), expected.len());
        for (wait, expected) in waits.iter().zip(expected) {
            assert!((0.9..=1.1).contains(&(wait / expected)), "{wait} for {expected}");
        }
    }

    #[test]
    fn waits_of_many_deliveries_spread_and_those_of_one_do_not_change() {
        let schedule = Schedule::default();
        let waits: std::collections::BTreeSet<Duration> =
            (0..100).filter_map(|delivery| schedule.wait(&format!("d{delivery}"), 3, None)).collect();
        assert!(waits.len() > 90);
        assert_eq!(schedule.wait("d1", 3, None), schedule.wait("d1", 3, None));
    }

    #[test]
    fn retry_after_moves_an_attempt_later_and_by_a_day_at_most() {
        let schedule = Schedule::default();
        let wait = |seconds| schedule.wait("d", 1, Some(Duration::from_secs(seconds))).unwrap();
        assert!(wait(1) >= Duration::from_millis(4_500));
        assert_eq!(wait(120), Duration::from_secs(120));
        assert_eq!(wait(u64::MAX), LONGEST_WAIT);
        assert_eq!(schedule.wait("d", 9, Some(Duration::from_secs(1))), None);
        assert!(schedule.wait("d", u32::MAX, None).is_none());
    }

    #[test]
    fn retry_after_is_digits_or_a_date_and_anything_else_is_ignored() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_767); // ten seconds before the date below
        for (header, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(10)),
            ("Sat, 01 Jan 1994 00:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("inf", None),
            ("NaN", None),
            ("1e20", None),
            ("-1", None),
            ("+5", None),
            ("1.5", None),
            ("", None),
            ("tomorrow", None),
        ] {
            assert_eq!(retry_after(header, now), expected.map(Duration::from_secs), "{header}");
        }
    }
}
