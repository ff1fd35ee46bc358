//! The load: devices that click, install and buy, over HTTP, until somebody stops it. An event is sent again, under the same
//! id, until Kafka has it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event::topic;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use stream::{Delivery, Outgoing, Producer};

use crate::truth::{APP, Device, Fate, Truth};

const CLIENTS: u64 = 4;
/// Devices in one request.
const AT_ONCE: usize = 8;
/// Between two requests of one client: about 400 events a second in all.
const PAUSE: Duration = Duration::from_millis(300);
const RETRY: Duration = Duration::from_millis(250);
/// How long what was sent is sent again after the load has been stopped.
const FINISH: Duration = Duration::from_secs(60);
/// One in so many requests brings a record that nobody can read.
const BROKEN: u32 = 10;

/// A running load. Stopped when it is dropped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

struct Shared {
    truth: Mutex<Truth>,
    doors: Vec<String>,
    http: reqwest::Client,
    producer: Producer,
    running: AtomicBool,
    broken: AtomicU64,
}

impl Load {
    /// Starts it against the public doors of `ingest`.
    pub(crate) fn start(doors: Vec<String>, kafka: &stream::Kafka, seed: u64) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok(); // another row may have been faster
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let _inside = runtime.enter();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let shared = Arc::new(Shared {
            truth: Mutex::default(),
            doors,
            http,
            producer: Producer::open(kafka, "load").unwrap(),
            running: AtomicBool::new(true),
            broken: AtomicU64::new(0),
        });
        let client = |number: u64| {
            let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000) + number);
            runtime.spawn(shared.clone().client(number, random))
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { shared, runtime: Some(runtime), clients }
    }

    /// How many events Kafka has acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.truth.lock().unwrap().stored()
    }

    /// How many installs are among them.
    pub(crate) fn installs(&self) -> u64 {
        self.shared.truth.lock().unwrap().installs_stored
    }

    /// Stops it, and waits until everything that was begun has been acknowledged, or given up.
    pub(crate) fn stop(&mut self) {
        self.shared.running.store(false, Ordering::SeqCst);
        let Some(runtime) = &self.runtime else { return };
        for client in self.clients.drain(..) {
            runtime.block_on(client).unwrap();
        }
    }

    pub(crate) fn truth<T>(&self, look: impl FnOnce(&Truth) -> T) -> T {
        look(&self.shared.truth.lock().unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.running.store(false, Ordering::SeqCst);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    async fn client(self: Arc<Self>, number: u64, mut random: StdRng) {
        while self.running.load(Ordering::SeqCst) {
            let devices: Vec<Device> = (0..AT_ONCE).map(|_| Device::draw(&mut random)).collect();
            let touches: Vec<Value> = devices.iter().flat_map(Device::touches).collect();
            if !self.deliver(&touches, number).await {
                return;
            }
            {
                let mut truth = self.truth.lock().unwrap();
                truth.earned.extend(devices.iter().map(|device| (device.install_id(), device.source())));
            }
            let journeys: Vec<Value> = devices.iter().flat_map(Device::journey).collect();
            if !self.deliver(&journeys, number).await {
                return;
            }
            if random.random_ratio(1, BROKEN) {
                self.publish_broken().await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Sends events until all of them are acknowledged; false where it gave up.
    async fn deliver(&self, events: &[Value], mut turn: u64) -> bool {
        let mut open = events.to_vec();
        let mut stopped_at = None;
        self.truth.lock().unwrap().note(&open, Fate::Unknown);
        while !open.is_empty() {
            let door = &self.doors[usize::try_from(turn).unwrap() % self.doors.len()];
            turn += 1;
            let started = Instant::now();
            let stored = self.post(door, &open).await;
            if !stored.is_empty() {
                let mut truth = self.truth.lock().unwrap();
                truth.latencies.push(started.elapsed());
                let of = |index: &usize| open[*index].clone();
                truth.note(&stored.iter().map(of).collect::<Vec<_>>(), Fate::Stored);
            }
            let mut index = 0;
            open.retain(|_| {
                index += 1;
                !stored.contains(&(index - 1))
            });
            if open.is_empty() {
                break;
            }
            self.truth.lock().unwrap().refusals += 1;
            if !self.running.load(Ordering::SeqCst) && stopped_at.get_or_insert_with(Instant::now).elapsed() > FINISH {
                return false;
            }
            tokio::time::sleep(RETRY).await;
        }
        true
    }

    /// Posts a batch; answers which of it was stored, by index.
    async fn post(&self, door: &str, events: &[Value]) -> Vec<usize> {
        let body = Value::Array(events.to_vec()).to_string();
        let request = self.http.post(format!("{door}/v1/events")).header("content-type", "application/json").body(body);
        let Ok(response) = request.send().await else { return Vec::new() };
        let status = response.status().as_u16();
        let Ok(answer) = response.json::<Value>().await else { return Vec::new() };
        match status {
            200 => (0..events.len()).collect(),
            207 => {
                let results = answer["results"].as_array().unwrap().iter();
                let stored = results.filter(|result| result["status"] == "stored");
                stored.map(|result| usize::try_from(result["index"].as_u64().unwrap()).unwrap()).collect()
            }
            503 => Vec::new(),
            _ => panic!("{door} answered {status}: {answer}"),
        }
    }

    /// Publishes records that nobody can read past the doors. The log itself says which of them arrived.
    async fn publish_broken(&self) {
        let number = self.broken.fetch_add(1, Ordering::Relaxed);
        let broken =
            |topic: &'static str, text: String| Outgoing::to(topic, text).key(format!("{APP}|broken-{number}"));
        let records = vec![
            broken(topic::ACTIVITY, format!("no json {number}")),
            broken(topic::INSTALLS, format!(r#"{{"event_id":"b{number}","app_id":"{APP}","event_time":"yesterday"}}"#)),
        ];
        let settled: Vec<Delivery> = self.producer.send(records).await;
        assert_eq!(settled.len(), 2);
    }
}
