//! What a batch causes in Redis, gathered in memory first: one command a distinct counter, however many records raised it.

use std::time::Duration;

use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use redis::Cmd;

/// Effects under the tag of one partition. Keys are relative: the ledger prepends the tag.
#[derive(Default)]
pub struct Effects {
    slots: Vec<Slot>,
    by_key: HashMap<String, usize>,
}

/// A delivery to make, once it is stored together with the position it came from.
pub struct Scheduled<'a> {
    pub id: &'a str,
    pub endpoint: &'a str,
    pub due_ms: i64,
    pub body: &'a [u8],
}

struct Slot {
    key: String,
    kind: Kind,
    expiry: Option<Expiry>,
    counters: HashMap<String, i64>,
    operations: Vec<Operation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Expiry {
    At(i64),
    After(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Hash,
    Set,
    Ranking,
    Text,
}

struct Operation {
    name: &'static str,
    first: Vec<u8>,
    second: Vec<u8>,
}

/// KEYS[1] is the position, so the first slot's key is KEYS[2].
const FIRST_KEY: usize = 2;

impl Effects {
    /// Raises a field of a hash.
    pub fn add(&mut self, key: &str, field: &str, by: i64) {
        let slot = self.slot(key, Kind::Hash);
        match self.slots[slot].counters.entry_ref(field) {
            EntryRef::Occupied(mut sum) => *sum.get_mut() = sum.get().saturating_add(by),
            EntryRef::Vacant(field) => drop(field.insert(by)),
        }
    }

    /// Raises a field of a hash if `member` is new in the set `seen`.
    pub fn add_once(&mut self, (seen, member): (&str, &str), key: &str, field: &str, by: i64) {
        let counter = self.slot(key, Kind::Hash) + FIRST_KEY;
        self.operate(
            seen,
            Kind::Set,
            Operation::new("once", member.as_bytes(), format!("{counter}:{by}:{field}").as_bytes()),
        );
    }

    /// Sets a field of a hash.
    pub fn put(&mut self, key: &str, field: &str, value: &[u8]) {
        self.operate(key, Kind::Hash, Operation::new("put", field.as_bytes(), value));
    }

    /// Sets a field of a hash that is not set yet.
    pub fn put_first(&mut self, key: &str, field: &str, value: &[u8]) {
        self.operate(key, Kind::Hash, Operation::new("putnx", field.as_bytes(), value));
    }

    /// Keeps the greatest value of a field of a hash.
    pub fn raise(&mut self, key: &str, field: &str, to: i64) {
        let slot = self.slot(key, Kind::Hash);
        let earlier = self.slots[slot].operations.iter_mut().find(|operation| operation.first == field.as_bytes());
        match earlier {
            Some(operation) => {
                let known = std::str::from_utf8(&operation.second).ok().and_then(|text| text.parse().ok());
                operation.second = to.max(known.unwrap_or(to)).to_string().into_bytes();
            }
            None => self.operate(key, Kind::Hash, Operation::new("raise", field.as_bytes(), to.to_string().as_bytes())),
        }
    }

    /// Sets a key that is not set yet.
    pub fn set_first(&mut self, key: &str, value: &[u8]) {
        self.operate(key, Kind::Text, Operation::new("setnx", value, b""));
    }

    /// Adds a member to a set.
    pub fn insert(&mut self, key: &str, member: &[u8]) {
        let slot = self.slot(key, Kind::Set);
        if !self.slots[slot].operations.iter().any(|operation| operation.first == member) {
            self.operate(key, Kind::Set, Operation::new("insert", member, b""));
        }
    }

    /// Adds a member to a sorted set.
    pub fn rank(&mut self, key: &str, member: &[u8], score: i64) {
        self.operate(key, Kind::Ranking, Operation::new("rank", member, score.to_string().as_bytes()));
    }

    /// Lets a key expire at this second, a pure function of the event; the latest asked for wins.
    pub fn expire(&mut self, key: &str, at_seconds: i64) {
        if let Some(&slot) = self.by_key.get(key) {
            let slot = &mut self.slots[slot];
            slot.expiry = slot.expiry.max(Some(Expiry::At(at_seconds)));
        }
    }

    /// Lets a key expire this long after it was last written, by Redis' own clock: for what guards against repetitions,
    /// which must hold while old records are read again, too.
    pub fn expire_after(&mut self, key: &str, time: Duration) {
        if let Some(&slot) = self.by_key.get(key) {
            self.slots[slot].expiry = Some(Expiry::After(time.as_secs()));
        }
    }

    /// Schedules a delivery for the courier; one that is scheduled already stays as it is.
    pub fn schedule(&mut self, delivery: Scheduled<'_>) {
        let Scheduled { id, endpoint, due_ms, body } = delivery;
        self.put_first(&format!("d:{id}"), "body", body);
        self.operate(
            &format!("due:{endpoint}"),
            Kind::Ranking,
            Operation::new("schedule", id.as_bytes(), due_ms.to_string().as_bytes()),
        );
        self.insert("endpoints", endpoint.as_bytes());
    }

    /// Whether anything happens to this key.
    pub fn holds(&self, key: &str) -> bool {
        self.by_key.contains_key(key)
    }

    /// How many commands these effects are.
    pub fn len(&self) -> usize {
        self.slots.iter().map(|slot| slot.counters.len() + slot.operations.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys, each behind the tag, for KEYS of the script.
    pub fn keys(&self, tag: &str) -> impl ExactSizeIterator<Item = String> {
        self.slots.iter().map(move |slot| format!("{tag}{}", slot.key))
    }

    /// The operations, for ARGV of the script, in the order of the keys.
    pub fn arguments(&self, command: &mut Cmd) {
        for slot in &self.slots {
            let expiry = match slot.expiry {
                Some(Expiry::At(seconds)) => seconds.to_string(),
                Some(Expiry::After(seconds)) => format!("+{seconds}"),
                None => String::new(),
            };
            command.arg(slot.kind.letter()).arg(expiry).arg(slot.counters.len() + slot.operations.len());
            for (field, by) in &slot.counters {
                command.arg("add").arg(field).arg(by);
            }
            for operation in &slot.operations {
                command.arg(operation.name).arg(&operation.first).arg(&operation.second);
            }
        }
    }

    fn operate(&mut self, key: &str, kind: Kind, operation: Operation) {
        let slot = self.slot(key, kind);
        self.slots[slot].operations.push(operation);
    }

    fn slot(&mut self, key: &str, kind: Kind) -> usize {
        if let Some(&slot) = self.by_key.get(key) {
            debug_assert_eq!(self.slots[slot].kind, kind, "one key, one type: {key}");
            return slot;
        }
        let slot = self.slots.len();
        let (counters, operations) = (HashMap::new(), Vec::new());
        self.slots.push(Slot { key: key.to_owned(), kind, expiry: None, counters, operations });
        self.by_key.insert(key.to_owned(), slot);
        slot
    }
}

impl Operation {
    fn new(name: &'static str, first: &[u8], second: &[u8]) -> Self {
        Self { name, first: first.to_vec(), second: second.to_vec() }
    }
}

impl Kind {
    fn letter(self) -> &'static str {
        match self {
            Self::Hash => "h",
            Self::Set => "s",
            Self::Ranking => "z",
            Self::Text => "v",
        }
    }
}
