//! The courier: takes what is due, delivers it over HTTP, publishes what came of it, and only then lets go of it.
//!
//! One task per endpoint: what hangs there delays nobody else. This task only says which of the partitions may be
//! worked on, and which endpoints have anything in them.

mod board;
mod lane;

mod attempt;
mod errand;
mod line;

mod desk;
mod finished;
mod look_back;
mod memory;
mod ruling;

#[cfg(test)]
mod model;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

pub(crate) use board::Depot;
use board::{Board, Known, Lot};
use desk::Desk;
use lane::Lane;
pub(crate) use ruling::RECORDED_WITHIN;
use ruling::may_claim;

use crate::clock::now_ms;
use crate::guard::Guard;
use crate::live::Live;

/// How often due deliveries are looked for.
const TICK: Duration = Duration::from_millis(100);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);
/// What a shutdown waits for records that no broker has acknowledged.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Courier {
    desk: Arc<Desk>,
    kafka: stream::Kafka,
    guard: Arc<Guard>,
    live: watch::Receiver<Arc<Live>>,
    board: watch::Sender<Arc<Board>>,
    lanes: JoinSet<Result<()>>,
    known: BTreeSet<String>,
}

impl Courier {
    pub(crate) fn open(
        kafka: &stream::Kafka,
        depots: Vec<Depot>,
        guard: Guard,
        live: watch::Receiver<Arc<Live>>,
    ) -> Result<Self> {
        let producer = stream::Producer::open(kafka, "postbacks.courier")?;
        producer.check(kafka, event::topic::POSTBACKS)?;
        Ok(Self {
            desk: Arc::new(Desk::new(depots, producer)),
            kafka: kafka.clone(),
            guard: Arc::new(guard),
            live,
            board: watch::Sender::new(Arc::new(Board::default())),
            lanes: JoinSet::new(),
            known: BTreeSet::new(),
        })
    }

    /// Works until shutdown, then waits for what is under way.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<()> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0_u32;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(ended) = self.lanes.join_next() => ended??,
                _ = tick.tick() => {
                    let turned = tokio::select! {
                        () = shutdown.cancelled() => break,
                        turned = self.turn(&shutdown) => turned,
                    };
                    if turned.is_ok() {
                        failures = 0;
                    }
                    if let Err(error) = turned {
                        if failures == 0 {
                            warn!(%error, "no deliveries for now");
                        }
                        failures += 1;
                        metrics::counter!("postbacks_courier_recoveries_total").increment(1);
                        tick.reset_after((TICK * 2_u32.saturating_pow(failures.min(10))).min(LONGEST_BACK_OFF));
                    }
                }
            }
        }
        while let Some(ended) = self.lanes.join_next().await {
            ended??;
        }
        let desk = self.desk.clone();
        match tokio::task::spawn_blocking(move || desk.flush(FLUSH_WITHIN)).await? {
            0 => Ok(()),
            unsent => Err(service::unsent(unsent)),
        }
    }

    /// Publishes the board anew: after a change of assignment, or where an outcome is in doubt, only once it is known
    /// again what has been delivered.
    async fn turn(&mut self, shutdown: &CancellationToken) -> stream::Result<()> {
        let sessions = self.desk.sessions();
        let asked = self.desk.memory.take_doubt();
        let current = self.board.borrow().clone();
        let mut known = current.known;
        if !may_claim(&current, &sessions, asked.is_some()) {
            self.board.send_replace(Arc::new(Board::default()));
            known = self.look_back(asked.and_then(|doubt| doubt.since)).await?;
        }
        let by_endpoint = self.pending().await?;
        for endpoint in by_endpoint.keys() {
            if self.known.insert(endpoint.clone()) {
                let lane = Lane::new(endpoint, self.desk.clone(), self.guard.clone(), self.live.clone());
                self.lanes.spawn(lane.run(self.board.subscribe(), shutdown.clone()));
            }
        }
        self.board.send_replace(Arc::new(Board { sessions, by_endpoint, known }));
        Ok(())
    }

    /// Reads what has been delivered, at least since `since` where that is set.
    async fn look_back(&self, since: Option<i64>) -> stream::Result<Known> {
        let until = now_ms();
        let partitions = self.desk.partitions();
        let kafka = self.kafka.clone();
        let looked = tokio::task::spawn_blocking(move || look_back::look_back(&kafka, &partitions, since)).await;
        let seen = looked.map_err(stream::Error::transient)??;
        debug!(finished = seen.finished.len(), since = seen.since, "looked back");
        self.desk.memory.relearn(seen.finished);
        Ok(Known { since: seen.since, until })
    }

    /// Which endpoints have anything pending, and where.
    async fn pending(&self) -> stream::Result<HashMap<String, Vec<Lot>>> {
        let mut by_endpoint: HashMap<String, Vec<Lot>> = HashMap::new();
        for lot in self.desk.lots() {
            for endpoint in self.desk.queue(lot).endpoints(lot.partition).await? {
                by_endpoint.entry(endpoint).or_default().push(lot);
            }
        }
        Ok(by_endpoint)
    }
}
