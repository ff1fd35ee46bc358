//! The comparison: an account, and what the log says of it.

use serde::Serialize;
use stream::dead_topic;

use crate::audit::account::{Account, outputs};
use crate::audit::evidence::{Evidence, Firsts};
use crate::audit::fold::Fold;

/// One balance with what was found wrong with it.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub stage: &'static str,
    pub topic: &'static str,
    pub partition: i32,
    pub since: i64,
    pub position: i64,
    pub taken: u64,
    pub refused: u64,
    pub repeated: u64,
    pub out: u64,
    pub verdict: Verdict,
    pub findings: Vec<Finding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Equal,
    /// Retention removed what it would have to be compared with.
    Unchecked,
    Different,
}

/// A number that differs, or that cannot be compared any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub what: String,
    pub verdict: Verdict,
    /// What the log says.
    pub expected: String,
    /// What the stage, or reports, says.
    pub found: String,
    /// Why it cannot be compared.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Passes over what is no valid activity, because `decide` refuses it.
const REFUSES_NOTHING: &str = "attribution.remember";
/// Whose counts are folded once more.
pub(crate) const FOLDED: &str = "reports.installs";

/// The verdict on one account.
pub(crate) fn judge(account: &Account, evidence: &Evidence, firsts: &Firsts, fold: &Fold) -> Line {
    let mut findings: Vec<Finding> = taken(account, evidence, firsts).into_iter().collect();
    if account.stage.name != REFUSES_NOTHING {
        findings.extend(refused(account, evidence, firsts));
    }
    findings.extend(out(account, evidence, firsts));
    if account.stage.name == FOLDED {
        findings.extend(counts(account, firsts, fold));
    }
    let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Equal);
    let (stage, topic, balance) = (account.stage.name, account.stage.topic, account.balance);
    Line {
        stage,
        topic,
        partition: account.partition,
        since: balance.since.0,
        position: account.position.0,
        taken: balance.taken,
        refused: balance.refused,
        repeated: balance.repeated,
        out: balance.out,
        verdict,
        findings,
    }
}

fn taken(account: &Account, evidence: &Evidence, firsts: &Firsts) -> Option<Finding> {
    let first = first(firsts, account.stage.topic, account.partition);
    let finding = Finding::of("taken", evidence.records, account.balance.taken);
    if account.balance.since.0 < first.min(account.position.0) {
        return finding.map(|finding| finding.unchecked(before(first, account.stage.topic)));
    }
    finding
}

/// Letters that are too many are wrong in any case; those that are missing may have been there.
fn refused(account: &Account, evidence: &Evidence, firsts: &Firsts) -> Option<Finding> {
    let letters = count(evidence.letters.len());
    let topic = dead_topic(account.stage.topic);
    let removed = firsts.iter().filter(|((name, _), _)| *name == topic).map(|(_, &first)| first).max().unwrap_or(0);
    let finding = Finding::of("refused", letters, account.balance.refused)?;
    let may_be_gone = removed > 0 && letters < account.balance.refused;
    Some(if may_be_gone { finding.unchecked(before(removed, &topic)) } else { finding })
}

fn out(account: &Account, evidence: &Evidence, firsts: &Firsts) -> Option<Finding> {
    let outputs = outputs(&account.stage);
    let (_, topic) = (outputs.first()?, outputs.join(" and "));
    let finding = Finding::of("out", told(account, evidence), account.balance.out)?;
    let removed = outputs.iter().map(|topic| first(firsts, topic, account.partition)).max().unwrap_or(0);
    let is_less = told(account, evidence) < account.balance.out;
    Some(match evidence.repeats {
        _ if is_less && removed > 0 => finding.unchecked(before(removed, &topic)),
        repeats if is_less && repeats > 0 => {
            finding.unchecked(format!("not checkable: {repeats} records repeat an event, and a delivery is made once"))
        }
        _ if account.rebuilt && account.schedules() => {
            finding.unchecked("not checkable: a rebuild schedules nothing that was told long ago".into())
        }
        _ => finding,
    })
}

/// What the log says was put out; a delivery that waits is in Redis.
pub(crate) fn told(account: &Account, evidence: &Evidence) -> u64 {
    match account.schedules() {
        true => count(evidence.finished.union(&account.pending).count()),
        false => evidence.derived,
    }
}

fn counts(account: &Account, firsts: &Firsts, fold: &Fold) -> Vec<Finding> {
    let Some(&from) = fold.partitions().get(&account.partition) else { return Vec::new() };
    let first = first(firsts, account.stage.topic, account.partition);
    let different = fold.miscounts(account.partition).into_iter().map(|miscount| Finding {
        what: miscount.what,
        verdict: Verdict::Different,
        expected: miscount.expected,
        found: miscount.found,
        note: String::new(),
    });
    if from < first {
        let (expected, found) = (String::new(), String::new());
        let note = before(first, account.stage.topic);
        return vec![Finding { what: "counts".into(), verdict: Verdict::Unchecked, expected, found, note }];
    }
    different.collect()
}

