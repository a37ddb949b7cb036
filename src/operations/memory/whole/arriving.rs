//! Entries from a file of lines of JSON.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Cursor, Read as _};
use std::path::Path;

use serde_json::{Value, json};
use triarch_memory::{Client, Error, ExchangeError, Intake, Namespace, Refused};

use super::super::super::Trouble;
use super::super::meant;
use super::{Arriving, TakenUp, unread};
use crate::fleet::Fleet;

/// So many lines, and so many bytes or little more, are taken up at a time.
const LINES_AT_ONCE: usize = 1_000;
const BYTES_AT_ONCE: usize = 4 << 20;
/// The longest line; what it says is larger than any value.
const LINE_MAX: usize = 64 << 20;

/// Takes up each line but those that are no entries, which are told. What was taken up before something else went wrong
/// stays so, and is said.
pub(super) async fn import(fleet: &Fleet, arriving: &Arriving) -> Result<TakenUp, Trouble> {
    let mut intakes = Intakes {
        client: fleet.memory()?,
        arriving,
        open: BTreeMap::new(),
        refused: Refused::default(),
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
    refused: Refused,
}

impl Intakes<'_> {
    async fn take(&mut self, lines: Vec<(u64, Vec<u8>)>) -> Result<(), Trouble> {
        let mut ended = Ok(());
        for part in parts(lines, &mut self.refused) {
            match self.take_part(&part).await {
                // Lines of others may stand before the one that there is no room for.
                Err(error @ ExchangeError::Store(Error::Full { .. })) => ended = ended.and(Err(error)),
                taken => taken.map_err(|error| told(self.client, error))?,
            }
        }
        ended.map_err(|error| told(self.client, error))
    }

    async fn take_part(&mut self, part: &Part) -> Result<(), ExchangeError> {
        let Arriving { conflicts, dry_run, .. } = *self.arriving;
        let intake = match self.open.entry(part.namespace.clone()) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => match self.client.intake(&part.namespace, conflicts.into(), dry_run) {
                Ok(intake) => free.insert(intake),
                Err(ExchangeError::Store(error @ Error::NoSuchNamespace { .. })) => {
                    let fault = meant(self.client, error).told();
                    let numbers = part.numbers.iter();
                    numbers.for_each(|number| self.refused.add(*number, fault.clone()));
                    return Ok(());
                }
                Err(error) => return Err(error),
            },
        };
        let before = intake.lines();
        let taken = intake.take(Cursor::new(part.text.clone())).await;
        self.refused
            .add_all(intake.take_refused(), |number| part.number(number, before));
        taken
    }

    fn taken(&self) -> TakenUp {
        let mut taken = TakenUp {
            is_dry: self.arriving.dry_run,
            refused: self.refused.clone(),
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
    /// Why no more is read of it, once what was read before is taken up.
    failed: Option<Trouble>,
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
            failed: None,
        })
    }

    /// The next lines by their numbers; none at the end.
    fn lines(&mut self, path: &Path) -> Result<Vec<(u64, Vec<u8>)>, Trouble> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while self.failed.is_none() && lines.len() < LINES_AT_ONCE && bytes < BYTES_AT_ONCE {
            match self.line() {
                Ok(None) => break,
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => {
                    bytes += line.len();
                    lines.push((self.line, line));
                }
                Err(error) => self.failed = Some(unread(path, &error)),
            }
        }
        let failed = self.failed.take_if(|_| lines.is_empty());
        failed.map_or(Ok(lines), Err)
    }

    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let most = LINE_MAX as u64 + 1;
        let read = (&mut self.file).take(most).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        (self.line, self.read) = (self.line + 1, self.read + read as u64);
        if read > LINE_MAX {
            let fault = format!("line {} is longer than {LINE_MAX} bytes", self.line);
            return Err(io::Error::other(fault));
        }
        Ok(Some(line))
    }
}

/// Reads on where it holds up nobody.
async fn next(mut reading: Reading, path: &Path) -> Result<(Reading, Vec<(u64, Vec<u8>)>), Trouble> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || reading.lines(&path).map(|lines| (reading, lines))).await;
    read.map_err(|error| Trouble::failed(format!("the reading ended early: {error}")))?
}

/// Lines of one namespace, in their order.
#[derive(Debug, PartialEq)]
struct Part {
    namespace: Namespace,
    numbers: Vec<u64>,
    text: Vec<u8>,
}

impl Part {
    /// Of the whole file, which line that of the namespace is, of which there were so many `before` these.
    fn number(&self, of_namespace: u64, before: u64) -> u64 {
        let index = usize::try_from(of_namespace.saturating_sub(before + 1)).unwrap_or(usize::MAX);
        self.numbers.get(index).copied().unwrap_or(of_namespace)
    }
}

