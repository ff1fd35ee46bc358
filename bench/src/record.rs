//! One decided install, made from a seed: about 600 bytes as `attribution` writes it, or of another size.

use rand::Rng;
use rand::rngs::StdRng;

use crate::shape::{Keys, Shape};

pub(crate) const APPS: usize = 20;
const SOURCES: usize = 25;
const CAMPAIGNS: usize = 4;
const COUNTRIES: [&str; 50] = [
    "US", "IN", "BR", "ID", "DE", "GB", "FR", "MX", "TR", "JP", "KR", "VN", "PH", "TH", "RU", "IT", "ES", "PL", "CA",
    "AU", "AR", "CO", "EG", "PK", "BD", "SA", "AE", "NL", "SE", "CH", "AT", "BE", "PT", "GR", "CZ", "RO", "HU", "UA",
    "IL", "ZA", "NG", "KE", "MA", "CL", "PE", "MY", "SG", "TW", "HK", "NZ",
];
/// The first source is nobody.
const ORGANIC: usize = 0;
/// 2026-11-22, of which the installs fill the whole day in order.
const DAY_START: i64 = 1_795_305_600_000;
pub(crate) const DAY: &str = "2026-11-22";
pub(crate) const DAY_NUMBER: i64 = DAY_START / DAY_LENGTH.cast_signed();
const DAY_LENGTH: u64 = 86_400_000;
const HOUR_LENGTH: u64 = 3_600_000;
/// Below this size a record has only what is counted.
const LEAN: usize = 600;
const PADDING: &str = r#","params":{"note":""}}"#;

/// The few fields that are counted, as indices.
pub(crate) struct Install {
    pub(crate) app: usize,
    source: usize,
    campaign: usize,
    country: usize,
    /// Milliseconds since the day began.
    time: u64,
}

/// Draws installs whose app, media source, campaign and country each follow Zipf's law.
pub(crate) struct Draw {
    shape: Shape,
    apps: Zipf,
    sources: Zipf,
    campaigns: Zipf,
    countries: Zipf,
}

struct Zipf(Vec<f64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Good,
    Malformed,
}

pub(crate) fn app_id(app: usize) -> String {
    if app.is_multiple_of(2) { format!("com.studio{app:02}.game") } else { format!("id15{app:08}") }
}

impl Draw {
    pub(crate) fn new(shape: &Shape) -> Self {
        let campaigns = if shape.keys == Keys::Shared { 1 } else { CAMPAIGNS };
        let [apps, sources, campaigns, countries] =
            [APPS, SOURCES, campaigns, COUNTRIES.len()].map(|ranks| Zipf::new(ranks, shape.zipf));
        Self { shape: shape.clone(), apps, sources, campaigns, countries }
    }

    /// The install at this share of the time that the installs fill.
    pub(crate) fn install(&self, rng: &mut StdRng, (number, of): (u64, u64)) -> Install {
        Install {
            app: self.apps.draw(rng),
            source: self.sources.draw(rng),
            campaign: self.campaigns.draw(rng),
            country: self.countries.draw(rng),
            time: number * if self.shape.keys == Keys::Shared { HOUR_LENGTH } else { DAY_LENGTH } / of,
        }
    }

    /// Its record, and whether it may be counted: some are malformed, where that is asked for.
    pub(crate) fn record(&self, install: &Install, rng: &mut StdRng) -> (String, Form) {
        let mut json = match &self.shape.bytes {
            None => install.json(rng),
            Some(bytes) => {
                let bytes = rng.random_range(bytes.clone());
                let json = if bytes < LEAN { install.lean_json(rng) } else { install.json(rng) };
                padded(json, bytes)
            }
        };
        if self.shape.malformed == 0 || rng.random_range(0..100) >= self.shape.malformed {
            return (json, Form::Good);
        }
        if rng.random() {
            json.truncate(json.len() / 2);
        } else {
            json = json.replacen(r#""app_id""#, r#""app""#, 1);
        }
        (json, Form::Malformed)
    }
}

impl Install {
    pub(crate) fn millis(&self) -> i64 {
        DAY_START + self.time.cast_signed()
    }

    /// What it is counted by besides its app: hour, media source, campaign, country.
    pub(crate) fn counter(&self) -> [u8; 4] {
        let campaign = if self.source == ORGANIC { 0 } else { self.campaign };
        [(self.time / HOUR_LENGTH) as u8, self.source as u8, campaign as u8, self.country as u8]
    }

    /// A counter in the words of `reports`.
    pub(crate) fn words([hour, source, campaign, country]: [u8; 4]) -> [String; 4] {
        let (source, campaign) = (usize::from(source), usize::from(campaign));
        let earned = source != ORGANIC;
        let campaign = if earned { campaign_name(source, campaign) } else { String::new() };
        [format!("{hour:02}"), source_name(source), campaign, COUNTRIES[usize::from(country)].to_owned()]
    }

