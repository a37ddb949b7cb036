//! Descriptions that nobody would write: each is accepted and comes back as it was, or is refused in bounded words.

use super::*;
use crate::fuzz::fuzz;

/// Faults that are told, and one line that counts the others.
const TOLD_MAX: usize = 101;

/// What people and cats put into files.
pub(super) const TOKENS: [&str; 32] = [
    "[",
    "]",
    "[[",
    "]]",
    "\"",
    "'",
    "\"\"\"",
    "=",
    ".",
    ",",
    "{",
    "}",
    "#",
    "\n",
    "\r\n",
    "\0",
    "é",
    "🦜",
    "-1",
    "1e999",
    "0x7fffffffffffffff",
    "99999999999999999999",
    "nan",
    "true",
    "1979-05-27T07:32:00Z",
    "[[team]]\n",
    "[[team.agent]]\n",
    "name = \"a\"\n",
    "kind = \"echo\"\n",
    "replicas = 4294967295\n",
    "runtime.span = 1\n",
    "within = \"1000000000000000000y\"",
];

fn check(kinds: &Kinds, input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input).into_owned();
    let lines = text.split('\n').count();
    match load(
        &Source::Text {
            name: "fuzzed.toml".to_owned(),
            text,
        },
        kinds,
        [],
    ) {
        Ok(loaded) => {
            let written = serde_json::to_value(&loaded.config).unwrap();
            assert_eq!(serde_json::from_value::<Config>(written).unwrap(), loaded.config);
            assert!(!loaded.show().to_string().is_empty());
            true
        }
        Err(errors) => {
            assert!((1..=TOLD_MAX).contains(&errors.0.len()), "{} faults", errors.0.len());
            errors.0.iter().for_each(|error| told(error, lines));
            false
        }
    }
}

/// It says what and what to do, and names a place that there is.
fn told(error: &ConfigError, lines: usize) {
    assert!(!error.problem.is_empty() && !error.remedy.is_empty(), "{error:?}");
    if let Some(Spot {
        origin: SpotOrigin::File { line, column, .. },
        ..
    }) = &error.spot
    {
        assert!(
            (1..=lines).contains(line) && *column >= 1,
            "line {line} of {lines}: {error}"
        );
    }
    let length = error.to_string().len();
    assert!(length <= 8 * 1024, "{length} bytes of words: {error:?}");
}

#[test]
fn fuzzed_descriptions_are_accepted_as_they_are_or_refused_in_words() {
    let kinds = natives();
    fuzz("config", &TOKENS, |input| check(&kinds, input));
}
