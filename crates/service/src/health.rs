//! Whether the process is alive and whether it can do its work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// A stage that has not turned for this long waits for something that does not come.
const SLOW_AFTER: Duration = Duration::from_secs(10);
/// And for this long, it is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// What every stage last said of itself.
#[derive(Clone, Default)]
pub(crate) struct Health(Arc<Mutex<BTreeMap<String, Pulse>>>);

struct Pulse {
    turned_at: Instant,
    trouble: Option<String>,
}

/// A stage's link to the shell.
#[derive(Clone)]
pub struct Running {
    stage: String,
    health: Health,
    shutdown: CancellationToken,
}

impl Pulse {
    /// What there is to say of a stage that has not turned for longer than this.
    fn silence(&self, stage: &str, limit: Duration) -> Option<String> {
        let silent_for = self.turned_at.elapsed();
        (silent_for > limit).then(|| format!("{stage} has not turned for {} s", silent_for.as_secs()))
    }
}

impl Running {
    /// Called at every turn of a loop: notes that it turns and what stands in its way, and answers whether to go on.
    pub fn turn(&self, trouble: Option<&str>) -> bool {
        self.health.note(&self.stage, trouble);
        self.goes_on()
    }

    /// Whether the process is not stopping; for waits inside a turn.
    pub fn goes_on(&self) -> bool {
        !self.shutdown.is_cancelled()
    }
}

impl Health {
    pub(crate) fn running(&self, stage: String, shutdown: CancellationToken) -> Running {
        self.note(&stage, Some("starting"));
        Running { stage, health: self.clone(), shutdown }
    }

    /// Stages that do not turn any more.
    pub(crate) fn stuck(&self) -> Vec<String> {
        self.lock().iter().filter_map(|(stage, pulse)| pulse.silence(stage, STUCK_AFTER)).collect()
    }

    /// What stands in the way, stage by stage.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let told = |stage: &str, pulse: &Pulse| pulse.trouble.as_ref().map(|why| format!("{stage}: {why}"));
        let trouble =
            |(stage, pulse): (&String, &Pulse)| told(stage, pulse).or_else(|| pulse.silence(stage, SLOW_AFTER));
        self.lock().iter().filter_map(trouble).collect()
    }

    /// Forgets a stage that has no more to say.
    pub(crate) fn forget(&self, stage: &str) {
        self.lock().remove(stage);
    }

    pub(crate) fn note(&self, stage: &str, trouble: Option<&str>) {
        let mut stages = self.lock();
        match stages.get_mut(stage) {
            Some(pulse) => {
                pulse.turned_at = Instant::now();
                if pulse.trouble.as_deref() != trouble {
                    pulse.trouble = trouble.map(str::to_owned);
                }
            }
            None => {
                let pulse = Pulse { turned_at: Instant::now(), trouble: trouble.map(str::to_owned) };
                stages.insert(stage.to_owned(), pulse);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Pulse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_ready_once_it_turns_without_trouble() {
        let health = Health::default();
        let shutdown = CancellationToken::new();
        let running = health.running("reports.installs".into(), shutdown.clone());
        assert_eq!(health.troubles(), ["reports.installs: starting"]);
        assert!(running.turn(Some("redis is away")));
        assert_eq!(health.troubles(), ["reports.installs: redis is away"]);
        assert!(running.turn(None));
        assert!(health.troubles().is_empty() && health.stuck().is_empty());
        shutdown.cancel();
        assert!(!running.turn(None));
    }

    #[test]
    fn a_stage_that_does_not_turn_is_not_ready_and_at_last_not_alive() {
        let health = Health::default();
        let silent_for = |seconds| {
            let turned_at = Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
            health.lock().insert("reports.installs".into(), Pulse { turned_at, trouble: None });
            (health.troubles(), health.stuck())
        };
        let told = |seconds: u64| vec![format!("reports.installs has not turned for {seconds} s")];
        assert_eq!(silent_for(9), (vec![], vec![]));
        assert_eq!(silent_for(11), (told(11), vec![]));
        assert_eq!(silent_for(61), (told(61), told(61)));
    }
}
