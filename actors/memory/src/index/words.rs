//! The words of a text, as they are indexed and asked for.

use std::collections::BTreeSet;

use crate::value::Value;
use crate::walk::{Walker, walk};

/// The longest word that is found, in bytes.
pub(crate) const WORD_LENGTH_MAX: usize = 64;

/// How many different words of one value are found.
pub(crate) const WORDS_MAX: usize = 4_096;

/// Different words, and whether some were left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) all: BTreeSet<String>,
    pub(crate) is_cut: bool,
}

impl Words {
    /// The words of all strings in a JSON text, names of fields apart.
    pub(crate) fn of_json(text: &str) -> Self {
        let mut words = Self::default();
        // What is no JSON has no words; values are checked where they are made.
        let _ = walk(text, &mut words);
        words
    }

    /// The words of a text.
    pub(crate) fn of(text: &str) -> Self {
        let mut words = Self::default();
        words.add(text);
        words
    }

    /// Whether all of them are in a value.
    pub(crate) fn are_in(&self, value: &Value) -> bool {
        let Value::Json(json) = value else { return false };
        let there = Self::of_json(json.as_str());
        self.all.iter().all(|word| there.all.contains(word))
    }

    fn add(&mut self, text: &str) {
        for word in text.split(|letter: char| !letter.is_alphanumeric()) {
            if word.is_empty() {
                continue;
            }
            let word = word.to_lowercase();
            if word.len() > WORD_LENGTH_MAX || (self.all.len() >= WORDS_MAX && !self.all.contains(&word)) {
                self.is_cut = true;
            } else {
                self.all.insert(word);
            }
        }
    }
}

impl Walker for Words {
    fn text(&mut self, text: &str) {
        self.add(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &Words) -> Vec<&str> {
        words.all.iter().map(String::as_str).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        assert_eq!(
            words(&Words::of("Die ÄPFEL, 3x-rot; die")),
            ["3x", "die", "rot", "äpfel"]
        );
        assert!(Words::of(" ,;- ").all.is_empty());
    }

    #[test]
    fn of_json_only_strings_have_words_however_deep() {
        let text = r#"{"title":"Red Fox","n":12,"deep":[{"x":["blue\u0041"]},true,null,1.5],"e":""}"#;
        assert_eq!(words(&Words::of_json(text)), ["bluea", "fox", "red"]);
    }

    #[test]
    fn what_is_left_out_is_said() {
        let longest = Words::of(&"x".repeat(WORD_LENGTH_MAX));
        assert_eq!((longest.all.len(), longest.is_cut), (1, false));
        assert!(Words::of(&"x".repeat(WORD_LENGTH_MAX + 1)).is_cut);
        let many: Vec<String> = (0..=WORDS_MAX).map(|number| number.to_string()).collect();
        let words = Words::of(&many.join(" "));
        assert_eq!((words.all.len(), words.is_cut), (WORDS_MAX, true));
        assert!(!Words::of("a b c").is_cut);
    }
}
