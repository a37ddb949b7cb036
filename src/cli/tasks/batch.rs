//! Tasks from a file, a line of JSON each, in as many requests as they take.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde_json::json;
use triarch_work::task::{After, Submission};
use triarch_work::words::{Capability, Worker};

use super::super::ask::Connection;
use super::super::progress::Bar;
use crate::operations::{Code, Submitted, TaskSubmit, Trouble};

/// The most tasks and bytes of one request, which the runtime takes as one.
const TASKS_MAX: usize = 1_000;
const BYTES_MAX: usize = 512 << 10;
/// So many tasks for others than those before them are told apart.
const UNLIKE_MAX: usize = 5;

/// Submits each line of `file`. What was submitted before something went wrong stays so, and is said. Returns too the places of the
/// first that are for others than those before them.
pub(super) fn submit(
    runtime: &mut Connection,
    file: &Path,
    for_later: bool,
) -> Result<(Vec<Submitted>, Vec<usize>), Trouble> {
    let of = look_through(file)?;
    let mut bar = Bar::of("tasks are submitted");
    let done = submit_shown(runtime, file, for_later, |count| {
        if let Some(of) = of {
            bar.show(&json!({ "ended": count, "of": of }));
        }
    });
    bar.wipe();
    done
}

/// Submits each line, and says how many were submitted after each request.
fn submit_shown(
    runtime: &mut Connection,
    file: &Path,
    for_later: bool,
    mut shown: impl FnMut(usize),
) -> Result<(Vec<Submitted>, Vec<usize>), Trouble> {
    let mut submitted = Vec::new();
    let mut batch = Batch {
        for_later,
        ..Batch::default()
    };
    for (index, line) in lines(file)?.enumerate() {
        let line = line.map_err(|error| unread(file, &error))?;
        if line.trim().is_empty() {
            batch.places.push(None);
            continue;
        }
        if batch.is_full(line.len()) {
            send(runtime, file, &mut batch, &mut submitted)?;
            shown(submitted.len());
        }
        batch
            .add(index + 1, &line, &submitted)
            .map_err(|trouble| so_far(file, trouble, &submitted))?;
    }
    send(runtime, file, &mut batch, &mut submitted)?;
    if submitted.is_empty() {
        return Err(nothing(file));
    }
    Ok((submitted, batch.unlike.into_values().collect()))
}

/// How a file is called.
fn name(file: &Path) -> String {
    match file.to_str() {
        Some("-") => "the standard input".to_owned(),
        _ => file.display().to_string(),
    }
}

fn nothing(file: &Path) -> Trouble {
    let message = format!("nothing to submit: {} is empty", name(file));
    Trouble::new(Code::Usage, message, "write a task in JSON on each line")
}

/// What stands in a file is read before any of it is submitted, so that a fault in a late line does not leave half of it behind. What
/// comes by a pipe cannot be read twice. Returns how many tasks there are, where that is known.
fn look_through(file: &Path) -> Result<Option<usize>, Trouble> {
    if file == Path::new("-") || !file.is_file() {
        return Ok(None);
    }
    let mut are_tasks = Vec::new();
    for (index, line) in lines(file)?.enumerate() {
        let line = line.map_err(|error| unread(file, &error))?;
        let is_task = !line.trim().is_empty();
        if is_task {
            fits(index + 1, &line, &are_tasks).map_err(|trouble| so_far(file, trouble, &[]))?;
        }
        are_tasks.push(is_task);
    }
    match are_tasks.into_iter().filter(|is_task| *is_task).count() {
        0 => Err(nothing(file)),
        count => Ok(Some(count)),
    }
}

/// Whether a line is a task, and comes after earlier ones alone where it says so by their places.
fn fits(number: usize, line: &str, are_tasks: &[bool]) -> Result<(), Trouble> {
    for after in task(number, line)?.after {
        let After::Place(place) = after else { continue };
        let earlier = usize::try_from(place).ok().and_then(|place| are_tasks.get(place));
        if earlier != Some(&true) {
            return Err(not_earlier(number, place));
        }
    }
    Ok(())
}

fn not_earlier(number: usize, place: u32) -> Trouble {
    let message = format!(
        "line {number} waits for place {place}, which is line {}, where there is no earlier task",
        u64::from(place) + 1
    );
    Trouble::new(Code::Usage, message, "name an earlier one; places count lines from 0")
}

fn task(number: usize, line: &str) -> Result<Submission, Trouble> {
    serde_json::from_str(line).map_err(|error: serde_json::Error| {
        let (problem, column) = (error.to_string(), error.column());
        // It was given one line, and counts from there.
        let problem = problem
            .strip_suffix(&format!(" at line 1 column {column}"))
            .unwrap_or(&problem);
        let message = format!("line {number} is no task: {problem}, at column {column}");
        Trouble::new(
            Code::Usage,
            message,
            "write it as in {\"kind\":\"build\",\"body\":{\"target\":\"all\"}}",
        )
    })
}

