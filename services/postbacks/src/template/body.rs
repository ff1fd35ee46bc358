//! The body of a POST: JSON, a form or plain text, each with its own encoding.

use event::Refusal;

use super::{Braces, Piece, Place, Values, parse};
use crate::field::quoted;

const LONGEST: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Body {
    /// Each piece with the place where it stands; in JSON that differs from macro to macro.
    pieces: Vec<(Piece, Place)>,
    content_type: String,
}

impl Body {
    pub(crate) fn parse(text: &str, content_type: &str) -> Result<Self, Refusal> {
        if text.len() > LONGEST {
            return Err(Refusal::new("string_too_long", format!("a body template has at most {LONGEST} bytes")));
        }
        let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json = media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"));
        let pieces = match media.as_str() {
            _ if is_json => in_json(parse(text, Braces::Literal)?),
            "application/x-www-form-urlencoded" => all_in(parse(text, Braces::Refused)?, Place::Form),
            "text/plain" => all_in(parse(text, Braces::Refused)?, Place::Text),
            media => {
                let message = format!("content_type {} is neither JSON, a form nor text/plain", quoted(media));
                return Err(Refusal::new("rule_invalid", message));
            }
        };
        if !content_type.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(Refusal::new("header_value_invalid", "content_type has characters that no header may hold"));
        }
        let body = Self { pieces, content_type: content_type.to_owned() };
        if is_json {
            body.check_json()?
        }
        Ok(body)
    }

    pub(crate) fn content_type(&self) -> &str {
        &self.content_type
    }

    pub(crate) fn render(&self, values: &Values<'_>) -> Result<String, Refusal> {
        let mut text = String::new();
        for (piece, place) in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Macro(call) => text.push_str(&call.render(*place, values)?),
            }
        }
        Ok(text)
    }

    /// A value is always one whole token or the inside of one string: a body that is JSON with any token is JSON with
    /// every other. `raw` gives that up.
    fn check_json(&self) -> Result<(), Refusal> {
        if self.pieces.iter().any(|(piece, _)| matches!(piece, Piece::Macro(call) if call.is_raw())) {
            return Ok(());
        }
        for token in ["0", "\"\""] {
            let filled: String = self.pieces.iter().map(|piece| filled(piece, token)).collect();
            if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&filled) {
                let message = format!("with its macros filled in, the body is not JSON: {error}");
                return Err(Refusal::new("macro_syntax", message));
            }
        }
        Ok(())
    }
}

fn filled<'p>((piece, place): &'p (Piece, Place), token: &'p str) -> &'p str {
    match (piece, place) {
        (Piece::Literal(literal), _) => literal,
        (Piece::Macro(_), Place::JsonString) => "x",
        (Piece::Macro(_), _) => token,
    }
}

fn all_in(pieces: Vec<Piece>, place: Place) -> Vec<(Piece, Place)> {
    pieces.into_iter().map(|piece| (piece, place)).collect()
}

fn in_json(pieces: Vec<Piece>) -> Vec<(Piece, Place)> {
    let mut place = Place::Json;
    let mut escaped = false;
    let mut placed = Vec::with_capacity(pieces.len());
    for piece in pieces {
        if let Piece::Literal(text) = &piece {
            for c in text.chars() {
                match (c, place) {
                    _ if escaped => escaped = false,
                    ('\\', Place::JsonString) => escaped = true,
                    ('"', Place::JsonString) => place = Place::Json,
                    ('"', _) => place = Place::JsonString,
                    _ => {}
                }
            }
        }
        placed.push((piece, place));
    }
    placed
}
