//! Standard Webhooks: what lets a receiver check that a request is ours.

use std::path::Path;

use event::Refusal;
use secrecy::{ExposeSecret, SecretString};
use standardwebhooks::Webhook;

const PREFIX: &str = "whsec_";
/// Of the key itself, as the Standard Webhooks specification asks.
const FEWEST_BYTES: usize = 24;
const MOST_FILE_BYTES: u64 = 4 * 1024;

/// Signs the requests to one endpoint. It shows its secret nowhere.
pub(crate) struct Signer(Webhook);

impl Signer {
    /// Reads the secret from a file that holds `whsec_` and base64.
    pub(crate) fn open(path: &Path) -> Result<Self, Refusal> {
        let unreadable =
            |error: std::io::Error| Refusal::new("secret_format", format!("secret_file cannot be read: {error}"));
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > MOST_FILE_BYTES {
            return Err(Refusal::new(
                "secret_format",
                format!("secret_file has {length} bytes, at most {MOST_FILE_BYTES}"),
            ));
        }
        Self::new(&SecretString::from(std::fs::read_to_string(path).map_err(unreadable)?))
    }

    fn new(secret: &SecretString) -> Result<Self, Refusal> {
        let refuse =
            |what: &str| Refusal::new("secret_format", format!("a signing secret is {PREFIX} and base64: {what}"));
        let secret = secret.expose_secret().trim();
        let base64 = secret.strip_prefix(PREFIX).ok_or_else(|| refuse("the prefix is missing"))?;
        let webhook = Webhook::new(secret).map_err(|_| refuse("it is not base64"))?;
        let bytes = base64.trim_end_matches('=').len() * 3 / 4;
        if bytes < FEWEST_BYTES {
            return Err(refuse(&format!("at least {FEWEST_BYTES} bytes, received {bytes}")));
        }
        Ok(Self(webhook))
    }

    /// The value of `webhook-signature`.
    pub(crate) fn sign(&self, delivery_id: &str, seconds: i64, body: &str) -> Result<String, Refusal> {
        self.0
            .sign(delivery_id, seconds, body.as_bytes())
            .map_err(|error| Refusal::new("template", format!("the request cannot be signed: {error}")))
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_short_or_of_another_form_is_refused_and_never_echoed() {
        for (secret, reason) in [
            ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", None),
            (" whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n", None),
            ("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", Some("prefix")),
            ("whsec_", Some("at least 24")),
            ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7o=", Some("at least 24")),
            ("whsec_C2FVsBQIhrscChlQ!!!!b5sSYspob7oD", Some("not base64")),
            ("", Some("prefix")),
        ] {
            let refused = Signer::new(&SecretString::from(secret)).err();
            match reason {
                None => assert_eq!(refused, None, "{secret}"),
                Some(reason) => {
                    let refused = refused.unwrap();
                    assert_eq!(refused.code, "secret_format");
                    assert!(refused.message.contains(reason), "{secret}: {}", refused.message);
                    assert!(!refused.message.contains("C2FV"));
                }
            }
        }
    }

    #[test]
    fn a_signature_is_what_every_verifier_expects() {
        let signer = Signer::new(&SecretString::from("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")).unwrap();
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = signer.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body).unwrap();
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }
}
