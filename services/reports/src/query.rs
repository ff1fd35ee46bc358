//! A question to the counters, read from the query string of `/v1/stats`.

use jiff::civil::Date;

use crate::dimension::Dimension;

#[derive(Debug, PartialEq)]
pub(crate) struct Query {
    /// None: every app.
    pub(crate) apps: Option<Vec<String>>,
    /// Days since the epoch, both inclusive, UTC.
    pub(crate) days: std::ops::RangeInclusive<i64>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) by_day: bool,
    pub(crate) group_by: Vec<Dimension>,
    pub(crate) filters: Vec<(Dimension, Vec<String>)>,
    /// Test devices are counted apart: either they are asked for, or all others.
    pub(crate) test: bool,
    /// Only these, topic and partition; none: all.
    pub(crate) partitions: Option<Vec<(String, i32)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    Installs,
    Reinstalls,
    Events,
    Revenue,
    Clicks,
    Impressions,
    Sessions,
}

pub(crate) const METRICS: [Metric; 7] = [
    Metric::Installs,
    Metric::Reinstalls,
    Metric::Events,
    Metric::Revenue,
    Metric::Clicks,
    Metric::Impressions,
    Metric::Sessions,
];

/// A question that cannot be answered, with the parameter to mend.
#[derive(Debug, PartialEq)]
pub(crate) struct BadQuery {
    pub(crate) code: &'static str,
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

const WIDEST_RANGE: i64 = 400;
const MOST_GROUPS: usize = 4;

impl Metric {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Installs => "installs",
            Self::Reinstalls => "reinstalls",
            Self::Events => "events",
            Self::Revenue => "revenue",
            Self::Clicks => "clicks",
            Self::Impressions => "impressions",
            Self::Sessions => "sessions",
        }
    }
}

impl Query {
    /// Reads the parameters. `today` (days since the epoch) is the range where none is given.
    pub(crate) fn parse(parameters: &[(String, String)], today: i64) -> Result<Self, BadQuery> {
        let known = ["app_id", "from", "to", "metrics", "group_by", "granularity", "filter", "test", "partition"];
        if let Some((name, _)) = parameters.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(bad("parameter_unknown", "", format!("unknown parameter {name}; known: {}", known.join(", "))));
        }
        let find = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let list = |name: &str| find(name).map(words).unwrap_or_default();
        let mut by_day = true;
        let mut group_by = Vec::new();
        match find("granularity") {
            None | Some("day") => {}
            Some("hour") => group_by.push(Dimension::Hour),
            Some("total") => by_day = false,
            Some(_) => return Err(bad("granularity", "granularity", "granularity is day, hour or total")),
        }
        for name in list("group_by") {
            match Dimension::named(name) {
                _ if name == "day" => by_day = true,
                Some(dimension) if !group_by.contains(&dimension) => group_by.push(dimension),
                Some(_) => {}
                None => return Err(bad("group_by_unknown", "group_by", GROUPS)),
            }
        }
        if group_by.len() > MOST_GROUPS {
            return Err(bad(
                "group_by_too_many",
                "group_by",
                format!("at most {MOST_GROUPS}, received {}", group_by.len()),
            ));
        }
        let apps = list("app_id");
        Ok(Self {
            apps: (!apps.is_empty()).then(|| apps.into_iter().map(str::to_owned).collect()),
            days: days(find("from"), find("to"), today)?,
            metrics: metrics(&list("metrics"))?,
            by_day,
            group_by,
            filters: filters(find("filter").unwrap_or_default())?,
            test: find("test") == Some("true"),
            partitions: partitions(parameters)?,
        })
    }

    /// Whether the counts of this partition are asked for.
    pub(crate) fn wants(&self, topic: &str, partition: i32) -> bool {
        let named = |(of, id): &(String, i32)| (of.as_str(), *id) == (topic, partition);
        self.partitions.as_ref().is_none_or(|partitions| partitions.iter().any(named))
    }

    /// Whether anything of this topic is asked for.
    pub(crate) fn wants_topic(&self, topic: &str) -> bool {
        self.partitions.as_ref().is_none_or(|partitions| partitions.iter().any(|(of, _)| of == topic))
    }
}

const GROUPS: &str =
    "group_by takes up to 4 of day, hour, media_source, campaign, country, platform, event_name, touch_type, status";

fn bad(code: &'static str, field: &'static str, message: impl Into<String>) -> BadQuery {
    BadQuery { code, field, message: message.into() }
}

fn words(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
}

fn days(from: Option<&str>, to: Option<&str>, today: i64) -> Result<std::ops::RangeInclusive<i64>, BadQuery> {
    let day = |field: &'static str, text: Option<&str>| match text {
        None => Ok(None),
        Some(text) => day_number(text).map(Some).ok_or_else(|| bad("date_format", field, "a date reads 2026-11-22")),
    };
    let to = day("to", to)?;
    let from = day("from", from)?.or(to).unwrap_or(today);
    let to = to.unwrap_or_else(|| today.max(from));
    if from > to {
        return Err(bad("range_order", "from", "from must not be after to"));
    }
    if to - from >= WIDEST_RANGE {
        return Err(bad("range_too_wide", "to", format!("at most {WIDEST_RANGE} days, received {}", to - from + 1)));
    }
    Ok(from..=to)
}

