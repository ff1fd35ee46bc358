//! The accept loop: HTTP/1.1 with a cap on connections and a limit on every wait.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::config::Http;
use crate::patience::{Patience, Progress, Watched};

/// The request line and headers, and as much of the body as comes with them.
const BUFFER_BYTES: usize = 128 * 1024;
/// How long to wait when the process has no file descriptor left for another connection.
const NO_DESCRIPTOR: Duration = Duration::from_millis(50);

/// Serves until `shutdown`; gives back the connections that still have a request in flight, and take no further one.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    http: &Http,
    shutdown: CancellationToken,
) -> TaskTracker {
    let patience = Patience { headers: http.header_timeout, idle: http.idle_timeout };
    let permits = Arc::new(Semaphore::new(http.max_connections));
    let connections = TaskTracker::new();
    while let Some(Some((stream, peer, permit))) = shutdown.run_until_cancelled(accept(&listener, &permits)).await {
        let connection = Connection { stream, peer, patience, router: router.clone(), _permit: permit };
        connections.spawn(connection.serve(shutdown.clone()));
    }
    connections.close();
    connections
}

/// The next connection, once there is room for one; nothing when the room is gone for good.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, permit)),
            Err(error) => {
                metrics::counter!("ingest_accept_errors_total").increment(1);
                tracing::debug!(%error, "accept");
                tokio::time::sleep(NO_DESCRIPTOR).await;
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    patience: Patience,
    router: Router,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, shutdown: CancellationToken) {
        let Self { stream, peer, patience, router, _permit } = self;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "set_nodelay");
        }
        let progress = Progress::new();
        let seen = progress.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let serving = seen.serve();
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = router.clone().oneshot(request.map(Body::new));
            async move {
                let answer = answer.await;
                drop(serving);
                answer
            }
        });
        let io = TokioIo::new(Watched { stream, progress: progress.clone() });
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER_BYTES).header_read_timeout(None);
        let mut connection = pin!(builder.serve_connection(io, service));
        let mut out_of_patience = pin!(progress.out_of(patience));
        let mut closing = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "connection");
                    }
                    return;
                }
                () = out_of_patience.as_mut() => {
                    metrics::counter!("ingest_connections_timed_out_total").increment(1);
                    return;
                }
                () = shutdown.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}
