//! Clicks and installs of devices, as `ingest` writes them to `activity`.

use std::time::Duration;

use event::topic;
use jiff::Timestamp;
use jiff::ToSpan as _;

use crate::load::Loader;
use crate::options::Options;
use crate::record::source_name;
use crate::truth::Truth;
use crate::world::{World, pause_for};

const APP: &str = "com.studio.game";
const CLICKS: u64 = 50;
const SOURCES: u64 = 25;
/// So many devices are clicking at the same time.
const AT_ONCE: u64 = 1_000;

/// An install, in this second.
pub(crate) fn install(device: u64, second: &str) -> String {
    format!(
        r#"{{"event_id":"i-{device}","kind":"install","app_id":"{APP}","event_time":"{second}.000Z","received_at":"{second}.100Z","platform":"android","install_id":"{device:032x}","device":{{"advertising_id":"{device:08x}-1111-4222-8333-444444444444","os_version":"16","model":"Pixel 9","language":"en"}},"country":"DE"}}"#
    )
}

/// One of the clicks of a device.
pub(crate) struct Click {
    pub(crate) device: u64,
    pub(crate) number: u64,
    pub(crate) source: u64,
}

impl Click {
    /// As a network sends it, in this second.
    pub(crate) fn sent(&self, second: &str) -> String {
        self.json(second, "")
    }

    /// As it stands in `activity`.
    pub(crate) fn received(&self, second: &str) -> String {
        self.json(second, &format!(r#""received_at":"{second}.100Z","#))
    }

    fn json(&self, second: &str, received: &str) -> String {
        let Self { device, number, source } = self;
        format!(
            r#"{{"event_id":"c-{device}-{number}","kind":"click","app_id":"{APP}","event_time":"{second}.000Z",{received}"media_source":"network_{source}","campaign":"autumn","campaign_id":"{number:09}","platform":"android","device":{{"advertising_id":"{device:08x}-1111-4222-8333-444444444444"}}}}"#
        )
    }
}

/// How many of the activities are whole devices.
fn devices(options: &Options) -> u64 {
    (options.events / (CLICKS + 1)).max(1)
}

/// Produces the clicks of the last hour and the installs that the last click of each device has earned.
pub(crate) fn load(world: &World, options: &Options) -> anyhow::Result<Truth> {
    let producer = Loader::open(world, topic::ACTIVITY)?;
    let (devices, mut truth) = (devices(options), Truth::of(topic::ACTIVITY));
    let seconds = Seconds::ending_now();
    let send = |device: u64, json: String, truth: &mut Truth, millis: i64| {
        truth.note(json.len(), millis);
        producer.send(&format!("{APP}|{device}"), &json)
    };
    for first in (0..devices).step_by(AT_ONCE as usize) {
        world.stop.check()?;
        let together = first..devices.min(first + AT_ONCE);
        for number in 0..CLICKS {
            let (second, millis) = &seconds.0[number as usize];
            for device in together.clone() {
                let click = Click { device, number, source: source(device, number) };
                send(device, click.received(second), &mut truth, *millis)?;
            }
        }
        let (second, millis) = &seconds.0[CLICKS as usize];
        for device in together {
            send(device, install(device, second), &mut truth, *millis)?;
            *truth.earned.entry(source_name(source(device, CLICKS - 1) as usize)).or_default() += 1;
        }
    }
    truth.disk_bytes = producer.finish(world, truth.records)?;
    let bytes = truth.bytes / truth.records;
    println!("loaded: {devices} installs and {CLICKS} clicks each, {bytes} bytes a record");
    // A backlog is older than the time for which installs wait for late clicks.
    pause_for(&world.stop, attribution::Config::default().hold + Duration::from_secs(1))?;
    Ok(truth)
}

/// Never the source of nobody.
pub(crate) fn source(device: u64, number: u64) -> u64 {
    1 + (device + number) % SOURCES
}

/// When the clicks of a device and its install happened, one minute after the other: text and milliseconds.
pub(crate) struct Seconds(pub(crate) Vec<(String, i64)>);

impl Seconds {
    #[expect(clippy::disallowed_methods, reason = "clicks that are too old are not remembered")]
    pub(crate) fn ending_now() -> Self {
        let now = Timestamp::now();
        let moment = |number: u64| {
            let second = now - ((CLICKS + 1 - number) as i64).minutes();
            let text = second.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            (text, second.as_second() * 1_000)
        };
        Self((0..=CLICKS).map(moment).collect())
    }
}

#[cfg(test)]
mod tests {
    use event::Activity;

    use super::*;

    #[test]
    fn a_device_clicks_before_it_installs() {
        let seconds = Seconds::ending_now();
        let times: Vec<i64> = (0..=CLICKS)
            .map(|number| {
                let (second, millis) = &seconds.0[number as usize];
                let json = if number == CLICKS {
                    install(7, second)
                } else {
                    Click { device: 7, number, source: 3 }.received(second)
                };
                let read: Activity<'_> = serde_json::from_str(&json).unwrap();
                assert_eq!(read.event_time.millis(), *millis);
                *millis
            })
            .collect();
        assert!(times.is_sorted_by(|a, b| a < b));
    }
}
