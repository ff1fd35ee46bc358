//! What a rule may name: a field of the event, by its dotted path or by a short name.

use std::borrow::Cow;

use event::{ORGANIC, Refusal};
use serde_json::Value;

use crate::known;

/// A field that exists in the contract; where it stands in the event is settled when the rules are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Path(Vec<String>),
    /// Who earned the install; `organic` where nobody did.
    MediaSource,
    InstallTime,
    Attributed,
    /// A parameter of the winning click, whether or not it has a column of its own.
    Click(String),
}

/// What the winning touch says is found in the attribution: the fields of the same name beside it belong to clicks.
const OF_THE_TOUCH: [&str; 16] = [
    "campaign",
    "campaign_id",
    "adset",
    "adset_id",
    "ad",
    "ad_id",
    "channel",
    "site_id",
    "click_id",
    "sub1",
    "sub2",
    "sub3",
    "sub4",
    "sub5",
    "touch_id",
    "match_type",
];

impl Field {
    pub(crate) fn parse(name: &str) -> Result<Self, Refusal> {
        let path = |path: &[&str]| Self::Path(path.iter().map(|&segment| segment.to_owned()).collect());
        let field = match name {
            "media_source" => Self::MediaSource,
            "install_time" => Self::InstallTime,
            "click_time" => path(&["attribution", "touch_time"]),
            "attributed" => Self::Attributed,
            "idfa" | "advertising_id" => path(&["device", name]),
            name if OF_THE_TOUCH.contains(&name) => path(&["attribution", name]),
            name => match name.strip_prefix("click.") {
                Some(key) if !key.is_empty() => Self::Click(key.to_owned()),
                _ if known::is_known(name) => path(&name.split('.').collect::<Vec<_>>()),
                _ => return Err(Refusal::new("rule_invalid", format!("unknown field {}", quoted(name)))),
            },
        };
        Ok(field)
    }

    /// The value in this event; null counts as absent.
    pub(crate) fn find<'e>(&self, event: &'e Value) -> Option<Cow<'e, Value>> {
        let found = match self {
            Self::Path(path) => path.iter().try_fold(event, |value, segment| value.get(segment)),
            Self::MediaSource => match in_attribution(event, "media_source") {
                None | Some(Value::Null) => return Some(Cow::Owned(Value::from(ORGANIC))),
                source => source,
            },
            Self::InstallTime => in_attribution(event, "install_time").or_else(|| {
                let is_install = event.get("kind").is_none_or(|kind| kind == "install");
                event.get("event_time").filter(|_| is_install)
            }),
            Self::Attributed => {
                let status = in_attribution(event, "status").and_then(Value::as_str);
                return Some(Cow::Owned(Value::Bool(status == Some("attributed"))));
            }
            Self::Click(key) => in_attribution(event, "params")
                .and_then(|parameters| parameters.get(key))
                .or_else(|| in_attribution(event, key).filter(|value| value.is_string())),
        };
        found.filter(|value| !value.is_null()).map(Cow::Borrowed)
    }
}

fn in_attribution<'e>(event: &'e Value, field: &str) -> Option<&'e Value> {
    event.get("attribution")?.get(field)
}

/// Text from a rules file as a message may show it: short, and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(64).collect();
    format!("{:?}", short)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn short_names_and_paths_find_their_values() {
        let event = json!({
            "event_time": "2026-11-22T10:00:00.000Z", "kind": "install", "country": "DE", "campaign": "of a click",
            "device": { "idfa": "a-1" }, "event_value": { "level": { "n": 3 } },
            "attribution": { "status": "attributed", "media_source": "acme", "campaign": "winter", "sub1": "s",
                "touch_time": "2026-11-22T09:00:00.000Z", "params": { "gclid": "g", "a.b": "dotted" } },
        });
        for (name, expected) in [
            ("media_source", json!("acme")),
            ("campaign", json!("winter")),
            ("attributed", json!(true)),
            ("install_time", json!("2026-11-22T10:00:00.000Z")),
            ("click_time", json!("2026-11-22T09:00:00.000Z")),
            ("idfa", json!("a-1")),
            ("event_value.level.n", json!(3)),
            ("click.gclid", json!("g")),
            ("click.a.b", json!("dotted")),
            ("click.sub1", json!("s")),
            ("country", json!("DE")),
        ] {
            assert_eq!(Field::parse(name).unwrap().find(&event).as_deref(), Some(&expected), "{name}");
        }
        for absent in ["city", "click.none", "event_value.level.x.y", "sub5", "click.params"] {
            assert_eq!(Field::parse(absent).unwrap().find(&event), None, "{absent}");
        }
    }

    #[test]
    fn an_event_without_attribution_is_organic_and_has_no_install_time() {
        let event = json!({ "kind": "event", "event_time": "2026-11-22T10:00:00.000Z" });
        let find = |name| Field::parse(name).unwrap().find(&event).map(Cow::into_owned);
        assert_eq!(find("media_source"), Some(json!("organic")));
        assert_eq!(find("attributed"), Some(json!(false)));
        assert_eq!(find("install_time"), None);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        for name in ["countri", "click."] {
            assert!(Field::parse(name).unwrap_err().message.contains(name), "{name}");
        }
    }
}
