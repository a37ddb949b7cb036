//! Every help text, every answer as people read it, and every error, as they stand in `tests/snapshots/`.

mod errors;

use std::fmt::Write as _;

use super::bus::event_line;
use super::memory::change_line;
use super::page::{built, verbs};
use super::programs::log_line;
use super::samples;
use super::screen::Screen;
use super::show::Show;
use crate::committed::assert_committed;
use crate::operations::NodeSeen;

#[test]
fn every_help_text_is_the_one_that_is_committed() {
    let line = built();
    let mut texts = String::new();
    help(&mut texts, "triarch", line.clone());
    for group in line
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help" && verb.has_subcommands())
    {
        help(&mut texts, &format!("triarch {}", group.get_name()), group.clone());
    }
    for (name, verb) in verbs(&line) {
        help(&mut texts, &format!("triarch {name}"), verb.clone());
    }
    assert_committed("tests/snapshots/help.txt", &texts);
}

fn help(texts: &mut String, name: &str, mut verb: clap::Command) {
    let text = verb.render_long_help().to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    let _written = write!(texts, "=== {name} --help\n{text}\n");
}

/// Each answer by its verb.
fn answers() -> Vec<(&'static str, Box<dyn Show>)> {
    vec![
        ("status", Box::new(samples::status())),
        ("tree", Box::new(samples::nodes())),
        ("team list", Box::new(samples::teams())),
        ("team show", Box::new(samples::team())),
        ("team broadcast", Box::new(vec![samples::queued(), samples::queued()])),
        ("agent list", Box::new(samples::nodes()[1..].to_vec())),
        ("agent list, of nobody", Box::new(Vec::<NodeSeen>::new())),
        ("agent show", Box::new(samples::agent())),
        ("agent send", Box::new(samples::queued())),
        ("agent ask", Box::new(samples::sent())),
        ("agent dead", Box::new(samples::letters())),
        ("why", Box::new(samples::why())),
        ("bus publish", Box::new(samples::published()[0].clone())),
        ("bus publish, on disk", Box::new(samples::published()[1].clone())),
        ("bus send", Box::new(samples::sent_to())),
        ("bus publish, later", Box::new(samples::published()[2].clone())),
        ("bus request", Box::new(samples::answer())),
        ("bus topics", Box::new(samples::topics())),
        ("bus show", Box::new(samples::topic())),
        ("bus dead", Box::new(samples::dead_letters())),
        ("bus replay", Box::new(samples::replayed())),
        ("bus drop", Box::new(samples::dropped())),
        ("bus planned", Box::new(samples::planned())),
        ("bus forget", Box::new(samples::forgotten())),
        ("bus cancel", Box::new(samples::called_off())),
        ("memory get", Box::new(samples::entries().remove(0))),
        ("memory put", Box::new(samples::stored())),
        ("memory delete", Box::new(samples::unstored())),
        ("memory increment", Box::new(samples::number())),
        ("memory exists", Box::new(samples::existence())),
        ("memory count", Box::new(samples::count())),
        ("memory list", Box::new(samples::entries())),
        ("memory search", Box::new(samples::found())),
        ("memory search, counted", Box::new(samples::counted())),
        ("memory retain", Box::new(samples::retained())),
        ("memory namespaces", Box::new(samples::namespaces())),
        ("memory stats", Box::new(samples::store())),
        ("memory import", Box::new(samples::taken_up())),
        ("memory backup", Box::new(samples::backup())),
        ("memory forget", Box::new(samples::left_behind())),
        ("task submit", Box::new(samples::submitted())),
        ("task list", Box::new(samples::tasks())),
        ("task show", Box::new(samples::tasks().remove(0))),
        ("task wait", Box::new(samples::waited())),
        ("task cancel", Box::new(samples::tasks_changed())),
        ("task stats", Box::new(samples::task_stats())),
        ("reload", Box::new(samples::reloaded())),
        ("reload, of nothing", Box::<crate::operations::Reloaded>::default()),
        ("down", Box::new(samples::stopping())),
        ("doctor", Box::new(samples::findings())),
    ]
}

#[test]
fn every_answer_is_shown_as_it_is_committed_on_narrow_and_wide_screens_and_in_colours() {
    let screens = [
        ("60 columns", Screen::plain(Some(60))),
        ("80 columns", Screen::plain(Some(80))),
        ("120 columns", Screen::plain(Some(120))),
        ("120 columns, colours", Screen::coloured(Some(120))),
    ];
    let mut texts = String::new();
    for (verb, answer) in answers() {
        let mut before = String::new();
        for (title, screen) in &screens {
            let text = answer.show(screen);
            if text != before {
                // An escape is shown as what it is, so that the file can be read.
                let _written = write!(texts, "=== {verb}, {title}\n{}\n", text.replace('\u{1b}', "␛"));
            }
            before = text;
        }
    }
    for screen in [Screen::plain(None), Screen::coloured(None)] {
        let lines: String = samples::log_lines()
            .iter()
            .map(|line| log_line(&screen, line) + "\n")
            .collect();
        let _written = write!(texts, "=== logs\n{}\n", lines.replace('\u{1b}', "␛"));
        let lines: String = samples::changes()
            .iter()
            .map(|change| change_line(&screen, change) + "\n")
            .collect();
        let _written = write!(texts, "=== memory watch\n{}\n", lines.replace('\u{1b}', "␛"));
    }
    for screen in [Screen::plain(None), Screen::coloured(None)] {
        let lines: String = samples::events()
            .iter()
            .map(|event| event_line(&screen, event) + "\n")
            .collect();
        let _written = write!(texts, "=== bus subscribe\n{}\n", lines.replace('\u{1b}', "␛"));
    }
    assert_committed("tests/snapshots/answers.txt", &texts);
}

#[test]
fn a_table_is_never_wider_than_the_screen() {
    for width in [60, 80, 120] {
        let tables = [
            "tree",
            "team list",
            "agent list",
            "agent dead",
            "bus topics",
            "bus dead",
            "memory list",
            "memory namespaces",
            "task list",
        ];
        for (verb, answer) in answers().into_iter().filter(|(verb, _)| tables.contains(verb)) {
            let text = answer.show(&Screen::plain(Some(width)));
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(
                widest <= width,
                "triarch {verb} has {widest} columns on a screen of {width}:\n{text}"
            );
        }
    }
}
