//! HTTP/1.1 by hand: no library would send what a bad endpoint sends.

use std::collections::HashMap;
use std::io::Result;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::answer::BOMB;
use super::{Answer, Hit, Shared};

const GIGABYTE: usize = 1 << 30;

pub(super) async fn serve(listener: TcpListener, state: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        // Who hangs up early is the other side's business: the test looks at the hits.
        tokio::spawn(async move { connection(stream, &state).await.ok() });
    }
}

/// Answers one request after another until the other side hangs up, or the answer ends the connection.
async fn connection(stream: TcpStream, state: &Shared) -> Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(hit) = request(&mut stream).await? {
        let path = hit.path.clone();
        match state.note(hit) {
            Answer::Status(status) => write(&mut stream, &head(status, "Content-Length: 0")).await?,
            Answer::With(status, name, value) => {
                write(&mut stream, &head(status, &format!("Content-Length: 0\r\n{name}: {value}"))).await?;
            }
            Answer::Close => return Ok(()),
            bad => return badly(&mut stream, bad, (state, &path)).await,
        }
    }
    Ok(())
}

/// Answers that end only when the other side has had enough.
async fn badly(stream: &mut BufReader<TcpStream>, answer: Answer, (state, path): (&Shared, &str)) -> Result<()> {
    match answer {
        Answer::Drip(status) => {
            write(stream, &head(status, &format!("Content-Length: {GIGABYTE}"))).await?;
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                write(stream, "x").await?;
                state.add_sent(path, 1);
            }
        }
        Answer::Huge(status) => {
            write(stream, &head(status, &format!("Content-Length: {GIGABYTE}"))).await?;
            let chunk = [b'x'; 64 << 10];
            pour(stream, std::iter::repeat_n(&chunk[..], GIGABYTE / chunk.len()), (state, path)).await
        }
        Answer::GzipBomb(status) => {
            let bomb = &**BOMB;
            write(stream, &head(status, &format!("Content-Encoding: gzip\r\nContent-Length: {}", bomb.len()))).await?;
            pour(stream, bomb.chunks(64 << 10), (state, path)).await
        }
        Answer::EndlessHeaders => {
            write(stream, "HTTP/1.1 200 OK\r\n").await?;
            pour(stream, std::iter::repeat(&b"X-More: and more and more and more\r\n"[..]), (state, path)).await
        }
        // Waits for the other side to hang up.
        _ => stream.read_to_end(&mut Vec::new()).await.map(drop),
    }
}

async fn pour(
    stream: &mut BufReader<TcpStream>,
    chunks: impl Iterator<Item = &[u8]>,
    (state, path): (&Shared, &str),
) -> Result<()> {
    for chunk in chunks {
        stream.get_mut().write_all(chunk).await?;
        state.add_sent(path, chunk.len());
    }
    Ok(())
}

async fn write(stream: &mut BufReader<TcpStream>, text: &str) -> Result<()> {
    stream.get_mut().write_all(text.as_bytes()).await
}

fn head(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} As The Test Says\r\n{headers}\r\n\r\n")
}

/// Reads a request with its body; none where the connection ends between two.
#[expect(clippy::disallowed_methods, reason = "when a request arrives is what a test asks")]
async fn request(stream: &mut BufReader<TcpStream>) -> Result<Option<Hit>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).await?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let path = path.trim_start_matches('/').to_owned();
    Ok(Some(Hit { path, query: query.to_owned(), headers, status: 0, at: SystemTime::now() }))
}
