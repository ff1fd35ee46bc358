//! Which deliveries a rules file must cause, foretold by the same rules that the service runs.

use std::path::Path;

use anyhow::Context;
use postbacks::{Answer, Rules, preview};
use serde_json::{Value, json};

use crate::rules;
use crate::simulate::journey::{Credit, Expected, Submission};

/// The rules of a file. Each needs a `from`: without one it begins when the service first loads it, which nobody can
/// foretell here.
pub struct Deliveries {
    rules: Rules,
}

impl Deliveries {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Self { rules: Rules::parse(&text, &rules::anywhere()).with_context(|| format!("{}", path.display()))? })
    }

    /// The rules that tell somebody of this message, once it is decided.
    pub fn foretell(&self, message: &Submission, expected: &Expected) -> Vec<String> {
        let Some(credit) = &expected.credit else { return Vec::new() };
        let record = Value::Object(decided(message, credit)).to_string();
        let answers = preview(&self.rules, None, record.as_bytes()).unwrap_or_default();
        answers
            .into_iter()
            .filter(|preview| matches!(preview.answer, Answer::Sends(_)))
            .map(|preview| preview.rule)
            .collect()
    }
}

/// The record of `installs` or `events` that attribution makes of a message, as far as rules look at it.
fn decided(message: &Submission, credit: &Credit) -> serde_json::Map<String, Value> {
    let attribution = match &credit.winner {
        None => json!({ "status": "organic", "conversion": "install", "media_source": event::ORGANIC, "version": 1 }),
        Some(winner) => json!({
            "status": "attributed",
            "conversion": "install",
            "media_source": winner.media_source,
            "campaign": winner.campaign,
            "touch_type": winner.touch_type,
            "touch_id": winner.touch_id,
            "touch_time": winner.touch_time,
            "click_id": winner.click_id,
            "match_type": winner.match_type,
            "version": 1,
        }),
    };
    let mut record = message.body.clone();
    record.insert("attribution".into(), attribution);
    record
}

#[cfg(test)]
mod tests {
    use event::Time;

    use super::*;
    use crate::simulate::{Content, Scenario, Shares, apps};

    #[test]
    fn the_deliveries_of_a_source_are_its_installs() {
        let rules = r#"
            [[endpoint]]
            id = "acme"
            url = "http://127.0.0.1:8099/?click_id={click_id}"
            [[rule]]
            id = "acme-installs"
            endpoint = "acme"
            topic = "installs"
            from = "2026-01-01T00:00:00Z"
            media_sources = ["acme_ads"]
        "#;
        let deliveries = Deliveries { rules: Rules::parse(rules, &crate::rules::anywhere()).unwrap() };
        let scenario = Scenario {
            seed: 1,
            started_at: Time::from_trusted_millis(1_795_348_800_000),
            apps: apps(2, None),
            spacing_ms: 0.0,
            shares: Shares { duplicates: 0.1, late: 0.0, links: 0.0 },
            content: Content::Everything,
        };
        let mut installs = 0;
        for number in 0..500 {
            for message in scenario.journey(number).steps.iter().flatten() {
                let Some(expected) = &message.expected else { continue };
                let told = deliveries.foretell(message, expected);
                let is_ours = message.text("kind") == "install" && expected.counted.cell.media_source == "acme_ads";
                assert_eq!(told.len(), usize::from(is_ours), "{message:?}");
                installs += told.len();
            }
        }
        assert!(installs > 10);
    }
}
