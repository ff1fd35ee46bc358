//! What in a URL looks like a secret, so that it never reaches a log, an answer or a topic.

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// Words in a parameter's name that make its value a secret.
const TELLING: [&str; 9] = ["key", "token", "secret", "pass", "pwd", "auth", "sig", "credential", "hash"];

/// Whether the value of a query parameter of this name is masked, whatever it is.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|word| name.contains(word)) && !matches!(name.as_str(), "keyword" | "keywords")
}

/// Whether a literal of the template looks made by a machine: long, with letters and digits and no words.
pub(super) fn looks_secret(literal: &str) -> bool {
    literal.len() >= 20
        && literal.bytes().any(|byte| byte.is_ascii_digit())
        && literal.bytes().any(|byte| byte.is_ascii_alphabetic())
        && literal.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'%'))
}
