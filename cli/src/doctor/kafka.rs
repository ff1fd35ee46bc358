//! Kafka: is it there, and do the topics keep what must be kept?

use std::collections::{BTreeMap, BTreeSet};

use event::topic;
use stream::admin::{Admin, PlannedTopic, Topic};
use stream::{Kafka, Watermarks};

use crate::doctor::finding::Finding;
use crate::output::explain;
use crate::topics::built_in_plan;

const APPLY: &str = "attributary topics apply";

pub(crate) fn examine(kafka: &Kafka) -> Vec<Finding> {
    look(kafka)
        .unwrap_or_else(|error| vec![Finding::danger("kafka", explain(&error), "start it, or name it with --kafka")])
}

fn look(kafka: &Kafka) -> anyhow::Result<Vec<Finding>> {
    let admin = Admin::open(kafka)?;
    let brokers = admin.brokers()?;
    let topics = admin.topics()?;
    let mut findings = vec![Finding::ok("kafka", format!("{} broker(s): {}", brokers.len(), brokers.join(", ")))];
    for planned in built_in_plan()?.topics {
        findings.extend(of_topic(&planned, topics.iter().find(|topic| topic.name == planned.name), brokers.len()));
    }
    findings.push(alignment(&topics));
    findings.extend(single_broker(brokers.len()));
    findings.extend(match admin.broker_settings() {
        Ok(settings) => slow_abort(&settings),
        Err(error) => Some(Finding::notice("transactions", error.to_string(), "look at the brokers' settings by hand")),
    });
    findings.push(dead_letters(&Watermarks::open(kafka)?, &topics)?);
    Ok(findings)
}

fn single_broker(brokers: usize) -> Option<Finding> {
    let advice = "a lost disk loses what was acknowledged: fine on a laptop; else three brokers and replication 3";
    (brokers == 1).then(|| Finding::notice("replication", "one broker, one copy of everything", advice))
}

/// What a killed replica of attribution was publishing stands in everybody's way until the brokers look.
fn slow_abort(broker: &BTreeMap<String, String>) -> Option<Finding> {
    const SETTING: &str = "transaction.abort.timed.out.transaction.cleanup.interval.ms";
    let found = broker.get(SETTING).filter(|found| found.parse().is_ok_and(|found: u64| found > 1_000))?;
    let advice = "a killed replica of attribution holds the others up for as long: set 1000 at the brokers";
    Some(Finding::notice("transactions", format!("{SETTING} is {found}"), advice))
}

fn dead_letters(log: &Watermarks, topics: &[Topic]) -> anyhow::Result<Finding> {
    let mut letters = Vec::new();
    for name in topics.iter().map(|topic| topic.name.as_str()).filter(|name| name.ends_with(".dead")) {
        let held: i64 = log.ends(name)?.iter().map(|(_, first, end)| end - first).sum();
        if held > 0 {
            letters.push(format!("{name} {held}"));
        }
    }
    Ok(match letters[..] {
        [] => Finding::ok("dead letters", "none"),
        _ => Finding::notice("dead letters", letters.join(", "), "see why they were refused: attributary dead ls"),
    })
}

fn of_topic(planned: &PlannedTopic, found: Option<&Topic>, brokers: usize) -> Vec<Finding> {
    let place = format!("topic {}", planned.name);
    let Some(topic) = found else { return vec![Finding::danger(place, "does not exist", APPLY)] };
    let mut findings: Vec<Finding> =
        planned.config.iter().filter_map(|(key, value)| of_setting(&place, topic, (key, value))).collect();
    if topic.replication < 2 && brokers > 1 {
        let found = format!("one replica, {brokers} brokers");
        findings.push(Finding::danger(&place, found, "a lost broker loses the topic: raise its replication factor"));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(place, format!("{} partitions, {} replica(s)", topic.partitions, topic.replication)));
    }
    findings
}

