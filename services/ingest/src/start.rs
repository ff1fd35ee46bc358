//! How the service is put together, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use event::topic;
use service::Service;
use stream::Producer;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Http};
use crate::doors::{Doors, router};
use crate::rate::Rates;
use crate::server;

/// What the end may take, in all less than the shell's grace of 30 s: a body and Kafka's answer, then the touches that
/// nobody waits for, then what is still queued.
const REQUESTS: Duration = Duration::from_secs(21);
const TOUCHES: Duration = Duration::from_secs(4);
const FLUSH: Duration = Duration::from_secs(4);

/// Opens everything that can be wrong, then the door.
pub fn start(service: &mut Service, config: Config) -> anyhow::Result<()> {
    let wrong = |error: anyhow::Error| service::bad_configuration(format!("{error:#}"));
    let addresses = config.open_addresses().map_err(wrong)?;
    let apps = config.open_apps().map_err(wrong)?;
    let listener = service.bind("http", config.http.listen)?;
    let producer = Producer::open(&config.kafka, "ingest")?;
    producer.check(&config.kafka, topic::ACTIVITY)?;

    let doors = Doors {
        producer,
        apps: apps.subscribe(),
        addresses,
        rates: Rates::new(config.ingest.requests_per_second),
        open: config.ingest.open,
        unknown_fields: config.ingest.unknown_fields,
        body_timeout: config.http.body_timeout,
        touches: TaskTracker::new(),
        not_stored: Arc::new(AtomicUsize::new(0)),
    };
    service.task("apps", |shutdown| apps.run(shutdown));
    service.task("doors", |shutdown| keep_open(listener, Arc::new(doors), config.http, shutdown));
    Ok(())
}

/// Serves until the shutdown, then waits for what is on its way to Kafka. What is not stored in the end is counted.
pub(crate) async fn keep_open(
    listener: TcpListener,
    doors: Arc<Doors>,
    http: Http,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    tracing::info!(address = %listener.local_addr()?, open = doors.open, "doors open");
    let connections = server::serve(listener, router(doors.clone()), &http, shutdown).await;
    let lost_before = doors.not_stored.load(Ordering::Relaxed);
    if timeout(REQUESTS, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests without an answer of ours");
    }
    doors.touches.close();
    if timeout(TOUCHES, doors.touches.wait()).await.is_err() {
        tracing::warn!(touches = doors.touches.len(), "touches without an answer of Kafka");
    }
    let producer = doors.producer.clone();
    let queued = tokio::task::spawn_blocking(move || producer.flush(FLUSH)).await.context("flushing")?;
    let unsent = queued + doors.not_stored.load(Ordering::Relaxed) - lost_before;
    if unsent > 0 {
        return Err(service::unsent(unsent));
    }
    Ok(())
}
