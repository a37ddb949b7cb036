//! Answers of a runtime that is made up: what documents and snapshots show.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::demo::Recovery;
use super::describe::{Begun, FaultSeen};
use super::doctor::Findings;
use crate::operations::memory::{
    BackupSeen, CountSeen, EntrySeen, ExistsSeen, FoundSeen, NamespaceLeft, NamespaceSeen, NumberSeen, RetainedSeen,
    StoreSeen, TakenUp, WrittenSeen,
};
use crate::operations::{
    AgentSeen, AnswerSeen, CancelledSeen, DeadSeen, DroppedSeen, ForgottenSeen, LetterSeen, NodeSeen, PlannedSeen,
    PublishedSeen, Reloaded, ReplayedSeen, Sent, SentTo, StatsShown, StatusShown, Stopping, Submitted, TaskSeen,
    TasksChanged, TeamSeen, TopicSeen, TopicShown, Waited, WhyShown,
};

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn mailbox(depth: u64, oldest_age_ms: Option<u64>) -> Value {
    json!({
        "depth": depth, "capacity": 1024, "high_water": 12, "oldest_age_ms": oldest_age_ms,
        "enqueued": 1840 + depth, "handled": 1836, "failed": 4, "dropped": 0,
    })
}

fn node(path: &str, kind: &str, state: &str, restarts: u64, mailbox: &Value) -> Value {
    let level = match kind {
        "root" => 1,
        "supervisor" => 2,
        _ => 3,
    };
    let pid = (kind == "program" && state == "busy").then_some(4242);
    json!({
        "path": path, "level": level, "kind": kind, "state": state, "incarnation": restarts + 1, "restarts": restarts,
        "pid": pid, "mailbox": mailbox, "children_count": if level == 2 { 3 } else { 0 },
    })
}

pub(super) fn nodes() -> Vec<NodeSeen> {
    read(json!([
        node("reviewers", "supervisor", "idle", 0, &Value::Null),
        node("reviewers/clock", "native", "idle", 0, &mailbox(0, None)),
        node(
            "reviewers/reader-of-long-proposals-1",
            "program",
            "busy",
            2,
            &mailbox(7, Some(1250))
        ),
        node(
            "reviewers/reader-of-long-proposals-2",
            "program",
            "backoff",
            5,
            &mailbox(1024, Some(3_660_000))
        ),
    ]))
}

pub(super) fn status() -> StatusShown {
    read(json!({
        "version": "0.1.0", "pid": 4200, "up_for_ms": 93_784_000_u64, "state_dir": "~/.local/state/triarch",
        "listen": "http://127.0.0.1:7117/metrics", "described_in": "triarch.toml", "teams": 2,
        "agents": { "backoff": 1, "busy": 1, "idle": 9 }, "restarts": 7, "dead_letters": 4, "bus_dead_letters": 1, "posts_handled": 18_360,
        "troubles": ["reviewers/reader-of-long-proposals-2 is in state backoff"], "by_hand": ["1 paused", "team tools stopped"],
    }))
}

pub(super) fn team() -> TeamSeen {
    read(json!({
        "name": "reviewers", "strategy": "one_for_one", "parts": 1, "states": { "backoff": 1, "busy": 1, "idle": 1 }, "restarts": 7,
        "troubles": ["reviewers/reader-of-long-proposals-2"], "agents": nodes()[1..],
    }))
}

pub(super) fn teams() -> Vec<TeamSeen> {
    let other = json!({
        "name": "tools", "strategy": "rest_for_one", "parts": 2, "states": { "idle": 8 }, "restarts": 0, "troubles": [], "agents": [],
    });
    let first = TeamSeen {
        agents: Vec::new(),
        ..team()
    };
    vec![first, read(other)]
}

fn change(at: &str, ago_ms: u64, to: &str, incarnation: u64, reason: Option<&str>) -> Value {
    json!({ "at": at, "ago_ms": ago_ms, "to": to, "incarnation": incarnation, "is_of_earlier_runtime": false, "reason": reason })
}

fn health() -> Value {
    json!({
        "state": "degraded", "reason": "slow: answers in 840 ms, usually 120 ms", "last_sign_ms": 340, "last_answer_ms": 61_200, "answers": 1836,
        "answers_in_ms": 840, "usually_in_ms": 120, "failures": 0.02, "recovered_in_ms": 256,
    })
}

