//! Progress on a terminal, and silence elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use crate::output::say;
use crate::simulate::Progress;

/// A bar on stderr that follows a run; where stderr is no terminal, a line from time to time.
pub(crate) struct Bar {
    bar: ProgressBar,
    follower: JoinHandle<()>,
}

const PLAIN_EVERY: Duration = Duration::from_secs(10);

pub(crate) fn of_messages(count: Option<u64>, progress: Arc<Progress>) -> Bar {
    if !std::io::stderr().is_terminal() {
        return Bar { bar: ProgressBar::hidden(), follower: tokio::spawn(write_lines(progress)) };
    }
    let bar = count.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let shape = match count {
        Some(_) => "{bar:32} {pos}/{len} messages, {per_sec}, {eta} left{msg}",
        None => "{spinner} {pos} messages, {per_sec}{msg}",
    };
    if let Ok(style) = ProgressStyle::with_template(shape) {
        bar.set_style(style);
    }
    Bar { bar: bar.clone(), follower: tokio::spawn(move_bar(bar, progress)) }
}

async fn move_bar(bar: ProgressBar, progress: Arc<Progress>) {
    let mut clock = tokio::time::interval(Duration::from_millis(200));
    loop {
        clock.tick().await;
        bar.set_position(progress.stored.load(Ordering::Relaxed));
        let retried = progress.retried.load(Ordering::Relaxed);
        if retried > 0 {
            bar.set_message(format!(", {retried} tried again"));
        }
    }
}

async fn write_lines(progress: Arc<Progress>) {
    loop {
        tokio::time::sleep(PLAIN_EVERY).await;
        let (stored, retried) = (progress.stored.load(Ordering::Relaxed), progress.retried.load(Ordering::Relaxed));
        say(format!("{stored} messages stored, {retried} tried again"));
    }
}

impl Bar {
    pub(crate) fn finish(self) {
        self.follower.abort();
        self.bar.finish_and_clear();
    }
}
