//! The topics that services meet in. No service knows another; each knows these names.

/// What apps and ad clicks did, as it was received.
pub const ACTIVITY: &str = "activity";
/// One record per decided install: the hub, and a public contract.
pub const INSTALLS: &str = "installs";
/// In-app events and sessions, with the attribution of their install copied in.
pub const EVENTS: &str = "events";
/// Every delivery attempt and its outcome.
pub const POSTBACKS: &str = "postbacks";

/// The topics whose partition counts are equal, so that a device has one partition number in all of them.
pub const ALIGNED: [&str; 4] = [ACTIVITY, INSTALLS, EVENTS, POSTBACKS];
