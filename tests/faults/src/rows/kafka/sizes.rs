//! Topics that take less than they are sent.

use std::time::Duration;

use event::topic;
use serde_json::json;
use testkit::eventually_within;

use crate::fire::Fire;

use super::probe;

const S: Duration = Duration::from_secs(1);

/// Whole batches of good events are beyond the limit: each of them is stored all the same, and what is too large by
/// itself is named.
pub(super) fn oversized(fire: &mut Fire) {
    fire.run_for(2 * S..4 * S);
    let kept = [("message.timestamp.type", "LogAppendTime"), ("retention.ms", "3024000000")];
    fire.suite.kafka.set_topic(topic::ACTIVITY, &[&kept[..], &[("max.message.bytes", "3000")]].concat());
    fire.broken();
    fire.run_for(5 * S..8 * S);
    let door = fire.suite.url("ingest");
    let mut batch: Vec<_> = (0..20).map(|number| probe::touch(&format!("beside-{number}"))).collect();
    let mut large = probe::touch("large");
    large["extra"] = json!({ "noise": probe::noise(20_000) });
    batch.insert(7, large.clone());
    let answer = probe::post_batch(&door, &batch);
    assert_eq!(answer.status, 207, "{answer:?}");
    let results: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let refused: Vec<&serde_json::Value> =
        results["results"].as_array().unwrap().iter().filter(|result| result["status"] != "stored").collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((&refused[0]["index"], &refused[0]["code"]), (&json!(7), &json!("record_too_large")), "{refused:?}");
    let alone = probe::post_event(&door, &large);
    assert_eq!(alone.status, 413, "{alone:?}");
    fire.flows(30 * S);
    fire.suite.kafka.set_topic(topic::ACTIVITY, &kept);
    fire.mended();
}

/// The letters of one topic are refused: its stages stop before the record, and say so.
pub(super) fn dead_letters_refused(fire: &mut Fire) {
    let letters = stream::dead_topic(topic::INSTALLS);
    let kept = [("message.timestamp.type", "LogAppendTime"), ("retention.ms", "2592000000")];
    fire.run_for(2 * S..4 * S);
    fire.suite.kafka.set_topic(&letters, &[&kept[..], &[("max.message.bytes", "60")]].concat());
    fire.broken();
    eventually_within(40 * S, "a stage says that its letters are not taken", || {
        let said = ["reports", "reports-2"].map(|name| fire.suite.troubles(name)).join(" ");
        if said.contains("did not take a dead letter") { Ok(()) } else { Err(said) }
    });
    fire.run_for(3 * S..8 * S);
    fire.suite.kafka.set_topic(&letters, &[&kept[..], &[("max.message.bytes", "2097152")]].concat());
    fire.mended();
    fire.flows(30 * S);
}
