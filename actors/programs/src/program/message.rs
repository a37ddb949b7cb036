//! What a program is told and what it says, one JSON object in a line each.
//!
//! ```text
//!   to it    {"id":…,"from":…,"kind":…,"body":…,"deadline_ms":…}
//!            {"id":…,"from":…,"kind":"task","body":…,"task":{"id":7,"kind":"build","attempt":1,"inputs":[…]},…}
//!            {"id":…,"from":…,"kind":"cancel","body":{"id":…}}     the post of that id is wanted no more
//!   from it  {"type":"accepted","id":…}                  it will do what the post asks for
//!            {"type":"progress","id":…,"percent":40}     it is so far
//!            {"type":"reply","id":…,"body":…}            it is done, and this came of it
//!            {"type":"done","id":…,"body":…}             the same; with "ok":false it failed
//!            {"type":"failed","id":…,"error":…}          it failed
//!            {"type":"send","to":…,"kind":…,"body":…}    a post to another agent, by its path
//!            {"type":"publish","id":…,…}                 so with request, subscribe, unsubscribe, memory, submit: a wish that
//!                                                        another room fulfils, answered where it has an id
//!            {"type":"heartbeat"}                         it lives, and says so
//!            {"type":"status","state":…}
//!            {"type":"log","level":…,"text":…}
//! ```
//!
//! Any other line is a line of its log.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_json::{Map, Value};
use triarch_supervision::clock::Moment;
use triarch_teams::{Post, PostId};

use crate::services::{SERVICES, Wish};

/// How deep objects and lists may lie in each other.
pub(super) const DEPTH_MAX: usize = 64;

/// What a program said.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// It will do what the post asks for.
    Accepted(PostId),
    /// What came of a post.
    Reply(PostId, Value),
    /// A post is so far, in hundredths.
    Progress(PostId, u8),
    /// A post is done with that result, or failed for a reason.
    Done(PostId, Result<Value, String>),
    /// A post to somebody else.
    Send {
        /// The path of who gets it.
        to: String,
        /// What it asks for.
        kind: String,
        /// What it says.
        body: Value,
    },
    /// Something that another room is to do for it.
    Wish(Wish),
    /// It lives.
    Heartbeat,
    /// How it is.
    Status(String),
    /// A line of its log.
    Log {
        /// How loud.
        level: Option<String>,
        /// What it says.
        text: String,
    },
}

/// What a line is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// One of the things a program says.
    Said(Said),
    /// A line of its log.
    Plain,
    /// A line of its log that should have been something else.
    Faulty(Fault),
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// It is longer than the bound.
    TooLong,
    /// It holds objects in objects beyond [`DEPTH_MAX`].
    TooDeep,
    /// It is not UTF-8.
    NotUtf8,
    /// It names one of the things a program says and lacks what belongs to it.
    Malformed,
    /// It answers a post that is not with the program.
    UnknownId,
    /// It answers a post for the second time.
    Late,
}

impl Fault {
    /// The closed word for it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::TooDeep => "too_deep",
            Self::NotUtf8 => "not_utf8",
            Self::Malformed => "malformed",
            Self::UnknownId => "unknown_id",
            Self::Late => "late",
        }
    }
}

/// A string that is read without a copy where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Who something is for. A post is for one; what else stands there is a wish, and for whoever fulfils it to read.
#[derive(Deserialize)]
#[serde(untagged)]
enum Addressee<'a> {
    #[serde(borrow)]
    One(Text<'a>),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, rename = "type")]
    what: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(default)]
    body: Value,
    ok: Option<bool>,
    percent: Option<f64>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Addressee<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    state: Option<Text<'a>>,
    #[serde(borrow)]
    level: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

/// What a line of a program's output is.
pub(super) fn read(line: &[u8]) -> Heard {
    if !line.trim_ascii_start().starts_with(b"{") {
        return plain(line);
    }
    if is_too_deep(line) {
        return Heard::Faulty(Fault::TooDeep);
    }
    match serde_json::from_slice::<Wire<'_>>(line) {
        Ok(wire) => match service(&wire) {
            Some(service) => wish(service, line),
            None => understood(wire),
        },
        Err(_) if std::str::from_utf8(line).is_err() => Heard::Faulty(Fault::NotUtf8),
        Err(error) if error.classify() == Category::Data && names_its_type(line) => Heard::Faulty(Fault::Malformed),
        Err(_) => Heard::Plain,
    }
}

