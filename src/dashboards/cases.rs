//! For each alert a case in which it fires and one in which it is quiet, as `promtool test rules` reads them.

use std::fmt::Write as _;

use super::json::quoted;
use super::rules::{Alert, HEAD};

/// Series over time, and whether they alert.
pub(super) struct Case {
    pub alert: &'static str,
    pub title: &'static str,
    /// Series, with their values minute by minute in promtool's shorthand.
    pub series: &'static [(&'static str, &'static str)],
    /// When it is looked.
    pub at: &'static str,
    /// The alert's labels and its value as the description has it; nothing where it is quiet.
    pub fires: Option<(&'static [(&'static str, &'static str)], &'static str)>,
}

macro_rules! case {
    ($alert:literal, $title:literal, [$($series:expr => $values:expr),* $(,)?], $at:literal) => {
        Case { alert: $alert, title: $title, series: &[$(($series, $values)),*], at: $at, fires: None }
    };
    ($alert:literal, $title:literal, [$($series:expr => $values:expr),* $(,)?], $at:literal, [$($label:literal = $word:literal),*], $value:literal) => {
        Case { alert: $alert, title: $title, series: &[$(($series, $values)),*], at: $at, fires: Some((&[$(($label, $word)),*], $value)) }
    };
}

/// All cases.
pub(super) fn cases() -> Vec<Case> {
    [
        runtime(),
        supervision(),
        mailboxes(),
        programs_and_logs(),
        bus(),
        tasks(),
        memory(),
        journals(),
        burn(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn runtime() -> Vec<Case> {
    vec![
        case!("TriarchDown", "a scrape fails for minutes", [r#"up{job="triarch",instance="a:7117"}"# => "1 1 0x9"], "5m",
            ["job" = "triarch", "instance" = "a:7117"], ""),
        case!("TriarchDown", "one scrape is missed", [r#"up{job="triarch",instance="a:7117"}"# => "1 1 0 1x9"], "5m"),
        case!("TriarchAbsent", "another job alone is scraped", [r#"up{job="node",instance="a:9100"}"# => "1x20"], "10m",
            ["job" = "triarch"], ""),
        case!("TriarchAbsent", "a runtime is known, though it is down", [r#"up{job="triarch",instance="a:7117"}"# => "0x20"], "10m"),
    ]
}

fn supervision() -> Vec<Case> {
    vec![
        case!("TriarchCrashLoop", "a child panics every minute",
            [r#"triarch_supervisor_restarts_total{job="triarch",instance="a:7117",supervisor="reviewers",reason="panic"}"# => "0+1x30"],
            "20m", ["job" = "triarch", "instance" = "a:7117", "supervisor" = "reviewers"], "10"),
        case!("TriarchCrashLoop", "children that end as they should are restarted",
            [r#"triarch_supervisor_restarts_total{job="triarch",instance="a:7117",supervisor="reviewers",reason="normal"}"# => "0+1x30",
             r#"triarch_supervisor_restarts_total{job="triarch",instance="a:7117",supervisor="reviewers",reason="panic"}"# => "0 1 1 2x27"],
            "20m"),
        case!("TriarchEscalation", "a supervisor gives up once",
            [r#"triarch_supervisor_escalations_total{job="triarch",instance="a:7117",supervisor="reviewers"}"# => "0x5 1x10"],
            "10m", ["job" = "triarch", "instance" = "a:7117", "supervisor" = "reviewers"], ""),
        case!("TriarchEscalation", "it was long ago",
            [r#"triarch_supervisor_escalations_total{job="triarch",instance="a:7117",supervisor="reviewers"}"# => "3x60"], "60m"),
        case!("TriarchQuarantine", "two children stay down",
            [r#"triarch_supervisor_children{job="triarch",instance="a:7117",supervisor="reviewers",state="quarantined"}"# => "0 2x9"],
            "5m", ["job" = "triarch", "instance" = "a:7117", "supervisor" = "reviewers"], "2"),
        case!("TriarchQuarantine", "children only restart",
            [r#"triarch_supervisor_children{job="triarch",instance="a:7117",supervisor="reviewers",state="restarting"}"# => "2x10",
             r#"triarch_supervisor_children{job="triarch",instance="a:7117",supervisor="reviewers",state="quarantined"}"# => "0x10"],
            "5m"),
    ]
}

fn mailboxes() -> Vec<Case> {
    vec![
        case!("TriarchDeadLetters", "they come all the time",
            [r#"triarch_dead_letters_total{job="triarch",instance="a:7117",reason="full"}"# => "0+6x60"],
            "40m", ["job" = "triarch", "instance" = "a:7117", "reason" = "full"], "60"),
        case!("TriarchDeadLetters", "a few came at once",
            [r#"triarch_dead_letters_total{job="triarch",instance="a:7117",reason="full"}"# => "0x20 9x40"], "25m"),
        case!("TriarchMailboxDeep", "a mailbox stays full",
            [r#"triarch_mailbox_messages_max{job="triarch",instance="a:7117",actor_type="writer"}"# => "0 1024x20"],
            "10m", ["job" = "triarch", "instance" = "a:7117", "actor_type" = "writer"], "1.024k"),
        case!("TriarchMailboxDeep", "it fills and is emptied",
            [r#"triarch_mailbox_messages_max{job="triarch",instance="a:7117",actor_type="writer"}"# => "1024 1024 1024 0 1024 1024 1024 0 1024 1024 1024"],
            "10m"),
        case!("TriarchMessagesOld", "nobody takes the oldest",
            [r#"triarch_mailbox_oldest_age_seconds{job="triarch",instance="a:7117",actor_type="writer"}"# => "0+60x20"],
            "10m", ["job" = "triarch", "instance" = "a:7117", "actor_type" = "writer"], "10m 0s"),
        case!("TriarchMessagesOld", "the oldest is young",
            [r#"triarch_mailbox_oldest_age_seconds{job="triarch",instance="a:7117",actor_type="writer"}"# => "50x20"], "10m"),
        case!("TriarchBackpressure", "two senders stand there all the time",
            [r#"triarch_backpressure_wait_seconds_total{job="triarch",instance="a:7117",actor_type="writer"}"# => "0+120x30"],
            "20m", ["job" = "triarch", "instance" = "a:7117", "actor_type" = "writer"], "2"),
        case!("TriarchBackpressure", "one waits now and then",
            [r#"triarch_backpressure_wait_seconds_total{job="triarch",instance="a:7117",actor_type="writer"}"# => "0+6x30"], "20m"),
    ]
}

fn programs_and_logs() -> Vec<Case> {
    vec![
        case!("TriarchProgramSurvivors", "one outlives its stop",
            [r#"triarch_program_survivors_total{job="triarch",instance="a:7117"}"# => "0x5 1x20"],
            "10m", ["job" = "triarch", "instance" = "a:7117"], ""),
        case!("TriarchProgramSurvivors", "none ever did",
            [r#"triarch_program_survivors_total{job="triarch",instance="a:7117"}"# => "0x20"], "10m"),
        case!("TriarchProgramsCritical", "two say nothing for long",
            [r#"triarch_program_agents{job="triarch",instance="a:7117",health="critical"}"# => "0x5 2x15"],
            "10m", ["job" = "triarch", "instance" = "a:7117"], "2"),
        case!("TriarchProgramsCritical", "one is critical until it is started again, and others are slow",
            [r#"triarch_program_agents{job="triarch",instance="a:7117",health="critical"}"# => "0 0 0 0 0 0 0 0 1 0 0",
             r#"triarch_program_agents{job="triarch",instance="a:7117",health="degraded"}"# => "9x20"], "10m"),
        case!("TriarchProgramsHang", "one hangs soon after each start",
            [r#"triarch_program_exits_total{job="triarch",instance="a:7117",reason="silent"}"# => "0+1x30"],
            "20m", ["job" = "triarch", "instance" = "a:7117"], "15"),
        case!("TriarchProgramsHang", "one hung once, and others are stopped in order",
            [r#"triarch_program_exits_total{job="triarch",instance="a:7117",reason="silent"}"# => "0x5 1x25",
             r#"triarch_program_exits_total{job="triarch",instance="a:7117",reason="stopped"}"# => "0+5x30"], "10m"),
        case!("TriarchProgramLogLinesLost", "the disk refuses lines",
            [r#"triarch_program_log_lines_dropped_total{job="triarch",instance="a:7117",reason="disk"}"# => "0+5x20"],
            "10m", ["job" = "triarch", "instance" = "a:7117", "reason" = "disk"], ""),
        case!("TriarchProgramLogLinesLost", "none is lost any more",
            [r#"triarch_program_log_lines_dropped_total{job="triarch",instance="a:7117",reason="disk"}"# => "7x60"], "60m"),
        case!("TriarchLifecycleLinesLost", "the output refuses lines",
            [r#"triarch_telemetry_lost_lines_total{job="triarch",instance="a:7117"}"# => "0+1x20"],
            "10m", ["job" = "triarch", "instance" = "a:7117"], ""),
        case!("TriarchLifecycleLinesLost", "none is lost",
            [r#"triarch_telemetry_lost_lines_total{job="triarch",instance="a:7117"}"# => "0x20"], "10m"),
        case!("TriarchEventsLost", "the disk refuses events",
            [r#"triarch_telemetry_lost_events_total{job="triarch",instance="a:7117"}"# => "0+1x20"],
            "10m", ["job" = "triarch", "instance" = "a:7117"], ""),
        case!("TriarchEventsLost", "none is lost",
            [r#"triarch_telemetry_lost_events_total{job="triarch",instance="a:7117"}"# => "0x20"], "10m"),
    ]
}

fn bus() -> Vec<Case> {
    vec![
        case!("TriarchBusLagging", "a subscriber does nothing",
            [r#"triarch_bus_lag_messages{job="triarch",instance="a:7117",topic="plant.**"}"# => "0+100x40"],
            "30m", ["job" = "triarch", "instance" = "a:7117", "topic" = "plant.**"], "2k"),
        case!("TriarchBusLagging", "much comes at once now and then, and is done",
            [r#"triarch_bus_lag_messages{job="triarch",instance="a:7117",topic="plant.**"}"# => "900x8 0 900x8 0 900x8 0 900x8 0"],
            "30m"),
        case!("TriarchBusDropping", "a subscriber loses some each minute",
            [r#"triarch_bus_dropped_total{job="triarch",instance="a:7117",topic="other",reason="lagged"}"# => "0+3x40"],
            "30m", ["job" = "triarch", "instance" = "a:7117", "topic" = "other", "reason" = "lagged"], "30"),
        case!("TriarchBusDropping", "nobody listens, and some came twice",
            [r#"triarch_bus_dropped_total{job="triarch",instance="a:7117",topic="other",reason="no_subscriber"}"# => "0+9x40",
             r#"triarch_bus_dropped_total{job="triarch",instance="a:7117",topic="other",reason="duplicate"}"# => "0+9x40"],
            "30m"),
        case!("TriarchBusDeadLetters", "a subscriber refuses one every minute",
            [r#"triarch_bus_dead_letters_total{job="triarch",instance="a:7117",cause="failed"}"# => "0+1x70"],
            "60m", ["job" = "triarch", "instance" = "a:7117", "cause" = "failed"], "60"),
        case!("TriarchBusDeadLetters", "a few died when a program ended",
            [r#"triarch_bus_dead_letters_total{job="triarch",instance="a:7117",cause="closed"}"# => "0x10 6x50"], "60m"),
        case!("TriarchBusBreakerOpen", "a subscriber fails at each trial",
            [r#"triarch_bus_breakers_open{job="triarch",instance="a:7117"}"# => "1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0"],
            "22m", ["job" = "triarch", "instance" = "a:7117"], ""),
        case!("TriarchBusBreakerOpen", "it was left alone once",
            [r#"triarch_bus_breakers_open{job="triarch",instance="a:7117"}"# => "0x10 1 1 0x20"], "20m"),
    ]
}

fn tasks() -> Vec<Case> {
    vec![
        case!("TriarchTasksWaiting", "nobody claims the oldest",
            [r#"triarch_task_oldest_ready_age_seconds{job="triarch",instance="a:7117"}"# => "0+60x40"],
            "30m", ["job" = "triarch", "instance" = "a:7117"], "30m 0s"),
        case!("TriarchTasksWaiting", "there is more than is done at once, and it is done in time",
            [r#"triarch_task_oldest_ready_age_seconds{job="triarch",instance="a:7117"}"# => "0+60x14 0+60x14 0+60x14"], "29m"),
        case!("TriarchTasksDead", "one dies every five minutes",
            [r#"triarch_tasks_finished_total{job="triarch",instance="a:7117",task_kind="mail",result="dead"}"# => "0x4 1x4 2x4 3x4 4x4 5x4 6x4 7x4 8x4 9x4 10x4 11x4 12x9"],
            "60m", ["job" = "triarch", "instance" = "a:7117", "task_kind" = "mail"], "12"),
        case!("TriarchTasksDead", "a few died, and many ended otherwise",
            [r#"triarch_tasks_finished_total{job="triarch",instance="a:7117",task_kind="mail",result="dead"}"# => "0x20 3x50",
             r#"triarch_tasks_finished_total{job="triarch",instance="a:7117",task_kind="mail",result="failed"}"# => "0+5x70"], "60m"),
        case!("TriarchLeasesLapsing", "a worker ends at each task",
            [r#"triarch_task_lapses_total{job="triarch",instance="a:7117",task_kind="mail"}"# => "0+1x60"],
            "40m", ["job" = "triarch", "instance" = "a:7117", "task_kind" = "mail"], "30"),
        case!("TriarchLeasesLapsing", "a worker with a few in hand was killed",
            [r#"triarch_task_lapses_total{job="triarch",instance="a:7117",task_kind="mail"}"# => "0x10 4x40"], "20m"),
        case!("TriarchDeadlinesMissed", "workers are too slow for a whole kind",
            [r#"triarch_task_deadlines_missed_total{job="triarch",instance="a:7117",task_kind="mail"}"# => "0+1x70"],
            "60m", ["job" = "triarch", "instance" = "a:7117", "task_kind" = "mail"], "60"),
        case!("TriarchDeadlinesMissed", "a few were late when workers were restarted",
            [r#"triarch_task_deadlines_missed_total{job="triarch",instance="a:7117",task_kind="mail"}"# => "0x10 5x60"], "60m"),
    ]
}

fn memory() -> Vec<Case> {
    vec![
        case!("TriarchMemoryFilling", "a namespace grows, and nothing makes room",
            [r#"triarch_memory_quota_used_ratio{job="triarch",instance="a:7117",namespace="notes"}"# => "0.5x10 0.95x60",
             r#"triarch_memory_quota_used_ratio{job="triarch",instance="a:7117",namespace="plans"}"# => "0.2x70",
             r#"triarch_memory_removed_total{job="triarch",instance="a:7117",cause="evicted"}"# => "0x70",
             r#"triarch_memory_removed_total{job="triarch",instance="a:7117",cause="expired"}"# => "0+9x70"],
            "60m", ["job" = "triarch", "instance" = "a:7117", "namespace" = "notes"], "95%"),
        case!("TriarchMemoryFilling", "a cache is full, as it is meant to be, and makes room for what comes",
            [r#"triarch_memory_quota_used_ratio{job="triarch",instance="a:7117",namespace="pages"}"# => "0.99x70",
             r#"triarch_memory_removed_total{job="triarch",instance="a:7117",cause="evicted"}"# => "0+9x70"], "60m"),
        case!("TriarchMemoryFilling", "it fills, and what is old goes in time",
            [r#"triarch_memory_quota_used_ratio{job="triarch",instance="a:7117",namespace="notes"}"# => "0.95x20 0.6x10 0.95x20"], "50m"),
        case!("TriarchMemoryFull", "an agent writes more and more to a namespace that is full",
            [r#"triarch_memory_writes_total{job="triarch",instance="a:7117",outcome="full"}"# => "0+2x30"],
            "25m", ["job" = "triarch", "instance" = "a:7117"], "20"),
        case!("TriarchMemoryFull", "a batch was too much once, and others did not come at the right time",
            [r#"triarch_memory_writes_total{job="triarch",instance="a:7117",outcome="full"}"# => "0x5 8x25",
             r#"triarch_memory_writes_total{job="triarch",instance="a:7117",outcome="conflict"}"# => "0+50x30"], "12m"),
    ]
}

fn journals() -> Vec<Case> {
    vec![
        case!("TriarchJournalClosed", "the disk takes nothing more",
            [r#"triarch_journal_open{job="triarch",instance="a:7117",journal="work"}"# => "1x5 0x20"],
            "12m", ["job" = "triarch", "instance" = "a:7117", "journal" = "work"], ""),
        case!("TriarchJournalClosed", "it is opened again and fails, over and over",
            [r#"triarch_journal_open{job="triarch",instance="a:7117",journal="work"}"# => "0 0 1 0 0 1 0 0 1 0 0 1 0 0 1"],
            "12m", ["job" = "triarch", "instance" = "a:7117", "journal" = "work"], ""),
        case!("TriarchJournalClosed", "it was opened again soon",
            [r#"triarch_journal_open{job="triarch",instance="a:7117",journal="work"}"# => "1x5 0 0 1x20"], "7m"),
        case!("TriarchJournalFull", "there is no space",
            [r#"triarch_journal_failures_total{job="triarch",instance="a:7117",journal="work",reason="full"}"# => "0x5 0+120x20"],
            "20m", ["job" = "triarch", "instance" = "a:7117", "journal" = "work"], "600"),
        case!("TriarchJournalFull", "somebody made room within seconds, and a commit failed otherwise",
            [r#"triarch_journal_failures_total{job="triarch",instance="a:7117",journal="work",reason="full"}"# => "0x5 6x20",
             r#"triarch_journal_failures_total{job="triarch",instance="a:7117",journal="work",reason="failed"}"# => "0x5 40x20"], "8m"),
        case!("TriarchJournalFailures", "a sync fails once",
            [r#"triarch_journal_failures_total{job="triarch",instance="a:7117",journal="work",reason="failed"}"# => "0x5 1x20"],
            "10m", ["job" = "triarch", "instance" = "a:7117", "journal" = "work"], ""),
        case!("TriarchJournalFailures", "it was long ago, and the disk is full now",
            [r#"triarch_journal_failures_total{job="triarch",instance="a:7117",journal="work",reason="failed"}"# => "3x60",
             r#"triarch_journal_failures_total{job="triarch",instance="a:7117",journal="work",reason="full"}"# => "0+120x60"], "60m"),
    ]
}

const GOOD: &str = r#"triarch_slo_events_total{job="triarch",instance="a:7117",slo="message_latency",outcome="good"}"#;
const BAD: &str = r#"triarch_slo_events_total{job="triarch",instance="a:7117",slo="message_latency",outcome="bad"}"#;
const WANTED: &str = r#"triarch_slo_objective_ratio{job="triarch",instance="a:7117",slo="message_latency"}"#;

fn burn() -> Vec<Case> {
    vec![
        case!("TriarchBurnWithinHour", "a fifth is bad", [GOOD => "0+80x200", BAD => "0+20x200", WANTED => "0.99x200"], "3h",
            ["job" = "triarch", "slo" = "message_latency"], "20%"),
        case!("TriarchBurnWithinHour", "all was bad and is good again",
            [GOOD => "0x120 0+100x80", BAD => "0+100x120 12000x80", WANTED => "0.99x200"], "2h20m"),
        case!("TriarchBurnWithinHour", "of a few events some are bad",
            [GOOD => "0 18+1x200", BAD => "0 5x200", WANTED => "0.99x200"], "20m"),
        case!("TriarchBurnWithinSixHours", "a tenth is bad", [GOOD => "0+90x400", BAD => "0+10x400", WANTED => "0.99x400"], "6h",
            ["job" = "triarch", "slo" = "message_latency"], "10%"),
        case!("TriarchBurnWithinSixHours", "a twentieth is bad", [GOOD => "0+95x400", BAD => "0+5x400", WANTED => "0.99x400"], "6h"),
        case!("TriarchBurnWithinDay", "a twentieth is bad", [GOOD => "0+95x400", BAD => "0+5x400", WANTED => "0.99x400"], "6h",
            ["job" = "triarch", "slo" = "message_latency"], "5%"),
        case!("TriarchBurnWithinDay", "a fiftieth is bad", [GOOD => "0+98x400", BAD => "0+2x400", WANTED => "0.99x400"], "6h"),
        case!("TriarchBurnWithinThreeDays", "a fiftieth is bad", [GOOD => "0+98x400", BAD => "0+2x400", WANTED => "0.99x400"], "6h",
            ["job" = "triarch", "slo" = "message_latency"], "2%"),
        case!("TriarchBurnWithinThreeDays", "as much is bad as may be, and where more is, events are few",
            [GOOD => "0+1000x400", BAD => "0+5x400", WANTED => "0.99x400",
             r#"triarch_slo_events_total{job="triarch",instance="a:7117",slo="recovery",outcome="good"}"# => "0 4x399",
             r#"triarch_slo_events_total{job="triarch",instance="a:7117",slo="recovery",outcome="bad"}"# => "0 4x399",
             r#"triarch_slo_objective_ratio{job="triarch",instance="a:7117",slo="recovery"}"# => "0.99x400"], "1h"),
    ]
}

/// The file of the cases of those `alerts`.
pub(super) fn file(cases: &[Case], alerts: &[Alert]) -> String {
    let mut yaml = format!(
        "{HEAD}rule_files:\n  - ../rules/recording.yml\n  - ../rules/alerts.yml\nevaluation_interval: 1m\ntests:\n"
    );
    for (case, alert) in cases
        .iter()
        .filter_map(|case| Some((case, alerts.iter().find(|alert| alert.name == case.alert)?)))
    {
        yaml.push_str(&test(case, alert));
    }
    yaml
}

fn test(case: &Case, alert: &Alert) -> String {
    let mut yaml = format!(
        "  - name: {}\n    interval: 1m\n    input_series:\n",
        quoted(&format!("{}: {}", case.alert, case.title))
    );
    for (series, values) in case.series {
        let _infallible = write!(yaml, "      - series: '{series}'\n        values: {}\n", quoted(values));
    }
    let _infallible = write!(
        yaml,
        "    alert_rule_test:\n      - eval_time: {}\n        alertname: {}\n        exp_alerts:",
        case.at, case.alert
    );
    match case.fires {
        None => yaml.push_str(" []\n"),
        Some((labels, value)) => yaml.push_str(&expected(alert, labels, value)),
    }
    yaml
}

fn expected(alert: &Alert, labels: &[(&str, &str)], value: &str) -> String {
    let mut yaml = format!(
        "\n          - exp_labels:\n              severity: {}\n",
        alert.severity.word()
    );
    yaml.extend(
        labels
            .iter()
            .map(|(label, word)| format!("              {label}: {}\n", quoted(word))),
    );
    let annotations = [
        ("summary", filled(alert.summary, labels, value)),
        ("description", filled(alert.description, labels, value)),
        ("runbook_url", alert.runbook()),
    ];
    yaml.push_str("            exp_annotations:\n");
    yaml.extend(annotations.map(|(name, text)| format!("              {name}: {}\n", quoted(&text))));
    yaml
}

/// `template` as Prometheus fills it in.
fn filled(template: &str, labels: &[(&str, &str)], value: &str) -> String {
    let mut text = labels.iter().fold(template.to_owned(), |text, (label, word)| {
        text.replace(&format!("{{{{ $labels.{label} }}}}"), word)
    });
    while let Some((begin, end)) = text
        .find("{{ $value")
        .and_then(|begin| Some((begin, begin + text[begin..].find("}}")? + 2)))
    {
        text.replace_range(begin..end, value);
    }
    text
}
