//! Which lines of a description belong to a secret that began above them.
//!
//! This goes by lines, and looks at what begins on each: it is asked of texts in which TOML finds no values. Where it is not
//! sure it hides too much.

use super::secret::{is_secret, secret_value};

/// How a line stands to the secrets above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Only what it sets itself can be a secret.
    Open,
    /// Whatever it sets is one.
    Below,
    /// All of it may be part of one.
    Within,
}

/// How `line` stands to what is `above` it.
pub(super) fn standing(above: &str, line: &str) -> Standing {
    let mut seen = Above::default();
    above.lines().for_each(|line| seen.pass(line));
    seen.standing(line)
}

/// Where the value begins of what a line sets, where it sets something.
pub(super) fn setting(line: &str) -> Option<usize> {
    let mut rest = line;
    loop {
        rest = after_key(rest.trim_start())?.trim_start();
        if let Some(value) = rest.strip_prefix('=') {
            return (!value.starts_with('=')).then_some(line.len() - value.len());
        }
        rest = rest.strip_prefix('.')?;
    }
}

/// What stands behind one key, bare or in quotes.
fn after_key(text: &str) -> Option<&str> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let mut is_escaped = false;
        let end = text[1..].find(|c| {
            let is_end = c == quote && !is_escaped;
            is_escaped = c == '\\' && quote == '"' && !is_escaped;
            is_end
        })?;
        return Some(&text[end + 2..]);
    }
    let rest = text.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'));
    (rest.len() < text.len()).then_some(rest)
}

/// The keys of a line that begins as a header does.
fn header(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix('[')?.split(']').next()
}

