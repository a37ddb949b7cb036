//! What operations answer, as people read it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde_json::Value;

use super::health;
use super::programs::{ends, processes};
use super::screen::{Screen, Tint, harmless, tame};
use super::table::{Cell, Columns, table};
use super::tasks;
use crate::operations::{
    AgentSeen, AtSeen, ChangeSeen, MailboxSeen, NodeSeen, Nodes, Past, Proof, Reloaded, Sent, StatusShown, Stopping,
    TeamSeen, WhyShown, standing,
};

pub(crate) use crate::operations::span;

/// How long ago something was, as people read it wherever a time is shown.
pub(crate) fn ago(millis: u64) -> String {
    format!("{} ago", span(millis))
}

/// What people are shown of an answer.
pub(super) trait Show {
    fn show(&self, screen: &Screen) -> String;
}

impl Show for Nodes {
    fn show(&self, screen: &Screen) -> String {
        (**self).show(screen)
    }
}

impl Show for Vec<NodeSeen> {
    fn show(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return "there are none\n".to_owned();
        }
        table(screen, NODES, self.iter().map(row))
    }
}

const NODES: Columns<7> = Columns {
    heads: ["path", "kind", "state", "life", "restarts", "mailbox", "oldest"],
    spare: &["kind", "oldest", "life", "mailbox"],
};

fn row(node: &NodeSeen) -> [Cell<'_>; 7] {
    let mailbox = node.mailbox.as_ref();
    [
        Cell::path(&node.path),
        (&*node.kind).into(),
        Cell::tinted(node.standing(), Tint::of_state(node.tinted_as())),
        Cell::number(Some(node.incarnation)),
        Cell::number(Some(node.restarts)),
        Cell::number(mailbox.map(share)),
        Cell::number(mailbox.and_then(|mailbox| mailbox.oldest_age_ms).map(span)),
    ]
}

fn share(mailbox: &MailboxSeen) -> impl fmt::Display {
    let MailboxSeen { depth, capacity, .. } = *mailbox;
    fmt::from_fn(move |f| write!(f, "{depth}/{capacity}"))
}

/// So many of them.
pub(crate) fn counted(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

fn by_state(states: &BTreeMap<String, usize>) -> String {
    let words: Vec<_> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

/// Lines of a name and what stands behind it.
pub(super) fn facts(screen: &Screen, facts: &[(&str, String)]) -> String {
    let widest = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| {
        let name = screen.tint(Tint::Faint, &format!("{name:widest$}"));
        format!("{name}  {value}\n")
    };
    facts.iter().filter(|(_, value)| !value.is_empty()).map(line).collect()
}

impl Show for StatusShown {
    fn show(&self, screen: &Screen) -> String {
        let mut text = facts(
            screen,
            &[
                (
                    "runtime",
                    format!(
                        "triarch {}, pid {}, up for {}",
                        self.version,
                        self.pid,
                        span(self.up_for_ms)
                    ),
                ),
                ("listens", self.listen.clone()),
                ("state", self.state_dir.clone()),
                ("described in", self.described_in.clone()),
                ("teams", self.teams.to_string()),
                ("agents", by_state(&self.agents)),
                ("restarts", self.restarts.to_string()),
                ("posts handled", self.posts_handled.to_string()),
                (
                    "dead letters",
                    format!(
                        "{} of mailboxes since the start (`triarch agent dead`), {} of the bus kept (`triarch bus dead`)",
                        self.dead_letters, self.bus_dead_letters
                    ),
                ),
                ("by hand", self.by_hand.join(", ")),
            ],
        );
        for trouble in &self.troubles {
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Bad, trouble));
        }
        text
    }
}

impl Show for Stopping {
    fn show(&self, _screen: &Screen) -> String {
        format!("the runtime, pid {}, has stopped\n", self.pid)
    }
}

