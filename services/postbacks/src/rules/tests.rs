use serde_json::json;

use super::*;
use crate::guard::PlainHttp;
use crate::template::Values;

const ENDPOINT: &str = r#"
[[endpoint]]
id = "acme"
url = "https://h.example/{event_id}"
"#;

fn parse(text: &str) -> Result<Rules, FileRefusal> {
    Rules::parse(text, &Guard::default())
}

fn with_endpoint(line: &str) -> String {
    format!("{ENDPOINT}{line}\n")
}

fn with_rule(lines: &str) -> String {
    format!("{ENDPOINT}[[rule]]\nid = \"r\"\nendpoint = \"acme\"\n{lines}\n")
}

#[test]
fn the_example_of_the_documentation_is_accepted() {
    let rules = parse(
        r#"
[[endpoint]]
id = "acme"
url = "https://postback.acme.example/install?click_id={click_id}&payout={revenue}&sub={sub1|default:none}"
method = "GET"
timeout = "5s"
concurrency = 8
rate = "100/s"
secret_file = "/run/secrets/acme"

[[endpoint]]
id = "northwind"
url = "https://northwind.example/in"
method = "POST"
body = '{"id":{event_id|json}}'
content_type = "application/json"
headers = { "X-App" = "{app_id}", Authorization = "Bearer abc" }
retry = ["1s", "1m"]
omit_empty = true

[[rule]]
id = "acme-installs"
endpoint = "acme"
topic = "installs"
from = "2026-11-25T00:00:00Z"
apps = ["com.example.game"]
media_sources = ["acme"]
when = { all = [ { field = "country", in = ["US", "CA"] }, { field = "platform", eq = "android" } ] }

[[rule]]
id = "purchases"
endpoint = "northwind"
topic = "events"
from = 2026-11-25T00:00:00Z
event_names = ["purchase"]
"#,
    )
    .unwrap();
    assert_eq!((rules.endpoint_count(), rules.rule_count()), (2, 2));
    let event = json!({ "event_id": "e1", "app_id": "a\r\nb" });
    let values = Values { event: &event, delivery_id: "d", attempt: 1 };
    let request = rules.endpoint("northwind").unwrap().request(&values).unwrap();
    assert_eq!((request.method.as_str(), request.body.as_deref()), ("POST", Some(r#"{"id":"e1"}"#)));
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    assert_eq!(headers, ["authorization: Bearer abc", "x-app: a%0D%0Ab", "content-type: application/json"]);
}

#[test]
fn the_shipped_file_sends_nothing_until_its_lines_are_let_in() {
    let shipped = include_str!("../../../../deploy/config/postbacks.rules.toml");
    assert_eq!(parse(shipped).unwrap().endpoint_count(), 0);
    let let_in: String = shipped
        .lines()
        .filter(|line| !line.starts_with("##"))
        .map(|line| line.strip_prefix("# ").unwrap_or(line).to_owned() + "\n")
        .collect();
    let rules = parse(&let_in).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!((rules.endpoint_count(), rules.rule_count()), (6, 7));
}

#[test]
fn an_empty_file_has_no_rules() {
    assert_eq!(parse("").unwrap().rule_count(), 0);
}

fn assert_refused(cases: impl IntoIterator<Item = (String, usize, &'static str)>) {
    for (text, line, code) in cases {
        let refused = parse(&text).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert_eq!((refused.line, refused.code), (line, code), "{text}\n{refused}");
    }
}

#[test]
fn a_bad_endpoint_is_refused_with_line_and_code() {
    let long_schedule = format!("retry = [{}]", "\"1s\",".repeat(1_000));
    assert_refused([
        ("[[endpoint]]\nid = ".to_owned(), 2, "rule_invalid"),
        ("x = 1".to_owned(), 1, "rule_invalid"),
        (with_endpoint("timeot = \"5s\""), 5, "rule_invalid"),
        (with_endpoint("timeout = \"0s\""), 5, "range"),
        (with_endpoint("timeout = \"1h\""), 5, "range"),
        (with_endpoint("timeout = \"-1s\""), 5, "range"),
        (with_endpoint("timeout = 5"), 5, "rule_invalid"),
        (with_endpoint("concurrency = 0"), 5, "range"),
        (with_endpoint("concurrency = 1000000000"), 5, "range"),
        (with_endpoint("rate = \"0/s\""), 5, "range"),
        (with_endpoint("rate = \"-1/s\""), 5, "range"),
        (with_endpoint("rate = \"100001/s\""), 5, "range"),
        (with_endpoint("rate = \"100\""), 5, "range"),
        (with_endpoint("rate = \"1/d\""), 5, "range"),
        (with_endpoint("retry = [\"0s\"]"), 5, "range"),
        (with_endpoint("retry = [\"-1s\"]"), 5, "range"),
        (with_endpoint("retry = [\"1000000000s\"]"), 5, "range"),
        (with_endpoint("retry = [\"soon\"]"), 5, "range"),
        (with_endpoint(&long_schedule), 5, "range"),
        (with_endpoint("method = \"PUT\""), 5, "rule_invalid"),
        (with_endpoint("method = \"GET\"\nbody = \"{}\""), 5, "rule_invalid"),
        (with_endpoint("content_type = \"text/plain\""), 5, "rule_invalid"),
        (with_endpoint("body = '{\"a\":}'"), 5, "macro_syntax"),
        (with_endpoint("body = 'x'\ncontent_type = \"text/html\""), 5, "rule_invalid"),
        (with_endpoint("headers = { Host = \"x\" }"), 5, "header_name_forbidden"),
        (with_endpoint("headers = { Content-Length = \"1\" }"), 5, "header_name_forbidden"),
        (with_endpoint("headers = { transfer-encoding = \"chunked\" }"), 5, "header_name_forbidden"),
        (with_endpoint("headers = { Webhook-Signature = \"x\" }"), 5, "header_name_forbidden"),
        (with_endpoint("headers = { Idempotency-Key = \"x\" }"), 5, "header_name_forbidden"),
        (with_endpoint("headers = { \"a b\" = \"x\" }"), 5, "header_name_forbidden"),
        (with_endpoint("headers = { \"a\\r\\nb\" = \"x\" }"), 5, "header_name_forbidden"),
        (with_endpoint("headers = { \"\" = \"x\" }"), 5, "header_name_forbidden"),
        (with_endpoint("headers = { X-A = \"a\\r\\nb: c\" }"), 5, "header_value_invalid"),
        (with_endpoint("headers = { X-A = \"a\\u0000\" }"), 5, "header_value_invalid"),
        (with_endpoint("headers = { X-A = \"ü\" }"), 5, "header_value_invalid"),
        (with_endpoint("headers = { X-A = \"{nothing}\" }"), 5, "macro_unknown"),
        ("[[endpoint]]\nid = \"a/../b\"\nurl = \"https://h.example\"".to_owned(), 2, "name_format"),
        ("[[endpoint]]\nid = \"a\"\nurl = \"http://127.0.0.1/\"".to_owned(), 3, "url_scheme"),
        ("[[endpoint]]\nid = \"a\"\n\n\nurl = \"https://127.1/\"".to_owned(), 5, "url_private"),
        ("[[endpoint]]\nid = \"a\"\nurl = \"https://{country}/\"".to_owned(), 3, "macro_position"),
        (format!("{ENDPOINT}{ENDPOINT}"), 7, "rule_conflict"),
    ]);
}

#[test]
fn a_bad_rule_is_refused_with_line_and_code() {
    let rule = |lines: &str| with_rule(&format!("topic = \"installs\"\n{lines}"));
    let names = |prefix: &str| (0..101).map(|n| format!("\"{prefix}{n}\",")).collect::<String>();
    let product = format!("topic = \"events\"\napps = [{}]\nmedia_sources = [{}]", names("a"), names("m"));
    assert_refused([
        (with_rule("topic = \"activity\""), 8, "rule_invalid"),
        (rule("event_names = [\"x\"]"), 9, "rule_invalid"),
        (rule("apps = []"), 9, "rule_invalid"),
        (rule("apps = [\"a b\"]"), 9, "app_id_format"),
        (rule("media_sources = [\"a\\u0007\"]"), 9, "control_char"),
        (rule("from = \"yesterday\""), 9, "ts_format"),
        (rule("from = 2026-11-25T00:00:00"), 9, "ts_format"),
        (rule("from = 1"), 9, "ts_format"),
        (rule("\nwhen = { field = \"nothing\", eq = 1 }"), 10, "rule_invalid"),
        (rule("when = { field = \"country\", like = 1 }"), 9, "rule_invalid"),
        (with_rule(&product), 6, "filter_too_complex"),
        (format!("{}[[rule]]\nid = \"r\"\nendpoint = \"acme\"\ntopic = \"events\"", rule("")), 11, "rule_conflict"),
        ("[[rule]]\nid = \"r\"\nendpoint = \"nowhere\"\ntopic = \"events\"".to_owned(), 3, "rule_invalid"),
        ("[[rule]]\nid = \"r\"\ntopic = \"events\"".to_owned(), 1, "rule_invalid"),
        (rule(&format!("when = {}", "{ not = ".repeat(200))), 9, "filter_too_complex"),
    ]);
}

#[test]
fn plain_http_and_own_networks_need_leave() {
    let text = "[[endpoint]]\nid = \"a\"\nurl = \"http://127.0.0.1:9000/\"";
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    assert!(Rules::parse(text, &Guard::new(networks.clone(), PlainHttp::Allowed)).is_ok());
    assert_eq!(Rules::parse(text, &Guard::new(networks, PlainHttp::Refused)).unwrap_err().code, "url_scheme");
    assert_eq!(Rules::parse(text, &Guard::new(Vec::new(), PlainHttp::Allowed)).unwrap_err().code, "url_private");
}

/// Rules of many apps, sources and events, each for itself.
fn many(count: usize) -> Rules {
    let rules: String = (0..count)
        .map(|n| {
            format!(
                "[[rule]]\nid = \"r{n}\"\nendpoint = \"acme\"\ntopic = \"events\"\napps = [\"app{n}\"]\n\
                 media_sources = [\"source{n}\"]\nevent_names = [\"event{n}\"]\n"
            )
        })
        .collect();
    parse(&format!("{ENDPOINT}{rules}")).unwrap()
}

#[test]
fn an_event_examines_its_own_rules_however_many_others_there_are() {
    for count in [10, 1_000] {
        let rules = many(count);
        let subject = |app_id, media_source, event_name| Subject {
            topic: Topic::Events,
            app_id,
            event_name: Some(event_name),
            media_source,
        };
        let examined = |subject| rules.candidates(subject).map(|rule| rule.id.clone()).collect::<Vec<_>>();
        assert_eq!(examined(subject("app3", "source3", "event3")), ["r3"], "{count}");
        assert_eq!(examined(subject("app3", "source4", "event3")), [""; 0], "{count}");
        assert_eq!(examined(subject("other", "organic", "other")), [""; 0], "{count}");
    }
}

#[test]
fn a_rule_that_names_nothing_concerns_everything_of_its_topic() {
    let rules = parse(&format!(
        "{ENDPOINT}\
         [[rule]]\nid = \"all\"\nendpoint = \"acme\"\ntopic = \"events\"\n\
         [[rule]]\nid = \"app\"\nendpoint = \"acme\"\ntopic = \"events\"\napps = [\"a\", \"a\", \"b\"]\n\
         [[rule]]\nid = \"organic\"\nendpoint = \"acme\"\ntopic = \"events\"\nmedia_sources = [\"organic\"]\n\
         [[rule]]\nid = \"named\"\nendpoint = \"acme\"\ntopic = \"events\"\nevent_names = [\"buy\"]\n\
         [[rule]]\nid = \"installs\"\nendpoint = \"acme\"\ntopic = \"installs\"\n"
    ))
    .unwrap();
    for (topic, app_id, event_name, media_source, expected) in [
        (Topic::Events, "a", Some("buy"), "organic", vec!["all", "app", "named", "organic"]),
        (Topic::Events, "c", Some("buy"), "acme", vec!["all", "named"]),
        (Topic::Events, "b", None, "acme", vec!["all", "app"]),
        (Topic::Installs, "a", None, "organic", vec!["installs"]),
    ] {
        let subject = Subject { topic, app_id, event_name, media_source };
        let mut found: Vec<_> = rules.candidates(subject).map(|rule| rule.id.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}
