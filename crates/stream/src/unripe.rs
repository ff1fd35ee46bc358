//! Records that have not lain in the log for as long as their stage stays behind it: they are read already, and wait.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, OwnedMessage};

use crate::Offset;
use crate::clock::now_ms;

/// What may wait here; the log keeps the rest.
const MOST_BYTES: usize = 16 << 20;
/// About what a record takes beside its key and its payload.
const OVERHEAD: usize = 512;

#[derive(Default)]
pub(crate) struct Unripe {
    hold: Duration,
    waiting: BTreeMap<i32, VecDeque<(Instant, OwnedMessage)>>,
    bytes: usize,
}

impl Unripe {
    pub(crate) fn hold(hold: Duration) -> Self {
        Self { hold, ..Self::default() }
    }

    /// Gives a record back that is ripe, if none of its partition waits before it.
    pub(crate) fn pass<'poll>(&mut self, message: BorrowedMessage<'poll>) -> Option<BorrowedMessage<'poll>> {
        if self.hold.is_zero() {
            return Some(message);
        }
        let wait = self.wait(message.timestamp().to_millis().unwrap_or_default(), now_ms());
        if wait.is_zero() && !self.waiting.contains_key(&message.partition()) {
            return Some(message);
        }
        self.keep(message.detach(), Instant::now() + wait);
        None
    }

    /// How long a record is to wait that was appended at this time: whatever the clocks say, no longer than the hold.
    fn wait(&self, appended_at: i64, now: i64) -> Duration {
        let age = Duration::from_millis(u64::try_from(now.saturating_sub(appended_at)).unwrap_or_default());
        self.hold.saturating_sub(age)
    }

    fn keep(&mut self, message: OwnedMessage, ripe_at: Instant) {
        self.bytes += size(&message);
        self.waiting.entry(message.partition()).or_default().push_back((ripe_at, message));
    }

    /// The records that have become ripe, at most so many.
    pub(crate) fn ripe(&mut self, most: usize, now: Instant) -> Vec<OwnedMessage> {
        let mut ripe = Vec::new();
        for waiting in self.waiting.values_mut() {
            let count = waiting.iter().take_while(|(at, _)| *at <= now).count().min(most - ripe.len());
            ripe.extend(waiting.drain(..count).map(|(_, message)| message));
        }
        self.waiting.retain(|_, waiting| !waiting.is_empty());
        self.bytes -= ripe.iter().map(size).sum::<usize>();
        ripe
    }

    /// When the next record is ripe, if there is no room for more of them.
    pub(crate) fn full_until(&self) -> Option<Instant> {
        if self.bytes < MOST_BYTES {
            return None;
        }
        self.waiting.values().filter_map(|waiting| waiting.front()).map(|(at, _)| *at).min()
    }

    pub(crate) fn has(&self, partition: i32) -> bool {
        self.waiting.contains_key(&partition)
    }

    /// The positions of those partitions of which nothing waits: nobody holds them up but Kafka.
    pub(crate) fn others(&self, positions: &BTreeMap<i32, Offset>) -> BTreeMap<i32, Offset> {
        positions.iter().filter(|(id, _)| !self.has(**id)).map(|(&id, &position)| (id, position)).collect()
    }

    /// They are read again from where the sink says.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }
}

fn size(message: &OwnedMessage) -> usize {
    OVERHEAD + message.key().map_or(0, <[u8]>::len) + message.payload().map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;

    use super::*;

    fn message(partition: i32, offset: i64, bytes: usize) -> OwnedMessage {
        let timestamp = Timestamp::LogAppendTime(0);
        OwnedMessage::new(Some(vec![0; bytes]), None, "activity".into(), timestamp, partition, offset, None)
    }

    fn offsets(messages: &[OwnedMessage]) -> Vec<(i32, i64)> {
        messages.iter().map(|message| (message.partition(), message.offset())).collect()
    }

    #[test]
    fn a_record_waits_for_the_rest_of_the_hold_whatever_the_clocks_say() {
        let unripe = Unripe::hold(Duration::from_secs(5));
        for (appended_at, waits) in [(100_000, 5_000), (98_000, 3_000), (95_000, 0), (0, 0), (500_000, 5_000)] {
            let wait = unripe.wait(appended_at, 100_000);
            assert_eq!(wait, Duration::from_millis(waits), "appended at {appended_at}");
        }
    }

    #[test]
    fn a_partition_keeps_its_order_and_waits_for_no_other() {
        let (mut unripe, start) = (Unripe::hold(Duration::from_secs(5)), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        for (partition, offset, seconds) in [(0, 10, 3), (0, 11, 1), (0, 12, 4), (1, 7, 1), (1, 8, 2)] {
            unripe.keep(message(partition, offset, 1), after(seconds));
        }
        let positions = BTreeMap::from([(0, Offset(10)), (1, Offset(7)), (2, Offset(3))]);
        assert_eq!(unripe.others(&positions), BTreeMap::from([(2, Offset(3))]));

        assert_eq!(offsets(&unripe.ripe(9, after(0))), []);
        assert_eq!(offsets(&unripe.ripe(1, after(2))), [(1, 7)]);
        assert_eq!(offsets(&unripe.ripe(9, after(3))), [(0, 10), (0, 11), (1, 8)]);
        assert_eq!((unripe.has(0), unripe.has(1)), (true, false));
        unripe.clear();
        assert_eq!(offsets(&unripe.ripe(9, after(9))), []);
    }

    #[test]
    fn there_is_room_for_so_much() {
        let (mut unripe, start) = (Unripe::hold(Duration::from_secs(5)), Instant::now());
        unripe.keep(message(0, 0, MOST_BYTES - OVERHEAD - 1), start);
        assert_eq!(unripe.full_until(), None);
        unripe.keep(message(1, 0, 0), start + Duration::from_secs(1));
        assert_eq!(unripe.full_until(), Some(start));
        unripe.ripe(1, start);
        assert_eq!(unripe.full_until(), None);
    }
}
