//! The market that the simulator plays in: apps, media sources of different quality, countries.

use event::Platform;

/// A network that sells traffic. The shares differ so that a report has something to tell.
pub struct MediaSource {
    pub name: &'static str,
    pub campaigns: [&'static str; 3],
    /// Its share of the paid traffic, relative to the others.
    pub weight: u32,
    /// How many of a hundred touches are followed by an install.
    pub conversion: u32,
    /// How many of a hundred installs buy something.
    pub buyers: u32,
    /// The mean price of a purchase, in hundredths.
    pub price: i64,
}

pub(crate) struct Country {
    pub code: &'static str,
    pub currency: &'static str,
    pub weight: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub id: String,
    pub platform: Platform,
}

pub const SOURCES: [MediaSource; 6] = [
    MediaSource {
        name: "acme_ads",
        campaigns: ["spring_sale", "lookalike_eu", "video_15s"],
        weight: 26,
        conversion: 35,
        buyers: 30,
        price: 999,
    },
    MediaSource {
        name: "bluebird_social",
        campaigns: ["stories", "feed_carousel", "creators"],
        weight: 22,
        conversion: 28,
        buyers: 38,
        price: 1499,
    },
    MediaSource {
        name: "cobalt_search",
        campaigns: ["brand", "generic_puzzle", "competitor"],
        weight: 17,
        conversion: 48,
        buyers: 44,
        price: 1999,
    },
    MediaSource {
        name: "dune_network",
        campaigns: ["incent_coins", "offerwall", "playable"],
        weight: 15,
        conversion: 22,
        buyers: 6,
        price: 299,
    },
    MediaSource {
        name: "ember_video",
        campaigns: ["rewarded", "interstitial", "ctv"],
        weight: 11,
        conversion: 14,
        buyers: 18,
        price: 699,
    },
    MediaSource {
        name: "fjord_native",
        campaigns: ["articles", "newsletter", "podcast"],
        weight: 9,
        conversion: 9,
        buyers: 25,
        price: 2499,
    },
];

pub(crate) const COUNTRIES: [Country; 8] = [
    Country { code: "US", currency: "USD", weight: 30 },
    Country { code: "DE", currency: "EUR", weight: 18 },
    Country { code: "BR", currency: "USD", weight: 12 },
    Country { code: "FR", currency: "EUR", weight: 10 },
    Country { code: "JP", currency: "USD", weight: 10 },
    Country { code: "GB", currency: "USD", weight: 8 },
    Country { code: "ES", currency: "EUR", weight: 7 },
    Country { code: "IN", currency: "USD", weight: 5 },
];

/// The names of the simulated apps; `mark` stands in each name, so that a run can have its counts for itself.
pub fn apps(count: u32, mark: Option<u64>) -> Vec<App> {
    (1..=count.max(1))
        .map(|number| match (number % 3 == 2, mark) {
            (false, None) => App { id: format!("com.example.game{number}"), platform: Platform::Android },
            (false, Some(mark)) => App { id: format!("com.example.game{number}.s{mark}"), platform: Platform::Android },
            (true, None) => App { id: format!("id{}", 1_500_000_000 + number), platform: Platform::Ios },
            (true, Some(mark)) => App { id: format!("id{}{mark}", 1_500_000_000 + number), platform: Platform::Ios },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_keeps_the_apps_of_two_runs_apart() {
        let ids = |mark| apps(3, mark).into_iter().map(|app| app.id).collect::<Vec<_>>();
        assert_eq!(ids(None), ["com.example.game1", "id1500000002", "com.example.game3"]);
        assert_eq!(ids(Some(42)), ["com.example.game1.s42", "id150000000242", "com.example.game3.s42"]);
    }

    #[test]
    fn every_app_is_a_valid_name() {
        for app in apps(9, Some(u64::MAX)) {
            event::AppId::new(app.id).unwrap();
        }
    }
}
