//! How one endpoint is reached: its own connections, its own concurrency, its own rate.

use std::num::NonZeroU32;
use std::sync::{Arc, Once};
use std::time::Duration;

use anyhow::{Context, Result};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, warn};

use crate::guard::{Guard, Resolver};
use crate::rules::{Endpoint, Rate};

const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const IDLE_FOR: Duration = Duration::from_secs(30);
const MOST_HEADER_BYTES: u32 = 16 * 1024;

pub(super) struct Line {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) client: Client,
    pub(super) guard: Arc<Guard>,
    permits: Arc<Semaphore>,
    limiter: DefaultDirectRateLimiter,
}

impl Line {
    pub(super) fn open(endpoint: Arc<Endpoint>, guard: Arc<Guard>) -> Result<Self> {
        Ok(Self {
            client: client(&endpoint, &guard)?,
            guard,
            permits: Arc::new(Semaphore::new(endpoint.concurrency)),
            limiter: RateLimiter::direct(quota(endpoint.rate)),
            endpoint,
        })
    }

    /// Leave for one request: a place among those at once.
    pub(super) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().ok()
    }

    /// Leave by the rate; it is used up by asking.
    pub(super) fn token(&self) -> bool {
        self.limiter.check().is_ok()
    }
}

/// A fifth of the rate may come at once, so that a rate is kept although due deliveries are looked for in ticks.
fn quota(rate: Rate) -> Quota {
    let burst = NonZeroU32::new(rate.requests.get().div_ceil(5)).unwrap_or(NonZeroU32::MIN);
    let interval = (rate.per / rate.requests.get()).max(Duration::from_nanos(1));
    Quota::with_period(interval).unwrap_or(Quota::per_second(rate.requests)).allow_burst(burst)
}

fn client(endpoint: &Endpoint, guard: &Arc<Guard>) -> Result<Client> {
    install_provider();
    match builder(endpoint, guard).build() {
        Ok(client) => Ok(client),
        // Without any, the system's verifier refuses to begin; plain http must work all the same.
        Err(error) => {
            warn!(endpoint = endpoint.id, %error, "no certificates of authorities found: https will be refused");
            builder(endpoint, guard).tls_certs_only([]).build().context("http client")
        }
    }
}

fn builder(endpoint: &Endpoint, guard: &Arc<Guard>) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("attributary/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Resolver::new(guard.clone()))
        .no_proxy()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_WITHIN)
        .pool_max_idle_per_host(endpoint.concurrency)
        .pool_idle_timeout(IDLE_FOR)
        .http2_max_header_list_size(MOST_HEADER_BYTES)
}

/// reqwest takes its cryptography from the process.
fn install_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            debug!("the process has a provider of cryptography already");
        }
    });
}
