//! A URL with macros in path and query. Whatever the values are, it goes to the same scheme, host and port.

use event::Refusal;
use percent_encoding::percent_decode_str;
use url::Url;

use super::secret::{MASK, is_secret_name, looks_secret};
use super::{Braces, Origin, Piece, Place, Values, parse, render};
use crate::guard::Guard;

const LONGEST_TEMPLATE: usize = 8 * 1024;
const LONGEST_URL: usize = 16 * 1024;

/// What becomes of `k=v` when the macros in `v` give nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WhenEmpty {
    #[default]
    Keep,
    Omit,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UrlTemplate {
    origin: Origin,
    /// What stands between the slashes.
    path: Vec<Vec<Piece>>,
    query: Vec<Parameter>,
    when_empty: WhenEmpty,
}

#[derive(Clone, Debug, PartialEq)]
struct Parameter {
    name: Vec<Piece>,
    value: Option<Vec<Piece>>,
    secret: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Shown,
    Masked,
}

impl UrlTemplate {
    pub(crate) fn parse(text: &str, when_empty: WhenEmpty, guard: &Guard) -> Result<Self, Refusal> {
        if text.len() > LONGEST_TEMPLATE {
            return Err(Refusal::new(
                "string_too_long",
                format!("a URL template has at most {LONGEST_TEMPLATE} bytes"),
            ));
        }
        let (origin, rest) = Origin::split(text, guard)?;
        let pieces = parse(rest, Braces::Refused)?;
        if pieces.iter().any(|piece| matches!(piece, Piece::Literal(literal) if literal.contains('#'))) {
            return Err(Refusal::new("url_fragment", "a fragment is never sent; write # as %23"));
        }
        let (path, query) = split_once(pieces, '?');
        let path: Vec<_> = split(path, '/').into_iter().skip(1).map(|segment| kept(segment, Place::Path)).collect();
        for literal in path.iter().filter_map(|segment| literal(segment)) {
            check_segments(literal).map_err(|_| Refusal::new("rule_invalid", "the path has a segment . or .."))?;
        }
        let query =
            query.map(|query| split(query, '&').into_iter().map(Parameter::parse).collect()).unwrap_or_default();
        Ok(Self { origin, path, query, when_empty })
    }

    /// The URL for these values. A value that would lead out of its part of the path is refused.
    pub(crate) fn render(&self, values: &Values<'_>) -> Result<Url, Refusal> {
        let text = self.text(values, Secrets::Shown)?;
        if text.len() > LONGEST_URL {
            return Err(Refusal::new("template", format!("the URL has {} bytes, at most {LONGEST_URL}", text.len())));
        }
        let url = Url::parse(&text).map_err(|error| Refusal::new("template", error.to_string()))?;
        if !self.origin.is_kept_by(&url) {
            return Err(Refusal::new("template", "a value changed where the request goes"));
        }
        Ok(url)
    }

    /// The same for people and logs: what looks like a secret is masked.
    pub(crate) fn render_masked(&self, values: &Values<'_>) -> String {
        self.text(values, Secrets::Masked).unwrap_or_else(|_| self.origin.as_str().to_owned())
    }

    fn text(&self, values: &Values<'_>, secrets: Secrets) -> Result<String, Refusal> {
        let mut text = self.origin.as_str().to_owned();
        let path = self.path.iter().map(|segment| match literal(segment) {
            Some(literal) if secrets == Secrets::Masked && looks_secret(literal) => Ok(MASK.to_owned()),
            _ => render(segment, Place::Path, values),
        });
        let path = path.collect::<Result<Vec<_>, _>>()?.join("/");
        check_segments(&path)?;
        text.push('/');
        text.push_str(&path);
        let mut mark = '?';
        for parameter in &self.query {
            if let Some(parameter) = parameter.render(self.when_empty, secrets, values)? {
                text.push(mark);
                text.push_str(&parameter);
                mark = '&';
            }
        }
        Ok(text)
    }
}

impl Parameter {
    fn parse(pieces: Vec<Piece>) -> Self {
        let (name, value) = split_once(pieces, '=');
        let secret = match literal(&name) {
            Some(name) => is_secret_name(name) || value.as_deref().and_then(literal).is_some_and(looks_secret),
            None => false,
        };
        let value = value.map(|value| kept(value, Place::Query));
        Self { name: kept(name, Place::Query), value, secret }
    }

    fn render(&self, empty: WhenEmpty, secrets: Secrets, values: &Values<'_>) -> Result<Option<String>, Refusal> {
        let name = render(&self.name, Place::Query, values)?;
        let Some(pieces) = &self.value else { return Ok(Some(name)) };
        let value = render(pieces, Place::Query, values)?;
        let has_macro = pieces.iter().any(|piece| matches!(piece, Piece::Macro(_)));
        if value.is_empty() && has_macro && empty == WhenEmpty::Omit {
            return Ok(None);
        }
        let shown = if self.secret && secrets == Secrets::Masked { MASK } else { &value };
        Ok(Some(format!("{name}={shown}")))
    }
}

/// A browser's parser takes `..` back one segment, in any spelling: no value may do that, nor a template.
fn check_segments(path: &str) -> Result<(), Refusal> {
    for segment in path.split('/') {
        let decoded = percent_decode_str(segment).collect::<Vec<u8>>();
        if matches!(decoded.as_slice(), b"." | b"..") {
            return Err(Refusal::new("template", "a value makes a segment of the path go up or stay"));
        }
    }
    Ok(())
}

/// Encodes what the template itself says where a URL could not carry it.
fn kept(pieces: Vec<Piece>, place: Place) -> Vec<Piece> {
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => Piece::Literal(place.keep(&literal)),
            call => call,
        })
        .collect()
}

fn literal(pieces: &[Piece]) -> Option<&str> {
    match pieces {
        [Piece::Literal(literal)] => Some(literal),
        _ => None,
    }
}

/// Splits at every mark that stands in a literal; marks inside macros do not count.
fn split(pieces: Vec<Piece>, mark: char) -> Vec<Vec<Piece>> {
    let mut parts = vec![Vec::new()];
    for piece in pieces {
        let Piece::Literal(text) = piece else {
            if let Some(part) = parts.last_mut() {
                part.push(piece);
            }
            continue;
        };
        for (index, text) in text.split(mark).enumerate() {
            if index > 0 {
                parts.push(Vec::new());
            }
            if let Some(part) = parts.last_mut().filter(|_| !text.is_empty()) {
                part.push(Piece::Literal(text.to_owned()));
            }
        }
    }
    parts
}

fn split_once(pieces: Vec<Piece>, mark: char) -> (Vec<Piece>, Option<Vec<Piece>>) {
    let mut before = Vec::new();
    let mut pieces = pieces.into_iter();
    while let Some(piece) = pieces.next() {
        match &piece {
            Piece::Literal(text) if text.contains(mark) => {
                let (left, right) = text.split_once(mark).unwrap_or((text, ""));
                before.extend((!left.is_empty()).then(|| Piece::Literal(left.to_owned())));
                let right = (!right.is_empty()).then(|| Piece::Literal(right.to_owned()));
                return (before, Some(right.into_iter().chain(pieces).collect()));
            }
            _ => before.push(piece),
        }
    }
    (before, None)
}
