//! The comparison itself: pure, over any grouping.

use std::collections::{BTreeMap, BTreeSet};

use event::Micros;
use serde::Serialize;

use crate::simulate::{Cell, Counts, Truth};
use crate::verify::stats::Counted;

/// One number that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub app: String,
    /// `country=DE platform=android`; empty for the total of the app.
    pub dimensions: String,
    pub metric: String,
    pub expected: String,
    pub found: String,
}

/// Every number of an app that differs, in groups of these dimensions.
pub(crate) fn compare(truth: &Truth, app: &str, grouping: &[&str], found: &[Counted]) -> Vec<Difference> {
    let mut expected: BTreeMap<Vec<String>, Counts> = BTreeMap::new();
    for row in truth.rows.iter().filter(|row| row.cell.app_id == app) {
        expected.entry(key_of(&row.cell, grouping)).or_default().add(&row.counts);
    }
    let found: BTreeMap<Vec<String>, &Counted> = found.iter().map(|row| (row.dimensions(grouping), row)).collect();
    let keys: BTreeSet<&Vec<String>> = expected.keys().chain(found.keys()).collect();
    let mut differences = Vec::new();
    for key in keys {
        let expected = expected.get(key).cloned().unwrap_or_default();
        let none = Counted::default();
        let found = found.get(key).copied().unwrap_or(&none);
        let dimensions =
            grouping.iter().zip(key).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        differences.extend(wrong_numbers(&expected, found).into_iter().map(|(metric, expected, found)| Difference {
            app: app.to_owned(),
            dimensions: dimensions.clone(),
            metric,
            expected,
            found,
        }));
    }
    differences
}

fn wrong_numbers(expected: &Counts, found: &Counted) -> Vec<(String, String, String)> {
    let numbers = [
        ("installs", expected.installs, 0, found.installs),
        ("reinstalls", 0, 0, found.reinstalls),
        ("events", expected.events, 0, found.events),
        ("clicks", expected.clicks, expected.unsure_clicks, found.clicks),
        ("impressions", expected.impressions, 0, found.impressions),
        ("sessions", expected.sessions, 0, found.sessions),
    ];
    let mut wrong: Vec<(String, String, String)> = numbers
        .into_iter()
        .filter(|(_, expected, unsure, found)| !(*expected..=expected + unsure).contains(found))
        .map(|(metric, expected, unsure, found)| {
            let expected =
                if unsure == 0 { expected.to_string() } else { format!("{expected} to {}", expected + unsure) };
            (metric.to_owned(), expected, found.to_string())
        })
        .collect();
    let currencies: BTreeSet<&String> = expected.revenue.keys().chain(found.revenue.keys()).collect();
    for currency in currencies {
        let amount = |revenue: &BTreeMap<String, Micros>| revenue.get(currency).copied().unwrap_or_default();
        let (expected, found) = (amount(&expected.revenue), amount(&found.revenue));
        if expected != found {
            wrong.push((format!("revenue {currency}"), expected.to_string(), found.to_string()));
        }
    }
    wrong
}

fn key_of(cell: &Cell, grouping: &[&str]) -> Vec<String> {
    let value = |name: &&str| match *name {
        "day" => &cell.day,
        "media_source" => &cell.media_source,
        "campaign" => &cell.campaign,
        "country" => &cell.country,
        "platform" => &cell.platform,
        _ => &cell.event_name,
    };
    grouping.iter().map(|name| value(name).clone()).collect()
}

#[cfg(test)]
mod tests {
    use event::Time;

    use super::*;
    use crate::simulate::Row;

    fn row(source: &str, country: &str, counts: Counts) -> Row {
        let cell = Cell {
            app_id: "a".into(),
            day: "2026-11-22".into(),
            media_source: source.into(),
            country: country.into(),
            platform: "ios".into(),
            ..Cell::default()
        };
        Row { cell, counts }
    }

    fn truth() -> Truth {
        let usd = |amount| BTreeMap::from([("USD".to_owned(), Micros::parse(amount).unwrap())]);
        Truth {
            seed: 1,
            started_at: Time::from_trusted_millis(0),
            apps: BTreeSet::from(["a".to_owned()]),
            rows: vec![
                row("acme", "DE", Counts { installs: 2, events: 1, revenue: usd("1.50"), ..Counts::default() }),
                row("acme", "US", Counts { installs: 1, clicks: 4, unsure_clicks: 1, ..Counts::default() }),
                row("organic", "US", Counts { installs: 5, ..Counts::default() }),
            ],
            deliveries: BTreeMap::new(),
        }
    }

    fn found(json: &str) -> Vec<Counted> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn equal_counts_have_no_difference_in_any_grouping() {
        let by_source = r#"[{"media_source":"acme","installs":3,"events":1,"clicks":5,"revenue":{"USD":"1.50"}},
            {"media_source":"organic","installs":5,"events":0}]"#;
        assert_eq!(compare(&truth(), "a", &["media_source"], &found(by_source)), []);
        let total = r#"[{"installs":8,"events":1,"clicks":4,"revenue":{"USD":"1.50","EUR":"0.00"}}]"#;
        assert_eq!(compare(&truth(), "a", &[], &found(total)), []);
    }

    #[test]
    fn each_wrong_number_is_named_with_its_place() {
        let answer = r#"[{"media_source":"acme","country":"DE","installs":2,"events":1,"revenue":{"USD":"1.40"}},
            {"media_source":"acme","country":"US","installs":1,"clicks":6},
            {"media_source":"ghost","country":null,"sessions":1}]"#;
        let shown: Vec<String> = compare(&truth(), "a", &["media_source", "country"], &found(answer))
            .into_iter()
            .map(|wrong| format!("{}: {} {} not {}", wrong.dimensions, wrong.metric, wrong.found, wrong.expected))
            .collect();
        assert_eq!(
            shown,
            [
                "media_source=acme country=DE: revenue USD 1.40 not 1.50",
                "media_source=acme country=US: clicks 6 not 4 to 5",
                "media_source=ghost country=: sessions 1 not 0",
                "media_source=organic country=US: installs 0 not 5",
            ]
        );
    }
}
