//! How a process ends: every code is a promise (see `docs/operating.md`).

use std::process::ExitCode;

use tracing::error;

pub(crate) const FAILED: u8 = 1;
const UNSENT: u8 = 75;
pub(crate) const BAD_CONFIGURATION: u8 = 78;

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Stop {
    code: u8,
    message: String,
}

/// The configuration, or what it points at, is wrong (exit 78).
pub fn bad_configuration(message: impl Into<String>) -> anyhow::Error {
    Stop { code: BAD_CONFIGURATION, message: message.into() }.into()
}

/// The process stops with work unsent (exit 75).
pub fn unsent(count: usize) -> anyhow::Error {
    Stop { code: UNSENT, message: format!("stopped with {count} records unsent") }.into()
}

/// Says why the process ends, in one line, and gives the code for it.
pub(crate) fn report(error: &anyhow::Error, foreign: fn(&anyhow::Error) -> Option<u8>) -> ExitCode {
    error!("{error:#}");
    let own = error.downcast_ref::<Stop>().map(|stop| stop.code);
    ExitCode::from(own.or_else(|| foreign(error)).unwrap_or(FAILED))
}
