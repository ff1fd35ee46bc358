//! Properties over schedules: many at random, each failure shrunk, and a count of what really happened.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher, RandomState};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

/// How often each kind of thing happened: a step that never has an effect proves nothing.
#[derive(Clone, Debug, Default)]
pub struct Reached(BTreeMap<&'static str, u64>);

impl Reached {
    pub fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn note_if(&mut self, happened: bool, what: &'static str) {
        if happened {
            self.note(what);
        }
    }

    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    /// Panics unless each of these happened at least so often, and prints all that did.
    pub fn require(&self, least: u64, kinds: &[&str]) {
        println!("{self:#?}");
        let rare: Vec<_> = kinds.iter().filter(|&&kind| self.0.get(kind).is_none_or(|&times| times < least)).collect();
        assert!(rare.is_empty(), "hardly ever happened: {rare:?}");
    }
}

/// Runs a property over this many schedules, or `PROPTEST_CASES`. The first failure is shrunk to the fewest steps that still
/// fail; the panic tells them, and the seed: `PROPTEST_RNG_SEED` runs the same schedules again.
pub fn explore<S: Strategy>(
    cases: u32,
    schedules: &S,
    property: impl Fn(&S::Value, &mut Reached) -> Result<(), String>,
) -> Reached {
    let given = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { cases };
    let seed = match given.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().build_hasher().finish(),
    };
    let (rng_seed, failure_persistence, max_shrink_iters) = (RngSeed::Fixed(seed), None, 20_000);
    let config = Config { cases, rng_seed, failure_persistence, max_shrink_iters, ..given };
    let reached = RefCell::new(Reached::default());
    let outcome = TestRunner::new(config)
        .run(schedules, |schedule| property(&schedule, &mut reached.borrow_mut()).map_err(TestCaseError::fail));
    match outcome {
        Ok(()) => reached.into_inner(),
        Err(TestError::Fail(why, schedule)) => fail(seed, &why.to_string(), &schedule),
        Err(TestError::Abort(why)) => panic!("PROPTEST_RNG_SEED={seed}: {why}"),
    }
}

fn fail(seed: u64, why: &str, schedule: &impl Debug) -> ! {
    panic!("{why}\nPROPTEST_RNG_SEED={seed} repeats it; the shortest schedule found:\n{schedule:#?}")
}
