//! The alerts. Each has its section in `docs/RUNBOOK.md`, and a case in which it fires and one in which it is quiet.

use super::rules::{Alert, Severity};

/// Whether the runtime is there at all.
pub(super) fn runtime() -> Vec<Alert> {
    vec![
        Alert {
            name: "TriarchDown",
            expr: "up{job=\"triarch\"} == 0".to_owned(),
            wait: "1m",
            severity: Severity::Page,
            summary: "The runtime on {{ $labels.instance }} does not answer.",
            description: "Prometheus has not been able to read its metrics for a minute.",
        },
        Alert {
            name: "TriarchAbsent",
            expr: "absent(up{job=\"triarch\"})".to_owned(),
            wait: "5m",
            severity: Severity::Page,
            summary: "Prometheus knows of no runtime.",
            description: "There is no target of the job triarch, so nothing else here can alert.",
        },
    ]
}

/// What fails and is restarted.
pub(super) fn supervision() -> Vec<Alert> {
    vec![
        Alert {
            name: "TriarchCrashLoop",
            expr: "sum by (job, instance, supervisor) \
                   (increase(triarch_supervisor_restarts_total{reason=~\"error|panic|killed\"}[10m])) > 5"
                .to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Children of {{ $labels.supervisor }} on {{ $labels.instance }} fail over and over.",
            description: "{{ $value | humanize }} restarts after failures within ten minutes.",
        },
        Alert {
            name: "TriarchEscalation",
            expr: "sum by (job, instance, supervisor) (increase(triarch_supervisor_escalations_total[15m])) > 0"
                .to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "The supervisor {{ $labels.supervisor }} on {{ $labels.instance }} gave up.",
            description: "Its children failed more often than it bears, so it failed itself and its parent restarted it with all of them.",
        },
        Alert {
            name: "TriarchQuarantine",
            expr: "sum by (job, instance, supervisor) (triarch_supervisor_children{state=\"quarantined\"}) > 0"
                .to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Children of {{ $labels.supervisor }} on {{ $labels.instance }} are quarantined.",
            description: "{{ $value | humanize }} of them failed too often and stay down until somebody retries them.",
        },
    ]
}

/// What waits, and what is lost.
pub(super) fn mailboxes() -> Vec<Alert> {
    vec![
        Alert {
            name: "TriarchDeadLetters",
            expr: "sum by (job, instance, reason) (increase(triarch_dead_letters_total[10m])) > 10".to_owned(),
            wait: "10m",
            severity: Severity::Ticket,
            summary: "Dead letters keep coming on {{ $labels.instance }}: {{ $labels.reason }}.",
            description: "{{ $value | humanize }} messages within ten minutes reached no handler, or none that survived them.",
        },
        Alert {
            name: "TriarchMailboxDeep",
            expr: "max by (job, instance, actor_type) (triarch_mailbox_messages_max) >= 1000".to_owned(),
            wait: "5m",
            severity: Severity::Ticket,
            summary: "A mailbox of {{ $labels.actor_type }} on {{ $labels.instance }} is deep.",
            description: "{{ $value | humanize }} messages wait in it, and a thousand have for five minutes.",
        },
        Alert {
            name: "TriarchMessagesOld",
            expr: "max by (job, instance, actor_type) (triarch_mailbox_oldest_age_seconds) > 60".to_owned(),
            wait: "5m",
            severity: Severity::Ticket,
            summary: "Messages to {{ $labels.actor_type }} on {{ $labels.instance }} wait long.",
            description: "The oldest has waited for {{ $value | humanizeDuration }}.",
        },
        Alert {
            name: "TriarchBackpressure",
            expr: "sum by (job, instance, actor_type) (rate(triarch_backpressure_wait_seconds_total[5m])) > 0.5"
                .to_owned(),
            wait: "10m",
            severity: Severity::Ticket,
            summary: "Senders to {{ $labels.actor_type }} on {{ $labels.instance }} are held back.",
            description: "On average {{ $value | humanize }} of them stand before its full mailboxes.",
        },
    ]
}

