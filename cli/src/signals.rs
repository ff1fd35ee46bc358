//! Ctrl-C, SIGTERM and a closed terminal end a command in good order.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

const INTERRUPTED: i32 = 130;

/// A token that the first signal cancels; the second ends the process at once.
pub(crate) fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let signals = Signals::listen()?;
    let hurry = signals.hurry;
    tokio::spawn(async move {
        hurry.cancelled().await;
        std::process::exit(INTERRUPTED);
    });
    Ok(signals.stop)
}

/// What signals ask of a command that has something to clean up.
#[derive(Clone)]
pub(crate) struct Signals {
    /// The first signal: end.
    pub(crate) stop: CancellationToken,
    /// The second one: end now.
    pub(crate) hurry: CancellationToken,
}

impl Signals {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(listen);
        let mut all = [interrupt?, terminate?, hangup?];
        let signals = Self { stop: CancellationToken::new(), hurry: CancellationToken::new() };
        let told = signals.clone();
        tokio::spawn(async move {
            for token in [&told.stop, &told.hurry] {
                any(&mut all).await;
                token.cancel();
            }
        });
        Ok(signals)
    }
}

async fn any([one, other, third]: &mut [Signal; 3]) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
        _ = third.recv() => {}
    }
}
