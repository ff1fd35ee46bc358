//! What the tests on several servers share: partitions whose counter must equal their position.

use ledger::{Ask, Effects, Index, Ledger, Redis, Value};
use stream::{Balance, Error, Offset, Owner, Part, Partition, Sink, Standing, Work};

pub(crate) const STAGE: &str = "sample.count";
pub(crate) const TOPIC: &str = "numbers";

/// Where the partitions stand, as a stage asks after every failure.
pub(crate) fn resume(ledger: &mut Ledger, partitions: &[i32]) -> stream::Result<Vec<Offset>> {
    let standing = |&id| Standing {
        partition: Partition::new(TOPIC, id),
        committed: None,
        metadata: String::new(),
        first: Offset(0),
        end: Offset(1_000_000),
    };
    let bookmarks = ledger.resume(&partitions.iter().map(standing).collect::<Vec<_>>())?;
    Ok(bookmarks.into_iter().map(|bookmark| bookmark.position).collect())
}

/// One record in each partition: the counter goes up by one, and so does the position. Each offset also leaves a key of its
/// own, so that a commit makes keys and not only changes them.
pub(crate) fn commit(ledger: &mut Ledger, positions: &[(i32, Offset)]) -> stream::Result<()> {
    let part = |&(id, from): &(i32, Offset)| {
        let mut output = Effects::default();
        output.add("c", "n", 1);
        output.insert(&format!("s:{}", from.0 % 50), from.0.to_string().as_bytes());
        Part {
            partition: Partition::new(TOPIC, id),
            from,
            next: Offset(from.0 + 1),
            output,
            balance: Balance::new(from),
        }
    };
    ledger.commit(Work { owner: &Owner::default(), parts: positions.iter().map(part).collect() })
}

/// The counters and positions of the partitions.
pub(crate) fn stands(redis: &Redis, partitions: &[i32]) -> Vec<(i64, i64)> {
    let mut index = Index::open(redis, STAGE, TOPIC).unwrap();
    let seen = index.fetch(partitions, &[Ask::HGet("c".into(), "n".into())]).unwrap();
    seen.into_iter()
        .map(|mut seen| {
            let count = match seen.values.remove(0) {
                Value::None => 0,
                value => std::str::from_utf8(&value.bytes().unwrap()).unwrap().parse().unwrap(),
            };
            (count, seen.position.unwrap().0)
        })
        .collect()
}

/// A stage in small: commits one record a partition, and asks where things stand after every failure.
pub(crate) struct Writer {
    ledger: Ledger,
    partitions: Vec<i32>,
    positions: Option<Vec<Offset>>,
    pub(crate) failures: Vec<String>,
}

impl Writer {
    pub(crate) fn open(redis: &Redis, partitions: &[i32]) -> Self {
        let ledger = Ledger::open(redis, STAGE, TOPIC).unwrap();
        Self { ledger, partitions: partitions.to_vec(), positions: None, failures: Vec::new() }
    }

    /// One step; the error is noted, and the next step recovers.
    pub(crate) fn step(&mut self) -> bool {
        match self.advance() {
            Ok(()) => true,
            Err(error @ Error::Fatal { .. }) => panic!("{error}"),
            Err(error) => {
                self.failures.push(error.to_string());
                self.positions = None;
                false
            }
        }
    }

    fn advance(&mut self) -> stream::Result<()> {
        let positions = match self.positions.take() {
            Some(positions) => positions,
            None => resume(&mut self.ledger, &self.partitions)?,
        };
        let work: Vec<_> = self.partitions.iter().copied().zip(positions).collect();
        commit(&mut self.ledger, &work)?;
        self.positions = Some(work.into_iter().map(|(_, position)| Offset(position.0 + 1)).collect());
        Ok(())
    }
}