fn of_setting(place: &str, topic: &Topic, (key, planned): (&str, &str)) -> Option<Finding> {
    let found = topic.config.get(key)?;
    if found == planned {
        return None;
    }
    let shown = format!("{key} is {found}, not {planned}");
    Some(match key {
        "retention.ms" | "retention.bytes" | "max.message.bytes" if at_least(found, planned) => {
            Finding::notice(place, shown, "more than needed: fine if it is meant")
        }
        "retention.ms" | "retention.bytes" => {
            Finding::danger(place, shown, format!("what is rebuilt from the topic would be incomplete: {APPLY}"))
        }
        "cleanup.policy" => {
            Finding::danger(place, shown, format!("compaction drops records that counts rest on: {APPLY}"))
        }
        _ => Finding::danger(place, shown, APPLY),
    })
}

/// -1 is without limit.
fn at_least(found: &str, planned: &str) -> bool {
    match (found.parse::<i64>(), planned.parse::<i64>()) {
        (Ok(-1), _) => true,
        (Ok(_), Ok(-1)) => false,
        (Ok(found), Ok(planned)) => found >= planned,
        _ => false,
    }
}

/// A device must have one partition number in all of these.
fn alignment(topics: &[Topic]) -> Finding {
    let counts: Vec<(&str, i32)> = topics
        .iter()
        .filter(|found| topic::ALIGNED.contains(&found.name.as_str()))
        .map(|topic| (topic.name.as_str(), topic.partitions))
        .collect();
    let shown = counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ");
    let distinct: BTreeSet<i32> = counts.iter().map(|(_, count)| *count).collect();
    if distinct.len() > 1 {
        let advice = format!(
            "{APPLY} --partitions N --grow, with the greatest of them; attribution and postbacks then start a new generation"
        );
        return Finding::danger("partition counts", format!("unequal: {shown}"), advice);
    }
    Finding::ok("partition counts", if shown.is_empty() { "no topics yet".into() } else { format!("equal: {shown}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn topic(name: &str, partitions: i32, config: &[(&str, &str)]) -> Topic {
        Topic {
            name: name.into(),
            partitions,
            replication: 1,
            own_config: Default::default(),
            config: config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn a_setting_is_judged_by_what_it_endangers() {
        for (key, planned, found, expected) in [
            ("retention.ms", "3024000000", "3024000000", None),
            ("retention.ms", "3024000000", "604800000", Some(Verdict::Danger)),
            ("retention.ms", "3024000000", "-1", Some(Verdict::Notice)),
            ("retention.ms", "-1", "604800000", Some(Verdict::Danger)),
            ("cleanup.policy", "delete", "compact", Some(Verdict::Danger)),
            ("message.timestamp.type", "LogAppendTime", "CreateTime", Some(Verdict::Danger)),
            ("max.message.bytes", "2097152", "4194304", Some(Verdict::Notice)),
        ] {
            let verdict =
                of_setting("t", &topic("t", 1, &[(key, found)]), (key, planned)).map(|finding| finding.verdict);
            assert_eq!(verdict, expected, "{key}: {found} instead of {planned}");
        }
    }

    #[test]
    fn brokers_that_look_late_for_open_transactions_are_told_of() {
        for (found, is_told) in [(Some("10000"), true), (Some("1000"), false), (None, false)] {
            let key = "transaction.abort.timed.out.transaction.cleanup.interval.ms".to_owned();
            let settings = found.map(|found| (key, found.to_owned())).into_iter().collect();
            assert_eq!(slow_abort(&settings).is_some(), is_told, "{found:?}");
        }
    }

    #[test]
    fn unequal_partition_counts_are_a_danger() {
        let equal = [topic("installs", 4, &[]), topic("activity", 4, &[]), topic("installs.dead", 1, &[])];
        assert_eq!(alignment(&equal).verdict, Verdict::Ok);
        let unequal = [topic("installs", 4, &[]), topic("activity", 8, &[])];
        let finding = alignment(&unequal);
        assert_eq!((finding.verdict, finding.found.as_str()), (Verdict::Danger, "unequal: installs 4, activity 8"));
    }
}
