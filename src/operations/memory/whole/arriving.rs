//! Entries from a file of lines of JSON.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Cursor, Read as _};
use std::path::Path;

use serde_json::{Value, json};
use triarch_memory::{Client, ExchangeError, Intake, Namespace};

use super::super::super::{Code, Trouble};
use super::super::meant;
use super::{Arriving, TakenUp, unread};
use crate::fleet::Fleet;

/// So many lines, and so many bytes or little more, are taken up at a time.
const LINES_AT_ONCE: usize = 1_000;
const BYTES_AT_ONCE: usize = 4 << 20;
/// The longest line; what it says is larger than any value.
const LINE_MAX: u64 = 64 << 20;

/// Takes up each line. What was taken up before something went wrong stays so, and is said.
pub(super) async fn import(fleet: &Fleet, arriving: &Arriving) -> Result<TakenUp, Trouble> {
    let mut intakes = Intakes {
        client: fleet.memory()?,
        arriving,
        open: BTreeMap::new(),
    };
    let mut reading = Reading::of(&arriving.file)?;
    loop {
        let read = next(reading, &arriving.file).await;
        let (rest, lines) = read.map_err(|trouble| intakes.taken().so_far(trouble))?;
        reading = rest;
        if lines.is_empty() {
            return Ok(intakes.taken());
        }
        let taken = Box::pin(intakes.take(lines)).await;
        taken.map_err(|trouble| intakes.taken().so_far(trouble))?;
        let progress = json!({ "ended": reading.read >> 10, "of": reading.of >> 10 });
        fleet.tell(progress).await;
    }
}

/// What is on its way into each namespace.
struct Intakes<'a> {
    client: &'a Client,
    arriving: &'a Arriving,
    open: BTreeMap<Namespace, Intake>,
}

impl Intakes<'_> {
    async fn take(&mut self, lines: Vec<(u64, String)>) -> Result<(), Trouble> {
        for part in parts(lines)? {
            self.take_part(&part).await.map_err(|error| told(self.client, error))?;
        }
        Ok(())
    }

    async fn take_part(&mut self, part: &Part) -> Result<(), ExchangeError> {
        let Arriving { conflicts, dry_run, .. } = *self.arriving;
        let intake = match self.open.entry(part.namespace.clone()) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(self.client.intake(&part.namespace, conflicts.into(), dry_run)?),
        };
        let before = intake.lines();
        let taken = intake.take(Cursor::new(part.text.clone())).await;
        taken.map_err(|error| part.by_line(error, before))
    }

    fn taken(&self) -> TakenUp {
        let mut taken = TakenUp {
            is_dry: self.arriving.dry_run,
            ..TakenUp::default()
        };
        for (namespace, intake) in &self.open {
            taken.count(namespace.clone(), intake.taken());
        }
        taken
    }
}

fn told(client: &Client, error: ExchangeError) -> Trouble {
    match error {
        ExchangeError::Store(error) => meant(client, error),
        error => error.into(),
    }
}

/// A file, and how much of it was read.
struct Reading {
    file: BufReader<File>,
    line: u64,
    read: u64,
    of: u64,
}

impl Reading {
    fn of(path: &Path) -> Result<Self, Trouble> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (of, file) = opened.map_err(|error| unread(path, &error))?;
        Ok(Self {
            file: BufReader::new(file),
            line: 0,
            read: 0,
            of,
        })
    }

    /// The next lines by their numbers; none at the end.
    fn lines(&mut self) -> std::io::Result<Vec<(u64, String)>> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while lines.len() < LINES_AT_ONCE && bytes < BYTES_AT_ONCE {
            let mut line = String::new();
            let read = (&mut self.file).take(LINE_MAX).read_line(&mut line)?;
            if read == 0 {
                break;
            }
            (self.line, self.read, bytes) = (self.line + 1, self.read + read as u64, bytes + read);
            if !line.trim().is_empty() {
                lines.push((self.line, line));
            }
        }
        Ok(lines)
    }
}

