//! Scrapes, rules and every panel of every dashboard, beside a fleet that has every kind of trouble.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::boards::{Question, STEP, boards, choices, questions, titles};
use crate::prometheus::{Answer, Prometheus, escaped};
use crate::running::{House, free_port};
use crate::{GRAFANA, PATIENCE, tell};

const DEMO: &str = include_str!("../../actors/teams/demo.toml");
const TROUBLE: &str = include_str!("fleet.toml");
/// Work for the fleet: what is done, and what ends in each way that is drawn.
const TASKS: &str = include_str!("tasks.jsonl");
const AGENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/agents");
/// More supervisors than the label that tells them apart has room for; and later still more.
const CROWD: usize = 30;
/// What a query of a dashboard may take.
const QUICK: Duration = Duration::from_millis(500);

/// What shows nothing but 0 here, and why.
const STILL: [(&str, &str); 17] = [
    ("tasks / In hand B", "nobody drains it here"),
    (
        "overview / Survivors A",
        "a process that outlives its kill is a fault of the runtime",
    ),
    ("programs / Survivors A", "the same"),
    (
        "overview / Series B",
        "no library here counts under a name of the catalogue",
    ),
    ("programs / Log lines lost A", "lines are lost where the disk is full"),
    ("programs / Log lines B", "the same"),
    ("programs / Log lines C", "so are records of ends"),
    ("overview / Events on disk B", "the same"),
    (
        "storage / Failed commits A",
        "commits fail where the disk is full, or fails",
    ),
    ("storage / Failures by reason A", "the same"),
    (
        "overview / Not delivered B",
        "nobody who subscribes here fails at what it gets",
    ),
    ("overview / Subscriptions B", "the same"),
    ("overview / Kept A", "the same"),
    (
        "overview / Refused A",
        "everybody may publish and subscribe here where it does",
    ),
    ("overview / Refused B", "no filter here asks for what a payload says"),
    (
        "storage / Gone and refused B",
        "everybody may do in the store what it does",
    ),
    ("overview / Gone and refused B", "the same"),
];
/// What mostly shows 0, since it passes between two scrapes.
const SELDOM: [&str; 2] = ["overview / Tasks B", "overview / Slowest subscription A"];
/// What moves once nobody reads the runtime's log any more, and more teams have come.
const LATER: [&str; 2] = ["overview / Lifecycle lines C", "overview / Folded label values A"];

/// What a panel was seen to show.
struct Seen {
    question: Question,
    answer: Answer,
}

impl Seen {
    fn not_yet(question: Question) -> Self {
        Self {
            question,
            answer: Answer::default(),
        }
    }

    fn name(&self) -> &str {
        &self.question.name
    }

    fn is_silent(&self) -> bool {
        self.answer.numbers == 0
    }

    fn is_still(&self) -> bool {
        self.answer.moved == 0
    }
}

/// A fleet that brings about all that is drawn, but for what [`STILL`] names.
fn fleet(crowd: usize) -> String {
    let team = |number| format!("\n[[team]]\nname = \"crowd-{number}\"\n");
    let crowd: String = (1..=crowd).map(team).collect();
    format!("{DEMO}\n{}{crowd}", TROUBLE.replace("{agents}", AGENTS))
}

/// A runtime before this one, which ended in the middle of a write: room was made in its journal, and nothing written there.
fn ended_in_a_write(house: &House) {
    drop(house.up(&[]));
    let files = fs::read_dir(house.path().join("state/work")).unwrap();
    let segments = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "segment"));
    let mut last = fs::OpenOptions::new()
        .append(true)
        .open(segments.max().unwrap())
        .unwrap();
    last.write_all(&[0; 64]).unwrap();
}

/// What people and strangers do to it: they ask, they are sent away, they wait before a full mailbox, they submit tasks.
fn stir(house: &House) {
    house.get_as("elsewhere.example", "/metrics");
    house.json(&["status"]);
    house.json(&["agent", "send", "office/clerk", "1"]);
    house.json(&["task", "submit", "--file", "tasks.jsonl"]);
    for arguments in [
        &["bus", "publish", "watched.news", "1"][..],
        &["memory", "put", "shared", "animals/1", "a red fox"],
        &["memory", "get", "shared", "animals/1"],
        &["memory", "search", "--text", "fox"],
        &["memory", "put", "shared", "animals/2", "a hen", "--ttl", "100ms"],
        &["memory", "compact"],
        &["bus", "publish", "watched.news", "2", "--after", "5s"],
    ] {
        house.json(arguments);
    }
}

/// Asks until each query has shown all that it is to show, or patience ends. Those in `excused` may show nothing but 0.
fn look(house: &House, prometheus: &Prometheus, seen: &mut [Seen], excused: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    let lacks = |seen: &Seen| seen.is_silent() || (seen.is_still() && !excused.contains(&seen.name()));
    while seen.iter().any(lacks) && Instant::now() < deadline {
        stir(house);
        for one in seen.iter_mut().filter(|one| lacks(one)) {
            if let Some(answer) = ask(prometheus, &one.question) {
                one.answer = answer;
            }
        }
    }
    let named = |lacks: fn(&Seen) -> bool| seen.iter().filter(move |one| lacks(one)).map(Seen::name);
    let silent: Vec<_> = named(Seen::is_silent).collect();
    assert!(silent.is_empty(), "these show nothing: {silent:#?}");
    let still: Vec<_> = named(Seen::is_still).filter(|name| !excused.contains(name)).collect();
    assert!(still.is_empty(), "these show nothing but 0: {still:#?}");
}