impl Show for Reloaded {
    fn show(&self, screen: &Screen) -> String {
        if self.changed.is_empty() && self.needs_restart.is_empty() && self.failed.is_empty() {
            return "nothing has changed\n".to_owned();
        }
        let changed = self.changed.iter().map(|change| format!("{change}\n"));
        let later = self.needs_restart.iter();
        let later = later.map(|setting| screen.tint(Tint::Poor, &format!("{setting} needs a restart")) + "\n");
        let failed = self.failed.iter();
        let failed = failed.map(|failed| screen.tint(Tint::Bad, &failed.to_string()) + "\n");
        changed.chain(later).chain(failed).collect()
    }
}

impl Show for Vec<TeamSeen> {
    fn show(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return "there are none\n".to_owned();
        }
        let rows = self.iter().map(|team| {
            [
                team.name.as_str().into(),
                team.strategy.as_str().into(),
                Cell::number(Some(team.parts)),
                by_state(&team.states).into(),
                Cell::number(Some(team.restarts)),
                Cell::tinted(team.troubles.join(", "), Tint::Bad),
            ]
        });
        table(screen, TEAMS, rows)
    }
}

const TEAMS: Columns<6> = Columns {
    heads: ["team", "strategy", "parts", "agents", "restarts", "look at"],
    spare: &["strategy", "parts", "restarts"],
};

impl Show for TeamSeen {
    fn show(&self, screen: &Screen) -> String {
        let head = facts(
            screen,
            &[
                ("team", self.name.clone()),
                ("strategy", self.strategy.clone()),
                ("agents", by_state(&self.states)),
                ("restarts", self.restarts.to_string()),
                ("look at", self.troubles.join(", ")),
            ],
        );
        head + &self.agents.show(screen)
    }
}

fn mailbox(mailbox: Option<&MailboxSeen>) -> String {
    let Some(mailbox) = mailbox else { return String::new() };
    let MailboxSeen {
        depth,
        capacity,
        high_water,
        ..
    } = mailbox;
    let oldest = mailbox
        .oldest_age_ms
        .map_or_else(String::new, |age| format!(", the oldest for {}", span(age)));
    format!("{depth} of {capacity} wait{oldest}; {high_water} at most so far")
}

fn handled(mailbox: Option<&MailboxSeen>) -> String {
    let Some(mailbox) = mailbox else { return String::new() };
    let MailboxSeen {
        handled,
        failed,
        dropped,
        ..
    } = mailbox;
    format!("{handled} handled, {failed} failed, {dropped} dropped")
}

fn value(value: Option<&Value>) -> String {
    value.map_or_else(String::new, |value| harmless(&value.to_string()).into_owned())
}

impl Show for AgentSeen {
    fn show(&self, screen: &Screen) -> String {
        let node = &self.node;
        let [health, last_sign, answers, last_answer, recovered] = health::facts(screen, self.health.as_ref());
        facts(
            screen,
            &[
                ("agent", node.path.clone()),
                (
                    "kind",
                    self.described_as.clone().unwrap_or_else(|| node.kind.to_string()),
                ),
                ("role", self.role.clone()),
                ("can do", self.capabilities.join(", ")),
                ("state", screen.tint(Tint::of_state(node.tinted_as()), &node.standing())),
                (
                    "life",
                    format!("{}, after {}", node.incarnation, counted(node.restarts, "restart")),
                ),
                health,
                last_sign,
                answers,
                last_answer,
                recovered,
                ("pid", node.pid.map_or_else(String::new, |pid| pid.to_string())),
                ("last end", last_end(self.last_exit.as_ref())),
                ("mailbox", mailbox(node.mailbox.as_ref())),
                ("posts", handled(node.mailbox.as_ref())),
                ("shows", value(self.shown.as_ref())),
            ],
        ) + &past(screen, &self.past, self.last_exit.as_deref(), 3)
    }
}

