//! One topic, read by one member of a consumer group, from where the sink says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Offset as KafkaOffset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::TopicPartitionList;
use tracing::{debug, error, info};

use crate::assignment::Assignment;
use crate::gather::Gather;
use crate::halt::{Halt, Halts};
use crate::reach::{require_leader, require_topic};
use crate::rebalance::{Change, Rebalance};
use crate::recognise::{recognise, standings};
use crate::stable::Hanging;
use crate::standstill::Standstill;
use crate::unripe::Unripe;
use crate::watermarks::{list, offsets};
use crate::{Batch, BatchLimits, Error, Kafka, Offset, Owner, Partition, Result, Sink, Standing};

/// How long Kafka may take to answer a question about offsets.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);
const MOST_HALVED: u32 = 10;
const CHECK_EVERY: Duration = Duration::from_secs(1);
const WITNESS_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Source {
    kafka: Kafka,
    consumer: BaseConsumer<Rebalance>,
    topic: Arc<str>,
    pub(crate) limits: BatchLimits,
    pub(crate) unripe: Unripe,
    owner: Owner,
    assignment: Assignment,
    /// Where each partition's next part begins.
    positions: BTreeMap<i32, Offset>,
    /// Set while the assigned partitions wait for the sink to say where to resume.
    resume_at: Option<Instant>,
    failures: u32,
    /// How often the limits of a step are halved: what could not be stored in time may be too much at once.
    halved: u32,
    halts: Halts,
    hanging: Hanging,
    standstill: Standstill,
    /// What the sink last said of itself.
    unfinished: Option<String>,
    /// How far each partition is witnessed in Kafka.
    witnessed: BTreeMap<i32, Offset>,
    witnessed_at: Instant,
    checked_at: Instant,
}

/// How the assigned partitions are doing.
pub(crate) enum Condition {
    /// They wait for the group, or for the sink to say where to resume.
    Waiting,
    /// They are read, and this stands in the way of some, if anything.
    Reading(Option<String>),
}

impl Source {
    /// Joins the group of the stage `name`.
    pub(crate) fn open(kafka: &Kafka, name: &str, topic: &str) -> Result<Self> {
        let mut config = kafka.consumer(name)?;
        config.set("group.id", kafka.group_of(name)).set("statistics.interval.ms", "5000");
        let consumer = BaseConsumer::from_config_and_context(&config, Rebalance::default())
            .map_err(|error| Error::configuration(format!("kafka.options: {error}")))?;
        let metadata =
            consumer.fetch_metadata(Some(topic), ANSWER_WITHIN).map_err(|error| kafka.unreachable(&error))?;
        require_topic(kafka, topic, &metadata)?;
        require_leader(kafka, topic, &metadata, consumer.client())?;
        consumer.subscribe(&[topic])?;
        Ok(Self {
            kafka: kafka.clone(),
            consumer,
            topic: topic.into(),
            limits: BatchLimits::default(),
            unripe: Unripe::default(),
            owner: Owner::default(),
            assignment: Assignment::default(),
            positions: BTreeMap::new(),
            resume_at: None,
            failures: 0,
            halved: 0,
            halts: Halts::default(),
            hanging: Hanging::default(),
            standstill: Standstill::from(Instant::now()),
            unfinished: None,
            witnessed: BTreeMap::new(),
            witnessed_at: Instant::now(),
            checked_at: Instant::now(),
        })
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    pub(crate) fn assignment(&self) -> Assignment {
        self.assignment.clone()
    }

    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Brings one batch per partition that has anything new; nothing while a rebalance or a recovery is under way.
    pub(crate) fn poll<S: Sink>(&mut self, sink: &mut S) -> Result<Vec<Batch<'_>>> {
        self.answer(sink)?;
        let max_records = (self.limits.max_records >> self.halved).max(1);
        let limits = BatchLimits { max_records, ..self.limits.clone() };
        let gather = Gather::new(&limits, &self.topic, self.assignment.session(), &self.positions);
        let batches = gather.poll(&self.consumer, &mut self.unripe)?;
        for batch in &batches {
            self.positions.insert(batch.partition().id, batch.next);
        }
        Ok(batches)
    }

