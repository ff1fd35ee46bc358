//! Names that move, and names that do not resolve.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use testkit::{Answer, Dns, Name};

use super::odd::{self, Odd, add, attempts, first_attempts, p99, restart};
use crate::fire::Fire;

const S: Duration = Duration::from_secs(1);
const INSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

fn named<'a>(fire: &Fire, id: &'a str, host: &str, more: &'a str) -> Odd<'a> {
    Odd { id, host: format!("http://{host}:{}", fire.receiver.port), more }
}

/// Every other look-up gives an inner address that is not allowed: who looked up once to check and again to connect would go
/// inside.
pub(super) fn moves(fire: &mut Fire) {
    let inside = TcpListener::bind((INSIDE, fire.receiver.port)).unwrap();
    inside.set_nonblocking(true).unwrap();
    let dns = Dns::start(&fire.suite.folder());
    dns.set("moves.test", Name::Turns(Ipv4Addr::LOCALHOST, INSIDE));
    fire.suite.set("postbacks", "postbacks.allow_networks", "[\"127.0.0.1/32\"]");
    restart(fire, &dns.wrapper());
    fire.receiver.script("moves", [Answer::Close]); // so that each attempt must connect anew
    add(fire, &[named(fire, "moves", "moves.test", "retry = [\"1s\", \"1s\"]")]);
    first_attempts(fire, "moves", 30);
    fire.run_for(4 * S..6 * S);
    let all: Vec<_> = attempts(fire, "moves").into_values().flatten().collect();
    let blocked = all.iter().filter(|attempt| attempt["class"] == "ssrf_blocked").count();
    assert!(blocked > 10, "{blocked} of {} attempts were blocked", all.len());
    assert!(!fire.receiver.hits("moves").is_empty(), "the allowed address was never used");
    assert!(inside.accept().is_err(), "a connection went inside");
    fire.figure("attempts blocked", blocked);
}

pub(super) fn fails(fire: &mut Fire) {
    let dns = Dns::start(&fire.suite.folder());
    dns.set("broken.test", Name::ServFail);
    dns.set("silent.test", Name::Silent);
    restart(fire, &dns.wrapper());
    add(fire, &[Odd::here(fire, "good", "")]);
    fire.run_for(4 * S..5 * S);
    let quiet = odd::now();
    fire.run_for(10 * S..11 * S);
    let before = p99(fire, "good", quiet);
    let ids =
        [("broken", "broken.test", "dns"), ("unheard", "unheard.test", "dns"), ("silent", "silent.test", "timeout")];
    add(fire, &ids.map(|(id, host, _)| named(fire, id, host, "")));
    fire.run_for(2 * S..3 * S);
    let broken = odd::now();
    fire.run_for(10 * S..11 * S);
    for (id, _, class) in ids {
        for attempt in first_attempts(fire, id, 5) {
            assert_eq!((&attempt["outcome"], &attempt["class"]), (&"retrying".into(), &class.into()), "{id}");
        }
    }
    let meanwhile = p99(fire, "good", broken);
    fire.figure("others' p99 ms, before", before);
    fire.figure("meanwhile", meanwhile);
    assert!(meanwhile < before * 3 / 2, "others' p99 went from {before} to {meanwhile} ms");
    restart(fire, &[]); // the name server ends with this row
}
