use serde_json::{Value, json};

use super::*;
use crate::guard::{Guard, PlainHttp};

fn open() -> Guard {
    Guard::new(vec!["127.0.0.0/8".parse().unwrap()], PlainHttp::Allowed)
}

fn url(template: &str) -> Result<UrlTemplate, Refusal> {
    UrlTemplate::parse(template, WhenEmpty::Keep, &Guard::default())
}

fn values(event: &Value) -> Values<'_> {
    Values { event, delivery_id: "d-1", attempt: 3 }
}

fn event() -> Value {
    json!({
        "event_id": "e1", "app_id": "com.example.game", "kind": "event", "event_name": "Buy & Go", "country": "de",
        "event_time": "2026-11-22T10:11:12.345Z", "revenue": "12.34", "currency": "EUR", "quantity": 3,
        "event_value": { "level": 7, "name": "a\"b\\c", "list": [1, "x"], "id": "A/B ü" },
        "attribution": { "status": "attributed", "media_source": "acme", "click_id": "a&admin=1",
            "touch_time": 1795342272345_i64, "match_type": "referrer", "sub1": "../../x", "params": { "k": "p%0d%0a" } },
    })
}

#[test]
fn every_macro_and_pipe_gives_what_it_promises() {
    for (template, expected) in [
        ("{click_id}", "a%26admin%3D1"),
        ("{country|upper|md5}", "3a52f3c22ed6fcde5bf696a6c02c9e73"),
        ("{country|sha1}", "600ccd1b71569232d01d110bc63e906beab04d8c"),
        ("{country|sha256}", "959a45d44e6fcf58361ed004681556fe50129f2109e817dec098c00c9e5d2578"),
        ("{media_source}", "acme"),
        ("{country|upper}", "DE"),
        ("{event_name|lower}", "buy%20%26%20go"),
        ("{event_value.id}", "A%2FB%20%C3%BC"),
        ("{event_value.id|urlencode}", "A%2FB%20%C3%BC"),
        ("{event_value.id|raw}", "A/B%20%C3%BC"),
        ("{event_value.id|urlencode|raw}", "A%2FB%20%C3%BC"),
        ("{click_id|raw}", "a&admin=1"),
        ("{event_value.name|json}", "%22a%5C%22b%5C%5Cc%22"),
        (
            "{event_value}",
            "%7B%22level%22%3A7%2C%22name%22%3A%22a%5C%22b%5C%5Cc%22%2C%22list%22%3A%5B1%2C%22x%22%5D%2C%22id%22%3A%22A%2FB%20%C3%BC%22%7D",
        ),
        ("{event_time|unix}", "1795342272"),
        ("{event_time|unix_ms}", "1795342272345"),
        ("{event_time}", "2026-11-22T10%3A11%3A12.345Z"),
        ("{click_time|iso}", "2026-11-22T10%3A11%3A12.345Z"),
        ("{click_time|unix}", "1795342272"),
        ("{revenue}", "12.34"),
        ("{quantity}", "3"),
        ("{event_value.level}", "7"),
        ("{attributed}", "1"),
        ("{match_type}", "referrer"),
        ("{delivery_id}", "d-1"),
        ("{attempt}", "3"),
        ("{click.k}", "p%250d%250a"),
        ("{sub2}", ""),
        ("{sub2|default:none}", "none"),
        ("{sub2|default:none|upper}", "NONE"),
        ("{country|default:none}", "de"),
        ("{sub2|md5}", ""),
        ("{sub2|unix}", ""),
        ("{install_time}", ""),
    ] {
        let event = event();
        let rendered = url(&format!("https://h.example/?v={template}")).unwrap().render(&values(&event)).unwrap();
        assert_eq!(rendered.as_str(), format!("https://h.example/?v={expected}"), "{template}");
    }
}

#[test]
fn a_time_macro_on_what_is_no_time_is_refused_when_it_is_rendered() {
    let event = event();
    let refused = url("https://h.example/?v={country|unix}").unwrap().render(&values(&event)).unwrap_err();
    assert_eq!(refused.code, "template");
}

