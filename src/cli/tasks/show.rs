//! Tasks as people read them.

use std::fmt::Write as _;

use serde_json::Value;
use triarch_work::dispatcher::Taking;
use triarch_work::machine::LIST_MAX;

use super::super::screen::{Screen, Tint, harmless};
use super::super::show::{Show, bytes, counted, facts, span};
use super::super::table::{Cell, Columns, table};
use crate::operations::{StatsShown, Submitted, TASKS_LISTED as MOST, TaskHeld, TaskSeen, TasksChanged, Waited};

fn tint(state: &str) -> Tint {
    match state {
        "done" => Tint::Good,
        "claimed" | "running" => Tint::Busy,
        "expired" | "cancelled" => Tint::Poor,
        "failed" | "dead" => Tint::Bad,
        "ready" => Tint::Plain,
        _ => Tint::Faint,
    }
}

/// The numbers of tasks, in as few words as they can be told.
fn numbers(tasks: impl Iterator<Item = u64>) -> String {
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    for task in tasks {
        match stretches.last_mut() {
            Some((_, last)) if *last + 1 == task => *last = task,
            _ => stretches.push((task, task)),
        }
    }
    let told = stretches.iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}..{last}"),
    });
    told.collect::<Vec<_>>().join(" ")
}

/// The tasks that an agent has, the first of them.
pub(in crate::cli) fn held(tasks: &[TaskHeld]) -> String {
    const TOLD: usize = 8;
    let told = tasks.iter().take(TOLD);
    let mut told: Vec<_> = told.map(|held| format!("{} {}", held.task, held.standing)).collect();
    if tasks.len() > TOLD {
        told.push(format!("and {} more", tasks.len() - TOLD));
    }
    told.join(", ")
}

/// Whether an agent is given tasks, and if not, why.
pub(in crate::cli) const fn taking(taking: Taking) -> &'static str {
    match taking {
        Taking::Free => "it has room, and gets the next that it can do",
        Taking::Full => "none for now: it has as many as it may have",
        Taking::Away => "none for now: it is paused, or does not live",
        Taking::PutOff => "none for now: one was lost with it, and it is looked for first",
        Taking::StandsStill => "none: it left one lying in its mailbox for a minute, and has handled nothing since",
        Taking::Leaving => "none: it takes tasks no more",
    }
}

impl Show for Vec<Submitted> {
    fn show(&self, _screen: &Screen) -> String {
        let (known, new): (Vec<_>, Vec<_>) = self.iter().partition(|submitted| submitted.is_known);
        let line = |tasks: &[&Submitted], what: &str| match tasks.len() {
            0 => String::new(),
            count => {
                let told = numbers(tasks.iter().map(|submitted| submitted.task.number()));
                format!("{} {what}: {told}\n", counted(count as u64, "task"))
            }
        };
        line(&new, "submitted") + &line(&known, "known already by their keys")
    }
}

impl Show for Vec<TaskSeen> {
    fn show(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return "there are none\n".to_owned();
        }
        let mut text = table(screen, TASKS, self.iter().map(row));
        let bound = match self.len() {
            MOST => Some(format!("a list has {MOST} tasks where --most does not say otherwise")),
            LIST_MAX.. => Some(format!("a list ends at {LIST_MAX} tasks")),
            _ => None,
        };
        if let Some((last, bound)) = self.last().zip(bound) {
            let is_backwards = self.first().is_some_and(|first| first.task > last.task);
            let (word, more) = if is_backwards {
                ("before", "")
            } else {
                ("after", "; `triarch task list --newest` has the latest first")
            };
            let line = format!(
                "{bound}; ask for the same with --{word} {} for those behind{more}",
                last.task
            );
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Faint, &line));
        }
        text
    }
}

const TASKS: Columns<8> = Columns {
    heads: ["task", "kind", "state", "priority", "age", "tries", "agent", "more"],
    spare: &["priority", "tries", "age"],
};

