//! The loop: poll, handle, dead-letter, commit. And the one recovery.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::dead::DeadLetters;
use crate::meter::Meter;
use crate::source::{Condition, Source};
use crate::unripe::Unripe;
use crate::{Assignment, Batch, BatchLimits, Error, Kafka, Part, Result, Sink, Work, healable};

/// A topic, a function and a place.
pub struct Stage<S, H> {
    name: String,
    source: Source,
    handler: H,
    dead: DeadLetters,
    sink: S,
    meter: Meter,
}

impl<S, H> Stage<S, H>
where
    S: Sink,
    H: FnMut(&mut Batch<'_>) -> anyhow::Result<S::Output>,
{
    /// Joins the consumer group of `name` on `topic`. A missing server or topic is a fatal error that says what to do.
    pub fn open(kafka: &Kafka, name: &str, topic: &str, sink: S, handler: H) -> Result<Self> {
        let source = Source::open(kafka, name, topic)?;
        let dead = DeadLetters::open(kafka, name, topic)?;
        Ok(Self { name: name.to_owned(), source, handler, dead, sink, meter: Meter::new(name) })
    }

    /// Sets how much one commit carries.
    pub fn limits(mut self, limits: &BatchLimits) -> Self {
        self.source.limits = limits.clone();
        self
    }

    /// Stays behind the log: a record is handed out when it has lain there for so long, and no sooner.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.source.unripe = Unripe::hold(hold);
        self
    }

    /// Says for how long the sink keeps what it stores: a topic that is kept for less could not rebuild it, and this warns.
    pub fn keeps(self, kafka: &Kafka, state: Duration) -> Self {
        healable::look(kafka, (&self.name, self.source.topic()), state);
        self
    }

    /// The partitions that this stage owns, for whoever works beside it.
    pub fn assignment(&self) -> Assignment {
        self.source.assignment()
    }

    /// Runs until `running` says no, which it is asked between two steps, with what stands in the way (if anything).
    pub fn run(mut self, running: impl Fn(Option<&str>) -> bool) -> Result<()> {
        let mut trouble = Some("joining the consumer group".to_owned());
        while running(trouble.as_deref()) {
            match self.step() {
                Ok(Condition::Reading(obstacle)) => trouble = obstacle,
                Ok(Condition::Waiting) => {}
                Err(error @ Error::Fatal { .. }) => return Err(error),
                Err(error) => {
                    warn!(stage = self.name, %error, "recovering");
                    self.meter.recovered(&error);
                    trouble = Some(error.to_string());
                    if let Error::Halted(halt) = &error {
                        self.source.halt(halt);
                    }
                    self.source.restart()?;
                }
            }
        }
        info!(stage = self.name, "stopped");
        Ok(())
    }

    /// One step of the hot path. An error drops the step's work: nothing is retried in place.
    fn step(&mut self) -> Result<Condition> {
        let batches = self.source.poll(&mut self.sink)?;
        let parts = work(batches, &mut self.handler, |batch| {
            self.meter.took(batch);
            self.dead.send(batch)
        })?;
        if !parts.is_empty() {
            let started = Instant::now();
            self.sink.commit(Work { owner: self.source.owner(), parts })?;
            self.meter.committed(started.elapsed());
            self.source.stored::<S>()?;
        }
        self.source.check(&mut self.sink)?;
        self.meter.stepped(self.source.halts());
        Ok(self.source.condition())
    }
}

/// What a step does between polling and committing.
pub(crate) fn work<'poll, O>(
    batches: Vec<Batch<'poll>>,
    handler: &mut impl FnMut(&mut Batch<'_>) -> anyhow::Result<O>,
    mut dead_letter: impl FnMut(&Batch<'poll>) -> Result<()>,
) -> Result<Vec<Part<O>>> {
    let mut parts = Vec::new();
    for mut batch in batches {
        let output = handle(handler, &mut batch)?;
        dead_letter(&batch)?; // acknowledged before the position moves past it
        parts.push(batch.finish(output));
    }
    Ok(parts)
}

/// Calls the handler; the record that makes it panic becomes a reject, and the batch runs again without it.
pub(crate) fn handle<O>(
    handler: &mut impl FnMut(&mut Batch<'_>) -> anyhow::Result<O>,
    batch: &mut Batch<'_>,
) -> Result<O> {
    loop {
        match catch_unwind(AssertUnwindSafe(|| handler(batch))) {
            Ok(output) => return Ok(output?),
            Err(_) => batch.refuse_panicked()?,
        }
    }
}
