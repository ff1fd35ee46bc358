//! What an answer means: delivered, to be tried again, or failed for good.

use event::Outcome;

/// Why an attempt did not deliver; the names are part of the contract of topic `postbacks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Dns,
    ConnectRefused,
    ConnectReset,
    Timeout,
    Tls,
    SsrfBlocked,
    Http3xx,
    Http4xx,
    Http5xx,
    Template,
    EndpointDisabled,
}

impl Class {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectReset => "connect_reset",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::SsrfBlocked => "ssrf_blocked",
            Self::Http3xx => "http_3xx",
            Self::Http4xx => "http_4xx",
            Self::Http5xx => "http_5xx",
            Self::Template => "template",
            Self::EndpointDisabled => "endpoint_disabled",
        }
    }
}

/// What one attempt came to, before the schedule has its say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Delivered,
    Retry(Class),
    Failed(Class),
    /// 410: this delivery failed, and no other should be tried.
    Gone,
}

impl Verdict {
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Delivered,
            300..=399 => Self::Failed(Class::Http3xx),
            410 => Self::Gone,
            408 | 425 | 429 => Self::Retry(Class::Http4xx),
            400..=499 => Self::Failed(Class::Http4xx),
            _ => Self::Retry(Class::Http5xx),
        }
    }

    pub(crate) fn class(self) -> Option<Class> {
        match self {
            Self::Delivered => None,
            Self::Retry(class) | Self::Failed(class) => Some(class),
            Self::Gone => Some(Class::EndpointDisabled),
        }
    }

    /// The outcome, given whether the schedule has another attempt.
    pub(crate) fn outcome(self, has_next: bool) -> Outcome {
        match self {
            Self::Delivered => Outcome::Delivered,
            Self::Retry(_) if has_next => Outcome::Retrying,
            Self::Retry(_) | Self::Failed(_) | Self::Gone => Outcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whether_to_try_again() {
        for (status, expected) in [
            (200, Verdict::Delivered),
            (204, Verdict::Delivered),
            (299, Verdict::Delivered),
            (301, Verdict::Failed(Class::Http3xx)),
            (304, Verdict::Failed(Class::Http3xx)),
            (400, Verdict::Failed(Class::Http4xx)),
            (404, Verdict::Failed(Class::Http4xx)),
            (408, Verdict::Retry(Class::Http4xx)),
            (410, Verdict::Gone),
            (425, Verdict::Retry(Class::Http4xx)),
            (429, Verdict::Retry(Class::Http4xx)),
            (500, Verdict::Retry(Class::Http5xx)),
            (503, Verdict::Retry(Class::Http5xx)),
            (599, Verdict::Retry(Class::Http5xx)),
            (999, Verdict::Retry(Class::Http5xx)),
        ] {
            assert_eq!(Verdict::of_status(status), expected, "{status}");
        }
    }
}
