//! The place where outputs land.

use crate::{Bookmark, Offset, Partition, Result, Standing, Work};

/// Stores outputs together with the position they came from: both, or neither.
pub trait Sink: Send + 'static {
    type Output;

    /// Whether the stage notes the position in Kafka after a commit. A sink whose position *is* the committed offset says no.
    const WITNESSED: bool = true;

    /// Settles whatever an earlier failure left undecided. Called before the standings are fetched.
    fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Where each partition starts. Asked after every assignment and every failure, never inside a callback.
    fn resume(&mut self, standings: &[Standing]) -> Result<Vec<Bookmark>>;

    /// Says `Fenced` where a position is not the stored one any more. Asked once a second, so that a store that lost its
    /// newest writes is noticed on an idle partition too. Answers what keeps the outputs from being whole, if anything,
    /// such as a rebuild that has not caught up.
    fn check(&mut self, _positions: &[(Partition, Offset)]) -> Result<Option<String>> {
        Ok(None)
    }

    /// Stores each part and moves its position from `from` to `next`, or refuses it.
    fn commit(&mut self, work: Work<'_, Self::Output>) -> Result<()>;
}