fn row(task: &TaskSeen) -> [Cell<'_>; 8] {
    [
        Cell::number(Some(task.task)),
        (&*task.kind).into(),
        Cell::tinted(&*task.state, tint(&task.state)),
        (&*task.priority).into(),
        Cell::number(Some(span(task.age_ms))),
        Cell::number(Some(task.attempts)),
        task.worker.as_deref().unwrap_or("").into(),
        more(task).into(),
    ]
}

/// What there is to say of a task beside where it stands.
fn more(task: &TaskSeen) -> String {
    if let Some(why) = &task.why {
        return harmless(why).into_owned();
    }
    if let Some(percent) = task.percent.filter(|_| task.state == "running") {
        return format!("{percent} %");
    }
    if !task.waits_for.is_empty() {
        let waits_for = numbers(task.waits_for.iter().map(|task| task.number()));
        return format!("waits for {waits_for}");
    }
    task.begins_in_ms
        .map_or_else(String::new, |left| format!("begins in {}", span(left)))
}

impl Show for TaskSeen {
    fn show(&self, screen: &Screen) -> String {
        let time = |millis: Option<u64>| millis.map_or_else(String::new, span);
        let labels: Vec<_> = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut text = facts(
            screen,
            &[
                ("task", self.task.to_string()),
                ("kind", self.kind.clone()),
                ("state", screen.tint(tint(&self.state), &self.state)),
                ("priority", self.priority.clone()),
                ("submitted", format!("{} ago", span(self.age_ms))),
                ("ready for", time(self.ready_for_ms)),
                ("begins in", time(self.begins_in_ms)),
                ("deadline in", time(self.deadline_in_ms)),
                (
                    "deadline",
                    if self.is_missed {
                        "missed".to_owned()
                    } else {
                        String::new()
                    },
                ),
                ("body", self.body.as_ref().map_or_else(String::new, Value::to_string)),
                (
                    "budget",
                    self.budget.map_or_else(String::new, |budget| budget.to_string()),
                ),
                ("timeout", time(self.timeout_ms)),
                ("needs", self.needs.join(", ")),
                ("for", self.wants.clone().unwrap_or_default()),
                ("agent", self.worker.clone().unwrap_or_default()),
                ("lease", self.lease()),
                (
                    "so far",
                    self.percent.map_or_else(String::new, |percent| format!("{percent} %")),
                ),
                ("waits for", numbers(self.waits_for.iter().map(|task| task.number()))),
                ("tries", self.tries()),
                (
                    "ended",
                    self.ended_ago_ms
                        .map_or_else(String::new, |ago| format!("{} ago", span(ago))),
                ),
                (
                    "why",
                    self.why.as_deref().map(harmless).unwrap_or_default().into_owned(),
                ),
                (
                    "result",
                    self.result.as_ref().map_or_else(String::new, Value::to_string),
                ),
                ("key", self.key.clone().unwrap_or_default()),
                ("labels", labels.join(", ")),
                (
                    "part of",
                    self.parent.map_or_else(String::new, |parent| parent.to_string()),
                ),
            ],
        );
        text.push_str(&self.trials(screen));
        text
    }
}

impl TaskSeen {
    /// Whether nobody takes it, and how it was tried.
    fn trials(&self, screen: &Screen) -> String {
        let mut text = String::new();
        if self.is_for_nobody {
            let line = "no agent takes it: describe one with these capabilities, or submit it for another";
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Bad, line));
        }
        if let Some(away) = &self.taker_away {
            let line = format!("no agent takes it now: {}", harmless(away));
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Bad, &line));
        }
        for attempt in &self.past {
            let line = format!(
                "tried by {} for {}: {}",
                attempt.worker,
                span(attempt.took_ms),
                harmless(&attempt.why)
            );
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Faint, &line));
        }
        for late in &self.late {
            let how = if late.is_done { "done" } else { "failed" };
            let said = late.said.to_string();
            let line = format!("too late, under lease {}: {how}: {}", late.fence, harmless(&said));
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Faint, &line));
        }
        text
    }

    fn tries(&self) -> String {
        match self.retries {
            0 => self.attempts.to_string(),
            retries => format!(
                "{}, tried again {} where it fails",
                self.attempts,
                counted(retries, "time")
            ),
        }
    }

    fn lease(&self) -> String {
        match (self.fence, self.lease_left_ms) {
            (Some(fence), Some(left)) => format!("number {fence}, for {}", span(left)),
            _ => String::new(),
        }
    }
}

