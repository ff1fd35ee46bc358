//! A TCP proxy that can be told to misbehave, between a client and a server on loopback.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::process::free_port;

/// Listens on a port of its own, forwards to a server, and stops when it is dropped.
pub struct Proxy {
    pub port: u16,
    mode: watch::Sender<Mode>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// What the proxy does to every connection, old and new, from the moment it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Each byte arrives this much later, in both directions; any number may be on their way.
    Latency(Duration),
    /// Connections are taken and nothing is forwarded. What was held arrives when the mode changes.
    Hang,
    /// As `Hang`, in one direction only.
    HangOneWay(Way),
    /// Connections are taken, and reset at once (RST).
    Reset,
    /// As if no server were there: old connections are reset, new ones refused.
    Refuse,
    /// At most so many bytes in one segment.
    Slice(usize),
    /// Bytes per second, for each connection and direction.
    Bandwidth(u64),
    /// Instead of the server's next answer, the client is told that it has finished (FIN); what it sends still goes through.
    HalfClose,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// What one read brings at most, and how many such pieces may be on their way: what a slow connection holds in memory.
const PIECE: usize = 16 << 10;
const PIECES: usize = 64;

impl Proxy {
    /// Forwards to `server`, which need not listen yet.
    pub fn start(server: u16) -> Self {
        Self::start_at(free_port(), server)
    }

    /// The same on a port that its clients know already.
    pub fn start_at(port: u16, server: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).unwrap();
        let (mode, modes) = watch::channel(Mode::Pass);
        runtime.spawn(accept(listener, port, server, modes));
        Self { port, mode, runtime: Some(runtime) }
    }

    /// From now on, it does this.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, port: u16, server: u16, mut modes: watch::Receiver<Mode>) {
    let mut listener = Some(listener);
    loop {
        if *modes.borrow_and_update() == Mode::Refuse {
            listener = None;
            if modes.changed().await.is_err() {
                return;
            }
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => TcpListener::bind(("127.0.0.1", port)).await.unwrap(),
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    tokio::spawn(serve(client, server, modes.clone()));
                }
            }
            changed = modes.changed() => if changed.is_err() { return },
        }
        listener = Some(open);
    }
}

async fn serve(mut client: TcpStream, server: u16, modes: watch::Receiver<Mode>) {
    let Ok(mut upstream) = TcpStream::connect(("127.0.0.1", server)).await else { return reset(&client) };
    let mut cut = modes.clone();
    let is_cut = tokio::select! {
        () = forward(&mut client, &mut upstream, modes) => false,
        _ = cut.wait_for(|mode| matches!(mode, Mode::Reset | Mode::Refuse)) => true,
    };
    if is_cut {
        reset(&client);
        reset(&upstream);
    }
}

/// Makes the end of the connection a reset.
fn reset(connection: &TcpStream) {
    connection.set_zero_linger().unwrap();
}

async fn forward(client: &mut TcpStream, server: &mut TcpStream, modes: watch::Receiver<Mode>) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::join!(
        pump(from_client, to_server, Way::ToServer, modes.clone()),
        pump(from_server, to_client, Way::ToClient, modes),
    );
}

/// Reads ahead of what is written, so that a delay does not become a limit of throughput.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, way: Way, mut modes: watch::Receiver<Mode>) {
    let (sender, mut pieces) = mpsc::channel(PIECES);
    let read = async move {
        let mut buffer = vec![0; PIECE];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if sender.send((Instant::now(), buffer[..length].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async {
        while let Some((read_at, piece)) = pieces.recv().await {
            if write(&mut to, (read_at, &piece), way, &mut modes).await.is_err() {
                return;
            }
        }
        // The end travels as the bytes do: a hanging peer does not say goodbye either.
        hold(way, &mut modes).await;
        to.shutdown().await.unwrap_or_default();
    };
    tokio::join!(read, write);
}

/// Writes a piece in the way that the mode demands; the mode may change in the middle of it.
async fn write(
    to: &mut WriteHalf<'_>,
    (read_at, mut piece): (Instant, &[u8]),
    way: Way,
    modes: &mut watch::Receiver<Mode>,
) -> io::Result<()> {
    while !piece.is_empty() {
        let mode = hold(way, modes).await;
        let (now, rest) = match mode {
            Mode::Slice(most) => piece.split_at(most.clamp(1, piece.len())),
            // A tenth of a second's worth, so that a change of the mode is noticed.
            Mode::Bandwidth(rate) => {
                piece.split_at(usize::try_from(rate / 10).unwrap_or(usize::MAX).clamp(1, piece.len()))
            }
            _ => (piece, &[][..]),
        };
        match mode {
            Mode::Latency(delay) => sleep_until(read_at + delay).await,
            Mode::Slice(_) => sleep(Duration::from_millis(1)).await, // else the kernel joins the segments again
            Mode::Bandwidth(rate) => sleep(Duration::from_secs_f64(now.len() as f64 / rate as f64)).await,
            _ => {}
        }
        if mode == Mode::HalfClose && way == Way::ToClient {
            to.shutdown().await?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        to.write_all(now).await?;
        piece = rest;
    }
    Ok(())
}

/// Waits while the mode lets nothing through, and returns the one that does.
async fn hold(way: Way, modes: &mut watch::Receiver<Mode>) -> Mode {
    loop {
        let mode = *modes.borrow_and_update();
        if mode != Mode::Hang && mode != Mode::HangOneWay(way) {
            return mode;
        }
        if modes.changed().await.is_err() {
            return mode;
        }
    }
}

#[cfg(test)]
mod tests;
