//! The way to one endpoint: takes what is due there, as much as the endpoint bears at once, and waits for nobody else.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use ledger::{Claim, Claimed};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::board::{Board, Lot};
use super::desk::Desk;
use super::errand::{Ending, Errand};
use super::line::Line;
use super::ruling::{lease, may_claim};
use crate::clock::now_ms;
use crate::guard::Guard;
use crate::live::Live;

/// Answers that wait for Kafka do not count against the concurrency; this bounds them.
const MOST_UNRECORDED: usize = 256;
/// How long a shutdown waits for what is under way; the rest is left to its lease.
const FINISH_WITHIN: Duration = Duration::from_secs(15);
/// Deliveries to an endpoint that has vanished are concluded without a request, this many at once.
const VANISHED_AT_ONCE: usize = 64;

pub(super) struct Lane {
    endpoint: String,
    desk: Arc<Desk>,
    guard: Arc<Guard>,
    live: watch::Receiver<Arc<Live>>,
    /// The rules that the line was opened for.
    current: Arc<Live>,
    line: Option<Arc<Line>>,
    /// Leave by the rate that was taken and not used.
    tokens: usize,
    /// The generation of the rules in which the endpoint said that it is gone.
    gone_in: Option<u64>,
    /// Where the last sweep found more than it could take.
    start: usize,
    errands: JoinSet<stream::Result<Ending>>,
}

/// Whether a sweep left anything that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Swept {
    Clean,
    More,
}

impl Lane {
    pub(super) fn new(endpoint: &str, desk: Arc<Desk>, guard: Arc<Guard>, live: watch::Receiver<Arc<Live>>) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            desk,
            guard,
            live,
            current: Arc::default(),
            line: None,
            tokens: 0,
            gone_in: None,
            start: 0,
            errands: JoinSet::new(),
        }
    }

    /// Works until shutdown; then what is under way ends, or is left to its lease.
    pub(super) async fn run(
        mut self,
        mut board: watch::Receiver<Arc<Board>>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let mut swept = Swept::Clean;
        loop {
            let is_due = tokio::select! {
                () = shutdown.cancelled() => break,
                changed = board.changed() => changed.is_ok(),
                Some(ended) = self.errands.join_next() => {
                    self.note(ended);
                    swept == Swept::More
                }
            };
            if is_due {
                self.adopt()?;
                let current = board.borrow_and_update().clone();
                swept = self.sweep(&current).await;
            }
        }
        let finishing = async { while self.errands.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH_WITHIN, finishing).await.is_err() {
            debug!(endpoint = self.endpoint, left = self.errands.len(), "left to their lease");
            self.errands.shutdown().await;
        }
        Ok(())
    }

    /// Takes over rules that were loaded since; an endpoint that has not changed keeps its connections.
    fn adopt(&mut self) -> Result<()> {
        let live = self.live.borrow_and_update().clone();
        if live.generation == self.current.generation {
            return Ok(());
        }
        let endpoint = live.rules.endpoint(&self.endpoint);
        let unchanged = match (endpoint, &self.line) {
            (Some(endpoint), Some(line)) => *endpoint == line.endpoint,
            (None, None) => true,
            _ => false,
        };
        if !unchanged {
            self.tokens = 0;
            self.line =
                endpoint.map(|endpoint| Line::open(endpoint.clone(), self.guard.clone())).transpose()?.map(Arc::new);
        }
        self.current = live;
        Ok(())
    }

    async fn sweep(&mut self, board: &Board) -> Swept {
        let Some(lots) = board.by_endpoint.get(&self.endpoint).filter(|_| !self.is_gone()) else { return Swept::Clean };
        for step in 0..lots.len() {
            let index = (self.start + step) % lots.len();
            let permits = self.permits();
            let asked = permits.len();
            if asked == 0 {
                return Swept::More;
            }
            let claimed_at = Instant::now();
            let claimed = match self.claim(board, lots[index], asked).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    // The next board comes only when Redis answers again, and says what is due then.
                    debug!(endpoint = self.endpoint, %error, "cannot claim");
                    return Swept::Clean;
                }
            };
            self.tokens += asked - claimed.len();
            let is_full = claimed.len() == asked;
            for (claimed, permit) in claimed.into_iter().zip(permits) {
                self.send(board, (lots[index], claimed_at), claimed, permit);
            }
            if is_full {
                self.start = index;
                return Swept::More;
            }
        }
        self.start += 1;
        Swept::Clean
    }

    /// Claims what is due; nothing once the board is void. What was claimed while it became void is given back.
    async fn claim(&self, board: &Board, lot: Lot, limit: usize) -> stream::Result<Vec<Claimed>> {
        if !may_claim(board, &self.desk.sessions(), self.desk.memory.is_in_doubt()) {
            return Ok(Vec::new());
        }
        let now_ms = now_ms();
        let lease_until_ms = now_ms + i64::try_from(self.lease().as_millis()).unwrap_or_default();
        let claim = Claim { now_ms, lease_until_ms, limit };
        let queue = self.desk.queue(lot);
        let claimed = queue.claim(lot.partition, &self.endpoint, claim).await?;
        if self.desk.sessions() == board.sessions {
            return Ok(claimed);
        }
        for claimed in claimed {
            queue.give_back((lot.partition, &self.endpoint), &claimed).await?;
        }
        Ok(Vec::new())
    }

    fn lease(&self) -> Duration {
        lease(self.line.as_ref().map_or(Duration::ZERO, |line| line.endpoint.timeout))
    }

    fn send(&mut self, board: &Board, (lot, claimed_at): (Lot, Instant), claimed: Claimed, permit: Permit) {
        let errand = Errand {
            desk: self.desk.clone(),
            live: self.current.clone(),
            line: self.line.clone(),
            endpoint: self.endpoint.clone(),
            lot,
            claimed,
            claimed_at,
            lease: self.lease(),
            known: board.known,
            sessions: board.sessions.clone(),
        };
        self.errands.spawn(errand.run(permit));
    }

    /// Leave for as many requests as the endpoint bears right now.
    fn permits(&mut self) -> Vec<Permit> {
        let Some(line) = &self.line else {
            return (self.errands.len()..VANISHED_AT_ONCE).map(|_| None).collect();
        };
        let mut permits = Vec::new();
        while self.errands.len() + permits.len() < line.endpoint.concurrency + MOST_UNRECORDED {
            let Some(permit) = line.permit() else { break };
            if self.tokens > 0 {
                self.tokens -= 1;
            } else if !line.token() {
                break;
            }
            permits.push(Some(permit));
        }
        permits
    }

    fn note(&mut self, ended: Result<stream::Result<Ending>, JoinError>) {
        match ended {
            Ok(Ok(Ending::Settled)) => {}
            Ok(Ok(Ending::Gone(generation))) => {
                warn!(endpoint = self.endpoint, "answered 410: nothing is sent there until the rules are loaded again");
                self.gone_in = self.gone_in.max(Some(generation));
            }
            // The outcome is recorded; Redis forgets the delivery when its lease ends.
            Ok(Err(error)) => debug!(endpoint = self.endpoint, %error, "left to its lease"),
            Err(error) => {
                error!(endpoint = self.endpoint, %error, "a delivery ended in a panic and is left to its lease");
                metrics::counter!("postbacks_panics_total").increment(1);
            }
        }
    }

    fn is_gone(&self) -> bool {
        self.gone_in == Some(self.current.generation)
    }
}

type Permit = Option<OwnedSemaphorePermit>;
