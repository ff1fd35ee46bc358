use super::*;
use crate::guard::Guard;

fn rules(from: &str) -> Rules {
    let text = format!(
        r#"
[[endpoint]]
id = "acme"
url = "https://h.example/{{event_id}}"
[[rule]]
id = "us"
endpoint = "acme"
topic = "installs"
{from}
media_sources = ["acme"]
when = {{ field = "country", eq = "US" }}
"#
    );
    Rules::parse(&text, &Guard::default()).unwrap()
}

const ORIGIN: Origin<'static> = Origin { src: "installs/3/42", appended_at: 7, perhaps_told_since: None };
const SINCE_MIDNIGHT: &str = r#"from = "2026-11-22T00:00:00Z""#;

fn record(country: &str, version: u32) -> String {
    format!(
        r#"{{"event_id":"e1","app_id":"app","event_time":"2026-11-22T10:00:00Z","country":"{country}",
            "attribution":{{"media_source":"acme","version":{version}}}}}"#
    )
}

fn planned(rules: &Rules, record: &str) -> Vec<Planned> {
    let told: Told = serde_json::from_str(record).unwrap();
    plan(rules, Topic::Installs, &told, record.as_bytes(), ORIGIN).unwrap()
}

#[test]
fn an_event_that_a_rule_tells_of_becomes_a_delivery_that_carries_it_whole() {
    let record = record("US", 1);
    let planned = planned(&rules(SINCE_MIDNIGHT), &record);
    assert_eq!(planned.len(), 1);
    assert_eq!(
        (planned[0].endpoint.as_str(), planned[0].id.as_str()),
        ("acme", &*delivery_id("installs", "app", "us", "e1", 1))
    );
    let delivery: Delivery = serde_json::from_slice(&planned[0].body).unwrap();
    assert_eq!(
        (&*delivery.rule, &*delivery.event_id, &*delivery.app_id, &*delivery.src),
        ("us", "e1", "app", "installs/3/42")
    );
    assert_eq!(delivery.event.get(), record);
}

#[test]
fn a_replay_plans_the_same_and_another_version_another_delivery() {
    let rules = rules(SINCE_MIDNIGHT);
    assert_eq!(planned(&rules, &record("US", 1)), planned(&rules, &record("US", 1)));
    assert_ne!(planned(&rules, &record("US", 1))[0].id, planned(&rules, &record("US", 2))[0].id);
}

#[test]
fn a_rule_tells_nothing_of_before_it_began() {
    let record = record("US", 1);
    for (from, expected) in [
        (SINCE_MIDNIGHT, 1),
        (r#"from = "2026-11-22T10:00:00Z""#, 1),
        (r#"from = "2026-11-22T10:00:00.001Z""#, 0),
        ("", 0), // until it is known when it was first loaded
    ] {
        assert_eq!(planned(&rules(from), &record).len(), expected, "{from}");
    }
    let mut rules = rules("");
    rules.begin(|rule| (rule == "us").then(|| Time::parse("2026-11-22T09:00:00Z").unwrap()));
    assert_eq!(planned(&rules, &record).len(), 1);
}

#[test]
fn a_filter_that_does_not_match_plans_nothing() {
    assert_eq!(planned(&rules(SINCE_MIDNIGHT), &record("CA", 1)), []);
}

#[test]
fn a_record_whose_rest_cannot_be_read_is_refused_only_where_a_rule_wants_it() {
    let organic = r#"{"event_id":"e1","app_id":"app","event_time":"2026-11-22T10:00:00Z","quantity":1e999}"#;
    assert_eq!(planned(&rules(SINCE_MIDNIGHT), organic), []);
    let record = organic.replace("1e999", r#"1e999,"attribution":{"media_source":"acme"}"#);
    let told: Told = serde_json::from_str(&record).unwrap();
    let refused = plan(&rules(SINCE_MIDNIGHT), Topic::Installs, &told, record.as_bytes(), ORIGIN).unwrap_err();
    assert_eq!(refused.code, "json_syntax");
}
