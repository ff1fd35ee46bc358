//! The ad networks of the demo: one HTTP server that takes their postbacks and is sometimes not well.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;

/// What arrived at one network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrived {
    pub(crate) attempts: u64,
    /// Attempts that the network answered with an error.
    pub(crate) turned_away: u64,
    /// Deliveries that it took, and then got again.
    pub(crate) repeated: u64,
    taken: HashSet<String>,
}

/// Cheap to clone; all clones see the same networks.
#[derive(Clone)]
pub(crate) struct Receiver {
    networks: Arc<Mutex<BTreeMap<String, Arrived>>>,
    since: Instant,
}

impl Arrived {
    pub(crate) fn delivered(&self) -> u64 {
        self.taken.len() as u64
    }
}

impl Receiver {
    /// Listens until the runtime ends.
    pub(crate) async fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let receiver = Self { networks: Arc::default(), since: Instant::now() };
        let router = Router::new().route("/{network}", any(take)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind(address).await.context("opening the receiver of postbacks")?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(receiver)
    }

    pub(crate) fn arrived(&self) -> BTreeMap<String, Arrived> {
        self.lock().clone()
    }

    fn note(&self, network: &str, delivery: &str) -> StatusCode {
        let mut networks = self.lock();
        let arrived = networks.entry(network.to_owned()).or_default();
        arrived.attempts += 1;
        let answer = mood(network, self.since.elapsed(), arrived.attempts);
        if !answer.is_success() {
            arrived.turned_away += 1;
        } else if !arrived.taken.insert(delivery.to_owned()) {
            arrived.repeated += 1;
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arrived>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(State(receiver): State<Receiver>, Path(network): Path<String>, headers: HeaderMap) -> StatusCode {
    let delivery = headers.get("webhook-id").or_else(|| headers.get("idempotency-key"));
    let delivery = delivery.and_then(|id| id.to_str().ok()).unwrap_or_default();
    receiver.note(&network, delivery)
}

/// One network loses every tenth request, another is down for ten seconds of every minute.
fn mood(network: &str, uptime: Duration, attempt: u64) -> StatusCode {
    match network {
        "dune_network" if attempt.is_multiple_of(10) => StatusCode::SERVICE_UNAVAILABLE,
        "ember_video" if (20..30).contains(&(uptime.as_secs() % 60)) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_counts_each_delivery_once() {
        let receiver = Receiver { networks: Arc::default(), since: Instant::now() };
        for delivery in ["a", "b", "a"] {
            assert_eq!(receiver.note("acme_ads", delivery), StatusCode::OK);
        }
        for _ in 0..10 {
            receiver.note("dune_network", "c");
        }
        let arrived = receiver.arrived();
        let shown = |name: &str| {
            let network = &arrived[name];
            (network.attempts, network.delivered(), network.repeated, network.turned_away)
        };
        assert_eq!(shown("acme_ads"), (3, 2, 1, 0));
        assert_eq!(shown("dune_network"), (10, 1, 8, 1));
    }
}
