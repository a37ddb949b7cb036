//! The bus as people read it.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use triarch_teams::Span;

use super::super::screen::{Screen, Tint, harmless, tame};
use super::super::show::{Show, bytes, counted, facts};
use super::super::table::{Cell, Columns, table};
use crate::operations::{
    AnswerSeen, CancelledSeen, DeadSeen, DroppedSeen, ForgottenSeen, PlannedSeen, PublishedSeen, ReplayedSeen, SentTo,
    TopicSeen, TopicShown,
};

impl Show for PublishedSeen {
    fn show(&self, _screen: &Screen) -> String {
        let topic = &self.topic;
        if let Some(schedule) = self.schedule {
            return format!("{topic}: to be published later, number {schedule}\n");
        }
        let all = self.matched.unwrap_or_default() + self.readers.unwrap_or_default();
        let for_all = counted(all as u64, "subscription");
        match (self.offset, self.readers) {
            (Some(offset), Some(0)) => format!("{topic}: on disk at {offset}, for {for_all}\n"),
            (Some(offset), Some(readers)) => {
                format!("{topic}: on disk at {offset}, for {for_all}, {readers} of them by the log\n")
            }
            (Some(offset), None) => format!("{topic}: on disk at {offset}, for {for_all} and whoever reads the log\n"),
            (None, _) => format!("{topic}: for {for_all}\n"),
        }
    }
}

impl Show for Vec<SentTo> {
    fn show(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return "there is nobody in it\n".to_owned();
        }
        let sent = |one: &SentTo| format!("{}: sent\n", screen.tint(Tint::Plain, &harmless(&one.to)));
        self.iter().map(sent).collect()
    }
}

impl Show for AnswerSeen {
    fn show(&self, screen: &Screen) -> String {
        let text = match (&self.body, &self.bytes) {
            (_, Some(bytes)) => format!("bytes {bytes}"),
            (Value::String(text), None) => text.clone(),
            (other, None) => other.to_string(),
        };
        tame(screen, text) + "\n"
    }
}

impl Show for DroppedSeen {
    fn show(&self, _screen: &Screen) -> String {
        format!("{} forgotten\n", counted(self.dropped as u64, "dead letter"))
    }
}

impl Show for Vec<PlannedSeen> {
    fn show(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return "there are none\n".to_owned();
        }
        table(screen, PLANNED, self.iter().map(planned))
    }
}

const PLANNED: Columns<6> = Columns {
    heads: ["number", "next", "topic", "from", "again", "on disk"],
    spare: &["from", "on disk"],
};

/// A time as one reads it in a list.
fn to_the_second(time: &str) -> String {
    time.split_once('.')
        .map_or(time.to_owned(), |(whole, _)| format!("{whole}Z"))
}

fn planned(one: &PlannedSeen) -> [Cell<'_>; 6] {
    [
        Cell::number(Some(one.schedule)),
        to_the_second(&one.next).into(),
        Cell::path(&one.topic),
        Cell::path(&one.from),
        one.again.as_deref().unwrap_or("once").into(),
        if one.is_durable { "yes" } else { "no" }.into(),
    ]
}

impl Show for CancelledSeen {
    fn show(&self, _screen: &Screen) -> String {
        format!("number {} is called off\n", self.schedule)
    }
}

impl Show for ForgottenSeen {
    fn show(&self, _screen: &Screen) -> String {
        let name = &self.name;
        let Some(subscriber) = &self.subscriber else {
            let kept = counted(self.lag, "envelope");
            return format!("the log {name} is forgotten, with {kept}\n");
        };
        match self.lag {
            0 => format!("{name:?} of {subscriber} is forgotten; it had come to the end\n"),
            lag => format!("{name:?} of {subscriber} is forgotten; it was {lag} before the end\n"),
        }
    }
}

impl Show for ReplayedSeen {
    fn show(&self, _screen: &Screen) -> String {
        let sent = counted(self.sent as u64, "dead letter");
        match self.kept {
            0 => format!("{sent} sent again\n"),
            kept => format!("{sent} sent again; {kept} kept, since nobody takes them now or there is no room\n"),
        }
    }
}

impl Show for Vec<TopicSeen> {
    fn show(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return "there are none\n".to_owned();
        }
        table(screen, TOPICS, self.iter().map(topic))
    }
}

const TOPICS: Columns<4> = Columns {
    heads: ["topic", "published", "subscriptions", "log"],
    spare: &["log"],
};

fn topic(topic: &TopicSeen) -> [Cell<'_>; 4] {
    [
        Cell::path(&topic.topic),
        Cell::number(Some(topic.published)),
        Cell::number(Some(topic.subscriptions)),
        topic.log.as_deref().unwrap_or_default().into(),
    ]
}

