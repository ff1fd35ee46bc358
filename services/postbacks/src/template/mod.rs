//! Text with macros in it, `{name|pipe|pipe}`: parsed once, when the rules are loaded, and rendered for every attempt.

mod body;
mod encode;
mod origin;
mod parse;
mod pipe;
mod secret;
mod url;
mod values;

pub(crate) use self::url::{UrlTemplate, WhenEmpty};
pub(crate) use body::Body;
pub(crate) use encode::Place;
pub(crate) use origin::Origin;
pub(crate) use parse::{Braces, Piece, parse};
pub(crate) use values::Values;

use event::Refusal;

/// Renders pieces that all stand in one place.
pub(crate) fn render(pieces: &[Piece], place: Place, values: &Values<'_>) -> Result<String, Refusal> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Macro(call) => text.push_str(&call.render(place, values)?),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
