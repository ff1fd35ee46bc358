//! The loop: send a canary, see it acknowledged, decided and counted, and rest.

use std::time::{Duration, Instant};

use event::topic;
use service::Running;
use stream::tail::{Start, Tail, Until};
use stream::{Kafka, Watermarks};

use crate::canary::Canary;
use crate::config;
use crate::doors::{Counted, Doors};

/// How soon a stop is noticed.
const TURN: Duration = Duration::from_millis(200);

/// A canary that did not come out.
struct Lost {
    /// What it did not come to: `acknowledged`, `decided`, `visible`.
    until: &'static str,
    why: String,
}

struct Flight<'a> {
    running: &'a Running,
    /// What `/readyz` says meanwhile: how the flight before ended.
    trouble: Option<&'a str>,
    began: Instant,
    deadline: Duration,
}

pub(crate) fn run(kafka: &Kafka, config: &config::Canary, doors: &Doors, running: &Running) -> anyhow::Result<()> {
    let partitions = Watermarks::open(kafka)?.partitions(topic::INSTALLS)?;
    let mut trouble = Some("the first canary is on its way".to_owned());
    while running.turn(trouble.as_deref()) {
        let flight = Flight { running, trouble: trouble.as_deref(), began: Instant::now(), deadline: config.deadline };
        let outcome = flight.fly(kafka, &partitions, doors);
        let began = flight.began;
        if !running.goes_on() {
            break;
        }
        metrics::counter!("canary_sent_total").increment(1);
        trouble = outcome.err().map(|Lost { until, why }| {
            metrics::counter!("canary_lost_total", "until" => until).increment(1);
            format!("the last canary was not {until} within {:?}: {why}", config.deadline)
        });
        while began.elapsed() < config.every && running.turn(trouble.as_deref()) {
            std::thread::sleep(TURN);
        }
    }
    Ok(())
}

impl Flight<'_> {
    fn fly(&self, kafka: &Kafka, partitions: &[i32], doors: &Doors) -> Result<(), Lost> {
        let canary = Canary::new();
        let counted_before = doors.counted(&canary).map_or(0, |counted| counted.installs);
        let mut installs = Tail::open(kafka, topic::INSTALLS, Start::End(partitions.to_vec()), Until::Stopped)
            .map_err(|error| Lost { until: "acknowledged", why: error.to_string() })?;
        self.until("acknowledged", || doors.send(&canary).map(Some))?;
        let place = self.until("decided", || look(&mut installs, &canary))?;
        self.until("visible", || is_counted(&doors.counted(&canary)?, place, counted_before))
    }

    /// Asks until there is an answer, and notes how long that took since the flight began.
    fn until<T>(&self, what: &'static str, mut ask: impl FnMut() -> Result<Option<T>, String>) -> Result<T, Lost> {
        let mut why = String::from("nothing came");
        while self.running.turn(self.trouble) && self.began.elapsed() < self.deadline {
            match ask() {
                Ok(Some(answer)) => {
                    metrics::histogram!("canary_seconds", "until" => what).record(self.began.elapsed().as_secs_f64());
                    return Ok(answer);
                }
                Ok(None) => {}
                Err(error) => why = error,
            }
            std::thread::sleep(TURN / 4);
        }
        Err(Lost { until: what, why })
    }
}

/// Reads what came to `installs`; the canary's partition and offset, once it is there.
fn look(installs: &mut Tail, canary: &Canary) -> Result<Option<(i32, i64)>, String> {
    while let Some(record) = installs.next(TURN).map_err(|error| error.to_string())? {
        if canary.is_in(&record)? {
            return Ok(Some((record.partition.id, record.offset.0)));
        }
    }
    Ok(None)
}

/// Reports is past the record; then the count must have risen.
fn is_counted(counted: &Counted, (partition, offset): (i32, i64), before: i64) -> Result<Option<()>, String> {
    match counted.holds(partition, offset) {
        true if counted.installs > before => Ok(Some(())),
        true => Err(format!("reports is past {}/{partition}/{offset} and has not counted it", topic::INSTALLS)),
        false => Ok(None),
    }
}
