//! The admin listener: `/livez`, `/readyz`, `/metrics`, `/version`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{Router, get};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

use crate::health::Health;
use crate::run::Shell;

#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) shell: Shell,
    pub(crate) health: Health,
    pub(crate) metrics: PrometheusHandle,
}

pub(crate) fn router(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(|State(admin): State<Admin>| async move { verdict(admin.health.stuck()) }))
        .route("/readyz", get(|State(admin): State<Admin>| async move { verdict(admin.health.troubles()) }))
        .route("/metrics", get(|State(admin): State<Admin>| async move { admin.metrics.render() }))
        .route("/version", get(|State(admin): State<Admin>| async move { Json(version(&admin.shell)) }))
        .with_state(admin)
}

fn verdict(troubles: Vec<String>) -> (StatusCode, Json<Value>) {
    let status = if troubles.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ok": troubles.is_empty(), "troubles": troubles })))
}

fn version(shell: &Shell) -> Value {
    json!({ "service": shell.name, "version": shell.version })
}
