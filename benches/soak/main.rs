//! Lets the release binary work for a long time and looks whether anything grows: `cargo bench --bench soak -- --minutes 60`.
//!
//! The fleet does something of everything, in a folder of its own: native agents and programs that write to each other, tasks, topics on disk,
//! entries that pass, agents that fall, agents that come and go, logs that are rotated, and somebody outside who asks, looks on, scrapes and types commands.
//! All that it keeps is bounded by settings so narrow that the bounds are reached while it warms up: what grows after that is a leak.
#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong figure must end the measurement, loudly"
)]
#![expect(clippy::cast_precision_loss, reason = "figures are shown with four digits")]

#[path = "../runtime/caller.rs"]
mod caller;
mod fleet;
#[expect(dead_code, reason = "what starts the binary for all cases is more than one needs")]
#[path = "../runtime/house.rs"]
mod house;
mod line;
mod looks;
mod page;
#[expect(dead_code, reason = "what looks at processes for all cases is more than one needs")]
#[path = "../runtime/processes.rs"]
mod processes;
mod soak;
#[expect(dead_code, reason = "the peer of other cases is none of a soak")]
#[path = "../runtime/tools.rs"]
mod tools;
mod trends;
mod verdict;
mod work;

use std::process::ExitCode;
use std::time::Duration;

use triarch_benches::bench::Bench;
use triarch_benches::case::{Case, Entry, SHARE};
use triarch_benches::options::{More, Options};
use triarch_benches::program::Program;

const MINUTES: &str = "--minutes";

const MORE: &[More] = &[
    More {
        option: MINUTES,
        value: "N",
        meaning: "how long it works; an hour without. A quarter of it, 15 minutes at most, is warm-up",
    },
    More {
        option: tools::TRIARCH,
        value: "FILE",
        meaning: "the release binary, with triarch-echo beside it; built first without",
    },
];

const SUBJECT: &str = "triarch";

fn main() -> ExitCode {
    let cases: &'static [Case] = Vec::leak(cases());
    let names: Vec<&'static str> = cases.iter().map(|case| case.name).collect();
    let bench = Bench {
        name: "soak",
        order: names.leak(),
        subjects: &[SUBJECT],
        rounds: 1,
        more: MORE,
        entries: vec![Entry::outside(SUBJECT, cases, soak::run)],
    };
    let program = Program {
        bench,
        prepare,
        head,
        tables: |figures| verdict::table(figures),
    };
    program.run()
}

fn cases() -> Vec<Case> {
    let trends = trends::TRENDS.iter().flat_map(trends::Trend::cases);
    let counts = page::COUNTS.into_iter().map(|name| Case::new(name, ""));
    trends.chain([Case::new(verdict::SHARE, SHARE)]).chain(counts).collect()
}

fn prepare(options: &Options, _: &mut Bench) -> Result<(), String> {
    if let Some(given) = options.more.get(MINUTES) {
        let minutes = given.parse().ok().filter(|minutes| *minutes > 0);
        let minutes = minutes.ok_or_else(|| format!("{MINUTES} got {given:?}; give a whole number from 1 on"))?;
        soak::lasts(Duration::from_mins(minutes));
    }
    tools::find(options)
}

fn head(options: &Options) -> String {
    let (all, warm_up) = soak::times(options.is_quick);
    format!(
        "{}\n{} s of work, of which {} s are warm-up",
        tools::get().describe(),
        all.as_secs(),
        warm_up.as_secs()
    )
}
