//! One topic, read by one member of a consumer group, from where the sink says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{Message as _, Offset as KafkaOffset};
use tracing::{debug, info};

use crate::assignment::Assignment;
use crate::reach::{require_leader, require_topic};
use crate::rebalance::{Change, Rebalance};
use crate::{Batch, BatchLimits, Error, Kafka, Message, Offset, Owner, Partition, Result, Sink, Standing};

/// How long Kafka may take to answer a question about offsets.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// One step's records, whatever their number: what a step may hold in memory.
const MOST_BYTES: usize = 64 << 20;
/// Records between two looks at the clock while they keep coming: a look costs as much as a tenth of a record.
const LOOK_EVERY: usize = 64;
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);
const CHECK_EVERY: Duration = Duration::from_secs(1);
const WITNESS_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Source {
    consumer: BaseConsumer<Rebalance>,
    topic: Arc<str>,
    pub(crate) limits: BatchLimits,
    owner: Owner,
    assignment: Assignment,
    /// Where each partition's next part begins.
    positions: BTreeMap<i32, Offset>,
    /// Set while the assigned partitions wait for the sink to say where to resume.
    resume_at: Option<Instant>,
    failures: u32,
    witnessed_at: Instant,
    checked_at: Instant,
}

impl Source {
    /// Joins the group of the stage `name`.
    pub(crate) fn open(kafka: &Kafka, name: &str, topic: &str) -> Result<Self> {
        let mut config = kafka.consumer(name)?;
        config.set("group.id", kafka.group_of(name));
        let consumer = BaseConsumer::from_config_and_context(&config, Rebalance::default())
            .map_err(|error| Error::configuration(format!("kafka.options: {error}")))?;
        let metadata =
            consumer.fetch_metadata(Some(topic), ANSWER_WITHIN).map_err(|error| kafka.unreachable(&error))?;
        require_topic(kafka, topic, &metadata)?;
        require_leader(kafka, topic, &metadata, consumer.client())?;
        consumer.subscribe(&[topic])?;
        Ok(Self {
            consumer,
            topic: topic.into(),
            limits: BatchLimits::default(),
            owner: Owner::default(),
            assignment: Assignment::default(),
            positions: BTreeMap::new(),
            resume_at: None,
            failures: 0,
            witnessed_at: Instant::now(),
            checked_at: Instant::now(),
        })
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
        let batches = gather(&self.consumer, &self.limits, &self.topic, self.assignment.session(), &self.positions)?;
        for batch in &batches {
            self.positions.insert(batch.partition().id, batch.next);
        }
        Ok(batches)
    }

    /// Gives up the assignment without leaving the group; the next polls ask the sink where to resume.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let back_off = Duration::from_millis(50) * 2_u32.saturating_pow(self.failures.min(10));
        self.failures += 1;
        self.resume_at = Some(Instant::now() + back_off.min(LONGEST_BACK_OFF));
        self.positions.clear();
        Ok(self.consumer.unassign()?)
    }

    /// Tells the source that the step's work is stored. Once a second it notes the positions in Kafka: after the fact, and
    /// only as a witness that the store should not be empty.
    pub(crate) fn stored<S: Sink>(&mut self) -> Result<()> {
        self.failures = 0;
        self.assignment.moved_to(&self.positions);
        if !S::WITNESSED || self.witnessed_at.elapsed() < WITNESS_EVERY {
            return Ok(());
        }
        self.witnessed_at = Instant::now();
        let positions = self.positions.iter().map(|(&id, &position)| (id, KafkaOffset::Offset(position.0)));
        Ok(self.consumer.commit(&self.list(positions)?, CommitMode::Async)?)
    }

    /// The positions, once a second and where there are any.
    pub(crate) fn positions_to_check(&mut self) -> Option<Vec<(Partition, Offset)>> {
        if self.positions.is_empty() || self.checked_at.elapsed() < CHECK_EVERY {
            return None;
        }
        self.checked_at = Instant::now();
        let partition = |id| Partition { topic: self.topic.clone(), id };
        Some(self.positions.iter().map(|(&id, &position)| (partition(id), position)).collect())
    }

    /// Whether the group has assigned partitions, and every one of them is being read.
    pub(crate) fn is_whole(&self) -> bool {
        self.assignment.session() > 0 && self.resume_at.is_none()
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
            self.resume_at = resume_at;
            self.assignment.set(partitions);
        }
        match self.resume_at {
            Some(at) if at <= Instant::now() => self.resume(sink),
            _ => Ok(()),
        }
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
        let standings = self.standings(&partitions)?;
        let positions = sink.resume(&standings)?;
        for (standing, &position) in standings.iter().zip(&positions) {
            check_in_log(standing, position)?;
        }
        let starts = partitions.iter().copied().zip(positions.iter().map(|position| KafkaOffset::Offset(position.0)));
        self.consumer.assign(&self.list(starts)?)?;
        self.assignment.set(partitions.clone()); // a new session: what was remembered before may never have been stored
        self.positions = partitions.into_iter().zip(positions).collect();
        self.assignment.moved_to(&self.positions);
        self.resume_at = None;
        debug!(topic = %self.topic, positions = ?self.positions, "resumed");
        Ok(())
    }

    fn standings(&self, partitions: &[i32]) -> Result<Vec<Standing>> {
        let asked = self.list(partitions.iter().map(|&id| (id, KafkaOffset::Invalid)))?;
        let committed = self.consumer.committed_offsets(asked, ANSWER_WITHIN)?;
        partitions
            .iter()
            .map(|&id| {
                let element = committed.find_partition(&self.topic, id);
                let (first, end) = self.consumer.fetch_watermarks(&self.topic, id, ANSWER_WITHIN)?;
                let committed = match element {
                    Some(element) => {
                        element.error()?;
                        element.offset().to_raw().filter(|&offset| offset >= 0).map(Offset)
                    }
                    None => None,
                };
                let partition = Partition { topic: self.topic.clone(), id };
                Ok(Standing { partition, committed, first: Offset(first), end: Offset(end) })
            })
            .collect()
    }

    fn list(&self, offsets: impl Iterator<Item = (i32, KafkaOffset)>) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (id, offset) in offsets {
            list.add_partition_offset(&self.topic, id, offset)?;
        }
        Ok(list)
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

