//! Which settings nobody is to read over somebody's shoulder.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::above::{is_header, setting};
use super::node::Step;

/// What is shown instead.
pub(super) const HIDDEN: &str = "(hidden)";

/// Words that say of a key that its value is a secret, wherever they stand in it.
const WORDS: [&str; 14] = [
    "secret",
    "secrets",
    "token",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "credentials",
    "apikey",
    "bearer",
    "pass",
    "pwd",
    "auth",
    "authorization",
];
/// Pairs of words that say so together.
const PAIRS: [[&str; 2]; 3] = [["api", "key"], ["private", "key"], ["access", "key"]];

/// Whether what stands under `key` is a secret.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let words: Vec<_> = key.split(|c: char| !c.is_alphanumeric()).collect();
    words.iter().any(|word| WORDS.contains(word))
        || words.windows(2).any(|pair| PAIRS.iter().any(|secret| pair == secret))
}

/// Whether what the steps lead to is a secret.
pub(super) fn is_secret_way(way: &[Step]) -> bool {
    way.iter().any(|step| matches!(step, Step::Key(key) if is_secret(key)))
}

/// A line of which all that is set is a secret, and where that would begin.
pub(super) fn without_value(line: &str) -> (String, Option<usize>) {
    if is_header(line) {
        return (line.to_owned(), None);
    }
    let shown = setting(line).map_or_else(String::new, |at| format!("{} ", &line[..at]));
    let begin = shown.chars().count();
    (shown + HIDDEN, Some(begin))
}

/// A line of a file or of the environment with whatever it sets in secret left out, and where that would begin.
///
/// It looks at the text alone: a line that cannot be read is shown too.
pub(super) fn without_secrets(line: &str) -> (String, Option<usize>) {
    let begins = [secret_value(line), user_of_address(line).map(|user| user.start)];
    let Some(begin) = begins.into_iter().flatten().min() else {
        return (line.to_owned(), None);
    };
    let space = if line[..begin].ends_with('=') { " " } else { "" };
    let shown = [&line[..begin], space].concat();
    let begin = shown.chars().count();
    (shown + HIDDEN, Some(begin))
}

/// Where the first value begins of those whose keys are secrets.
pub(super) fn secret_value(line: &str) -> Option<usize> {
    let first = line.trim_start().trim_start_matches(['"', '\'']);
    let key = first.split(|c: char| !is_of_key(c)).next().unwrap_or_default();
    let after = line.len() - first.len() + key.len();
    // What looks like a setting and is none for lack of a `=`.
    if is_secret(key) && !line[after..].contains('=') && line[after..].contains(['"', '\'', ':']) {
        return Some(after);
    }
    let mut signs = line.match_indices('=').map(|(at, _)| at);
    signs.find(|at| is_secret(key_before(&line[..*at]))).map(|at| at + 1)
}

/// The key that stands last in a text, with those that it is below.
fn key_before(text: &str) -> &str {
    let mut begin = text.trim_end().len();
    loop {
        let before = &text[..begin];
        let quoted = before
            .strip_suffix(['"', '\''])
            .and_then(|inner| inner.rfind(&before[inner.len()..]));
        let key = quoted.map_or_else(|| before.trim_end_matches(is_of_key), |at| &before[..at]);
        let above = key.trim_end();
        let is_below = above.ends_with('.')
            || before[key.len()..].starts_with('.') && above.ends_with(|c| is_of_key(c) || matches!(c, '"' | '\''));
        if !is_below || above.len() == begin {
            return &text[key.len()..];
        }
        begin = above.len();
    }
}

fn is_of_key(c: char) -> bool {
    c.is_alphanumeric() || "_-.".contains(c)
}

/// Where an address names a user, with a password perhaps.
fn user_of_address(text: &str) -> Option<Range<usize>> {
    let begin = text.find("://")? + 3;
    let ends = |c: char| "/?#\"'".contains(c) || c.is_whitespace();
    let authority = text[begin..].split(ends).next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) => Some(begin..begin + at),
        None => user_of_address(&text[begin..]).map(|user| begin + user.start..begin + user.end),
    }
}

/// A value with what addresses in it say of users, and of secrets in their queries, left out.
pub(super) fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_secrets_of_addresses(text).into_owned()),
        Value::Array(values) => values.iter().map(shown).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), shown(value))).collect(),
        other => other.clone(),
    }
}

fn without_secrets_of_addresses(text: &str) -> Cow<'_, str> {
    let Some(query) = text.find("://") else {
        return text.into();
    };
    let mut shown = text.to_owned();
    if let Some(begin) = text[query..].find('?').map(|at| at + query + 1) {
        let pairs = text[begin..].split('&').map(|pair| match pair.split_once('=') {
            Some((key, _)) if is_secret(key) => format!("{key}={HIDDEN}"),
            _ => pair.to_owned(),
        });
        shown = [&text[..begin], &pairs.collect::<Vec<_>>().join("&")].concat();
    }
    if let Some(user) = user_of_address(&shown) {
        shown.replace_range(user, HIDDEN);
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_secret_by_its_words() {
        for key in [
            "token",
            "API_KEY",
            "db-password",
            "OPENAI_API_KEY",
            "secrets",
            "client_secret",
            "MY_PASS",
            "HTTP_AUTH",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in [
            "tokens_max",
            "author",
            "bypass",
            "key",
            "secretary",
            "keyboard",
            "state_dir",
            "",
        ] {
            assert!(!is_secret(key), "{key}");
        }
    }

    #[test]
    fn an_address_keeps_its_host_and_loses_its_secrets() {
        let table = [
            ("http://host/a?b=c", "http://host/a?b=c"),
            ("postgres://user:abc@host/db", "postgres://(hidden)@host/db"),
            ("http://a?token=abc&b=c", "http://a?token=(hidden)&b=c"),
            ("--db=redis://:a@b@host", "--db=redis://(hidden)@host"),
            ("user@host", "user@host"),
        ];
        for (text, expected) in table {
            assert_eq!(shown(&Value::from(text)), expected);
        }
    }

    #[test]
    fn a_line_keeps_its_keys_and_loses_its_secrets() {
        let table = [
            ("token = \"abc\" # old", "token = (hidden)"),
            ("a = { \"password\" = \"abc\" }", "a = { \"password\" = (hidden)"),
            ("TRIARCH_GATEWAY__TOKEN=abc", "TRIARCH_GATEWAY__TOKEN= (hidden)"),
            ("é.token=\"abc", "é.token= (hidden)"),
            ("span = 10", "span = 10"),
            ("= = token", "= = token"),
            ("DB_PASSWORD \"abc\"", "DB_PASSWORD(hidden)"),
            ("secrets.\"A\" = \"abc\"", "secrets.\"A\" = (hidden)"),
            (
                "a = { \"secrets\" . A.'B' = \"abc\"",
                "a = { \"secrets\" . A.'B' = (hidden)",
            ),
            ("a = { b.\"c\" = 1, 'd'.e = 2 }", "a = { b.\"c\" = 1, 'd'.e = 2 }"),
            ("token bucket", "token bucket"),
            ("a = \"postgres://user:abc@host/db\"", "a = \"postgres://(hidden)"),
            ("a = \"http://host/?token=abc\"", "a = \"http://host/?token= (hidden)"),
        ];
        for (line, shown) in table {
            assert_eq!(without_secrets(line).0, shown);
        }
    }
}
