//! What became of a message.

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Kafka has it.
    Stored,
    /// A click through the link that may be counted or not.
    Doubtful,
    /// It was refused for good, and why.
    Refused(String),
    /// Nobody knows: no answer came for as long as the sender was told to try, and this was the last it heard.
    Unsettled(String),
}

/// The fate of one message, and what the sender noticed on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub fate: Fate,
    /// The UTC day on which a link's click was taken.
    pub day: Option<String>,
    /// Days on which a link's click may have been taken without our knowing.
    pub doubts: Vec<String>,
    pub retries: u32,
}

impl Default for Answered {
    fn default() -> Self {
        Self { fate: Fate::Stored, day: None, doubts: Vec::new(), retries: 0 }
    }
}
