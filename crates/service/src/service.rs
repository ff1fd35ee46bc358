//! What a service is made of: stages on threads of their own, tasks on the runtime, and a public door.

use std::future::{Future, IntoFuture};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use anyhow::{Context, Result, anyhow};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::exit::bad_configuration;
use crate::health::{Health, Running};

/// Handed to the start function of a service.
pub struct Service {
    pub(crate) name: &'static str,
    pub(crate) admin: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) health: Health,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Where whatever ends tells how; the first error stops the service.
    pub(crate) ended: mpsc::UnboundedSender<Result<()>>,
}

impl Service {
    /// Runs a loop on a thread of its own. It is handed its full name, such as `reports.installs`, and asks `running` at
    /// every turn. An error stops the service.
    pub fn stage(&mut self, stage: &str, body: impl FnOnce(&str, Running) -> Result<()> + Send + 'static) {
        let name = format!("{}.{stage}", self.name);
        let running = self.health.running(name.clone(), self.shutdown.clone());
        let ended = self.ended.clone();
        // The tracker waits for the thread through this task.
        self.tasks.spawn_blocking_on(
            move || {
                let thread = thread::Builder::new().name(name.clone()).spawn(move || body(&name, running));
                let outcome = thread.context("thread").and_then(|thread| match thread.join() {
                    Ok(outcome) => outcome,
                    Err(_) => Err(anyhow!("a stage panicked")),
                });
                tell(&ended, outcome);
            },
            &self.handle,
        );
    }

    /// Runs a future until it ends; an error stops the service. It must return soon after `shutdown` is cancelled.
    pub fn task<F>(&mut self, name: &'static str, body: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let future = body(self.shutdown.clone());
        let ended = self.ended.clone();
        self.tasks.spawn_on(async move { tell(&ended, future.await.context(name)) }, &self.handle);
    }

    /// Binds the public door now and serves the router until shutdown, draining requests in flight.
    pub fn http(&mut self, listen: SocketAddr, router: axum::Router) -> Result<()> {
        self.serve("http", listen, router)
    }

    /// Binds a listener; an address in use is an error that names the key to change.
    pub fn bind(&self, section: &str, listen: SocketAddr) -> Result<tokio::net::TcpListener> {
        let listener = TcpListener::bind(listen).map_err(|error| {
            let variable = section.to_ascii_uppercase();
            bad_configuration(format!(
                "cannot listen on {listen} ({section}.listen): {error}; \
                 free it, or choose another with ATTRIBUTARY__{variable}__LISTEN"
            ))
        })?;
        listener.set_nonblocking(true)?;
        let _runtime = self.handle.enter();
        Ok(tokio::net::TcpListener::from_std(listener)?)
    }

    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Tells replicas apart: host name and admin port.
    pub fn instance(&self) -> String {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "localhost".into());
        format!("{}-{}", host.trim(), self.admin.port())
    }

    pub(crate) fn serve(&mut self, section: &'static str, listen: SocketAddr, router: axum::Router) -> Result<()> {
        let listener = self.bind(section, listen)?;
        info!(section, address = %listener.local_addr()?, "listening");
        self.task(section, |shutdown| {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            let served = axum::serve(listener, service).with_graceful_shutdown(shutdown.cancelled_owned());
            async move { Ok(served.into_future().await?) }
        });
        Ok(())
    }
}

/// Nobody listens any more only when the process is ending anyway.
fn tell(ended: &mpsc::UnboundedSender<Result<()>>, outcome: Result<()>) {
    if ended.send(outcome).is_err() {
        info!("ended after the service");
    }
}
