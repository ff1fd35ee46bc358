//! As much of an HTTP client as these tests need: bytes out, an answer back.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
    /// `null` when the body is not JSON.
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes[end + 4..].to_vec();
        let json = serde_json::from_slice(&body).unwrap_or_default();
        Self { status, head, body, json }
    }
}

/// Sends bytes, and reads until the other side closes.
pub(super) async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    Answer::parse(&read_to_close(&mut stream).await)
}

/// What comes until the other side closes, which it must do soon.
pub(super) async fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    bytes
}

/// One answer on a connection that stays open.
pub(super) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        let read = timeout(Duration::from_secs(20), stream.read_buf(&mut bytes)).await.unwrap().unwrap();
        assert!(read > 0, "closed before the answer was whole");
        if bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            let answer = Answer::parse(&bytes);
            let length: usize = answer.header("content-length").unwrap().parse().unwrap();
            if answer.body.len() == length {
                return answer;
            }
        }
    }
}
