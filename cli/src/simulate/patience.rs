//! How long to go on trying.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// The pauses double; an end is set by `give_up`, or by the end of the run and a few seconds more.
pub(crate) struct Patience {
    pub(crate) tries: u32,
    since: Instant,
    give_up: Duration,
    stopped_at: Option<Instant>,
    pause: Duration,
}

pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const LAST_TRIES: Duration = Duration::from_secs(10);

impl Patience {
    pub(crate) fn new(give_up: Duration) -> Self {
        Self { tries: 0, since: Instant::now(), give_up, stopped_at: None, pause: FIRST_PAUSE }
    }

    /// Waits before the next try; false when there shall be none.
    pub(crate) async fn pause(&mut self, at_least: Duration, stop: &CancellationToken) -> bool {
        if stop.is_cancelled() {
            self.stopped_at.get_or_insert_with(Instant::now);
        }
        let stopped_for_long = self.stopped_at.is_some_and(|at| at.elapsed() > LAST_TRIES);
        if stopped_for_long || self.since.elapsed() > self.give_up {
            return false;
        }
        tokio::time::sleep(self.pause.max(at_least).min(LONGEST_PAUSE)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.tries += 1;
        true
    }
}
