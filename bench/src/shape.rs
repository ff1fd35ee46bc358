//! What the installs of a run look like.

use std::ops::RangeInclusive;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

#[derive(Args, Clone)]
pub(crate) struct Shape {
    /// Bytes of JSON in a record, such as `200`, or `200-2000` for any size between; as `attribution` writes them if absent.
    #[arg(long, value_parser = bytes)]
    pub(crate) bytes: Option<RangeInclusive<usize>>,
    /// So many of a hundred records are malformed.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    pub(crate) malformed: u8,
    /// The exponent of Zipf's law, by which apps, media sources, campaigns and countries are drawn.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) zipf: f64,
    /// What installs differ in.
    #[arg(long, value_enum, default_value_t = Keys::Contract)]
    pub(crate) keys: Keys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Keys {
    /// All that `reports` counts by: hours of a day and campaigns, too.
    Contract,
    /// What the peers count by: one hour, one campaign a source. Everybody then keeps the same counters.
    Shared,
}

impl Shape {
    /// As options of `make bench`, where they are not the usual ones.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        if let Some(bytes) = &self.bytes {
            words += &format!(" BYTES={}-{}", bytes.start(), bytes.end());
        }
        if self.malformed > 0 {
            words += &format!(" MALFORMED={}", self.malformed);
        }
        if self.zipf != 1.0 {
            words += &format!(" ZIPF={}", self.zipf);
        }
        if self.keys == Keys::Shared {
            words += " KEYS=shared";
        }
        words
    }
}

fn bytes(text: &str) -> anyhow::Result<RangeInclusive<usize>> {
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse().with_context(|| format!("{text} is no number of bytes"));
    let (least, most) = (number(least)?, number(most)?);
    ensure!((200..=4096).contains(&least) && (least..=4096).contains(&most), "from 200 to 4096 bytes are possible");
    Ok(least..=most)
}

impl Default for Shape {
    fn default() -> Self {
        Self { bytes: None, malformed: 0, zipf: 1.0, keys: Keys::Contract }
    }
}
