use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::any;
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::guard::{Guard, PlainHttp};
use crate::rules::Rules;

const EVENT: &str = r#"{"event_id":"e1","app_id":"com.example.game","event_time":"2026-11-22T10:00:00Z",
    "attribution":{"media_source":"acme","click_id":"c 1&x=y"}}"#;
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

type Received = Arc<Mutex<Vec<(Method, Uri, HeaderMap, Bytes)>>>;

fn local() -> Arc<Guard> {
    Arc::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()], PlainHttp::Allowed))
}

fn line(guard: Arc<Guard>, url: &str, more: &str) -> Line {
    let text = format!("[[endpoint]]\nid = \"acme\"\nurl = \"{url}\"\n{more}");
    let rules = Rules::parse(&text, &local()).unwrap();
    Line::open(rules.endpoint("acme").unwrap().clone(), guard).unwrap()
}

async fn deliver_by(line: &Line, signer: Option<&Signer>) -> Tried {
    let event: &RawValue = serde_json::from_str(EVENT).unwrap();
    let delivery =
        Delivery { rule: Cow::Borrowed("r"), src: Cow::Borrowed("installs/3/42"), event, ..Delivery::default() };
    attempt(line, signer, &Parcel { delivery_id: "d1", attempt: 2, delivery: &delivery }).await
}

async fn deliver(url: &str, more: &str) -> Tried {
    deliver_by(&line(local(), url, more), None).await
}

/// A receiver that lives as long as the test's runtime.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// A peer that answers every connection with these bytes and then does what `then` says.
async fn answer_raw(bytes: &'static [u8], then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _read = peer.read(&mut request).await;
                let mut written = peer.write_all(bytes).await;
                while then != Then::Close && written.is_ok() {
                    match then {
                        Then::Drip => tokio::time::sleep(Duration::from_millis(50)).await,
                        Then::Hang => std::future::pending().await,
                        Then::Flood | Then::Close => {}
                    }
                    written = peer.write_all(b"x").await;
                }
            });
        }
    });
    address
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Close,
    Hang,
    Drip,
    Flood,
}

fn recorder() -> (Received, Router) {
    let received = Received::default();
    let record = |State(received): State<Received>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        received.lock().unwrap().push((method, uri, headers, body));
        "thanks"
    };
    (received.clone(), Router::new().fallback(any(record)).with_state(received))
}

