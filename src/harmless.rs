//! Texts of others, as a terminal may be given them.

use std::borrow::Cow;

/// A text of somebody else's, which is not to move the cursor of whoever reads it.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| c.is_control() && c != '\t';
    if text.contains(is_harmful) {
        text.replace(is_harmful, " ").into()
    } else {
        text.into()
    }
}

/// The same of several lines, which stay lines.
pub(crate) fn harmless_lines(text: &str) -> String {
    let lines = text.split('\n').map(harmless);
    lines.collect::<Vec<_>>().join("\n")
}
