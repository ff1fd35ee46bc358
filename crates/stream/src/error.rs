//! What can go wrong, by what it leads to.

use anyhow::anyhow;
use rdkafka::error::KafkaError;

use crate::Halt;

pub type Result<T> = std::result::Result<T, Error>;

/// The one error that anybody matches on: everything but `Fatal` leads to the stage's recovery.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It may work the next time; whether this time's work was stored, the sink knows.
    #[error("{0:#}")]
    Transient(anyhow::Error),
    /// Somebody else owns the partition, or the store is not where we thought it was. Nothing was stored.
    #[error("fenced: {0}")]
    Fenced(String),
    /// One partition cannot go on by itself; the others can. Nothing of it was stored.
    #[error("{0}")]
    Halted(Halt),
    /// Nothing can be done from here: the process ends with this exit code.
    #[error("{cause:#}")]
    Fatal { exit_code: u8, cause: anyhow::Error },
}

const FAILED: u8 = 1;
const UNREACHABLE: u8 = 69;
const CONFIGURATION: u8 = 78;

impl Error {
    pub fn transient(message: impl std::fmt::Display) -> Self {
        Self::Transient(anyhow!("{message}"))
    }

    /// A person must look before this can go on (exit 1).
    pub fn fatal(message: impl std::fmt::Display) -> Self {
        Self::Fatal { exit_code: FAILED, cause: anyhow!("{message}") }
    }

    /// A server that is needed does not answer (exit 69).
    pub fn unreachable(message: impl std::fmt::Display) -> Self {
        Self::Fatal { exit_code: UNREACHABLE, cause: anyhow!("{message}") }
    }

    /// The configuration, or what it points at, is wrong (exit 78).
    pub fn configuration(message: impl std::fmt::Display) -> Self {
        Self::Fatal { exit_code: CONFIGURATION, cause: anyhow!("{message}") }
    }
}

impl From<KafkaError> for Error {
    fn from(error: KafkaError) -> Self {
        Self::Transient(error.into())
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Transient)
    }
}

/// The exit code that an error asks for, if it comes from here.
pub fn exit_code(error: &anyhow::Error) -> Option<u8> {
    match error.downcast_ref()? {
        Error::Fatal { exit_code, .. } => Some(*exit_code),
        Error::Transient(_) | Error::Fenced(_) | Error::Halted(_) => None,
    }
}
