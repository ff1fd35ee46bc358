//! Sample events: valid as they are, so that a test sets only what it is about.

use serde_json::{Value, json};

/// A moment of 2026-11-22, ten o'clock.
pub const MOMENT: &str = "2026-11-22T10:00:00.000Z";

/// A decided install of `com.example.game`, earned by `media_source`.
pub fn install(id: &str, media_source: &str) -> Value {
    json!({ "event_id": id, "app_id": "com.example.game", "event_time": MOMENT, "kind": "install", "install_id": id,
            "platform": "android", "country": "DE",
            "attribution": { "status": "attributed", "media_source": media_source } })
}

/// A click of `media_source` on an ad for `com.example.game`.
pub fn click(id: &str, media_source: &str) -> Value {
    json!({ "event_id": id, "app_id": "com.example.game", "event_time": MOMENT, "kind": "click", "touch_id": id,
            "media_source": media_source, "platform": "android" })
}
