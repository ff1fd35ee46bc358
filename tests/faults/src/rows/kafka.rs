//! Rows in which Kafka is at fault.

mod brokers;
mod disk;
mod groups;
mod network;
mod sizes;
mod topics;

mod probe;

use crate::row::{Row, Servers};

pub(crate) const ROWS: &[Row] = &[
    Row::new("4", "a leader is killed", brokers::leader_killed).on(Servers::ThreeBrokers),
    Row::new("5", "all brokers down", brokers::all_killed).on(Servers::ThreeBrokers),
    Row::new("6", "a leader frozen for 45 s", brokers::leader_frozen).on(Servers::ThreeBrokers),
    Row::new("7", "rolling restart", brokers::rolling_restart).on(Servers::ThreeBrokers),
    Row::new("8", "leaders move", brokers::leaders_moved).on(Servers::ThreeBrokers),
    Row::new("9", "too few replicas in sync", brokers::too_few_in_sync).on(Servers::ThreeBrokers),
    Row::new("10", "the broker's disk is full", disk::full),
    Row::new("11", "10 kB/s to the broker", network::narrow).on(Servers::Proxied),
    Row::new("12", "500 ms to the broker and back", network::slow).on(Servers::Proxied),
    Row::new("13", "Kafka cut off, one way or both", network::cut).on(Servers::Proxied),
    Row::alone("14", "a broker that gives a wrong address", topics::wrong_address),
    Row::alone("15", "a topic made anew", topics::recreated),
    Row::alone("15b", "a topic made anew, and filled beyond the positions", topics::recreated_and_filled),
    Row::alone("15c", "a topic missing at the start", topics::missing),
    Row::alone("16", "retention passed the position", topics::passed_by_retention),
    Row::alone("17", "more partitions", topics::grown),
    Row::new("18", "records larger than the topic takes", sizes::oversized),
    Row::new("22", "dead letters are not taken", sizes::dead_letters_refused),
    Row::new("27", "a coordinator restarts", groups::coordinator_restarted).on(Servers::ThreeBrokers),
    Row::new("27b", "a foreign transaction hangs", groups::foreign_transaction),
    Row::new("27c", "attribution's group is forgotten", groups::forgotten),
];
