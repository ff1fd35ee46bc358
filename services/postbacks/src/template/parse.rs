//! From text to pieces: literals and macros.

use std::borrow::Cow;

use event::Refusal;
use serde_json::Value;

use super::Place;
use super::pipe::Pipe;
use super::values::{Source, Values};
use crate::field::quoted;

/// More macros than any network asks for: a file with ten thousand is a mistake or an attack.
const MOST_MACROS: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    Macro(Macro),
}

/// One `{name|pipe}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Macro {
    source: Source,
    pipes: Vec<Pipe>,
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    OfThePlace,
    Raw,
}

/// What a brace means that does not open a macro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Braces {
    /// It is refused: a URL or a header has none.
    Refused,
    /// It belongs to the JSON around the macros, where a name never follows `{` directly.
    Literal,
}

/// Splits text into pieces; a refusal says at which character, counted from 1.
pub(crate) fn parse(text: &str, braces: Braces) -> Result<Vec<Piece>, Refusal> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut macros = 0;
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        let at = text[..text.len() - rest.len() + brace].chars().count() + 1;
        let (before, from_brace) = rest.split_at(brace);
        literal.push_str(before);
        let opens_macro = from_brace.starts_with('{')
            && (braces == Braces::Refused || from_brace[1..].starts_with(|c: char| c.is_ascii_lowercase()));
        if !opens_macro {
            if braces == Braces::Refused {
                return Err(Refusal::new("macro_syntax", format!("a }} that closes nothing, at character {at}")));
            }
            literal.push_str(&from_brace[..1]);
            rest = &from_brace[1..];
            continue;
        }
        let inside = inside_of(from_brace, at)?;
        rest = &from_brace[inside.len() + 2..];
        macros += 1;
        if macros > MOST_MACROS {
            return Err(Refusal::new("macro_limit", format!("at most {MOST_MACROS} macros in one template")));
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Macro(Macro::parse(inside, at)?));
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

fn inside_of(from_brace: &str, at: usize) -> Result<&str, Refusal> {
    let inside = &from_brace[1..];
    match inside.find(['{', '}']) {
        Some(end) if inside[end..].starts_with('}') => Ok(&inside[..end]),
        Some(_) => Err(Refusal::new("macro_syntax", format!("a {{ inside the macro that opens at character {at}"))),
        None => Err(Refusal::new("macro_syntax", format!("the {{ at character {at} is never closed"))),
    }
}

impl Macro {
    fn parse(inside: &str, at: usize) -> Result<Self, Refusal> {
        let mut parts = inside.split('|');
        let name = parts.next().unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
            let message = format!("{} is no macro name, at character {at}", quoted(name));
            return Err(Refusal::new("macro_syntax", message));
        }
        let unknown = |what: &str| Refusal::new("macro_unknown", format!("unknown {what}, at character {at}"));
        let source = Source::parse(name).map_err(|_| unknown(&format!("macro {}", quoted(name))))?;
        let mut parsed = Self { source, pipes: Vec::new(), encoding: Encoding::OfThePlace };
        for part in parts {
            match Pipe::parse(part) {
                Some(pipe) => parsed.pipes.push(pipe),
                None if part == "raw" => parsed.encoding = Encoding::Raw,
                None => return Err(unknown(&format!("pipe {}", quoted(part)))),
            }
        }
        Ok(parsed)
    }

    pub(crate) fn is_raw(&self) -> bool {
        self.encoding == Encoding::Raw
    }

    /// The value, encoded for its place; absent gives the empty string.
    pub(crate) fn render(&self, place: Place, values: &Values<'_>) -> Result<String, Refusal> {
        let value = self.source.find(values);
        let keeps_type = self.pipes.iter().all(|pipe| matches!(pipe, Pipe::Json | Pipe::Default(_)));
        let given = value.as_deref().filter(|value| *value != "");
        if let Some(given) = given.filter(|_| place == Place::Json && keeps_type && !self.is_raw()) {
            return Ok(given.to_string());
        }
        let mut text = match &value {
            None => String::new(),
            Some(Cow::Borrowed(Value::String(text))) => text.clone(),
            Some(value) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        };
        for pipe in self.effective_pipes(place) {
            text = pipe.apply(text)?;
        }
        Ok(match self.encoding {
            Encoding::OfThePlace => place.encode(&text),
            Encoding::Raw => place.keep(&text),
        })
    }

    /// A pipe that says what the place does anyhow is left to the place, which would otherwise do it twice.
    fn effective_pipes(&self, place: Place) -> impl Iterator<Item = &Pipe> {
        let last = self.pipes.len().saturating_sub(1);
        let of_the_place = match (place, self.encoding) {
            (Place::Path | Place::Query | Place::Form, Encoding::OfThePlace) => Some(Pipe::Urlencode),
            (Place::Json, Encoding::OfThePlace) => Some(Pipe::Json),
            _ => None,
        };
        self.pipes
            .iter()
            .enumerate()
            .filter(move |(index, pipe)| !(*index == last && of_the_place.as_ref() == Some(*pipe)))
            .map(|(_, pipe)| pipe)
    }
}
