//! The doors over real sockets, with librdkafka's own mock broker behind them, or none.

mod http;
mod limits;
mod links;
mod outage;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use stream::Kafka;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::address::HashKey;
use crate::config::Http;
use crate::start::keep_open;

const APPS: &str = r#"
[[app]]
id = "com.example.game"
store_url = "https://play.google.com/store/apps/details?id=com.example.game"
keys = [
    { id = "sdk", sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", scopes = ["sdk"] },
]
[[app]]
id = "id123"
"#;

/// Whether Kafka is there.
#[derive(Clone, Copy, PartialEq)]
enum Broker {
    Mock,
    Gone,
}

/// Whether a key is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Access {
    Open,
    Keys,
}

struct Rig {
    address: SocketAddr,
    doors: Arc<Doors>,
    shutdown: CancellationToken,
    ended: JoinHandle<anyhow::Result<()>>,
}

impl Rig {
    async fn open(broker: Broker, access: Access) -> Self {
        Self::with(broker, access, Http::default()).await
    }

    async fn with(broker: Broker, access: Access, http: Http) -> Self {
        let options: &[(&str, &str)] = match broker {
            Broker::Mock => &[("test.mock.num.brokers", "1")],
            Broker::Gone => &[("message.timeout.ms", "1500")],
        };
        let options: BTreeMap<_, _> = options.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let kafka = Kafka { brokers: "127.0.0.1:1".into(), options, ..Kafka::default() };
        let apps = watch::Sender::new(Arc::new(Apps::parse(APPS).unwrap()));
        let doors = Arc::new(Doors {
            producer: Producer::open(&kafka, "ingest").unwrap(),
            apps: apps.subscribe(),
            addresses: Addresses { key: HashKey::PUBLIC, trusted_proxies: vec![], hosting_networks: vec![] },
            rates: Rates::new(0),
            open: access == Access::Open,
            unknown_fields: UnknownFields::Keep,
            body_timeout: http.body_timeout,
            touches: TaskTracker::new(),
            not_stored: Arc::new(AtomicUsize::new(0)),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let ended = tokio::spawn(keep_open(listener, doors.clone(), http, shutdown.clone()));
        Self { address, doors, shutdown, ended }
    }

    async fn post(&self, headers: &[&str], body: &[u8]) -> http::Answer {
        let mut head = format!("POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", body.len());
        let json = ["content-type: application/json"];
        let headers = if headers.iter().any(|header| header.starts_with("content-type")) {
            headers.to_vec()
        } else {
            [&json, headers].concat()
        };
        headers.iter().for_each(|header| head.push_str(&format!("{header}\r\n")));
        let request = [head.as_bytes(), b"connection: close\r\n\r\n", body].concat();
        http::exchange(self.address, &request).await
    }

    async fn get(&self, path: &str) -> http::Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        http::exchange(self.address, request.as_bytes()).await
    }
}

fn session(event_id: &str) -> String {
    format!(r#"{{"kind":"session","app_id":"com.example.game","event_id":"{event_id}"}}"#)
}

#[tokio::test]
async fn every_event_stored_is_a_200() {
    let rig = Rig::open(Broker::Mock, Access::Open).await;
    let body = format!("[{},{}]", session("e1"), session("e2").replace('}', r#","colour":"red"}"#));
    let answer = rig.post(&[], body.as_bytes()).await;
    assert_eq!((answer.status, &answer.json["stored"]), (200, &2.into()), "{answer:?}");
    let results = &answer.json["results"];
    assert_eq!(results[0], serde_json::json!({"index":0,"event_id":"e1","status":"stored"}));
    assert_eq!(results[1]["warnings"], serde_json::json!([{"code":"unknown_field","field":"colour"}]));
    assert_eq!(answer.json["request_id"].as_str(), answer.header("x-request-id"));
}

#[tokio::test]
async fn a_mixed_batch_is_a_207_and_one_without_a_valid_event_a_400() {
    let rig = Rig::open(Broker::Mock, Access::Open).await;
    let mixed = format!("{}\n{{\"kind\":\n{}", session("e1"), session("e1"));
    let answer = rig.post(&["content-type: application/x-ndjson"], mixed.as_bytes()).await;
    assert_eq!(answer.status, 207, "{answer:?}");
    let results = answer.json["results"].as_array().unwrap();
    let seen: Vec<_> = results.iter().map(|result| (&result["status"], &result["code"], &result["line"])).collect();
    let (stored, rejected, none) = ("stored".into(), "rejected".into(), serde_json::Value::Null);
    let (syntax, twice) = ("json_syntax".into(), "duplicate_in_request".into());
    assert_eq!(seen, [(&stored, &none, &1.into()), (&rejected, &syntax, &2.into()), (&rejected, &twice, &3.into())]);

    let answer = rig.post(&[], br#"[{"kind":"party"},null]"#).await;
    let error = &answer.json["error"];
    assert_eq!(
        (answer.status, &error["code"], &error["index"]),
        (400, &"kind_unknown".into(), &0.into()),
        "{answer:?}"
    );
    assert_eq!(error["docs"], "docs/errors.md#kind_unknown");
    assert_eq!(answer.json["results"][1]["code"], "type_object");

    let alone = rig.post(&[], br#"{"kind":"party"}"#).await;
    assert_eq!((alone.status, &alone.json["error"]["field"]), (422, &"kind".into()), "{alone:?}");
    assert!(alone.json.get("results").is_none());
}

#[tokio::test]
async fn rows_29_30_65_and_66_a_closed_door_asks_for_the_key_of_the_app() {
    let rig = Rig::open(Broker::Mock, Access::Keys).await;
    let game = session("e1");
    for (headers, app, status, code) in [
        (&["authorization: Bearer secret"][..], "com.example.game", 200, ""),
        (&[], "com.example.game", 401, "auth_missing"),
        (&["authorization: Bearer"], "com.example.game", 401, "auth_malformed"),
        (&["authorization: Bearer wrong"], "com.example.game", 401, "auth_unknown"),
        (&["authorization: Bearer secret"], "id123", 403, "app_forbidden"),
        (&["authorization: Bearer secret"], "com.example.other", 404, "app_unknown"),
        (&["authorization: Bearer secret"], "123", 404, "app_unknown"),
    ] {
        let answer = rig.post(headers, game.replace("com.example.game", app).as_bytes()).await;
        assert_eq!(answer.status, status, "{headers:?} {app} {answer:?}");
        assert_eq!(answer.json["error"]["code"].as_str().unwrap_or_default(), code);
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
    }
    let in_query =
        "POST /v1/events?api_key=secret HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let answer = http::exchange(rig.address, in_query.as_bytes()).await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (400, &"auth_in_query".into()));
}

#[tokio::test]
async fn row_48_another_path_or_method_is_said_in_json() {
    let rig = Rig::open(Broker::Gone, Access::Open).await;
    let answer = rig.get("/v2/events").await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (404, &"not_found".into()));
    let answer = rig.get("/v1/events").await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (405, &"method_not_allowed".into()));
    assert_eq!(answer.header("allow"), Some("POST"));
    let answer = rig.get("/v1/health").await;
    assert_eq!((answer.status, &answer.json["status"]), (200, &"ok".into()));
}
