use super::*;
use crate::apps::Apps;
use crate::caller::Caller;
use crate::prepare::{Sender, UnknownFields};

fn link(query: &str) -> Result<(Value, Link), Rejection> {
    let sender = Sender {
        fingerprint: crate::address::Fingerprint { address: "a".repeat(16), network: "b".repeat(16), class: "public" },
        user_agent: Some("Mozilla/5.0".into()),
    };
    let context = Context {
        apps: &Apps::default(),
        caller: &Caller::Link,
        sender: &sender,
        arrival: event::Time::from_trusted_millis(1_795_342_272_345),
        unknown_fields: UnknownFields::Keep,
    };
    let link = read_link(Kind::Click, "com.example.game", query, context)?;
    Ok((serde_json::from_slice(&link.prepared.record.payload).unwrap(), link))
}

#[test]
fn a_link_becomes_a_click_and_keeps_every_parameter() {
    let (click, link) = link(
        "pid=adnet&c=spring+sale&clickid=c-1&idfa=6D92078A-8246-4BA4-AE5B-76104861E7DC&retargeting=1&foo=bar&redirect=0",
    )
    .unwrap();
    assert_eq!(link.redirect.as_deref(), Some("0"));
    for (field, expected) in [
        ("kind", "click"),
        ("source", "link"),
        ("media_source", "adnet"),
        ("campaign", "spring sale"),
        ("click_id", "c-1"),
        ("event_time", "2026-11-22T10:11:12.345Z"),
        ("received_at", "2026-11-22T10:11:12.345Z"),
        ("ip_hash", "aaaaaaaaaaaaaaaa"),
        ("ip_class", "public"),
        ("user_agent", "Mozilla/5.0"),
    ] {
        assert_eq!(click[field], expected, "{field}");
    }
    assert_eq!(click["device"]["idfa"], "6d92078a-8246-4ba4-ae5b-76104861e7dc");
    assert_eq!(click["retargeting"], true);
    assert_eq!(click["params"], serde_json::json!({"foo": "bar"}));
    assert_eq!(click["touch_id"].as_str(), link.prepared.touch_id.as_deref());
}

#[test]
fn of_a_repeated_parameter_the_first_counts() {
    let (click, _) = link("pid=one&media_source=two&pid=three&x=1&x=2").unwrap();
    assert_eq!((click["media_source"].as_str(), click["params"]["x"].as_str()), (Some("one"), Some("1")));
}

#[test]
fn a_parameter_that_its_field_refuses_is_kept_in_params() {
    let long = "x".repeat(101);
    for (query, name, value, field) in [
        ("idfa={idfa}", "idfa", "{idfa}", "device.idfa"),
        (&format!("c={long}"), "campaign", long.as_str(), "campaign"),
        ("platform=symbian", "platform", "symbian", "platform"),
        ("retargeting=maybe", "retargeting", "maybe", ""),
        ("received_at=1", "received_at", "1", ""),
        ("attribution=x", "attribution", "x", ""),
    ] {
        let (click, link) = link(&format!("pid=adnet&{query}")).unwrap();
        assert_eq!(click["params"][name], value, "{query}");
        let kept: Vec<_> = link.prepared.warnings.iter().map(|warning| warning.field.as_str()).collect();
        assert_eq!(kept.join(","), field, "{query}");
    }
}

#[test]
fn a_touch_that_nobody_can_earn_by_is_refused() {
    for (query, expected) in [
        ("", "field_missing"),
        ("c=spring", "field_missing"),
        ("pid=", "field_missing"),
        ("pid=organic", "media_source_reserved"),
        ("pid=a%0Ab", "control_char"),
        (&format!("pid=adnet&long={}", "x".repeat(1_025)), "string_too_long"),
        ("pid=%ZZ", "bad_percent"),
    ] {
        assert_eq!(link(query).map(|_| ()).unwrap_err().code, expected, "{query}");
    }
}
