//! The stages of the suite: which topic each reads, and where its position stands.

use event::topic;

/// Where a stage's position stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In Redis, beside what it wrote.
    Ledger,
    /// In Kafka, moved by the transaction that published its records.
    Publisher,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownStage {
    pub(crate) name: &'static str,
    pub(crate) topic: &'static str,
    pub(crate) place: Place,
}

pub(crate) const STAGES: [KnownStage; 8] = [
    ledger("attribution.remember", topic::ACTIVITY),
    KnownStage { name: "attribution.decide", topic: topic::ACTIVITY, place: Place::Publisher },
    ledger("attribution.record", topic::INSTALLS),
    ledger("reports.activity", topic::ACTIVITY),
    ledger("reports.installs", topic::INSTALLS),
    ledger("reports.events", topic::EVENTS),
    ledger("postbacks.installs", topic::INSTALLS),
    ledger("postbacks.events", topic::EVENTS),
];

const fn ledger(name: &'static str, topic: &'static str) -> KnownStage {
    KnownStage { name, topic, place: Place::Ledger }
}
