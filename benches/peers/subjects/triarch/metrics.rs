//! What the metrics of the message path cost: a type that is timed beside one that is not, in turns.

use triarch_benches::Scale;
use triarch_benches::case::{self, Entry};
use triarch_benches::load::Load;

use super::{NAME, tell_timed};

/// Each figure is the median of so many runs, on and off in turns: what is looked for is less than a run's noise.
const TURNS: usize = 7;

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::here(NAME, &case::METRICS_1_1, |scale| on_and_off(1, scale)),
        Entry::here(NAME, &case::METRICS_8_8, |scale| on_and_off(8, scale)),
    ]
}

fn on_and_off(pairs: usize, scale: &Scale) -> Vec<f64> {
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        on.push(tell_timed::<2, true>(Load::new(pairs, pairs, scale)));
        off.push(tell_timed::<2, false>(Load::new(pairs, pairs, scale)));
    }
    vec![median(on), median(off)]
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}
