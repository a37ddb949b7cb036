//! What the definition of the command line cannot tell of a verb: what it asks for, what it answers, how it ends.

/// How a verb behaves.
pub(super) struct Manner {
    /// The words it is called by.
    pub(super) verb: &'static str,
    /// The operation of the runtime that it asks for.
    pub(super) asks: Option<&'static str>,
    pub(super) answer: Answer,
    /// What else than 0 it may exit with, beside what all verbs may, and where.
    pub(super) ends: &'static [(u8, &'static str)],
}

/// What `--json` prints.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// One of [`SHAPES`].
    One(&'static str),
    /// An array of them.
    List(&'static str),
    /// One in a line.
    Lines(&'static str),
    /// Something else, in words.
    Json(&'static str),
    /// What it prints without.
    Same,
}

use Answer::{Json, Lines, List, One, Same};

pub(super) const OF_UP_ALONE: (u8, &str) = (130, "a second signal came before all had stopped");

const fn asking(
    verb: &'static str,
    operation: &'static str,
    answer: Answer,
    ends: &'static [(u8, &'static str)],
) -> Manner {
    Manner {
        verb,
        asks: Some(operation),
        answer,
        ends,
    }
}

const fn alone(verb: &'static str, answer: Answer, ends: &'static [(u8, &'static str)]) -> Manner {
    Manner {
        verb,
        asks: None,
        answer,
        ends,
    }
}

const NO_AGENT: (u8, &str) = (4, "there is no such agent");
const NO_TEAM: (u8, &str) = (4, "there is no such team");
const TOPIC_REFUSED: (u8, &str) = (5, "the topic is of other teams, or there are as many as there may be");
const NO_PATTERN: (u8, &str) = (
    2,
    "the pattern or the filter is none, or no one log has all of the pattern",
);
const NO_TASK: (u8, &str) = (4, "there is no such task, or it is kept no more");
const NO_NAMESPACE: (u8, &str) = (4, "there is no such namespace");
const NO_ENTRY: (u8, &str) = (4, "there is no such namespace, or nothing under the key");
const NOT_STORED: (u8, &str) = (1, "it is not on disk");
const TOO_MUCH: (u8, &str) = (2, "the value is larger than one may be");
const NOT_LET: (u8, &str) = (5, "the namespace is full, or what is there is at another version");
const FORBIDDEN: (u8, &str) = (5, "its state forbids it");
const TAKES_NONE: (u8, &str) = (5, "it is an agent of the runtime itself, which takes no posts");
const HELD: (u8, &str) = (5, "its state forbids it, or it is an agent of the runtime itself");
const HOLDS: (u8, &str) = (5, "it is an agent of the runtime itself");
const FAULTY: (u8, &str) = (2, "the description cannot be followed");
const NO_RECEIPT: (u8, &str) = (3, "what has to be proved is not proved within the time");
const NOT_DONE: (u8, &str) = (1, "the agent failed at it, or had no room for it in time");

pub(super) const MANNERS: &[Manner] = &[
    alone(
        "up",
        Same,
        &[
            FAULTY,
            (5, "another runtime has the state folder"),
            (70, "the tree does not start, or the root gives up"),
            OF_UP_ALONE,
        ],
    ),
    asking("down", "down", One("A stop"), &[]),
    asking(
        "reload",
        "reload",
        One("A reload"),
        &[(
            2,
            "the description cannot be followed, or `--config` names another file than the one in use; then nothing has changed",
        )],
    ),
    asking("status", "status", One("The runtime"), &[]),
    asking(
        "tree",
        "tree",
        List("A node"),
        &[
            (2, "it is to be written as `dot` too"),
            (4, "nothing stands at the path"),
        ],
    ),
    asking("why", "why", One("A reason"), &[NO_AGENT]),
    asking(
        "logs",
        "agent.logs",
        Lines("A line of a log"),
        &[(4, "there is no such agent, or it keeps no log")],
    ),
    asking(
        "top",
        "tree",
        Json("the screen, as without"),
        &[(1, "the output is no terminal")],
    ),
    asking("team list", "team.list", List("A team"), &[]),
    asking("team show", "team.show", One("A team"), &[NO_TEAM]),
    asking("team stop", "team.stop", One("A team"), &[NO_TEAM, FORBIDDEN]),
    asking("team start", "team.start", One("A team"), &[NO_TEAM, FORBIDDEN]),
    asking(
        "team scale",
        "team.scale",
        One("A team"),
        &[
            (2, "the agent is described without `replicas`"),
            (4, "there is no such team, or no such agent in it"),
        ],
    ),
    asking("team broadcast", "team.broadcast", List("A post"), &[NOT_DONE, NO_TEAM]),
    asking(
        "agent list",
        "agent.list",
        List("A node"),
        &[(2, "there is no such state"), NO_TEAM],
    ),
    asking("agent show", "agent.show", One("An agent"), &[NO_AGENT]),
    asking(
        "agent spawn",
        "agent.spawn",
        One("An agent"),
        &[
            (2, "the kind is not known, or a setting cannot be followed"),
            NO_TEAM,
            (5, "the team has an agent of that name"),
        ],
    ),
    asking("agent stop", "agent.stop", One("An agent"), &[NO_AGENT, HELD]),
    asking("agent kill", "agent.kill", One("An agent"), &[NO_AGENT, FORBIDDEN]),
    asking(
        "agent restart",
        "agent.restart",
        One("An agent"),
        &[(1, "it does not start"), NO_AGENT, FORBIDDEN],
    ),
    asking("agent pause", "agent.pause", One("An agent"), &[NO_AGENT, HOLDS]),
    asking("agent resume", "agent.resume", One("An agent"), &[NO_AGENT]),
    asking(
        "agent send",
        "agent.send",
        One("A post"),
        &[NOT_DONE, NO_RECEIPT, NO_AGENT, TAKES_NONE],
    ),
    asking(
        "agent ask",
        "agent.ask",
        One("A post"),
        &[NOT_DONE, NO_RECEIPT, NO_AGENT, TAKES_NONE],
    ),
    asking(
        "agent dead",
        "agent.dead",
        List("A dead letter of a mailbox"),
        &[NO_AGENT],
    ),
    asking(
        "agent logs",
        "agent.logs",
        Lines("A line of a log"),
        &[(4, "there is no such agent, or it keeps no log")],
    ),
    asking(
        "bus publish",
        "bus.publish",
        One("A publication"),
        &[
            (1, "the topic is durable, and it is not on disk"),
            (2, "it cannot be taken as it is"),
            TOPIC_REFUSED,
        ],
    ),
    asking(
        "bus send",
        "bus.send",
        List("An event sent"),
        &[
            (2, "it cannot be taken as it is"),
            (4, "one of those who are named is not there; then it is sent to nobody"),
            TAKES_NONE,
        ],
    ),
    asking(
        "bus subscribe",
        "bus.subscribe",
        Lines("An event"),
        &[NO_PATTERN, TOPIC_REFUSED],
    ),
    asking("bus tap", "bus.tap", Lines("An event"), &[NO_PATTERN, TOPIC_REFUSED]),
    asking("bus topics", "bus.topics", List("A topic in a list"), &[]),
    asking(
        "bus show",
        "bus.show",
        One("A topic"),
        &[(4, "nothing was published on it, and nobody subscribes to it")],
    ),
    asking(
        "bus request",
        "bus.request",
        One("An answer"),
        &[
            (3, "no answer came in time"),
            (4, "nobody hears the topic"),
            TOPIC_REFUSED,
        ],
    ),
    asking("bus dead", "bus.dead", List("A dead letter"), &[]),
    asking(
        "bus drop",
        "bus.drop",
        One("Dead letters dropped"),
        &[(4, "there is no such dead letter")],
    ),
    asking("bus planned", "bus.planned", List("A publication to come"), &[]),
    asking(
        "bus replay",
        "bus.replay",
        One("A replay"),
        &[(4, "there is no such dead letter"), (5, "nobody takes it any more")],
    ),
    asking(
        "bus forget",
        "bus.forget",
        One("A forgotten subscription"),
        &[
            (1, "the disk does not take it"),
            (2, "several subscribers have a name like it"),
            (4, "no subscription and no log has that name"),
            (5, "somebody listens under it now, or the description has that log"),
        ],
    ),
    asking(
        "bus cancel",
        "bus.cancel",
        One("A publication called off"),
        &[
            (1, "the topic is durable, and the disk does not take it"),
            (4, "nothing of that number is to be published later"),
        ],
    ),
    asking("memory get", "memory.get", One("An entry"), &[NO_ENTRY]),
    asking(
        "memory put",
        "memory.put",
        One("A write to the store"),
        &[NOT_STORED, TOO_MUCH, NO_NAMESPACE, NOT_LET],
    ),
    asking(
        "memory delete",
        "memory.delete",
        One("A write to the store"),
        &[NOT_STORED, NO_ENTRY, (5, "it is at another version")],
    ),
    asking(
        "memory increment",
        "memory.increment",
        One("What a number came to"),
        &[
            NOT_STORED,
            (
                2,
                "what is there is no whole number in JSON, or would be beyond 64 bits",
            ),
            NO_NAMESPACE,
            (5, "the namespace is full"),
        ],
    ),
    asking(
        "memory exists",
        "memory.exists",
        One("Whether there is something"),
        &[(4, "there is no such namespace, or nothing under the key")],
    ),
    asking(
        "memory count",
        "memory.count",
        One("How many there are"),
        &[NO_NAMESPACE],
    ),
    asking("memory list", "memory.list", List("An entry"), &[NO_NAMESPACE]),
    asking("memory search", "memory.search", One("A search"), &[NO_NAMESPACE]),
    asking(
        "memory watch",
        "memory.watch",
        Lines("A change of the store"),
        &[
            (
                1,
                "nothing more is told: the namespace was made anew, or who may read it has changed",
            ),
            NO_NAMESPACE,
        ],
    ),
    asking("memory namespaces", "memory.namespaces", List("A namespace"), &[]),
    asking("memory stats", "memory.stats", One("The store"), &[]),
    asking(
        "memory export",
        "memory.export",
        Json("nothing beside the lines of the file"),
        &[(1, "the file cannot be written"), NO_NAMESPACE],
    ),
    asking(
        "memory import",
        "memory.import",
        One("Entries that were taken up"),
        &[
            NOT_STORED,
            (
                2,
                "the file cannot be read, or some of its lines are no entries: these are told by their numbers, and all others taken up",
            ),
            (
                5,
                "a namespace is full, or would be; what was taken up before is said, and stays",
            ),
        ],
    ),
    asking(
        "memory backup",
        "memory.backup",
        One("A backup"),
        &[(1, "the file cannot be written"), (5, "the file is there already")],
    ),
    asking(
        "memory restore",
        "memory.restore",
        One("Entries that were taken up"),
        &[
            (1, "it is no backup, or of another key; then nothing was changed"),
            (
                2,
                "the file cannot be read, or an entry is too large for its namespace; all others are taken up",
            ),
            (
                5,
                "a namespace is full, or there with another durability; all others are taken up",
            ),
        ],
    ),
    asking(
        "memory retain",
        "memory.retain",
        One("What retention takes"),
        &[
            NOT_STORED,
            NO_NAMESPACE,
            (
                5,
                "a namespace is described with another durability; of all others it is taken",
            ),
        ],
    ),
    asking(
        "memory compact",
        "memory.compact",
        One("The store"),
        &[(1, "the snapshot was not taken; the journal has everything")],
    ),
    asking(
        "memory forget",
        "memory.forget",
        One("A forgotten namespace"),
        &[NOT_STORED, NO_NAMESPACE, (5, "the description has that namespace")],
    ),
    asking(
        "task submit",
        "task.submit",
        List("A task that was submitted"),
        &[
            (
                1,
                "it is not on disk; or with `--wait`, not all ended as done, or were not waited for to the end",
            ),
            (
                2,
                "it cannot be taken as it is, or waits for itself or for a task that there never was",
            ),
            (
                4,
                "nobody is there whom it is for, or a task that it names is not there, or kept no more",
            ),
            (
                5,
                "no more are taken, as many are open or as large results waited for as may be, or one that it waits for has failed",
            ),
        ],
    ),
    asking("task list", "task.list", List("A task"), &[]),
    asking("task show", "task.show", One("A task"), &[NO_TASK]),
    asking(
        "task wait",
        "task.wait",
        One("A wait"),
        &[
            (1, "not all ended as done"),
            (3, "they have not ended within the time"),
            (4, "there is no such task, and never was"),
        ],
    ),
    asking(
        "task cancel",
        "task.cancel",
        One("A change of tasks"),
        &[NO_TASK, FORBIDDEN],
    ),
    asking(
        "task retry",
        "task.retry",
        One("A change of tasks"),
        &[NO_TASK, FORBIDDEN],
    ),
    asking("task dead", "task.dead", List("A task"), &[]),
    asking(
        "task drop",
        "task.drop",
        One("A change of tasks"),
        &[NO_TASK, FORBIDDEN],
    ),
    asking("task drain", "task.drain", One("Tasks in figures"), &[]),
    asking("task stats", "task.stats", One("Tasks in figures"), &[]),
    alone(
        "config init",
        One("A beginning"),
        &[(1, "there is a description in the folder")],
    ),
    alone(
        "config check",
        List("A fault"),
        &[(2, "there is no description, or it cannot be followed")],
    ),
    alone("config schema", Same, &[]),
    alone(
        "config show",
        Json("an object: the value of each setting by its path, and its origin"),
        &[FAULTY],
    ),
    alone("doctor", List("A finding"), &[(1, "something is bad")]),
    alone("demo", One("A recovery"), &[(1, "the demo does not go as it should")]),
    alone(
        "dashboard export",
        Json("an array of the paths of the files"),
        &[(1, "the folder cannot be written")],
    ),
    alone("completions", Same, &[]),
];