impl Show for WhyShown {
    fn show(&self, screen: &Screen) -> String {
        let since = self
            .for_ms
            .map_or_else(String::new, |time| format!(" for {}", span(time)));
        let stuck = self
            .stuck
            .as_ref()
            .map_or_else(String::new, |stuck| format!(", {stuck}"));
        let [health, last_sign, answers, last_answer, recovered] = health::facts(screen, self.health.as_ref());
        let mut text = facts(
            screen,
            &[
                ("agent", self.path.clone()),
                ("state", self.standing(screen) + &since + &stuck),
                ("at", self.at.as_ref().map_or_else(String::new, at)),
                (
                    "life",
                    format!("{}, after {}", self.incarnation, counted(self.restarts, "restart")),
                ),
                health,
                last_sign,
                answers,
                last_answer,
                recovered,
                ("last end", last_end(self.last_exit.as_ref())),
                ("mailbox", mailbox(self.mailbox.as_ref())),
                ("posts", handled(self.mailbox.as_ref())),
                ("tasks", tasks::held(&self.tasks)),
                ("new tasks", self.taking.map_or("", tasks::taking).to_owned()),
                ("shows", value(self.shown.as_ref())),
                ("next", self.next.clone().unwrap_or_default()),
                ("policy", self.policy.join("; ")),
            ],
        );
        text.push_str(&processes(screen, &self.processes));
        text.push_str(&past(screen, &self.past, self.last_exit.as_deref(), 10));
        text
    }
}

impl WhyShown {
    fn standing(&self, screen: &Screen) -> String {
        let begun = self.tasks.iter().filter(|held| held.standing == "begun").count();
        let words = standing(&self.state, begun, self.posts);
        let tinted_as = if words == self.state { &self.state } else { "busy" };
        screen.tint(Tint::of_state(tinted_as), &words)
    }
}

/// What it is at; the kind is in the words of whoever sent the post.
fn at(at: &AtSeen) -> String {
    let AtSeen { kind, for_ms } = at;
    format!("a post {:?} for {}", harmless(kind), span(*for_ms))
}

/// In the words of whoever failed.
fn last_end(reason: Option<&String>) -> String {
    reason.map_or_else(String::new, |reason| harmless(reason).into_owned())
}

/// How the last lives of its program ended, and its last changes of state. A long reason stands there once: after `told`, which was
/// shown before, and the others it is shortened.
fn past(screen: &Screen, past: &Past, told: Option<&str>, changes: usize) -> String {
    let mut text = ends(screen, &past.ends);
    if let Some(why) = &past.unreadable {
        text.push_str(&(screen.tint(Tint::Poor, why) + "\n"));
    }
    if !past.history.is_empty() {
        text.push_str(&(screen.tint(Tint::Faint, "latest changes") + "\n"));
    }
    let mut told: Vec<_> = told.into_iter().collect();
    for one in past.history.iter().take(changes) {
        let is_told = one.reason.as_deref().is_some_and(|reason| told.contains(&reason));
        text.push_str(&change(one, is_told));
        told.extend(one.reason.as_deref());
    }
    text
}

/// So much is shown of a reason that was told before.
const TOLD_BEFORE: usize = 60;

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(TOLD_BEFORE) {
        Some((end, _)) => format!("{}… (as above)", &reason[..end]),
        None => reason.to_owned(),
    }
}

fn change(change: &ChangeSeen, is_told: bool) -> String {
    let ChangeSeen {
        ago_ms,
        to,
        incarnation,
        is_of_earlier_runtime,
        reason,
        ..
    } = change;
    let of = of_runtime(*is_of_earlier_runtime);
    let reason = reason
        .as_ref()
        .map(|reason| if is_told { shortened(reason) } else { reason.clone() })
        .map_or_else(String::new, |reason| format!(": it {}", harmless(&reason)));
    format!("  {:>12} ago  life {incarnation}{of} {to}{reason}\n", span(*ago_ms))
}

