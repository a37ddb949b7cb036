//! The overview's row of details for the bus.

use super::board::{Row, details};
use super::panel::{Panel, Unit};
use super::query::{query, within};

pub(super) fn bus() -> Row {
    let panels = [flow(), trouble()].into_iter().flatten();
    details("Bus", panels.map(|panel| panel.sized(6, 8)).collect())
}

fn flow() -> [Panel; 4] {
    [
        Panel::lines(
            "Published and delivered",
            "Envelopes per second that were published, and that subscribers got or acknowledged, by topic as they are counted.",
            Unit::PerSecond,
            vec![
                query(
                    "sum by (topic) (rate(triarch_bus_published_total{@}[@]))",
                    "published on {{topic}}",
                ),
                query(
                    "sum by (topic) (rate(triarch_bus_delivered_total{@}[@]))",
                    "delivered of {{topic}}",
                ),
            ],
        ),
        Panel::lines(
            "Time to deliver",
            "From publication to a subscriber's hands, or to its acknowledgement where that is asked for.",
            Unit::Seconds,
            within("triarch_bus_delivery_seconds"),
        ),
        Panel::lines(
            "Slowest subscription",
            "Envelopes that wait for the slowest subscription, by topic. What grows becomes what is dropped, or dead.",
            Unit::Count,
            vec![query("max by (topic) (triarch_bus_lag_messages{@})", "{{topic}}")],
        ),
        Panel::lines(
            "Bytes published",
            "Bytes of payloads per second, by topic.",
            Unit::BytesPerSecond,
            vec![query(
                "sum by (topic) (rate(triarch_bus_payload_bytes_total{@}[@]))",
                "{{topic}}",
            )],
        ),
    ]
}

fn trouble() -> [Panel; 4] {
    [
        Panel::lines(
            "Not delivered",
            "Envelopes per second that were dropped, by reason, and that became dead letters, by cause.",
            Unit::PerSecond,
            vec![
                query(
                    "sum by (reason) (rate(triarch_bus_dropped_total{@}[@]))",
                    "dropped: {{reason}}",
                ),
                query(
                    "sum by (cause) (rate(triarch_bus_dead_letters_total{@}[@]))",
                    "dead: {{cause}}",
                ),
            ],
        ),
        Panel::lines(
            "Refused",
            "Publications and subscriptions per second that were refused, by reason, and payloads that no filter can read.",
            Unit::PerSecond,
            vec![
                query("sum by (reason) (rate(triarch_bus_refused_total{@}[@]))", "{{reason}}"),
                query("sum(rate(triarch_bus_unreadable_total{@}[@]))", "unreadable"),
            ],
        ),
        Panel::lines(
            "Subscriptions",
            "Subscriptions by the counted topics of which they hear some, and those that get nothing for a while because they failed again and again.",
            Unit::Count,
            vec![
                query("sum by (topic) (triarch_bus_subscribers{@})", "{{topic}}"),
                query("sum(triarch_bus_breakers_open{@})", "left alone"),
            ],
        ),
        Panel::lines(
            "Kept",
            "Dead letters that can be replayed, and envelopes that are to be published later.",
            Unit::Count,
            vec![
                query("sum(triarch_bus_dead_letters_kept{@})", "dead letters"),
                query("sum(triarch_bus_delayed_messages{@})", "later"),
            ],
        ),
    ]
}