fn before(first: i64, topic: &str) -> String {
    format!("not checkable before offset {first} of {topic}")
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn first(firsts: &Firsts, topic: &str, partition: i32) -> i64 {
    firsts.get(&(topic.to_owned(), partition)).copied().unwrap_or_default()
}

impl Finding {
    fn of(what: &str, expected: u64, found: u64) -> Option<Self> {
        (expected != found).then(|| Self {
            what: what.into(),
            verdict: Verdict::Different,
            expected: expected.to_string(),
            found: found.to_string(),
            note: String::new(),
        })
    }

    fn unchecked(self, note: String) -> Self {
        Self { verdict: Verdict::Unchecked, note, ..self }
    }

    /// In one line, for a person.
    pub(crate) fn in_words(&self) -> String {
        let Self { what, expected, found, note, .. } = self;
        match self.verdict {
            Verdict::Unchecked => format!("{what}: {note}"),
            Verdict::Different | Verdict::Equal => format!("{what}: expected {expected}, found {found}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use stream::{Balance, Offset};

    use super::*;
    use crate::stages::STAGES;

    fn account(stage: &str, balance: Balance) -> Account {
        let stage = STAGES.into_iter().find(|known| known.name == stage).unwrap();
        Account { stage, partition: 1, position: Offset(90), balance, rebuilt: false, pending: HashSet::new() }
    }

    fn balance(taken: u64, refused: u64, out: u64) -> Balance {
        Balance { taken, refused, out, ..Balance::new(Offset(10)) }
    }

    fn evidence(records: u64, letters: i64, derived: u64) -> Evidence {
        Evidence { records, letters: (0..letters).collect(), derived, ..Evidence::default() }
    }

    fn firsts(firsts: &[(&str, i32, i64)]) -> Firsts {
        firsts.iter().map(|(topic, partition, first)| (((*topic).to_owned(), *partition), *first)).collect()
    }

    fn findings(account: &Account, evidence: &Evidence, firsts: &Firsts) -> Vec<String> {
        let fold = Fold::new(Vec::new(), BTreeMap::new(), 0..=0);
        judge(account, evidence, firsts, &fold).findings.iter().map(Finding::in_words).collect()
    }

    #[test]
    fn a_number_that_differs_is_told_with_both_values() {
        let decide = |taken, refused, out| account("attribution.decide", balance(taken, refused, out));
        for (account, expected) in [
            (decide(80, 2, 60), vec![]),
            (decide(79, 2, 60), vec!["taken: expected 80, found 79"]),
            (decide(80, 3, 60), vec!["refused: expected 2, found 3"]),
            (decide(80, 2, 61), vec!["out: expected 60, found 61"]),
            (account("attribution.remember", balance(80, 0, 0)), vec![]),
            (account("reports.activity", balance(80, 2, 0)), vec![]),
        ] {
            assert_eq!(findings(&account, &evidence(80, 2, 60), &Firsts::new()), expected, "{account:?}");
        }
    }

    #[test]
    fn what_retention_removed_is_not_checkable_and_not_wrong_but_too_much_always_is() {
        let decide = account("attribution.decide", balance(80, 2, 60));
        for (removed, found, expected) in [
            (("activity", 1, 11), evidence(79, 2, 60), vec!["taken: not checkable before offset 11 of activity"]),
            (("activity", 1, 10), evidence(79, 2, 60), vec!["taken: expected 79, found 80"]),
            (("activity", 2, 11), evidence(79, 2, 60), vec!["taken: expected 79, found 80"]),
            (
                ("activity.dead", 0, 5),
                evidence(80, 1, 60),
                vec!["refused: not checkable before offset 5 of activity.dead"],
            ),
            (("activity.dead", 0, 5), evidence(80, 3, 60), vec!["refused: expected 3, found 2"]),
            (("events", 1, 7), evidence(80, 2, 59), vec!["out: not checkable before offset 7 of installs and events"]),
            (("events", 1, 7), evidence(80, 2, 61), vec!["out: expected 61, found 60"]),
        ] {
            assert_eq!(findings(&decide, &found, &firsts(&[removed])), expected);
        }
    }

    #[test]
    fn a_delivery_is_waiting_or_finished_and_counts_once_while_it_changes() {
        let mut postbacks = account("postbacks.installs", balance(80, 0, 3));
        postbacks.pending = HashSet::from([1, 2]);
        let mut found = evidence(80, 0, 0);
        found.finished = HashSet::from([2, 3]);
        assert_eq!(findings(&postbacks, &found, &Firsts::new()), [""; 0]);
        found.finished.clear();
        assert_eq!(findings(&postbacks, &found, &Firsts::new()), ["out: expected 2, found 3"]);
        found.repeats = 1;
        let says = |account: &Account, found: &Evidence| findings(account, found, &Firsts::new())[0].clone();
        assert!(says(&postbacks, &found).starts_with("out: not checkable: 1 records repeat"));
        found.repeats = 0;
        postbacks.rebuilt = true;
        assert!(says(&postbacks, &found).starts_with("out: not checkable: a rebuild"));
    }
}