/// By namespaces, each of which is written at once, however they take turns.
fn parts(lines: Vec<(u64, Vec<u8>)>, refused: &mut Refused) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (number, line) in lines {
        let (namespace, line) = match split(&line) {
            Ok(split) => split,
            Err(fault) => {
                refused.add(number, fault);
                continue;
            }
        };
        let found = parts.iter().rposition(|part| part.namespace == namespace);
        let place = found.unwrap_or(parts.len());
        if found.is_none() {
            parts.push(Part {
                namespace,
                numbers: Vec::new(),
                text: Vec::new(),
            });
        }
        let part = &mut parts[place];
        part.numbers.push(number);
        part.text.extend_from_slice(line.as_bytes());
        part.text.push(b'\n');
    }
    parts
}

/// The namespace that a line names, and the line without.
fn split(line: &[u8]) -> Result<(Namespace, String), String> {
    let line = str::from_utf8(line).map_err(|error| error.to_string())?;
    let line = triarch_memory::Value::parse_json(line).map_err(|error| error.to_string())?;
    let Some(Value::Object(mut line)) = line.as_json() else {
        return Err("it is no object".to_owned());
    };
    match line.remove("namespace") {
        Some(Value::String(name)) => {
            let namespace = Namespace::new(&name).map_err(|error| error.to_string())?;
            Ok((namespace, Value::Object(line).to_string()))
        }
        _ => Err(r#"it names no namespace; write it as in {"namespace":"shared","key":"a","json":1}"#.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, text: &str) -> (u64, Vec<u8>) {
        (number, text.as_bytes().to_vec())
    }

    #[test]
    fn lines_of_one_namespace_are_taken_up_together_by_their_numbers() {
        let lines = vec![
            line(1, r#"{"namespace":"a","key":"1"}"#),
            line(2, "nothing"),
            line(3, r#"{"key":"2","namespace":"a"}"#),
            line(4, r#"{"namespace":"b","key":"1"}"#),
        ];
        let parts = parts(lines, &mut Refused::default());
        let told: Vec<_> = parts
            .iter()
            .map(|part| (part.namespace.as_str(), &*part.numbers))
            .collect();
        assert_eq!(told, [("a", &[1, 3][..]), ("b", &[4][..])]);
        assert_eq!(parts[0].text, b"{\"key\":\"1\"}\n{\"key\":\"2\"}\n");
        assert_eq!([parts[0].number(8, 7), parts[0].number(9, 7)], [1, 3]);
    }

    #[test]
    fn namespaces_by_turns_are_as_many_parts_as_there_are_namespaces() {
        let name = |number| if number % 2 == 0 { "a" } else { "b" };
        let text = |number| format!(r#"{{"namespace":"{}","key":"{number}"}}"#, name(number));
        let lines = (1..=6).map(|number| line(number, &text(number))).collect();
        let parts = parts(lines, &mut Refused::default());
        let told: Vec<_> = parts
            .iter()
            .map(|part| (part.namespace.as_str(), &*part.numbers))
            .collect();
        assert_eq!(told, [("b", &[1, 3, 5][..]), ("a", &[2, 4, 6][..])]);
        assert_eq!(parts[1].text, b"{\"key\":\"2\"}\n{\"key\":\"4\"}\n{\"key\":\"6\"}\n");
    }

    #[test]
    fn a_line_that_is_no_entry_is_told_by_its_number() {
        let lines: [(&[u8], _); 5] = [
            (b"nothing", "expected"),
            (br#"{"key":"1"}"#, "it names no namespace"),
            (br#"{"namespace":"No"}"#, "cannot name a namespace"),
            (b"[1]", "it is no object"),
            (b"\xff", "utf-8"),
        ];
        for (text, why) in lines {
            let mut refused = Refused::default();
            assert!(parts(vec![(7, text.to_vec())], &mut refused).is_empty());
            let told = refused.first[0].to_string();
            assert!(told.starts_with("line 7 is left out: ") && told.contains(why), "{told}");
        }
    }

    fn reading(text: &[u8]) -> (Reading, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        (Reading::of(file.path()).unwrap(), file)
    }

    #[test]
    fn empty_lines_count_and_are_no_end_however_many() {
        let text = [b"a\n\n".to_vec(), vec![b'\n'; BYTES_AT_ONCE + 1], b"b".to_vec()].concat();
        let (mut reading, file) = reading(&text);
        let lines = reading.lines(file.path()).unwrap();
        assert_eq!(lines, [(1, b"a\n".to_vec()), (BYTES_AT_ONCE as u64 + 4, b"b".to_vec())]);
        assert!(reading.lines(file.path()).unwrap().is_empty());
    }

    #[test]
    fn what_stands_before_a_line_that_is_too_long_is_read() {
        let text = [b"a\n".to_vec(), vec![b'x'; LINE_MAX + 1]].concat();
        let (mut reading, file) = reading(&text);
        assert_eq!(reading.lines(file.path()).unwrap().len(), 1);
        let told = reading.lines(file.path()).unwrap_err().told();
        assert!(told.contains("line 2 is longer than"), "{told}");
    }
}
