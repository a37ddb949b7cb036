//! What `--json` prints, by the names that manners know it by.

use super::{json, samples};

/// Title, sentence, example.
type Shape = (&'static str, &'static str, fn() -> String);

pub(super) const SHAPES: &[Shape] = &[
    ("The runtime", "How it is. `troubles` are sentences for people.", || {
        json(&samples::status())
    }),
    (
        "A node",
        "One place in the tree: the root, a supervisor or an agent, as `level` 1, 2 or 3 says. `pid` is that of the program an agent runs. \
         `restarts` is how often its supervisor restarted it after it had ended; lives that somebody began by hand, or a sibling's end, are none.",
        || json(&samples::nodes()[2]),
    ),
    ("A team", "`agents` is empty in a list.", || {
        let mut team = samples::team();
        team.agents.truncate(1);
        json(&team)
    }),
    (
        "An agent",
        "A node, and what else is known of it. `shown` is what the agent shows of itself, in any form.",
        || json(&samples::agent()),
    ),
    (
        "A reason",
        "What `why` tells. What it says of processes and ends is for people and may change.",
        || json(&samples::why()),
    ),
    (
        "A post",
        "`proof` is `queued`, `delivered`, `accepted` or `done`: no more than is proved.",
        || json(&samples::sent()),
    ),
    (
        "A dead letter of a mailbox",
        "`to` is the path it was sent to, `message` the type of what it was. `reason` is `full`, `closed`, `expired`, `crashed`, `poison` or \
         `no_such_agent`; `cause` is what ended the life that had it in hand, where one had.",
        || json(&samples::letters()[0]),
    ),
    (
        "A publication",
        "`matched` is for how many subscriptions it was at once. On a durable topic `offset` is its place in the log, and `readers` are \
         those that read it there, beside `matched`. What is to be published later has a `schedule` instead, by which it is called off.",
        || json(&samples::published()[1]),
    ),
    (
        "An event sent",
        "What was sent to one agent. What becomes of it is not waited for: where it cannot be delivered `bus dead` has it by this `id`.",
        || json(&samples::sent_to()[0]),
    ),
    (
        "An event",
        "`at` is when it was published. Where a native agent published bytes, `bytes` has them, two digits for each, and `body` is `null`. `key`, `ttl_ms`, `correlation` and `causation` are there where its publisher gave them, and `is_request` \
         where somebody waits for an answer.",
        || json(&samples::events()[0]),
    ),
    (
        "A topic in a list",
        "`log` names the topics of its log, where it is durable.",
        || json(&samples::topics()[0]),
    ),
    (
        "A topic",
        "`log` is there where it is durable, with the place of the oldest that is kept, and the place that the next gets. Of a \
         subscription `waiting` is what is still to be settled, `behind` what its log has beyond that. `cursors` say how far named \
         subscriptions have come, and whether somebody listens under that name now.",
        || json(&samples::topic()),
    ),
    (
        "A dead letter",
        "`id` is what it had when it was published or sent, and `topic` is the path where it was sent to an agent. `cause` is `failed`, `crashed`, `unacknowledged`, `expired`, `full`, `closed`, or `poison` where it is set apart: that is replayed \
         only by its number. Where it is bytes, `bytes` has them and `body` is `null`. `name` is there where it was for a named subscription.",
        || json(&samples::dead_letters()[0]),
    ),
    (
        "An answer",
        "`body` is what was answered, `null` where `bytes` has it, two digits for each; `correlation` is the id of the question.",
        || json(&samples::answer()),
    ),
    ("Dead letters dropped", "How many they were.", || {
        json(&samples::dropped())
    }),
    (
        "A publication to come",
        "`schedule` calls it off. `again` is `null` where it comes once, else in which steps, or at which times of day. `is_durable` says \
         that it outlives the runtime.",
        || json(&samples::planned()[1]),
    ),
    (
        "A replay",
        "How many were sent again, and how many kept, since nobody takes them now or there is no room.",
        || json(&samples::replayed()),
    ),
    (
        "A forgotten subscription",
        "`lag` is how many places lay between where it was and the end of its log. Of a log, which has no subscriber, it is how many \
         envelopes were kept.",
        || json(&samples::forgotten()),
    ),
    ("A publication called off", "By its number.", || {
        json(&samples::called_off())
    }),
    (
        "An entry",
        "What is under a key. Where the value is bytes, `base64` has them and `value` is `null`.",
        || json(&samples::entries()[0]),
    ),
    (
        "A write to the store",
        "`version` is the number of the change, `existed` says that something was there before.",
        || json(&samples::stored()),
    ),
    ("What a number came to", "After it was added to.", || {
        json(&samples::number())
    }),
    ("Whether there is something", "Under that key.", || {
        json(&samples::existence())
    }),
    ("How many there are", "Of those whose keys begin so.", || {
        json(&samples::count())
    }),
    (
        "A search",
        "`matched` are all that were found, shown or not; `groups` are there where they were asked for, and an empty name is that of those without; `cuts` are sentences that say why there may be more.",
        || {
            let mut found = samples::found();
            found.entries.truncate(1);
            found.groups = samples::counted().groups;
            json(&found)
        },
    ),
    (
        "A change of the store",
        "`change` is `put`, `deleted`, `expired`, `evicted` or `retained`; or `missed`, with how many were. After `over` nothing more is told.",
        || json(&samples::changes()[0]),
    ),
    ("A namespace", "How it is, and how much it holds.", || {
        json(&samples::namespaces()[0])
    }),
    (
        "The store",
        "All namespaces together. `refusals` are the last five of those who were not let through; `closed` says why nothing durable is written, while that is so.",
        || json(&samples::store()),
    ),
    (
        "Entries that were taken up",
        "How many, by what became of them: `written`, `overwritten`, `merged`, `renamed`, `skipped`, `expired`, or `newer` where somebody wrote \
         meanwhile. `defined` are namespaces that were not there.",
        || json(&samples::taken_up()),
    ),
    (
        "What retention takes",
        "Of each namespace, by the first rule that an entry fits; `keys` are the first of them. Where `is_dry`, nothing went.",
        || json(&samples::retained()),
    ),
    ("A forgotten namespace", "What was in it.", || {
        json(&samples::left_behind())
    }),
    ("A backup", "The file, which was read again.", || {
        json(&samples::backup())
    }),
    (
        "A task",
        "Where it stands: `blocked`, `ready`, `claimed`, `running`, `done`, `failed`, `cancelled`, `expired` or `dead`. `worker` is the agent that \
         has it, `past` the attempts that did not succeed.",
        || json(&samples::tasks()[0]),
    ),
    (
        "A task that was submitted",
        "`is_known` says that there was a task with its key already, which this is.",
        || json(&samples::submitted()[0]),
    ),
    (
        "A wait",
        "How tasks ended that were waited for; `troubles` are the first that were not done.",
        || json(&samples::waited()),
    ),
    ("A change of tasks", "What was done, and to which.", || {
        json(&samples::tasks_changed())
    }),
    (
        "Tasks in figures",
        "All there ever were, and those that are kept.",
        || json(&samples::task_stats()),
    ),
    (
        "A line of a log",
        "`source` is `out`, `err` or `event`; `level` is there where the program gave one.",
        || json(&samples::log_lines()[1]),
    ),
    (
        "A reload",
        "`changed` are sentences; `needs_restart` are keys of the description.",
        || json(&samples::reloaded()),
    ),
    ("A stop", "The process that has stopped.", || json(&samples::stopping())),
    ("A beginning", "The file that was written.", || json(&samples::begun())),
    (
        "A fault",
        "One thing that is wrong with a description: where it stands in a file, or the `variable` of the environment; neither where it \
         stands nowhere. One that `is_warning` is most likely a slip, and keeps nothing from being followed.",
        || json(&samples::fault()),
    ),
    (
        "A recovery",
        "What `demo` saw: the lives of the agent it killed, and how long after the kill the next one had answered.",
        || json(&samples::recovered()),
    ),
    ("A finding", "`verdict` is `well`, `poor` or `bad`.", || {
        json(&samples::findings().first())
    }),
];
