//! Waiting for a condition with a deadline: the only kind of waiting in tests.

use std::time::{Duration, Instant};

/// Asks until the answer is `Ok`, for a minute; panics with the last `Err`.
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Result<T, String>) -> T {
    eventually_within(Duration::from_secs(60), what, ask)
}

pub fn eventually_within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(why) => assert!(Instant::now() < deadline, "{what}: not within {limit:?}: {why}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
