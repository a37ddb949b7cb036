//! What a query answers with: which labels, at most how many lines. Names outside the catalogue are faults.

use std::collections::BTreeMap;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector, parse,
};
use triarch_supervision::metrics::{Catalogue, Family, Label, Measure, Values};

/// The labels that Prometheus adds; a board looks at a chosen runtime.
const TARGET: [&str; 2] = ["job", "instance"];
/// Series that Prometheus has of its own.
const OF_PROMETHEUS: [(&str, &[&str]); 2] = [("up", &[]), ("ALERTS", &["alertname", "alertstate", "severity"])];

/// The labels of an answer, each with the most values it takes, and the most lines there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub labels: BTreeMap<String, usize>,
    most: Option<usize>,
}

impl Outcome {
    fn of<'a>(labels: impl IntoIterator<Item = (&'a str, usize)>) -> Self {
        let labels = labels.into_iter().map(|(label, values)| (label.to_owned(), values));
        Self {
            labels: labels.collect(),
            most: None,
        }
    }

    fn at_most(self, most: Option<usize>) -> Self {
        let most = self.most.into_iter().chain(most).min();
        Self { most, ..self }
    }

    /// The most lines there are.
    pub(super) fn lines(&self) -> usize {
        let combinations = self.labels.values().product();
        self.most.map_or(combinations, |most| most.min(combinations))
    }

    fn is_number(&self) -> bool {
        self.labels.is_empty()
    }
}

/// What queries may name.
pub(super) struct Known<'a> {
    pub catalogue: &'a Catalogue,
    /// What rules compute, by name.
    pub recorded: BTreeMap<String, Outcome>,
}

impl Known<'_> {
    /// What `expr` answers with.
    pub(super) fn outcome(&self, expr: &str) -> Result<Outcome, String> {
        let filled = ["$__rate_interval", "$__range"]
            .iter()
            .fold(expr.to_owned(), |expr, span| expr.replace(span, "5m"));
        self.of(&parse(&filled)?)
    }

    fn of(&self, expr: &Expr) -> Result<Outcome, String> {
        match expr {
            Expr::VectorSelector(selector) => self.of_selector(selector),
            Expr::MatrixSelector(matrix) => self.of_selector(&matrix.vs),
            Expr::Paren(inner) => self.of(&inner.expr),
            Expr::Unary(inner) => self.of(&inner.expr),
            Expr::Subquery(inner) => self.of(&inner.expr),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(Outcome::default()),
            Expr::Aggregate(aggregate) => self.of_aggregate(aggregate),
            Expr::Binary(binary) => self.of_binary(binary),
            Expr::Call(call) => self.of_call(call),
            Expr::Extension(_) => Err("this is no PromQL".to_owned()),
        }
    }

    fn of_selector(&self, selector: &VectorSelector) -> Result<Outcome, String> {
        let name = selector.name.as_deref().ok_or("a selector names no metric")?;
        let family = self.catalogue.family_of_sample(name);
        let mut outcome = match family {
            Some(family) => of_family(family, name),
            None => self
                .recorded
                .get(name)
                .cloned()
                .or_else(|| of_prometheus(name))
                .ok_or_else(|| format!("the catalogue has no metric {name}"))?,
        };
        if !selector.matchers.or_matchers.is_empty() {
            return Err(format!("{name} is matched one way or another; write two queries"));
        }
        for matcher in &selector.matchers.matchers {
            let values = outcome
                .labels
                .get_mut(&matcher.name)
                .ok_or_else(|| format!("{name} has no label {}", matcher.name))?;
            *values = (*values).min(matched(name, family, matcher)?.unwrap_or(usize::MAX));
        }
        Ok(outcome)
    }

    fn of_aggregate(&self, aggregate: &AggregateExpr) -> Result<Outcome, String> {
        let inner = self.of(&aggregate.expr)?;
        if let (Some(param), "topk" | "bottomk") = (&aggregate.param, aggregate.op.to_string().as_str()) {
            let most = param
                .to_string()
                .parse()
                .map_err(|_| format!("{param} is no number of lines"))?;
            return Ok(inner.at_most(Some(most)));
        }
        let named = match &aggregate.modifier {
            None => return Ok(Outcome::default()),
            Some(modifier) => &modifier.labels().labels,
        };
        if let Some(missing) = named.iter().find(|label| !inner.labels.contains_key(*label)) {
            return Err(format!("{} has no label {missing}", aggregate.expr));
        }
        let is_kept = |label: &String| match &aggregate.modifier {
            Some(LabelModifier::Exclude(_)) => !named.contains(label),
            _ => named.contains(label),
        };
        let labels = inner.labels.into_iter().filter(|(label, _)| is_kept(label)).collect();
        Ok(Outcome { labels, most: None })
    }

    fn of_binary(&self, binary: &BinaryExpr) -> Result<Outcome, String> {
        let (left, right) = (self.of(&binary.lhs)?, self.of(&binary.rhs)?);
        let modifier = binary.modifier.as_ref();
        if modifier.is_some_and(|modifier| {
            !matches!(
                modifier.card,
                VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany
            )
        }) {
            return Err(format!(
                "{binary} matches many with one, of which nothing here knows the labels"
            ));
        }
        match binary.op.to_string().as_str() {
            "and" => {
                let most = right.lines();
                Ok(left.at_most(Some(most)))
            }
            "unless" => Ok(left),
            "or" => {
                let most = left.lines() + right.lines();
                let mut labels = left.labels;
                labels.extend(right.labels);
                Ok(Outcome {
                    labels,
                    most: Some(most),
                })
            }
            _ if left.is_number() => Ok(right),
            _ if right.is_number() => Ok(left),
            _ if left.labels.keys().eq(right.labels.keys()) => Ok(left),
            _ => Err(format!("the two sides of {binary} have different labels")),
        }
    }

    fn of_call(&self, call: &Call) -> Result<Outcome, String> {
        let name = call.func.name;
        if matches!(name, "rate" | "increase" | "irate") {
            call.args
                .args
                .iter()
                .try_for_each(|counted| self.only_grows(name, counted))?;
        }
        let args: Result<Vec<_>, _> = call.args.args.iter().map(|arg| self.of(arg)).collect();
        let mut outcome = args?.into_iter().max_by_key(|arg| arg.labels.len()).unwrap_or_default();
        if name == "histogram_quantile" && outcome.labels.remove("le").is_none() {
            return Err(format!("{call} has no buckets to take a quantile of"));
        }
        if name == "absent" {
            outcome.labels.retain(|label, _| label == "job");
        }
        Ok(outcome)
    }

    fn only_grows(&self, function: &str, counted: &Expr) -> Result<(), String> {
        let name = match counted {
            Expr::MatrixSelector(matrix) => matrix.vs.name.as_deref().unwrap_or_default(),
            _ => return Ok(()),
        };
        match self.catalogue.family_of_sample(name) {
            Some(family) if family.measure == Measure::Gauge => {
                Err(format!("{name} goes up and down, so it has no {function}"))
            }
            _ => Ok(()),
        }
    }
}

