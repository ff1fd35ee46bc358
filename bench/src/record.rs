//! One decided install of about 600 bytes, made from a seed.

use rand::Rng;
use rand::rngs::StdRng;

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
const DAY_LENGTH: u64 = 86_400_000;

/// The few fields that are counted, as indices.
pub(crate) struct Install {
    pub(crate) app: usize,
    source: usize,
    campaign: usize,
    country: usize,
    /// Milliseconds since the day began.
    time: u64,
}

/// Draws installs whose app, media source, campaign and country each follow Zipf's law with exponent 1.
pub(crate) struct Draw {
    apps: Zipf,
    sources: Zipf,
    campaigns: Zipf,
    countries: Zipf,
}

struct Zipf(Vec<f64>);

pub(crate) fn app_id(app: usize) -> String {
    if app.is_multiple_of(2) { format!("com.studio{app:02}.game") } else { format!("id15{app:08}") }
}

impl Draw {
    pub(crate) fn new() -> Self {
        let [apps, sources, campaigns, countries] = [APPS, SOURCES, CAMPAIGNS, COUNTRIES.len()].map(Zipf::new);
        Self { apps, sources, campaigns, countries }
    }

    /// The install at this share of the day.
    pub(crate) fn install(&self, rng: &mut StdRng, (number, of): (u64, u64)) -> Install {
        Install {
            app: self.apps.draw(rng),
            source: self.sources.draw(rng),
            campaign: self.campaigns.draw(rng),
            country: self.countries.draw(rng),
            time: number * DAY_LENGTH / of,
        }
    }
}

impl Install {
    pub(crate) fn millis(&self) -> i64 {
        DAY_START + self.time.cast_signed()
    }

    /// What it is counted by besides its app: hour, media source, campaign, country.
    pub(crate) fn counter(&self) -> [u8; 4] {
        let campaign = if self.source == ORGANIC { 0 } else { self.campaign };
        [(self.time / 3_600_000) as u8, self.source as u8, campaign as u8, self.country as u8]
    }

    /// A counter in the words of `reports`.
    pub(crate) fn words([hour, source, campaign, country]: [u8; 4]) -> [String; 4] {
        let (source, campaign) = (usize::from(source), usize::from(campaign));
        let earned = source != ORGANIC;
        let campaign = if earned { campaign_name(source, campaign) } else { String::new() };
        [format!("{hour:02}"), source_name(source), campaign, COUNTRIES[usize::from(country)].to_owned()]
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
    fn new(ranks: usize) -> Self {
        let sums = (1..=ranks).scan(0.0, |sum, rank| {
            *sum += 1.0 / rank as f64;
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

fn source_name(source: usize) -> String {
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

    #[test]
    fn a_record_is_a_decided_install_of_about_600_bytes_and_says_what_is_counted() {
        let (draw, mut rng) = (Draw::new(), StdRng::seed_from_u64(7));
        let (records, mut bytes) = (1_000, 0);
        for number in 0..records {
            let install = draw.install(&mut rng, (number, records));
            let json = install.json(&mut rng);
            bytes += json.len();
            serde_json::from_str::<event::Decided<'_>>(&json).unwrap();
            let read: event::Install<'_> = serde_json::from_str(&json).unwrap();
            let [_, source, campaign, country] = Install::words(install.counter());
            assert_eq!((read.event_time.millis(), read.app_id.as_str()), (install.millis(), &*app_id(install.app)));
            assert_eq!(read.current().media_source.as_str(), source);
            assert_eq!(read.current().campaign.as_ref().map_or("", event::Text::as_str), campaign);
            assert_eq!(read.country.as_ref().map(event::Text::as_str), Some(&*country));
        }
        assert!((550..650).contains(&(bytes / records as usize)), "{}", bytes / records as usize);
    }

    #[test]
    fn a_seed_makes_the_same_records_again() {
        let make = || {
            let (draw, mut rng) = (Draw::new(), StdRng::seed_from_u64(7));
            draw.install(&mut rng, (1, 2)).json(&mut rng)
        };
        assert_eq!(make(), make());
    }
}