fn lines(file: &Path) -> Result<Box<dyn Iterator<Item = io::Result<String>>>, Trouble> {
    if file == Path::new("-") {
        return Ok(Box::new(without_mark(io::stdin().lines())));
    }
    let opened = File::open(file).map_err(|error| unread(file, &error))?;
    Ok(Box::new(without_mark(BufReader::new(opened).lines())))
}

/// Without the mark that some editors begin a file with.
fn without_mark(lines: impl Iterator<Item = io::Result<String>>) -> impl Iterator<Item = io::Result<String>> {
    const MARK: char = '\u{feff}';
    let of_first = |(index, line): (usize, io::Result<String>)| match line {
        Ok(line) if index == 0 => match line.strip_prefix(MARK) {
            Some(rest) => Ok(rest.to_owned()),
            None => Ok(line),
        },
        other => other,
    };
    lines.enumerate().map(of_first)
}

fn unread(file: &Path, error: &io::Error) -> Trouble {
    let message = format!("{} cannot be read: {error}", file.display());
    Trouble::new(Code::Usage, message, "name a file with a task in JSON on each line")
}

fn send(
    runtime: &mut Connection,
    file: &Path,
    batch: &mut Batch,
    submitted: &mut Vec<Submitted>,
) -> Result<(), Trouble> {
    let taken = batch.take(submitted.len());
    if taken.tasks.is_empty() {
        return Ok(());
    }
    let accepted = runtime.ask(&taken);
    submitted.extend(accepted.map_err(|trouble| so_far(file, trouble, submitted))?);
    Ok(())
}

/// In which file something is wrong, and how much of it was submitted before.
fn so_far(file: &Path, trouble: Trouble, submitted: &[Submitted]) -> Trouble {
    let (name, problem) = (name(file), &trouble.message);
    let message = match (submitted.first(), submitted.last()) {
        (Some(first), Some(last)) => {
            let (count, first, last) = (submitted.len(), first.task, last.task);
            format!("{count} tasks, {first} to {last}, were submitted, then: {name}: {problem}")
        }
        // Of a batch all are refused or none; of what went wrong otherwise nobody knows.
        _ if matches!(trouble.code, Code::Usage | Code::NotFound | Code::Refused) => {
            format!("{name}: {problem}; nothing was submitted")
        }
        _ => format!("{name}: {problem}"),
    };
    Trouble { message, ..trouble }
}

/// Lines that have been read and not sent.
#[derive(Debug, Default)]
struct Batch {
    tasks: Vec<Submission>,
    /// On which line each of them stands.
    lines: Vec<usize>,
    bytes: usize,
    for_later: bool,
    /// How many tasks stand before this batch.
    before: usize,
    /// Of each line that was read, which task of the whole file it is; none of an empty one.
    places: Vec<Option<usize>>,
    /// Whom tasks are for, with the place of the first of each.
    unlike: BTreeMap<(Vec<Capability>, Option<Worker>), usize>,
}

impl Batch {
    fn is_full(&self, more: usize) -> bool {
        !self.tasks.is_empty() && (self.tasks.len() >= TASKS_MAX || self.bytes + more > BYTES_MAX)
    }

    fn add(&mut self, number: usize, line: &str, submitted: &[Submitted]) -> Result<(), Trouble> {
        let mut task = task(number, line)?;
        for after in &mut task.after {
            self.resolve(after, number, submitted)?;
        }
        let place = self.before + self.tasks.len();
        if self.unlike.len() < UNLIKE_MAX {
            let wanted = task.affinity.as_ref().map(|affinity| affinity.worker.clone());
            self.unlike.entry((task.needs.clone(), wanted)).or_insert(place);
        }
        self.places.push(Some(place));
        self.tasks.push(task);
        self.lines.push(number);
        self.bytes += line.len();
        Ok(())
    }

    /// Places count the lines of the whole file, from 0; the runtime counts those of one request.
    fn resolve(&self, after: &mut After, number: usize, submitted: &[Submitted]) -> Result<(), Trouble> {
        let After::Place(line) = *after else { return Ok(()) };
        let place = usize::try_from(line)
            .ok()
            .and_then(|line| self.places.get(line).copied().flatten());
        let Some(place) = place else {
            return Err(not_earlier(number, line));
        };
        *after = match (submitted.get(place), u32::try_from(place - self.before.min(place))) {
            (Some(earlier), _) => After::Task(earlier.task),
            (None, Ok(here)) => After::Place(here),
            (None, Err(_)) => return Ok(()),
        };
        Ok(())
    }

    fn take(&mut self, before: usize) -> TaskSubmit {
        self.before = before + self.tasks.len();
        self.bytes = 0;
        TaskSubmit {
            tasks: std::mem::take(&mut self.tasks),
            lines: std::mem::take(&mut self.lines),
            for_later: self.for_later,
        }
    }
}

#[cfg(test)]
mod tests {
    use triarch_work::words::TaskId;

    use super::*;

    fn known(numbers: std::ops::Range<u64>) -> Vec<Submitted> {
        let submitted = numbers.map(|number| Submitted {
            task: TaskId::new(number),
            is_known: false,
        });
        submitted.collect()
    }

