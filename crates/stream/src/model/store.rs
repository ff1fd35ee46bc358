//! The faulty sink: the ledger's rule, in memory.

use std::collections::BTreeMap;

use super::PARTITIONS;
use super::schedule::Fault;
use crate::{Bookmark, Error, Offset, Result, Sink, Standing, Work};

/// What the store holds of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stored {
    pub(super) position: i64,
    pub(super) sum: i64,
    /// Up to where a reader is told that this is not whole.
    pub(super) rebuilding_until: i64,
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) now: BTreeMap<usize, Stored>,
    history: Vec<BTreeMap<usize, Stored>>,
    /// What happens to the next commit.
    pub(super) fault: Option<Fault>,
}

/// The stored position equals `from`, or nothing is written.
impl Sink for Store {
    type Output = i64;

    fn resume(&mut self, standings: &[Standing]) -> Result<Vec<Bookmark>> {
        let start = |standing: &Standing| {
            let rebuilding_until = standing.committed.map_or(0, |witness| witness.0);
            let anew = Stored { rebuilding_until, ..Stored::default() };
            Offset(self.now.entry(standing.partition.id.try_into().unwrap()).or_insert(anew).position).into()
        };
        Ok(standings.iter().map(start).collect())
    }

    fn commit(&mut self, work: Work<'_, i64>) -> Result<()> {
        let fault = self.fault.take().unwrap_or(Fault::None);
        if matches!(fault, Fault::NotApplied) {
            return Err(Error::transient("not applied"));
        }
        self.history.push(self.now.clone());
        let mut fenced = false;
        for (index, part) in work.parts.into_iter().enumerate() {
            let stored = self.now.get_mut(&usize::try_from(part.partition.id).unwrap());
            match stored {
                _ if index > 0 && matches!(fault, Fault::FirstPartOnly) => fenced = true,
                Some(stored) if stored.position == part.from.0 => {
                    *stored = Stored { position: part.next.0, sum: stored.sum + part.output, ..*stored };
                }
                _ => fenced = true,
            }
        }
        match fault {
            Fault::AnswerLost => Err(Error::transient("no answer")),
            _ if fenced => Err(Error::Fenced("it moved".into())),
            _ => Ok(()),
        }
    }
}

impl Store {
    /// Answers whether anything changed.
    pub(super) fn roll_back(&mut self, partition: Option<usize>, commits: usize) -> bool {
        let Some(index) = self.history.len().checked_sub(commits) else { return false };
        let (before, earlier) = (self.now.clone(), self.history[index].clone());
        for id in (0..PARTITIONS).filter(|&id| partition.is_none_or(|only| only == id)) {
            match earlier.get(&id) {
                Some(&stored) => drop(self.now.insert(id, stored)),
                None => drop(self.now.remove(&id)),
            }
        }
        self.now != before
    }

    /// Nothing is left, and nothing to go back to.
    pub(super) fn empty(&mut self) {
        *self = Self::default();
    }
}