impl Show for TopicShown {
    fn show(&self, screen: &Screen) -> String {
        let log = self.log.as_ref().map_or_else(String::new, |log| {
            let left = if log.is_named {
                ""
            } else {
                ", in no `bus.durable` any more"
            };
            format!(
                "{}: from {}, next {}, {} bytes{left}",
                log.topics, log.first, log.next, log.bytes
            )
        });
        let mut text = facts(
            screen,
            &[
                ("topic", self.topic.clone()),
                ("published", self.published.to_string()),
                ("log", log),
            ],
        );
        for one in &self.subscriptions {
            let mut more: Vec<String> = Vec::new();
            more.extend(one.group.as_ref().map(|group| format!("of group {}", harmless(group))));
            more.extend(one.filter.as_ref().map(|filter| format!("only {}", harmless(filter))));
            more.extend(one.behind.map(|behind| format!("{behind} still to come")));
            let more = more.iter().fold(String::new(), |text, one| text + ", " + one);
            let with_bytes = match one.bytes {
                0 => String::new(),
                count => format!(" with {} of {}", bytes(count as u64), bytes(one.bound_bytes as u64)),
            };
            let _infallible = writeln!(
                text,
                "{} hears {}{more}: {} delivered, {} wait of {}{with_bytes}, {} dropped, {} dead",
                screen.tint(Tint::Plain, &harmless(&one.subscriber)),
                one.pattern.as_deref().unwrap_or_default(),
                one.delivered,
                one.waiting,
                one.bound,
                one.dropped,
                one.dead,
            );
            if one.breaker != "closed" {
                let line = "  it failed again and again, and is left alone for a while";
                let _infallible = writeln!(text, "{}", screen.tint(Tint::Bad, line));
            }
        }
        for cursor in &self.cursors {
            let (subscriber, name) = (harmless(&cursor.subscriber), &cursor.name);
            let mut line = format!(
                "{subscriber} has come to {} as {name:?}, {} before the end",
                cursor.floor, cursor.lag
            );
            if !cursor.is_attended {
                line += "; nobody listens under that name now";
            }
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Faint, &line));
        }
        text
    }
}

impl Show for Vec<DeadSeen> {
    fn show(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return "there are none\n".to_owned();
        }
        table(screen, LETTERS, self.iter().map(letter))
    }
}

const LETTERS: Columns<6> = Columns {
    heads: ["letter", "topic", "for", "cause", "failures", "why"],
    spare: &["failures", "why"],
};

fn letter(letter: &DeadSeen) -> [Cell<'_>; 6] {
    [
        Cell::number(Some(letter.letter)),
        Cell::path(&letter.topic),
        Cell::path(&letter.subscriber),
        Cell::tinted(&*letter.cause, Tint::Bad),
        Cell::number(Some(letter.failures)),
        letter.why.as_deref().map(harmless).unwrap_or_default().into(),
    ]
}

/// An event: when, on which topic, who says it, and what.
pub(in crate::cli) fn event_line(screen: &Screen, event: &Value) -> String {
    let word = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or("");
    let body = match (event.get("body"), event.get("bytes")) {
        (_, Some(bytes)) => format!("bytes {}", bytes.as_str().unwrap_or_default()),
        (None | Some(Value::Null), None) => String::new(),
        (Some(Value::String(text)), None) => text.clone(),
        (Some(other), None) => other.to_string(),
    };
    // What somebody else wrote is one line here, and nothing that a terminal would obey.
    let body = harmless(&body);
    format!(
        "{} {} {} {body}{}",
        screen.tint(Tint::Faint, &harmless(word("at"))),
        screen.tint(Tint::Busy, &harmless(word("topic"))),
        screen.tint(Tint::Faint, &harmless(word("from"))),
        screen.tint(Tint::Faint, &harmless(&beside(event))),
    )
}

/// What is out of the ordinary about an event.
fn beside(event: &Value) -> String {
    let word = |key: &str| event.get(key).and_then(Value::as_str);
    let ttl = event.get("ttl_ms").and_then(Value::as_u64);
    let told = [
        word("priority")
            .filter(|priority| *priority != "normal")
            .map(str::to_owned),
        ttl.map(|ttl| format!("for {}", Span(Duration::from_millis(ttl)))),
        word("correlation").map(|id| format!("of {id}")),
        word("causation").map(|id| format!("because of {id}")),
        event.get("is_request").map(|_| "a request".to_owned()),
    ];
    let told: Vec<_> = told.into_iter().flatten().collect();
    if told.is_empty() {
        String::new()
    } else {
        format!(" ({})", told.join(", "))
    }
}
