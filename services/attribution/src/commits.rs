//! The sink of the stage `decide`, which also tells the stage's handler how often it committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stream::{Bookmark, Offset, Partition, Sink, Standing, Work};

/// A sink that counts its commits: the publisher, or that of the model.
pub(crate) struct Counted<S> {
    sink: S,
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

impl<S> Counted<S> {
    pub(crate) fn new(sink: S) -> Self {
        Self { sink, commits: Commits::default() }
    }

    pub(crate) fn commits(&self) -> Commits {
        self.commits.clone()
    }
}

impl<S: Sink> Sink for Counted<S> {
    type Output = S::Output;

    const WITNESSED: bool = S::WITNESSED;

    fn settle(&mut self) -> stream::Result<()> {
        self.sink.settle()
    }

    fn resume(&mut self, standings: &[Standing]) -> stream::Result<Vec<Bookmark>> {
        self.sink.resume(standings)
    }

    fn check(&mut self, positions: &[(Partition, Offset)]) -> stream::Result<Option<String>> {
        self.sink.check(positions)
    }

    fn commit(&mut self, work: Work<'_, S::Output>) -> stream::Result<()> {
        self.sink.commit(work)?;
        self.commits.0.fetch_add(1, Ordering::Release);
        Ok(())
    }
}
