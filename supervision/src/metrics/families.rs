//! The families that this crate fills: supervision, mailboxes, agents.

use crate::agent::AgentKind;

use super::buckets::Buckets;
use super::catalogue::Section;
use super::family::{Family, Label};

/// The type of an agent; what most families here tell apart by.
pub const ACTOR_TYPE: Label = Label::open("actor_type", 32);

/// The name of a supervisor.
pub const SUPERVISOR: Label = Label::open("supervisor", 32);

/// Why an incarnation ended: [`ExitReason::label`](crate::reason::ExitReason::label).
pub const EXIT_REASON: Label = Label::closed("reason", &["normal", "shutdown", "killed", "error", "panic"]);

/// Why a message reached no handler, or none that finished.
pub const DEAD_LETTER_REASON: Label = Label::closed(
    "reason",
    &["full", "closed", "expired", "crashed", "poison", "no_such_agent"],
);

/// What an agent is.
pub const AGENT_KIND: Label = Label::closed("kind", &AGENT_KINDS);

const AGENT_KINDS: [&str; 2] = [AgentKind::Native.label(), AgentKind::Program.label()];

/// The states that an agent may be seen in.
pub(super) const AGENT_STATES: [&str; 8] = [
    "starting", "idle", "busy", "stopping", "stopped", "paused", "backoff", "failed",
];

/// Those of them that it enters: busy and paused it is while it stays idle, by what its mailbox holds and what it was told.
const AGENT_STATES_ENTERED: [&str; 6] = ["starting", "idle", "stopping", "stopped", "backoff", "failed"];

pub(super) const CHILD_STATES: [&str; 6] = ["starting", "running", "stopping", "restarting", "down", "quarantined"];

/// Bands of depth, each named by the depths that fall into it.
pub(super) const DEPTHS: [&str; 5] = ["0", "1-9", "10-99", "100-999", "1000+"];

const PRIORITY: Label = Label::closed("priority", &["critical", "high", "normal", "low", "background"]);

/// Live actors.
pub const ACTORS: Family = Family::gauge("triarch_actors", &[ACTOR_TYPE], "Live actors, supervisors among them.");

/// Actors started.
pub const ACTOR_SPAWNS: Family = Family::counter(
    "triarch_actor_spawns_total",
    &[ACTOR_TYPE],
    "Actors started; each incarnation counts, also one whose start fails.",
);

/// Actors stopped.
pub const ACTOR_STOPS: Family = Family::counter(
    "triarch_actor_stops_total",
    &[ACTOR_TYPE, EXIT_REASON],
    "Actors stopped, by reason; each incarnation counts, so spawns less stops are the live ones.",
);

/// Time to start an actor.
pub const ACTOR_SPAWN_SECONDS: Family = Family::histogram(
    "triarch_actor_spawn_seconds",
    Buckets::FAST,
    &[],
    "Time from spawn request to a started actor.",
);

/// Children by state.
pub const SUPERVISOR_CHILDREN: Family = Family::gauge(
    "triarch_supervisor_children",
    &[SUPERVISOR, Label::closed("state", &CHILD_STATES)],
    "Children of each supervisor, by state; quarantined ones failed too often and wait until somebody restarts them.",
);

/// Restarts. A supervisor has one strategy for life, so a label for it would only repeat the supervisor's.
pub const SUPERVISOR_RESTARTS: Family = Family::counter(
    "triarch_supervisor_restarts_total",
    &[SUPERVISOR, EXIT_REASON],
    "Restarts decided, by the reason of the end that caused them; one that takes siblings along counts once.",
);

/// Time to run again. One histogram for the tree: fourteen series for each supervisor would be a quarter of all there are,
/// and which supervisor is slow stands in the decisions themselves.
pub const SUPERVISOR_RESTART_SECONDS: Family = Family::histogram(
    "triarch_supervisor_restart_seconds",
    Buckets::FAST,
    &[],
    "Time from a failure to the child running again, waits included, over all supervisors; beyond all edges where it was given up.",
);

/// Escalations.
pub const SUPERVISOR_ESCALATIONS: Family = Family::counter(
    "triarch_supervisor_escalations_total",
    &[SUPERVISOR],
    "Failures passed to the parent because the restart limit was reached.",
);

/// How near a supervisor is to giving up.
pub const SUPERVISOR_RESTART_BUDGET_USED_RATIO: Family = Family::gauge(
    "triarch_supervisor_restart_budget_used_ratio",
    &[SUPERVISOR],
    "Restarts in the current window divided by the limit; at 1 the next failure escalates; of several in 'other' the highest.",
);

/// Levels of the tree.
pub const SUPERVISION_DEPTH: Family =
    Family::gauge("triarch_supervision_depth", &[], "Levels in the supervision tree.");

/// Messages accepted.
pub const MESSAGES_ENQUEUED: Family = Family::counter(
    "triarch_messages_enqueued_total",
    &[ACTOR_TYPE, PRIORITY],
    "Messages taken in, also those that a full mailbox drops at once and those of an agent's own timers and watches; normal where the type has no priorities.",
);

