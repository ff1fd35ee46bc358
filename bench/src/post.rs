//! Both ends of a POST without anything behind them: a client that sends ready-made bodies over many connections, and a
//! server that reads each and answers.

use std::cell::Cell;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use anyhow::{Context, ensure};
use clap::Args;
use event::topic;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, LocalSet};

use crate::activity::{Click, Seconds, source};
use crate::truth::Truth;

/// What the bench tells the client that it starts.
#[derive(Args)]
pub(crate) struct Client {
    #[arg(long)]
    to: SocketAddr,
    #[arg(long)]
    events: u64,
    /// Events in a POST.
    #[arg(long)]
    each: u64,
}

#[derive(Args)]
pub(crate) struct Server {
    #[arg(long)]
    port: u16,
}

/// What the client reached.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Posted {
    pub(crate) accepted: u64,
}

const CONNECTIONS: usize = 64;
/// Bodies that differ; they are sent in turn.
const BODIES: u64 = 1_000;
const ANSWER: &[u8] = br#"{"status":"read"}"#;

/// What so many events will be.
pub(crate) fn truth(events: u64) -> anyhow::Result<Truth> {
    ensure!(events.is_multiple_of(100), "EVENTS is to be a multiple of 100, the most in a POST");
    let mut truth = Truth::of(topic::ACTIVITY);
    (truth.records, truth.bytes) = (events, events * body(0, 1, &just_now()).len() as u64);
    Ok(truth)
}

/// Sends everything, says how much was accepted, and waits to be measured.
pub(crate) fn run(options: &Client) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let posts = options.events / options.each;
    ensure!(posts * options.each == options.events, "{} events are no whole POSTs", options.events);
    let second = just_now();
    let bodies: Rc<[Bytes]> = (0..BODIES.min(posts)).map(|number| body(number, options.each, &second)).collect();
    let left = Rc::new(Cell::new(posts));
    let accepted = LocalSet::new().block_on(&runtime, async {
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            connections.spawn_local(send(options.to, bodies.clone(), left.clone()));
        }
        let mut sum = 0;
        while let Some(sent) = connections.join_next().await {
            sum += sent??;
        }
        anyhow::Ok(sum)
    })?;
    println!("{}", serde_json::to_string(&Posted { accepted: accepted * options.each })?);
    std::io::stdout().flush()?;
    std::io::read_to_string(std::io::stdin())?;
    Ok(())
}

/// One connection, request after request.
async fn send(to: SocketAddr, bodies: Rc<[Bytes]>, left: Rc<Cell<u64>>) -> anyhow::Result<u64> {
    let stream = TcpStream::connect(to).await.context("connecting")?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::task::spawn_local(connection);
    let mut sent = 0;
    while let Some(number) = left.get().checked_sub(1) {
        left.set(number);
        let body = bodies[number as usize % bodies.len()].clone();
        post(&mut sender, to, body).await?;
        sent += 1;
    }
    drop(sender);
    connection.await??;
    Ok(sent)
}

async fn post(sender: &mut SendRequest<Full<Bytes>>, to: SocketAddr, body: Bytes) -> anyhow::Result<()> {
    let request = Request::post("/v1/events").header(HOST, to.to_string()).header(CONTENT_TYPE, "application/json");
    sender.ready().await?;
    let answer = sender.send_request(request.body(Full::new(body))?).await?;
    let status = answer.status();
    let text = answer.into_body().collect().await?.to_bytes();
    // 207 says that some were refused.
    ensure!(status == StatusCode::OK, "{status}: {}", String::from_utf8_lossy(&text));
    Ok(())
}

fn just_now() -> String {
    Seconds::ending_now().0.swap_remove(0).0
}

/// Clicks of this second: an object alone, or an array.
fn body(number: u64, each: u64, second: &str) -> Bytes {
    let clicks: Vec<String> =
        (0..each).map(|at| Click { device: number, number: at, source: source(number, at) }.sent(second)).collect();
    match &clicks[..] {
        [click] => click.clone().into(),
        clicks => format!("[{}]", clicks.join(",")).into(),
    }
}

/// Answers until it is killed.
pub(crate) fn serve(options: &Server) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    })
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    std::hint::black_box(request.into_body().collect().await?.to_bytes());
    Ok(Response::new(Full::new(Bytes::from_static(ANSWER))))
}
