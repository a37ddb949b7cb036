//! JSON whose keys keep the order they are written in, so that files differ only where their meaning does.

use std::fmt;

/// The widest line; what is longer is broken up.
const WIDTH: usize = 118;

/// A value of JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

/// An object of `entries`, in their order.
pub(super) fn object<const N: usize>(entries: [(&'static str, Json); N]) -> Json {
    Json::Object(entries.into())
}

/// A list of `values`.
pub(super) fn list(values: impl IntoIterator<Item = Json>) -> Json {
    Json::List(values.into_iter().collect())
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Json {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

/// One line; with `{:#}` as many as are wanted to read it.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            self.write_broken(f, 0)
        } else {
            self.write_line(f)
        }
    }
}

impl Json {
    fn write_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "{}", quoted(text)),
            Self::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    value.write_line(f)?;
                }
                f.write_str("]")
            }
            Self::Object(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}\"{key}\": ", if index == 0 { "" } else { ", " })?;
                    value.write_line(f)?;
                }
                f.write_str("}")
            }
        }
    }

    fn write_broken(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth + 1);
        let comma = |index| if index == 0 { "\n" } else { ",\n" };
        match self {
            Self::List(values) if !self.fits(depth) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{indent}", comma(index))?;
                    value.write_broken(f, depth + 1)?;
                }
                write!(f, "\n{}]", "  ".repeat(depth))
            }
            Self::Object(entries) if !self.fits(depth) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{indent}\"{key}\": ", comma(index))?;
                    value.write_broken(f, depth + 1)?;
                }
                write!(f, "\n{}}}", "  ".repeat(depth))
            }
            _ => self.write_line(f),
        }
    }

    fn fits(&self, depth: usize) -> bool {
        2 * depth + self.to_string().chars().count() <= WIDTH
    }
}

/// `text` in quotes, as JSON and YAML read it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stands_on_one_line_and_what_does_not_is_broken_up() {
        let short = object([("b", 1_u32.into()), ("a", Json::Null)]);
        assert_eq!(format!("{short:#}"), r#"{"b": 1, "a": null}"#);
        let long = object([("text", "x".repeat(WIDTH).into()), ("short", short)]);
        let lines = format!(
            "{{\n  \"text\": \"{}\",\n  \"short\": {{\"b\": 1, \"a\": null}}\n}}",
            "x".repeat(WIDTH)
        );
        assert_eq!(format!("{long:#}"), lines);
    }

    #[test]
    fn what_is_written_reads_back() {
        let value = object([
            ("quote", "a \"b\"\n".into()),
            ("ratio", 0.5.into()),
            ("list", list(["x".repeat(WIDTH).into(), true.into(), list([])])),
        ]);
        let read: serde_json::Value = serde_json::from_str(&format!("{value:#}")).unwrap();
        assert_eq!(read["quote"], "a \"b\"\n");
        assert_eq!(read["ratio"], 0.5);
        assert_eq!(read["list"][1], true);
    }
}
