//! Questions to the ledger, and what was seen: values together with the position they belong to.

use redis::{Cmd, FromRedisValue, ParsingError, Value as Raw};
use stream::{Balance, Error, Mark, Offset, Result};

use crate::layout::{BALANCE, Layout};
use crate::script;

/// One key to read, relative to the tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Get(String),
    HGet(String, String),
    /// Every field of a hash, as field, value, field, value…
    HGetAll(String),
    Members(String),
    /// Every member of a sorted set, lowest score first.
    ZRange(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    None,
    Bytes(Vec<u8>),
    Members(Vec<Vec<u8>>),
}

/// What one partition answered, at one moment.
#[derive(Clone, Debug)]
pub struct Seen {
    pub partition: i32,
    /// None: this partition was never assigned, or the store was emptied.
    pub position: Option<Offset>,
    /// Set while a rebuild has not caught up: the values are true, but of an earlier prefix.
    pub rebuilding_until: Option<Offset>,
    /// Set where Kafka no longer had the beginning, or where an operator skipped what could not be read.
    pub incomplete_from: Option<Offset>,
    /// One answer per question, in order.
    pub values: Vec<Value>,
}

impl Ask {
    /// What became of the records up to the position: see [`Value::balance`].
    pub fn balance() -> Self {
        Self::HGetAll(BALANCE.into())
    }

    fn parts(&self) -> (&str, &str, &str) {
        match self {
            Self::Get(key) => ("GET", key, ""),
            Self::HGet(key, field) => ("HGET", key, field),
            Self::HGetAll(key) => ("HGETALL", key, ""),
            Self::Members(key) => ("SMEMBERS", key, ""),
            Self::ZRange(key) => ("ZRANGE", key, ""),
        }
    }
}

impl Value {
    pub fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::None | Self::Members(_) => None,
        }
    }

    pub fn members(self) -> Vec<Vec<u8>> {
        match self {
            Self::Members(members) => members,
            Self::None | Self::Bytes(_) => Vec::new(),
        }
    }

    /// The answer to [`Ask::balance`]; none where nothing was stored since balances are kept.
    pub fn balance(self) -> Option<Balance> {
        let (mut balance, mut last, mut appended_at) = (None, None, None);
        for (field, count) in self.counters() {
            let balance = balance.get_or_insert(Balance::new(Offset(0)));
            let amount = u64::try_from(count).unwrap_or_default();
            match field.as_str() {
                "since" => balance.since = Offset(count),
                "taken" => balance.taken = amount,
                "refused" => balance.refused = amount,
                "repeated" => balance.repeated = amount,
                "out" => balance.out = amount,
                "last" => last = Some(Offset(count)),
                "appended_at" => appended_at = Some(count),
                _ => {}
            }
        }
        balance.map(|balance| Balance { last: last.zip(appended_at).map(Mark::from), ..balance })
    }

    /// The fields of a hash whose values are integers.
    pub fn counters(self) -> impl Iterator<Item = (String, i64)> {
        let mut words = self.members().into_iter();
        std::iter::from_fn(move || Some((words.next()?, words.next()?))).filter_map(|(field, value)| {
            Some((String::from_utf8(field).ok()?, std::str::from_utf8(&value).ok()?.parse().ok()?))
        })
    }
}

impl FromRedisValue for Value {
    fn from_redis_value(raw: Raw) -> std::result::Result<Self, ParsingError> {
        Ok(match raw {
            Raw::Nil | Raw::Boolean(false) => Self::None,
            Raw::Array(_) | Raw::Set(_) => Self::Members(FromRedisValue::from_redis_value(raw)?),
            bytes => Self::Bytes(FromRedisValue::from_redis_value(bytes)?),
        })
    }
}

/// The call that asks one partition.
pub(crate) fn command(layout: &Layout, partition: i32, asks: &[Ask]) -> Cmd {
    let mut command = script::call(&script::READ, asks.len() + 3);
    command
        .arg(layout.position(partition))
        .arg(layout.rebuilding_until(partition))
        .arg(layout.incomplete_from(partition));
    let tag = layout.tag(partition);
    for ask in asks {
        command.arg(format!("{tag}{}", ask.parts().1));
    }
    for ask in asks {
        let (name, _, argument) = ask.parts();
        command.arg(name).arg(argument);
    }
    command
}

pub(crate) fn seen(partition: i32, answer: Vec<Value>) -> Result<Seen> {
    let mut answer = answer.into_iter();
    let mut offset = || -> Result<Option<Offset>> {
        let Some(bytes) = answer.next().and_then(Value::bytes) else { return Ok(None) };
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        Ok(Some(Offset(text.parse().map_err(|_| Error::transient(format!("redis: a position reads {text}")))?)))
    };
    let (position, rebuilding_until, incomplete_from) = (offset()?, offset()?, offset()?);
    let rebuilding_until = rebuilding_until.filter(|&until| position.is_some_and(|position| position < until));
    Ok(Seen { partition, position, rebuilding_until, incomplete_from, values: answer.collect() })
}
