//! The query of a link, decoded within limits.

use percent_encoding::percent_decode_str;

use crate::rejection::Rejection;

const QUERY_BYTES: usize = 8 * 1024;
const PARAMETERS: usize = 100;

/// Decodes `name=value` pairs in the order they stand; `+` and `%20` are both a space. Nameless ones are dropped.
pub(crate) fn parse(query: &str) -> Result<Vec<(String, String)>, Rejection> {
    if query.len() > QUERY_BYTES {
        return Err(too_long(format!("at most {QUERY_BYTES} bytes, received {}", query.len())));
    }
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pairs.len() == PARAMETERS {
            return Err(too_long(format!("at most {PARAMETERS} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name)?;
        let value = decode(value).map_err(|rejection| rejection.at(&name))?;
        if !name.is_empty() {
            pairs.push((name, value));
        }
    }
    Ok(pairs)
}

fn too_long(message: String) -> Rejection {
    Rejection::new("query_too_long", message)
}

fn decode(text: &str) -> Result<String, Rejection> {
    if !percents_are_whole(text.as_bytes()) {
        return Err(Rejection::new("bad_percent", "a percent sign is followed by two hex digits"));
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|error| Rejection::new("utf8_invalid", format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
    if decoded.contains('\0') {
        return Err(Rejection::new("bad_percent", "%00 is not allowed"));
    }
    Ok(decoded.into_owned())
}

fn percents_are_whole(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'%')
        .skip(1)
        .all(|after| matches!(after, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_47_a_query_is_decoded_or_refused() {
        let many = "a=1&".repeat(10_000);
        let long = format!("a={}", "x".repeat(9_000));
        for (query, expected) in [
            ("", Ok(vec![])),
            ("c=a+b%20c&x", Ok(vec![("c", "a b c"), ("x", "")])),
            ("a=1&&a=2&=3", Ok(vec![("a", "1"), ("a", "2")])),
            ("c=%C3%A9=&u=a=b", Ok(vec![("c", "é="), ("u", "a=b")])),
            ("c=%ZZ", Err("bad_percent")),
            ("c=%4", Err("bad_percent")),
            ("c=%", Err("bad_percent")),
            ("c=%00", Err("bad_percent")),
            ("c=%C0%AF", Err("utf8_invalid")),
            (&many, Err("query_too_long")),
            (&long, Err("query_too_long")),
            (&"a=1&".repeat(101), Err("query_too_long")),
        ] {
            let answer = parse(query).map_err(|rejection| rejection.code);
            let expected = expected.map(|pairs| {
                pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
            });
            assert_eq!(answer, expected, "{}", query.get(..query.len().min(40)).unwrap());
        }
    }
}
