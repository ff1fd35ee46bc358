use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;

/// Sends a request, and reads until the other side closes or `enough` bytes are there.
fn ask(receiver: &Receiver, path: &str, enough: usize) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", receiver.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "POST /{path}?a=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{{}}").unwrap();
    let mut answer = Vec::new();
    let mut chunk = [0; 4_096];
    while answer.len() < enough {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
        }
    }
    answer
}

fn text(answer: Vec<u8>) -> String {
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_script_is_answered_in_order_and_its_last_answer_stays() {
    let receiver = Receiver::start();
    assert!(text(ask(&receiver, "p", 12)).starts_with("HTTP/1.1 200"));
    let retry = Answer::With(429, "Retry-After", "120".to_owned());
    receiver.script("p", [Answer::Close, retry, Answer::Status(204)]);
    assert_eq!(ask(&receiver, "p", 1), b"");
    assert!(
        text(ask(&receiver, "p", 60)).contains("429 As The Test Says\r\nContent-Length: 0\r\nRetry-After: 120\r\n")
    );
    for _ in 0..2 {
        assert!(text(ask(&receiver, "p", 12)).starts_with("HTTP/1.1 204"));
    }
    let hits = receiver.hits("p");
    assert_eq!(hits.iter().map(|hit| hit.status).collect::<Vec<_>>(), [200, 0, 429, 204, 204]);
    assert_eq!((hits[0].query.as_str(), hits[0].headers["content-length"].as_str()), ("a=1", "2"));
}

#[test]
fn bad_answers_go_on_for_as_long_as_somebody_reads() {
    let receiver = Receiver::start();
    for (path, answer, says) in [
        ("huge", Answer::Huge(200), "Content-Length: 1073741824"),
        ("headers", Answer::EndlessHeaders, "X-More: "),
        ("bomb", Answer::GzipBomb(200), "Content-Encoding: gzip"),
        ("drip", Answer::Drip(500), "500 As"),
    ] {
        receiver.script(path, [answer]);
        let enough = if path == "drip" { 60 } else { 500_000 };
        let got = ask(&receiver, path, enough);
        assert!(got.len() >= enough && String::from_utf8_lossy(&got).contains(says), "{path}: {}", got.len());
    }
    assert!(receiver.sent("huge") > 400_000);
}
