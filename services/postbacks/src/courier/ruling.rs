//! What the courier decides, apart from how it is carried out: no I/O, no clock. The model drives these same decisions.

use std::time::Duration;

use super::board::{Board, Known};

/// A process that was stopped must not deliver when it wakes: somebody else may hold the delivery by then.
pub(super) const START_WITHIN: Duration = Duration::from_secs(5);
/// Within this time Kafka has an outcome, or will never have it: the producer's `message.timeout.ms`.
pub(crate) const RECORDED_WITHIN: Duration = Duration::from_secs(10);
/// For what lies between the two.
const SLACK: Duration = Duration::from_secs(1);

/// How long a claimed delivery is ours: time to begin, for the request, and for its outcome to be acknowledged.
pub(super) fn lease(request: Duration) -> Duration {
    START_WITHIN + request + RECORDED_WITHIN + SLACK
}

/// What is known of a delivery that was just claimed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    pub(super) is_finished: bool,
    /// It is not known what has been delivered.
    pub(super) is_in_doubt: bool,
    /// An answer is there that Kafka has not acknowledged.
    pub(super) has_answer: bool,
    /// It may have been told since this moment, in milliseconds.
    pub(super) perhaps_told_since: Option<i64>,
    /// The claim before was left without an outcome in Redis.
    pub(super) was_left: bool,
    /// When it was due: where an earlier claim came to nothing, the end of that lease.
    pub(super) due_ms: i64,
    pub(super) known: Known,
    pub(super) since_claim: Duration,
    /// The partition may be somebody else's since the claim.
    pub(super) is_session_over: bool,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// It was finished before: Redis brought it back.
    LetGo,
    /// The answer that is there is recorded; the endpoint is not asked again.
    RecordAnswer,
    /// It may have been told at a time of which the outcomes are not known: those since this moment, or the latest.
    LookBack {
        since: Option<i64>,
    },
    /// Too late to begin, or too early.
    GiveBack,
    Request,
}

impl Sight {
    pub(super) fn duty(&self) -> Duty {
        if self.is_finished {
            return Duty::LetGo;
        }
        if self.is_in_doubt {
            return Duty::GiveBack;
        }
        let untold = self.perhaps_told_since.filter(|&since| since < self.known.since);
        // Whoever had it before may have recorded an outcome until the lease ended, and died before the removal.
        let may_be_recorded = self.was_left && self.known.until < self.due_ms;
        if untold.is_some() || may_be_recorded {
            return Duty::LookBack { since: untold };
        }
        if self.has_answer {
            return Duty::RecordAnswer;
        }
        if self.since_claim >= START_WITHIN || self.is_session_over {
            return Duty::GiveBack;
        }
        Duty::Request
    }
}

/// Whether an outcome reaches Kafka while the delivery is still ours: later, somebody else may have made the delivery too,
/// and a success is recorded once.
pub(super) fn may_record(since_claim: Duration, lease: Duration) -> bool {
    since_claim + RECORDED_WITHIN < lease
}

/// What Redis says of the attempts of a delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempts {
    /// The claimed one.
    pub(super) claimed: u32,
    /// The last one whose outcome was recorded.
    pub(super) recorded: u32,
    /// One before that has no recorded outcome.
    pub(super) has_gap: bool,
}

impl Attempts {
    /// What a lost Redis knew of the attempts of a delivery that was perhaps told, nobody knows.
    pub(super) fn perhaps_after(self, perhaps_told_since: Option<i64>) -> Self {
        Self { has_gap: self.has_gap || perhaps_told_since.is_some(), ..self }
    }

    /// Whether the claim before was left without an outcome in Redis.
    pub(super) fn was_left(self) -> bool {
        self.claimed.saturating_sub(1) > self.recorded
    }

    /// Whether one before `made` may have reached the endpoint although no outcome of it was recorded.
    pub(super) fn is_possibly_repeated(self, made: u32) -> bool {
        self.has_gap || made.saturating_sub(1) > self.recorded
    }

    /// Whether any but `made`, of which the outcome is recorded now, has none. An answer that Kafka did not acknowledge is
    /// recorded at a later claim: somebody else may have had the delivery between.
    pub(super) fn leave_a_gap(self, made: u32) -> bool {
        self.is_possibly_repeated(made) || self.claimed.saturating_sub(1) > made
    }
}

/// Whether deliveries may be claimed by this board.
pub(super) fn may_claim(board: &Board, sessions: &[u64], is_in_doubt: bool) -> bool {
    !is_in_doubt && board.is_open() && board.sessions == sessions
}
