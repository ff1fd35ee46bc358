//! Waiting: until a batch has lain in the log for long enough, and until another stage has caught up.
//!
//! This is the only clock of the service. A decision never depends on it: it only says when the touches are complete
//! that may have been appended up to the hold after their install.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stream::Error;

/// The time, and how to let it pass; tests pass their own.
pub(crate) struct Clock {
    /// Milliseconds since the epoch.
    pub(crate) now: Box<dyn Fn() -> i64 + Send>,
    pub(crate) sleep: Box<dyn Fn(Duration) + Send>,
}

/// Told what stands in the way; says no when the service is stopping.
type GoesOn = Box<dyn Fn(Option<&str>) -> bool + Send>;

/// How far a stage stays behind the log.
pub(crate) struct Hold {
    length: Duration,
    clock: Clock,
    running: GoesOn,
}

const STEP: Duration = Duration::from_millis(20);
/// How long one stage waits for another in place, before it gives the batch up and polls again.
const PATIENCE: Duration = Duration::from_secs(10);
/// Waiting for a moment is how the stages keep in step; from here on it is trouble.
const TROUBLE: Duration = Duration::from_secs(1);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the hold is the one place in this service that waits for time")]
    pub(crate) fn system() -> Self {
        let now = || {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
        };
        Self { now: Box::new(now), sleep: Box::new(std::thread::sleep) }
    }
}

impl Hold {
    pub(crate) fn new(length: Duration, clock: Clock, running: impl Fn(Option<&str>) -> bool + Send + 'static) -> Self {
        Self { length, clock, running: Box::new(running) }
    }

    pub(crate) fn now(&self) -> i64 {
        (self.clock.now)()
    }

    /// Whether what was appended at this time has lain in the log for as long as the hold.
    pub(crate) fn is_ripe(&self, appended_at: i64, now: i64) -> bool {
        let length = i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX);
        now.saturating_sub(appended_at) >= length
    }

    /// Waits until a record that was appended at this time has lain in the log for as long as the hold. It never waits
    /// longer than that itself: a record that it sees was appended before, whatever the clocks say.
    pub(crate) fn ripen(&self, appended_at: i64) -> anyhow::Result<()> {
        let mut waited = Duration::ZERO;
        while waited < self.length && !self.is_ripe(appended_at, self.now()) {
            let nap = STEP.min(self.length - waited);
            self.nap(nap, None)?;
            waited += nap;
        }
        Ok(())
    }

    /// Asks until there is an answer, for ten seconds at most.
    pub(crate) fn until<T>(
        &self,
        awaited: &str,
        mut answer: impl FnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(answer) = answer()? {
                return Ok(answer);
            }
            if waited >= PATIENCE {
                return Err(Error::transient(format!("{awaited}: not within {PATIENCE:?}")).into());
            }
            self.nap(STEP, (waited >= TROUBLE).then_some(awaited))?;
            waited += STEP;
        }
    }

    fn nap(&self, length: Duration, trouble: Option<&str>) -> anyhow::Result<()> {
        if !(self.running)(trouble) {
            return Err(Error::transient("stopping").into());
        }
        (self.clock.sleep)(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A clock that only moves when somebody sleeps.
    fn hold_at(start: i64, seconds: u64) -> (Hold, Arc<AtomicI64>) {
        let time = Arc::new(AtomicI64::new(start));
        let (read, moved) = (time.clone(), time.clone());
        let pass = move |length: Duration| {
            moved.fetch_add(length.as_millis().try_into().unwrap(), Ordering::Relaxed);
        };
        let clock = Clock { now: Box::new(move || read.load(Ordering::Relaxed)), sleep: Box::new(pass) };
        (Hold::new(Duration::from_secs(seconds), clock, |_| true), time)
    }

    #[test]
    fn a_record_ripens_the_hold_after_it_was_appended() {
        for (appended_at, waits) in [(100_000, 5_000), (98_000, 3_000), (95_000, 0), (0, 0), (500_000, 5_000)] {
            let (hold, time) = hold_at(100_000, 5);
            hold.ripen(appended_at).unwrap();
            assert_eq!(time.load(Ordering::Relaxed) - 100_000, waits, "appended at {appended_at}");
        }
    }

    #[test]
    fn without_a_hold_nothing_waits() {
        let (hold, time) = hold_at(100_000, 0);
        hold.ripen(100_000).unwrap();
        assert_eq!(time.load(Ordering::Relaxed), 100_000);
    }

    #[test]
    fn it_asks_until_there_is_an_answer_and_gives_up_after_ten_seconds() {
        let (hold, time) = hold_at(0, 5);
        let mut asked = 0;
        let answer = hold.until("for the third answer", || {
            asked += 1;
            Ok((asked == 3).then_some(asked))
        });
        assert_eq!(answer.unwrap(), 3);

        let gave_up = hold.until("for nothing", || Ok(None::<()>)).unwrap_err().to_string();
        assert!(gave_up.contains("for nothing"), "{gave_up}");
        assert_eq!(time.load(Ordering::Relaxed), 40 + 10_000);
    }

    #[test]
    fn it_gives_up_at_once_when_the_service_stops() {
        let (mut hold, time) = hold_at(100_000, 5);
        hold.running = Box::new(|_| false);
        assert!(hold.ripen(100_000).is_err());
        assert!(hold.until("for nothing", || Ok(None::<()>)).is_err());
        assert_eq!(time.load(Ordering::Relaxed), 100_000);
    }

    #[test]
    fn only_waiting_for_others_for_long_is_trouble() {
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (mut hold, _) = hold_at(100_000, 5);
        let note = told.clone();
        hold.running = Box::new(move |trouble| {
            note.lock().unwrap().push(trouble.map(str::to_owned));
            true
        });
        let told = || std::mem::take(&mut *told.lock().unwrap());
        hold.ripen(100_000).unwrap();
        assert!(told().iter().all(Option::is_none));
        assert!(hold.until("waiting for a stage", || Ok(None::<()>)).is_err());
        let told = told();
        assert!(told.first().unwrap().is_none());
        assert_eq!(told.last().unwrap().as_deref(), Some("waiting for a stage"));
    }
}
