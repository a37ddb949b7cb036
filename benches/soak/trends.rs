//! What is looked at over and over, and what became of it.

use triarch_benches::case::Case;
use triarch_benches::figure::median;

use crate::line::Line;

/// Something that must not grow for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trend {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) growth: Growth,
    /// What the growth may come to; nothing where settings bound it.
    pub(crate) most: Option<f64>,
}

/// In what growth is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Growth {
    AnHour,
    /// Over the time that was looked at.
    InAll,
    /// The same, in per cent of what it was at first.
    Share,
}

pub(crate) const RESIDENT: Trend = Trend::new("resident", "MiB", Growth::AnHour, Some(1.0));
pub(crate) const DESCRIPTORS: Trend = Trend::new("descriptors", "", Growth::InAll, Some(1.0));
pub(crate) const THREADS: Trend = Trend::new("threads", "", Growth::InAll, Some(1.0));
pub(crate) const CHILDREN: Trend = Trend::new("children", "", Growth::InAll, Some(1.0));
pub(crate) const P50: Trend = Trend::new("ask_p50", "µs", Growth::Share, None);
pub(crate) const P99: Trend = Trend::new("ask_p99", "µs", Growth::Share, Some(10.0));
pub(crate) const DISK: Trend = Trend::new("disk", "MiB", Growth::AnHour, None);

/// In the order in which they are shown.
pub(crate) const TRENDS: [Trend; 7] = [RESIDENT, DESCRIPTORS, THREADS, CHILDREN, P50, P99, DISK];

/// What is told of each.
pub(crate) const ASPECTS: [&str; 5] = ["first", "last", "greatest", "growth", "uncertainty"];

/// Who looks for a shorter time than this, in hours, sees how it becomes warm, or nothing at all, whatever the line says.
const SHORTEST: f64 = 0.25;

/// The first and the last so many of what was seen stand for how it was then.
const SHARE_OF_ENDS: usize = 10;

impl Trend {
    const fn new(name: &'static str, unit: &'static str, growth: Growth, most: Option<f64>) -> Self {
        Self {
            name,
            unit,
            growth,
            most,
        }
    }

    pub(crate) fn case_name(&self, aspect: &str) -> String {
        format!("soak_{}_{aspect}", self.name)
    }

    pub(crate) fn cases(&self) -> impl Iterator<Item = Case> {
        ASPECTS.into_iter().map(|aspect| {
            let unit = if matches!(aspect, "growth" | "uncertainty") {
                self.growth_unit()
            } else {
                self.unit.to_owned()
            };
            // As long as the program, as all cases are.
            Case::new(self.case_name(aspect).leak(), unit.leak())
        })
    }

    pub(crate) fn growth_unit(&self) -> String {
        match self.growth {
            Growth::AnHour => format!("{}/h", self.unit),
            Growth::InAll => "in all".to_owned(),
            Growth::Share => "%".to_owned(),
        }
    }

    /// All aspects of what was seen at so many hours.
    pub(crate) fn figures(&self, points: &[(f64, f64)]) -> [f64; ASPECTS.len()] {
        let line = Line::through(points);
        let hours = match points {
            [(first, _), .., (last, _)] => last - first,
            _ => 0.0,
        };
        let times = match self.growth {
            Growth::AnHour => 1.0,
            Growth::InAll => hours,
            Growth::Share => 100.0 * hours / line.begin,
        };
        let values: Vec<f64> = points.iter().map(|point| point.1).collect();
        let ends = values.len().div_ceil(SHARE_OF_ENDS);
        let greatest = values.iter().copied().fold(0.0, f64::max);
        [
            middle(&values[..ends]),
            middle(&values[values.len() - ends..]),
            greatest,
            line.slope * times,
            if hours < SHORTEST {
                f64::INFINITY
            } else {
                line.uncertainty * times
            },
        ]
    }
}

fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    median(&sorted)
}