/// Which post a line answers of which there is only the beginning, and whether it says that it is done; nothing where that stands
/// further behind.
pub(super) fn answered_by(beginning: &[u8]) -> Option<(PostId, bool)> {
    let ends = memchr::memrchr_iter(b',', beginning);
    let mut said = ends.map(|end| read(&[&beginning[..end], b"}"].concat()));
    said.find_map(|heard| match heard {
        Heard::Said(Said::Reply(id, _)) => Some((id, true)),
        Heard::Said(Said::Done(id, outcome)) => Some((id, outcome.is_ok())),
        _ => None,
    })
}

fn plain(line: &[u8]) -> Heard {
    match std::str::from_utf8(line) {
        Ok(_) => Heard::Plain,
        Err(_) => Heard::Faulty(Fault::NotUtf8),
    }
}

/// Programs log in JSON too; what has keys of ours with other types in them is theirs unless it says that it is ours.
fn names_its_type(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct OnlyType<'a> {
        #[serde(borrow, rename = "type")]
        what: Text<'a>,
    }
    serde_json::from_slice::<OnlyType<'_>>(line).is_ok_and(|wire| is_type(&wire.what.0))
}

/// What a program may say.
const TYPES: [&str; 9] = [
    "accepted",
    "progress",
    "reply",
    "done",
    "failed",
    "send",
    "heartbeat",
    "status",
    "log",
];

fn is_type(word: &str) -> bool {
    TYPES.iter().chain(&SERVICES).any(|known| *known == word)
}

fn service(wire: &Wire<'_>) -> Option<&'static str> {
    let word = &*wire.what.as_ref()?.0;
    SERVICES.into_iter().find(|service| *service == word)
}

/// What is wished for stands in the line as it is, for whoever fulfils it.
fn wish(service: &'static str, line: &[u8]) -> Heard {
    let Ok(mut what) = serde_json::from_slice::<Map<String, Value>>(line) else {
        return Heard::Faulty(Fault::Malformed);
    };
    what.remove("type");
    let id = match what.remove("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id),
        Some(_) => return Heard::Faulty(Fault::Malformed),
    };
    Heard::Said(Said::Wish(Wish { service, id, what }))
}

/// So much of what a program wrote stands in what is said of it.
const QUOTED_MAX: usize = 80;

fn quoted(text: Option<&Text<'_>>) -> String {
    text.map_or_else(String::new, |Text(text)| {
        let end = text.floor_char_boundary(QUOTED_MAX);
        format!(" {:?}", &text[..end])
    })
}

/// What is wrong with a line, for whoever wrote the program.
pub(super) fn blame(fault: Fault, line: &[u8]) -> String {
    // Seldom and soon no more, so it is read once again.
    let wire = match fault {
        Fault::UnknownId | Fault::Late | Fault::Malformed => serde_json::from_slice::<Wire<'_>>(line).ok(),
        Fault::TooLong | Fault::TooDeep | Fault::NotUtf8 => None,
    };
    let (what, id) = wire
        .as_ref()
        .map_or((None, None), |wire| (wire.what.as_ref(), wire.id.as_ref()));
    match fault {
        Fault::UnknownId => format!("answers no post that it has: id{}", quoted(id)),
        Fault::Late => format!("answers a post for the second time: id{}", quoted(id)),
        Fault::Malformed => format!("says a line that lacks what belongs to its type{}", quoted(what)),
        Fault::TooDeep => format!("says a line with more than {DEPTH_MAX} objects and lists in each other"),
        Fault::NotUtf8 => "says a line that is not UTF-8".to_owned(),
        Fault::TooLong => "says a line that is too long".to_owned(),
    }
}

/// What there is to say of a line of the log whose type is none of those that mean something.
pub(super) fn strange_type(line: &[u8]) -> Option<String> {
    if !line.trim_ascii_start().starts_with(b"{") || is_too_deep(line) {
        return None;
    }
    let wire = serde_json::from_slice::<Wire<'_>>(line).ok()?;
    let what = wire.what.as_ref().filter(|what| !is_type(&what.0))?;
    let types = [&TYPES[..], &SERVICES].concat().join(", ");
    Some(format!(
        "says a line whose type{} is none of {types}, so it is one of its log",
        quoted(Some(what))
    ))
}

fn understood(wire: Wire<'_>) -> Heard {
    let own = |text: Option<Text<'_>>| text.map(|text| text.0.into_owned());
    let what = wire.what.as_ref().map(|what| what.0.clone());
    let Some(what) = what else { return Heard::Plain };
    let said = match &*what {
        "accepted" | "progress" | "reply" | "done" | "failed" => return answer(&what, wire),
        "heartbeat" => Some(Said::Heartbeat),
        "send" => match wire.to {
            Some(Addressee::One(to)) => Some(Said::Send {
                to: to.0.into_owned(),
                kind: own(wire.kind).unwrap_or_else(|| "send".to_owned()),
                body: wire.body,
            }),
            Some(Addressee::Other(_)) | None => None,
        },
        "status" => own(wire.state).map(Said::Status),
        "log" => own(wire.text).map(|text| Said::Log {
            level: own(wire.level),
            text,
        }),
        _ => return Heard::Plain,
    };
    said.map_or(Heard::Faulty(Fault::Malformed), Heard::Said)
}

fn answer(what: &str, wire: Wire<'_>) -> Heard {
    let Some(id) = wire.id else {
        return Heard::Faulty(Fault::Malformed);
    };
    let Ok(id) = id.0.parse() else {
        return Heard::Faulty(Fault::UnknownId);
    };
    Heard::Said(match (what, wire.percent) {
        ("accepted", _) => Said::Accepted(id),
        ("progress", Some(percent)) => Said::Progress(id, hundredths(percent)),
        ("progress", None) => return Heard::Faulty(Fault::Malformed),
        ("reply", _) => Said::Reply(id, wire.body),
        ("done", _) if wire.ok.unwrap_or(true) => Said::Done(id, Ok(wire.body)),
        _ => Said::Done(
            id,
            Err(wire.error.map_or_else(unexplained, |error| error.0.into_owned())),
        ),
    })
}

fn unexplained() -> String {
    "the program says that it failed".to_owned()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is held to 0 to 100 first, and what is no number becomes 0"
)]
fn hundredths(percent: f64) -> u8 {
    percent.clamp(0.0, 100.0) as u8
}

