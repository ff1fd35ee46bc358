//! The demo while it runs: traffic, and a look at what comes of it once a second.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use event::Time;

use crate::clock::now;
use crate::demo::DemoArgs;
use crate::demo::child::Children;
use crate::demo::frame::{Pulse, fit, line, picture};
use crate::demo::look::look;
use crate::demo::summary;
use crate::demo::world::World;
use crate::output::{Output, print, say};
use crate::signals::Signals;
use crate::simulate::{
    Content, Deliveries, HttpDoors, Outcome, Pace, Scenario, Shares, Target, Watch, apps, play, spacing,
};

const GIVE_UP: Duration = Duration::from_secs(60);
const PLAIN_EVERY: u32 = 5;
const YOUR_APP: &str = "com.example.yours";
const CLEAR: &str = "\x1b[H\x1b[J";

/// Plays traffic until a signal, the end of `--for`, or the end of a process that must not end.
pub(crate) async fn show(
    args: &DemoArgs,
    (world, output): (&World, Output),
    signals: &Signals,
    children: &mut Children,
) -> anyhow::Result<()> {
    let now = now();
    let scenario = scenario(args, now);
    let (seed, names) = (scenario.seed, scenario.apps.iter().map(|app| app.id.clone()).collect::<Vec<_>>());
    let deliveries = Some(Arc::new(Deliveries::open(&world.rules)?));
    let watch = Watch { stop: signals.stop.child_token(), deliveries, ..Watch::default() };
    let doors = HttpDoors {
        client: world.client.clone(),
        base: world.ingest.clone(),
        give_up: GIVE_UP,
        stop: watch.stop.clone(),
    };
    let pace = Pace { rate: Some(args.rate), count: None, batch: 100, in_flight: 4 };
    let mut traffic = tokio::spawn(play(scenario, pace, Target::Http(doors), watch.clone()));
    let invitation = invitation(world);
    say(&invitation);
    let watched = view(args, (world, &names, Screen::of(output), &invitation), &watch, children).await;
    watch.stop.cancel();
    let outcome: Outcome = (&mut traffic).await?.context("a sender ended early")?;
    watched?;
    let truth = outcome.tally.truth(seed, now);
    summary::finish(args, (world, output), (&truth, &names), signals).await
}

async fn view(
    args: &DemoArgs,
    (world, names, screen, invitation): (&World, &[String], Screen, &str),
    watch: &Watch,
    children: &mut Children,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    let mut stored_before = 0;
    for second in 0_u32.. {
        tokio::select! {
            _ = clock.tick() => {}
            () = watch.stop.cancelled() => break,
        }
        children.check()?;
        if args.length.is_some_and(|length| started.elapsed() >= length) {
            break;
        }
        let stored = watch.progress.stored.load(Ordering::Relaxed);
        let per_second = stored.saturating_sub(stored_before) as f64;
        stored_before = stored;
        let retried = watch.progress.retried.load(Ordering::Relaxed);
        let pulse = Pulse { elapsed: started.elapsed(), stored, per_second, retried };
        let is_due = second % PLAIN_EVERY == PLAIN_EVERY - 1;
        match screen {
            Screen::Terminal => {
                let picture = picture(&pulse, &look(world, names).await);
                let all = format!("Ctrl-C ends it.  {picture}\n\n{invitation}");
                print(&format!("{CLEAR}{}", fit(&all, size())))?;
            }
            Screen::Plain if is_due => print(&line(&pulse, &look(world, names).await))?,
            Screen::Log if is_due => say(line(&pulse, &look(world, names).await)),
            Screen::Plain | Screen::Log => {}
        }
    }
    Ok(())
}

/// Where the view goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Screen {
    /// One picture, drawn again and again.
    Terminal,
    /// A line every few seconds.
    Plain,
    /// The same on stderr: stdout is for JSON alone.
    Log,
}

impl Screen {
    fn of(output: Output) -> Self {
        match output {
            Output::Json => Self::Log,
            Output::Table if std::io::stdout().is_terminal() => Self::Terminal,
            Output::Table => Self::Plain,
        }
    }
}

/// Traffic whose apps carry a mark where others may have counts in the same servers.
fn scenario(args: &DemoArgs, now: Time) -> Scenario {
    let seed = now.millis().unsigned_abs();
    let shared = args.kafka.is_some() || args.redis.is_some();
    Scenario {
        seed,
        started_at: now,
        apps: apps(args.apps, shared.then_some(seed)),
        spacing_ms: spacing(args.rate),
        shares: Shares { duplicates: 0.02, late: 0.05, links: 0.1 },
        content: Content::Everything,
    }
}

/// Rows and columns that a picture may take.
fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_row > 1 => (usize::from(size.ws_row) - 1, usize::from(size.ws_col)),
        _ => (usize::MAX, usize::MAX),
    }
}

/// What to try while it runs, with an app of its own: what is tried is not mistaken for the traffic.
fn invitation(world: &World) -> String {
    let (ingest, reports) = (world.ingest.as_str(), world.reports.as_str());
    let mut lines = vec![
        "try:".to_owned(),
        format!("  curl '{reports}v1/stats?group_by=media_source&granularity=total'"),
        format!(
            "  curl {ingest}v1/events -H 'content-type: application/json' -d '{{\"kind\":\"install\",\"app_id\":\"{YOUR_APP}\",\"install_id\":\"me-1\"}}'"
        ),
        format!("  curl '{ingest}v1/click/{YOUR_APP}?pid=acme_ads&c=spring_sale&redirect=0'"),
        format!("  kcat -b {} -C -t installs -o -3 -e -q", world.kafka),
        format!("  rules of postbacks: {}", world.rules.display()),
    ];
    let metrics: Vec<String> =
        world.admin.iter().map(|(name, address)| format!("{name} http://{address}/metrics")).collect();
    lines.push(format!("  {}", metrics.join("  ")));
    lines.join("\n")
}
