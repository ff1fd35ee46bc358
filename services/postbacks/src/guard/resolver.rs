//! The resolver of the HTTP client: of the addresses that a name has, those that a request may go to.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::Guard;

/// Resolves names for one endpoint. The system's resolver blocks a thread for as long as it likes, longer than the
/// request waits: at most two at once, so that a dead name server of one endpoint cannot take the threads of all.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    guard: Arc<Guard>,
    lookups: Arc<Semaphore>,
}

impl Resolver {
    pub(crate) fn new(guard: Arc<Guard>) -> Self {
        Self { guard, lookups: Arc::new(Semaphore::new(2)) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { guard, lookups } = self.clone();
        Box::pin(async move {
            let permit = lookups.acquire_owned().await?;
            let found = tokio::task::spawn_blocking(move || {
                let found = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>);
                drop(permit); // here and not with the request: the thread is busy until now
                found
            })
            .await??;
            let mut allowed = Vec::with_capacity(found.len());
            let mut blocked = None;
            for address in found {
                match guard.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(reason) => blocked = Some(reason),
                }
            }
            match blocked {
                Some(reason) if allowed.is_empty() => Err(reason.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
