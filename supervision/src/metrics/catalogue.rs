//! All families of the product, gathered from its rooms.

use std::collections::BTreeMap;

use super::family::{Family, Label, Values};
use super::guard::LABEL_OVERFLOW;
use super::rules::{Misdeclaration, fault_of};

/// What one room counts, under one heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// The heading in documents and dashboards.
    pub title: &'static str,
    /// Its families, in the order of the document.
    pub families: &'static [Family],
}

/// Every family there is: checked once, then the one source of registration, documents and checks.
#[derive(Clone, Debug)]
pub struct Catalogue {
    sections: Vec<Section>,
    families: BTreeMap<&'static str, &'static Family>,
}

/// Why sections make no catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// Two sections bear the same title.
    #[error("the section {title:?} stands twice in the catalogue; name one of them differently")]
    DuplicateSection {
        /// The title in question.
        title: &'static str,
    },
    /// Two families bear the same name.
    #[error("the metric {name} stands twice in the catalogue, last in section {section:?}; rename one of them")]
    DuplicateFamily {
        /// The name in question.
        name: &'static str,
        /// Where it stands the second time.
        section: &'static str,
    },
    /// A family is not declared as it should be.
    #[error("the metric {name} is badly declared")]
    BadFamily {
        /// The name in question.
        name: &'static str,
        /// What is wrong.
        #[source]
        fault: Misdeclaration,
    },
    /// Two families declare an open label of one name differently, so that their series could not be joined.
    #[error("the label {label} has other bounds in the metric {name} than in {earlier}; declare it once and share it")]
    LabelDiffers {
        /// The label in question.
        label: &'static str,
        /// The family that declared it first.
        earlier: &'static str,
        /// The family that declares it differently.
        name: &'static str,
    },
    /// The guard has no family to count in.
    #[error("the catalogue lacks the metric {}; add the section that has it", LABEL_OVERFLOW.name)]
    NoOverflow,
}

impl Catalogue {
    /// Gathers `sections`, in the order of the document.
    ///
    /// [`LABEL_OVERFLOW`] must be among the families, or the guard could fold values unseen.
    pub fn new(sections: &[Section]) -> Result<Self, CatalogueError> {
        let mut families = BTreeMap::new();
        let mut labels = BTreeMap::new();
        for (index, section) in sections.iter().enumerate() {
            let title = section.title;
            if sections.iter().take(index).any(|earlier| earlier.title == title) {
                return Err(CatalogueError::DuplicateSection { title });
            }
            for family in section.families {
                admit(family, title, &mut families)?;
                agree(family, &mut labels)?;
            }
        }
        if families.get(LABEL_OVERFLOW.name) != Some(&&LABEL_OVERFLOW) {
            return Err(CatalogueError::NoOverflow);
        }
        Ok(Self {
            sections: sections.to_vec(),
            families,
        })
    }

    /// Its sections, in the order of the document.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Its families, sorted by name.
    pub fn families(&self) -> impl ExactSizeIterator<Item = &'static Family> {
        self.families.values().copied()
    }

    /// The family of that name.
    pub fn family(&self, name: &str) -> Option<&'static Family> {
        self.families.get(name).copied()
    }

    /// The family that a query means by `sample`, which for a histogram ends with `_bucket`, `_sum` or `_count`.
    pub fn family_of_sample(&self, sample: &str) -> Option<&'static Family> {
        let is_histogram = |family: &&Family| family.measure.type_name() == "histogram";
        let plain = self.family(sample).filter(|family| !is_histogram(family));
        plain.or_else(|| {
            let stem = |suffix| sample.strip_suffix(suffix);
            let name = stem("_bucket").or_else(|| stem("_sum")).or_else(|| stem("_count"))?;
            self.family(name).filter(is_histogram)
        })
    }

    /// The most time series a scrape can show, with every label at its bound.
    pub fn series_max(&self) -> usize {
        self.families().map(Family::series_max).sum()
    }
}

fn admit(
    family: &'static Family,
    section: &'static str,
    families: &mut BTreeMap<&'static str, &'static Family>,
) -> Result<(), CatalogueError> {
    let name = family.name;
    if let Some(fault) = fault_of(family) {
        return Err(CatalogueError::BadFamily { name, fault });
    }
    match families.insert(name, family) {
        None => Ok(()),
        Some(_) => Err(CatalogueError::DuplicateFamily { name, section }),
    }
}