/// Whether a line is a header for certain, and no list: no value begins with a letter where a list has its first.
pub(super) fn is_header(line: &str) -> bool {
    let keys = header(line).map(|keys| keys.trim_start_matches(['[', ' ', '\t']));
    keys.is_some_and(|keys| keys.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

fn is_of_secrets(header: &str) -> bool {
    header
        .split('.')
        .any(|key| is_secret(key.trim_matches(['[', ' ', '"', '\''])))
}

/// What was seen of the lines above.
#[derive(Debug, Default)]
struct Above {
    /// Whether the last header is that of a table of secrets.
    is_below: bool,
    /// A secret that has not come to its end.
    unfinished: Option<Value>,
    /// Whether what was set last is a secret.
    is_after: bool,
}

impl Above {
    fn pass(&mut self, line: &str) {
        if let Some(value) = self.within(line) {
            let is_over = value.goes_on(line);
            self.unfinished = self.unfinished.take().filter(|_| !is_over);
            return;
        }
        self.unfinished = None;
        if let Some(keys) = header(line) {
            let is_of_secrets = is_of_secrets(keys);
            if is_of_secrets || is_header(line) {
                (self.is_below, self.is_after) = (is_of_secrets, false);
            }
            return;
        }
        let own = setting(line);
        match own.filter(|_| self.is_below).or_else(|| secret_value(line)) {
            Some(begin) => {
                self.is_after = true;
                let mut value = Value::default();
                self.unfinished = (!value.goes_on(&line[begin..])).then_some(value);
            }
            None if own.is_some() => self.is_after = false,
            None => {}
        }
    }

    /// The secret that goes on in `line`; a header ends one that is open only for lack of a bracket or a quote.
    fn within(&mut self, line: &str) -> Option<&mut Value> {
        let value = self.unfinished.as_mut()?;
        (value.is_long_text() || !is_header(line)).then_some(value)
    }

    fn standing(mut self, line: &str) -> Standing {
        if self.within(line).is_some() {
            return Standing::Within;
        }
        let is_key_without_sign = !line.contains('=') && secret_value(line).is_some();
        match () {
            () if is_header(line) => Standing::Open,
            () if self.is_after && setting(line).is_none() && !is_key_without_sign => Standing::Within,
            () if self.is_below => Standing::Below,
            () => Standing::Open,
        }
    }
}

/// A value, as far as it was read.
#[derive(Debug, Default)]
struct Value {
    has_begun: bool,
    depth: usize,
    /// What ends the text that it is in.
    quote: Option<&'static str>,
}

const LONG_QUOTES: [&str; 2] = ["\"\"\"", "'''"];
/// The long ones first, which begin as the short ones do.
const QUOTES: [&str; 4] = [LONG_QUOTES[0], LONG_QUOTES[1], "\"", "'"];

impl Value {
    /// Whether it is in a text that may have lines.
    fn is_long_text(&self) -> bool {
        self.quote.is_some_and(|quote| LONG_QUOTES.contains(&quote))
    }

    /// Reads on; tells whether it is over with that line.
    fn goes_on(&mut self, line: &str) -> bool {
        if self.quote.is_some() && !self.is_long_text() {
            // No such text has lines, so a quote is lacking: behind the next one there is nothing to go by.
            self.quote = self.quote.filter(|quote| !line.contains(quote));
            return self.is_over();
        }
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            rest = match self.quote {
                Some(quote) => self.read_text(rest, quote),
                None => self.read(rest, first),
            };
        }
        self.is_over()
    }

    fn is_over(&self) -> bool {
        self.has_begun && self.depth == 0 && self.quote.is_none()
    }

    /// What is left of `rest` behind the text that it begins in.
    fn read_text<'a>(&mut self, rest: &'a str, quote: &str) -> &'a str {
        let mut is_escaped = false;
        let end = rest.char_indices().find(|(at, c)| {
            let is_end = !is_escaped && rest[*at..].starts_with(quote);
            is_escaped = *c == '\\' && quote.starts_with('"') && !is_escaped;
            is_end
        });
        let Some((end, _)) = end else { return "" };
        self.quote = None;
        // The last characters of a long text may be quotes themselves.
        rest[end + quote.len()..].trim_start_matches(&quote[..usize::from(quote.len() == 3)])
    }

    /// What is left of `rest` behind its first character, or behind the quote that begins it.
    fn read<'a>(&mut self, rest: &'a str, first: char) -> &'a str {
        if let Some(quote) = QUOTES.into_iter().find(|quote| rest.starts_with(quote)) {
            (self.has_begun, self.quote) = (true, Some(quote));
            return &rest[quote.len()..];
        }
        match first {
            '#' => return "",
            '{' | '[' => self.depth += 1,
            '}' | ']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.has_begun |= !first.is_whitespace();
        &rest[first.len_utf8()..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How each line stands to those above it: `o`pen, `b`elow or `w`ithin.
    fn stands(text: &str) -> String {
        let lines: Vec<_> = text.lines().collect();
        let standing = (0..lines.len()).map(|at| match standing(&lines[..at].join("\n"), lines[at]) {
            Standing::Open => 'o',
            Standing::Below => 'b',
            Standing::Within => 'w',
        });
        standing.collect()
    }

    #[test]
    fn lines_of_a_secret_are_within_it_until_its_end() {
        for (text, expected) in [
            ("token = \"\"\"\na\nb = 1\n\"\"\"\nc = 1", "owwwo"),
            ("token = '''\n[a]\n\\'''\nc = 1", "owwo"),
            ("token = \"\"\"a\\\"\"\"\nb\"\"\"\"\nc = 1", "owo"),
            (
                "secrets = {\n  A = \"x\",\n  B = { file = \"}\" }, # }\n}\nc = 1",
                "owwwo",
            ),
            ("a = { token = [\n1,\n[2],\n] }\nc = 1", "owwwo"),
            ("secrets.\"A\" = [\n\"x\"\n]\nc = 1", "owwo"),
            ("a = { secrets . 'A' = [\n\"x\"\n] }\nc = 1", "owwo"),
            ("[secrets]\nA = [\n[\"a\"]\n]\nB = 1\n[b]\nC = 1", "obwwboo"),
            ("[a.\"secrets\"]\nA = \"\"\"\n[b]\nx\n\"\"\"\nB = 1", "obwwwb"),
        ] {
            assert_eq!(stands(text), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_that_is_broken_hides_rather_too_much() {
        for (text, expected) in [
            // A quote is lacking, on this line or the other.
            ("token = \"a\nb\"\nc = 1", "owo"),
            ("token = \"a\nb = \"\nc = 1", "owo"),
            ("token = \"a\n[b]\nc = 1", "ooo"),
            // What is to be the value stands on the next line.
            ("token =\n\"a=b\"\nc = 1", "owo"),
            ("token = # why\n\n[\"a\"]\nc = 1", "owwo"),
            // What is no setting belongs to the last one.
            ("token = a\nb\nb==\n\nc = 1\nd", "owwwoo"),
            ("token = 1\nDB_PASSWORD \"x\"\nc", "oow"),
            // A long text that was never closed turns all that follows inside out.
            ("a = \"\"\"\ntoken = \"\"\"\nb = 1\n\"\"\"\nc = 1", "oowwo"),
            ("token = {\nA = 1\n[b]\nc = 1", "owoo"),
            ("token = \"\"\"\n[b]\nc = 1", "oww"),
        ] {
            assert_eq!(stands(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_is_open() {
        for text in [
            "a = \"\"\"\nb\n\"\"\"",
            "a = [\n\"b\",\n]\n\nc",
            "[a]\nb = {\nc = 1\n}",
            "[secrets]\n[b]\n\"c\n",
        ] {
            assert!(stands(text).chars().all(|standing| standing == 'o'), "{text}");
        }
    }

    #[test]
    fn what_a_line_sets_begins_behind_its_sign() {
        for (line, value) in [
            ("a = 1", Some(" 1")),
            (" \"a=\\\"b\" . 'c=' .d= x", Some(" x")),
            ("é-_1 =", Some("")),
            ("\"a=b\"", None),
            ("\"a", None),
            ("a==", None),
            ("a b = 1", None),
            ("a. = 1", None),
            ("= 1", None),
            ("", None),
        ] {
            assert_eq!(setting(line).map(|at| &line[at..]), value, "{line}");
        }
    }
}
