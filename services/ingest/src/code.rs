//! Every code that the doors answer, and the HTTP status it stands for. `docs/errors.md` explains each one.

/// A code is a promise: it may be added, never changed.
pub const CODES: &[(&str, u16)] = &[
    // The request as a whole.
    ("body_empty", 400),
    ("body_incomplete", 400),
    ("json_syntax", 400),
    ("json_trailing", 400),
    ("utf8_invalid", 400),
    ("gzip_corrupt", 400),
    ("batch_empty", 400),
    ("path_format", 400),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("body_timeout", 408),
    ("body_too_large", 413),
    ("inflate_limit", 413),
    ("batch_too_large", 413),
    ("media_type", 415),
    ("encoding_unsupported", 415),
    ("header_too_long", 431),
    ("rate_limited", 429),
    ("overloaded", 503),
    // Who may send what.
    ("auth_missing", 401),
    ("auth_malformed", 401),
    ("auth_unknown", 401),
    ("auth_in_query", 400),
    ("app_unknown", 404),
    ("app_forbidden", 403),
    ("kind_forbidden", 403),
    ("source_forbidden", 403),
    // The shape of an event.
    ("type_object", 422),
    ("type_integer", 422),
    ("type_string", 422),
    ("type_boolean", 422),
    ("json_type", 422),
    ("control_char", 422),
    ("too_deep", 422),
    ("too_many_fields", 422),
    ("duplicate_key", 422),
    ("bad_key", 422),
    ("number_range", 422),
    ("string_too_long", 422),
    ("unknown_field", 422),
    ("record_too_large", 413),
    // The meaning of an event.
    ("field_missing", 422),
    ("field_reserved", 422),
    ("kind_unknown", 422),
    ("platform_unknown", 422),
    ("country_unknown", 422),
    ("event_id_format", 422),
    ("app_id_format", 422),
    ("touch_id_format", 422),
    ("device_id_format", 422),
    ("device_id_zero", 422),
    ("not_nfc", 422),
    ("duplicate_in_request", 422),
    ("media_source_reserved", 422),
    ("event_value_too_large", 422),
    ("ts_format", 422),
    ("ts_unit_ambiguous", 422),
    ("ts_in_future", 422),
    ("ts_too_old", 422),
    ("revenue_format", 422),
    ("revenue_scale", 422),
    ("revenue_range", 422),
    ("currency_unknown", 422),
    ("currency_missing", 422),
    // Links.
    ("bad_percent", 400),
    ("query_too_long", 414),
    ("redirect_not_allowed", 400),
    // Said beside a stored event.
    ("user_agent_cut", 422),
    ("kept_in_params", 422),
    // Kafka.
    ("not_stored", 503),
    ("unknown", 503),
];

/// The code as it stands in [`CODES`], or nothing if no door answers it.
pub(crate) fn known(code: &str) -> Option<&'static str> {
    CODES.iter().map(|(known, _)| *known).find(|known| *known == code)
}

/// The HTTP status of a code.
pub(crate) fn status(code: &str) -> u16 {
    let listed = CODES.iter().find(|(known, _)| *known == code);
    debug_assert!(listed.is_some(), "{code} is not listed");
    listed.map_or(422, |(_, status)| *status)
}

#[cfg(test)]
mod tests;
