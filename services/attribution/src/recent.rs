//! The decisions that this process made and that `record` may not have reached yet.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ends::Ends;
use crate::known::Known;
use crate::questions::{Answers, Questions};

/// Decisions by partition and by the name under which `record` will keep them there, in two generations. They hold for one
/// session of the stage: in the next one, what was decided may never have been published.
pub(crate) struct Recent {
    /// So many decisions make a generation.
    generation: usize,
    session: Option<u64>,
    /// What is in `installs` below these ends may be missing here: `record` must have read it.
    floor: Ends,
    young: Generation,
    old: Generation,
    aging: Aging,
}

type Decisions = HashMap<String, Arc<Known>>;

#[derive(Default)]
struct Generation(HashMap<i32, Decisions>);

/// How far the older generation is from being forgotten.
#[derive(Debug, Default)]
enum Aging {
    #[default]
    Empty,
    /// Its last decisions may still wait for their commit, the one with this number.
    Committing(u64),
    /// All of it is in `installs`, below these ends.
    Published(Ends),
}

const GENERATION: usize = 10_000;

impl Default for Recent {
    fn default() -> Self {
        Self::of(GENERATION)
    }
}

impl Recent {
    /// Remembers at least so many decisions, and twice as many at most.
    pub(crate) fn of(generation: usize) -> Self {
        let (young, old) = (Generation::default(), Generation::default());
        Self { generation, session: None, floor: Ends::default(), young, old, aging: Aging::Empty }
    }

    /// Forgets everything if this is another session than before: from now on `record` must know what is in `installs`,
    /// which `ends` is asked for.
    pub(crate) fn begin(&mut self, session: u64, ends: impl FnOnce() -> anyhow::Result<Ends>) -> anyhow::Result<()> {
        if self.session != Some(session) {
            *self = Self { session: Some(session), floor: ends()?, ..Self::of(self.generation) };
        }
        Ok(())
    }

    /// Up to where `record` must have read `installs`, so that its decisions and these are all there are.
    pub(crate) fn floor(&self) -> &Ends {
        &self.floor
    }

    pub(crate) fn add(&mut self, partition: i32, decided: Decisions) {
        self.young.0.entry(partition).or_default().extend(decided);
    }

    /// Adds to the answers for a batch of this partition what only this process knows.
    pub(crate) fn complete(&self, partition: i32, answers: &mut Answers, questions: &Questions) {
        for key in &questions.decisions {
            if let Some(known) = self.young.find(partition, key).or_else(|| self.old.find(partition, key)) {
                answers.decisions.insert(key.clone(), known.clone());
            }
        }
    }

    /// Forgets the older generation once `record` has read all of it. `commits` counts the steps that were committed,
    /// `ends` asks where `installs` ends now, and `is_recorded` whether `record` has got there.
    pub(crate) fn forget(
        &mut self,
        commits: u64,
        ends: impl FnOnce() -> anyhow::Result<Ends>,
        is_recorded: impl FnOnce(&Ends) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        match &mut self.aging {
            Aging::Empty if self.young.len() >= self.generation => {
                self.old = std::mem::take(&mut self.young);
                self.aging = Aging::Committing(commits);
            }
            Aging::Committing(step) if commits > *step => self.aging = Aging::Published(ends()?),
            Aging::Published(ends) if is_recorded(ends)? => {
                self.floor = std::mem::take(ends);
                self.old = Generation::default();
                self.aging = Aging::Empty;
            }
            Aging::Empty | Aging::Committing(_) | Aging::Published(_) => {}
        }
        Ok(())
    }
}

impl Generation {
    fn len(&self) -> usize {
        self.0.values().map(HashMap::len).sum()
    }

    fn find(&self, partition: i32, key: &str) -> Option<&Arc<Known>> {
        self.0.get(&partition)?.get(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(count: usize) -> Decisions {
        let known = Arc::new(Known { source: "activity/0/1".into(), attribution: Box::default() });
        (0..count).map(|number| (number.to_string(), known.clone())).collect()
    }

    fn knows(recent: &Recent, key: &str) -> bool {
        let mut answers = Answers::default();
        let questions = Questions { decisions: [key.to_owned()].into(), ..Questions::default() };
        recent.complete(0, &mut answers, &questions);
        answers.decisions.contains_key(key)
    }

    #[test]
    fn another_session_forgets() {
        let mut recent = Recent::default();
        recent.begin(7, || Ok(Ends::of([(0, 0, 3)]))).unwrap();
        recent.add(0, decisions(1));
        recent.begin(7, || panic!("the same session")).unwrap();
        assert!(knows(&recent, "0"));
        recent.begin(8, || Ok(Ends::of([(0, 0, 5)]))).unwrap();
        assert!(!knows(&recent, "0"));
        assert_eq!(*recent.floor(), Ends::of([(0, 0, 5)]), "what was forgotten must be recorded");
    }

    /// `record` keeps each partition by itself, so what is known must not depend on which partitions this process owns.
    #[test]
    fn what_was_decided_in_another_partition_is_not_known_in_this_one() {
        let mut recent = Recent::default();
        recent.begin(1, || Ok(Ends::default())).unwrap();
        recent.add(1, decisions(1));
        assert!(!knows(&recent, "0"));
    }

    #[test]
    fn a_generation_is_forgotten_once_it_was_committed_and_recorded_and_not_before() {
        let ends = || Ok(Ends::of([(0, 0, 10)]));
        let too_early = || -> anyhow::Result<Ends> { panic!("asked for the ends before the commit") };
        let mut recent = Recent::default();
        recent.begin(1, || Ok(Ends::default())).unwrap();
        recent.add(0, decisions(GENERATION));

        recent.forget(5, too_early, |_| panic!("nothing to look for yet")).unwrap();
        recent.add(0, [("later".to_owned(), decisions(1)["0"].clone())].into());
        recent.forget(5, too_early, |_| panic!("nothing to look for yet")).unwrap();
        recent.forget(6, ends, |_| panic!("the ends were only just taken")).unwrap();
        recent.forget(6, too_early, |_| Ok(false)).unwrap();
        assert!(knows(&recent, "0"));

        recent.forget(7, too_early, |reached| Ok(*reached == Ends::of([(0, 0, 10)]))).unwrap();
        assert!(!knows(&recent, "0"));
        assert!(knows(&recent, "later"));
        assert_eq!(*recent.floor(), Ends::of([(0, 0, 10)]), "what was forgotten must stay recorded");
    }
}
