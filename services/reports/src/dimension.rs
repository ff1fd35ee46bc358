//! The dimensions of a counter, and how they are written into the field of a hash.

/// What a counter can be grouped by. The order is the order in a field: changing it is a new generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Dimension {
    Hour,
    MediaSource,
    Campaign,
    Country,
    Platform,
    EventName,
    TouchType,
    Status,
}

pub(crate) const DIMENSIONS: [Dimension; 8] = [
    Dimension::Hour,
    Dimension::MediaSource,
    Dimension::Campaign,
    Dimension::Country,
    Dimension::Platform,
    Dimension::EventName,
    Dimension::TouchType,
    Dimension::Status,
];

/// Separates the words of a field. No text that the events' types let through can contain it.
pub(crate) const SEPARATOR: char = '\u{1f}';

impl Dimension {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::MediaSource => "media_source",
            Self::Campaign => "campaign",
            Self::Country => "country",
            Self::Platform => "platform",
            Self::EventName => "event_name",
            Self::TouchType => "touch_type",
            Self::Status => "status",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        DIMENSIONS.into_iter().find(|dimension| dimension.name() == name)
    }
}

/// One counter: the metric, and a value for each dimension (empty where it does not apply).
pub(crate) struct Counter<'a> {
    pub(crate) metric: &'a str,
    values: [&'a str; DIMENSIONS.len()],
}

impl<'a> Counter<'a> {
    /// Reads a field of a hash; fields that are no counters (an overflow's mark) read as none.
    pub(crate) fn parse(field: &'a str) -> Option<Self> {
        let (metric, rest) = field.split_once(SEPARATOR)?;
        let mut words = rest.split(SEPARATOR);
        let mut values = [""; DIMENSIONS.len()];
        for value in &mut values {
            *value = words.next()?;
        }
        Some(Self { metric, values })
    }

    pub(crate) fn value(&self, dimension: Dimension) -> &'a str {
        self.values[dimension as usize]
    }
}
