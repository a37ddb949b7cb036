//! How a program is, as people read it.

use super::screen::{Screen, Tint, harmless};
use super::show::{ago, counted, span};
use crate::operations::HealthSeen;

/// What there is to say of it, by name; empty where there is nothing.
pub(super) fn facts(screen: &Screen, health: Option<&HealthSeen>) -> [(&'static str, String); 5] {
    let words = |words: fn(&HealthSeen) -> String| health.map(words).unwrap_or_default();
    [
        (
            "health",
            health.map_or_else(String::new, |health| state(screen, health)),
        ),
        ("last sign", words(last_sign)),
        ("answers", words(answers)),
        ("last answer", words(last_answer)),
        ("recovered", words(recovered)),
    ]
}

fn state(screen: &Screen, health: &HealthSeen) -> String {
    let tint = match health.state.as_str() {
        "healthy" => Tint::Good,
        "degraded" => Tint::Poor,
        "critical" | "failed" => Tint::Bad,
        _ => Tint::Faint,
    };
    let state = screen.tint(tint, &health.state);
    match &health.reason {
        Some(reason) => format!("{state}, {}", harmless(reason)),
        None => state,
    }
}

fn last_sign(health: &HealthSeen) -> String {
    health.last_sign_ms.map(ago).unwrap_or_default()
}

fn last_answer(health: &HealthSeen) -> String {
    health.last_answer_ms.map(ago).unwrap_or_default()
}

fn answers(health: &HealthSeen) -> String {
    let Some(now) = health.answers_in_ms else {
        return String::new();
    };
    let usually = health
        .usually_in_ms
        .map_or_else(String::new, |usual| format!(", usually {}", short(usual)));
    let failures = health.failures.map_or_else(String::new, |share| {
        format!("; {:.0} % of the last failed", share * 100.0)
    });
    format!(
        "{}, in {}{usually}{failures}",
        counted(health.answers, "post"),
        short(now)
    )
}

fn recovered(health: &HealthSeen) -> String {
    let told = |millis| format!("{} after its last fall", short(millis));
    health.recovered_in_ms.map(told).unwrap_or_default()
}

fn short(millis: u64) -> String {
    match millis {
        0 => "less than 1 ms".to_owned(),
        millis => span(millis),
    }
}
