//! Rows of Redis: it dies, forgets, refuses, hangs.

mod cluster;
mod disk;
mod emptied;
mod hang;
mod loss;
mod refusal;
mod state;

use crate::row::{Row, Servers};

pub(crate) const ROWS: &[Row] = &[
    Row::new("29", "Redis killed, in a loop", loss::killed).heart(),
    Row::new("30", "Redis with a torn append-only file, twice", loss::torn_twice).heart(),
    Row::new("31", "Redis fails over to a replica that is behind", loss::failed_over).heart(),
    Row::new("32", "The same where nothing more is written", loss::failed_over_idle),
    Row::new("33", "Redis is read-only for seconds", refusal::read_only),
    Row::new("34", "Redis emptied under load", emptied::flushed).heart(),
    Row::new("34b", "Redis emptied, every service killed in the rebuild", emptied::flushed_and_killed),
    Row::new("35", "Redis has less memory than it uses", refusal::out_of_memory),
    Row::new("36", "Redis may evict", refusal::may_evict),
    Row::new("37", "Redis frozen beyond the timeouts", hang::frozen).heart(),
    Row::new("37b", "Redis applies, and its answer is lost or late", hang::answer_lost),
    Row::new("38", "Redis forgets its scripts, and is busy with another", refusal::busy),
    Row::new("39", "Slots of a Redis Cluster move", cluster::slots_move).on(Servers::Cluster),
    Row::new("40", "Redis has no disk left", disk::full),
    Row::new("41", "A key of another type", refusal::wrong_type),
    Row::new("42", "The user of Redis is switched off", refusal::locked_out),
    Row::new("56", "Redis emptied while deliveries wait", emptied::flushed_with_pending).heart(),
];
