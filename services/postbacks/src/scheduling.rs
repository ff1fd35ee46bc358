//! The rules as a stage: records in, deliveries scheduled in Redis together with the position they came from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger::{Effects, Index, Ledger, Scheduled};
use stream::{Batch, Bookmark, Offset, Partition, Record, Result, Sink, Standing, Work};
use tokio::sync::watch;

use crate::clock::now_ms;
use crate::config::Config;
use crate::live::Live;
use crate::plan::{Origin, Told, plan};
use crate::rules::{Rules, Topic};

/// Redis lost: what was appended longer ago than this is not told again.
pub(crate) const TOLD_AGAIN: Duration = Duration::from_secs(48 * 3_600);

/// The ledger, which also finds out from when on a rebuild may schedule.
pub(crate) struct Place {
    ledger: Ledger,
    index: Index,
    horizons: Horizons,
}

/// For partitions that are being rebuilt, the append time before which nothing is scheduled.
#[derive(Clone, Default)]
struct Horizons(Arc<Mutex<BTreeMap<i32, i64>>>);

impl Place {
    pub(crate) fn open(config: &Config, stage: &str, topic: Topic) -> Result<Self> {
        Ok(Self {
            ledger: Ledger::open(&config.redis, stage, topic.as_str())?,
            index: Index::open(&config.redis, stage, topic.as_str())?,
            horizons: Horizons::default(),
        })
    }

    /// The function of the stage that this place belongs to.
    pub(crate) fn handler(
        &self,
        topic: Topic,
        live: watch::Receiver<Arc<Live>>,
    ) -> impl FnMut(&mut Batch<'_>) -> anyhow::Result<Effects> + Send + use<> {
        let horizons = self.horizons.clone();
        move |batch| {
            let live = live.borrow().clone();
            Ok(schedule(&live.rules, topic, horizons.of(batch.partition().id), batch))
        }
    }
}

impl Sink for Place {
    type Output = Effects;

    fn resume(&mut self, standings: &[Standing]) -> Result<Vec<Bookmark>> {
        let bookmarks = self.ledger.resume(standings)?;
        let partitions: Vec<i32> = standings.iter().map(|standing| standing.partition.id).collect();
        let horizon = now_ms() - i64::try_from(TOLD_AGAIN.as_millis()).unwrap_or(i64::MAX);
        let rebuilding = self.index.fetch(&partitions, &[])?.into_iter().filter(|seen| seen.rebuilding_until.is_some());
        self.horizons.set(rebuilding.map(|seen| (seen.partition, horizon)).collect());
        Ok(bookmarks)
    }

    fn check(&mut self, positions: &[(Partition, Offset)]) -> Result<Option<String>> {
        self.ledger.check(positions)
    }

    fn commit(&mut self, work: Work<'_, Effects>) -> Result<()> {
        self.ledger.commit(work)
    }
}

impl Horizons {
    fn of(&self, partition: i32) -> Option<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&partition).copied()
    }

    fn set(&self, horizons: BTreeMap<i32, i64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = horizons;
    }
}

fn schedule(rules: &Rules, topic: Topic, horizon: Option<i64>, batch: &mut Batch<'_>) -> Effects {
    let partition = batch.partition().clone();
    let mut effects = Effects::default();
    let mut refused = Vec::new();
    for Record { offset, appended_at, payload, value: told, .. } in batch.decode::<Told<'_>>() {
        if horizon.is_some_and(|horizon| appended_at < horizon) {
            continue;
        }
        let src = format!("{partition}/{offset}");
        match plan(rules, topic, &told, payload, Origin { src: &src, appended_at, perhaps_told_since: horizon }) {
            Ok(planned) => planned.iter().for_each(|delivery| {
                effects.schedule(Scheduled {
                    id: &delivery.id,
                    endpoint: &delivery.endpoint,
                    due_ms: appended_at,
                    body: &delivery.body,
                });
            }),
            Err(refusal) => refused.push((offset, refusal)),
        }
    }
    for (offset, refusal) in refused {
        batch.refuse(offset, refusal.code, refusal.message);
    }
    effects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Guard;

    fn rules() -> Rules {
        let text = r#"
            [[endpoint]]
            id = "acme"
            url = "https://h.example/{event_id}"
            [[rule]]
            id = "installs"
            endpoint = "acme"
            topic = "installs"
            from = "2026-11-22T00:00:00Z"
            media_sources = ["acme"]
        "#;
        Rules::parse(text, &Guard::default()).unwrap()
    }

    fn install(event_id: &str, media_source: &str) -> String {
        format!(
            r#"{{"event_id":"{event_id}","app_id":"a","event_time":"2026-11-22T10:00:00Z",
                "attribution":{{"media_source":"{media_source}"}}}}"#
        )
    }

    /// What one delivery takes: its body, its due time, and the name of its endpoint.
    const COMMANDS: usize = 3;

    #[test]
    fn each_record_that_a_rule_tells_of_is_scheduled_once_and_the_others_are_not() {
        let records = [install("1", "acme"), install("2", "organic"), "no json".to_owned(), install("3", "acme")];
        let mut batch = testkit::batch("installs", 3, records.iter().map(String::as_bytes));
        assert_eq!(schedule(&rules(), Topic::Installs, None, &mut batch).len(), 2 * COMMANDS - 1);
    }

    #[test]
    fn a_rebuild_tells_nothing_of_what_was_appended_before_its_horizon() {
        // The records of a test batch are appended at 0, 1, 2… ms.
        let records = [install("1", "acme"), install("2", "acme"), install("3", "acme")];
        for (horizon, scheduled) in [(None, 3), (Some(0), 3), (Some(2), 1), (Some(3), 0)] {
            let mut batch = testkit::batch("installs", 3, records.iter().map(String::as_bytes));
            let commands = schedule(&rules(), Topic::Installs, horizon, &mut batch).len();
            assert_eq!(commands, (scheduled * COMMANDS).saturating_sub(scheduled.saturating_sub(1)), "{horizon:?}");
        }
    }
}
