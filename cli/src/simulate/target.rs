//! Where the simulator sends its messages.

use serde_json::{Value, json};
use stream::{Delivery, Kafka, Outgoing, Producer};

use crate::simulate::fate::{Answered, Fate};
use crate::simulate::http::HttpDoors;
use crate::simulate::journey::Submission;

#[derive(Clone)]
pub enum Target {
    /// Everything, through the doors of ingest.
    Http(HttpDoors),
    /// Decided installs alone, straight to topic `installs`, as a foreign producer would.
    Installs(Producer),
}

impl Target {
    /// A producer that does not give up before `give_up`: a record sent twice to `installs` would count twice.
    pub fn installs(kafka: &Kafka, give_up: std::time::Duration) -> stream::Result<Self> {
        let mut kafka = kafka.clone();
        kafka.options.insert("message.timeout.ms".into(), give_up.as_millis().to_string());
        Producer::open(&kafka, "simulate").map(Self::Installs)
    }

    /// Sends messages until each has found its fate, in order.
    pub async fn send(&self, messages: Vec<Submission>) -> Vec<Answered> {
        match self {
            Self::Http(doors) => doors.send(&messages).await,
            Self::Installs(producer) => {
                let deliveries = producer.send(messages.iter().map(record).collect()).await;
                deliveries
                    .into_iter()
                    .map(|delivery| Answered { fate: fate(delivery), ..Answered::default() })
                    .collect()
            }
        }
    }
}

fn fate(delivery: Delivery) -> Fate {
    match delivery {
        Delivery::Stored { .. } => Fate::Stored,
        Delivery::Refused(reason) | Delivery::TooLarge(reason) => Fate::Refused(reason),
        Delivery::Unknown(reason) => Fate::Unsettled(reason),
    }
}

/// What a program would publish that decides by itself: as few fields as it needs.
fn record(message: &Submission) -> Outgoing {
    let winner = message.expected.as_ref().and_then(|expected| expected.credit.as_ref()?.winner.as_ref());
    let mut install: serde_json::Map<String, Value> =
        ["event_id", "app_id", "event_time", "platform", "country", "install_id"]
            .into_iter()
            .map(|field| (field.to_owned(), message.text(field).into()))
            .collect();
    if let Some(winner) = winner {
        let attribution = json!({
            "status": "attributed",
            "media_source": winner.media_source,
            "campaign": winner.campaign,
            "touch_type": winner.touch_type,
        });
        install.insert("attribution".into(), attribution);
    }
    let key = format!("{}|{}", message.text("app_id"), message.text("install_id"));
    Outgoing::to(event::topic::INSTALLS, Value::Object(install).to_string()).key(key)
}