pub(super) fn agent() -> AgentSeen {
    let mut agent = serde_json::to_value(&nodes()[2]).unwrap();
    let more = json!({
        "described_as": "program", "capabilities": ["review", "summarise"], "role": "reads proposals",
        "last_exit": "failed: the program ended with code 3", "shown": "reading page 7", "ends": [], "health": health(),
        "history": [change("2026-11-21T09:46:55.500000Z", 93_000, "idle", 3, None)],
    });
    agent.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    read(agent)
}

pub(super) fn why() -> WhyShown {
    read(json!({
        "path": "reviewers/reader-of-long-proposals-1", "state": "busy", "for_ms": 61_000, "incarnation": 3, "restarts": 2,
        "stuck": "is at one message for 61.0 s, longer than it may",
        "posts": 2, "at": { "kind": "review", "for_ms": 61_000 },
        "last_exit": "failed: the program ended with code 3", "mailbox": mailbox(7, Some(1250)), "health": health(),
        "policy": ["restart: permanent", "shutdown: within 5s", "when it fails too often: quarantine"], "shown": "reading page 7",
        "tasks": [{ "task": 7, "standing": "begun" }], "taking": "full",
        "processes": [{ "pid": 4242, "parent": 4200, "state": "S", "memory_bytes": 10_485_760, "cpu": { "secs": 12, "nanos": 340_000_000 }, "command": "python3" }],
        "next": "if it ends: restart 3 of the 5 that reviewers bears within 30s, then it stays down until somebody restarts it", "restart_in_ms": null,
        "ends": [{
            "incarnation": 2, "ended": "2026-11-21T09:46:54.100000Z", "reason": "code", "code": 3, "signal": null,
            "lines": ["reading page 1", "ValueError: page 2 is no text"], "is_of_earlier_runtime": false,
        }, {
            "incarnation": 1, "ended": "2026-11-20T17:02:11.700000Z", "reason": "signal", "code": null, "signal": 24,
            "why": "it used up limits.cpu, which is 10m of processor time", "lines": [], "is_of_earlier_runtime": true,
        }],
        "history": [
            change("2026-11-21T09:46:55.500000Z", 93_000, "idle", 3, None),
            change("2026-11-21T09:46:55.100000Z", 93_400, "backoff", 2, Some("failed: the program ended with code 3")),
        ],
    }))
}

pub(super) fn letters() -> Vec<LetterSeen> {
    let letter = |letter: u64, to: &str, reason: &str, cause: Option<&str>| {
        json!({
            "letter": letter, "to": to, "message": "triarch_teams::post::Post", "reason": reason, "cause": cause,
            "at": "2026-11-21T09:46:55.100000Z", "ago_ms": 61_400,
        })
    };
    let cause = "failed: the program ended with code 3";
    read(json!([
        letter(4, "reviewers/reader-of-long-proposals-1", "crashed", Some(cause)),
        letter(3, "reviewers/clock", "full", None),
    ]))
}

pub(super) fn published() -> [PublishedSeen; 3] {
    let id = "18b911c0ffee00070000000000000009";
    read(json!([
        { "topic": "news.today", "id": id, "matched": 2, "offset": null, "schedule": null },
        { "topic": "plant.pump", "id": id, "matched": 1, "readers": 2, "offset": 41, "schedule": null },
        { "topic": "news.today", "id": null, "matched": null, "offset": null, "schedule": 7 },
    ]))
}

pub(super) fn sent_to() -> Vec<SentTo> {
    read(json!([
        { "to": "reviewers/clock", "id": "18b911c0ffee0007000000000000000b" },
        { "to": "reviewers/reader-of-long-proposals-1", "id": "18b911c0ffee0007000000000000000c" },
    ]))
}

pub(super) fn answer() -> AnswerSeen {
    read(json!({
        "id": "18b911c0ffee0007000000000000000a", "correlation": "18b911c0ffee00070000000000000009",
        "from": "reviewers/reader-of-long-proposals-1", "at": "2026-11-21T09:46:55.500000Z", "body": { "pages": 7 },
    }))
}

pub(super) fn dropped() -> DroppedSeen {
    DroppedSeen { dropped: 2 }
}

