//! What macros are filled with: the event, and what is known of the delivery.

use std::borrow::Cow;

use event::Refusal;
use serde_json::Value;

use crate::field::Field;

/// One attempt's values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) event: &'a Value,
    pub(crate) delivery_id: &'a str,
    pub(crate) attempt: u32,
}

/// Where the value of a macro comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Field(Field),
    DeliveryId,
    Attempt,
}

impl Source {
    pub(crate) fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "delivery_id" => Ok(Self::DeliveryId),
            "attempt" => Ok(Self::Attempt),
            name => Field::parse(name).map(Self::Field),
        }
    }

    pub(crate) fn find<'e>(&self, values: &Values<'e>) -> Option<Cow<'e, Value>> {
        match self {
            // The networks expect a digit here, where a filter sees a truth.
            Self::Field(Field::Attributed) => {
                let attributed = Field::Attributed.find(values.event).is_some_and(|value| *value == Value::Bool(true));
                Some(Cow::Owned(Value::from(u8::from(attributed))))
            }
            Self::Field(field) => field.find(values.event),
            Self::DeliveryId => Some(Cow::Owned(Value::from(values.delivery_id))),
            Self::Attempt => Some(Cow::Owned(Value::from(values.attempt))),
        }
    }
}