/// What programs leave behind, and what logs lose.
pub(super) fn programs_and_logs() -> Vec<Alert> {
    vec![
        Alert {
            name: "TriarchProgramSurvivors",
            expr: "sum by (job, instance) (increase(triarch_program_survivors_total[1h])) > 0".to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Processes of a program outlived their stop on {{ $labels.instance }}.",
            description: "They were killed and were still there afterwards; nobody watches them any more.",
        },
        Alert {
            name: "TriarchProgramsCritical",
            expr: "sum by (job, instance) (triarch_program_agents{health=~\"critical|failed\"}) > 0".to_owned(),
            wait: "3m",
            severity: Severity::Ticket,
            summary: "Programs on {{ $labels.instance }} give no sign of life.",
            description: "{{ $value | humanize }} of those that declare a heartbeat are critical, and some have been for three minutes.",
        },
        Alert {
            name: "TriarchProgramsHang",
            expr: "sum by (job, instance) (increase(triarch_program_exits_total{reason=\"silent\"}[15m])) > 2"
                .to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Programs on {{ $labels.instance }} hang over and over.",
            description: "{{ $value | humanize }} times within fifteen minutes one was killed and started again since it gave no sign of life.",
        },
        Alert {
            name: "TriarchProgramLogLinesLost",
            expr: "sum by (job, instance, reason) (increase(triarch_program_log_lines_dropped_total[15m])) > 0"
                .to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Lines of programs' logs are lost on {{ $labels.instance }}: {{ $labels.reason }}.",
            description: "What the programs said within the last fifteen minutes is not all on disk.",
        },
        Alert {
            name: "TriarchLifecycleLinesLost",
            expr: "sum by (job, instance) (increase(triarch_telemetry_lost_lines_total[15m])) > 0".to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Lines of the lifecycle log are lost on {{ $labels.instance }}.",
            description: "The output refused them, so the log does not tell of every start and end.",
        },
        Alert {
            name: "TriarchEventsLost",
            expr: "sum by (job, instance) (increase(triarch_telemetry_lost_events_total[15m])) > 0".to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Events of agents are lost on {{ $labels.instance }}.",
            description: "The disk refused them, so the next runtime will not know all that happened in this one.",
        },
    ]
}

/// Subscribers that fall behind, or fail.
pub(super) fn bus() -> Vec<Alert> {
    vec![
        Alert {
            name: "TriarchBusLagging",
            expr: "min by (job, instance, topic) (min_over_time(triarch_bus_lag_messages[10m])) > 500".to_owned(),
            wait: "5m",
            severity: Severity::Ticket,
            summary: "A subscriber to {{ $labels.topic }} on {{ $labels.instance }} falls behind.",
            description: "{{ $value | humanize }} envelopes or more have waited for it all the last ten minutes.",
        },
        // What has no subscriber, came twice or was for one that ended is meant to be dropped.
        Alert {
            name: "TriarchBusDropping",
            expr: "sum by (job, instance, topic, reason) \
                   (increase(triarch_bus_dropped_total{reason=~\"lagged|full|expired\"}[10m])) > 10"
                .to_owned(),
            wait: "5m",
            severity: Severity::Ticket,
            summary: "Subscribers to {{ $labels.topic }} on {{ $labels.instance }} lose envelopes: {{ $labels.reason }}.",
            description: "{{ $value | humanize }} within ten minutes, and they are kept nowhere.",
        },
        Alert {
            name: "TriarchBusDeadLetters",
            expr: "sum by (job, instance, cause) (increase(triarch_bus_dead_letters_total[1h])) > 10".to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Dead letters of the bus keep coming on {{ $labels.instance }}: {{ $labels.cause }}.",
            description: "{{ $value | humanize }} envelopes within the hour could not be delivered.",
        },
        // On average, since one that is tried again and fails at once is closed now and then.
        Alert {
            name: "TriarchBusBreakerOpen",
            expr: "max by (job, instance) (avg_over_time(triarch_bus_breakers_open[10m])) > 0.5".to_owned(),
            wait: "5m",
            severity: Severity::Ticket,
            summary: "A subscriber on {{ $labels.instance }} fails again and again, and is left alone.",
            description: "What is for it waits meanwhile, as far as its bound has room.",
        },
    ]
}

/// Tasks that nobody does, or nobody can.
pub(super) fn tasks() -> Vec<Alert> {
    vec![
        Alert {
            name: "TriarchTasksWaiting",
            expr: "max by (job, instance) (triarch_task_oldest_ready_age_seconds) > 600".to_owned(),
            wait: "10m",
            severity: Severity::Ticket,
            summary: "Tasks on {{ $labels.instance }} wait long for a worker.",
            description: "The oldest that is ready has been so for {{ $value | humanizeDuration }}.",
        },
        Alert {
            name: "TriarchTasksDead",
            expr: "sum by (job, instance, task_kind) (increase(triarch_tasks_finished_total{result=\"dead\"}[1h])) > 5"
                .to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Tasks of the kind {{ $labels.task_kind }} keep dying on {{ $labels.instance }}.",
            description: "{{ $value | humanize }} of them within the hour failed, or were lost, as often as they may.",
        },
        Alert {
            name: "TriarchLeasesLapsing",
            expr: "sum by (job, instance, task_kind) (increase(triarch_task_lapses_total[30m])) > 5".to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Workers on {{ $labels.instance }} leave tasks of the kind {{ $labels.task_kind }} without a word.",
            description: "{{ $value | humanize }} leases lapsed within half an hour; each such task is begun anew.",
        },
        Alert {
            name: "TriarchDeadlinesMissed",
            expr: "sum by (job, instance, task_kind) (increase(triarch_task_deadlines_missed_total[1h])) > 5"
                .to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "Tasks of the kind {{ $labels.task_kind }} miss their deadlines on {{ $labels.instance }}.",
            description: "{{ $value | humanize }} of them within the hour were open when their deadline passed.",
        },
    ]
}

