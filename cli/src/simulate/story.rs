//! The plots of the journeys: each has one right answer, whatever the order and timing on the wire.

use event::Time;
use rand::Rng;

use crate::simulate::journey::{Credit, Journey, Submission, Traveller, Winner, pick};
use crate::simulate::market::{MediaSource, SOURCES};
use crate::simulate::message::{Identity, InApp, Touch, TouchKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plot {
    /// A click, known by the device, earns the install.
    ByDevice,
    /// A click, named by the store's referrer, earns it: no id is shared.
    ByReferrer,
    /// Of several clicks the last one earns it.
    LastClick,
    /// A click earns it although an impression is more recent.
    ClickBeforeImpression,
    /// An impression earns it: there is no click.
    ImpressionAlone,
}

/// How an install happens that nobody earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alone {
    Plain,
    /// The click is older than its window.
    ClickTooOld,
    /// The click was for another app.
    ClickForAnotherApp,
    /// Click and install both carry an id of zeros, which names nobody.
    ZeroIds,
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How many of a hundred people come by themselves.
const ORGANIC_SHARE: u32 = 10;
const ORGANIC_BUYERS: u32 = 20;
const ORGANIC_PRICE: i64 = 799;
const IMPRESSION_SHARE: u32 = 35;

pub(crate) fn tell(mut traveller: Traveller<'_>) -> Journey {
    if traveller.percent(ORGANIC_SHARE) {
        return arrive_alone(&mut traveller);
    }
    let source = pick(&mut traveller.rng, &SOURCES, |source| source.weight);
    if traveller.percent(source.conversion) {
        be_won(&mut traveller, source)
    } else {
        look_only(&mut traveller, source)
    }
}

/// A touch that leads to nothing.
fn look_only(traveller: &mut Traveller<'_>, source: &'static MediaSource) -> Journey {
    let kind = if traveller.percent(IMPRESSION_SHARE) { TouchKind::Impression } else { TouchKind::Click };
    let identity = if traveller.percent(50) { Identity::Device } else { Identity::Nobody };
    let mut touch = traveller.touch(kind, source, traveller.moment, identity);
    if kind == TouchKind::Click && traveller.rng.random_bool(traveller.scenario.shares.links) {
        touch.submission = touch.submission.through_link();
    }
    Journey { steps: vec![vec![touch.submission]] }
}

fn be_won(traveller: &mut Traveller<'_>, source: &'static MediaSource) -> Journey {
    let plots = [
        (Plot::ByDevice, 45),
        (Plot::ByReferrer, 25),
        (Plot::LastClick, 12),
        (Plot::ClickBeforeImpression, 8),
        (Plot::ImpressionAlone, 10),
    ];
    let (mut plot, _) = *pick(&mut traveller.rng, &plots, |(_, weight)| *weight);
    if plot == Plot::ByReferrer && traveller.id_field() == "idfa" {
        plot = Plot::ByDevice; // Apple's store hands no referrer on.
    }
    let install_at = traveller.moment - traveller.rng.random_range(MINUTE..5 * MINUTE);
    let (touches, winner) = win(traveller, plot, (source, install_at));
    let install = traveller.install(install_at, &winner);
    let follow_up = live(traveller, (install_at, source.buyers, source.price), &Credit { winner: Some(winner) });
    Journey { steps: [vec![touches, vec![install]], follow_up].concat() }
}

fn win(
    traveller: &mut Traveller<'_>,
    plot: Plot,
    (source, install_at): (&'static MediaSource, i64),
) -> (Vec<Submission>, Winner) {
    let before = |traveller: &mut Traveller<'_>, from: i64, to: i64| install_at - traveller.rng.random_range(from..to);
    let mut touches: Vec<Touch> = Vec::new();
    match plot {
        Plot::ByDevice | Plot::ByReferrer => {
            let at = before(traveller, MINUTE, 6 * HOUR);
            let identity = if plot == Plot::ByDevice { Identity::Device } else { Identity::Nobody };
            touches.push(traveller.touch(TouchKind::Click, source, at, identity));
        }
        Plot::LastClick => {
            for hours in [3, 2] {
                let other = pick(&mut traveller.rng, &SOURCES, |source| source.weight);
                let at = before(traveller, hours * HOUR, hours * HOUR + 50 * MINUTE);
                touches.push(traveller.touch(TouchKind::Click, other, at, Identity::Device));
            }
            let at = before(traveller, MINUTE, HOUR);
            touches.push(traveller.touch(TouchKind::Click, source, at, Identity::Device));
        }
        Plot::ClickBeforeImpression => {
            let other = pick(&mut traveller.rng, &SOURCES, |source| source.weight);
            let at = before(traveller, MINUTE, HOUR);
            touches.push(traveller.touch(TouchKind::Impression, other, at, Identity::Device));
            let at = before(traveller, 2 * HOUR, 20 * HOUR);
            touches.push(traveller.touch(TouchKind::Click, source, at, Identity::Device));
        }
        Plot::ImpressionAlone => {
            let at = before(traveller, MINUTE, 20 * HOUR);
            touches.push(traveller.touch(TouchKind::Impression, source, at, Identity::Device));
        }
    }
    let match_type = if plot == Plot::ByReferrer { "referrer" } else { "device_id" };
    // Every plot puts the touch that wins last.
    let winner = touches[touches.len() - 1].as_winner(match_type);
    (touches.into_iter().map(|touch| touch.submission).collect(), winner)
}

fn arrive_alone(traveller: &mut Traveller<'_>) -> Journey {
    let ways = [(Alone::Plain, 82), (Alone::ClickTooOld, 8), (Alone::ClickForAnotherApp, 5), (Alone::ZeroIds, 5)];
    let (way, _) = *pick(&mut traveller.rng, &ways, |(_, weight)| *weight);
    let install_at = traveller.moment - traveller.rng.random_range(MINUTE..5 * MINUTE);
    let source = pick(&mut traveller.rng, &SOURCES, |source| source.weight);
    let mut touches = Vec::new();
    match way {
        Alone::Plain => {}
        Alone::ClickTooOld => {
            let at = install_at - traveller.rng.random_range(8 * DAY..20 * DAY);
            touches.push(traveller.touch(TouchKind::Click, source, at, Identity::Device).submission);
        }
        Alone::ClickForAnotherApp => {
            let at = install_at - traveller.rng.random_range(MINUTE..6 * HOUR);
            if let Some(touch) = traveller.touch_of_another_app(source, at) {
                touches.push(touch.submission);
            }
        }
        Alone::ZeroIds => {
            let at = install_at - traveller.rng.random_range(MINUTE..6 * HOUR);
            touches.push(traveller.touch(TouchKind::Click, source, at, Identity::Zeros).submission);
        }
    }
    let identity = if way == Alone::ZeroIds { Identity::Zeros } else { Identity::Device };
    let install = traveller.organic_install(install_at, identity);
    let follow_up = live(traveller, (install_at, ORGANIC_BUYERS, ORGANIC_PRICE), &Credit::default());
    let before = if touches.is_empty() { Vec::new() } else { vec![touches] };
    Journey { steps: [before, vec![vec![install]], follow_up].concat() }
}

/// What happens after the install: sessions, levels, purchases, refunds.
fn live(
    traveller: &mut Traveller<'_>,
    (install_at, buyers, price): (i64, u32, i64),
    credit: &Credit,
) -> Vec<Vec<Submission>> {
    let mut clock = install_at;
    let mut later = |traveller: &mut Traveller<'_>| {
        clock += traveller.rng.random_range(SECOND..8 * SECOND);
        Time::from_trusted_millis(clock)
    };
    let mut first_visit = Vec::new();
    let at = later(traveller);
    first_visit.push(traveller.session(at, credit));
    if traveller.percent(60) {
        let at = later(traveller);
        first_visit.push(traveller.in_app(InApp::plain("registration", at), credit));
    }
    for level in 1..=traveller.rng.random_range(0..3_u32) {
        let at = later(traveller);
        first_visit.push(traveller.in_app(InApp::level(level, at), credit));
    }
    let mut second_visit = Vec::new();
    if traveller.percent(40) {
        let at = later(traveller);
        second_visit.push(traveller.session(at, credit));
    }
    if traveller.percent(buyers) {
        let paid = traveller.rng.random_range(price / 2..price * 2);
        let at = later(traveller);
        second_visit.push(traveller.in_app(InApp::purchase(paid, at), credit));
        if traveller.percent(8) {
            let at = later(traveller);
            second_visit.push(traveller.in_app(InApp::refund(paid, at), credit));
        }
    }
    [first_visit, second_visit].into_iter().filter(|step| !step.is_empty()).collect()
}
