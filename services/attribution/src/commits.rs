//! The publisher of the stage `decide`, which also tells the stage's handler how often it committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stream::{Offset, Outgoing, Publisher, Sink, Standing, Work};

pub(crate) struct CountedPublisher {
    publisher: Publisher,
    commits: Commits,
}

/// How many steps were committed: a handler cannot tell otherwise whether what it decided was published.
#[derive(Clone, Default)]
pub(crate) struct Commits(Arc<AtomicU64>);

impl Commits {
    pub(crate) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl CountedPublisher {
    pub(crate) fn new(publisher: Publisher) -> Self {
        Self { publisher, commits: Commits::default() }
    }

    pub(crate) fn commits(&self) -> Commits {
        self.commits.clone()
    }
}

impl Sink for CountedPublisher {
    type Output = Vec<Outgoing>;

    const WITNESSED: bool = Publisher::WITNESSED;

    fn settle(&mut self) -> stream::Result<()> {
        self.publisher.settle()
    }

    fn resume(&mut self, standings: &[Standing]) -> stream::Result<Vec<Offset>> {
        self.publisher.resume(standings)
    }

    fn commit(&mut self, work: Work<'_, Vec<Outgoing>>) -> stream::Result<()> {
        self.publisher.commit(work)?;
        self.commits.0.fetch_add(1, Ordering::Release);
        Ok(())
    }
}