/// A value that is no deeper than it may be.
pub(super) fn value(text: &[u8]) -> Option<Value> {
    if is_too_deep(text) {
        return None;
    }
    serde_json::from_slice(text).ok()
}

/// Whether more than [`DEPTH_MAX`] objects and lists lie in each other.
fn is_too_deep(line: &[u8]) -> bool {
    if line.len() <= DEPTH_MAX {
        return false;
    }
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in line {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The line that tells a program what came of a wish.
///
/// What has more bytes than `most` is left out, and that told in its place.
pub(super) fn answer_line(service: &str, id: &str, outcome: &Result<Value, String>, most: usize) -> Vec<u8> {
    let told = match outcome {
        Ok(result) => serde_json::json!({ "type": service, "id": id, "ok": true, "result": result }),
        Err(error) => serde_json::json!({ "type": service, "id": id, "ok": false, "error": error }),
    };
    let mut line = told.to_string().into_bytes();
    line.push(b'\n');
    if outcome.is_err() || line.len() <= most {
        return line;
    }
    let bytes = line.len();
    let why = format!(
        "the answer is a line of {bytes} bytes, and the program takes {most}; ask for less, or raise `line_max`"
    );
    answer_line(service, id, &Err(why), most)
}

/// Appends the line that tells a program of `post`.
pub(super) fn write(post: &Post, now: Moment, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":\"");
    // Writing JSON to memory cannot fail: its keys are strings, and there is always room.
    let _id = std::io::Write::write_fmt(out, format_args!("{}", post.id));
    out.extend_from_slice(b"\",\"from\":");
    append(out, &*post.from);
    out.extend_from_slice(b",\"kind\":");
    append(out, &*post.kind);
    out.extend_from_slice(b",\"body\":");
    append(out, &post.body);
    if let Some(brief) = &post.task {
        out.extend_from_slice(b",\"task\":");
        append(out, &**brief);
    }
    end_line(post.ends(now), now, out);
}

/// What the line of a post says of the time that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) deadline: Moment,
    takes_its_time: bool,
    within: Option<Duration>,
}

impl Term {
    /// Where that grows less while the line waits to be written.
    pub(super) fn of(post: &Post) -> Option<Self> {
        let (takes_its_time, within) = (post.takes_its_time, post.within);
        post.deadline.map(|deadline| Self {
            deadline,
            takes_its_time,
            within,
        })
    }

    /// What the line tells of it, as [`Post::ends`]; nothing where the post may take as long as it likes.
    fn ends(self, now: Moment) -> Option<Moment> {
        let own = self.within.map(|within| now + within);
        let deadline = (!self.takes_its_time).then_some(self.deadline);
        own.into_iter().chain(deadline).min()
    }
}

/// Has the line from `begin` on, which is the last of `lines`, say how much time is left now.
pub(super) fn write_anew(lines: &mut Vec<u8>, begin: usize, term: Term, now: Moment) {
    let Some(ends) = term.ends(now) else {
        return;
    };
    // The last of a line, whatever its body says.
    let line = lines.get(begin..).unwrap_or_default();
    let Some(end) = memchr::memmem::rfind(line, DEADLINE) else {
        return;
    };
    lines.truncate(begin + end);
    end_line(Some(ends), now, lines);
}