// The guard admits the values of an open label once for all families, so they must agree on its bound.
fn agree(family: &Family, labels: &mut BTreeMap<&'static str, (&'static str, Values)>) -> Result<(), CatalogueError> {
    for Label { name: label, values } in family.labels {
        let (earlier, first) = *labels.entry(label).or_insert((family.name, *values));
        let both_closed = matches!((first, values), (Values::Closed(_), Values::Closed(_)));
        if !both_closed && first != *values {
            return Err(CatalogueError::LabelDiffers {
                label,
                earlier,
                name: family.name,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::buckets::Buckets;
    use super::super::guard::TELEMETRY;
    use super::*;

    const CUPS: Family = Family::counter("triarch_cups_total", &[Label::open("teapot", 4)], "Cups poured.");
    const DRAW: Family = Family::histogram("triarch_draw_seconds", Buckets::LONG, &[], "How long tea drew.");

    const fn section(title: &'static str, families: &'static [Family]) -> Section {
        Section { title, families }
    }

    #[test]
    fn families_are_found_by_name_and_listed_in_its_order() {
        let catalogue = Catalogue::new(&[section("Tea", &[DRAW, CUPS]), TELEMETRY]).unwrap();
        let names: Vec<_> = catalogue.families().map(|family| family.name).collect();
        assert_eq!(names, [CUPS.name, DRAW.name, LABEL_OVERFLOW.name]);
        assert_eq!(catalogue.family(CUPS.name), Some(&CUPS));
        assert_eq!(catalogue.family("triarch_mugs_total"), None);
        assert_eq!(catalogue.sections().len(), 2);
        assert_eq!(catalogue.series_max(), 5 + 14 + LABEL_OVERFLOW.series_max());
    }

    #[test]
    fn a_query_names_a_histogram_only_by_its_parts() {
        let catalogue = Catalogue::new(&[section("Tea", &[DRAW, CUPS]), TELEMETRY]).unwrap();
        for part in [
            "triarch_draw_seconds_bucket",
            "triarch_draw_seconds_sum",
            "triarch_draw_seconds_count",
        ] {
            assert_eq!(catalogue.family_of_sample(part), Some(&DRAW), "{part}");
        }
        assert_eq!(catalogue.family_of_sample(CUPS.name), Some(&CUPS));
        for unknown in [DRAW.name, "triarch_cups_total_count", "triarch_cups"] {
            assert_eq!(catalogue.family_of_sample(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn no_section_and_no_family_stands_twice() {
        assert_eq!(
            Catalogue::new(&[section("Tea", &[CUPS]), section("Tea", &[DRAW]), TELEMETRY]).unwrap_err(),
            CatalogueError::DuplicateSection { title: "Tea" }
        );
        assert_eq!(
            Catalogue::new(&[section("Tea", &[CUPS]), TELEMETRY, section("Mugs", &[CUPS])]).unwrap_err(),
            CatalogueError::DuplicateFamily {
                name: CUPS.name,
                section: "Mugs"
            }
        );
    }

    #[test]
    fn a_badly_declared_family_is_refused_with_its_fault() {
        const BAD: Family = Family::counter("triarch_cups", &[], "Cups poured.");
        assert_eq!(
            Catalogue::new(&[section("Tea", &[BAD]), TELEMETRY]).unwrap_err(),
            CatalogueError::BadFamily {
                name: BAD.name,
                fault: Misdeclaration::Total
            }
        );
    }

    #[test]
    fn an_open_label_has_one_bound_in_all_families() {
        const MORE: Family = Family::gauge("triarch_mugs", &[Label::open("teapot", 5)], "Mugs.");
        const CLOSED: Family = Family::gauge("triarch_mugs", &[Label::closed("teapot", &["brown"])], "Mugs.");
        for families in [&[CUPS, MORE], &[CUPS, CLOSED]] {
            assert_eq!(
                Catalogue::new(&[section("Tea", families), TELEMETRY]).unwrap_err(),
                CatalogueError::LabelDiffers {
                    label: "teapot",
                    earlier: CUPS.name,
                    name: "triarch_mugs"
                }
            );
        }
    }

    #[test]
    fn closed_labels_of_one_name_may_have_words_of_their_own() {
        const HOT: Family = Family::gauge("triarch_pots", &[Label::closed("state", &["hot"])], "Pots.");
        const FULL: Family = Family::gauge("triarch_cups", &[Label::closed("state", &["full"])], "Cups.");
        assert!(Catalogue::new(&[section("Tea", &[HOT, FULL]), TELEMETRY]).is_ok());
    }

    #[test]
    fn a_guard_that_could_not_count_is_refused() {
        assert_eq!(
            Catalogue::new(&[section("Tea", &[CUPS])]).unwrap_err(),
            CatalogueError::NoOverflow
        );
    }
}
