use std::collections::HashSet;

use event::{Activity, Time};
use serde_json::Value;

use super::journey::{Door, Journey};
use super::truth::{Metric, Tally};
use super::*;

const NOON: i64 = 1_795_348_800_000;
const DAY: i64 = 86_400_000;

fn scenario(seed: u64) -> Scenario {
    Scenario {
        seed,
        started_at: Time::from_trusted_millis(NOON),
        apps: apps(3, None),
        spacing_ms: 20.0,
        shares: Shares { duplicates: 0.1, late: 0.2, links: 0.3 },
        content: Content::Everything,
    }
}

fn journeys(scenario: &Scenario) -> Vec<Journey> {
    (0..3_000).map(|number| scenario.journey(number)).collect()
}

fn truth(journeys: &[Journey]) -> Truth {
    let mut tally = Tally::default();
    for expected in messages(journeys).filter_map(|message| message.expected.as_ref()) {
        tally.add(&expected.counted);
    }
    tally.truth(1, Time::from_trusted_millis(NOON))
}

fn messages(journeys: &[Journey]) -> impl Iterator<Item = &journey::Submission> {
    journeys.iter().flat_map(|journey| journey.steps.iter().flatten())
}

#[test]
fn the_same_seed_makes_the_same_traffic_and_another_seed_shares_no_id() {
    let first = journeys(&scenario(1));
    assert_eq!(first, journeys(&scenario(1)));
    let ids = |journeys: &[Journey]| -> HashSet<String> {
        messages(journeys)
            .flat_map(|message| ["event_id", "install_id", "touch_id"].map(|field| message.text(field).to_owned()))
            .collect()
    };
    let (mut ours, others) = (ids(&first), ids(&journeys(&scenario(2))));
    ours.remove("");
    assert!(ours.is_disjoint(&others));
}

#[test]
fn every_message_is_one_that_the_doors_accept() {
    for message in messages(&journeys(&scenario(3))).filter(|message| message.door == Door::Events) {
        let text = Value::Object(message.body.clone()).to_string();
        let activity: Activity = serde_json::from_str(&text).unwrap();
        activity.check().unwrap();
        let age = NOON + 60_000 - activity.event_time.millis();
        assert!((-60_000..29 * DAY).contains(&age), "{text}");
    }
}

#[test]
fn event_time_never_runs_ahead_of_the_clock() {
    let journeys = journeys(&scenario(4));
    let messages: usize = journeys.iter().map(Journey::len).sum();
    assert!(messages as f64 / journeys.len() as f64 > MESSAGES_PER_JOURNEY);
}

#[test]
fn what_is_expected_adds_up() {
    let journeys = journeys(&scenario(5));
    let totals = truth(&journeys).totals();
    let count =
        |kind: &str| messages(&journeys).filter(|m| m.text("kind") == kind && m.expected.is_some()).count() as i64;
    assert_eq!(totals.installs, count("install"));
    assert_eq!(totals.clicks, count("click"));
    assert_eq!(totals.impressions, count("impression"));
    assert_eq!(totals.sessions, count("session"));
    assert_eq!(totals.events, count("event"));
    assert_eq!(totals.revenue.len(), 2);
    assert!(totals.installs > 500 && totals.clicks > 1_000 && totals.impressions > 300 && totals.events > 500);
    let again = messages(&journeys).filter(|message| message.expected.is_none()).count();
    assert!(again > 300, "{again}");
    let refunds = messages(&journeys).filter(|message| message.text("event_name") == "refund").count();
    assert!(refunds > 5, "{refunds}");
    let sources: HashSet<_> = truth(&journeys).rows.into_iter().map(|row| row.cell.media_source).collect();
    assert_eq!(sources.len(), SOURCES.len() + 1);
}

#[test]
fn a_person_installs_once_and_touches_come_first() {
    for journey in journeys(&scenario(6)) {
        let metrics = |step: &Vec<journey::Submission>| -> Vec<Metric> {
            step.iter().filter_map(|message| Some(message.expected.as_ref()?.counted.metric)).collect()
        };
        let steps: Vec<Vec<Metric>> = journey.steps.iter().map(metrics).collect();
        let installs = steps.iter().flatten().filter(|metric| **metric == Metric::Install).count();
        assert!(installs <= 1);
        let at = |wanted: &[Metric]| steps.iter().position(|step| step.iter().any(|metric| wanted.contains(metric)));
        if let Some(install) = at(&[Metric::Install]) {
            assert!(at(&[Metric::Click, Metric::Impression]).is_none_or(|touch| touch < install));
            assert!(at(&[Metric::Session, Metric::Event]).is_none_or(|event| event > install));
        }
    }
}

#[test]
fn the_winner_is_the_latest_click_in_its_window_or_else_the_impression() {
    let mut by_rule = 0;
    for journey in journeys(&scenario(7)) {
        let sent: Vec<&journey::Submission> =
            journey.steps.iter().flatten().filter(|message| message.expected.is_some()).collect();
        let Some(install) = sent.iter().find(|message| message.text("kind") == "install") else { continue };
        let installed_at = Time::parse(install.text("event_time")).unwrap().millis();
        let device = |message: &journey::Submission| {
            message.body.get("device").filter(|d| !d.to_string().contains("0000-0000")).cloned()
        };
        let names = |touch: &journey::Submission| {
            install.text("referrer").contains(touch.text("touch_id"))
                || (!touch.text("click_id").is_empty() && install.text("referrer").contains(touch.text("click_id")))
        };
        let counts = |touch: &&&journey::Submission| {
            let window = if touch.text("kind") == "click" { 7 * DAY } else { DAY };
            let age = installed_at - Time::parse(touch.text("event_time")).unwrap().millis();
            let matches = names(touch) || (device(touch).is_some() && device(touch) == device(install));
            touch.text("app_id") == install.text("app_id") && matches && (0..=window).contains(&age)
        };
        let touches =
            sent.iter().filter(|message| matches!(message.text("kind"), "click" | "impression")).filter(counts);
        let winner = touches.max_by_key(|touch| (touch.text("kind") == "click", touch.text("event_time").to_owned()));
        let expected = install.expected.as_ref().unwrap();
        let source = winner.map_or(event::ORGANIC, |touch| touch.text("media_source"));
        let campaign = winner.map_or("", |touch| touch.text("campaign"));
        assert_eq!(
            (expected.counted.cell.media_source.as_str(), expected.counted.cell.campaign.as_str()),
            (source, campaign)
        );
        by_rule += 1;
    }
    assert!(by_rule > 500);
}

#[test]
fn straight_to_installs_go_installs_alone_and_each_once() {
    let scenario = Scenario { content: Content::Installs, ..scenario(8) };
    let journeys = journeys(&scenario);
    assert!(messages(&journeys).all(|message| message.text("kind") == "install" && message.expected.is_some()));
    let ids: HashSet<&str> = messages(&journeys).map(|message| message.text("event_id")).collect();
    assert_eq!(ids.len(), messages(&journeys).count());
}