    #[test]
    fn places_count_the_lines_of_the_whole_file_whatever_was_sent_before() {
        let mut batch = Batch::default();
        batch.add(1, r#"{"kind":"a"}"#, &[]).unwrap();
        batch.places.push(None);
        batch.add(3, r#"{"kind":"b","after":[{"place":0}]}"#, &[]).unwrap();
        let sent = batch.take(0);
        assert_eq!(sent.lines, [1, 3]);
        let sent = sent.tasks;
        assert_eq!(sent[1].after, [After::Place(0)]);
        let submitted = known(70..72);
        batch
            .add(4, r#"{"kind":"c","after":[{"place":2}]}"#, &submitted)
            .unwrap();
        batch
            .add(5, r#"{"kind":"d","after":[{"place":3}]}"#, &submitted)
            .unwrap();
        let sent = batch.take(2).tasks;
        assert_eq!(sent[0].after, [After::Task(TaskId::new(71))]);
        assert_eq!(sent[1].after, [After::Place(0)]);
        for place in [1, 9] {
            let line = format!(r#"{{"kind":"e","after":[{{"place":{place}}}]}}"#);
            assert!(batch.add(6, &line, &submitted).is_err(), "{place}");
        }
    }

    #[test]
    fn a_mark_at_the_start_of_a_file_is_no_part_of_its_first_line() {
        let lines = ["\u{feff}{\"kind\":\"a\"}", "\u{feff}x"].map(|line| Ok(line.to_owned()));
        let read: Vec<_> = without_mark(lines.into_iter()).map(Result::unwrap).collect();
        assert_eq!(read, ["{\"kind\":\"a\"}", "\u{feff}x"]);
    }

    #[test]
    fn a_file_without_a_task_is_refused_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tasks.jsonl");
        std::fs::write(&file, "\u{feff}\n\n").unwrap();
        let trouble = look_through(&file).unwrap_err();
        assert_eq!(trouble.code, Code::Usage);
        assert_eq!(
            trouble.message,
            format!("nothing to submit: {} is empty", file.display())
        );
        assert!(nothing(Path::new("-")).message.ends_with("the standard input is empty"));
    }

    #[test]
    fn how_many_tasks_a_file_has_is_known_before_the_first_is_submitted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tasks.jsonl");
        std::fs::write(&file, "{\"kind\":\"a\"}\n\n{\"kind\":\"b\"}\n").unwrap();
        assert_eq!(look_through(&file).unwrap(), Some(2));
        assert_eq!(
            look_through(Path::new("-")).unwrap(),
            None,
            "nobody knows what comes by a pipe"
        );
    }

    #[test]
    fn a_line_that_waits_for_none_before_it_is_found_before_anything_is_submitted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tasks.jsonl");
        for (place, told) in [
            (1_090, "place 1090, which is line 1091,"),
            (1_049, "place 1049, which is line 1050,"),
            (7, "place 7, which is line 8,"),
        ] {
            let mut text = vec![r#"{"kind":"a"}"#.to_owned(); 1_100];
            text[7].clear();
            text[1_049] = format!(r#"{{"kind":"a","after":[{{"place":8}},{{"place":{place}}}]}}"#);
            std::fs::write(&file, text.join("\n")).unwrap();
            let trouble = look_through(&file).unwrap_err();
            assert_eq!(trouble.code, Code::Usage);
            let expected = format!(
                "{}: line 1050 waits for {told} where there is no earlier task; nothing was submitted",
                file.display()
            );
            assert_eq!(trouble.message, expected);
        }
    }

    #[test]
    fn a_batch_is_full_before_it_is_too_long_for_the_runtime() {
        let mut batch = Batch::default();
        assert!(
            !batch.is_full(BYTES_MAX * 2),
            "what is too long alone is the runtime's to refuse"
        );
        batch.add(1, r#"{"kind":"a"}"#, &[]).unwrap();
        assert!(batch.is_full(BYTES_MAX) && !batch.is_full(100));
        for _ in 1..TASKS_MAX {
            batch.add(1, r#"{"kind":"a"}"#, &[]).unwrap();
        }
        assert!(batch.is_full(1));
    }

    #[test]
    fn a_line_that_is_no_task_is_told_by_its_number() {
        let trouble = Batch::default()
            .add(7, r#"{"kind":"a","prio":1}"#, &known(1..3))
            .unwrap_err();
        assert!(
            trouble.message.starts_with("line 7 is no task: unknown field `prio`"),
            "{}",
            trouble.message
        );
        let told = so_far(Path::new("-"), trouble, &known(1..3)).message;
        assert!(
            told.starts_with("2 tasks, 1 to 2, were submitted, then: the standard input: line 7"),
            "{told}"
        );
    }

    #[test]
    fn a_fault_in_a_file_is_told_once_with_file_line_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tasks.jsonl");
        std::fs::write(&file, "{\"kind\":\"a\"}\n{\"kind\":\"b\",\"body\":\n").unwrap();
        let told = look_through(&file).unwrap_err().message;
        let expected = format!(
            "{}: line 2 is no task: EOF while parsing a value, at column 19; nothing was submitted",
            file.display()
        );
        assert_eq!(told, expected);
    }
}