#[tokio::test]
async fn a_delivery_arrives_as_its_template_says() {
    let (received, router) = recorder();
    let address = serve(router).await;
    let tried =
        deliver(&format!("http://{address}/in/{{media_source}}?click={{click_id}}&n={{attempt}}&token=t"), "").await;
    assert_eq!((tried.verdict, tried.status), (Verdict::Delivered, Some(200)));
    assert_eq!(tried.answer.as_deref(), Some("thanks"));
    assert_eq!(tried.url, format!("http://{address}/in/acme?click=c%201%26x%3Dy&n=2&token=***"));
    let received = received.lock().unwrap();
    let (method, uri, headers, _) = &received[0];
    assert_eq!((method.as_str(), uri.to_string().as_str()), ("GET", "/in/acme?click=c%201%26x%3Dy&n=2&token=t"));
    for (name, expected) in [("webhook-id", "d1"), ("idempotency-key", "d1"), ("attributary-sequence", "installs/3/42")]
    {
        assert_eq!(headers[name], expected);
    }
    assert!(!headers.contains_key("webhook-signature") && !headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn a_signed_post_is_what_a_standard_verifier_accepts() {
    let (received, router) = recorder();
    let address = serve(router).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    let signer = Signer::open(&path).unwrap();
    let line = line(local(), &format!("http://{address}/"), "body = '{\"id\":{event_id}}'");
    assert_eq!(deliver_by(&line, Some(&signer)).await.verdict, Verdict::Delivered);
    let received = received.lock().unwrap();
    let (method, _, headers, body) = &received[0];
    assert_eq!(
        (method.as_str(), &body[..], &headers["content-type"]),
        ("POST", &br#"{"id":"e1"}"#[..], &"application/json".parse().unwrap())
    );
    standardwebhooks::Webhook::new(SECRET).unwrap().verify(body, headers).unwrap();
}

#[tokio::test]
async fn the_status_decides_and_retry_after_is_read() {
    let answer = |uri: Uri| async move {
        let status: u16 = uri.path().trim_start_matches('/').parse().unwrap();
        (StatusCode::from_u16(status).unwrap(), [(header::RETRY_AFTER, "120")], "body")
    };
    let address = serve(Router::new().fallback(any(answer))).await;
    for (status, expected) in [
        (204, Verdict::Delivered),
        (301, Verdict::Failed(Class::Http3xx)),
        (404, Verdict::Failed(Class::Http4xx)),
        (410, Verdict::Gone),
        (429, Verdict::Retry(Class::Http4xx)),
        (503, Verdict::Retry(Class::Http5xx)),
    ] {
        let tried = deliver(&format!("http://{address}/{status}"), "").await;
        assert_eq!((tried.verdict, tried.status), (expected, Some(status)));
        assert_eq!(tried.asked, Some(Duration::from_secs(120)));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (received, router) = recorder();
    let inside = serve(router).await;
    let address = serve(
        Router::new()
            .fallback(any(move || async move { Redirect::temporary(&format!("http://{inside}/")).into_response() })),
    )
    .await;
    assert_eq!(deliver(&format!("http://{address}/"), "").await.verdict, Verdict::Failed(Class::Http3xx));
    assert_eq!(received.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn an_endpoint_that_takes_its_time_is_cut_at_the_timeout() {
    const TIMEOUT: &str = "timeout = \"300ms\"";
    for (answer, then, expected) in [
        (&b""[..], Then::Hang, Verdict::Retry(Class::Timeout)),
        (b"HTTP/1.1 200 OK\r\n", Then::Hang, Verdict::Retry(Class::Timeout)),
        (b"HTTP/1.1 200 OK\r\nx: ", Then::Drip, Verdict::Retry(Class::Timeout)),
        (b"HTTP/1.1 500 No\r\ncontent-length: 100000\r\n\r\n", Then::Drip, Verdict::Retry(Class::Http5xx)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", Then::Drip, Verdict::Delivered),
    ] {
        let address = answer_raw(answer, then).await;
        let tried = deliver(&format!("http://{address}/"), TIMEOUT).await;
        assert_eq!(tried.verdict, expected);
        assert!(tried.latency < Duration::from_millis(1_500), "{:?}", tried.latency);
    }
}

#[tokio::test]
async fn an_endless_answer_is_read_up_to_its_limit() {
    let address = answer_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n", Then::Flood).await;
    let tried = deliver(&format!("http://{address}/"), "timeout = \"30s\"").await;
    assert_eq!(tried.verdict, Verdict::Delivered);
    assert_eq!(tried.answer.unwrap().len(), MOST_KEPT);
    assert!(tried.latency < Duration::from_secs(10));

    let address = answer_raw(b"HTTP/1.1 200 OK\r\nx: ", Then::Flood).await;
    let tried = deliver(&format!("http://{address}/"), "timeout = \"30s\"").await;
    assert_eq!(tried.verdict, Verdict::Retry(Class::ConnectReset));
}

#[tokio::test]
async fn a_compressed_answer_is_not_inflated() {
    let answer = || async { ([(header::CONTENT_ENCODING, "gzip")], Body::from("not gzip at all")) };
    let address = serve(Router::new().fallback(any(answer))).await;
    let tried = deliver(&format!("http://{address}/"), "").await;
    assert_eq!((tried.verdict, tried.answer.as_deref()), (Verdict::Delivered, Some("not gzip at all")));
}

#[tokio::test]
async fn every_way_not_to_connect_has_its_class() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let dropped = answer_raw(b"", Then::Close).await;
    let plain = answer_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n", Then::Close).await;
    for (url, expected) in [
        (format!("http://{closed}/"), Class::ConnectRefused),
        (format!("http://{dropped}/"), Class::ConnectReset),
        (format!("https://{plain}/"), Class::Tls),
        ("https://no-such-host.invalid/".to_owned(), Class::Dns),
    ] {
        let tried = deliver(&url, "timeout = \"20s\"").await;
        assert_eq!((tried.verdict, tried.status), (Verdict::Retry(expected), None), "{url}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_never_dialled() {
    let (received, router) = recorder();
    let port = serve(router).await.port();
    let strict = Arc::new(Guard::new(Vec::new(), PlainHttp::Allowed));
    for host in ["127.0.0.1", "localhost"] {
        let line = line(strict.clone(), &format!("http://{host}:{port}/"), "");
        assert_eq!(deliver_by(&line, None).await.verdict, Verdict::Retry(Class::SsrfBlocked), "{host}");
    }
    assert_eq!(received.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_value_that_the_template_cannot_carry_fails_for_good() {
    let tried = deliver("http://127.0.0.1:8000/{media_source|unix}", "").await;
    assert_eq!(tried.verdict, Verdict::Failed(Class::Template));
}
