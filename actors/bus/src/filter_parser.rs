//! Filters as they are written.

use std::fmt;

use serde_json::{Number, Value};

use crate::filter::{
    COMPARISONS_MAX, Comparison, Condition, Expression, FILTER_DEPTH_MAX, FILTER_LENGTH_MAX, Field, Name, Relation,
    is_of_name,
};

/// How much of a line is shown around what is wrong.
const SHOWN: usize = 60;

/// Why a text is no filter, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// What is wrong, and what to do.
    pub problem: String,
    /// Where, in characters from 1.
    pub column: usize,
    /// The part of the text around it, and where in that it is.
    shown: (String, usize),
}

impl std::error::Error for FilterError {}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, caret) = &self.shown;
        writeln!(f, "column {} of the filter: {}", self.column, self.problem)?;
        writeln!(f, "  {line}")?;
        write!(f, "  {:caret$}^", "")
    }
}

/// What is wrong, and at which byte.
type Fault = (usize, String);

pub(crate) fn parse(text: &str) -> Result<Condition, FilterError> {
    let parsed = if text.len() > FILTER_LENGTH_MAX {
        let problem = format!(
            "it has {} bytes; shorten it to {FILTER_LENGTH_MAX} or fewer",
            text.len()
        );
        Err((0, problem))
    } else {
        Parser {
            text,
            at: 0,
            comparisons: 0,
        }
        .whole()
    };
    parsed.map_err(|(at, problem)| error(text, at, problem))
}

