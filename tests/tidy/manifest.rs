//! As much of a `Cargo.toml` as the rules ask for, read line by line.

use crate::source::Source;

/// A crate's manifest.
pub(crate) struct Manifest<'a> {
    pub(crate) path: &'a str,
    pub(crate) package: &'a str,
    pub(crate) description: &'a str,
    pub(crate) dependencies: Vec<Dependency<'a>>,
}

/// A crate that a manifest asks for.
pub(crate) struct Dependency<'a> {
    pub(crate) line: usize,
    pub(crate) package: &'a str,
    pub(crate) is_dev: bool,
}

impl<'a> Manifest<'a> {
    /// The manifest in `source`, where it is one of a package.
    pub(crate) fn read(source: &'a Source) -> Option<Self> {
        let is_manifest = source.path == "Cargo.toml" || source.path.ends_with("/Cargo.toml");
        let value = |key| entries(&source.text).find(|entry| entry.section == "package" && entry.key == key);
        let package = unquoted(value("name").filter(|_| is_manifest)?.value);
        let description = value("description").map_or("", |entry| unquoted(entry.value));
        Some(Self {
            path: &source.path,
            package,
            description,
            dependencies: dependencies(&source.text),
        })
    }

    /// The crate's folder; `.` is the root's.
    pub(crate) fn folder(&self) -> &'a str {
        self.path.strip_suffix("/Cargo.toml").unwrap_or(".")
    }

    /// The path of a file within the crate.
    pub(crate) fn within(&self, path: &str) -> String {
        if self.folder() == "." {
            path.to_owned()
        } else {
            format!("{}/{path}", self.folder())
        }
    }
}

/// The keys, with their lines, of those sections that `is_wanted`.
pub(crate) fn keys(text: &str, is_wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (usize, &str)> {
    entries(text)
        .filter(move |entry| is_wanted(entry.section))
        .map(|entry| (entry.line, entry.key))
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    section: &'a str,
    line: usize,
    key: &'a str,
    value: &'a str,
}

/// Every `key = value` with its section; a header `[dependencies.x]` counts as the key `x`.
fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    let mut section = "";
    text.lines().enumerate().filter_map(move |(line, text)| {
        if let Some(header) = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = header.trim_matches(['[', ']']);
            let (section, key) = section
                .rsplit_once('.')
                .filter(|(table, _)| table.ends_with("dependencies"))?;
            return Some(Entry {
                section,
                line: line + 1,
                key: unquoted(key),
                value: "",
            });
        }
        let (key, value) = text.split_once('=').filter(|_| !text.trim_start().starts_with('#'))?;
        let key = key.split('.').next().unwrap_or(key);
        Some(Entry {
            section,
            line: line + 1,
            key: unquoted(key),
            value: value.trim(),
        })
    })
}

fn dependencies(text: &str) -> Vec<Dependency<'_>> {
    let is_dependency =
        |entry: &Entry<'_>| entry.section.ends_with("dependencies") && !entry.section.starts_with("workspace");
    entries(text).filter(is_dependency).map(dependency).collect()
}

fn dependency(entry: Entry<'_>) -> Dependency<'_> {
    Dependency {
        line: entry.line,
        package: renamed(entry.value).unwrap_or(entry.key),
        is_dev: entry.section.ends_with("dev-dependencies"),
    }
}

/// The package behind a dependency that has another name here.
fn renamed(value: &str) -> Option<&str> {
    let after = value.split_once("package = \"")?.1;
    after.split('"').next()
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[package]
name = "triarch-work"
description = "Claims work once."

[dependencies]
triarch-bus.workspace = true
store = { package = "triarch-memory", path = "../memory" }

[target.'cfg(unix)'.dependencies]
rustix = "1"

[dev-dependencies.proptest]
version = "1"
"#;

    #[test]
    fn a_manifest_names_its_package_and_what_it_needs() {
        let source = Source::new("actors/work/Cargo.toml", TEXT);
        let manifest = Manifest::read(&source).expect("a manifest");
        assert_eq!((manifest.folder(), manifest.package), ("actors/work", "triarch-work"));
        assert_eq!(manifest.description, "Claims work once.");
        assert_eq!(manifest.within("src/lib.rs"), "actors/work/src/lib.rs");
        let needed: Vec<_> = manifest
            .dependencies
            .iter()
            .map(|needed| (needed.package, needed.is_dev))
            .collect();
        assert_eq!(
            needed,
            [
                ("triarch-bus", false),
                ("triarch-memory", false),
                ("rustix", false),
                ("proptest", true)
            ]
        );
    }

    #[test]
    fn other_files_are_no_manifests() {
        assert!(Manifest::read(&Source::new("docs/a.toml", TEXT)).is_none());
        assert!(Manifest::read(&Source::new("Cargo.toml", "[workspace]\nmembers = []\n")).is_none());
    }
}
