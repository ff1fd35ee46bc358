//! Rows of endpoints: what networks answer, and where names lead.

mod answers;
mod floods;
mod names;
mod odd;
mod slow;
mod tls;

use crate::row::Row;

pub(crate) const ROWS: &[Row] = &[
    Row::new("44", "An endpoint never answers", slow::hangs),
    Row::new("45", "An endpoint sends a byte a second", slow::drips),
    Row::new("46", "A body of a gigabyte, headers without end", floods::floods),
    Row::new("47", "An answer that inflates to ten gigabytes", floods::inflates),
    Row::new("48", "Redirects in a loop, and inside", answers::redirects),
    Row::new("49", "A name moves to an inner address", names::moves),
    Row::new("50", "Names that do not resolve", names::fails),
    Row::new("51", "TLS expired, for another host, of another age", tls::bad),
    Row::new("52", "500 twice, then 200", answers::fails_then_works),
    Row::new("53", "The answer is lost after the work is done", answers::lost),
    Row::new("54", "Retry-After of minutes, nonsense and the year 9999", answers::asks_for_time),
    Row::new("57", "An endpoint is gone", answers::gone),
];
