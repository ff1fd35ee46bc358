//! The simulator against a door that loses answers, takes half a batch, and is away: whatever it says is stored must be
//! stored, once for each event id, and in the order in which things happen.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use attributary::simulate::{Content, HttpDoors, Outcome, Pace, Scenario, Shares, Target, Watch, apps, play, spacing};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use event::Time;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Default)]
struct Door(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    requests: usize,
    /// Kinds by event id.
    events: HashMap<String, String>,
    installs: HashSet<String>,
    /// Events that came before their install.
    early: Vec<Value>,
}

impl Stored {
    fn keep(&mut self, event: &Value) {
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        match text("kind").as_str() {
            "install" => drop(self.installs.insert(text("install_id"))),
            "session" | "event" if !self.installs.contains(&text("install_id")) => self.early.push(event.clone()),
            _ => {}
        }
        self.events.insert(text("event_id"), text("kind"));
    }

    fn count(&self, kind: &str) -> i64 {
        self.events.values().filter(|stored| *stored == kind).count() as i64
    }
}

async fn take(State(Door(stored)): State<Door>, body: String) -> Response {
    let mut stored = stored.lock().unwrap();
    stored.requests += 1;
    let events: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    match stored.requests % 5 {
        0 => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")], "").into_response(),
        1 => {
            events.iter().for_each(|event| stored.keep(event));
            (StatusCode::INTERNAL_SERVER_ERROR, "the answer is lost").into_response()
        }
        2 => {
            let results: Vec<Value> = events
                .iter()
                .enumerate()
                .map(|(index, event)| match index % 3 {
                    0 => json!({ "index": index, "status": "unknown", "code": "unknown", "message": "" }),
                    1 => json!({ "index": index, "status": "rejected", "code": "not_stored", "message": "" }),
                    _ => {
                        stored.keep(event);
                        json!({ "index": index, "status": "stored" })
                    }
                })
                .collect();
            (StatusCode::MULTI_STATUS, axum::Json(json!({ "results": results }))).into_response()
        }
        _ => {
            events.iter().for_each(|event| stored.keep(event));
            axum::Json(json!({ "results": [] })).into_response()
        }
    }
}

async fn start(door: Door) -> String {
    let links = get(|| async { axum::Json(json!({ "status": "stored" })) });
    let router = Router::new().route("/v1/events", post(take)).route("/v1/click/{app}", links).with_state(door);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn simulate(door: &Door, links: f64) -> Outcome {
    let stop = CancellationToken::new();
    let doors = HttpDoors {
        client: attributary::http_client().unwrap(),
        base: start(door.clone()).await.parse().unwrap(),
        give_up: Duration::from_secs(60),
        stop: stop.clone(),
    };
    let scenario = Scenario {
        seed: 11,
        started_at: Time::from_trusted_millis(1_795_348_800_000),
        apps: apps(3, None),
        spacing_ms: spacing(0.0),
        shares: Shares { duplicates: 0.1, late: 0.1, links },
        content: Content::Everything,
    };
    let pace = Pace { rate: None, count: Some(150), batch: 40, in_flight: 4 };
    play(scenario, pace, Target::Http(doors), Watch { stop, ..Watch::default() }).await.unwrap()
}

#[tokio::test]
async fn whatever_the_doors_do_the_truth_is_what_they_stored() {
    let door = Door::default();
    let outcome = simulate(&door, 0.0).await;
    assert_eq!((outcome.refused, outcome.unsettled), (0, 0), "{:?}", outcome.reasons);
    assert!(outcome.retries > 0 && outcome.duplicates > 0);
    let stored = door.0.lock().unwrap();
    let totals = outcome.tally.totals();
    assert_eq!(totals.clicks, stored.count("click"));
    assert_eq!(totals.impressions, stored.count("impression"));
    assert_eq!(totals.sessions, stored.count("session"));
    assert_eq!(totals.events, stored.count("event"));
    assert_eq!(totals.installs, stored.installs.len() as i64);
    assert!(stored.early.is_empty(), "{:?}", stored.early);
}

#[tokio::test]
async fn clicks_through_the_link_are_counted_on_the_day_they_were_taken() {
    let outcome = simulate(&Door::default(), 1.0).await;
    let truth = outcome.tally.truth(11, Time::from_trusted_millis(0));
    let linked = |row: &&attributary::simulate::Row| row.counts.clicks > 0 && row.cell.country.is_empty();
    assert!(truth.rows.iter().filter(linked).all(|row| row.cell.day != "2026-11-22"));
    assert!(truth.rows.iter().filter(linked).count() > 0);
}
