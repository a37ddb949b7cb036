//! Going through a JSON text without keeping it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What is looked for on the way.
pub(crate) trait Walker: Sized {
    /// A string that is no name.
    fn text(&mut self, _text: &str) {}

    /// An object: its values are walked through in turn.
    fn object<'de, A: MapAccess<'de>>(&mut self, mut fields: A) -> Result<(), A::Error> {
        while fields.next_key::<IgnoredAny>()?.is_some() {
            fields.next_value_seed(Walk(self))?;
        }
        Ok(())
    }
}

/// Goes through all of a text; stops where it is no JSON, or the walker refuses it.
pub(crate) fn walk(text: &str, walker: &mut impl Walker) -> serde_json::Result<()> {
    Walk(walker).deserialize(&mut serde_json::Deserializer::from_str(text))
}

/// The way through one value.
pub(crate) struct Walk<'w, W>(pub(crate) &'w mut W);

impl<'de, W: Walker> DeserializeSeed<'de> for Walk<'_, W> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, W: Walker> Visitor<'de> for Walk<'_, W> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.text(text);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Walk(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<(), A::Error> {
        self.0.object(fields)
    }
}
