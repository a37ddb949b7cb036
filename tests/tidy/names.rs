//! Names that say what a thing is for.

use crate::rule::{Finding, Rule};
use crate::source::{Source, has_extension, identifier, stem, words};

/// Words that hide what a thing is for, in a name of a type, module, file or feature.
const BANNED: [&str; 15] = [
    "manager",
    "helper",
    "util",
    "common",
    "misc",
    "base",
    "impl",
    "processor",
    "ultra",
    "advanced",
    "enhanced",
    "smart",
    "super",
    "new",
    "v2",
];
/// Words that say nothing when they stand alone.
const BANNED_ALONE: [&str; 2] = ["data", "info"];
/// After which words a name is given.
const NAMING: [&str; 6] = ["struct", "enum", "trait", "type", "union", "mod"];

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "plain type names",
        find: unclear_types,
        caught: &[
            ("src/a.rs", "pub struct TaskManager;"),
            ("src/a.rs", "enum Info {}"),
            ("src/a.rs", "mod test_utils;"),
            ("src/a.rs", "type StoreV2 = Store;"),
        ],
        passed: &[
            (
                "src/a.rs",
                "struct Supervisor; struct Database; struct PoolInfo; enum Newest {} trait Renew {}",
            ),
            ("src/a.rs", "// struct TaskManager\nfn new() -> Self { super::new() }"),
        ],
    },
    Rule {
        name: "plain file names",
        find: unclear_path,
        caught: &[
            ("src/utils.rs", ""),
            ("tests/common/mod.rs", ""),
            ("src/data.rs", ""),
            ("portal/string-helpers.ts", ""),
        ],
        passed: &[
            ("src/supervisor/machine/mod.rs", ""),
            ("grafana/dashboards/data.json", ""),
        ],
    },
    Rule {
        name: "plain feature names",
        find: unclear_features,
        caught: &[("Cargo.toml", "[features]\nsmart-cache = []\n")],
        passed: &[(
            "Cargo.toml",
            "[features]\ntesting = [\"tokio/test-util\"]\n[dependencies]\nbase64 = \"1\"\nnew = \"1\"\n",
        )],
    },
];

fn unclear_types(source: &Source) -> Vec<Finding> {
    let code = if source.is_rust() { source.code.as_str() } else { "" };
    let names = NAMING
        .iter()
        .flat_map(|word| words(code, word).map(|at| (at, identifier(&code[at + word.len()..]))));
    names
        .filter_map(|(at, name)| Some((at, name, unclear_word(name)?)))
        .map(|found| finding(source, &found))
        .collect()
}

fn finding(source: &Source, (at, name, word): &(usize, &str, String)) -> Finding {
    Finding::new(
        source.line_of(*at),
        format!("{name} does not say what it is for: {word}"),
    )
}

fn unclear_path(source: &Source) -> Vec<Finding> {
    let alone = source
        .is_rust()
        .then(|| stem(&source.path))
        .filter(|stem| BANNED_ALONE.contains(stem));
    let word = source.path.split('/').flat_map(name_words).find(|word| is_banned(word));
    let word = word.or(alone.map(str::to_owned));
    word.map(|word| Finding::new(1, format!("the path does not say what it is for: {word}")))
        .into_iter()
        .collect()
}

fn unclear_features(source: &Source) -> Vec<Finding> {
    if !has_extension(&source.path, "toml") {
        return Vec::new();
    }
    let features = crate::manifest::keys(&source.text, |section| section == "features");
    features
        .filter_map(|(line, name)| unclear_word(name).map(|word| (line, name, word)))
        .map(|(line, name, word)| Finding::new(line, format!("feature {name} does not say what it is for: {word}")))
        .collect()
}

fn unclear_word(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    if BANNED_ALONE.contains(&lower.as_str()) {
        return Some(lower);
    }
    name_words(name).into_iter().find(|word| is_banned(word))
}

fn is_banned(word: &str) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    BANNED.contains(&word) || BANNED.contains(&singular)
}

/// The words of `CamelCase`, `snake_case`, `kebab-case` and dotted names, in small letters.
fn name_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_small) {
            words.push(String::new());
        }
        was_small = c.is_lowercase() || c.is_numeric();
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_falls_into_its_words() {
        let split = |name| name_words(name).join(" ");
        assert_eq!(split("StoreV2"), "store v2");
        assert_eq!(split("snake_case-and.dots"), "snake case and dots");
        assert_eq!(split("ImplBase"), "impl base");
    }

    #[test]
    fn the_fault_names_the_line_and_the_word() {
        let found = unclear_types(&Source::new("a.rs", "\n\npub struct FileHelpers;"));
        assert_eq!(
            found,
            [Finding::new(3, "FileHelpers does not say what it is for: helpers")]
        );
    }
}