    /// Nothing but what is counted.
    fn lean_json(&self, rng: &mut StdRng) -> String {
        let source = source_name(self.source);
        let attribution = if self.source == ORGANIC {
            r#""status":"organic""#.to_owned()
        } else {
            let campaign = campaign_name(self.source, self.campaign);
            format!(r#""status":"attributed","media_source":"{source}","campaign":"{campaign}""#)
        };
        format!(
            r#"{{"attribution":{{{attribution}}},"event_id":"{:016x}","app_id":"{}","event_time":"{}","country":"{}"}}"#,
            rng.random::<u64>(),
            app_id(self.app),
            clock(self.time),
            COUNTRIES[self.country],
        )
    }

    /// The record as `attribution` writes it.
    pub(crate) fn json(&self, rng: &mut StdRng) -> String {
        let [id, click]: [u128; 2] = [rng.random(), rng.random()];
        let (source, time) = (source_name(self.source), clock(self.time));
        let attribution = if self.source == ORGANIC {
            r#""status":"organic","conversion":"install","version":1"#.to_owned()
        } else {
            let campaign = campaign_name(self.source, self.campaign);
            format!(
                r#""status":"attributed","conversion":"install","media_source":"{source}","campaign":"{campaign}","campaign_id":"{:09}","touch_type":"click","touch_id":"{click:032x}","touch_time":"{DAY}T00:00:00.000Z","match_type":"device_id","version":1"#,
                self.source * 1_000 + self.campaign,
            )
        };
        let (platform, device) =
            if self.app.is_multiple_of(2) { ("android", "advertising_id") } else { ("ios", "idfa") };
        format!(
            r#"{{"attribution":{{{attribution}}},"event_id":"{id:032x}","kind":"install","app_id":"{}","event_time":"{time}","received_at":"{time}","platform":"{platform}","install_id":"{click:x}","device":{{"{device}":"{}","os_version":"16","model":"Pixel 9","language":"en"}},"country":"{}"}}"#,
            app_id(self.app),
            uuid(id),
            COUNTRIES[self.country],
        )
    }
}

impl Zipf {
    fn new(ranks: usize, exponent: f64) -> Self {
        let sums = (1..=ranks).scan(0.0, |sum, rank| {
            *sum += (rank as f64).powf(-exponent);
            Some(*sum)
        });
        Self(sums.collect())
    }

    fn draw(&self, rng: &mut StdRng) -> usize {
        let all = self.0.last().copied().unwrap_or_default();
        let point = rng.random_range(0.0..all);
        self.0.partition_point(|&sum| sum <= point)
    }
}

/// As long as it was asked to be, where a field more can make it so.
fn padded(mut json: String, bytes: usize) -> String {
    if let Some(missing) = bytes.checked_sub(json.len() + PADDING.len() - 1) {
        json.pop();
        json.push_str(&PADDING[..PADDING.len() - 3]);
        json.extend(std::iter::repeat_n('x', missing));
        json.push_str(&PADDING[PADDING.len() - 3..]);
    }
    json
}

pub(crate) fn source_name(source: usize) -> String {
    if source == ORGANIC { event::ORGANIC.to_owned() } else { format!("network_{source}") }
}

fn campaign_name(source: usize, campaign: usize) -> String {
    format!("n{source}_autumn_{campaign}")
}

fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn clock(millis: u64) -> String {
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    format!("{DAY}T{:02}:{:02}:{:02}.{millis:03}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn records(shape: &Shape, records: u64) -> Vec<(Install, String, Form)> {
        let (draw, mut rng) = (Draw::new(shape), StdRng::seed_from_u64(7));
        (0..records)
            .map(|number| {
                let install = draw.install(&mut rng, (number, records));
                let (json, form) = draw.record(&install, &mut rng);
                (install, json, form)
            })
            .collect()
    }

    #[test]
    fn a_record_of_any_size_is_an_install_and_says_what_is_counted() {
        for (bytes, expected) in [
            (None, 550..650),
            (Some(200..=200), 185..240),
            (Some(600..=600), 595..640),
            (Some(2_000..=2_000), 1_999..2_001),
        ] {
            let records = records(&Shape { bytes, ..Shape::default() }, 1_000);
            let mean = records.iter().map(|(_, json, _)| json.len()).sum::<usize>() / records.len();
            assert!(expected.contains(&mean), "{mean} bytes, not {expected:?}");
            for (install, json, _) in records {
                let read: event::Install<'_> = serde_json::from_str(&json).unwrap();
                let [_, source, campaign, country] = Install::words(install.counter());
                assert_eq!((read.event_time.millis(), read.app_id.as_str()), (install.millis(), &*app_id(install.app)));
                assert_eq!(read.current().media_source.as_str(), source);
                assert_eq!(read.current().campaign.as_ref().map_or("", event::Text::as_str), campaign);
                assert_eq!(read.country.as_ref().map(event::Text::as_str), Some(&*country));
            }
        }
    }

    #[test]
    fn an_ordinary_record_is_whole() {
        for (_, json, _) in records(&Shape::default(), 100) {
            serde_json::from_str::<event::Decided<'_>>(&json).unwrap();
        }
    }

    #[test]
    fn a_hundredth_is_malformed_and_cannot_be_counted() {
        let records = records(&Shape { malformed: 1, ..Shape::default() }, 10_000);
        let malformed: Vec<_> = records.iter().filter(|(.., form)| *form == Form::Malformed).collect();
        assert!((70..130).contains(&malformed.len()), "{}", malformed.len());
        for (_, json, _) in malformed {
            assert!(serde_json::from_str::<event::Install<'_>>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn shared_keys_are_one_hour_and_one_campaign_a_source() {
        for (install, ..) in records(&Shape { keys: Keys::Shared, ..Shape::default() }, 1_000) {
            let [hour, _, campaign, _] = install.counter();
            assert_eq!((hour, campaign), (0, 0));
        }
    }

    #[test]
    fn a_seed_makes_the_same_records_again() {
        let json = || records(&Shape::default(), 10).into_iter().map(|(_, json, _)| json).collect::<Vec<_>>();
        assert_eq!(json(), json());
    }
}
