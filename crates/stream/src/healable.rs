//! Whether a lost store could be rebuilt whole: only if the topic is kept for as long as what was made of it.

use std::time::Duration;

use metrics::gauge;
use tracing::{debug, warn};

use crate::admin::Admin;
use crate::{Kafka, Result};

/// Looks once; a broker that does not let itself be asked is no trouble.
pub(crate) fn look(kafka: &Kafka, (stage, topic): (&str, &str), state: Duration) {
    let retention = match retention(kafka, topic) {
        Ok(retention) => retention,
        Err(error) => return debug!(%error, topic, "the retention cannot be read"),
    };
    let healable = retention.is_none_or(|retention| retention >= state);
    gauge!("attributary_healable", "stage" => stage.to_owned()).set(f64::from(u8::from(healable)));
    if let Some(retention) = retention.filter(|_| !healable) {
        let [topic_keeps, store_keeps] = [retention, state].map(in_words);
        warn!(
            stage,
            topic, topic_keeps, store_keeps, "if the store is lost, its oldest part cannot be rebuilt from the topic"
        );
    }
}

/// How long the topic keeps its records; none where it keeps them without limit.
fn retention(kafka: &Kafka, topic: &str) -> Result<Option<Duration>> {
    let config = Admin::open(kafka)?.settings(topic)?;
    let limit = |key: &str| config.get(key).and_then(|value| value.parse::<u64>().ok());
    Ok(limit("retention.ms").map(Duration::from_millis))
}

fn in_words(time: Duration) -> String {
    match time {
        Duration::MAX => "without limit".into(),
        time => format!("{} d", time.as_secs() / 86_400),
    }
}
