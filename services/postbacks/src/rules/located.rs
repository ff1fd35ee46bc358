//! Refusals with the place in the file that caused them.

use std::fmt;
use std::ops::Range;

use event::Refusal;

/// Why a rules file is refused as a whole: the line, a stable code, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRefusal {
    /// Counted from 1.
    pub line: usize,
    pub code: &'static str,
    pub message: String,
}

/// A refusal and the bytes of the file that it is about.
#[derive(Debug)]
pub(crate) struct Located {
    refusal: Refusal,
    span: Range<usize>,
}

/// Says where in the file a refusal belongs.
pub(crate) trait Locate<T> {
    fn at(self, span: &Range<usize>) -> Result<T, Located>;
}

impl<T> Locate<T> for Result<T, Refusal> {
    fn at(self, span: &Range<usize>) -> Result<T, Located> {
        self.map_err(|refusal| Located { refusal, span: span.clone() })
    }
}

impl Located {
    pub(crate) fn in_file(self, text: &str) -> FileRefusal {
        let Refusal { code, message } = self.refusal;
        FileRefusal { line: line_of(text, self.span.start), code, message }
    }
}

impl FileRefusal {
    /// What the TOML parser refuses: syntax, an unknown key or operator, a value of another type.
    pub(crate) fn of_toml(error: &toml::de::Error, text: &str) -> Self {
        let message = error.message().to_owned();
        let code = if message.contains("recurs") { "filter_too_complex" } else { "rule_invalid" };
        Self { line: line_of(text, error.span().map_or(0, |span| span.start)), code, message }
    }
}

impl fmt::Display for FileRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.code, self.message)
    }
}

impl std::error::Error for FileRefusal {}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}
