//! Which settings nobody is to read over somebody's shoulder.

use super::node::Step;

/// What is shown instead.
pub(super) const HIDDEN: &str = "(hidden)";

/// Words that say of a key that its value is a secret, wherever they stand in it.
const WORDS: [&str; 10] = [
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

/// Whether the header that stands last in `above` is one of a table of secrets.
pub(super) fn is_below_secrets(above: &str) -> bool {
    let header = above.lines().rev().find_map(|line| line.trim_start().strip_prefix('['));
    let keys = header.and_then(|header| header.split(']').next());
    keys.is_some_and(|keys| {
        keys.split('.')
            .any(|key| is_secret(key.trim_matches(['[', ' ', '"', '\''])))
    })
}

/// A line of which all that is set is a secret, and where that would begin.
pub(super) fn without_value(line: &str) -> (String, Option<usize>) {
    if line.trim_start().starts_with('[') {
        return (line.to_owned(), None);
    }
    let shown = line
        .find('=')
        .map_or_else(String::new, |at| format!("{} ", &line[..=at]));
    let begin = shown.chars().count();
    (shown + HIDDEN, Some(begin))
}

/// A line of a file or of the environment with whatever it sets in secret left out, and where that would begin.
///
/// It looks at the text alone: a line that cannot be read is shown too.
pub(super) fn without_secrets(line: &str) -> (String, Option<usize>) {
    let mut from = 0;
    while let Some(at) = line[from..].find('=').map(|at| at + from) {
        let key = line[..at].trim_end().trim_end_matches(['"', '\'']);
        let begin = key.rfind(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)));
        let begin = begin.map_or(0, |begin| begin + key[begin..].chars().next().map_or(1, char::len_utf8));
        if is_secret(&key[begin..]) {
            let shown = format!("{} ", &line[..=at]);
            let begin = shown.chars().count();
            return (shown + HIDDEN, Some(begin));
        }
        from = at + 1;
    }
    (line.to_owned(), None)
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
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["tokens_max", "key", "secretary", "keyboard", "state_dir", ""] {
            assert!(!is_secret(key), "{key}");
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
        ];
        for (line, shown) in table {
            assert_eq!(without_secrets(line).0, shown);
        }
    }
}
