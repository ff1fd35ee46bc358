//! The rules file of the demo: each media source hears of its installs, and two of them of purchases.

use std::fmt::Write;
use std::net::SocketAddr;

use event::Time;

use crate::simulate::SOURCES;

const BUYERS_TOLD: [&str; 2] = ["bluebird_social", "cobalt_search"];
const DAY_MS: i64 = 86_400_000;

/// Rules that send everything to the demo's own receiver. Late installs count too, so they begin a day ago.
pub(crate) fn file(receiver: SocketAddr, now: Time) -> String {
    let from = Time::from_trusted_millis(now.millis() - DAY_MS);
    let mut file = String::from(
        "# Written by `attributary demo`: change it while the demo runs, the service reads it again.\n\
         # A rule holds for events whose own time is not before `from`, or before it was first loaded where it has none;\n\
         # the traffic of the demo is up to a day old.\n",
    );
    for source in &SOURCES {
        let name = source.name;
        let endpoint = format!(
            "\n[[endpoint]]\nid = \"{name}\"\n\
             url = \"http://{receiver}/{name}?event={{event_name|default:install}}&click_id={{click_id}}&campaign={{campaign}}&country={{country}}&revenue={{revenue}}\"\n"
        );
        file.push_str(&endpoint);
        file.push_str(&rule(&format!("{name}-installs"), name, &from, "topic = \"installs\""));
    }
    for name in BUYERS_TOLD {
        let what = "topic = \"events\"\nevent_names = [\"purchase\"]";
        file.push_str(&rule(&format!("{name}-purchases"), name, &from, what));
    }
    file
}

fn rule(id: &str, source: &str, from: &Time, what: &str) -> String {
    let mut rule = String::new();
    let lines = [
        "\n[[rule]]".to_owned(),
        format!("id = \"{id}\""),
        format!("endpoint = \"{source}\""),
        what.to_owned(),
        format!("from = \"{from}\""),
        format!("media_sources = [\"{source}\"]"),
    ];
    for line in lines {
        // Writing into a string cannot fail.
        writeln!(rule, "{line}").unwrap_or_default();
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_takes_the_file() {
        let file = file(SocketAddr::from(([127, 0, 0, 1], 8090)), Time::from_trusted_millis(1_795_348_800_000));
        let rules = postbacks::Rules::parse(&file, &crate::rules::anywhere()).unwrap();
        assert_eq!((rules.endpoint_count(), rules.rule_count()), (6, 8));
    }
}