/// Namespaces that are full, or soon will be.
pub(super) fn memory() -> Vec<Alert> {
    vec![
        // A namespace that makes room for itself is meant to be full, and no label tells which those are.
        Alert {
            name: "TriarchMemoryFilling",
            expr: "max by (job, instance, namespace) (triarch_memory_quota_used_ratio) > 0.9 \
                   unless on (job, instance) \
                   sum by (job, instance) (increase(triarch_memory_removed_total{cause=\"evicted\"}[1d])) > 0"
                .to_owned(),
            wait: "30m",
            severity: Severity::Ticket,
            summary: "The namespace {{ $labels.namespace }} on {{ $labels.instance }} is nearly full.",
            description: "{{ $value | humanizePercentage }} of its entries, or of its bytes, are taken; its writers are refused once that is all.",
        },
        Alert {
            name: "TriarchMemoryFull",
            expr: "sum by (job, instance) (increase(triarch_memory_writes_total{outcome=\"full\"}[10m])) > 10"
                .to_owned(),
            wait: "5m",
            severity: Severity::Ticket,
            summary: "Writers to the store on {{ $labels.instance }} are refused, for there is no room.",
            description: "{{ $value | humanize }} writes within ten minutes were more than the quota of their namespace has room for.",
        },
    ]
}

/// What rooms cannot put on disk, and so do not acknowledge.
pub(super) fn journals() -> Vec<Alert> {
    vec![
        // On average, since one that is opened again and fails at once is open now and then.
        Alert {
            name: "TriarchJournalClosed",
            expr: "min by (job, instance, journal) (avg_over_time(triarch_journal_open[5m])) < 0.5".to_owned(),
            wait: "1m",
            severity: Severity::Page,
            summary: "The journal {{ $labels.journal }} on {{ $labels.instance }} takes no records.",
            description: "Nothing of its room is acknowledged until the disk takes something again.",
        },
        Alert {
            name: "TriarchJournalFull",
            expr:
                "sum by (job, instance, journal) (increase(triarch_journal_failures_total{reason=\"full\"}[5m])) > 10"
                    .to_owned(),
            wait: "0m",
            severity: Severity::Page,
            summary: "The disk of the journal {{ $labels.journal }} on {{ $labels.instance }} is full.",
            description: "{{ $value | humanize }} commits within five minutes found no space: nothing is lost, and nothing new is acknowledged.",
        },
        Alert {
            name: "TriarchJournalFailures",
            expr:
                "sum by (job, instance, journal) (increase(triarch_journal_failures_total{reason=\"failed\"}[15m])) > 0"
                    .to_owned(),
            wait: "0m",
            severity: Severity::Ticket,
            summary: "The disk of the journal {{ $labels.journal }} on {{ $labels.instance }} fails.",
            description: "A write or a sync failed within the last fifteen minutes, and not for want of space; the journal was closed and opened again.",
        },
    ]
}

/// Budgets of objectives that are spent too fast. The short span ends the alert soon after the trouble ends; fewer than
/// ten bad events alert nobody, for where events are few one is a large part of them.
pub(super) fn burn() -> Vec<Alert> {
    let expr = |factor: &str, long: &str, short: &str| {
        format!(
            "slo:triarch_slo_bad:ratio_rate{long} > {factor} * slo:triarch_slo_budget:ratio \
             and slo:triarch_slo_bad:ratio_rate{short} > {factor} * slo:triarch_slo_budget:ratio \
             and slo:triarch_slo_bad:increase{long} >= 10"
        )
    };
    let alert = |name, expr, severity, description| Alert {
        name,
        expr,
        wait: "2m",
        severity,
        summary: "The objective {{ $labels.slo }} is being missed.",
        description,
    };
    vec![
        alert(
            "TriarchBurnWithinHour",
            expr("14.4", "1h", "5m"),
            Severity::Page,
            "{{ $value | humanizePercentage }} of its events within the hour were bad: a budget for thirty days lasts two.",
        ),
        alert(
            "TriarchBurnWithinSixHours",
            expr("6", "6h", "30m"),
            Severity::Page,
            "{{ $value | humanizePercentage }} of its events within six hours were bad: a budget for thirty days lasts five.",
        ),
        alert(
            "TriarchBurnWithinDay",
            expr("3", "1d", "2h"),
            Severity::Ticket,
            "{{ $value | humanizePercentage }} of its events within the day were bad: a budget for thirty days lasts ten.",
        ),
        alert(
            "TriarchBurnWithinThreeDays",
            expr("1", "3d", "6h"),
            Severity::Ticket,
            "{{ $value | humanizePercentage }} of its events within three days were bad: a budget for thirty days will be gone by then or before.",
        ),
    ]
}
