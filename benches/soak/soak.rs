//! The run itself: work without a pause, and a look now and then.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use triarch_benches::Scale;
use triarch_benches::figure::percentile;

use crate::fleet;
use crate::house::{House, Running};
use crate::looks::Look;
use crate::page::Page;
use crate::processes::{pause, processor_time};
use crate::tools;
use crate::trends::{CHILDREN, DESCRIPTORS, DISK, P50, P99, RESIDENT, THREADS, Trend};
use crate::work::{self, Work};

/// How long a run is unless somebody says otherwise, and a smoke run.
const USUAL: Duration = Duration::from_hours(1);
const SMOKE: Duration = Duration::from_secs(12);

/// This share of a run is warm-up, and no more than that time.
const WARM_UP: u32 = 4;
const WARM_UP_MAX: Duration = Duration::from_mins(15);

/// So many looks and so many portions of asks in what is left, and how far apart they are at the most.
const LOOKS: u32 = 240;
const LOOK_MAX: Duration = Duration::from_secs(5);
const PORTIONS: u32 = 30;
const PORTION_MAX: Duration = Duration::from_mins(1);

/// How often whoever waits is told how it stands.
const TELL_EVERY: Duration = Duration::from_mins(1);

static LONG: OnceLock<Duration> = OnceLock::new();

/// How long runs are from now on.
pub(crate) fn lasts(time: Duration) {
    let _second = LONG.set(time);
}

/// How long a run is, and how much of that is warm-up.
pub(crate) fn times(is_quick: bool) -> (Duration, Duration) {
    let usual = if is_quick { SMOKE } else { USUAL };
    let all = LONG.get().copied().unwrap_or(usual);
    (all, (all / WARM_UP).min(WARM_UP_MAX))
}

/// What was seen once it was warm.
#[derive(Default)]
struct Seen {
    looks: Vec<Look>,
    /// p50 and p99 of a portion of asks in microseconds, and when it ended.
    portions: Vec<(Duration, f64, f64)>,
}

/// All figures: those of each trend, then what was done.
pub(crate) fn run(scale: &Scale) -> Vec<f64> {
    let (all, warm_up) = times(scale.is_quick);
    let echo = tools::get().echo.display().to_string();
    let running = House::described(&fleet::described(&echo)).up();
    let mut work = Work::at(&running);
    let (begun, before) = (Instant::now(), processor_time(running.pid()));
    let seen = watch(&running, &mut work, begun, all, warm_up);
    let used = processor_time(running.pid()).saturating_sub(before);
    let share = 100.0 * used.as_secs_f64() / begun.elapsed().as_secs_f64();
    let page = Page::of(&running);
    page.is_of_a_fleet_that_works(&work.done);
    let mut figures = seen.figures();
    figures.push(share);
    figures.extend(page.counts(&work.done));
    figures
}

fn watch(running: &Running, work: &mut Work<'_>, begun: Instant, all: Duration, warm_up: Duration) -> Seen {
    let mut seen = Seen::default();
    let warm = all.saturating_sub(warm_up);
    let (look_every, portion_every) = ((warm / LOOKS).min(LOOK_MAX), (warm / PORTIONS).min(PORTION_MAX));
    let (mut next_look, mut next_portion, mut next_word) = (Duration::ZERO, warm_up, TELL_EVERY);
    while begun.elapsed() < all {
        let turn = Instant::now();
        work.turn();
        let at = begun.elapsed();
        if at >= next_look {
            let look = Look::at(running, begun);
            if at >= next_word {
                tell(&look, seen.portions.last());
                next_word = at + TELL_EVERY;
            }
            if at >= warm_up {
                seen.looks.push(look);
            }
            next_look = at + look_every;
        }
        if at >= next_portion {
            let mut nanos = std::mem::take(&mut work.nanos);
            nanos.sort_unstable();
            // What came before is warm-up.
            if next_portion > warm_up {
                let [p50, p99] = [50, 99].map(|percent| percentile(&nanos, percent) as f64 / 1e3);
                seen.portions.push((at, p50, p99));
            }
            next_portion = at + portion_every;
        }
        pause(work::EVERY.saturating_sub(turn.elapsed()));
    }
    seen
}

#[expect(clippy::print_stderr, reason = "whoever waits for hours sees how it stands")]
fn tell(look: &Look, portion: Option<&(Duration, f64, f64)>) {
    let p99 = portion.map_or("-".to_owned(), |portion| format!("{:.0} µs", portion.2));
    eprintln!(
        "{:>5.0} min: {:.2} MiB resident, {} descriptors, {} threads, {} children, p99 {p99}, {:.2} MiB on disk",
        look.at.as_secs_f64() / 60.0,
        look.resident,
        look.descriptors,
        look.threads,
        look.children,
        look.disk
    );
}

impl Seen {
    fn figures(&self) -> Vec<f64> {
        let of_looks = |trend: Trend, of: fn(&Look) -> f64| {
            let points: Vec<_> = self.looks.iter().map(|look| (hours(look.at), of(look))).collect();
            trend.figures(&points)
        };
        let of_portions = |trend: Trend, of: fn(&(Duration, f64, f64)) -> f64| {
            let points: Vec<_> = self
                .portions
                .iter()
                .map(|portion| (hours(portion.0), of(portion)))
                .collect();
            trend.figures(&points)
        };
        [
            of_looks(RESIDENT, |look| look.resident),
            of_looks(DESCRIPTORS, |look| look.descriptors),
            of_looks(THREADS, |look| look.threads),
            of_looks(CHILDREN, |look| look.children),
            of_portions(P50, |portion| portion.1),
            of_portions(P99, |portion| portion.2),
            of_looks(DISK, |look| look.disk),
        ]
        .concat()
    }
}

fn hours(time: Duration) -> f64 {
    time.as_secs_f64() / 3_600.0
}