const DEADLINE: &[u8] = b",\"deadline_ms\":";

fn end_line(end: Option<Moment>, now: Moment, out: &mut Vec<u8>) {
    if let Some(end) = end {
        let left = end.since(now).as_millis();
        out.extend_from_slice(DEADLINE);
        let _left = std::io::Write::write_fmt(out, format_args!("{left}"));
    }
    out.extend_from_slice(b"}\n");
}

fn append(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    let _written = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::office;

    const ID: &str = "00000000000000070000000000000001";

    fn id() -> PostId {
        ID.parse().unwrap()
    }

    fn said(line: &str) -> Said {
        match read(line.as_bytes()) {
            Heard::Said(said) => said,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn of_a_line_that_is_too_long_its_beginning_tells_what_it_answers() {
        let of = |text: &str| answered_by(text.replace("ID", ID).as_bytes());
        for (beginning, is_done) in [
            (r#"{"type":"done","id":"ID","body":"xxx"#, true),
            (r#"{"type":"done","id":"ID","body":{"a":1,"b":[2,3"#, true),
            (r#"{"id":"ID", "type":"reply", "body":"a,b"#, true),
            (r#"{"type":"done","id":"ID","ok":false,"error":"xx"#, false),
            (r#"{"type":"failed","id":"ID","error":"xx"#, false),
        ] {
            assert_eq!(of(beginning), Some((id(), is_done)), "{beginning}");
        }
        for other in [
            r#"{"type":"done","body":"xxx"#,
            r#"{"type":"log","id":"ID","text":"xx"#,
            r#"{"type":"progress","id":"ID","percent":7,"note":"xx"#,
            r#"{"type":"done","id":"ID"#,
            "words, and more words",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn each_thing_a_program_says_is_understood() {
        let line = |text: &str| text.replace("ID", ID);
        assert_eq!(said(&line(r#"{"type":"accepted","id":"ID"}"#)), Said::Accepted(id()));
        assert_eq!(
            said(&line(r#" {"id":"ID", "body":{"a":[1]}, "type":"reply", "unknown":1}"#)),
            Said::Reply(id(), json!({"a": [1]}))
        );
        assert_eq!(
            said(&line(r#"{"type":"reply","id":"ID"}"#)),
            Said::Reply(id(), json!(null))
        );
        assert_eq!(
            said(&line(r#"{"type":"done","id":"ID"}"#)),
            Said::Done(id(), Ok(Value::Null))
        );
        assert_eq!(
            said(&line(r#"{"type":"done","id":"ID","body":[7]}"#)),
            Said::Done(id(), Ok(json!([7])))
        );
        assert_eq!(
            said(&line(r#"{"type":"failed","id":"ID","error":"no ink"}"#)),
            Said::Done(id(), Err("no ink".to_owned()))
        );
        for (percent, expected) in [("40", 40), ("99.9", 99), ("-1", 0), ("1e9", 100)] {
            let text = line(r#"{"type":"progress","id":"ID","percent":N}"#).replace('N', percent);
            assert_eq!(said(&text), Said::Progress(id(), expected));
        }
        assert_eq!(
            said(&line(r#"{"type":"done","id":"ID","ok":false,"error":"no\nink"}"#)),
            Said::Done(id(), Err("no\nink".to_owned()))
        );
        assert_eq!(
            said(r#"{"type":"send","to":"team/b","body":7}"#),
            Said::Send {
                to: "team/b".to_owned(),
                kind: "send".to_owned(),
                body: json!(7)
            }
        );
        assert_eq!(
            said(r#"{"type":"publish","id":"a","topic":"news","body":7}"#),
            Said::Wish(Wish {
                service: "publish",
                id: Some("a".to_owned()),
                what: Map::from_iter([("topic".to_owned(), json!("news")), ("body".to_owned(), json!(7))]),
            })
        );
        assert_eq!(said(r#"{"type":"heartbeat"}"#), Said::Heartbeat);
        assert_eq!(
            said(r#"{"type":"status","state":"thinking"}"#),
            Said::Status("thinking".to_owned())
        );
        assert_eq!(
            said(r#"{"type":"log","level":"warn","text":"low \u0041"}"#),
            Said::Log {
                level: Some("warn".to_owned()),
                text: "low A".to_owned()
            }
        );
    }

    #[test]
    fn a_wish_may_name_several_where_a_post_is_for_one() {
        assert_eq!(
            said(r#"{"type":"publish","to":["team/b","crew"]}"#),
            Said::Wish(Wish {
                service: "publish",
                id: None,
                what: Map::from_iter([("to".to_owned(), json!(["team/b", "crew"]))]),
            })
        );
    }

    #[test]
    fn what_is_no_such_object_is_a_line_of_the_log() {
        for line in [
            "",
            "hello",
            "{",
            "{}",
            "[1]",
            "null",
            r#"{"type":"dance"}"#,
            r#"{"type":7}"#,
            r#"{"level":3,"msg":"a log in JSON"}"#,
            r#"{"type":"done","id":"#,
        ] {
            assert_eq!(read(line.as_bytes()), Heard::Plain, "{line}");
        }
    }

    #[test]
    fn what_lacks_its_parts_is_faulty() {
        let deep = format!(
            r#"{{"type":"reply","id":"{ID}","body":{}{}}}"#,
            "[".repeat(64),
            "]".repeat(64)
        );
        let unmeasured = format!(r#"{{"type":"progress","id":"{ID}"}}"#);
        let cases: [(&[u8], Fault); 11] = [
            (br#"{"type":"failed"}"#, Fault::Malformed),
            (unmeasured.as_bytes(), Fault::Malformed),
            (br#"{"type":"done"}"#, Fault::Malformed),
            (br#"{"type":"send","body":1}"#, Fault::Malformed),
            (br#"{"type":"send","to":["team/b"],"body":1}"#, Fault::Malformed),
            (br#"{"type":"status","state":7}"#, Fault::Malformed),
            (br#"{"type":"done","id":7}"#, Fault::Malformed),
            (br#"{"type":"done","id":"7"}"#, Fault::UnknownId),
            (b"{\"type\":\"log\",\"text\":\"\xff\"}", Fault::NotUtf8),
            (b"\xff\xfe", Fault::NotUtf8),
            (deep.as_bytes(), Fault::TooDeep),
        ];
        for (line, fault) in cases {
            assert_eq!(read(line), Heard::Faulty(fault), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn depth_is_counted_outside_of_strings_only() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(nested(DEPTH_MAX).as_bytes()));
        assert!(is_too_deep(nested(DEPTH_MAX + 1).as_bytes()));
        let quoted = format!(r#"{{"a":"\"{}"}}"#, "[".repeat(100));
        assert!(!is_too_deep(quoted.as_bytes()));
    }

    #[test]
    fn a_post_is_one_line_whatever_it_says() {
        let office = office();
        let now = Moment::from_nanos(1);
        let post = office
            .post("me\n", "gr\"eet", json!({"text": "two\nlines\u{2028}"}))
            .before(now + Duration::from_millis(1_500));
        let mut line = Vec::new();
        write(&post, now, &mut line);
        assert_eq!(memchr::memchr_iter(b'\n', &line).count(), 1);
        let value: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(
            value,
            json!({
                "id": post.id.to_string(), "from": "me\n", "kind": "gr\"eet",
                "body": {"text": "two\nlines\u{2028}"}, "deadline_ms": 1500,
            })
        );
    }

    #[test]
    fn a_post_without_a_deadline_names_none() {
        let mut line = Vec::new();
        write(
            &office().post("me", "greet", json!(null)),
            Moment::from_nanos(1),
            &mut line,
        );
        assert!(!String::from_utf8(line).unwrap().contains("deadline"));
    }

    #[test]
    fn what_takes_its_time_is_not_cut_where_its_body_speaks_of_deadlines() {
        let now = Moment::from_nanos(5);
        let body = json!({"a": 1, "deadline_ms": 5});
        let mut post = office().post("me", "event", body).before(now + Duration::from_secs(1));
        post.takes_its_time = true;
        let mut line = Vec::new();
        write(&post, now, &mut line);
        let before = line.clone();
        write_anew(&mut line, 0, Term::of(&post).unwrap(), now + Duration::from_millis(400));
        assert_eq!(line, before);
    }

    proptest! {
        #[test]
        fn no_bytes_whatever_break_the_reader(line in prop::collection::vec(any::<u8>(), 0..400)) {
            let _heard = read(&line);
        }

        #[test]
        fn no_mutilation_of_a_good_line_breaks_the_reader(at in 0_usize..100, byte in any::<u8>(), cut in 0_usize..100) {
            let mut line = format!(r#"{{"type":"reply","id":"{ID}","body":{{"a":[1,2,"x"]}}}}"#).into_bytes();
            let end = line.len() - 1;
            line[at.min(end)] = byte;
            line.truncate(cut.max(1));
            let _heard = read(&line);
        }
    }
}
