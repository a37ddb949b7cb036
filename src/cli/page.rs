//! The command line as a page for people: `docs/CLI.md`.

mod manners;
mod shapes;

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};
use serde::Serialize;

use super::line::Line;
use super::samples;
use crate::committed::{assert_committed, lower};
use crate::operations::Code;
use manners::{Answer, MANNERS, Manner, OF_UP_ALONE};
use shapes::SHAPES;

const HEAD: &str = "\
# The command line

Written from the definition in the code; a test compares the two. `triarch help VERB` says the same in the terminal.

Data goes to standard output, all else to standard error. An agent is named by its path, as in `team/agent`, or by its
name where only one agent has it. A length of time is written as in `250ms`, `5s` or `1h 30m`. Colours are left out where
the output is no terminal, or `NO_COLOR` is set. Where the output cannot be written a verb exits with 1; where nobody reads
it any more, as behind `| head`, without a word. With `--json` what went wrong is one line of JSON on standard error too:
`{\"error\":{\"code\":4,\"message\":\"…\",\"remedy\":\"…\"}}`, where `code` is the exit code. What is wrong with the arguments themselves is told in words.
";

const ASKING: &str = "\
A verb that *asks the runtime* does so through the socket in the state folder, which it finds by the same description and
the same variables as `triarch up`. Where no runtime runs it exits with 69, and starts none. Where nothing
comes for 10 s to a question that is mostly answered at once, the runtime is asked another one beside it. Is that answered, the
first waits for a disk or for a room that is started again: exit code 1, and it may be done all the same. Is it not, the runtime still
reads its journals, waits for its disk, or hangs: exit code 70. Before what may take long, such as `down`, it is asked such a question.

While agents start, `status`, `tree`, `why`, `logs`, `agent list` and `show`, `team list` and `down` are answered; all else is exit code 1
until all have started.

Who follows (`logs -f`, `bus tap`, `memory watch` and the like) and reads nothing for a minute, as behind a pager or after Ctrl-Z, finds what
came until then, and that nobody read it, with exit code 1. Who waits or follows has seven of eight of `gateway.socket_connections`; one more
is refused with 5.

A runtime stays with the file it was started with: that is what `reload` reads, wherever it is typed. Where `--config` names
another file, or the working folder has another `triarch.toml`, `reload` and `down` are refused; who sets
`TRIARCH_RUNTIME__STATE_DIR` has said which runtime is meant.
";

const SHAPES_HEAD: &str = "\
With `--json` a verb prints one of these. A key may be added in any version; one that is named here keeps its name and
its meaning within a minor version. What is unknown is `null`, never 0.
";

fn page() -> String {
    let line = built();
    let mut page = HEAD.to_owned();
    page.push_str("\n## What every verb takes\n\n");
    arguments(&mut page, globals(&line));
    exits(&mut page);
    page.push_str("\n## Verbs\n\n");
    page.push_str(ASKING);
    for (name, verb) in verbs(&line) {
        let _written = write!(page, "\n### `triarch {name}`\n\n{}.\n", said(verb));
        section(&mut page, verb, manner(&name));
    }
    page.push_str("\n## Answers as JSON\n\n");
    page.push_str(SHAPES_HEAD);
    for (title, about, shape) in SHAPES {
        let _written = write!(page, "\n### {title}\n\n{about}\n\n```json\n{}\n```\n", shape());
    }
    page
}

pub(super) fn built() -> Command {
    let mut line = Line::command();
    line.build();
    line
}

/// Every verb that does something, with the words it is called by.
pub(super) fn verbs(line: &Command) -> Vec<(String, &Command)> {
    let mut found = Vec::new();
    for verb in line.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let name = verb.get_name();
        if verb.has_subcommands() {
            found.extend(
                verbs(verb)
                    .into_iter()
                    .map(|(below, verb)| (format!("{name} {below}"), verb)),
            );
        } else {
            found.push((name.to_owned(), verb));
        }
    }
    found
}

fn manner(name: &str) -> &'static Manner {
    let manner = MANNERS.iter().find(|manner| manner.verb == name);
    manner
        .unwrap_or_else(|| panic!("src/cli/page/manners.rs does not say what `triarch {name}` exits with and answers"))
}

fn globals(line: &Command) -> Vec<&Arg> {
    line.get_arguments().filter(|argument| !is_of_clap(argument)).collect()
}

fn is_of_clap(argument: &Arg) -> bool {
    ["help", "version"].contains(&argument.get_id().as_str())
}

fn said(verb: &Command) -> String {
    verb.get_about().map(ToString::to_string).unwrap_or_default()
}

fn section(page: &mut String, verb: &Command, manner: &Manner) {
    let usage = verb.clone().render_usage().to_string();
    let _written = write!(page, "\n```text\n{}\n```\n", usage.trim_start_matches("Usage: "));
    let own: Vec<_> = verb
        .get_arguments()
        .filter(|argument| !argument.is_global_set() && !is_of_clap(argument))
        .collect();
    if !own.is_empty() {
        page.push('\n');
        arguments(page, own);
    }
    let asks = if manner.asks.is_some() {
        "asks the runtime"
    } else {
        "needs no runtime"
    };
    let _written = write!(page, "\n- It {asks}.\n- {}\n", manner.answer.told());
    for (code, when) in manner.ends {
        let _written = writeln!(page, "- Exits with {code} where {when}.");
    }
}

