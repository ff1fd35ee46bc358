//! Partitions that stand still until a person has looked, while the others go on.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::{Offset, Partition};

/// Why a partition cannot go on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    pub partition: Partition,
    pub code: HaltCode,
    /// What was found, and what a person can do about it.
    pub reason: String,
    /// Where it stands. A log that was made anew may grow beyond this: that is no reason to go on.
    pub position: Offset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltCode {
    /// The log ends before the stored position, or holds records before it that are younger than what was read.
    TopicRecreated,
    /// The log begins behind the stored position: retention was faster.
    OffsetOutOfRange,
    /// The store holds something else under one of our keys.
    WrongType,
}

/// A halted partition is asked again after this time, in case somebody has mended what stopped it.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// The partitions of one stage that stand still.
#[derive(Default)]
pub(crate) struct Halts(BTreeMap<i32, (Halt, Instant)>);

impl Halts {
    pub(crate) fn add(&mut self, halt: Halt) {
        self.0.insert(halt.partition.id, (halt, Instant::now() + ASK_AGAIN));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn holds(&self, id: i32) -> bool {
        self.0.contains_key(&id)
    }

    /// Those that may be asked again.
    pub(crate) fn due(&self) -> Vec<i32> {
        let now = Instant::now();
        self.0.iter().filter(|(_, (_, at))| *at <= now).map(|(&id, _)| id).collect()
    }

    pub(crate) fn forget(&mut self, id: i32) {
        self.0.remove(&id);
    }

    /// Asks again later.
    pub(crate) fn postpone(&mut self, id: i32) {
        if let Some((_, at)) = self.0.get_mut(&id) {
            *at = Instant::now() + ASK_AGAIN;
        }
    }

    /// Whether a halted partition may go on from this position, which its sink gave just now.
    pub(crate) fn lets_go(&self, id: i32, position: Offset) -> bool {
        let Some((halt, _)) = self.0.get(&id) else { return true };
        halt.code != HaltCode::TopicRecreated || halt.position != position
    }

    /// How many there are of a code.
    pub(crate) fn count(&self, code: HaltCode) -> usize {
        self.0.values().filter(|(halt, _)| halt.code == code).count()
    }

    /// All of them in words; none where all goes on.
    pub(crate) fn in_words(&self) -> Option<String> {
        let halts: Vec<String> = self.0.values().map(|(halt, _)| halt.to_string()).collect();
        (!halts.is_empty()).then(|| halts.join("; "))
    }
}

impl HaltCode {
    pub(crate) const ALL: [Self; 3] = [Self::TopicRecreated, Self::OffsetOutOfRange, Self::WrongType];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::TopicRecreated => "topic_recreated",
            Self::OffsetOutOfRange => "offset_out_of_range",
            Self::WrongType => "wrong_type",
        }
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stands still: {}: {}", self.partition, self.code.as_str(), self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halted_partition_is_asked_again_later() {
        let mut halts = Halts::default();
        assert_eq!(halts.in_words(), None);
        halts.add(halt(HaltCode::WrongType));
        assert!(halts.holds(3) && !halts.holds(2) && halts.due().is_empty());
        halts.0.get_mut(&3).unwrap().1 = Instant::now();
        assert_eq!(halts.due(), [3]);
        halts.postpone(3);
        assert!(halts.due().is_empty());
        halts.forget(3);
        assert_eq!((halts.holds(3), halts.count(HaltCode::WrongType)), (false, 0));
    }

    #[test]
    fn a_log_that_was_made_anew_is_not_read_on_when_it_has_grown() {
        for (code, position, goes_on) in [
            (HaltCode::TopicRecreated, 7, false),
            (HaltCode::TopicRecreated, 0, true),
            (HaltCode::OffsetOutOfRange, 7, true),
            (HaltCode::WrongType, 7, true),
        ] {
            let mut halts = Halts::default();
            halts.add(halt(code));
            assert_eq!(halts.lets_go(3, Offset(position)), goes_on, "{code:?} at {position}");
        }
    }

    fn halt(code: HaltCode) -> Halt {
        Halt { partition: Partition::new("installs", 3), code, reason: "a test".into(), position: Offset(7) }
    }
}
