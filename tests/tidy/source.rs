//! One file as the rules see it: its text, its code without comments and strings, and which parts are tests.

use std::ops::Range;

/// A tracked file.
pub(crate) struct Source {
    /// Relative to the root of the repository, with forward slashes.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// The same length, with comments, strings and characters blanked where the file is Rust.
    pub(crate) code: String,
    tests: Vec<Range<usize>>,
    is_test_file: bool,
}

/// A function with a body.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// An attribute: what stands between its brackets.
pub(crate) struct Attribute<'a> {
    pub(crate) offset: usize,
    pub(crate) end: usize,
    pub(crate) content: &'a str,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if has_extension(path, "rs") {
            crate::mask::code(text)
        } else {
            text.to_owned()
        };
        let mut source = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            tests: Vec::new(),
            is_test_file: is_test_path(path),
        };
        source.tests = source
            .gates()
            .filter_map(|gate| Some(gate.offset..gate.body(&source.code)?.end))
            .collect();
        source
    }

    pub(crate) fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }

    /// Says that the module above declares this file for tests alone.
    pub(crate) fn declare_test(&mut self) {
        self.is_test_file = true;
    }

    /// Where this file's test modules in files of their own lie, without extension.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let own = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        let (folder, name) = own.rsplit_once('/').unwrap_or(("", own));
        let base = if ["mod", "lib", "main"].contains(&name) {
            folder
        } else {
            own
        };
        self.gates()
            .filter_map(|gate| Some(format!("{base}/{}", gate.module(&self.code)?)))
            .collect()
    }

    pub(crate) fn is_test(&self, offset: usize) -> bool {
        self.is_test_file || self.tests.iter().any(|span| span.contains(&offset))
    }

    pub(crate) fn line_of(&self, offset: usize) -> usize {
        1 + count_newlines(&self.text, 0..offset)
    }

    /// How many lines stand outside `#[cfg(test)]` items.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let tested: usize = self
            .tests
            .iter()
            .map(|span| count_newlines(&self.text, span.clone()))
            .sum();
        self.text.lines().count().saturating_sub(tested)
    }

    pub(crate) fn functions(&self) -> Vec<Function> {
        words(&self.code, "fn")
            .filter_map(|offset| self.function(offset))
            .collect()
    }

    fn function(&self, offset: usize) -> Option<Function> {
        let name = identifier(&self.code[offset + "fn".len()..]);
        let start = offset + self.code[offset..].find(name)?;
        let body = item_body(&self.code, start).filter(|_| !name.is_empty())?;
        let lines = 1 + count_newlines(&self.code, offset..body.end);
        Some(Function {
            name: name.to_owned(),
            line: self.line_of(offset),
            lines,
        })
    }

    pub(crate) fn attributes(&self) -> Vec<Attribute<'_>> {
        let starts = self.code.match_indices('#').map(|(offset, _)| offset);
        starts.filter_map(|offset| self.attribute(offset)).collect()
    }

    fn attribute(&self, offset: usize) -> Option<Attribute<'_>> {
        let open = offset + 1 + usize::from(self.code[offset + 1..].starts_with('!'));
        if !self.code[open..].starts_with('[') {
            return None;
        }
        let end = closing(&self.code, open)?;
        Some(Attribute {
            offset,
            end,
            content: self.code[open + 1..end].trim(),
        })
    }

    /// The attributes that keep an item for tests.
    fn gates(&self) -> impl Iterator<Item = Attribute<'_>> {
        self.attributes()
            .into_iter()
            .filter(|attribute| gates_tests(attribute.content))
    }
}

impl Attribute<'_> {
    /// The braces of the item it stands before.
    fn body(&self, code: &str) -> Option<Range<usize>> {
        item_body(code, self.end + 1)
    }

    /// The name of the module it stands before, where that is a file of its own.
    fn module<'a>(&self, code: &'a str) -> Option<&'a str> {
        let rest = &code[self.end + 1..];
        let item = &rest[..rest.find([';', '{'])?];
        let name = words(item, "mod")
            .next()
            .map(|at| identifier(&item[at + "mod".len()..]))?;
        rest[item.len()..].starts_with(';').then_some(name)
    }
}

/// Whether a file is test code by where it lies or by its name.
fn is_test_path(path: &str) -> bool {
    let stem = stem(path);
    let is_named = stem == "tests" || stem.ends_with("_test") || stem.ends_with("_tests");
    has_extension(path, "rs") && (is_named || path.split('/').rev().skip(1).any(|folder| folder == "tests"))
}