pub(super) fn planned() -> Vec<PlannedSeen> {
    read(json!([
        {
            "schedule": 7, "next": "2026-11-21T09:47:55.500000Z", "topic": "news.today", "from": "operator", "kind": "message",
            "again": null, "is_durable": false,
        },
        {
            "schedule": 8, "next": "2026-11-23T06:30:00.000000Z", "topic": "plant.pump", "from": "operator", "kind": "message",
            "again": "daily 06:30 mon,tue,wed,thu,fri Z", "is_durable": true,
        },
        {
            "schedule": 9, "next": "2026-11-23T06:30:10.000000Z", "topic": "plant.pump", "kind": "beat",
            "from": "reviewers/reader-of-long-proposals-1", "again": "every 10s", "is_durable": true,
        },
    ]))
}

pub(super) fn called_off() -> CancelledSeen {
    CancelledSeen { schedule: 7 }
}

/// What is told of what was published, each an object.
pub(super) fn events() -> [Value; 2] {
    let (at, id) = ("2026-11-21T09:47:56.486321Z", "18b911c0ffee00070000000000000009");
    [
        json!({
            "id": id, "topic": "plant.pump", "from": "plant/pump", "kind": "reading", "at": at, "priority": "high",
            "body": { "celsius": 35 }, "key": "r-41", "ttl_ms": 60_000, "correlation": "18b911c0ffee00070000000000000001",
        }),
        json!({
            "id": id, "topic": "news.today", "from": "operator", "kind": "message", "at": at, "priority": "normal",
            "body": "two\nlines",
        }),
    ]
}

pub(super) fn topics() -> Vec<TopicSeen> {
    read(json!([
        { "topic": "plant.pump", "published": 42, "subscriptions": 2, "log": "plant.**" },
        { "topic": "news.of-the-day.that-is-told-at-great-length", "published": 1, "subscriptions": 0, "log": null },
    ]))
}

pub(super) fn topic() -> TopicShown {
    read(json!({
        "topic": "plant.pump", "published": 42, "log": { "topics": "plant.**", "first": 0, "next": 42, "bytes": 8_610, "is_named": true },
        "subscriptions": [
            {
                "subscriber": "plant/guard", "pattern": "plant.*", "filter": "payload.celsius gt 30", "group": null,
                "class": "at_least_once", "delivered": 3, "dropped": 0, "dead": 1, "waiting": 2, "bound": 1_024,
                "bytes": 1_536, "bound_bytes": 67_108_864,
                "behind": 5, "breaker": "open",
            },
            {
                "subscriber": "plant/clerk-1", "pattern": "**", "filter": null, "group": "clerks", "class": "at_most_once",
                "delivered": 42, "dropped": 0, "dead": 0, "waiting": 0, "bound": 1_024,
                "bytes": 0, "bound_bytes": 67_108_864, "behind": null, "breaker": "closed",
            },
        ],
        "cursors": [
            { "subscriber": "plant/guard", "name": "alarms", "floor": 37, "lag": 5, "is_attended": true },
            { "subscriber": "operator", "name": "audit", "floor": 0, "lag": 42, "is_attended": false },
        ],
    }))
}

pub(super) fn dead_letters() -> Vec<DeadSeen> {
    read(json!([{
        "letter": 1, "id": "18b911c0ffee00070000000000000009", "topic": "plant.pump", "at": "2026-11-21T09:47:58.103000Z", "subscriber": "plant/guard", "name": "alarms",
        "cause": "failed", "why": "no ink", "failures": 5, "from": "plant/pump", "kind": "reading", "body": { "celsius": 35 },
    }]))
}

pub(super) fn forgotten() -> ForgottenSeen {
    read(json!({ "subscriber": "operator", "name": "audit", "lag": 42 }))
}

pub(super) fn replayed() -> ReplayedSeen {
    read(json!({ "sent": 3, "kept": 1 }))
}

fn entry(key: &str, version: u64, value: &Value) -> Value {
    json!({
        "namespace": "plans", "key": key, "value": value, "type": "plan", "tags": ["hot"], "metadata": {},
        "owner": "reviewers/reader-of-long-proposals-1", "version": version, "age_ms": 61_000, "written_ago_ms": 4_000,
        "accessed_ago_ms": 1_000, "expires_in_ms": 539_000, "checksum": "9ae0daaf",
    })
}

