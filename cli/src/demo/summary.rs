//! How a demo ends: were all messages counted, once each?

use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use crate::demo::DemoArgs;
use crate::demo::frame::sources;
use crate::demo::look::{Sight, look, money};
use crate::demo::world::World;
use crate::output::{Output, print, say};
use crate::signals::Signals;
use crate::simulate::Truth;
use crate::verify::{Difference, Stats, differences};

const SETTLE_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// With `--for`: waits until everything that was sent is counted, and fails where it is not. After Ctrl-C it only says
/// what was seen last.
pub(crate) async fn finish(
    args: &DemoArgs,
    (world, output): (&World, Output),
    (truth, apps): (&Truth, &[String]),
    signals: &Signals,
) -> anyhow::Result<()> {
    let wrong = if args.length.is_some() && !signals.stop.is_cancelled() {
        say("the traffic has ended; waiting until everything is counted and told");
        Some(settle(world, (truth, apps), signals).await)
    } else {
        None
    };
    let sight = look(world, apps).await;
    show(&sight, truth, output)?;
    let Some(wrong) = wrong else { return Ok(()) };
    let wrong = wrong?;
    if sight.installs() == 0 || sight.delivered() == 0 {
        bail!("nothing was counted or nothing was delivered");
    }
    if let Some(first) = wrong.first() {
        let what = format!(
            "{} numbers differ from what was sent, such as {} {} {}: {} instead of {}",
            wrong.len(),
            first.app,
            first.dimensions,
            first.metric,
            first.found,
            first.expected
        );
        if world.memory.is_none() {
            bail!(what);
        }
        say(format!("{what}; the broker in memory promises nothing"));
        return Ok(());
    }
    say("every message that was acknowledged is counted, once");
    Ok(())
}

/// Waits until the counts equal the truth and the networks were told all of it, as far as they let themselves be told.
async fn settle(
    world: &World,
    (truth, apps): (&Truth, &[String]),
    signals: &Signals,
) -> anyhow::Result<Vec<Difference>> {
    let stats = Stats { client: world.client.clone(), base: world.reports.clone() };
    let deadline = Instant::now() + SETTLE_WITHIN;
    loop {
        let wrong = differences(truth, &stats).await;
        let equal = matches!(&wrong, Ok(wrong) if wrong.is_empty());
        let told = equal && look(world, apps).await.delivered() >= expected_deliveries(truth);
        if told || Instant::now() > deadline || signals.stop.is_cancelled() {
            return wrong;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn expected_deliveries(truth: &Truth) -> u64 {
    truth.deliveries.values().sum()
}

fn show(sight: &Sight, truth: &Truth, output: Output) -> anyhow::Result<()> {
    let totals = truth.totals();
    if let Output::Json = output {
        let installs: serde_json::Map<String, serde_json::Value> =
            sight.sources.iter().map(|(name, counts)| (name.clone(), counts.installs.into())).collect();
        return output.json(&json!({
            "sent": totals,
            "installs_counted": installs,
            "deliveries": sight.delivered(),
            "deliveries_expected": expected_deliveries(truth),
            "attempts": sight.attempts(),
        }));
    }
    print(&sources(sight))?;
    print(&format!(
        "sent: {} clicks, {} impressions, {} installs, {} sessions, {} events, {}",
        totals.clicks,
        totals.impressions,
        totals.installs,
        totals.sessions,
        totals.events,
        money(&totals.revenue)
    ))?;
    let repeated: u64 = sight.networks.values().map(|network| network.repeated).sum();
    print(&format!(
        "told: {} deliveries in {} attempts, {repeated} of them repeated; this traffic called for {}",
        sight.delivered(),
        sight.attempts(),
        expected_deliveries(truth)
    ))
}
