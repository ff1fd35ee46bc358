//! TLS that must not be trusted.

use testkit::Authority;

use super::odd::{Odd, add, first_attempts, restart};
use crate::fire::Fire;

/// The authority is trusted, so that only what is bad about each certificate is in the way.
pub(super) fn bad(fire: &mut Fire) {
    let authority = Authority::new(&fire.suite.folder());
    let trust = format!("SSL_CERT_FILE={}", authority.certificate.display());
    restart(fire, &["env", &trust]);
    let old = ["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"];
    let asked = [
        ("trusted", ("IP:127.0.0.1", 1), &[][..], "delivered"),
        ("expired", ("IP:127.0.0.1", -1), &[][..], "retrying"),
        ("foreign", ("DNS:other.example", 1), &[][..], "retrying"),
        ("ancient", ("IP:127.0.0.1", 1), &old[..], "retrying"),
    ];
    let servers = asked.map(|(id, certificate, options, _)| authority.serve(id, certificate, options));
    let hosts = servers.each_ref().map(|server| format!("https://127.0.0.1:{}", server.port));
    let odds: Vec<Odd<'_>> =
        asked.iter().zip(hosts).map(|((id, ..), host)| Odd { id, host, more: "concurrency = 2" }).collect();
    add(fire, &odds);
    for (id, .., outcome) in asked {
        for attempt in first_attempts(fire, id, 5) {
            assert_eq!(attempt["outcome"], outcome, "{id}: {attempt}");
            assert!(outcome == "delivered" || attempt["class"] == "tls", "{id}: {attempt}");
            assert!(outcome == "delivered" || attempt["status"].is_null(), "{id} answered: {attempt}");
        }
    }
    fire.leave_deliveries(); // what the TLS servers were told, the receiver did not see
}
