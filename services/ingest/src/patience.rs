//! How long a connection may keep us waiting, and for what.
//!
//! hyper's own header timeout runs from the end of the last answer on, so it cannot tell a client that trickles its
//! headers from one that waits to send its next request.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// The times a client gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// To the first byte, and from there to the end of the headers.
    pub(crate) headers: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
}

/// Where a connection stands; shared by its socket, its requests and its watch.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<Phase>>);

#[derive(Clone, Copy)]
enum Phase {
    /// Nothing has come yet, or the headers have begun.
    Headers {
        since: Instant,
    },
    /// A request is being answered: its body has a limit of its own.
    Serving,
    Idle {
        since: Instant,
    },
}

/// Ends the serving phase however the request ends.
pub(crate) struct Serving(Progress);

/// How late an end may come.
const RESOLUTION: Duration = Duration::from_secs(1);

impl Progress {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Phase::Headers { since: Instant::now() })))
    }

    pub(crate) fn serve(&self) -> Serving {
        *self.phase() = Phase::Serving;
        Serving(self.clone())
    }

    /// Returns when the client has used up its time.
    pub(crate) async fn out_of(self, patience: Patience) {
        loop {
            let now = Instant::now();
            let end = match *self.phase() {
                Phase::Headers { since } => since + patience.headers,
                Phase::Idle { since } => since + patience.idle,
                Phase::Serving => now + RESOLUTION,
            };
            if end <= now {
                return;
            }
            tokio::time::sleep_until(end.min(now + RESOLUTION)).await;
        }
    }

    fn bytes_came(&self) {
        let mut phase = self.phase();
        if matches!(*phase, Phase::Idle { .. }) {
            *phase = Phase::Headers { since: Instant::now() };
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        *self.0.phase() = Phase::Idle { since: Instant::now() };
    }
}

/// A socket that tells when bytes come.
pub(crate) struct Watched {
    pub(crate) stream: TcpStream,
    pub(crate) progress: Progress,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.progress.bytes_came();
        }
        poll
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