/// To be said of a life, since each runtime counts them from 1.
pub(super) fn of_runtime(is_earlier: bool) -> &'static str {
    if is_earlier { " of an earlier runtime" } else { "" }
}

impl Show for Sent {
    fn show(&self, screen: &Screen) -> String {
        match (&self.proof, &self.result) {
            (Proof::Done, Some(Value::String(text))) => tame(screen, format!("{text}\n")),
            (Proof::Done, Some(result)) => tame(screen, format!("{result}\n")),
            (proof, _) => format!("{} to {}: {}\n", self.id, self.to, proof.label()),
        }
    }
}

impl Show for Vec<Sent> {
    fn show(&self, screen: &Screen) -> String {
        self.iter().map(|sent| sent.show(screen)).collect()
    }
}

/// So many bytes, for people.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = u128::from(count) * 10;
    let mut unit = "B";
    for larger in UNITS {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    match unit {
        "B" => format!("{count} B"),
        unit => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_long_reason_is_told_once_and_shortened_after_that() {
        let long = format!(
            "failed: the program cannot begin: {}",
            "its folder is closed to it; ".repeat(9)
        );
        let mut why = samples::why();
        why.last_exit = Some(long.clone());
        let change = why.past.history[0].clone();
        why.past.history = vec![
            ChangeSeen {
                reason: Some(long.clone()),
                ..change
            };
            5
        ];
        let shown = why.show(&Screen::plain(None));
        assert_eq!(shown.matches(&*long).count(), 1, "{shown}");
        assert_eq!(shown.matches("… (as above)").count(), 5, "{shown}");
    }

    #[test]
    fn memory_is_told_in_its_largest_unit() {
        let table = [
            (7, "7 B"),
            (1_023, "1023 B"),
            (1_466_368, "1.3 MiB"),
            (3 << 30, "3.0 GiB"),
        ];
        for (count, text) in table {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn what_programs_say_of_themselves_moves_no_cursor() {
        const WILD: &str = "\u{1b}]0;x\u{7}\u{9b}2J\rfine";
        let mut why = samples::why();
        why.last_exit = Some(WILD.to_owned());
        why.shown = Some(WILD.into());
        why.processes[0]["command"] = WILD.into();
        why.past.ends[0]["lines"] = serde_json::json!([WILD]);
        why.past.ends[0]["why"] = WILD.into();
        why.past.history[1].reason = Some(WILD.to_owned());
        why.health.as_mut().unwrap().reason = Some(WILD.to_owned());
        let mut agent = samples::agent();
        agent.last_exit = Some(WILD.to_owned());
        agent.past = why.past.clone();
        for shown in [why.show(&Screen::terminal()), agent.show(&Screen::terminal())] {
            let is_wild = |c: char| c.is_control() && c != '\n';
            assert!(!shown.contains(is_wild) && shown.contains("]0;x  2J fine"), "{shown:?}");
        }
    }

    #[test]
    fn what_an_agent_answers_is_tamed_for_a_terminal_and_goes_elsewhere_as_it_is() {
        for (result, told) in [
            (Value::from("one\u{1b}[2J\ntwo\r"), "one [2J\ntwo \n"),
            (serde_json::json!(["\u{9b}2J"]), "[\" 2J\"]\n"),
        ] {
            let sent = Sent {
                proof: Proof::Done,
                result: Some(result.clone()),
                ..samples::sent()
            };
            assert_eq!(sent.show(&Screen::terminal()), told);
            let raw = result.as_str().map_or(result.to_string(), ToOwned::to_owned);
            assert_eq!(sent.show(&Screen::plain(None)), raw + "\n");
        }
    }

    #[test]
    fn times_are_told_in_their_two_largest_units() {
        let table = [
            (7, "7 ms"),
            (1_250, "1.2 s"),
            (61_000, "1 min 1 s"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (millis, text) in table {
            assert_eq!(span(millis), text);
        }
    }
}
