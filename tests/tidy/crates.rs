//! The crates: one order, and one sentence for each.

use crate::manifest::Manifest;
use crate::repository::Repository;
use crate::rule::Fault;

/// The order of the crates by folder: each may need only those before it. `.` is the runtime at the root.
const ORDER: [&str; 15] = [
    "supervision",
    "actors/telemetry",
    "actors/teams",
    "actors/journal",
    "actors/bus",
    "actors/memory",
    "actors/cache",
    "actors/consensus",
    "actors/work",
    "actors/programs",
    "actors/scaling",
    "actors/tuning",
    "actors/gateway",
    ".",
    "benches",
];

/// A crate is called after its folder; the root is `triarch`.
pub(crate) fn misnamed(repository: &Repository) -> Vec<Fault> {
    let name = |manifest: &Manifest<'_>| match manifest.folder().rsplit('/').next() {
        None | Some(".") => "triarch".to_owned(),
        Some(folder) => format!("triarch-{folder}"),
    };
    let crates = manifests(repository);
    let named = crates.iter().map(|manifest| (manifest, name(manifest)));
    let wrong = named.filter(|(manifest, name)| manifest.package != name);
    wrong
        .map(|(manifest, name)| {
            Fault::new(
                "crates called after folders",
                manifest.path,
                1,
                format!("this is not called {name}"),
            )
        })
        .collect()
}

/// Dependencies point backwards in [`ORDER`], which knows every crate.
pub(crate) fn out_of_order(repository: &Repository) -> Vec<Fault> {
    let crates = manifests(repository);
    let fault = |manifest: &Manifest<'_>, line, what| Fault::new("crates in order", manifest.path, line, what);
    let mut faults = Vec::new();
    for manifest in &crates {
        if rank(manifest).is_none() {
            faults.push(fault(
                manifest,
                1,
                "this crate has no place in the order of crates".to_owned(),
            ));
        }
        for needed in &manifest.dependencies {
            let target = crates.iter().find(|other| other.package == needed.package);
            let is_own_kit = needed.is_dev && needed.package == manifest.package;
            if target.is_some_and(|target| rank(target) >= rank(manifest)) && !is_own_kit {
                let what = format!(
                    "{} comes no earlier in the order of crates than {}",
                    needed.package, manifest.package
                );
                faults.push(fault(manifest, needed.line, what));
            }
        }
    }
    faults
}

fn manifests(repository: &Repository) -> Vec<Manifest<'_>> {
    repository.files.iter().filter_map(Manifest::read).collect()
}

fn rank(manifest: &Manifest<'_>) -> Option<usize> {
    ORDER.iter().position(|folder| *folder == manifest.folder())
}

/// A crate's sentence is its description, the first line of its documentation, and in the README beside its name.
pub(crate) fn sentences_apart(repository: &Repository) -> Vec<Fault> {
    manifests(repository)
        .iter()
        .flat_map(|manifest| sentence_faults(repository, manifest))
        .collect()
}

fn sentence_faults(repository: &Repository, manifest: &Manifest<'_>) -> Vec<Fault> {
    let sentence = manifest.description;
    let fault = |path: &str, what: String| Fault::new("one sentence per crate", path, 1, what);
    if sentence.is_empty() {
        return vec![fault(manifest.path, format!("{} has no description", manifest.package))];
    }
    let roots = ["src/lib.rs", "src/main.rs"].map(|root| manifest.within(root));
    let root = roots.iter().find_map(|path| repository.file(path));
    let documented = root.filter(|root| root.text.lines().next() != Some(&format!("//! {sentence}")));
    let documented = documented.map(|root| fault(&root.path, format!("the first line is not `//! {sentence}`")));
    let is_listed = |line: &str| line.contains(sentence) && line.contains(&format!("`{}`", manifest.package));
    let listed = repository
        .file("README.md")
        .is_some_and(|readme| readme.text.lines().any(is_listed));
    let unlisted = (!listed).then(|| {
        fault(
            "README.md",
            format!("no line has `{}` and: {sentence}", manifest.package),
        )
    });
    documented.into_iter().chain(unlisted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: (&str, &str) = (
        "README.md",
        "| `triarch` | Runs. |\n| `triarch-bus` | Carries. |\n| `triarch-work` | Works. |",
    );
    const BUS: &str = "[package]\nname = \"triarch-bus\"\ndescription = \"Carries.\"\n";
    const WORK: &str =
        "[package]\nname = \"triarch-work\"\ndescription = \"Works.\"\n[dependencies]\ntriarch-bus.workspace = true\n";

    fn faults(find: fn(&Repository) -> Vec<Fault>, files: &[(&str, &str)]) -> Vec<String> {
        find(&Repository::of(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_crate_is_called_after_its_folder() {
        assert!(
            faults(
                misnamed,
                &[
                    ("actors/bus/Cargo.toml", BUS),
                    ("Cargo.toml", "[package]\nname = \"triarch\"\n")
                ]
            )
            .is_empty()
        );
        let expected = "actors/work/Cargo.toml:1: this is not called triarch-work [crates called after folders]";
        assert_eq!(faults(misnamed, &[("actors/work/Cargo.toml", BUS)]), [expected]);
    }

    #[test]
    fn dependencies_that_point_backwards_are_in_order() {
        let files = [("actors/bus/Cargo.toml", BUS), ("actors/work/Cargo.toml", WORK)];
        assert!(faults(out_of_order, &files).is_empty());
    }

    #[test]
    fn a_dependency_that_points_forwards_is_a_fault() {
        let files = [("actors/gateway/Cargo.toml", BUS), ("actors/work/Cargo.toml", WORK)];
        let expected = "actors/work/Cargo.toml:5: triarch-bus comes no earlier in the order of crates than triarch-work [crates in order]";
        assert_eq!(faults(out_of_order, &files), [expected]);
    }

    #[test]
    fn a_crate_may_need_itself_for_its_tests_only() {
        let with = |section: &str| format!("{BUS}[{section}]\ntriarch-bus.workspace = true\n");
        assert!(faults(out_of_order, &[("actors/bus/Cargo.toml", &with("dev-dependencies"))]).is_empty());
        assert_eq!(
            faults(out_of_order, &[("actors/bus/Cargo.toml", &with("dependencies"))]).len(),
            1
        );
    }

    #[test]
    fn a_crate_without_a_place_is_a_fault() {
        assert_eq!(faults(out_of_order, &[("actors/extra/Cargo.toml", BUS)]).len(), 1);
    }

    #[test]
    fn one_sentence_in_three_places_is_no_fault() {
        let files = [
            README,
            ("actors/bus/Cargo.toml", BUS),
            ("actors/bus/src/lib.rs", "//! Carries.\n//!\n//! More.\n"),
        ];
        assert!(faults(sentences_apart, &files).is_empty());
    }

    #[test]
    fn each_place_that_says_it_otherwise_is_a_fault() {
        let files = [
            ("actors/bus/Cargo.toml", BUS),
            ("actors/bus/src/lib.rs", "//! Carries messages.\n"),
        ];
        let expected = [
            "actors/bus/src/lib.rs:1: the first line is not `//! Carries.` [one sentence per crate]",
            "README.md:1: no line has `triarch-bus` and: Carries. [one sentence per crate]",
        ];
        assert_eq!(faults(sentences_apart, &files), expected);
    }

    #[test]
    fn a_crate_without_a_sentence_is_a_fault() {
        assert_eq!(
            faults(sentences_apart, &[("Cargo.toml", "[package]\nname = \"triarch\"\n")]).len(),
            1
        );
    }
}