fn arguments(page: &mut String, arguments: Vec<&Arg>) {
    page.push_str("| argument | default | meaning |\n|---|---|---|\n");
    for argument in arguments {
        let default: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        let default = match (argument.is_required_set(), default.join(", ")) {
            (true, _) => "required".to_owned(),
            (false, default)
                if default.is_empty()
                    || !argument.get_action().takes_values()
                    || argument.is_hide_default_value_set() =>
            {
                "-".to_owned()
            }
            (false, default) => format!("`{default}`"),
        };
        let _written = writeln!(
            page,
            "| `{}` | {default} | {}.{} |",
            written(argument),
            about(argument),
            words(argument)
        );
    }
}

/// Clap takes the full stop away.
fn about(argument: &Arg) -> String {
    argument.get_help().map(ToString::to_string).unwrap_or_default()
}

/// How an argument is written.
fn written(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(|names| names.first());
    let value = value.filter(|_| argument.get_action().takes_values());
    let value = value.map_or_else(String::new, |value| format!("<{value}>"));
    match (argument.get_short(), argument.get_long()) {
        (_, None) => value,
        (None, Some(long)) => format!("--{long} {value}"),
        (Some(short), Some(long)) => format!("-{short}, --{long} {value}"),
    }
    .trim_end()
    .to_owned()
}

/// The words that an argument may be, with their meanings.
fn words(argument: &Arg) -> String {
    if !argument.get_action().takes_values() {
        return String::new();
    }
    let values = argument.get_possible_values();
    let words: Vec<_> = values
        .iter()
        .map(|value| match value.get_help() {
            Some(about) => format!(" `{}`: {}", value.get_name(), lower(&about.to_string())),
            None => format!(" `{}`", value.get_name()),
        })
        .collect();
    if words.is_empty() {
        String::new()
    } else {
        format!("{}.", words.join(";"))
    }
}

fn exits(page: &mut String) {
    page.push_str("\n## Exit codes\n\n| code | meaning | of which verbs |\n|---|---|---|\n| 0 | done | all |\n");
    for code in Code::ALL {
        let (meaning, whose) = match code {
            Code::Failed => ("the operation failed", "all"),
            Code::Usage => ("bad usage, or a description that cannot be followed", "all"),
            Code::NoReceipt => ("no receipt came in time", "those that say so"),
            Code::NotFound => ("what it is about is not there", "those that say so"),
            Code::Refused => (
                "refused: by the runtime, by a supervisor, or because the runtime, or the folder of its state, is another user's",
                "those that ask the runtime, and `up`",
            ),
            Code::NotRunning => (
                "no runtime runs, or it stopped before it had answered",
                "those that ask the runtime",
            ),
            Code::RuntimeFailed => ("the runtime failed, or hangs", "those that ask the runtime, and `up`"),
        };
        let _written = writeln!(page, "| {} | {meaning} | {whose} |", code.number());
    }
    let (code, meaning) = OF_UP_ALONE;
    let _written = writeln!(page, "| {code} | {meaning} | `up` |");
}

impl Answer {
    fn told(self) -> String {
        let shape = |title: &str| format!("[{}](#{})", lower(title), title.to_lowercase().replace(' ', "-"));
        match self {
            Self::One(title) => format!("With `--json`: {}.", shape(title)),
            Self::List(title) => format!("With `--json`: an array, each element {}.", shape(title)),
            Self::Lines(title) => format!("With `--json`: as they come, one in a line, {}.", shape(title)),
            Self::Json(what) => format!("With `--json`: {what}."),
            Self::Same => "With `--json`: the same.".to_owned(),
        }
    }
}

fn json(value: &impl Serialize) -> String {
    // What is JSON already is laid out as all else is.
    serde_json::to_string_pretty(&serde_json::to_value(value).unwrap()).unwrap()
}

#[test]
fn the_page_in_docs_is_what_the_command_line_says() {
    assert_committed("docs/CLI.md", &page());
}

#[test]
fn each_verb_has_its_manner_and_each_operation_its_verb() {
    let line = built();
    let known: Vec<_> = verbs(&line).into_iter().map(|(name, _)| name).collect();
    for manner in MANNERS {
        assert!(
            known.iter().any(|name| name == manner.verb),
            "there is no verb {}",
            manner.verb
        );
        if let Answer::One(title) | Answer::List(title) | Answer::Lines(title) = manner.answer {
            assert!(
                SHAPES.iter().any(|(known, _, _)| *known == title),
                "nobody shows {title}"
            );
        }
        if let Some(operation) = manner.asks {
            assert!(
                crate::operations::NAMES.contains(&operation),
                "there is no operation {operation}"
            );
        }
    }
    for operation in crate::operations::NAMES {
        assert!(
            MANNERS.iter().any(|manner| manner.asks == Some(operation)),
            "no verb asks for {operation}"
        );
    }
}

#[test]
fn every_word_of_the_command_line_is_explained() {
    let line = built();
    for (name, verb) in verbs(&line) {
        let is_sentence = |text: &str| text.starts_with(char::is_uppercase) && !text.contains("  ");
        assert!(
            is_sentence(&said(verb)),
            "triarch {name} is not explained: {:?}",
            said(verb)
        );
        for argument in verb.get_arguments().filter(|argument| !is_of_clap(argument)) {
            let about = about(argument);
            assert!(is_sentence(&about), "triarch {name} {}: {about:?}", written(argument));
        }
    }
}