pub(super) fn entries() -> Vec<EntrySeen> {
    let long = "read proposal 17 to its end, then say in two sentences what it asks for and what it costs";
    read(json!([
        entry("today", 18, &json!({ "do": "count hens" })),
        entry("tomorrow", 12, &json!(long))
    ]))
}

pub(super) fn stored() -> WrittenSeen {
    read(json!({ "namespace": "plans", "key": "today", "version": 18, "existed": true, "is_deleted": false }))
}

pub(super) fn unstored() -> WrittenSeen {
    WrittenSeen {
        is_deleted: true,
        ..stored()
    }
}

pub(super) fn found() -> FoundSeen {
    read(json!({
        "entries": entries(), "matched": 40, "examined": 120, "cuts": ["3 entries have words that are not indexed"],
    }))
}

pub(super) fn namespaces() -> Vec<NamespaceSeen> {
    let namespace = |name: &str, durability: &str, team: Option<&str>, level: &str, entries: u64| {
        json!({
            "namespace": name, "durability": durability, "team": team,
            "access": { "read": level, "write": level, "delete": level, "administer": "system" }, "entries": entries, "entries_max": 1_000_000,
            "size_bytes": entries * 512, "size_bytes_max": 268_435_456_u64, "index_bytes": entries * 64, "ttl_ms": null,
            "revision": entries + 18,
        })
    };
    read(json!([
        namespace("plans", "journal", Some("reviewers"), "team", 240_000),
        namespace("shared", "journal", None, "public", 7),
    ]))
}

pub(super) fn store() -> StoreSeen {
    read(json!({
        "namespaces": 2, "entries": 240_007, "size_bytes": 122_883_584, "index_bytes": 15_360_448, "refused": 1,
        "refusals": [{
            "at": "2026-11-21T09:47:56.000Z", "ago_ms": 61_000, "who": "guests/stranger", "verb": "read", "namespace": "plans",
            "level": "team"
        }],
        "closed": null,
    }))
}

pub(super) fn number() -> NumberSeen {
    NumberSeen { number: 5 }
}

pub(super) fn existence() -> ExistsSeen {
    ExistsSeen { exists: true }
}

pub(super) fn count() -> CountSeen {
    CountSeen { entries: 240_000 }
}

pub(super) fn counted() -> FoundSeen {
    let group = |name: &str, entries: u64| json!({ "name": name, "entries": entries, "size_bytes": entries * 512 });
    read(json!({
        "entries": [], "matched": 40, "examined": 120, "cuts": [], "groups": [group("plan", 30), group("", 10)],
    }))
}

pub(super) fn retained() -> RetainedSeen {
    read(json!({
        "is_dry": true,
        "namespaces": {
            "notes": {
                "entries": 12, "size_bytes": 20_480, "max_age": 10, "unaccessed_for": 0, "max_entries": 2, "max_size": 0,
                "keys": ["a", "b"]
            },
            "plans": {
                "entries": 0, "size_bytes": 0, "max_age": 0, "unaccessed_for": 0, "max_entries": 0, "max_size": 0, "keys": []
            },
        },
    }))
}

pub(super) fn taken_up() -> TakenUp {
    read(json!({
        "is_dry": true, "defined": ["plans"], "namespaces": { "plans": { "written": 240_000 }, "shared": { "skipped": 7 } },
        "refused": { "count": 1, "first": [{ "number": 3, "fault": "it names no namespace" }] },
    }))
}

pub(super) fn left_behind() -> NamespaceLeft {
    read(json!({ "namespace": "notes", "entries": 3, "size_bytes": 1_536 }))
}

pub(super) fn backup() -> BackupSeen {
    read(json!({ "file": "/backups/memory-2026-11-21T09-47-56Z.backup", "entries": 240_007, "size_bytes": 41_943_040 }))
}

/// Changes of the store, each an object.
pub(super) fn changes() -> [Value; 4] {
    [
        json!({ "change": "put", "key": "today", "version": 18, "entry": entries()[0] }),
        json!({ "change": "expired", "key": "yesterday", "version": 19 }),
        json!({ "change": "missed", "missed": 7 }),
        json!({ "change": "over" }),
    ]
}

pub(super) fn submitted() -> Vec<Submitted> {
    read(json!([{ "task": 7, "is_known": false }, { "task": 8, "is_known": false }, { "task": 3, "is_known": true }]))
}