#[test]
fn a_bad_url_is_refused_with_a_code() {
    for (template, code) in [
        ("ftp://h.example/", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("javascript:alert(1)", "url_scheme"),
        ("//h.example/", "url_scheme"),
        ("h.example", "url_scheme"),
        ("", "url_scheme"),
        ("http://h.example/", "url_scheme"),
        ("https:///x", "url_host"),
        ("https://", "url_host"),
        ("https://h.example\\@evil.example/", "url_host"),
        ("https://h exa.example/", "control_char"),
        ("https://h.exa\tmple/", "control_char"),
        ("https://h.example/\r\nX: y", "control_char"),
        ("https://user@h.example/", "url_userinfo"),
        ("https://user:password@h.example/", "url_userinfo"),
        ("https://@h.example/", "url_userinfo"),
        ("https://h.example:0/", "url_port"),
        ("https://h.example:22/", "url_port"),
        ("https://h.example:6379/", "url_port"),
        ("https://h.example:65536/", "url_port"),
        ("https://h.example:x/", "url_port"),
        ("https://h.example/#top", "url_fragment"),
        ("https://h.example#top", "url_fragment"),
        ("https://h.example/?a=b#{country}", "url_fragment"),
        ("https://h.example/a/../b", "rule_invalid"),
        ("https://h.example/%2e%2E/b", "rule_invalid"),
        ("{country}://h.example/", "macro_position"),
        ("http{country}://h.example/", "macro_position"),
        ("{click.url}", "macro_position"),
        ("https://{country}/", "macro_position"),
        ("https://{country}.h.example/", "macro_position"),
        ("https://h.example{country}/", "macro_position"),
        ("https://h.example:{attempt}/", "macro_position"),
        ("https://{country}@h.example/", "macro_position"),
        ("https://h.example{country|default:/}", "macro_position"),
        ("https://h.example/{countri}", "macro_unknown"),
        ("https://h.example/{country|uper}", "macro_unknown"),
        ("https://h.example/{country|}", "macro_unknown"),
        ("https://h.example/{country", "macro_syntax"),
        ("https://h.example/country}", "macro_syntax"),
        ("https://h.example/{{country}}", "macro_syntax"),
        ("https://h.example/{}", "macro_syntax"),
        ("https://h.example/{cou ntry}", "control_char"),
        ("https://h.example/{cou*ntry}", "macro_syntax"),
    ] {
        assert_eq!(url(template).unwrap_err().code, code, "{template}");
    }
    assert_eq!(url(&format!("https://h.example/{}", "{country}".repeat(101))).unwrap_err().code, "macro_limit");
    assert_eq!(url(&format!("https://h.example/{}", "a".repeat(9_000))).unwrap_err().code, "string_too_long");
}

#[test]
fn a_refused_macro_is_named_with_its_character() {
    let refused = url("https://h.example/ü{country}{countri}").unwrap_err();
    assert_eq!(refused.message, "unknown macro \"countri\", at character 12");
}

#[test]
fn every_spelling_of_an_address_is_that_address() {
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7F.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "①②⑦.⓪.⓪.①",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "a.localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:0:0:1]",
        "169.254.169.254",
        "0xa9fea9fe",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "0",
        "[fd00::1]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        assert_eq!(url(&format!("https://{host}/")).unwrap_err().code, "url_private", "{host}");
    }
    let allowed = UrlTemplate::parse("http://0x7f000001:8090/x", WhenEmpty::Keep, &open()).unwrap();
    let event = json!({});
    assert_eq!(allowed.render(&values(&event)).unwrap().as_str(), "http://127.0.0.1:8090/x");
}

#[test]
fn no_value_leaves_its_part_of_the_path() {
    let event = json!({ "city": "..", "region": ".", "country": "%2e%2e", "event_name": "..%2f..", "ad": 1 });
    for (template, expected) in [
        ("https://h.example/a/{city}/b", Err("template")),
        ("https://h.example/a/{region}", Err("template")),
        ("https://h.example/a/.{region}/b", Err("template")),
        ("https://h.example/a/{country|raw}/b", Err("template")),
        ("https://h.example/a/x{city}/b", Ok("https://h.example/a/x../b")),
        ("https://h.example/a/{country}/b", Ok("https://h.example/a/%252e%252e/b")),
        ("https://h.example/a/{event_name}", Ok("https://h.example/a/..%252f..")),
        ("https://h.example/{city}", Err("template")),
        ("https://h.example?x={city}", Ok("https://h.example/?x=..")),
    ] {
        let rendered = url(template).unwrap().render(&values(&event)).map(String::from).map_err(|refusal| refusal.code);
        assert_eq!(rendered, expected.map(str::to_owned), "{template}");
    }
}

