//! Data goes to stdout, talk to stderr.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use clap::ValueEnum;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table};
use serde::Serialize;

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    #[default]
    Table,
    Json,
}

impl Output {
    pub fn json<T: Serialize>(self, value: &T) -> anyhow::Result<()> {
        print(&serde_json::to_string_pretty(value)?)
    }

    pub fn rows(self, table: &Table) -> anyhow::Result<()> {
        print(&table.to_string())
    }
}

/// A table with a header; columns of numbers are set to the right. On a terminal it keeps to its width.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Table {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none())).set_header(header);
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for row in &rows {
        table.add_row(row.iter());
    }
    let is_number =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"-.,%".contains(&byte));
    for (index, column) in table.column_iter_mut().enumerate() {
        if !rows.is_empty() && rows.iter().all(|row| is_number(&row[index])) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Talk for a person.
pub(crate) fn say(line: impl AsRef<str>) {
    eprintln!("{}", line.as_ref());
}

/// Data; a reader that went away is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("writing to stdout"),
    }
}

/// An error with its causes on one line; a cause that the line holds already is not said again.
pub fn explain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said {
        said if said.is_empty() => cause,
        said if said.contains(&cause) => said,
        said => format!("{said}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error = Err::<(), _>(stream::Error::configuration("no such topic")).context("looking").unwrap_err();
        assert_eq!(explain(&error), "looking: no such topic");
    }
}