/// Reads on where it holds up nobody.
async fn next(mut reading: Reading, path: &Path) -> Result<(Reading, Vec<(u64, String)>), Trouble> {
    let read = tokio::task::spawn_blocking(move || reading.lines().map(|lines| (reading, lines))).await;
    let read = read.map_err(|error| Trouble::failed(format!("the reading ended early: {error}")))?;
    read.map_err(|error| unread(path, &error))
}

/// Lines in a row of one namespace.
#[derive(Debug, PartialEq)]
struct Part {
    namespace: Namespace,
    numbers: Vec<u64>,
    text: Vec<u8>,
}

impl Part {
    /// A fault by the line of the whole file, where so many lines of the namespace stood `before` these.
    fn by_line(&self, error: ExchangeError, before: u64) -> ExchangeError {
        let ExchangeError::Line { number, fault } = error else {
            return error;
        };
        let index = usize::try_from(number.saturating_sub(before + 1)).unwrap_or(usize::MAX);
        let number = self.numbers.get(index).copied().unwrap_or(number);
        ExchangeError::Line { number, fault }
    }
}

fn parts(lines: Vec<(u64, String)>) -> Result<Vec<Part>, Trouble> {
    let mut parts: Vec<Part> = Vec::new();
    for (number, line) in lines {
        let (namespace, line) = split(&line).map_err(|fault| {
            let message = format!("line {number} is no entry: {fault}");
            let remedy = "write it as in {\"namespace\":\"shared\",\"key\":\"a\",\"json\":1}";
            Trouble::new(Code::Usage, message, remedy)
        })?;
        let is_more = parts.last().is_some_and(|part| part.namespace == namespace);
        if !is_more {
            parts.push(Part {
                namespace,
                numbers: Vec::new(),
                text: Vec::new(),
            });
        }
        if let Some(part) = parts.last_mut() {
            part.numbers.push(number);
            part.text.extend_from_slice(line.as_bytes());
            part.text.push(b'\n');
        }
    }
    Ok(parts)
}

/// The namespace that a line names, and the line without.
fn split(line: &str) -> Result<(Namespace, String), String> {
    let line = triarch_memory::Value::parse_json(line).map_err(|error| error.to_string())?;
    let Some(Value::Object(mut line)) = line.as_json() else {
        return Err("it is no object".to_owned());
    };
    match line.remove("namespace") {
        Some(Value::String(name)) => {
            let namespace = Namespace::new(&name).map_err(|error| error.to_string())?;
            Ok((namespace, Value::Object(line).to_string()))
        }
        _ => Err("it names no namespace".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, text: &str) -> (u64, String) {
        (number, text.to_owned())
    }

    #[test]
    fn lines_in_a_row_of_one_namespace_are_taken_up_together_by_their_numbers() {
        let lines = vec![
            line(1, r#"{"namespace":"a","key":"1"}"#),
            line(3, r#"{"key":"2","namespace":"a"}"#),
            line(4, r#"{"namespace":"b","key":"1"}"#),
        ];
        let parts = parts(lines).unwrap();
        let told: Vec<_> = parts
            .iter()
            .map(|part| (part.namespace.as_str(), &*part.numbers))
            .collect();
        assert_eq!(told, [("a", &[1, 3][..]), ("b", &[4][..])]);
        assert_eq!(parts[0].text, b"{\"key\":\"1\"}\n{\"key\":\"2\"}\n");
    }

    #[test]
    fn a_line_that_is_no_entry_is_told_by_its_number() {
        for text in ["nothing", r#"{"key":"1"}"#, r#"{"namespace":"No"}"#] {
            let told = parts(vec![line(7, text)]).unwrap_err().told();
            assert!(told.starts_with("line 7 is no entry: "), "{told}");
        }
    }
}