fn day_number(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok().filter(|_| text.len() == 10)?;
    Some(date.duration_since(jiff::civil::date(1970, 1, 1)).as_secs() / 86_400)
}

/// The date of a day since the epoch.
pub(crate) fn date(day: i64) -> String {
    jiff::Timestamp::from_second(day * 86_400).map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

fn metrics(names: &[&str]) -> Result<Vec<Metric>, BadQuery> {
    if names.is_empty() {
        return Ok(METRICS.to_vec());
    }
    let named = |name: &&str| METRICS.into_iter().find(|metric| metric.name() == *name);
    names.iter().map(|name| named(name).ok_or_else(|| bad("metric_unknown", "metrics", MEASURES))).collect()
}

const MEASURES: &str = "metrics are installs, reinstalls, events, revenue, clicks, impressions, sessions";

/// `country:DE,country:US,media_source:acme`: values of one dimension are alternatives, dimensions must all hold.
fn filters(text: &str) -> Result<Vec<(Dimension, Vec<String>)>, BadQuery> {
    let mut filters: Vec<(Dimension, Vec<String>)> = Vec::new();
    for word in words(text) {
        let filter = word.split_once(':').and_then(|(name, value)| Some((Dimension::named(name)?, value.to_owned())));
        let Some((dimension, value)) = filter else {
            return Err(bad("filter", "filter", "a filter reads country:DE,country:US,media_source:acme"));
        };
        match filters.iter_mut().find(|(known, _)| *known == dimension) {
            Some((_, values)) => values.push(value),
            None => filters.push((dimension, vec![value])),
        }
    }
    Ok(filters)
}

/// `installs/3`, as often as wanted.
fn partitions(parameters: &[(String, String)]) -> Result<Option<Vec<(String, i32)>>, BadQuery> {
    let mut partitions = Vec::new();
    for (_, text) in parameters.iter().filter(|(name, _)| name == "partition") {
        let named = text.rsplit_once('/').and_then(|(topic, id)| Some((topic.to_owned(), id.parse().ok()?)));
        let named = named.filter(|(topic, id)| !topic.is_empty() && *id >= 0);
        partitions.push(named.ok_or_else(|| bad("partition", "partition", "a partition reads installs/3"))?);
    }
    Ok((!partitions.is_empty()).then_some(partitions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &[(&str, &str)]) -> Result<Query, BadQuery> {
        let parameters: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Query::parse(&parameters, 20_000)
    }

    #[test]
    fn a_bad_question_names_the_parameter() {
        for (query, code, field) in [
            (vec![("from", "2026-11-23"), ("to", "2026-11-22")], "range_order", "from"),
            (vec![("from", "1926-11-23"), ("to", "2026-11-22")], "range_too_wide", "to"),
            (vec![("from", "2026-02-30")], "date_format", "from"),
            (vec![("group_by", "password")], "group_by_unknown", "group_by"),
            (vec![("group_by", "hour,media_source,campaign,country,platform")], "group_by_too_many", "group_by"),
            (vec![("metrics", "clocks")], "metric_unknown", "metrics"),
            (vec![("granularity", "week")], "granularity", "granularity"),
            (vec![("filter", "country=DE")], "filter", "filter"),
            (vec![("partition", "installs")], "partition", "partition"),
            (vec![("partition", "installs/-1")], "partition", "partition"),
            (vec![("partition", "/1")], "partition", "partition"),
            (vec![("limit", "-1")], "parameter_unknown", ""),
        ] {
            let bad = parse(&query).unwrap_err();
            assert_eq!((bad.code, bad.field), (code, field), "{query:?}");
        }
    }

    #[test]
    fn every_code_is_explained() {
        let docs = include_str!("../../../docs/questions.md");
        for source in [include_str!("query.rs"), include_str!("doors.rs")] {
            for call in source.split("bad(\"").skip(1).chain(source.split("StatusCode::").skip(1)) {
                let Some(code) = call.split('"').find(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
                else {
                    continue;
                };
                assert!(
                    code.is_empty() || docs.contains(&format!("| `{code}` |")),
                    "{code} is not in docs/questions.md"
                );
            }
        }
    }

    #[test]
    fn the_default_is_today_by_day_with_every_metric() {
        let query = parse(&[]).unwrap();
        assert_eq!((query.days, query.by_day, query.metrics.len()), (20_000..=20_000, true, METRICS.len()));
    }

    #[test]
    fn partitions_are_alternatives_and_all_are_wanted_where_none_is_named() {
        let two = parse(&[("partition", "installs/3"), ("partition", "installs.redrive.reports/0")]).unwrap();
        for (topic, partition, wanted) in
            [("installs", 3, true), ("installs", 0, false), ("events", 3, false), ("installs.redrive.reports", 0, true)]
        {
            assert_eq!(two.wants(topic, partition), wanted, "{topic}/{partition}");
            assert!(parse(&[]).unwrap().wants(topic, partition));
        }
        assert!(two.wants_topic("installs") && !two.wants_topic("events"));
    }

    #[test]
    fn both_ends_of_a_range_are_inclusive() {
        let query = parse(&[("from", "1970-01-01"), ("to", "1970-01-03")]).unwrap();
        assert_eq!(query.days, 0..=2);
        assert_eq!(date(2), "1970-01-03");
    }
}
