//! An HTTP endpoint that receives postbacks and answers as the test says, well or badly.

mod answer;
mod serve;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::SystemTime;

use answer::BOMB;

pub use answer::Answer;

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
    /// What it was answered; 0 where no answer was given.
    pub status: u16,
    pub at: SystemTime,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    hits: Vec<Hit>,
    /// What each path answers next; the last one stays, and 200 is the answer where none is set.
    answers: HashMap<String, VecDeque<Answer>>,
    /// What each path answers to each delivery, and how often the delivery came.
    scripts: HashMap<String, Vec<Answer>>,
    came: HashMap<(String, String), usize>,
    /// How many bytes of answers each path was allowed to send.
    sent: HashMap<String, u64>,
}

impl Receiver {
    pub fn start() -> Self {
        let state = Shared::default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(serve::serve(listener, state.clone()));
        Self { port, state, runtime: Some(runtime) }
    }

    /// Rules by which each of these media sources is told of its installs, at the path of its name.
    pub fn rules(&self, sources: &[&str]) -> String {
        let per_source = |source: &&str| {
            format!(
                r#"
[[endpoint]]
id = "{source}"
url = "http://127.0.0.1:{port}/{source}?click={{click_id}}&event={{event_id}}&app={{app_id}}"
[[rule]]
id = "{source}-installs"
endpoint = "{source}"
topic = "installs"
from = "2026-01-01T00:00:00Z"
media_sources = ["{source}"]
"#,
                port = self.port
            )
        };
        sources.iter().map(per_source).collect()
    }

    /// From now on, requests to `/path` are answered with this status.
    pub fn answer(&self, path: &str, status: u16) {
        self.script(path, [Answer::Status(status)]);
    }

    /// From now on, requests to `/path` get these answers one after another; the last one stays.
    pub fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        let answers: VecDeque<Answer> = answers.into_iter().collect();
        assert!(!answers.is_empty(), "a script without an answer");
        if answers.iter().any(|answer| matches!(answer, Answer::GzipBomb(_))) {
            LazyLock::force(&BOMB); // takes a while, and no request is to wait for it
        }
        self.state.lock().answers.insert(path.to_owned(), answers);
    }

    /// From now on, each delivery to `/path` gets these answers, one at each attempt; the last one stays.
    pub fn script_each(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        let answers: Vec<Answer> = answers.into_iter().collect();
        assert!(!answers.is_empty(), "a script without an answer");
        self.state.lock().scripts.insert(path.to_owned(), answers);
    }

    pub fn hits(&self, path: &str) -> Vec<Hit> {
        self.state.lock().hits.iter().filter(|hit| hit.path == path).cloned().collect()
    }

    /// Every request, whatever its path.
    pub fn all_hits(&self) -> Vec<Hit> {
        self.state.lock().hits.clone()
    }

    /// How many bytes of answers were taken from `/path`: what the sockets between us hold is among them.
    pub fn sent(&self, path: &str) -> u64 {
        self.state.lock().sent.get(path).copied().unwrap_or_default()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Notes a request, and says how to answer it.
    fn note(&self, mut hit: Hit) -> Answer {
        let mut state = self.lock();
        let answer = state.next_for_delivery(&hit).or_else(|| state.next(&hit.path)).unwrap_or(Answer::Status(200));
        hit.status = answer.status();
        state.hits.push(hit);
        answer
    }

    fn add_sent(&self, path: &str, bytes: usize) {
        *self.lock().sent.entry(path.to_owned()).or_default() += bytes as u64;
    }
}

impl State {
    fn next(&mut self, path: &str) -> Option<Answer> {
        let script = self.answers.get_mut(path)?;
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
    }

    fn next_for_delivery(&mut self, hit: &Hit) -> Option<Answer> {
        let script = self.scripts.get(&hit.path)?;
        let delivery = hit.headers.get("webhook-id").cloned().unwrap_or_default();
        let came = self.came.entry((hit.path.clone(), delivery)).or_default();
        *came += 1;
        script.get(*came - 1).or(script.last()).cloned()
    }
}

#[cfg(test)]
mod tests;
