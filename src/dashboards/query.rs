//! Queries, written short.

/// What every query of a board asks for: the chosen jobs and instances.
const CHOSEN: &str = r#"job=~"$job",instance=~"$instance""#;
/// The chosen teams beside them, where a family tells supervisors apart.
const CHOSEN_TEAM: &str = r#"job=~"$job",instance=~"$instance",supervisor=~"$team""#;

/// One query of a panel.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// As Grafana sends it, its variables not filled in.
    pub expr: String,
    /// What its lines are called.
    pub legend: &'static str,
}

/// A query, written short:
///
/// - `{@…}` selects what the reader chose, `{@team…}` the teams too;
/// - `[@]` is the span that goes with the step of a drawing, `[*]` all that is looked at.
pub(super) fn query(short: &str, legend: &'static str) -> Query {
    let expr = short
        .replace("{@team", &format!("{{{CHOSEN_TEAM}"))
        .replace("{@", &format!("{{{CHOSEN}"))
        .replace("[@]", "[$__rate_interval]")
        .replace("[*]", "[$__range]");
    Query { expr, legend }
}

/// The `most` highest lines of `short` at the end of what is looked at, and these all the way.
///
/// A plain `topk` chooses anew at each step, and so draws many more lines than it says.
pub(super) fn highest(most: u32, short: &str, legend: &'static str) -> Query {
    query(&format!("{short} and topk({most}, {})", at_the_end(short)), legend)
}

fn at_the_end(short: &str) -> String {
    let mut pinned = String::new();
    let mut rest = short.chars().peekable();
    while let Some(c) = rest.next() {
        pinned.push(c);
        if c == ']' || (c == '}' && rest.peek() != Some(&'[')) {
            pinned.push_str(" @ end()");
        }
    }
    pinned
}

/// The time that `share` of what fell into the buckets of `histogram` stayed within, told apart by `label` if one is given.
pub(super) fn quantile(share: f64, histogram: &str, by: &[&str], legend: &'static str) -> Query {
    query(&quantile_of(share, histogram, by), legend)
}

/// Within which time half of what fell into the buckets of `histogram` stayed, and 99 %.
pub(super) fn within(histogram: &str) -> Vec<Query> {
    vec![
        quantile(0.5, histogram, &[], "half within"),
        quantile(0.99, histogram, &[], "99 % within"),
    ]
}

/// How much fell into each bucket of `histogram`.
pub(super) fn buckets(histogram: &str) -> Query {
    query(&format!("sum by (le) (increase({histogram}_bucket{{@}}[@]))"), "{{le}}")
}

/// As [`quantile`], of the `most` highest.
pub(super) fn highest_quantile(
    most: u32,
    share: f64,
    histogram: &str,
    label: &'static str,
    legend: &'static str,
) -> Query {
    highest(most, &quantile_of(share, histogram, &[label]), legend)
}

fn quantile_of(share: f64, histogram: &str, by: &[&str]) -> String {
    let by = [by, &["le"]].concat().join(", ");
    format!("histogram_quantile({share}, sum by ({by}) (rate({histogram}_bucket{{@}}[@])))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_become_what_grafana_fills_in() {
        assert_eq!(
            query("rate(a{@team,b=\"c\"}[@]) + increase(d{@}[*])", "").expr,
            "rate(a{job=~\"$job\",instance=~\"$instance\",supervisor=~\"$team\",b=\"c\"}[$__rate_interval]) \
             + increase(d{job=~\"$job\",instance=~\"$instance\"}[$__range])"
        );
    }

    #[test]
    fn the_highest_are_chosen_at_the_end() {
        assert_eq!(at_the_end("max by (a) (b{@})"), "max by (a) (b{@} @ end())");
        assert_eq!(at_the_end("rate(b{@}[@])"), "rate(b{@}[@] @ end())");
    }
}
