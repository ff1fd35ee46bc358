//! What is said and done when Kafka does not answer.

use std::time::{Duration, Instant};

use stream::Outgoing;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::{exchange, read_answer};
use super::{Access, Broker, Rig, session};

#[tokio::test]
async fn nothing_is_acknowledged_that_kafka_has_not() {
    let rig = Rig::open(Broker::Gone, Access::Open).await;
    let batch = format!("[{{\"kind\":\"party\"}},{}]", session("e1"));
    let answer = rig.post(&[], batch.as_bytes()).await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (503, &"unknown".into()), "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.json["results"][0]["code"], "kind_unknown");
    assert_eq!(answer.json["results"][1]["status"], "unknown");
    let alone = rig.post(&[], br#"{"kind":"session","app_id":"com.example.game"}"#).await;
    assert_eq!((alone.status, &alone.json["error"]["code"]), (503, &"unknown".into()), "{alone:?}");
    assert!(alone.json["results"][0]["event_id"].is_string(), "the id to send it again with");
}

#[tokio::test]
async fn a_click_goes_on_after_100_ms_and_stays_queued() {
    let rig = Rig::open(Broker::Gone, Access::Keys).await;
    let start = Instant::now();
    let answer = rig.get("/v1/click/com.example.game?pid=adnet").await;
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(rig.doors.touches.len(), 1, "the sending goes on without the browser");
}

#[tokio::test]
async fn a_full_queue_is_a_503_before_the_body_is_read() {
    let rig = Rig::open(Broker::Gone, Access::Open).await;
    let records = vec![Outgoing::to("activity", vec![b' '; 60_000]); 950];
    let producer = rig.doors.producer.clone();
    let filling = tokio::spawn(async move { producer.send(records).await });
    while rig.doors.producer.has_room() {
        tokio::task::yield_now().await;
    }
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n";
    let answer = exchange(rig.address, head.as_bytes()).await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (503, &"overloaded".into()), "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(rig.get("/v1/health").await.status, 503);
    filling.abort();
}

#[tokio::test]
async fn a_stop_counts_what_is_unsent() {
    let rig = Rig::open(Broker::Gone, Access::Keys).await;
    assert_eq!(rig.get("/v1/click/com.example.game?pid=adnet").await.status, 302);
    rig.shutdown.cancel();
    let error = rig.ended.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), service::unsent(1).to_string());
}

#[tokio::test]
async fn a_stop_waits_for_the_request_in_flight_and_loses_nothing() {
    let rig = Rig::open(Broker::Mock, Access::Open).await;
    let event = session("e1");
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n";
    stream.write_all(format!("{head}content-length: {}\r\n\r\n", event.len()).as_bytes()).await.unwrap();
    let mut go = [0; 25];
    stream.read_exact(&mut go).await.unwrap();
    rig.shutdown.cancel();
    stream.write_all(event.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 200);
    rig.ended.await.unwrap().unwrap();
    assert!(TcpStream::connect(rig.address).await.is_err());
}
