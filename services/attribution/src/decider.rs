//! The handler of the stage `decide`.

use event::{Activity, Kind, topic};
use stream::{Batch, Outgoing};

use crate::apps::Apps;
use crate::arrival::{Arrival, Refused};
use crate::commits::Commits;
use crate::lookups::{Asker, Lookups, is_caught_up};
use crate::outcome::{Outcome, decide_batch};
use crate::questions::Questions;
use crate::recent::Recent;

pub(crate) struct Decider {
    pub(crate) lookups: Lookups,
    pub(crate) recent: Recent,
    pub(crate) commits: Commits,
    pub(crate) apps: Apps,
}

/// What a batch holds, sorted.
#[derive(Default)]
struct Sorted<'b> {
    arrivals: Vec<Arrival<'b>>,
    refused: Vec<Refused>,
    questions: Questions,
    /// When the newest of the records that go out was appended.
    newest: i64,
}

impl Decider {
    /// Decides a batch, behind the hold.
    pub(crate) fn handle(&mut self, batch: &mut Batch<'_>) -> anyhow::Result<Vec<Outgoing>> {
        let Self { lookups: Lookups { log, recorded, .. }, recent, .. } = self;
        recent.begin(batch.session(), || log.ends(topic::INSTALLS))?;
        recent.forget(self.commits.so_far(), || log.ends(topic::INSTALLS), |ends| is_caught_up(recorded, ends))?;

        let partition = batch.partition().clone();
        let Sorted { arrivals, refused, questions, newest } = Sorted::from(&mut *batch);
        let outcome = match arrivals.last() {
            Some(last) => {
                let asker = Asker { partition: partition.id, last: last.offset, newest };
                let mut answers = self.lookups.answer(asker, &questions, self.recent.floor())?;
                self.recent.complete(partition.id, &mut answers, &questions);
                decide_batch(&partition, &arrivals, &answers, &self.apps.rules())?
            }
            None => Outcome::default(),
        };
        for Refused { offset, refusal } in refused.into_iter().chain(outcome.refused) {
            batch.refuse(offset, refusal.code, refusal.message);
        }
        batch.repeated(outcome.repeated);
        self.recent.add(partition.id, outcome.decided); // if the commit fails, the next session forgets them
        Ok(outcome.records)
    }
}

impl<'b> Sorted<'b> {
    fn from(batch: &'b mut Batch<'_>) -> Self {
        let mut sorted = Self::default();
        for record in batch.decode::<Activity<'b>>() {
            match Arrival::admit(record) {
                Ok(arrival) => sorted.add(arrival),
                Err(refused) => sorted.refused.push(refused),
            }
        }
        sorted
    }

    /// Touches were checked, and are not needed any more: `remember` has them.
    fn add(&mut self, arrival: Arrival<'b>) {
        match arrival.activity.kind {
            Kind::Click | Kind::Impression => {}
            Kind::Install | Kind::Session | Kind::Event => {
                self.questions.add(&arrival.activity);
                self.newest = self.newest.max(arrival.appended_at);
                self.arrivals.push(arrival);
            }
        }
    }
}