/// Messages handled.
pub const MESSAGES_HANDLED: Family = Family::counter(
    "triarch_messages_handled_total",
    &[ACTOR_TYPE, Label::closed("result", &["ok", "error"])],
    "Messages whose handler ended; error where it returned one, panicked or was killed, and the message is not handed out again.",
);

/// Messages dropped.
pub const MESSAGES_DROPPED: Family = Family::counter(
    "triarch_messages_dropped_total",
    &[ACTOR_TYPE, Label::closed("reason", &["full", "closed", "expired"])],
    "Messages that never reached a handler; each is a dead letter too.",
);

/// Dead letters.
pub const DEAD_LETTERS: Family = Family::counter(
    "triarch_dead_letters_total",
    &[DEAD_LETTER_REASON],
    "Messages that reached no handler, or none that survived them, by reason.",
);

/// Messages waiting.
pub const MAILBOX_MESSAGES: Family = Family::gauge(
    "triarch_mailbox_messages",
    &[ACTOR_TYPE],
    "Messages waiting, summed over the type's mailboxes, at the last sample.",
);

/// The deepest mailbox.
pub const MAILBOX_MESSAGES_MAX: Family = Family::gauge(
    "triarch_mailbox_messages_max",
    &[ACTOR_TYPE],
    "Deepest single mailbox of the type at the last sample.",
);

/// The oldest waiting message.
pub const MAILBOX_OLDEST_AGE_SECONDS: Family = Family::gauge(
    "triarch_mailbox_oldest_age_seconds",
    &[ACTOR_TYPE],
    "Age of the oldest message that waits in any mailbox of the type or is in hand; 0 when there is none.",
);

/// Mailboxes by depth.
pub const MAILBOXES: Family = Family::gauge(
    "triarch_mailboxes",
    &[Label::closed("depth", &DEPTHS)],
    "Mailboxes by how many messages wait in them now (exclusive bands).",
);

/// Time in the mailbox. One histogram for the tree: which type waits is told by its oldest message's age, and which is slow by
/// its handle times.
pub const MAILBOX_WAIT_SECONDS: Family = Family::histogram(
    "triarch_mailbox_wait_seconds",
    Buckets::FAST,
    &[],
    "Enqueue to dequeue over all types, on sampled messages (see triarch_message_timing_sample_ratio).",
);

/// Time in the handler.
pub const MESSAGE_HANDLE_SECONDS: Family = Family::histogram(
    "triarch_message_handle_seconds",
    Buckets::FAST,
    &[ACTOR_TYPE],
    "Handler run time, on sampled messages.",
);

/// The share of messages that are timed.
pub const MESSAGE_TIMING_SAMPLE_RATIO: Family = Family::gauge(
    "triarch_message_timing_sample_ratio",
    &[],
    "Share of messages whose times are recorded.",
);

/// Time that senders were held back.
pub const BACKPRESSURE_WAIT_SECONDS: Family = Family::elapsed(
    "triarch_backpressure_wait_seconds_total",
    &[ACTOR_TYPE],
    "Time senders were held back by full mailboxes.",
);

/// Agents by state.
pub const AGENTS: Family = Family::gauge(
    "triarch_agents",
    &[AGENT_KIND, Label::closed("state", &AGENT_STATES)],
    "Agents by kind and state.",
);

/// Changes of agents' states.
pub const AGENT_TRANSITIONS: Family = Family::counter(
    "triarch_agent_transitions_total",
    &[AGENT_KIND, Label::closed("to", &AGENT_STATES_ENTERED)],
    "Agent state changes, by the state entered; that an agent is busy or paused is no change of its life.",
);

/// What a tree counts: the sections that instruments given to a [`Root`](crate::Root) need.
pub const TREE: [Section; 3] = [SUPERVISION, MAILBOX, AGENT];

/// Who starts, stops and restarts whom.
pub const SUPERVISION: Section = Section {
    title: "Supervision",
    families: &[
        ACTORS,
        ACTOR_SPAWNS,
        ACTOR_STOPS,
        ACTOR_SPAWN_SECONDS,
        SUPERVISOR_CHILDREN,
        SUPERVISOR_RESTARTS,
        SUPERVISOR_RESTART_SECONDS,
        SUPERVISOR_ESCALATIONS,
        SUPERVISOR_RESTART_BUDGET_USED_RATIO,
        SUPERVISION_DEPTH,
    ],
};

/// What waits, what was handled, what was lost.
pub const MAILBOX: Section = Section {
    title: "Mailboxes",
    families: &[
        MESSAGES_ENQUEUED,
        MESSAGES_HANDLED,
        MESSAGES_DROPPED,
        DEAD_LETTERS,
        MAILBOX_MESSAGES,
        MAILBOX_MESSAGES_MAX,
        MAILBOX_OLDEST_AGE_SECONDS,
        MAILBOXES,
        MAILBOX_WAIT_SECONDS,
        MESSAGE_HANDLE_SECONDS,
        MESSAGE_TIMING_SAMPLE_RATIO,
        BACKPRESSURE_WAIT_SECONDS,
    ],
};

/// What agents are about.
pub const AGENT: Section = Section {
    title: "Agents",
    families: &[AGENTS, AGENT_TRANSITIONS],
};
