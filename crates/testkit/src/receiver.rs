//! An HTTP endpoint that receives postbacks and answers as the test says.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{Router, any};

/// Listens on a port of its own until it is dropped.
pub struct Receiver {
    pub port: u16,
    state: Shared,
    runtime: Option<tokio::runtime::Runtime>,
}

/// One request that arrived.
#[derive(Clone, Debug)]
pub struct Hit {
    pub path: String,
    pub query: String,
    pub headers: HashMap<String, String>,
    /// What it was answered.
    pub status: u16,
}

#[derive(Clone, Default)]
struct Shared {
    hits: Arc<Mutex<Vec<Hit>>>,
    /// The status each path answers with; 200 where none is set.
    answers: Arc<Mutex<HashMap<String, Arc<AtomicU16>>>>,
}

impl Receiver {
    pub fn start() -> Self {
        let state = Shared::default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let router = Router::new().route("/{path}", any(receive)).with_state(state.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { port, state, runtime: Some(runtime) }
    }

    /// From now on, requests to `/path` are answered with this status.
    pub fn answer(&self, path: &str, status: u16) {
        let mut answers = self.state.answers.lock().unwrap();
        answers.entry(path.to_owned()).or_default().store(status, Ordering::SeqCst);
    }

    pub fn hits(&self, path: &str) -> Vec<Hit> {
        self.state.hits.lock().unwrap().iter().filter(|hit| hit.path == path).cloned().collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn receive(
    State(state): State<Shared>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> StatusCode {
    let set = state.answers.lock().unwrap().get(&path).map(|status| status.load(Ordering::SeqCst));
    let status = set.filter(|&status| status > 0).unwrap_or(200);
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    state.hits.lock().unwrap().push(Hit { path, query: query.unwrap_or_default(), headers, status });
    StatusCode::from_u16(status).unwrap()
}