    /// Gives up the assignment without leaving the group; the next polls ask the sink where to resume.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let back_off = Duration::from_millis(50) * 2_u32.saturating_pow(self.failures.min(10));
        self.failures += 1;
        self.halved = (self.halved + 1).min(MOST_HALVED);
        self.resume_at = Some(Instant::now() + back_off.min(LONGEST_BACK_OFF));
        self.positions.clear();
        self.standstill = Standstill::from(Instant::now());
        Ok(self.consumer.unassign()?)
    }

    /// Tells the source that the step's work is stored.
    pub(crate) fn stored<S: Sink>(&mut self) -> Result<()> {
        self.failures = 0;
        self.halved = self.halved.saturating_sub(1);
        self.assignment.moved_to(&self.positions);
        if S::WITNESSED && self.witnessed_at.elapsed() >= WITNESS_EVERY { self.witness() } else { Ok(()) }
    }

    /// Once a second: whether the sink still stands where this source reads, and what hangs.
    pub(crate) fn check<S: Sink>(&mut self, sink: &mut S) -> Result<()> {
        if self.positions.is_empty() || self.checked_at.elapsed() < CHECK_EVERY {
            return Ok(());
        }
        self.checked_at = Instant::now();
        self.hanging.observe(&self.consumer.context().horizons(&self.positions), self.checked_at);
        let ends = |ids: &[i32]| offsets(&self.consumer, &self.topic, ids, KafkaOffset::End);
        if let Some(id) = self.standstill.look(&self.unripe.others(&self.positions), self.checked_at, ends)? {
            let reason = format!("nothing arrives from {}/{id} although there is more: fetching anew", self.topic);
            return Err(Error::transient(reason));
        }
        let partition = |id| Partition { topic: self.topic.clone(), id };
        let positions: Vec<_> = self.positions.iter().map(|(&id, &position)| (partition(id), position)).collect();
        self.unfinished = sink.check(&positions)?;
        if S::WITNESSED { self.witness() } else { Ok(()) }
    }

    /// Notes in Kafka how far the sink stands, and for this use alone: one that is found empty should not be. A sink that
    /// went back, or is being rebuilt, takes no note back.
    fn witness(&mut self) -> Result<()> {
        let is_news = |id: &i32, position: &Offset| self.witnessed.get(id).is_none_or(|witnessed| witnessed < position);
        let news: Vec<(i32, Offset)> =
            self.positions.iter().filter(|(id, position)| is_news(id, position)).map(|(&id, &at)| (id, at)).collect();
        if news.is_empty() {
            return Ok(());
        }
        let offsets = news.iter().map(|&(id, position)| (id, KafkaOffset::Offset(position.0)));
        self.consumer.commit(&list(&self.topic, offsets)?, CommitMode::Async)?;
        self.witnessed.extend(news);
        self.witnessed_at = Instant::now();
        Ok(())
    }

    /// From now on this partition is not read, until it is asked again.
    pub(crate) fn halt(&mut self, halt: &Halt) {
        self.halts.add(halt.clone());
    }

    pub(crate) fn halts(&self) -> &Halts {
        &self.halts
    }

    pub(crate) fn condition(&self) -> Condition {
        if self.assignment.session() == 0 || self.resume_at.is_some() {
            return Condition::Waiting;
        }
        let hanging = || self.hanging.in_words(&self.topic, Instant::now());
        Condition::Reading(self.halts.in_words().or_else(hanging).or_else(|| self.unfinished.clone()))
    }

    /// Answers a change of assignment on the stage's own stack; heartbeats go on meanwhile.
    fn answer<S: Sink>(&mut self, sink: &mut S) -> Result<()> {
        if let Some(change) = self.consumer.context().take() {
            let (partitions, resume_at) = match change {
                Change::Assigned(partitions) => (partitions, Some(Instant::now())),
                Change::Revoked => (Vec::new(), None),
            };
            info!(topic = %self.topic, ?partitions, "assigned");
            self.positions.clear();
            self.halts.clear();
            self.resume_at = resume_at;
            self.assignment.set(partitions);
        }
        match self.resume_at {
            Some(at) if at <= Instant::now() => self.resume(sink),
            None => self.ask_again(sink),
            Some(_) => Ok(()),
        }
    }

    /// Looks at halted partitions now and then. Where one can go on, all of them resume: there is one way to begin.
    fn ask_again<S: Sink>(&mut self, sink: &mut S) -> Result<()> {
        let due = self.halts.due();
        if due.is_empty() {
            return Ok(());
        }
        let mut standings = standings(&self.consumer, &self.topic, &due)?;
        let bookmarks = sink.resume(&standings)?;
        let known = recognise((&self.kafka, &self.consumer), &self.topic, &mut standings, &bookmarks)?;
        for (standing, known) in standings.iter().zip(known) {
            let id = standing.partition.id;
            if known.is_ok_and(|position| self.halts.lets_go(id, position)) {
                self.halts.forget(id);
                self.resume_at = Some(Instant::now());
            } else {
                self.halts.postpone(id);
            }
        }
        Ok(())
    }

    fn resume<S: Sink>(&mut self, sink: &mut S) -> Result<()> {
        let partitions = self.assignment.partitions();
        if partitions.is_empty() {
            self.resume_at = None;
            return Ok(self.consumer.assign(&TopicPartitionList::new())?);
        }
        // Taken now and not at commit time: a background rejoin resets it, and a broker accepts the empty one unchecked.
        self.owner = Owner(self.consumer.group_metadata());
        sink.settle()?;
        let mut standings = standings(&self.consumer, &self.topic, &partitions)?;
        let committed = standings.iter().filter_map(|standing| Some((standing.partition.id, standing.committed?)));
        self.witnessed = committed.collect();
        let bookmarks = sink.resume(&standings)?;
        let known = recognise((&self.kafka, &self.consumer), &self.topic, &mut standings, &bookmarks)?;
        let mut positions = BTreeMap::new();
        for (standing, known) in standings.iter().zip(known) {
            match known {
                _ if self.halts.holds(standing.partition.id) => {}
                Ok(position) => drop(positions.insert(standing.partition.id, position)),
                Err(halt) => {
                    error!(partition = %halt.partition, code = halt.code.as_str(), reason = halt.reason, "halted");
                    self.halts.add(halt);
                }
            }
        }
        let starts = positions.iter().map(|(&id, position)| (id, KafkaOffset::Offset(position.0)));
        self.consumer.assign(&list(&self.topic, starts)?)?;
        if !S::WITNESSED {
            self.note_first_start(&standings, &positions)?;
        }
        self.assignment.set(partitions); // a new session: what was remembered before may never have been stored
        self.positions = positions;
        self.unripe.clear();
        self.assignment.moved_to(&self.positions);
        self.unfinished = None;
        self.resume_at = None;
        debug!(topic = %self.topic, positions = ?self.positions, "resumed");
        Ok(())
    }

    /// A partition that starts for the first time is known to the group from now on, and not from its first transaction on:
    /// if that fails, or somebody else publishes before it, nobody could tell this start from an offset that was lost.
    fn note_first_start(&self, standings: &[Standing], positions: &BTreeMap<i32, Offset>) -> Result<()> {
        let new = standings.iter().filter(|standing| standing.committed.is_none());
        let starts: Vec<_> = new.filter_map(|standing| positions.get_key_value(&standing.partition.id)).collect();
        if starts.is_empty() {
            return Ok(());
        }
        let starts = starts.into_iter().map(|(&id, position)| (id, KafkaOffset::Offset(position.0)));
        Ok(self.consumer.commit(&list(&self.topic, starts)?, CommitMode::Sync)?)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // Without both, dropping the consumer waits for ever on an assignment that nobody answers.
        self.consumer.context().close();
        if let Err(error) = self.consumer.unassign() {
            debug!(%error, "cannot give up the assignment");
        }
    }
}
