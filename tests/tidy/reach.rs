//! What nothing leads to, and what leads nowhere.

use crate::repository::Repository;
use crate::rule::Fault;
use crate::source::{Source, has_extension, words};

/// Rust files that no crate compiles: their tests never run.
pub(crate) fn orphans(repository: &Repository) -> Vec<Fault> {
    let rust = repository.files.iter().filter(|source| source.is_rust());
    let lost = rust.filter(|source| {
        !is_target(repository, source) && !is_declared(repository, &source.path) && !is_shared(repository, &source.path)
    });
    lost.map(|source| Fault::new("no orphans", &source.path, 1, "no crate compiles this file"))
        .collect()
}

/// Whether Cargo begins a crate with this file.
fn is_target(repository: &Repository, source: &Source) -> bool {
    let (folder, name) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let parts: Vec<_> = folder.rsplit('/').collect();
    let by_folder = ["tests", "examples", "benches", "bin"];
    match (name, parts.as_slice()) {
        ("lib.rs" | "main.rs", ["src", ..]) | ("build.rs", _) => true,
        ("main.rs", [_, above, ..]) => by_folder.contains(above),
        (_, [above, ..]) if by_folder.contains(above) => true,
        _ => is_named_by_a_manifest(repository, &source.path),
    }
}

fn is_named_by_a_manifest(repository: &Repository, path: &str) -> bool {
    let manifests = repository
        .files
        .iter()
        .filter(|source| source.path.ends_with("Cargo.toml"));
    manifests.into_iter().any(|manifest| {
        let folder = manifest.path.trim_end_matches("Cargo.toml");
        let named = manifest.text.split("path = \"").skip(1);
        named
            .filter_map(|rest| rest.split('"').next())
            .any(|target| resolved(folder, target) == path)
    })
}

/// Whether the module above declares this file, or names it in a `#[path]`.
fn is_declared(repository: &Repository, path: &str) -> bool {
    let own = path
        .strip_suffix("/mod.rs")
        .or(path.strip_suffix(".rs"))
        .unwrap_or(path);
    let (folder, module) = own.rsplit_once('/').unwrap_or(("", own));
    let above = |source: &&Source| source.is_rust() && source.path != path && is_above(&source.path, folder);
    repository
        .files
        .iter()
        .filter(above)
        .any(|source| declares(source, module))
}

/// Whether a crate that lies elsewhere names this file by its way from there.
fn is_shared(repository: &Repository, path: &str) -> bool {
    let rust = repository.files.iter().filter(|source| source.is_rust());
    rust.into_iter().any(|source| {
        let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let named = source
            .text
            .split("#[path = \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        named.into_iter().any(|target| resolved(folder, target) == path)
    })
}

/// Whether the modules in `folder` belong to the file at `path`.
fn is_above(path: &str, folder: &str) -> bool {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    parent == folder || path.strip_suffix(".rs") == Some(folder)
}

fn declares(source: &Source, module: &str) -> bool {
    let declared = words(&source.code, "mod").any(|at| {
        let rest = source.code[at + "mod".len()..].trim_start().trim_start_matches("r#");
        rest.strip_prefix(module)
            .is_some_and(|rest| rest.trim_start().starts_with(';'))
    });
    declared || source.text.contains(&format!("{module}.rs\"]")) || source.text.contains(&format!("{module}.rs\")"))
}

/// Links in documents to files that are not there.
pub(crate) fn dead_links(repository: &Repository) -> Vec<Fault> {
    let documents = repository
        .files
        .iter()
        .filter(|source| has_extension(&source.path, "md"));
    documents
        .flat_map(|document| document_links(repository, document))
        .collect()
}

fn document_links(repository: &Repository, document: &Source) -> Vec<Fault> {
    let folder = document.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let links = document.text.match_indices("](").filter_map(|(at, opening)| {
        let target = document.text[at + opening.len()..].split([')', ' ', '#']).next()?;
        Some((at, target)).filter(|(_, target)| !target.is_empty() && !target.contains(':'))
    });
    let dead = links.filter(|(_, target)| !repository.has(&resolved(folder, target)));
    dead.map(|(at, target)| {
        Fault::new(
            "no dead links",
            &document.path,
            document.line_of(at),
            format!("{target} is not there"),
        )
    })
    .collect()
}

/// `target` as seen from `folder`, without dots.
fn resolved(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(files: &[(&str, &str)]) -> Vec<String> {
        orphans(&Repository::of(files))
            .into_iter()
            .map(|fault| fault.path)
            .collect()
    }

    #[test]
    fn a_file_that_no_module_declares_is_an_orphan() {
        let files = [
            ("src/lib.rs", "mod a;\n// mod b;\nmod c {}\n"),
            ("src/a.rs", ""),
            ("src/b.rs", ""),
            ("src/c.rs", ""),
        ];
        assert_eq!(lost(&files), ["src/b.rs", "src/c.rs"]);
    }

    #[test]
    fn modules_reach_down_through_folders() {
        let files = [
            ("src/lib.rs", "pub mod a;"),
            ("src/a/mod.rs", "mod b;"),
            ("src/a/b.rs", "mod c;"),
            ("src/a/b/c.rs", ""),
        ];
        assert!(lost(&files).is_empty());
    }

    #[test]
    fn targets_need_no_declaration() {
        let manifest = ("benches/Cargo.toml", "[[bench]]\npath = \"peers/run.rs\"\n");
        let targets = [
            "tests/a.rs",
            "tests/it/main.rs",
            "examples/b.rs",
            "src/main.rs",
            "build.rs",
            "benches/peers/run.rs",
        ];
        let files: Vec<_> = targets.into_iter().map(|path| (path, "")).chain([manifest]).collect();
        assert!(lost(&files).is_empty());
        assert_eq!(lost(&[("tests/it/a.rs", "")]), ["tests/it/a.rs"]);
    }

    #[test]
    fn a_target_may_lie_outside_of_its_crate() {
        let manifest = (
            "actors/bus/Cargo.toml",
            "[[bin]]\npath = \"../../examples/bus/main_one.rs\"\n",
        );
        let files = [
            ("examples/bus/main_one.rs", ""),
            ("examples/bus/other.rs", ""),
            manifest,
        ];
        assert_eq!(lost(&files), ["examples/bus/other.rs"]);
    }

    #[test]
    fn a_path_attribute_declares_too() {
        let files = [
            (
                "src/machine.rs",
                "#[cfg(test)]\n#[path = \"machine_test.rs\"]\nmod tests;",
            ),
            ("src/machine_test.rs", ""),
        ];
        assert_eq!(lost(&files), ["src/machine.rs"]);
    }

    #[test]
    fn several_crates_may_share_a_file_by_its_path() {
        let named = (
            "actors/bus/src/lib.rs",
            "#[path = \"../../../tests/fuzz/mod.rs\"]\nmod fuzz;",
        );
        assert!(lost(&[named, ("tests/fuzz/mod.rs", "")]).is_empty());
        assert_eq!(
            lost(&[("actors/bus/src/lib.rs", ""), ("tests/fuzz/mod.rs", "")]).len(),
            1
        );
    }

    #[test]
    fn a_link_to_what_is_not_there_is_dead() {
        let text = "[a](b.md) [b](../README.md#top) [c](https://example.org) [d](#here)\n[e](gone.md) [f](..)";
        let faults = dead_links(&Repository::of(&[
            ("docs/a.md", text),
            ("docs/b.md", ""),
            ("README.md", ""),
        ]));
        let found: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["docs/a.md:2: gone.md is not there [no dead links]"]);
    }
}
