//! How an endpoint may answer.

use std::process::Command;
use std::sync::LazyLock;

/// One answer of the receiver.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16),
    /// A status, and one header more, such as `("Retry-After", "120")`.
    With(u16, &'static str, String),
    /// Takes the request and never answers; the connection stays open.
    Hang,
    /// A status, and then one byte of the body a second.
    Drip(u16),
    /// A status, and a body of a gigabyte.
    Huge(u16),
    /// A status line, and then headers for as long as somebody reads them.
    EndlessHeaders,
    /// A body of ten megabytes that says it inflates to ten gigabytes.
    GzipBomb(u16),
    /// Takes the request, and closes the connection without an answer.
    Close,
}

impl Answer {
    /// The status that the other side can read; 0 where it gets none.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Status(status)
            | Self::With(status, ..)
            | Self::Drip(status)
            | Self::Huge(status)
            | Self::GzipBomb(status) => *status,
            Self::Hang | Self::EndlessHeaders | Self::Close => 0,
        }
    }
}

/// Ten megabytes that inflate to ten gigabytes of zeros: a gzip file may have any number of members.
pub(super) static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let script = "head -c 100M /dev/zero | gzip";
    let member = Command::new("sh").args(["-c", script]).output().unwrap().stdout;
    member.repeat(100)
});