impl Show for TasksChanged {
    fn show(&self, _screen: &Screen) -> String {
        let told = numbers(self.tasks.iter().map(|task| task.number()));
        format!("{} {}: {told}\n", counted(self.tasks.len() as u64, "task"), self.change)
    }
}

impl Show for Waited {
    fn show(&self, screen: &Screen) -> String {
        let mut ended: Vec<_> = self
            .ended
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        if self.kept_no_more > 0 {
            ended.push(format!("{} ended and kept no more", self.kept_no_more));
        }
        let how = if ended.is_empty() {
            "none were open".to_owned()
        } else {
            ended.join(", ")
        };
        let mut text = format!(
            "{} after {}: {how}\n",
            counted(self.tasks as u64, "task"),
            span(self.took_ms)
        );
        if !self.troubles.is_empty() {
            let told = numbers(self.troubles.iter().map(|task| task.number()));
            let line = format!("look at {told} with `triarch task show`");
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Bad, &line));
        }
        text
    }
}

impl Show for StatsShown {
    fn show(&self, screen: &Screen) -> String {
        facts(
            screen,
            &[
                ("submitted", self.submitted.to_string()),
                ("open", self.open.to_string()),
                ("with agents", self.leased.to_string()),
                (
                    "oldest ready",
                    self.oldest_ready_ms
                        .map_or_else(String::new, |age| format!("for {}", span(age))),
                ),
                ("done", self.done.to_string()),
                ("failed", self.failed.to_string()),
                ("cancelled", self.cancelled.to_string()),
                ("expired", self.expired.to_string()),
                ("dead", self.dead.to_string()),
                (
                    "kept",
                    format!(
                        "{} ended, {} dead, {} late results",
                        self.ended_kept, self.dead_kept, self.late_kept
                    ),
                ),
                (
                    "bytes",
                    format!(
                        "{} of open tasks, {} of results that they wait for",
                        bytes(self.body_bytes),
                        bytes(self.inputs_bytes)
                    ),
                ),
                (
                    "draining",
                    if self.is_draining {
                        "no more are taken".to_owned()
                    } else {
                        String::new()
                    },
                ),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;

    #[test]
    fn a_list_that_ends_at_its_bound_tells_how_the_same_question_goes_on() {
        let task = samples::tasks().swap_remove(1);
        let shown = vec![task.clone(); LIST_MAX].show(&Screen::plain(None));
        let hint = "a list ends at 10000 tasks; ask for the same with --after 8 for those behind; `triarch task list --newest` has the latest first\n";
        assert!(shown.ends_with(hint), "{:?}", shown.lines().last());
        let shown = vec![task.clone(); MOST].show(&Screen::plain(None));
        let hint = "a list has 100 tasks where --most does not say otherwise; ask for the same with --after 8 for those behind; `triarch task list --newest` has the latest first\n";
        assert!(shown.ends_with(hint), "{:?}", shown.lines().last());
        let mut backwards = vec![task.clone(); MOST];
        backwards[0].task = samples::tasks().swap_remove(2).task;
        let shown = backwards.show(&Screen::plain(None));
        assert!(
            shown.ends_with("; ask for the same with --before 8 for those behind\n"),
            "{:?}",
            shown.lines().last()
        );
        assert!(!vec![task; 9].show(&Screen::plain(None)).contains("--after"));
    }

    #[test]
    fn numbers_in_a_row_are_told_as_such() {
        assert_eq!(numbers([1, 2, 3, 7, 9, 10].into_iter()), "1..3 7 9..10");
        assert_eq!(numbers(std::iter::empty()), "");
    }
}
