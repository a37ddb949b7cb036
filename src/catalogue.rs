//! Everything the runtime counts.

use crate::metrics::{Catalogue, CatalogueError, Section, families};
use crate::{bus, gateway, memory, programs, teams, telemetry, work};

/// All sections, in the order of the document.
pub fn sections() -> Vec<Section> {
    let [process, objectives, lifecycle, exposition] = telemetry::metrics::SECTIONS;
    vec![
        process,
        families::SUPERVISION,
        families::MAILBOX,
        families::AGENT,
        teams::metrics::TEAMS,
        bus::metrics::BUS,
        memory::metrics::MEMORY,
        work::metrics::WORK,
        triarch_journal::metrics::JOURNALS,
        programs::metrics::PROGRAMS,
        gateway::metrics::GATEWAY,
        objectives,
        lifecycle,
        exposition,
    ]
}

/// The one catalogue, from which registration, `docs/METRICS.md` and the checks of dashboards come.
pub fn catalogue() -> Result<Catalogue, CatalogueError> {
    Catalogue::new(&sections())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::committed::assert_committed;

    #[test]
    fn the_page_in_docs_is_what_the_catalogue_says() {
        assert_committed("docs/METRICS.md", &catalogue().unwrap().page().to_string());
    }

    #[test]
    fn with_every_label_at_its_bound_there_are_at_most_two_and_a_half_thousand_series() {
        let most = catalogue().unwrap().series_max();
        assert!(most <= 2_500, "{most}");
    }
}
