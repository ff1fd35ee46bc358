//! The TLS servers of the tests are good or bad as asked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::process::Command;

use testkit::Authority;

#[test]
fn a_client_that_trusts_the_authority_takes_the_good_certificate_alone() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let old = ["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"];
    for (id, certificate, options, expected) in [
        ("good", ("IP:127.0.0.1", 1), &[][..], true),
        ("expired", ("IP:127.0.0.1", -1), &[][..], false),
        ("other", ("DNS:other.example", 1), &[][..], false),
        ("old", ("IP:127.0.0.1", 1), &old[..], false),
    ] {
        let server = authority.serve(id, certificate, options);
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-o", "/dev/null", "--max-time", "10", "--tlsv1.2", "--cacert"]).arg(&authority.certificate);
        let output = curl.arg(format!("https://127.0.0.1:{}/", server.port)).output().unwrap();
        assert_eq!(output.status.success(), expected, "{id}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
