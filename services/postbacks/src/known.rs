//! Which fields an event has: read from the JSON Schema that the types themselves make, so that no list can drift.

use std::sync::LazyLock;

use serde_json::Value;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(event::Decided).into());

/// Whether records of `installs` and `events` may hold this dotted path.
pub(crate) fn is_known(path: &str) -> bool {
    !path.is_empty() && allows(&SCHEMA, path.split('.'))
}

fn allows<'p>(node: &Value, mut path: impl Iterator<Item = &'p str> + Clone) -> bool {
    if let Some(target) = node.get("$ref").and_then(Value::as_str) {
        return SCHEMA.pointer(target.trim_start_matches('#')).is_some_and(|node| allows(node, path));
    }
    if let Some(alternatives) = node.get("anyOf").and_then(Value::as_array) {
        return alternatives.iter().any(|node| allows(node, path.clone()));
    }
    let Some(segment) = path.next() else { return true };
    if segment.is_empty() {
        return false;
    }
    match node.get("properties").and_then(|properties| properties.get(segment)) {
        Some(child) => allows(child, path),
        None if *node == Value::Bool(true) => true,
        None => node.get("additionalProperties").is_some_and(|child| allows(child, path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_when_the_types_allow_it() {
        for (path, expected) in [
            ("country", true),
            ("device.idfa", true),
            ("attribution.previous.previous.media_source", true),
            ("event_value", true),
            ("event_value.cart.total", true),
            ("params.af_dp", true),
            ("attribution.params.gclid", true),
            ("countri", false),
            ("device.imei", false),
            ("country.name", false),
            ("attribution.params.a.b", false),
            ("event_value.", false),
            ("device..idfa", false),
            ("", false),
        ] {
            assert_eq!(is_known(path), expected, "{path}");
        }
    }
}