#[test]
fn omit_empty_drops_the_pair_and_nothing_else() {
    let template = "https://h.example/p?a={sub1}&b=&c={country}&d={sub2|default:x}&e={sub3}{sub4}&f";
    let event = json!({ "country": "DE" });
    let render = |when| UrlTemplate::parse(template, when, &Guard::default()).unwrap().render(&values(&event)).unwrap();
    assert_eq!(render(WhenEmpty::Omit).as_str(), "https://h.example/p?b=&c=DE&d=x&f");
    assert_eq!(render(WhenEmpty::Keep).as_str(), "https://h.example/p?a=&b=&c=DE&d=x&e=&f");
}

#[test]
fn what_looks_like_a_secret_is_masked_for_people() {
    let event = event();
    for (template, expected) in [
        ("https://h.example/p?key=abc&sub={country}", "https://h.example/p?key=***&sub=de"),
        ("https://h.example/p?api_token=t&x=1", "https://h.example/p?api_token=***&x=1"),
        ("https://h.example/p?auth={country}", "https://h.example/p?auth=***"),
        ("https://h.example/p?keywords=games", "https://h.example/p?keywords=games"),
        ("https://h.example/p?x=8f14e45fceea167a5a36dedd4bea2543", "https://h.example/p?x=***"),
        ("https://h.example/hook/8f14e45fceea167a5a36dedd4bea2543/in", "https://h.example/hook/***/in"),
        ("https://h.example/hook/installs", "https://h.example/hook/installs"),
        ("https://h.example/p?c={click_id}", "https://h.example/p?c=a%26admin%3D1"),
    ] {
        assert_eq!(url(template).unwrap().render_masked(&values(&event)), expected);
    }
}

#[test]
fn a_body_stays_what_it_is_whatever_the_values_are() {
    let event = event();
    for (content_type, template, expected) in [
        ("application/json", r#"{"id":{event_id|json}}"#, r#"{"id":"e1"}"#),
        (
            "application/json",
            r#"{"id":{event_id},"n":{quantity},"v":{event_value.name}}"#,
            r#"{"id":"e1","n":3,"v":"a\"b\\c"}"#,
        ),
        ("application/json", r#"{"s":"<{event_value.name}>"}"#, r#"{"s":"<a\"b\\c>"}"#),
        (
            "application/json",
            r#"{"e":{event_value.list},"x":{sub5},"d":{sub5|default:none}}"#,
            r#"{"e":[1,"x"],"x":"","d":"none"}"#,
        ),
        ("application/json", r#"{"r":{country|upper},"raw":{quantity|raw}}"#, r#"{"r":"DE","raw":3}"#),
        ("application/json; charset=utf-8", r#"{"n":{quantity|default:0}}"#, r#"{"n":3}"#),
        ("application/vnd.acme+json", r#"[{attributed},{"a":{attempt}}]"#, r#"[1,{"a":3}]"#),
        ("application/x-www-form-urlencoded", "a={click_id}&n={event_name}", "a=a%26admin%3D1&n=Buy%20%26%20Go"),
        ("text/plain", "{event_name}!", "Buy & Go!"),
    ] {
        let body = Body::parse(template, content_type).unwrap_or_else(|refusal| panic!("{template}: {refusal}"));
        assert_eq!(body.render(&values(&event)).unwrap(), expected, "{template}");
    }
}

#[test]
fn a_bad_body_is_refused_with_a_code() {
    for (content_type, template, code) in [
        ("application/json", r#"{"id":{event_id}"#, "macro_syntax"),
        ("application/json", r#"{"id":{{event_id}}}"#, "macro_syntax"),
        ("application/json", r#"{{event_id}:1}"#, "macro_syntax"),
        ("application/json", r#"{"a":"\{event_id}"}"#, "macro_syntax"),
        ("application/json", r#"{"id":{event_idd}}"#, "macro_unknown"),
        ("application/xml", "<a/>", "rule_invalid"),
        ("application/json\r\nX: y", "{}", "rule_invalid"),
        ("text/plain; a=\u{1}", "x", "header_value_invalid"),
        ("text/plain", "{", "macro_syntax"),
    ] {
        assert_eq!(Body::parse(template, content_type).unwrap_err().code, code, "{template}");
    }
}

#[test]
fn a_header_holds_no_control_character() {
    let event = json!({ "city": "a\r\nX-Evil: 1\u{0}ü" });
    let pieces = parse("v {city}", Braces::Refused).unwrap();
    assert_eq!(render(&pieces, Place::Header, &values(&event)).unwrap(), "v a%0D%0AX-Evil: 1%00%C3%BC");
}
