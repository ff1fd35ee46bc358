//! What the services say of themselves, gathered once a second.

use std::collections::BTreeMap;

use event::{Micros, Time};

use crate::clock::now;
use crate::demo::receiver::Arrived;
use crate::demo::world::World;
use crate::simulate::SOURCES;
use crate::verify::{Counted, Stats};

/// Everything that one look shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    /// By media source, those without counts included, organic last.
    pub(crate) sources: Vec<(String, Counted)>,
    pub(crate) networks: BTreeMap<String, Arrived>,
    /// How far each stage is behind, in seconds.
    pub(crate) behind: BTreeMap<String, f64>,
    /// What could not be asked, and why.
    pub(crate) troubles: Vec<String>,
}

const BEHIND: &str = "attributary_seconds_behind{";
/// Late people came up to half a day ago, and their clicks days before: the tables show all of it.
const DAYS_BACK: i64 = 25;
const DAY_MS: i64 = 86_400_000;

/// Looks at reports, the receiver, and the metrics of each service.
pub(crate) async fn look(world: &World, apps: &[String]) -> Sight {
    let mut sight = Sight { networks: world.receiver.arrived(), ..Sight::default() };
    match counts(world, apps).await {
        Ok(counts) => sight.sources = by_source(&counts),
        Err(error) => sight.troubles.push(format!("{error:#}")),
    }
    for (service, admin) in &world.admin {
        let metrics = async { world.client.get(format!("http://{admin}/metrics")).send().await?.text().await };
        match metrics.await {
            Ok(metrics) => sight.behind.extend(seconds_behind(&metrics)),
            Err(error) => sight.troubles.push(format!("{service}: {error}")),
        }
    }
    sight
}

async fn counts(world: &World, apps: &[String]) -> anyhow::Result<Vec<Counted>> {
    let now = now().millis();
    let day = |millis| crate::simulate::day(Time::from_trusted_millis(millis));
    let stats = Stats { client: world.client.clone(), base: world.reports.clone() };
    stats.ask_days(&apps.join(","), (&day(now - DAYS_BACK * DAY_MS), &day(now)), &["media_source"]).await
}

fn by_source(counts: &[Counted]) -> Vec<(String, Counted)> {
    let names = SOURCES.iter().map(|source| source.name).chain([event::ORGANIC]);
    names
        .map(|name| {
            let found = counts.iter().find(|row| row.dimensions(&["media_source"]) == [name]);
            (name.to_owned(), found.cloned().unwrap_or_default())
        })
        .collect()
}

/// The gauge of each stage in the text of `/metrics`.
fn seconds_behind(metrics: &str) -> Vec<(String, f64)> {
    let gauge = |line: &str| {
        let (labels, value) = line.strip_prefix(BEHIND)?.rsplit_once(' ')?;
        let stage = labels.split('"').nth(1)?;
        Some((stage.to_owned(), value.parse().ok()?))
    };
    metrics.lines().filter_map(gauge).collect()
}

impl Sight {
    pub(crate) fn installs(&self) -> i64 {
        self.sources.iter().map(|(_, counts)| counts.installs).sum()
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.networks.values().map(Arrived::delivered).sum()
    }

    pub(crate) fn attempts(&self) -> u64 {
        self.networks.values().map(|network| network.attempts).sum()
    }

    /// The stage that is furthest behind.
    pub(crate) fn slowest(&self) -> Option<(&str, f64)> {
        self.behind.iter().map(|(stage, seconds)| (stage.as_str(), *seconds)).max_by(|(_, a), (_, b)| a.total_cmp(b))
    }
}

/// `12.34 USD, 5.00 EUR`.
pub(crate) fn money(revenue: &BTreeMap<String, Micros>) -> String {
    revenue.iter().map(|(currency, amount)| format!("{amount} {currency}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_of_each_stage_is_read_from_its_metrics() {
        let metrics = "# TYPE attributary_seconds_behind gauge\n\
            attributary_seconds_behind{stage=\"reports.installs\"} 0.25\n\
            attributary_seconds_behind{stage=\"reports.events\"} 3\n\
            attributary_records_total{stage=\"reports.events\"} 17\n";
        let sight = Sight { behind: seconds_behind(metrics).into_iter().collect(), ..Sight::default() };
        assert_eq!(sight.slowest(), Some(("reports.events", 3.0)));
    }
}