pub(super) fn tasks() -> Vec<TaskSeen> {
    let task = |task: u64, state: &str, worker: Option<&str>, percent: Option<u8>, why: Option<&str>| {
        json!({
            "task": task, "kind": "summarise", "state": state, "priority": "normal", "age_ms": 61_000, "ready_for_ms": null,
            "begins_in_ms": null, "deadline_in_ms": 539_000, "is_missed": false, "attempts": 2, "worker": worker,
            "fence": worker.map(|_| 12), "lease_left_ms": worker.map(|_| 21_400), "percent": percent,
            "ended_ago_ms": why.map(|_| 4_000), "why": why, "result": null, "waits_for": [], "needs": ["read"], "wants": null, "key": "proposal-17",
            "labels": { "project": "aviary" }, "parent": null, "body": { "pages": [1, 2] }, "budget": 500, "timeout_ms": 60_000, "retries": 3,
            "late": [{ "fence": 9, "is_done": true, "said": "page 2 is empty" }],
            "past": [{
                "worker": "reviewers/reader-of-long-proposals-2", "fence": 9, "took_ms": 30_000, "why": "page 2 is no text"
            }],
        })
    };
    let reader = Some("reviewers/reader-of-long-proposals-1");
    let mut blocked = task(9, "blocked", None, None, None);
    blocked["waits_for"] = json!([7, 8]);
    read(json!([
        task(7, "running", reader, Some(40), None),
        task(8, "dead", None, None, Some("page 2 is no text")),
        blocked,
    ]))
}

pub(super) fn waited() -> Waited {
    read(
        json!({ "tasks": 10_003, "ended": { "dead": 1, "done": 9_999 }, "troubles": [8], "took_ms": 5_210, "kept_no_more": 3 }),
    )
}

pub(super) fn tasks_changed() -> TasksChanged {
    read(json!({ "change": "cancelled", "tasks": [7, 8, 9] }))
}

pub(super) fn task_stats() -> StatsShown {
    read(json!({
        "submitted": 10_004, "done": 9_997, "failed": 1, "cancelled": 1, "expired": 0, "dead": 2, "open": 3, "leased": 1,
        "body_bytes": 420, "inputs_bytes": 3_000_000, "oldest_ready_ms": 1_250, "ended_kept": 9_999, "dead_kept": 2, "late_kept": 0, "is_draining": true,
    }))
}

pub(super) fn sent() -> Sent {
    read(
        json!({ "id": "000000000000000018b911c0ffee0007", "to": "tools/echo-1", "proof": "done", "result": { "a": 1 }, "took_ms": 2 }),
    )
}

pub(super) fn queued() -> Sent {
    Sent {
        result: None,
        ..read(
            json!({ "id": "000000000000000018b911c0ffee0008", "to": "tools/echo-2", "proof": "queued", "result": null, "took_ms": 0 }),
        )
    }
}

pub(super) fn reloaded() -> Reloaded {
    read(json!({ "changed": ["team tools: echo has 3 replicas"], "needs_restart": ["runtime.span"] }))
}

pub(super) fn stopping() -> Stopping {
    Stopping { pid: 4200 }
}

/// Lines of a log, each an object.
pub(super) fn log_lines() -> [Value; 3] {
    let line = |source: &str, text: &str| json!({ "time": "2026-11-21T09:47:56.486321Z", "incarnation": 3, "source": source, "text": text });
    [
        line("event", "started, pid 4242"),
        line("out", "reading page 1"),
        line("err", "page 2 is no text"),
    ]
}

pub(super) fn begun() -> Begun {
    Begun {
        path: "./triarch.toml".into(),
    }
}

pub(super) fn fault() -> FaultSeen {
    FaultSeen {
        file: Some("triarch.toml".to_owned()),
        line: Some(2),
        column: Some(1),
        variable: None,
        problem: "unknown key `spam` in [runtime]".to_owned(),
        remedy: "write `span`".to_owned(),
        is_warning: false,
    }
}

pub(super) fn recovered() -> Recovery {
    Recovery {
        agent: "demo/worker-1",
        life_before: 1,
        life_after: 2,
        recovered_ms: 256,
    }
}

pub(super) fn findings() -> Findings {
    Findings::of_each_verdict()
}
