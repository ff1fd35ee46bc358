//! The names of the fields that the types of `event` know, asked of the types themselves so that no list can go stale.

use std::collections::HashSet;
use std::sync::LazyLock;

use foldhash::fast::FixedState;
use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

type Names = HashSet<&'static str, FixedState>;

pub(crate) static ACTIVITY: LazyLock<Names> = LazyLock::new(fields_of::<event::Activity>);
pub(crate) static DEVICE: LazyLock<Names> = LazyLock::new(fields_of::<event::Device>);

fn fields_of<T: Deserialize<'static>>() -> Names {
    let mut names: &'static [&'static str] = &[];
    match T::deserialize(FieldNames(&mut names)) {
        Ok(_) => Names::default(),
        Err(_) => names.iter().copied().collect(),
    }
}

/// A deserializer that only listens: a struct says which fields it looks for, and gets none.
struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("nothing to read"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("nothing to read"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_say_which_fields_they_know() {
        assert!(ACTIVITY.len() > 50 && ["event_id", "params", "extra"].iter().all(|name| ACTIVITY.contains(name)));
        assert!(DEVICE.len() > 12 && ["idfa", "att"].iter().all(|name| DEVICE.contains(name)));
    }
}
