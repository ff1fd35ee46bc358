//! One row of the matrix: a fault, and how it is injected.

use crate::fire::Fire;

/// A fault that the suite must survive.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// As in the matrix, such as `24` or `34b`.
    pub(crate) number: &'static str,
    pub(crate) name: &'static str,
    pub(crate) rank: Rank,
    pub(crate) servers: Servers,
    pub(crate) inject: Inject,
}

#[derive(Clone, Copy)]
pub(crate) enum Inject {
    /// Under load; the verdict comes after it.
    Run(fn(&mut Fire)),
    /// With a suite, a load and a verdict of its own; answers what the table notes.
    Alone(fn(u64) -> String),
    /// It cannot be run here, for this reason.
    NotHere(&'static str),
}

/// How often a row is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    Plain,
    /// At the heart of the promise: more seeds.
    Heart,
}

/// What a row stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Servers {
    /// One broker, one Redis.
    Plain,
    /// Three brokers: three replicas, of which two must be in sync.
    ThreeBrokers,
    /// One broker that the services reach through a proxy.
    Proxied,
    /// One broker, and a Redis Cluster of three.
    Cluster,
}

impl Row {
    pub(crate) const fn new(number: &'static str, name: &'static str, run: fn(&mut Fire)) -> Self {
        Self { number, name, rank: Rank::Plain, servers: Servers::Plain, inject: Inject::Run(run) }
    }

    pub(crate) const fn alone(number: &'static str, name: &'static str, run: fn(u64) -> String) -> Self {
        Self { number, name, rank: Rank::Plain, servers: Servers::Plain, inject: Inject::Alone(run) }
    }

    pub(crate) const fn not_here(number: &'static str, name: &'static str, why: &'static str) -> Self {
        Self { number, name, rank: Rank::Plain, servers: Servers::Plain, inject: Inject::NotHere(why) }
    }

    pub(crate) const fn heart(mut self) -> Self {
        self.rank = Rank::Heart;
        self
    }

    pub(crate) const fn on(mut self, servers: Servers) -> Self {
        self.servers = servers;
        self
    }
}
