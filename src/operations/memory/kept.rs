//! JSON as the store keeps it, on its way out: nobody makes a tree of it who does not look into it.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The text of a value that is JSON; `null` of one that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptText(Arc<str>);

impl KeptText {
    pub(crate) fn of(value: &triarch_memory::Value) -> Self {
        match value {
            triarch_memory::Value::Json(json) => Self(json.shared()),
            triarch_memory::Value::Bytes(_) => Self("null".into()),
        }
    }

    /// As it is written on the command line: what is text without its quotes.
    pub(crate) fn written(&self) -> String {
        serde_json::from_str(&self.0).unwrap_or_else(|_| self.0.to_string())
    }
}

impl Serialize for KeptText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // It was checked when it was written; what is no JSON all the same is told as nothing.
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => serializer.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for KeptText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(raw.get().into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use triarch_memory::Value;

    use super::*;

    #[test]
    fn it_is_told_as_it_stands_whether_as_text_or_as_part_of_a_tree() {
        let kept = KeptText::of(&Value::json(&json!({ "b": 1.50, "a": ["x"] })));
        assert_eq!(serde_json::to_string(&kept).unwrap(), r#"{"b":1.5,"a":["x"]}"#);
        let tree = serde_json::to_value(&kept).unwrap();
        assert_eq!(tree, json!({ "b": 1.5, "a": ["x"] }));
        assert_eq!(serde_json::from_value::<KeptText>(tree).unwrap(), kept);
        assert_eq!(KeptText::of(&Value::bytes(*b"x")).written(), "null");
        let text = KeptText::of(&Value::json(&json!("a \"hen\"")));
        assert_eq!(text.written(), "a \"hen\"");
    }
}
