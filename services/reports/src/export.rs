//! An answer as CSV.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::answer::Answer;
use crate::query::{Metric, Query};

/// RFC 4180, one column per group and metric, and one per currency for revenue.
pub(crate) fn csv(answer: &Answer, query: &Query) -> Result<String> {
    let currencies: BTreeSet<&str> = answer.totals.revenue().map(|(currency, _)| currency).collect();
    let mut header: Vec<String> = Answer::columns(query).into_iter().map(str::to_owned).collect();
    for metric in &query.metrics {
        match metric {
            Metric::Revenue => header.extend(currencies.iter().map(|currency| format!("revenue_{currency}"))),
            counted => header.push(counted.name().to_owned()),
        }
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header)?;
    for (groups, sums) in &answer.rows {
        let mut row: Vec<String> = groups.iter().map(|value| inert(value)).collect();
        let revenue: std::collections::BTreeMap<&str, String> = sums.revenue().collect();
        for metric in &query.metrics {
            match metric {
                Metric::Revenue => {
                    row.extend(currencies.iter().map(|name| revenue.get(name).cloned().unwrap_or_default()))
                }
                counted => row.push(sums.count(*counted).to_string()),
            }
        }
        writer.write_record(&row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// Text that a spreadsheet would run as a formula is led by an apostrophe.
fn inert(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_every_cell_is_quoted_as_it_must() {
        let parameters = [("group_by", "campaign"), ("metrics", "installs"), ("granularity", "total")];
        let owned: Vec<_> = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let query = Query::parse(&owned, 0).unwrap();
        let mut answer = Answer::default();
        for campaign in ["=HYPERLINK(\"x\")", "a,b", "-1+1", "plain"] {
            let field = format!("installs\u{1f}10\u{1f}acme\u{1f}{campaign}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}");
            answer.add(&query, 0, &field, 1);
        }
        let expected = "campaign,installs\n'-1+1,1\n\"'=HYPERLINK(\"\"x\"\")\",1\n\"a,b\",1\nplain,1\n";
        assert_eq!(csv(&answer, &query).unwrap(), expected);
    }
}
