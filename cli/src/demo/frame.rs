//! One picture of the demo: pure, so that a test can look at it.

use std::time::Duration;

use crate::demo::look::{Sight, money};
use crate::output::table;

/// What is drawn beside the sight itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse {
    pub(crate) elapsed: Duration,
    /// Messages that were acknowledged, in all and in the last second.
    pub(crate) stored: u64,
    pub(crate) per_second: f64,
    pub(crate) retried: u64,
}

/// One line, for a log.
pub(crate) fn line(pulse: &Pulse, sight: &Sight) -> String {
    let installs: Vec<String> =
        sight.sources.iter().map(|(name, counts)| format!("{name} {}", counts.installs)).collect();
    format!(
        "{:>4}s  {} stored, {:.0}/s  installs {} ({})  delivered {} in {} attempts  {}",
        pulse.elapsed.as_secs(),
        pulse.stored,
        pulse.per_second,
        sight.installs(),
        installs.join(", "),
        sight.delivered(),
        sight.attempts(),
        behind(sight)
    )
}

/// The picture for a terminal, without the lines that never change.
pub(crate) fn picture(pulse: &Pulse, sight: &Sight) -> String {
    let mut lines = vec![format!(
        "{}s   {} messages stored, {:.0} a second, {} tried again   {}",
        pulse.elapsed.as_secs(),
        pulse.stored,
        pulse.per_second,
        pulse.retried,
        behind(sight)
    )];
    lines.push(sources(sight));
    lines.extend(sight.troubles.iter().map(|trouble| format!("! {trouble}")));
    lines.join("\n\n")
}

/// The table of media sources with what came of each, and what its network was told.
pub(crate) fn sources(sight: &Sight) -> String {
    let header = ["media source", "clicks", "views", "installs", "rate", "events", "revenue", "told", "tries"];
    let rows = sight.sources.iter().map(|(name, counts)| {
        let network = sight.networks.get(name).cloned().unwrap_or_default();
        let touches = counts.clicks + counts.impressions;
        let conversion = if touches == 0 {
            "-".to_owned()
        } else {
            format!("{:.1}%", counts.installs as f64 * 100.0 / touches as f64)
        };
        [
            name.clone(),
            counts.clicks.to_string(),
            counts.impressions.to_string(),
            counts.installs.to_string(),
            conversion,
            counts.events.to_string(),
            money(&counts.revenue),
            network.delivered().to_string(),
            network.attempts.to_string(),
        ]
    });
    table(header, rows).to_string()
}

/// The first lines of a text that fit a terminal: what scrolls off would pile up above the picture.
pub(crate) fn fit(text: &str, (rows, columns): (usize, usize)) -> String {
    let mut left = rows;
    let rows_of = |line: &&str| line.chars().count().div_ceil(columns.max(1)).max(1);
    let fits = |line: &&str| {
        let fits = rows_of(line) <= left;
        left = left.saturating_sub(rows_of(line));
        fits
    };
    text.lines().take_while(fits).collect::<Vec<_>>().join("\n")
}

fn behind(sight: &Sight) -> String {
    match sight.slowest() {
        Some((stage, seconds)) => format!("slowest stage {seconds:.1} s behind ({stage})"),
        None => "no stage has worked yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight() -> Sight {
        let counts = r#"{"clicks":3,"impressions":1,"installs":2,"events":5,"revenue":{"EUR":"1.00","USD":"2.50"}}"#;
        Sight {
            sources: vec![
                ("acme_ads".into(), serde_json::from_str(counts).unwrap()),
                (event::ORGANIC.into(), Default::default()),
            ],
            behind: [("attribution.decide".to_owned(), 5.25)].into(),
            ..Sight::default()
        }
    }

    #[test]
    fn the_line_holds_the_counts_of_each_source() {
        let pulse = Pulse { elapsed: Duration::from_secs(12), stored: 700, per_second: 60.2, retried: 0 };
        assert_eq!(
            line(&pulse, &sight()),
            "  12s  700 stored, 60/s  installs 2 (acme_ads 2, organic 0)  delivered 0 in 0 attempts  \
             slowest stage 5.2 s behind (attribution.decide)"
        );
    }

    #[test]
    fn only_what_fits_is_drawn() {
        assert_eq!(fit("one\ntwelve chars\nthree\nfour", (4, 10)), "one\ntwelve chars\nthree");
    }

    #[test]
    fn the_table_shows_conversion_and_money_by_currency() {
        let table = sources(&sight());
        for shown in ["acme_ads", "50.0%", "1.00 EUR, 2.50 USD", "organic", "-"] {
            assert!(table.contains(shown), "{shown} in {table}");
        }
    }
}
