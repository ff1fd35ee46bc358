//! `--print-config`: every value with its origin, secrets masked.

use serde_json::Value;

use crate::layers::Layers;

pub(crate) fn print(layers: &Layers) {
    for (key, value, origin) in layers.leaves() {
        println!("{key} = {}  # {origin}", mask(&key, &value));
    }
}

/// Hides what must not reach a terminal: secrets by name, and the password inside a URL.
fn mask(key: &str, value: &Value) -> String {
    let text = value.to_string();
    let secret = ["secret", "password", "token", "sasl.password"].iter().any(|word| key.contains(word));
    if secret && !value.is_null() {
        return "\"***\"".into();
    }
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        for (key, value, expected) in [
            ("redis.url", "redis://user:pass@host:6379/0", "\"redis://***@host:6379/0\""),
            ("redis.url", "redis://host:6379/0", "\"redis://host:6379/0\""),
            ("kafka.options.sasl.password", "hunter2", "\"***\""),
        ] {
            assert_eq!(mask(key, &Value::from(value)), expected);
        }
    }
}
