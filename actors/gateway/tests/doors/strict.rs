//! A reader of the text format that bears nothing which the format does not allow.

use std::collections::{BTreeMap, BTreeSet};

/// One family as it was read.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// The families of a page by name; what is wrong with the page, where something is.
pub(crate) fn read(page: &str) -> Result<BTreeMap<String, Family>, String> {
    if !page.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let (mut helped, mut present): (Option<&str>, Option<&str>) = (None, None);
    for line in page.lines() {
        let fault = |what: &str| format!("{what}: {line}");
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').ok_or_else(|| fault("no help"))?;
            if !is_name(name) || text.is_empty() || has_bad_escape(text) {
                return Err(fault("bad help"));
            }
            helped = Some(name);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').ok_or_else(|| fault("no type"))?;
            if helped.take().is_some_and(|helped| helped != name) {
                return Err(fault("help and type of two families"));
            }
            if !["counter", "gauge", "histogram"].contains(&kind) {
                return Err(fault("a type that is not allowed here"));
            }
            if families.last_key_value().is_some_and(|(last, _)| last.as_str() >= name) {
                return Err(fault("a family twice or out of order"));
            }
            kind.clone_into(&mut families.entry(name.to_owned()).or_default().kind);
            present = Some(name);
        } else {
            let sample = read_sample(line).ok_or_else(|| fault("no sample"))?;
            let family = present.ok_or_else(|| fault("a sample before its type"))?;
            let known = families.get_mut(family).ok_or_else(|| fault("a sample of nothing"))?;
            if !belongs(&sample.name, family, &known.kind) {
                return Err(fault("a sample of another family"));
            }
            known.samples.push(sample);
        }
    }
    for (name, family) in &families {
        check(name, family).map_err(|what| format!("{what}: {name}"))?;
    }
    Ok(families)
}

fn belongs(sample: &str, family: &str, kind: &str) -> bool {
    match sample.strip_prefix(family) {
        Some("") => kind != "histogram",
        Some(part) => kind == "histogram" && ["_bucket", "_sum", "_count"].contains(&part),
        None => false,
    }
}

fn check(name: &str, family: &Family) -> Result<(), String> {
    let key = |sample: &Sample| (sample.name.clone(), sample.labels.clone());
    let distinct: BTreeSet<_> = family.samples.iter().map(key).collect();
    if distinct.len() != family.samples.len() {
        return Err("a series twice".to_owned());
    }
    match family.kind.as_str() {
        "counter" if !name.ends_with("_total") => Err("a counter without _total".to_owned()),
        "counter"
            if family
                .samples
                .iter()
                .any(|sample| sample.value.is_nan() || sample.value < 0.0) =>
        {
            Err("a bad count".to_owned())
        }
        "histogram" => check_histogram(&family.samples),
        _ => Ok(()),
    }
}

/// Each series is its buckets in ascending order, then its sum, then its count, which is that of the last bucket.
fn check_histogram(samples: &[Sample]) -> Result<(), String> {
    let mut rest = samples.iter().peekable();
    while rest.peek().is_some() {
        let (mut edge, mut count, mut series) = (f64::NEG_INFINITY, 0.0, None);
        while let Some(bucket) = rest.next_if(|sample| sample.name.ends_with("_bucket")) {
            let mut labels = bucket.labels.clone();
            let le = labels
                .remove("le")
                .and_then(|le| number(&le))
                .ok_or("a bucket without le")?;
            if le <= edge || bucket.value < count || series.as_ref().is_some_and(|series| *series != labels) {
                return Err("buckets out of order".to_owned());
            }
            (edge, count, series) = (le, bucket.value, Some(labels));
        }
        let sum = rest.next_if(|sample| sample.name.ends_with("_sum")).ok_or("no sum")?;
        let total = rest
            .next_if(|sample| sample.name.ends_with("_count"))
            .ok_or("no count")?;
        let is_one = series.as_ref() == Some(&sum.labels) && series.as_ref() == Some(&total.labels);
        if !is_one || edge != f64::INFINITY || total.value != count {
            return Err("a histogram that does not add up".to_owned());
        }
    }
    Ok(())
}

fn read_sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => read_labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let value = number(value.strip_prefix(' ')?)?;
    is_name(name).then(|| Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// The labels, and what follows the closing brace.
fn read_labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = read_value(after)?;
        if !is_name(name) || name.contains(':') || labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        if let Some(end) = after.strip_prefix('}') {
            return Some((labels, end));
        }
        rest = after.strip_prefix(',')?;
    }
}

/// A value, and what follows its closing quote.
fn read_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

fn has_bad_escape(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && !matches!(chars.next(), Some('\\' | 'n')) {
            return true;
        }
    }
    false
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    let first = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || "_:".contains(c));
    first && chars.all(|c| c.is_ascii_alphanumeric() || "_:".contains(c))
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        text => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

#[test]
fn the_reader_bears_nothing_that_is_wrong() {
    let good = "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"c\\\"\\\\\\n\"} 1\n";
    assert!(read(good).is_ok());
    for bad in [
        "a_total 1\n",
        "# TYPE a_total counter\na_total 1",
        "# TYPE a_total counter\n\na_total 1\n",
        "# TYPE a_total counter\na_total -1\n",
        "# TYPE a_total counter\na_total one\n",
        "# TYPE a_total counter\na_total 1\na_total 2\n",
        "# TYPE a counter\na 1\n",
        "# TYPE a_total counter\nb_total 1\n",
        "# TYPE a_total counter\na_total{b=\"\\x\"} 1\n",
        "# TYPE a_total counter\na_total{b=\"c\",b=\"d\"} 1\n",
        "# TYPE a_total counter\na_total{b=\"c} 1\n",
        "# TYPE a summary\na 1\n",
        "# TYPE b gauge\nb 1\n# TYPE a gauge\na 1\n",
        "# TYPE a gauge\na 1\n# TYPE a gauge\n",
        "# HELP a A.\n# TYPE b gauge\nb 1\n",
        "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
        "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\n",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
