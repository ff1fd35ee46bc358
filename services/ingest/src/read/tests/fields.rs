//! One event with one thing wrong in it.

use super::{assert_outcome, event};

#[test]
fn rows_6_to_15_the_shape_of_an_event() {
    let nested = |levels: usize| format!(r#","extra":{}1{}"#, r#"{"a":"#.repeat(levels), "}".repeat(levels));
    let keys = |count: usize| (0..count).map(|n| format!(r#","k{n}":1"#)).collect::<String>();
    let inner: String = (0..210).map(|n| format!(r#""k{n}":1,"#)).collect();
    let long = |bytes: usize| "x".repeat(bytes);
    for (row, fields, expected) in [
        (6, r#","extra":{"a":"\ud800"}"#.to_owned(), "json_syntax extra"),
        (7, r#","extra":{"a":"x\u0000"}"#.into(), "control_char extra"),
        (7, r#","unheard_of":"\u0000""#.into(), "control_char unheard_of"),
        (8, r#","install_id":"a\u001b""#.into(), "control_char install_id"),
        (8, ",\"install_id\":\"a\u{202e}b\"".into(), "control_char install_id"),
        (8, ",\"install_id\":\"a\u{2028}b\"".into(), "control_char install_id"),
        (8, ",\"install_id\":\"a\u{7f}b\"".into(), "control_char install_id"),
        (8, ",\"extra\":{\"a\u{202e}\":1}".into(), "control_char extra"),
        (8, r#","extra":{"note":"two\nlines"}"#.into(), "ok"),
        (9, nested(15), "ok"),
        (9, nested(16), "too_deep extra"),
        (9, nested(100_000), "too_deep extra"),
        (9, format!(r#","extra":{{"a":{}{}}}"#, "[".repeat(15), "]".repeat(15)), "too_deep extra"),
        (10, r#","kind":"event""#.into(), "duplicate_key"),
        (10, r#","unheard_of":1,"unheard_of":2"#.into(), "duplicate_key"),
        (10, r#","extra":{"a":1,"\u0061":2}"#.into(), "duplicate_key extra"),
        (10, r#","revenue":"1","event_revenue":"2","currency":"USD""#.into(), "duplicate_key revenue"),
        (11, r#","Kind":"x","KIND":"y""#.into(), "ok"),
        (11, ",\"install_id\":\"cafe\u{301}\"".into(), "not_nfc install_id"),
        (11, ",\"install_id\":\"caf\u{e9}\"".into(), "ok"),
        (11, ",\"device\":{\"customer_user_id\":\"e\u{301}\"}".into(), "not_nfc device.customer_user_id"),
        (12, r#","unheard_of":1"#.into(), "ok"),
        (13, keys(197), "ok"),
        (13, keys(198), "too_many_fields"),
        (13, keys(100_000), "too_many_fields"),
        (13, format!(r#","extra":{{{inner}"z":1}}"#), "too_many_fields extra"),
        (14, format!(r#","unheard_of":"{}""#, long(70_000)), "string_too_long unheard_of"),
        (14, format!(r#","install_id":"{}""#, long(129)), "string_too_long install_id"),
        (15, r#","":1"#.into(), "bad_key"),
        (15, format!(r#","{}":1"#, long(129)), "bad_key"),
        (15, format!(r#","extra":{{"{}":1}}"#, long(129)), "bad_key extra"),
    ] {
        let (code, field) = expected.split_once(' ').unwrap_or((expected, ""));
        assert_outcome(&event(&fields), code, field, &format!("row {row}: {fields:.80}"));
    }
}

#[test]
fn rows_16_to_63_the_fields_of_an_event() {
    let long = |bytes: usize| "x".repeat(bytes);
    let large: String = (0..60).map(|n| format!(r#","k{n}":"{}""#, long(1_100))).collect();
    for (row, fields, expected) in [
        (16, r#","quantity":9223372036854775808"#.into(), "type_integer quantity"),
        (16, r#","quantity":1.0"#.into(), "type_integer quantity"),
        (16, r#","quantity":1e3"#.into(), "type_integer quantity"),
        (16, r#","quantity":"1""#.into(), "type_integer quantity"),
        (16, r#","quantity":-9223372036854775808"#.into(), "ok"),
        (17, r#","extra":{"a":18446744073709551616}"#.into(), "number_range extra"),
        (17, r#","extra":{"a":18446744073709551615}"#.into(), "ok"),
        (17, r#","extra":{"a":-9223372036854775809}"#.into(), "number_range extra"),
        (17, r#","unheard_of":123456789012345678901"#.into(), "number_range unheard_of"),
        (18, r#","extra":{"a":1e400}"#.into(), "json_syntax extra"),
        (18, r#","unheard_of":1e400"#.into(), "json_syntax unheard_of"),
        (18, format!(r#","unheard_of":{}"#, "9".repeat(1_000_000)), "json_syntax unheard_of"),
        (29, r#","app_id":"""#.into(), "duplicate_key"),
        (32, r#","event_id":"""#.into(), "event_id_format event_id"),
        (32, r#","event_id":"a b""#.into(), "event_id_format event_id"),
        (32, format!(r#","event_id":"{}""#, long(65)), "event_id_format event_id"),
        (32, r#","event_id":null"#.into(), "ok"),
        (32, format!(r#","event_id":"{}""#, long(64)), "ok"),
        (35, r#","device":{"idfa":"nonsense"}"#.into(), "device_id_format device.idfa"),
        (35, r#","device":{"idfa":7}"#.into(), "type_string device.idfa"),
        (62, r#","device":[]"#.into(), "type_object device"),
        (62, r#","event_value":[1]"#.into(), "type_object event_value"),
        (0, format!(r#","event_value":{{"a":"{}"}}"#, long(10_240)), "event_value_too_large event_value"),
        (0, r#","test":"yes""#.into(), "type_boolean test"),
        (0, r#","platform":"symbian""#.into(), "platform_unknown platform"),
        (0, r#","country":"USA""#.into(), "string_too_long country"),
        (39, r#","country":"1x""#.into(), "country_unknown country"),
        (0, r#","attribution":{}"#.into(), "field_reserved attribution"),
        (0, r#","received_at":"2026-11-22T10:11:12Z""#.into(), "field_reserved received_at"),
        (36, r#","ip_hash":"0123456789abcdef""#.into(), "field_reserved ip_hash"),
        (0, r#","source":"link""#.into(), "field_reserved source"),
        (63, large, "record_too_large"),
    ] {
        let (code, field) = expected.split_once(' ').unwrap_or((expected, ""));
        assert_outcome(&event(&fields), code, field, &format!("row {row}: {fields:.80}"));
    }
}