fn of_family(family: &Family, sample: &str) -> Outcome {
    let edges = match family.measure {
        Measure::Histogram(buckets) if sample.ends_with("_bucket") => Some(("le", buckets.edges().len() + 1)),
        _ => None,
    };
    let own = family.labels.iter().map(|label| (label.name, values_max(label)));
    Outcome::of(own.chain(edges).chain(TARGET.map(|label| (label, 1))))
}

fn of_prometheus(name: &str) -> Option<Outcome> {
    let (_, labels) = OF_PROMETHEUS.iter().find(|(own, _)| *own == name)?;
    Some(Outcome::of(
        labels.iter().copied().chain(TARGET).map(|label| (label, 1)),
    ))
}

fn values_max(label: &Label) -> usize {
    match label.values {
        Values::Closed(words) => words.len(),
        Values::Open { max } => max + 1,
    }
}

/// How many values of a label pass, if that can be told.
fn matched(name: &str, family: Option<&Family>, matcher: &Matcher) -> Result<Option<usize>, String> {
    let value = matcher.value.as_str();
    if matcher.name == "le" && value.parse::<u64>().is_ok() {
        return Err(format!(
            "{name} is asked for le={value:?}, which Prometheus 3 writes otherwise than 2"
        ));
    }
    let words: Vec<&str> = match &matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => vec![value],
        MatchOp::Re(_) | MatchOp::NotRe(_) if value.chars().all(|c| c.is_alphanumeric() || "_|".contains(c)) => {
            value.split('|').collect()
        }
        _ => return Ok(None),
    };
    let label = family.and_then(|family| family.labels.iter().find(|label| label.name == matcher.name));
    if let Some(Values::Closed(known)) = label.map(|label| label.values)
        && let Some(word) = words.iter().find(|word| !known.contains(word))
    {
        return Err(format!("{name} is never {}={word:?}", matcher.name));
    }
    Ok(matches!(matcher.op, MatchOp::Equal | MatchOp::Re(_)).then_some(words.len()))
}
