//! What costs a bounded amount, whoever sends it.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::http::{exchange, read_answer, read_to_close};
use super::{Access, Broker, Rig, session};
use crate::config::Http;

const POST: &str = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn rows_1_49_50_and_52_what_a_body_says_of_itself() {
    let rig = Rig::open(Broker::Mock, Access::Open).await;
    let event = session("e1");
    let (zipped, bomb) = (gzip(event.as_bytes()), gzip(&vec![b' '; 1 << 20]));
    for (headers, body, status, code) in [
        (&[][..], event.as_bytes(), 200, ""),
        (&["content-encoding: gzip"], &zipped, 200, ""),
        (&[], b"", 400, "body_empty"),
        (&["content-type: text/plain"], event.as_bytes(), 415, "media_type"),
        (&["content-encoding: br"], event.as_bytes(), 415, "encoding_unsupported"),
        (&["content-encoding: gzip"], event.as_bytes(), 400, "gzip_corrupt"),
        (&["content-encoding: gzip"], &bomb, 413, "inflate_limit"),
    ] {
        let answer = rig.post(headers, body).await;
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
        assert_eq!(answer.json["error"]["code"].as_str().unwrap_or_default(), code);
    }
}

#[tokio::test]
async fn row_56_an_oversized_body_is_refused_before_it_is_sent() {
    let rig = Rig::open(Broker::Mock, Access::Open).await;
    let request = format!("{POST}expect: 100-continue\r\ncontent-length: 1048577\r\n\r\n");
    let answer = exchange(rig.address, request.as_bytes()).await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (413, &"body_too_large".into()), "{answer:?}");
    let within = format!("{POST}expect: 100-continue\r\ncontent-length: {}\r\n\r\n", session("e1").len());
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    stream.write_all(within.as_bytes()).await.unwrap();
    let mut go = [0; 25];
    stream.read_exact(&mut go).await.unwrap();
    assert_eq!(&go, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(session("e1").as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 200);
}

#[tokio::test]
async fn row_54_a_chunked_body_is_counted_as_it_comes() {
    let rig = Rig::open(Broker::Mock, Access::Open).await;
    let event = session("e1");
    let chunked =
        |chunks: &str| format!("{POST}connection: close\r\ntransfer-encoding: chunked\r\n\r\n{chunks}").into_bytes();
    let whole = exchange(rig.address, &chunked(&format!("{:x}\r\n{event}\r\n0\r\n\r\n", event.len()))).await;
    assert_eq!(whole.status, 200, "{whole:?}");
    let bad_size = exchange(rig.address, &chunked("zz\r\n")).await;
    assert_eq!((bad_size.status, &bad_size.json["error"]["code"]), (400, &"body_incomplete".into()), "{bad_size:?}");
    let overflow = exchange(rig.address, &chunked("fffffffffffffffff\r\n")).await;
    assert_eq!(overflow.status, 400, "{overflow:?}");

    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let block = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    stream.write_all(&chunked(&block.repeat(16))).await.unwrap();
    stream.write_all(b"1\r\nx\r\n").await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (413, &"body_too_large".into()), "{answer:?}");
}

#[tokio::test]
async fn rows_53_57_and_59_malformed_requests_are_refused_and_the_connection_closed() {
    let rig = Rig::open(Broker::Mock, Access::Open).await;
    let many: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(17_000));
    for (row, head, status) in [
        (53, "content-length: 5\r\ncontent-length: 6\r\n", 400),
        (53, "content-length: x\r\n", 400),
        (53, "content-length: -1\r\n", 400),
        (53, "transfer-encoding: identity\r\n", 400),
        (57, many.as_str(), 431),
        (57, long.as_str(), 431),
        (57, "x: a\0b\r\n", 400),
        (57, "x: 1\r\n folded\r\n", 400),
        (57, "x y: 1\r\n", 400),
    ] {
        let answer = exchange(rig.address, format!("{POST}{head}connection: close\r\n\r\n").as_bytes()).await;
        assert_eq!(answer.status, status, "row {row}: {head:.40} {answer:?}");
    }
    for (row, request, status) in [
        (58, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (59, "GET /v1/health HTTP/1.0\r\n\r\n", 200),
        (59, "GET http://x/v1/health HTTP/1.1\r\nconnection: close\r\n\r\n", 200),
        (59, "GET /v1/health HTTP/3\r\n\r\n", 400),
        (59, "nonsense\r\n\r\n", 400),
    ] {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_to_close(&mut stream).await;
        let text = String::from_utf8_lossy(&answer);
        // A connection that is closed without a word has refused it too.
        let closed = text.is_empty() && status == 400;
        let answered = text.starts_with("HTTP/1.") && text.contains(&format!(" {status} "));
        assert!(closed || answered, "row {row}: {request:?} {text}");
    }
}

#[tokio::test]
async fn row_53_of_two_lengths_the_chunks_count_and_nothing_can_follow() {
    let rig = Rig::open(Broker::Mock, Access::Open).await;
    let event = session("e1");
    let smuggled = "GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n";
    for lengths in
        ["content-length: 4\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 4"]
    {
        let request = format!("{POST}{lengths}\r\n\r\n{:x}\r\n{event}\r\n0\r\n\r\n{smuggled}", event.len());
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let answers = String::from_utf8(read_to_close(&mut stream).await).unwrap();
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        assert!(answers.starts_with("HTTP/1.1 200 "), "{answers}");
    }
}

#[tokio::test]
async fn row_55_slow_and_silent_clients_are_cut_off() {
    let (header_timeout, idle_timeout) = (Duration::from_millis(300), Duration::from_millis(900));
    let http = Http { header_timeout, idle_timeout, body_timeout: Duration::from_millis(300), ..Http::default() };
    let rig = Rig::with(Broker::Mock, Access::Open, http).await;
    let start = Instant::now();

    let mut silent = TcpStream::connect(rig.address).await.unwrap();
    assert_eq!(read_to_close(&mut silent).await, b"");
    let mut half_a_head = TcpStream::connect(rig.address).await.unwrap();
    half_a_head.write_all(b"POST /v1/ev").await.unwrap();
    assert_eq!(read_to_close(&mut half_a_head).await, b"");
    let answer = exchange(rig.address, format!("{POST}content-length: 100\r\n\r\n{{").as_bytes()).await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (408, &"body_timeout".into()), "{answer:?}");
    assert!(start.elapsed() >= 3 * header_timeout);

    let mut idle = TcpStream::connect(rig.address).await.unwrap();
    idle.write_all(b"GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(read_answer(&mut idle).await.status, 200);
    let start = Instant::now();
    assert_eq!(read_to_close(&mut idle).await, b"");
    assert!(start.elapsed() >= idle_timeout - Duration::from_millis(100), "closed early: {:?}", start.elapsed());
}

#[tokio::test]
async fn connections_over_the_cap_wait_for_their_turn() {
    let http = Http { max_connections: 1, ..Http::default() };
    let rig = Rig::with(Broker::Mock, Access::Open, http).await;
    let mut first = TcpStream::connect(rig.address).await.unwrap();
    first.write_all(b"GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(read_answer(&mut first).await.status, 200);
    let mut second = TcpStream::connect(rig.address).await.unwrap();
    second.write_all(b"GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    assert!(
        timeout(Duration::from_millis(300), second.read(&mut byte)).await.is_err(),
        "the second was not served yet"
    );
    drop(first);
    assert_eq!(read_answer(&mut second).await.status, 200);
}