fn error(text: &str, at: usize, problem: String) -> FilterError {
    let before = text.get(..at).unwrap_or(text).chars().count();
    let from = before.saturating_sub(SHOWN / 2);
    let plain = |found: char| if found.is_control() { ' ' } else { found };
    let line = text.chars().skip(from).take(SHOWN).map(plain).collect();
    FilterError {
        problem,
        column: before + 1,
        shown: (line, before - from),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// The byte where the next word begins, or blanks before it.
    at: usize,
    comparisons: usize,
}

impl<'a> Parser<'a> {
    fn whole(mut self) -> Result<Condition, Fault> {
        let condition = self.any(0)?;
        self.skip_blanks();
        if self.at < self.text.len() {
            return self.fault("expected and, or, or the end");
        }
        Ok(condition)
    }

    fn any(&mut self, depth: usize) -> Result<Condition, Fault> {
        let mut parts = vec![self.all(depth)?];
        while self.takes_word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(single(parts).unwrap_or_else(Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, Fault> {
        let mut parts = vec![self.one(depth)?];
        while self.takes_word("and") {
            parts.push(self.one(depth)?);
        }
        Ok(single(parts).unwrap_or_else(Condition::All))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, Fault> {
        self.skip_blanks();
        let at = self.at;
        let is_not = self.takes_word("not");
        if is_not || self.rest().starts_with('(') {
            if depth == FILTER_DEPTH_MAX {
                let problem =
                    format!("it lies more than {FILTER_DEPTH_MAX} deep in parentheses and not; make it flatter");
                return Err((at, problem));
            }
            if is_not {
                return Ok(Condition::Not(Box::new(self.one(depth + 1)?)));
            }
            self.at += 1;
            let inner = self.any(depth + 1)?;
            self.takes(')', "expected ) here, to close a parenthesis")?;
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, Fault> {
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return self.fault(&format!(
                "it has more than {COMPARISONS_MAX} comparisons; use several subscriptions"
            ));
        }
        let field = self.field()?;
        self.skip_blanks();
        let at = self.at;
        let comparison = match self.word() {
            "eq" => Comparison::Equal(self.value()?),
            "ne" => Comparison::NotEqual(self.value()?),
            "in" => Comparison::In(self.list()?),
            "contains" => Comparison::Contains(self.value()?),
            "matches" => Comparison::Matches(self.expression()?),
            "exists" => Comparison::Exists,
            word => match Relation::ALL.iter().find(|(_, name)| *name == word) {
                Some((relation, _)) => Comparison::Order(*relation, self.ordered()?),
                None => return Err((at, EXPECTED_COMPARISON.to_owned())),
            },
        };
        Ok(Condition::Compare(field, comparison))
    }

    fn field(&mut self) -> Result<Field, Fault> {
        self.skip_blanks();
        let at = self.at;
        let word = self.word();
        if word == "payload" {
            let mut path = Vec::new();
            while self.rest().starts_with('.') {
                self.at += 1;
                path.push(self.part()?);
            }
            return Ok(Field::Payload(path));
        }
        match Name::ALL.iter().find(|(_, name)| *name == word) {
            Some((name, _)) => Ok(Field::Envelope(*name)),
            None if word.is_empty() => Err((
                at,
                "expected a field, not or (; a field is kind or payload.x".to_owned(),
            )),
            None => {
                let known: Vec<_> = Name::ALL.iter().map(|(_, name)| *name).collect();
                let known = known.join(", ");
                Err((at, format!("there is no field {word}; there are payload.…, {known}")))
            }
        }
    }

    /// One part of the way into a payload.
    fn part(&mut self) -> Result<String, Fault> {
        if self.rest().starts_with('"') {
            return self.string();
        }
        let part = self.word();
        if part.is_empty() {
            return self.fault("expected a name after the dot, a number or a text in quotes");
        }
        Ok(part.to_owned())
    }

    fn value(&mut self) -> Result<Value, Fault> {
        self.skip_blanks();
        if self.rest().starts_with('"') {
            return self.string().map(Value::from);
        }
        let at = self.at;
        let is_of_value = |found: char| is_of_name(found) || matches!(found, '+' | '.');
        let length = self
            .rest()
            .find(|found| !is_of_value(found))
            .unwrap_or(self.rest().len());
        let word = self.take(length);
        match word {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            word => number(word).map(Value::Number).ok_or_else(|| {
                let problem = "expected a value: a text in quotes, a number, true, false or null";
                (at, problem.to_owned())
            }),
        }
    }

    /// A value that has more and less.
    fn ordered(&mut self) -> Result<Value, Fault> {
        self.skip_blanks();
        let at = self.at;
        let value = self.value()?;
        if value.is_number() || value.is_string() {
            return Ok(value);
        }
        Err((at, "only numbers and texts have more and less; use eq or ne".to_owned()))
    }

    fn list(&mut self) -> Result<Vec<Value>, Fault> {
        self.takes('[', "expected [ and a list of values")?;
        self.skip_blanks();
        let mut values = Vec::new();
        if self.rest().starts_with(']') {
            self.at += 1;
            return Ok(values);
        }
        loop {
            if values.len() == COMPARISONS_MAX {
                return self.fault(&format!("the list has more than {COMPARISONS_MAX} values; shorten it"));
            }
            values.push(self.value()?);
            self.skip_blanks();
            if self.rest().starts_with(']') {
                self.at += 1;
                return Ok(values);
            }
            self.takes(',', "expected , or ] after a value of the list")?;
        }
    }

    fn expression(&mut self) -> Result<Expression, Fault> {
        self.skip_blanks();
        let at = self.at;
        if !self.rest().starts_with('"') {
            return self.fault("expected a regular expression in quotes");
        }
        let text = self.string()?;
        Expression::new(&text).map_err(|why| (at, format!("the regular expression is none that can be used: {why}")))
    }

    /// A text in quotes, as JSON has them.
    fn string(&mut self) -> Result<String, Fault> {
        let at = self.at;
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<String>();
        match values.next() {
            Some(Ok(text)) => {
                self.at += values.byte_offset();
                Ok(text)
            }
            _ => Err((
                at,
                "the text in quotes does not end, or has an escape that JSON has not".to_owned(),
            )),
        }
    }

    // ---- words ----

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|found| !is_of_name(found)).unwrap_or(rest.len());
        self.take(length)
    }

    /// Takes this word, where it comes next and is a word of its own.
    fn takes_word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let before = self.at;
        if self.word() == word && !self.rest().starts_with('.') {
            return true;
        }
        self.at = before;
        false
    }

    fn takes(&mut self, wanted: char, problem: &str) -> Result<(), Fault> {
        self.skip_blanks();
        if !self.rest().starts_with(wanted) {
            return self.fault(problem);
        }
        self.at += wanted.len_utf8();
        Ok(())
    }

    fn fault<T>(&self, problem: &str) -> Result<T, Fault> {
        Err((self.at, problem.to_owned()))
    }
}

const EXPECTED_COMPARISON: &str = "expected a comparison: eq, ne, gt, ge, lt, le, in, contains, matches or exists";

/// The only one, or all of them.
fn single(mut parts: Vec<Condition>) -> Result<Condition, Vec<Condition>> {
    if parts.len() > 1 {
        return Err(parts);
    }
    parts.pop().ok_or(parts)
}

fn number(word: &str) -> Option<Number> {
    let is_number = word.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if !is_number {
        return None;
    }
    if let Ok(whole) = word.parse::<i64>() {
        return Some(whole.into());
    }
    match word.parse::<u64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => Number::from_f64(word.parse().ok()?),
    }
}

#[cfg(test)]
#[path = "filter_test.rs"]
mod tests;