fn ask(prometheus: &Prometheus, question: &Question) -> Option<Answer> {
    prometheus.query(&question.expr, (!question.is_instant).then_some(STEP))
}

#[test]
fn every_panel_shows_what_there_is_and_is_quick() {
    let house = House::new();
    ended_in_a_write(&house);
    house.write("tasks.jsonl", TASKS);
    house.write("triarch.toml", &fleet(CROWD));
    let mut runtime = house.up(&[]);
    let _listener = house.begin(&["bus", "subscribe", "watched.**"]);
    let prometheus = Prometheus::start(&house, Some("1s"), free_port());
    let asked = boards()
        .into_iter()
        .flat_map(|(name, board)| questions(&name, &board, 1));
    let mut seen: Vec<_> = asked.map(Seen::not_yet).collect();

    let excused: Vec<_> = STILL.iter().map(|(name, _)| *name).chain(SELDOM).collect();
    look(&house, &prometheus, &mut seen, &[&excused[..], &LATER].concat());
    runtime.stop_reading();
    house.write("triarch.toml", &fleet(CROWD + CROWD / 2));
    house.json(&["reload"]);
    look(&house, &prometheus, &mut seen, &excused);
    for (name, _) in STILL {
        let one = seen.iter().find(|one| one.name() == name);
        assert!(one.is_some_and(Seen::is_still), "{name} needs no excuse");
    }
    is_scraped_without_a_fault(&prometheus);
    can_be_chosen_from(&prometheus);
    are_quick(&prometheus, &seen);
    can_be_drawn(&house, &prometheus);
}

/// What Prometheus says of its target and of the rules.
fn is_scraped_without_a_fault(prometheus: &Prometheus) {
    let targets = prometheus.ask("/api/v1/targets").unwrap();
    let target = &targets["activeTargets"][0];
    assert_eq!(
        (&target["health"], &target["lastError"]),
        (&"up".into(), &"".into()),
        "{target}"
    );
    let always = prometheus.query("min_over_time(up[1h])", None).unwrap();
    assert_eq!((always.numbers, always.moved), (1, 1), "a scrape failed");
    let groups = prometheus.ask("/api/v1/rules").unwrap();
    let groups = groups["groups"].as_array().unwrap();
    let rules: Vec<_> = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    assert!(!rules.is_empty());
    for rule in rules {
        assert!(rule["health"] == "ok" && rule.get("lastError").is_none(), "{rule}");
    }
}

/// Whether the variables of each board have something to choose from.
fn can_be_chosen_from(prometheus: &Prometheus) {
    for (name, board) in boards() {
        for (series, label) in choices(&board) {
            let path = format!("/api/v1/label/{label}/values?match[]={}", escaped(&series));
            let values = prometheus.ask(&path).unwrap();
            assert!(!values.as_array().unwrap().is_empty(), "{name}: {label} of {series}");
        }
    }
}

/// Whether the boards can be drawn as they are for the documents, with every row open.
fn can_be_drawn(house: &House, prometheus: &Prometheus) {
    for (name, board) in boards() {
        let picture = house.path().join(format!("{name}.svg"));
        let rows = board["panels"].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["type"] == "row");
        let status = Command::new("python3")
            .arg("-B")
            .arg(format!("{GRAFANA}/draw/board.py"))
            .arg(format!("{GRAFANA}/dashboards/{name}.json"))
            .arg(&picture)
            .args(["--prometheus", &prometheus.address(), "--scrape", "1", "--open"])
            .args(rows.map(|row| row["title"].as_str().unwrap()))
            .status()
            .unwrap();
        assert!(status.success(), "{name}");
        let drawn = fs::read_to_string(picture).unwrap();
        for title in titles(&board) {
            let title = title.replace('&', "&amp;");
            assert!(drawn.contains(&format!(">{title}<")), "{name} lacks {title}");
        }
    }
}

/// The middle one of several tries counts, as Prometheus measures it, so that a busy machine is no fault.
fn are_quick(prometheus: &Prometheus, seen: &[Seen]) {
    let mut times = Vec::new();
    for one in seen {
        let mut tries = [(); 5].map(|()| ask(prometheus, &one.question).unwrap().took);
        tries.sort_unstable();
        times.push((tries[2], one.name()));
    }
    times.sort_unstable();
    for (time, name) in times.iter().rev().take(3) {
        tell(&format!("{:>6.1} ms  {name}", time.as_secs_f64() * 1e3));
    }
    tell(&format!("{} queries, the slowest above", seen.len()));
    let (slowest, name) = times.last().unwrap();
    assert!(*slowest < QUICK, "{name} takes {slowest:?}");
}

#[test]
fn the_page_is_as_prometheus_wants_pages() {
    let house = House::new();
    let _runtime = house.up(&[]);
    let (_, page) = house.get("/metrics");
    let lines = fs::read_to_string(house.write("page", &page)).unwrap();
    assert!(lines.contains("triarch_build_info"), "{lines}");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}
