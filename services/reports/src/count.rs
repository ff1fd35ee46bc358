//! The handlers: what each topic's records are counted as.

use event::{Conversion, Earned, Install, Kind, Text, Touch, TouchType, Valued};
use ledger::Effects;
use stream::{Batch, Record};

use crate::config::Reports;
use crate::tally::{Place, Tally};

pub(crate) type Handler = fn(&mut Batch<'_>, &Reports) -> anyhow::Result<Effects>;

/// One record of `installs` is one install. A correction moves the count.
pub fn installs(batch: &mut Batch<'_>, settings: &Reports) -> anyhow::Result<Effects> {
    let mut tally = Tally::new(settings);
    for Record { value: install, .. } in batch.decode::<Install>() {
        count_install(&mut tally, &install, install.current(), 1);
        if let Some(previous) = install.previous() {
            count_install(&mut tally, &install, previous, -1);
        }
    }
    Ok(tally.into_effects())
}

/// In-app events with what they were worth, and sessions, by the attribution of their install.
pub(crate) fn events(batch: &mut Batch<'_>, settings: &Reports) -> anyhow::Result<Effects> {
    let mut tally = Tally::new(settings);
    for Record { value: event, .. } in batch.decode::<Valued>() {
        let place = Place {
            app_id: &event.app_id,
            time: event.event_time,
            test: event.test,
            country: event.country.as_ref(),
            platform: event.platform,
            event_name: event.event_name.as_ref(),
            ..earned(&event.attribution, &event.app_id, event.event_time)
        };
        tally.add(if event.kind == Kind::Session { "sessions" } else { "events" }, &place, 1);
        if let Some((revenue, currency)) = event.value {
            tally.add(&format!("revenue.{}", currency.as_str()), &place, revenue.get());
        }
    }
    Ok(tally.into_effects())
}

/// Clicks and impressions; one that was sent again counts once.
pub(crate) fn touches(batch: &mut Batch<'_>, settings: &Reports) -> anyhow::Result<Effects> {
    let mut tally = Tally::new(settings);
    for Record { value: touch, .. } in batch.decode::<Touch>() {
        let metric = match touch.kind {
            Kind::Click => "clicks",
            Kind::Impression => "impressions",
            Kind::Install | Kind::Session | Kind::Event => continue, // counted where they are decided
        };
        let place = Place {
            app_id: &touch.app_id,
            time: touch.event_time,
            test: touch.test,
            media_source: touch.media_source.as_ref().map_or("", Text::as_str),
            campaign: touch.campaign.as_ref(),
            country: touch.country.as_ref(),
            platform: touch.platform,
            event_name: None,
            touch_type: TouchType::of(touch.kind),
            status: None,
        };
        tally.add_once(touch.event_id.as_str(), metric, &place);
    }
    Ok(tally.into_effects())
}

fn count_install(tally: &mut Tally<'_>, install: &Install<'_>, by_whom: &Earned<'_>, by: i64) {
    let place = Place {
        test: install.test,
        country: install.country.as_ref(),
        platform: install.platform,
        ..earned(by_whom, &install.app_id, install.event_time)
    };
    let metric = match by_whom.conversion {
        Conversion::Install => "installs",
        Conversion::Reinstall | Conversion::Reattribution | Conversion::Reengagement => "reinstalls",
    };
    tally.add(metric, &place, by);
}

fn earned<'a>(attribution: &'a Earned<'_>, app_id: &'a event::AppId<'_>, time: event::Time) -> Place<'a> {
    Place {
        app_id,
        time,
        test: false,
        media_source: attribution.media_source.as_str(),
        campaign: attribution.campaign.as_ref(),
        country: None,
        platform: None,
        event_name: None,
        touch_type: attribution.touch_type,
        status: Some(attribution.status),
    }
}
