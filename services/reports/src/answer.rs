//! Sums counters into the rows of an answer.

use std::collections::BTreeMap;

use event::Micros;
use serde_json::{Map, Value, json};

use crate::dimension::{Counter, Dimension};
use crate::query::{Metric, Query, date};

/// Sums by metric; revenue by currency, because sums never mix currencies.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    counts: BTreeMap<Metric, i64>,
    revenue: BTreeMap<String, i64>,
}

/// The rows of an answer, in the order of what they are grouped by.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: BTreeMap<Vec<String>, Sums>,
    pub(crate) totals: Sums,
}

impl Answer {
    /// Adds one counter of a day, if the question asks for it.
    pub(crate) fn add(&mut self, query: &Query, day: i64, field: &str, count: i64) {
        let Some(counter) = Counter::parse(field) else { return };
        let Some((metric, currency)) = metric_of(counter.metric) else { return };
        let wanted =
            |(dimension, values): &(Dimension, Vec<String>)| values.iter().any(|v| v == counter.value(*dimension));
        if !query.metrics.contains(&metric) || !query.filters.iter().all(wanted) {
            return;
        }
        let day = query.by_day.then(|| date(day));
        let groups = query.group_by.iter().map(|&dimension| counter.value(dimension).to_owned());
        let row = self.rows.entry(day.into_iter().chain(groups).collect()).or_default();
        row.add(metric, currency, count);
        self.totals.add(metric, currency, count);
    }

    /// The names of what rows are grouped by.
    pub(crate) fn columns(query: &Query) -> Vec<&'static str> {
        let day = query.by_day.then_some("day");
        day.into_iter().chain(query.group_by.iter().map(|dimension| dimension.name())).collect()
    }

    pub(crate) fn rows_json(&self, query: &Query) -> Vec<Value> {
        let columns = Self::columns(query);
        let row = |(groups, sums): (&Vec<String>, &Sums)| {
            let groups = columns.iter().zip(groups).map(|(name, value)| ((*name).to_owned(), json!(value)));
            Value::Object(groups.chain(sums.json(query)).collect())
        };
        self.rows.iter().map(row).collect()
    }
}

impl Sums {
    pub(crate) fn count(&self, metric: Metric) -> i64 {
        self.counts.get(&metric).copied().unwrap_or_default()
    }

    pub(crate) fn revenue(&self) -> impl Iterator<Item = (&str, String)> {
        self.revenue.iter().map(|(currency, &micros)| (currency.as_str(), Micros::new(micros).to_string()))
    }

    pub(crate) fn json(&self, query: &Query) -> Map<String, Value> {
        let value = |&metric: &Metric| match metric {
            Metric::Revenue => json!(self.revenue().collect::<BTreeMap<_, _>>()),
            counted => json!(self.count(counted)),
        };
        query.metrics.iter().map(|metric| (metric.name().to_owned(), value(metric))).collect()
    }

    fn add(&mut self, metric: Metric, currency: Option<&str>, count: i64) {
        let sum = match currency {
            Some(currency) => self.revenue.entry(currency.to_owned()).or_default(),
            None => self.counts.entry(metric).or_default(),
        };
        *sum = sum.saturating_add(count);
    }
}

/// The metric that a counter belongs to, and its currency if it is money.
fn metric_of(name: &str) -> Option<(Metric, Option<&str>)> {
    if let Some(currency) = name.strip_prefix("revenue.") {
        return Some((Metric::Revenue, Some(currency)));
    }
    crate::query::METRICS.into_iter().find(|metric| metric.name() == name).map(|metric| (metric, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &str = "\u{1f}10\u{1f}acme\u{1f}spring\u{1f}DE\u{1f}ios\u{1f}\u{1f}click\u{1f}attributed";

    fn query(parameters: &[(&str, &str)]) -> Query {
        let owned: Vec<_> = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Query::parse(&owned, 0).unwrap()
    }

    #[test]
    fn rows_are_grouped_filtered_and_never_mix_currencies() {
        let query = query(&[("group_by", "media_source"), ("filter", "country:DE"), ("metrics", "installs,revenue")]);
        let mut answer = Answer::default();
        answer.add(&query, 0, &format!("installs{FIELD}"), 2);
        answer.add(&query, 0, &format!("revenue.USD{FIELD}"), 1_500_000);
        answer.add(&query, 0, &format!("revenue.EUR{FIELD}"), -500_000);
        answer.add(&query, 0, &format!("clicks{FIELD}"), 9);
        answer.add(&query, 0, &format!("installs{FIELD}").replace("DE", "US"), 7);
        answer.add(&query, 0, "overflow\u{1f}installs", 7);
        let expected = json!([{ "day": "1970-01-01", "media_source": "acme", "installs": 2,
                                "revenue": { "EUR": "-0.50", "USD": "1.50" } }]);
        assert_eq!(json!(answer.rows_json(&query)), expected);
    }
}
