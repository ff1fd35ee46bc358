//! What would be sent for an event, or why nothing would: for whoever writes rules.

use event::{Refusal, Time};
use serde::Serialize;
use serde_json::Value;

use crate::field::quoted;
use crate::plan::Told;
use crate::rules::{Endpoint, Rule, Rules, Subject, Topic};
use crate::template::Values;

/// One rule's answer to an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Preview {
    pub rule: String,
    pub endpoint: String,
    #[serde(flatten)]
    pub answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Sends(Sent),
    /// Nothing is sent, and this is why.
    Nothing(String),
}

/// The request of a first attempt; what looks like a secret in the URL is masked, and headers show names only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sent {
    pub delivery_id: String,
    pub method: String,
    pub url: String,
    pub headers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// Asks every rule what it makes of one event, without sending anything. The topic follows from the event's kind if absent.
pub fn preview(rules: &Rules, topic: Option<Topic>, event: &[u8]) -> Result<Vec<Preview>, Refusal> {
    let told: Told<'_> = serde_json::from_slice(event).map_err(refusal)?;
    let value: Value = serde_json::from_slice(event).map_err(refusal)?;
    let topic = topic.unwrap_or_else(|| topic_of(&value));
    let answers = rules.rules().iter().map(|rule| {
        let answer =
            match (why_not(rule, &told.subject(topic), told.event_time, &value), rules.endpoint(&rule.endpoint)) {
                (Some(reason), _) => Answer::Nothing(reason),
                (None, None) => Answer::Nothing("the endpoint is unknown".to_owned()),
                (None, Some(endpoint)) => sent(endpoint, told.delivery_id(topic, &rule.id), &value),
            };
        Preview { rule: rule.id.clone(), endpoint: rule.endpoint.clone(), answer }
    });
    Ok(answers.collect())
}

fn topic_of(event: &Value) -> Topic {
    match event.get("kind").and_then(Value::as_str) {
        Some("event" | "session") => Topic::Events,
        _ => Topic::Installs,
    }
}

fn why_not(rule: &Rule, subject: &Subject<'_>, event_time: Time, event: &Value) -> Option<String> {
    let outside = |names: &Option<Vec<String>>, name: &str| {
        names.as_ref().is_some_and(|names| !names.iter().any(|allowed| allowed == name))
    };
    if rule.topic != subject.topic {
        return Some(format!(
            "the rule listens to {}, the event is one of {}",
            rule.topic.as_str(),
            subject.topic.as_str()
        ));
    }
    for (list, names, name) in [
        ("apps", &rule.apps, subject.app_id),
        ("event_names", &rule.event_names, subject.event_name.unwrap_or_default()),
        ("media_sources", &rule.media_sources, subject.media_source),
    ] {
        if outside(names, name) {
            return Some(format!("{} is not in {list}", quoted(name)));
        }
    }
    if let Some(from) = rule.from.filter(|from| event_time < *from) {
        return Some(format!("event_time {event_time} is before the rule's from, {from}"));
    }
    rule.when.as_ref().and_then(|when| when.why_not(event))
}

fn sent(endpoint: &Endpoint, delivery_id: String, event: &Value) -> Answer {
    let values = Values { event, delivery_id: &delivery_id, attempt: 1 };
    match endpoint.request(&values) {
        Err(refusal) => Answer::Nothing(refusal.to_string()),
        Ok(request) => Answer::Sends(Sent {
            method: request.method.to_string(),
            url: endpoint.masked_url(&values),
            headers: request.headers.iter().map(|(name, _)| name.to_string()).collect(),
            body: request.body,
            delivery_id,
        }),
    }
}

/// A refusal of the contract carries its code through serde; anything else is JSON that cannot be read.
fn refusal(error: serde_json::Error) -> Refusal {
    Refusal::new(if error.is_data() { "event_invalid" } else { "json_syntax" }, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Guard;

    fn answer(rule: &str, event: &str) -> Answer {
        let text = format!(
            "[[endpoint]]\nid = \"acme\"\nurl = \"https://h.example/?id={{event_id}}&key=abc\"\n\
             [[rule]]\nid = \"r\"\nendpoint = \"acme\"\n{rule}"
        );
        let rules = Rules::parse(&text, &Guard::default()).unwrap();
        preview(&rules, None, event.as_bytes()).unwrap().remove(0).answer
    }

    const PURCHASE: &str = r#"{"event_id":"e1","kind":"event","app_id":"a","event_name":"purchase","country":"US",
        "event_time":"2026-11-22T10:00:00Z","attribution":{"media_source":"acme"}}"#;

    #[test]
    fn a_rule_that_applies_shows_its_request_without_secrets() {
        let Answer::Sends(sent) = answer("topic = \"events\"", PURCHASE) else { panic!("nothing is sent") };
        assert_eq!((sent.method.as_str(), sent.url.as_str()), ("GET", "https://h.example/?id=e1&key=***"));
    }

    #[test]
    fn a_rule_that_does_not_apply_says_why() {
        for (rule, expected) in [
            ("topic = \"installs\"", "the rule listens to installs, the event is one of events"),
            ("topic = \"events\"\napps = [\"b\"]", "\"a\" is not in apps"),
            ("topic = \"events\"\nevent_names = [\"level\"]", "\"purchase\" is not in event_names"),
            ("topic = \"events\"\nmedia_sources = [\"organic\"]", "\"acme\" is not in media_sources"),
            (
                "topic = \"events\"\nfrom = 2026-11-23T00:00:00Z",
                "event_time 2026-11-22T10:00:00.000Z is before the rule's from, 2026-11-23T00:00:00.000Z",
            ),
            (
                "topic = \"events\"\nwhen = { field = \"country\", in = [\"CA\", \"DE\"] }",
                "country is \"US\", which is not in [\"CA\", \"DE\"]",
            ),
        ] {
            assert_eq!(answer(rule, PURCHASE), Answer::Nothing(expected.to_owned()), "{rule}");
        }
    }

    #[test]
    fn an_event_that_breaks_its_contract_is_refused() {
        let rules = Rules::parse("", &Guard::default()).unwrap();
        for (event, code) in [("{", "json_syntax"), (r#"{"event_id":"a b"}"#, "event_invalid")] {
            assert_eq!(preview(&rules, None, event.as_bytes()).unwrap_err().code, code, "{event}");
        }
    }
}
