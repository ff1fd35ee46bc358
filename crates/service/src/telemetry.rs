//! Logs and metrics.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::exit::bad_configuration;
use crate::settings::{Format, Log};

/// Logs go to stderr: text on a terminal, JSON elsewhere.
pub(crate) fn start_logs(log: &Log) -> Result<()> {
    let filter = EnvFilter::try_new(&log.level)
        .map_err(|error| bad_configuration(format!("log.level {:?}: {error}", log.level)))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let json = match log.format {
        Format::Auto => !std::io::stderr().is_terminal(),
        Format::Json => true,
        Format::Text => false,
    };
    let started = if json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
    started.map_err(|error| anyhow::anyhow!("logs: {error}"))
}

/// Metrics are kept in the process and rendered when `/metrics` is asked.
pub(crate) fn start_metrics() -> Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("metrics")
}
