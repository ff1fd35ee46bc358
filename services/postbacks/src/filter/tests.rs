use serde_json::{Value, json};
use toml::Spanned;

use super::*;

#[derive(serde::Deserialize)]
struct Wrapper {
    when: Spanned<When>,
}

fn filter(when: &str) -> Result<Filter, String> {
    let text = format!("\n\nwhen = {when}");
    let wrapper: Wrapper = toml::from_str(&text).map_err(|error| error.message().to_owned())?;
    compile(wrapper.when).map_err(|located| located.in_file(&text).to_string())
}

fn event() -> Value {
    json!({
        "country": "US", "platform": "android", "revenue": "12.34", "quantity": 3, "test": true, "install_id": "9007199254740993",
        "event_time": "2026-11-22T10:00:00.000Z", "event_value": { "level": 7, "ratio": 0.5, "tags": ["a"], "none": null },
        "attribution": { "status": "attributed", "media_source": "acme", "campaign": "winter_2026" },
    })
}

#[test]
fn operators_compare_as_they_say() {
    for (when, expected) in [
        (r#"{ field = "country", eq = "US" }"#, true),
        (r#"{ field = "country", eq = "us" }"#, false),
        (r#"{ field = "city", eq = "" }"#, false),
        (r#"{ field = "country", ne = "US" }"#, false),
        (r#"{ field = "city", ne = "Berlin" }"#, true),
        (r#"{ field = "country", in = ["US", "CA"] }"#, true),
        (r#"{ field = "country", in = ["CA"] }"#, false),
        (r#"{ field = "city", in = ["Berlin"] }"#, false),
        (r#"{ field = "country", not_in = ["US"] }"#, false),
        (r#"{ field = "city", not_in = ["Berlin"] }"#, true),
        (r#"{ field = "quantity", eq = 3 }"#, true),
        (r#"{ field = "quantity", eq = 3.0 }"#, true),
        (r#"{ field = "quantity", eq = "3" }"#, false),
        (r#"{ field = "revenue", eq = 12.34 }"#, true),
        (r#"{ field = "revenue", eq = "12.34" }"#, true),
        (r#"{ field = "revenue", gt = 12 }"#, true),
        (r#"{ field = "revenue", gt = "12.34" }"#, false),
        (r#"{ field = "revenue", gte = 12.34 }"#, true),
        (r#"{ field = "revenue", lt = 12.35 }"#, true),
        (r#"{ field = "revenue", lte = 12 }"#, false),
        (r#"{ field = "revenue", gte = 1, lt = 10 }"#, false),
        (r#"{ field = "revenue", gte = 1, lt = 100 }"#, true),
        (r#"{ field = "install_id", gt = 9007199254740992 }"#, true),
        (r#"{ field = "country", gt = 1 }"#, false),
        (r#"{ field = "city", lt = 1 }"#, false),
        (r#"{ field = "event_value.level", gte = 7 }"#, true),
        (r#"{ field = "event_value.ratio", lt = 1 }"#, true),
        (r#"{ field = "event_value.level.deeper", exists = true }"#, false),
        (r#"{ field = "event_value.none", exists = false }"#, true),
        (r#"{ field = "event_value.tags", exists = true }"#, true),
        (r#"{ field = "event_time", gte = "2026-11-22T10:00:00Z" }"#, true),
        (r#"{ field = "event_time", lt = 2026-11-22T10:00:00Z }"#, false),
        (r#"{ field = "campaign", starts_with = "winter_" }"#, true),
        (r#"{ field = "campaign", starts_with = "summer_" }"#, false),
        (r#"{ field = "quantity", starts_with = "3" }"#, false),
        (r#"{ field = "city", exists = false }"#, true),
        (r#"{ field = "attributed", eq = true }"#, true),
        (r#"{ field = "test", eq = true }"#, true),
        (r#"{ field = "retargeting", eq = false }"#, true),
        (r#"{ field = "retargeting", ne = true }"#, true),
        (r#"{ field = "media_source", eq = "acme" }"#, true),
        (r#"{ all = [] }"#, true),
        (r#"{ any = [] }"#, false),
        (r#"{ all = [{ field = "country", eq = "US" }, { field = "platform", eq = "ios" }] }"#, false),
        (r#"{ any = [{ field = "country", eq = "US" }, { field = "platform", eq = "ios" }] }"#, true),
        (r#"{ not = { field = "country", eq = "US" } }"#, false),
        (r#"{ not = { any = [{ field = "country", eq = "CA" }, { field = "city", exists = true }] } }"#, true),
    ] {
        let filter = filter(when).unwrap_or_else(|refused| panic!("{when}: {refused}"));
        assert_eq!(filter.matches(&event()), expected, "{when}");
        assert_eq!(filter.why_not(&event()).is_none(), expected, "{when}");
    }
}

#[test]
fn a_filter_that_cannot_be_meant_is_refused_with_its_line() {
    let many = format!(r#"{{ field = "country", in = [{}] }}"#, "\"x\",".repeat(1_001));
    let deep = format!("{}{{ field = \"country\", eq = \"US\" }}{}", "{ not = ".repeat(9), " }".repeat(9));
    let wide = format!("{{ all = [{}] }}", "{ field = \"country\", eq = \"US\" },".repeat(101));
    for (when, expected) in [
        (r#"{ field = "countri", eq = "US" }"#, "line 3: rule_invalid: unknown field \"countri\""),
        (r#"{ field = "country" }"#, "line 3: rule_invalid: a field without an operator"),
        (r#"{ eq = "US" }"#, "line 3: rule_invalid: a condition is one of"),
        (r#"{ }"#, "line 3: rule_invalid: a condition is one of"),
        (r#"{ all = [], any = [] }"#, "line 3: rule_invalid: a condition is one of"),
        (r#"{ all = [], eq = 1 }"#, "line 3: rule_invalid: a condition is one of"),
        (r#"{ field = "country", gt = "abc" }"#, "line 3: rule_invalid: what is compared must be"),
        (r#"{ field = "country", gt = nan }"#, "line 3: rule_invalid: what is compared must be"),
        (r#"{ field = "country", eq = [1] }"#, "line 3: rule_invalid: a array is nothing"),
        (r#"{ field = "country", eq = inf }"#, "line 3: rule_invalid: a float is nothing"),
        (r#"{ field = "country", in = [] }"#, "line 3: rule_invalid: a list without"),
        (&many, "line 3: filter_too_complex: at most 1000 values"),
        (&deep, "line 3: filter_too_complex: at most 8 levels"),
        (&wide, "line 3: filter_too_complex: at most 100 conditions"),
    ] {
        let refused = filter(when).unwrap_err();
        assert!(refused.starts_with(expected), "{when}: {refused}");
    }
    assert!(filter(r#"{ field = "country", matches = "x" }"#).unwrap_err().contains("unknown field `matches`"));
}

#[test]
fn why_nothing_is_sent_is_said_in_words() {
    let filter = filter(r#"{ all = [{ field = "country", eq = "CA" }] }"#).unwrap();
    let why = filter.why_not(&event()).unwrap();
    assert!(why.starts_with(r#"country is "US""#), "{why}");
}
