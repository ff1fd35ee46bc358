//! The rows of the list of bad inputs that a request's bytes can show, each with the answer that it gets.

use super::read;
use crate::{Apps, Caller, Context, Fingerprint, Framing, Rejection, Sender, UnknownFields};
mod fields;

use event::Time;
use serde_json::Value;

const ARRIVAL: &str = "2026-11-22T10:11:12.345Z";
const APPS: &str = "[[app]]\nid = \"com.example.game\"\ncurrency = \"EUR\"\n[[app]]\nid = \"com.example.free\"\n";

fn with<T>(unknown_fields: UnknownFields, look: impl FnOnce(Context<'_>) -> T) -> T {
    let fingerprint = Fingerprint { address: "a".repeat(16), network: "b".repeat(16), class: "public" };
    look(Context {
        apps: &Apps::parse(APPS).unwrap(),
        caller: &Caller::Anyone,
        sender: &Sender { fingerprint, user_agent: Some("Sdk/1".into()) },
        arrival: Time::parse(ARRIVAL).unwrap(),
        unknown_fields,
    })
}

/// The codes of a body: its own, or those of its events in order.
fn codes(body: &[u8], framing: Framing) -> String {
    let code = |rejection: Rejection| rejection.code;
    with(UnknownFields::Keep, |context| match read(body, framing, context) {
        Err(rejection) => format!("all {}", rejection.code),
        Ok(reading) => {
            let events = reading.events.into_iter().map(|event| event.outcome.map_or_else(code, |_| "ok"));
            events.collect::<Vec<_>>().join(" ")
        }
    })
}

/// An event of the least that a kind needs, with some fields more.
fn event(fields: &str) -> String {
    format!(r#"{{"kind":"event","app_id":"com.example.game","event_name":"buy"{fields}}}"#)
}

fn stored(event: &str) -> (Value, Vec<String>) {
    with(UnknownFields::Keep, |context| {
        let mut reading = read(event.as_bytes(), Framing::Json, context).unwrap();
        let prepared = reading.events.remove(0).outcome.unwrap();
        let warnings = prepared.warnings.iter().map(|warning| format!("{} {}", warning.code, warning.field));
        (serde_json::from_slice(&prepared.record.payload).unwrap(), warnings.collect())
    })
}

#[test]
fn bodies_as_a_whole() {
    let ok = event("");
    let many = |count: usize| format!("[{}]", vec![ok.as_str(); count].join(","));
    for (row, body, expected) in [
        (0, ok.clone(), "ok"),
        (0, format!("[{ok},{ok}]"), "ok ok"),
        (0, format!(" \n{ok}\n "), "ok"),
        (0, "{\n\"kind\":\"session\",\n\"app_id\":\"com.example.game\"\n}".into(), "ok"),
        (1, "".into(), "all body_empty"),
        (1, " \r\n\t".into(), "all body_empty"),
        (2, "{\"kind\":\"session\",}".into(), "all json_syntax"),
        (2, "{'kind':'session'}".into(), "all json_syntax"),
        (2, "/* */{}".into(), "all json_syntax"),
        (2, "{\"kind\":".into(), "all json_syntax"),
        (2, "[{}".into(), "all json_syntax"),
        (3, format!("{ok} {ok}"), "all json_trailing"),
        (3, format!("{ok}x"), "all json_trailing"),
        (3, format!("{ok}\n}}"), "all json_trailing"),
        (3, format!("[{ok}]]"), "all json_trailing"),
        (4, format!("\u{feff}{ok}"), "ok"),
        (60, "[]".into(), "all batch_empty"),
        (60, many(1_001), "all batch_too_large"),
        (60, format!("{ok}\n").repeat(1_001), "all batch_too_large"),
        (61, format!("{ok}\n{ok}\n"), "ok ok"),
        (62, "[null]".into(), "type_object"),
        (62, format!("[{ok},[],7,\"x\"]"), "ok type_object type_object type_object"),
        (62, "null".into(), "type_object"),
        (62, "[[{}]]".into(), "type_object"),
    ] {
        assert_eq!(codes(body.as_bytes(), Framing::Json), expected, "row {row}: {:.80}", body);
    }
    assert_eq!(codes(many(1_000).as_bytes(), Framing::Json).matches("ok").count(), 1_000);
    for (row, body) in [(5, &b"{\"kind\":\"\xc0\xaf\"}"[..]), (5, b"\xff"), (5, b"{\"a\":\"\xed\xa0\x80\"}")] {
        assert_eq!(codes(body, Framing::Json), "all utf8_invalid", "row {row}: {body:?}");
    }
}

#[test]
fn row_61_a_bad_line_costs_only_itself() {
    let ok = event("");
    let body = format!("{ok}\n\n{{\"kind\":\n{ok}\r\nnull\n{ok} {ok}\n");
    assert_eq!(codes(body.as_bytes(), Framing::Lines), "ok json_syntax ok type_object json_trailing");
    let lines: Vec<_> = with(UnknownFields::Keep, |context| {
        let reading = read(body.as_bytes(), Framing::Lines, context).unwrap();
        reading.events.into_iter().map(|event| event.line.unwrap()).collect()
    });
    assert_eq!(lines, [1, 3, 4, 5, 6]);
}

fn assert_outcome(event: &str, code: &str, field: &str, what: &str) {
    with(UnknownFields::Keep, |context| {
        let outcome = match read(event.as_bytes(), Framing::Json, context) {
            Ok(mut reading) => reading.events.remove(0).outcome.map(|_| ()),
            Err(rejection) => Err(rejection),
        };
        let Err(rejection) = outcome else { return assert_eq!("ok", code, "{what}") };
        assert_eq!(rejection.code, code, "{what}: {rejection:?}");
        let named = rejection.field.as_deref().unwrap_or_default();
        assert!(field.is_empty() || named == field, "{what}: {named}");
        assert!(rejection.message.len() < 200, "{what}: {}", rejection.message);
        let listed = crate::CODES.iter().any(|(listed, _)| *listed == code);
        assert!(listed, "{what}");
    });
}

#[test]
fn rows_18_and_2_numbers_that_json_does_not_have() {
    for number in ["NaN", "Infinity", "0x10", "01", "+1", "1.", ".5", "- 1"] {
        assert_outcome(&event(&format!(r#","unheard_of":{number}"#)), "json_syntax", "", number);
    }
}

#[test]
fn rows_19_to_24_money() {
    for (row, revenue, currency, expected) in [
        (0, r#""12.34""#, r#""USD""#, "ok"),
        (19, r#""NaN""#, r#""USD""#, "revenue_format revenue"),
        (19, "12.34", r#""USD""#, "revenue_format revenue"),
        (20, r#""-12.34""#, r#""USD""#, "ok"),
        (21, r#""1000000001""#, r#""USD""#, "revenue_range revenue"),
        (21, r#""1.2345678""#, r#""USD""#, "revenue_scale revenue"),
        (21, r#""1,234.5""#, r#""USD""#, "revenue_format revenue"),
        (21, r#""1e3""#, r#""USD""#, "revenue_format revenue"),
        (22, r#""1""#, "null", "ok"),
        (23, r#""1""#, r#""usd""#, "currency_unknown currency"),
        (23, r#""1""#, r#""US""#, "currency_unknown currency"),
        (23, r#""1""#, r#""XXX""#, "currency_unknown currency"),
        (23, r#""1""#, r#""BTC""#, "currency_unknown currency"),
        (23, r#""1""#, "\"€\"", "currency_unknown currency"),
        (23, r#""1""#, "840", "type_string currency"),
    ] {
        let (code, field) = expected.split_once(' ').unwrap_or((expected, ""));
        let sent = event(&format!(r#","revenue":{revenue},"currency":{currency}"#));
        assert_outcome(&sent, code, field, &format!("row {row}: {revenue} {currency}"));
    }
    let (default, _) = stored(&event(r#","event_revenue":"-0.0""#));
    assert_eq!((&default["revenue"], &default["currency"]), (&"0.00".into(), &"EUR".into()), "rows 22 and 24");
    let no_default = event(r#","revenue":"1""#).replace("com.example.game", "com.example.free");
    assert_outcome(&no_default, "currency_missing", "currency", "row 22");
}

#[test]
fn rows_25_to_28_times() {
    for (row, time, expected) in [
        (0, r#""2026-11-22T10:11:12.345Z""#, "ok"),
        (0, "1795342272345", "ok"),
        (25, "1795342272", "ts_unit_ambiguous"),
        (25, "1795342272345000", "ts_unit_ambiguous"),
        (25, "1795342272345.0", "ts_format"),
        (26, r#""2026-11-22T10:21:12.345Z""#, "ok"),
        (26, r#""2026-11-22T10:21:12.346Z""#, "ts_in_future"),
        (26, r#""2026-11-23T10:11:12Z""#, "ts_in_future"),
        (26, r#""9999-01-01T00:00:00Z""#, "ts_in_future"),
        (27, r#""2026-10-23T10:11:12.345Z""#, "ok"),
        (27, r#""2026-10-23T10:11:12.344Z""#, "ts_too_old"),
        (27, r#""1970-01-01T00:00:00Z""#, "ts_too_old"),
        (27, "-1", "ts_unit_ambiguous"),
        (28, r#""2026-02-30T00:00:00Z""#, "ts_format"),
        (28, r#""2026-11-22T24:61:00Z""#, "ts_format"),
        (28, r#""2026-11-22T10:11:12""#, "ts_format"),
        (28, r#""2026-11-22 10:11:12Z""#, "ts_format"),
        (28, r#""2026-11-22T09:59:60Z""#, "ok"),
        (28, "true", "ts_format"),
    ] {
        let what = format!("row {row}: {time}");
        let field = if expected == "ok" { "" } else { "event_time" };
        assert_outcome(&event(&format!(r#","event_time":{time}"#)), expected, field, &what);
    }
    let (server, _) = stored(&event(r#","source":"s2s","event_time":1795342272345"#));
    assert_eq!(server["event_time"], ARRIVAL);
    assert_outcome(&event(r#","source":"s2s""#), "field_missing", "event_time", "a server without a time");
}

#[test]
fn rows_29_and_31_apps_and_kinds() {
    for (row, event, expected) in [
        (29, r#"{"kind":"session"}"#, "app_unknown app_id"),
        (29, r#"{"kind":"session","app_id":"123456"}"#, "app_unknown app_id"),
        (29, r#"{"kind":"session","app_id":""}"#, "app_id_format app_id"),
        (29, r#"{"kind":"session","app_id":"../x"}"#, "app_id_format app_id"),
        (29, r#"{"kind":"session","app_id":7}"#, "type_string app_id"),
        (31, r#"{"app_id":"a"}"#, "field_missing kind"),
        (31, r#"{"kind":null,"app_id":"a"}"#, "field_missing kind"),
        (31, r#"{"kind":"party","app_id":"a"}"#, "kind_unknown kind"),
        (31, r#"{"kind":7,"app_id":"a"}"#, "kind_unknown kind"),
        (0, r#"{"kind":"event","app_id":"a"}"#, "field_missing event_name"),
        (0, r#"{"kind":"click","app_id":"a"}"#, "field_missing media_source"),
        (0, r#"{"kind":"click","app_id":"a","pid":"organic"}"#, "media_source_reserved media_source"),
        (0, r#"{"kind":"click","app_id":"a","pid":"n","touch_id":"x"}"#, "touch_id_format touch_id"),
        (0, r#"{"kind":"click","app_id":"a","pid":"n"}"#, "ok"),
    ] {
        let (code, field) = expected.split_once(' ').unwrap_or((expected, ""));
        assert_outcome(event, code, field, &format!("row {row}: {event}"));
    }
}

#[test]
fn row_33_the_same_event_id_twice_in_a_request() {
    let (one, two) = (event(r#","event_id":"e1""#), event(r#","event_id":"e2""#));
    let body = format!("[{one},{two},{one}]");
    assert_eq!(codes(body.as_bytes(), Framing::Json), "ok ok duplicate_in_request");
}

#[test]
fn row_12_a_strict_door_refuses_unknown_fields() {
    with(UnknownFields::Refuse, |context| {
        for (fields, field) in [(r#","unheard_of":1"#, "unheard_of"), (r#","device":{"imei":"1"}"#, "device.imei")] {
            let mut reading = read(event(fields).as_bytes(), Framing::Json, context).unwrap();
            let rejection = reading.events.remove(0).outcome.unwrap_err();
            assert_eq!((rejection.code, rejection.field.as_deref()), ("unknown_field", Some(field)));
        }
        assert!(read(event("").as_bytes(), Framing::Json, context).unwrap().events[0].outcome.is_ok());
    });
}

#[test]
fn rows_12_35_38_and_39_what_is_stored_is_in_one_form_and_oddities_are_said() {
    let agent = "é".repeat(400);
    let (stored, warnings) = stored(&event(&format!(
        r#","event_id":"e1","unheard_of":{{"deep":[1.50,18446744073709551615]}},"country":"us","user_agent":"{agent}",
           "nothing":null,"network":"wifi","install_id":null,
           "device":{{"idfa":"00000000-0000-0000-0000-000000000000","oaid":"ABC-1","imei":"1"}}"#
    )));
    assert_eq!(stored["unheard_of"].to_string(), r#"{"deep":[1.5,18446744073709551615]}"#);
    assert_eq!(stored["device"], serde_json::json!({"oaid":"abc-1","imei":"1"}));
    assert_eq!(stored["country"], "US");
    assert_eq!(stored["network"], "wifi", "an alias of touches is no alias here");
    assert_eq!(stored["user_agent"].as_str().unwrap().len(), 512);
    assert!(stored["nothing"].is_null() && stored.get("nothing").is_some() && stored.get("install_id").is_none());
    for (field, expected) in
        [("source", "sdk"), ("event_time", ARRIVAL), ("received_at", ARRIVAL), ("ip_class", "public")]
    {
        assert_eq!(stored[field], expected);
    }
    let expected = [
        "unknown_field unheard_of",
        "unknown_field nothing",
        "unknown_field network",
        "device_id_zero device.idfa",
        "unknown_field device.imei",
        "user_agent_cut user_agent",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn a_server_is_not_the_device() {
    let (stored, _) = stored(&event(r#","source":"s2s","event_time":1795342272345"#));
    for field in ["ip_hash", "ip_net_hash", "ip_class", "user_agent"] {
        assert!(stored.get(field).is_none(), "{field}");
    }
}

#[test]
fn a_record_is_keyed_by_its_device_and_says_what_it_is() {
    with(UnknownFields::Keep, |context| {
        let sent = event(r#","event_id":"e1","install_id":"i1""#);
        let mut reading = read(sent.as_bytes(), Framing::Json, context).unwrap();
        let record = reading.events.remove(0).outcome.unwrap().record;
        assert_eq!((record.topic.as_ref(), record.key.as_slice()), ("activity", &b"com.example.game|i1"[..]));
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), std::str::from_utf8(value.as_ref().unwrap()).unwrap()))
            .collect();
        let expected = [
            ("ce_id", "e1"),
            ("ce_type", "attributary.activity.event"),
            ("ce_source", "/apps/com.example.game"),
            ("ce_specversion", "1.0"),
        ];
        assert_eq!(headers, expected);
    });
}
