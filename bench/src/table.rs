//! The tables of the page.

use comfy_table::{Table, presets};

use crate::contender::FLOOR;
use crate::door::Door;
use crate::results::{Entry, Run, Spread};

/// The contender that the others are compared with.
pub(crate) const OURS: &str = "reports";

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(header.iter().copied());
    table
}

/// Every contender, with what it costs beside ours and beside the floor.
pub(crate) fn costs(run: &Run) -> String {
    let mut table = table(&[
        "",
        "CPU µs per event: median (min – max)",
        "events a second per core",
        "ratio to reports",
        "goal",
        "ratio to the floor",
        "peak memory",
        "Redis' own CPU µs per event",
    ]);
    for entry in &run.contenders {
        table.add_row(row(run, entry));
    }
    let mut text = table.to_string();
    for entry in &run.contenders {
        if let Some(why) = &entry.failed {
            text += &format!("\n\n{}: {why}.", entry.name);
        }
    }
    text
}

fn row(run: &Run, entry: &Entry) -> Vec<String> {
    let Some(micros) = run.micros(entry) else {
        return vec![entry.name.clone(), "did not run".to_owned()];
    };
    let to = |other: &str| run.entry(other).and_then(|other| run.ratio(entry, other, Entry::micros));
    let text = |spread: Option<&Spread>| spread.map(Spread::text).unwrap_or_default();
    let ours = to(OURS);
    let goal = entry.goal.zip(ours.as_ref()).map(|(goal, ours)| {
        let word = if ours.median >= goal { "met" } else { "missed" };
        format!("≥ {goal}: {word}")
    });
    let redis = run.redis_micros(entry).filter(|redis| redis.median >= 0.005);
    let most = run.contenders.iter().map(|entry| entry.rounds.len()).max().unwrap_or_default();
    let rounds =
        if entry.rounds.len() < most { format!(" ({} of {most} rounds)", entry.rounds.len()) } else { String::new() };
    vec![
        entry.name.clone() + &rounds,
        micros.text(),
        format!("{:.0}", 1e6 / micros.median),
        text(ours.as_ref()),
        goal.unwrap_or_default(),
        text(to(FLOOR).as_ref()),
        format!("{:.0} MiB", peak_mib(entry)),
        redis.map(|redis| format!("{:.2}", redis.median)).unwrap_or_default(),
    ]
}

/// What one of ours costs, beside the floor: what does the least of the same.
pub(crate) fn ours(run: &Run) -> String {
    let mut table = table(&[
        "",
        "CPU µs per event: median (min – max)",
        "events a second per core",
        "ratio to the floor",
        "peak memory",
        "Kafka's own CPU µs per event",
        "Redis'",
        "bytes that Redis grew by per event",
    ]);
    for entry in &run.contenders {
        let Some(micros) = run.micros(entry) else { continue };
        let floor = match Door::floor(&entry.name) {
            Some(bare) => run.entry(&bare),
            None => run.contenders.first(),
        };
        let ratio = floor.and_then(|floor| run.ratio(entry, floor, Entry::micros));
        let [kafka, redis] = [run.kafka_micros(entry), run.redis_micros(entry)]
            .map(|spread| spread.filter(|it| it.median >= 0.005).map(|it| format!("{:.2}", it.median)));
        let bytes = run.redis_bytes(entry, run.events).filter(|bytes| bytes.median >= 1.0);
        table.add_row([
            entry.name.clone(),
            micros.text(),
            format!("{:.0}", 1e6 / micros.median),
            ratio.as_ref().map(Spread::text).unwrap_or_default(),
            format!("{:.0} MiB", peak_mib(entry)),
            kafka.unwrap_or_default(),
            redis.unwrap_or_default(),
            bytes.map(|bytes| format!("{:.0}", bytes.median)).unwrap_or_default(),
        ]);
    }
    table.to_string()
}

fn peak_mib(entry: &Entry) -> f64 {
    Spread::of(entry.rounds.iter().map(|cost| cost.peak_mib)).map_or(0.0, |peak| peak.most)
}

/// `reports` with and without its guarantee: the process, Redis, and both together.
pub(crate) fn price(run: &Run) -> String {
    let mut table = table(&["CPU µs per event: median (min – max)", "without", "with", "ratio"]);
    let [without, with] = &run.contenders[..] else { return String::new() };
    for (name, figure) in FIGURES {
        let of = |entry: &Entry| Spread::of(entry.rounds.iter().map(|cost| figure(entry, cost, run.events)));
        let text = |spread: Option<Spread>| spread.as_ref().map(Spread::text).unwrap_or_default();
        let ratio = run.ratio(with, without, figure);
        let ratio = ratio.map(|Spread { median, least, most }| format!("{median:.3} ({least:.3} – {most:.3})"));
        table.add_row([name.to_owned(), text(of(without)), text(of(with)), ratio.unwrap_or_default()]);
    }
    table.to_string()
}

type Figure = fn(&Entry, &crate::contender::Cost, u64) -> f64;

const FIGURES: [(&str, Figure); 3] = [
    ("the process", Entry::micros),
    ("Redis", Entry::redis_micros),
    ("both", |entry, cost, events| entry.micros(cost, events) + entry.redis_micros(cost, events)),
];

/// The same in instructions of the process.
pub(crate) fn instructions(run: &Run) -> String {
    let mut table = table(&["", "instructions per event"]);
    for entry in &run.contenders {
        let spread = Spread::of(entry.rounds.iter().map(|cost| entry.instructions(cost, run.events)));
        let text = spread.map(|Spread { median, least, most }| format!("{median:.0} ({least:.0} – {most:.0})"));
        table.add_row([entry.name.clone(), text.unwrap_or_default()]);
    }
    table.to_string()
}