/// Polls until the limits are reached. A change of assignment drops everything gathered so far.
fn gather<'poll>(
    consumer: &'poll BaseConsumer<Rebalance>,
    limits: &BatchLimits,
    topic: &Arc<str>,
    session: u64,
    positions: &BTreeMap<i32, Offset>,
) -> Result<Vec<Batch<'poll>>> {
    let deadline = Instant::now() + limits.max_wait;
    let mut patience = Duration::ZERO;
    let mut batches: HashMap<i32, Batch<'poll>> = HashMap::new();
    let (mut records, mut bytes) = (0, 0);
    while records < limits.max_records && bytes < MOST_BYTES && !consumer.context().is_pending() {
        let polled = consumer.poll(patience);
        patience = Duration::ZERO;
        let idle = polled.is_none();
        match polled {
            Some(Ok(message)) => {
                let id = message.partition();
                let Some(&from) = positions.get(&id) else { continue }; // fetched before the last recovery
                (records, bytes) = (records + 1, bytes + message.payload_len());
                let start = || Batch::new(Partition { topic: topic.clone(), id }, session, from);
                batches.entry(id).or_insert_with(start).push(Message::Borrowed(message));
            }
            Some(Err(error)) if is_transport(&error) => metrics::counter!("kafka_transport_errors_total").increment(1),
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
        if idle || records % LOOK_EVERY == 0 {
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                break;
            }
            if idle {
                patience = remaining;
            }
        }
    }
    if consumer.context().is_pending() {
        return Ok(Vec::new());
    }
    for element in consumer.position()?.elements() {
        let (id, KafkaOffset::Offset(position)) = (element.partition(), element.offset()) else { continue };
        let Some(&from) = positions.get(&id) else { continue };
        // The consumer's position is past control records, which no record shows: a part may move without any.
        if position > from.0 {
            let start = || Batch::new(Partition { topic: topic.clone(), id }, session, from);
            batches.entry(id).or_insert_with(start).next = Offset(position);
        }
    }
    Ok(batches.into_values().collect())
}

/// Connections that come and go: librdkafka mends them by itself.
fn is_transport(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
    let codes = [AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve];
    error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}

/// A position outside the log is never mended silently.
fn check_in_log(standing: &Standing, position: Offset) -> Result<()> {
    let Standing { partition, first, end, .. } = standing;
    if position > *end {
        return Err(Error::fatal(format!(
            "topic_recreated: {partition} ends at {end}, but {position} was already stored; \
             if the topic was recreated on purpose, start a new generation of this service"
        )));
    }
    if position < *first {
        return Err(Error::fatal(format!(
            "offset_out_of_range: {partition} begins at {first}, but {position} is the next to read; \
             retention removed {} records that were never read",
            first.0 - position.0
        )));
    }
    Ok(())
}