fn gates_tests(attribute: &str) -> bool {
    attribute.starts_with("cfg(") && words(attribute, "test").next().is_some() && !attribute.contains("not(test")
}

/// The braces of the item that begins at `from`; nothing where it ends with a semicolon first.
fn item_body(code: &str, from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        at += code[at..].find(['(', '[', '{', ';'])?;
        match code.as_bytes()[at] {
            b'{' => return Some(at..closing(code, at)?),
            b';' => return None,
            _ => at = closing(code, at)? + 1,
        }
    }
}

/// Where the bracket opened at `open` closes.
fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(offset);
        }
    }
    None
}

/// Where `word` stands in `text` as a word of its own; an end of it that is no letter needs no bound.
pub(crate) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let (opens, closes) = (word.starts_with(is_word), word.ends_with(is_word));
    let is_whole = move |offset: usize| {
        let before = opens && text[..offset].ends_with(is_word);
        let after = closes && text[offset + word.len()..].starts_with(is_word);
        !before && !after
    };
    text.match_indices(word)
        .map(|(offset, _)| offset)
        .filter(move |offset| is_whole(*offset))
}

/// The identifier that `text` begins with, after blanks.
pub(crate) fn identifier(text: &str) -> &str {
    let text = text.trim_start();
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn count_newlines(text: &str, span: Range<usize>) -> usize {
    text[span].matches('\n').count()
}

/// The file's name without folders and without what follows its first dot.
pub(crate) fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name)
}

pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'))
        .is_some_and(|(_, found)| found == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_measured_from_its_name_to_its_brace() {
        let source = Source::new(
            "a.rs",
            "fn one() {}\n\npub async fn two<T>(x: [u8; 3])\nwhere\n    T: Copy,\n{\n}\n",
        );
        let found: Vec<_> = source
            .functions()
            .into_iter()
            .map(|f| (f.name, f.line, f.lines))
            .collect();
        assert_eq!(found, [("one".to_owned(), 1, 1), ("two".to_owned(), 3, 5)]);
    }

    #[test]
    fn declarations_and_function_types_have_no_body() {
        let source = Source::new(
            "a.rs",
            "trait A { fn declared(&self, x: [u8; 2]); }\ntype F = fn(u8) -> u8;\n",
        );
        assert!(source.functions().is_empty());
    }

    #[test]
    fn a_test_module_is_a_test_and_what_surrounds_it_is_not() {
        let source = Source::new(
            "src/a.rs",
            "fn a() {}\n#[cfg(all(test, feature = \"x\"))]\nmod tests {\n}\nfn b() {}\n",
        );
        let is_test = |needle: &str| source.text.find(needle).map(|offset| source.is_test(offset));
        assert_eq!(is_test("fn a"), Some(false));
        assert_eq!(is_test("mod tests"), Some(true));
        assert_eq!(is_test("fn b"), Some(false));
        assert_eq!(source.lines_without_tests(), 3);
    }

    #[test]
    fn code_for_other_than_tests_is_no_test() {
        let source = Source::new(
            "src/a.rs",
            "#[cfg(not(test))]\nmod a {\n}\n#[cfg(test)]\nmod tests;\nfn b() {}\n",
        );
        assert!((0..source.text.len()).all(|offset| !source.is_test(offset)));
    }

    #[test]
    fn files_are_tests_by_folder_or_by_name() {
        let paths = [
            "tests/it/main.rs",
            "bus/tests/a.rs",
            "src/machine_test.rs",
            "src/tests.rs",
        ];
        assert!(paths.into_iter().all(is_test_path));
        assert!(
            !["src/testing.rs", "src/latest.rs", "tests/run.sh"]
                .into_iter()
                .any(is_test_path)
        );
    }

    #[test]
    fn a_test_module_may_be_a_file_of_its_own() {
        let text = "#[cfg(test)]\n#[rustfmt::skip]\npub mod shown;\n#[cfg(test)]\nmod tests {}\nmod a;\n";
        assert_eq!(Source::new("src/bus/mod.rs", text).test_modules(), ["src/bus/shown"]);
        assert_eq!(Source::new("src/bus.rs", text).test_modules(), ["src/bus/shown"]);
    }

    #[test]
    fn a_word_is_bounded_where_it_is_a_word() {
        let found = |text, word| words(text, word).count();
        assert_eq!(found("fn afn fn_ fn", "fn"), 2);
        assert_eq!(found("a.await; a.awaits()", ".await"), 1);
    }
}
