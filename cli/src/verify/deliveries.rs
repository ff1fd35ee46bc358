//! What topic `postbacks` says was delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use event::{Attempt, Outcome};
use stream::tail::{Start, Tail, Until};
use stream::{Kafka, Watermarks};

use crate::simulate::Truth;
use crate::verify::compare::Difference;

const PATIENCE: Duration = Duration::from_secs(10);

/// The rules whose deliveries to the run's apps are not as many as they must be; each delivery counts once.
pub(crate) fn compare(kafka: &Kafka, truth: &Truth) -> anyhow::Result<Vec<Difference>> {
    let delivered = delivered(kafka, truth)?;
    let rules: BTreeSet<&String> = truth.deliveries.keys().chain(delivered.keys()).collect();
    let wrong = rules.into_iter().filter_map(|rule| {
        let expected = truth.deliveries.get(rule).copied().unwrap_or_default();
        let found = delivered.get(rule).map_or(0, BTreeSet::len) as u64;
        (expected != found).then(|| Difference {
            app: String::new(),
            dimensions: format!("rule={rule}"),
            metric: "deliveries".into(),
            expected: expected.to_string(),
            found: found.to_string(),
        })
    });
    Ok(wrong.collect())
}

fn delivered(kafka: &Kafka, truth: &Truth) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let topic = event::topic::POSTBACKS;
    let partitions = Watermarks::open(kafka)?.partitions(topic)?;
    let since = Start::Since(partitions, truth.started_at.millis());
    let mut delivered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in Tail::open(kafka, topic, since, Until::Ends)?.records(PATIENCE) {
        let record = record?;
        let Some(attempt) =
            record.payload.as_deref().and_then(|payload| serde_json::from_slice::<Attempt>(payload).ok())
        else {
            continue;
        };
        if attempt.outcome == Outcome::Delivered && truth.apps.contains(attempt.app_id.as_ref()) {
            delivered.entry(attempt.rule.into_owned()).or_default().insert(attempt.delivery_id.into_owned());
        }
    }
    Ok(delivered)
}
