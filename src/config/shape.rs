//! Whether a description has the shape that its schema asks for: keys, types, words, bounds.

use serde_json::Value;

use super::error::Fault;
use super::node::{Content, Node, Place, Step};
use super::range::{number_fault, text_fault, unwritable};
use super::schema::{Schema, choices, properties, required, types, words};
use super::secret::{HIDDEN, is_secret_way};
use super::texts::Texts;
use super::words::{header, instead, kind_of, toml};

/// What is wrong with the shape of a description; and what is left of it without that.
pub(super) fn shaped(schema: Schema<'_>, texts: &Texts, tree: Node) -> (Option<Node>, Vec<Fault>) {
    let mut check = Check {
        schema,
        texts,
        way: Vec::new(),
        faults: Vec::new(),
    };
    let tree = check.kept(schema.0, tree);
    (tree, check.faults)
}

/// A look at one value after the other, on the way down from the whole.
struct Check<'a> {
    schema: Schema<'a>,
    texts: &'a Texts,
    way: Vec<Step>,
    faults: Vec<Fault>,
}

/// What a table may have in it.
struct Table<'a> {
    properties: Vec<(&'a str, &'a Value)>,
    others: Others<'a>,
}

/// What a table may have under keys that nobody foresaw.
enum Others<'a> {
    Nothing,
    Anything,
    Each(&'a Value),
}

impl<'a> Check<'a> {
    /// What is left of `node` without what is wrong with it, where that is of use.
    fn kept(&mut self, part: &'a Value, mut node: Node) -> Option<Node> {
        let before = self.faults.len();
        let resolved = self.schema.resolved(part);
        let is_kept = if let Some(words) = words(resolved) {
            self.is_word(&words, &node)
        } else if self.is_table(resolved) {
            self.is_table_kept(part, resolved, &mut node)
        } else if types(resolved).is_empty() {
            self.is_choice_kept(part, resolved, &mut node)
        } else {
            self.is_value_kept(part, resolved, &mut node)
        };
        node.is_sound = self.faults.len() == before;
        is_kept.then_some(node)
    }

    fn below(&mut self, step: Step, part: &'a Value, node: Node) -> Option<Node> {
        self.way.push(step);
        let kept = self.kept(part, node);
        self.way.pop();
        kept
    }

    fn fault(&mut self, place: Place, problem: impl Into<String>, remedy: impl Into<String>) {
        let mut fault = Fault::new(place, problem, remedy);
        fault.is_secret = is_secret_way(&self.way);
        self.faults.push(fault);
    }

    fn is_table(&self, part: &'a Value) -> bool {
        types(part) == ["object"] || self.schema.distinction(part).is_some()
    }

    fn is_table_kept(&mut self, part: &'a Value, resolved: &'a Value, node: &mut Node) -> bool {
        let choice = self.choice(resolved, node);
        let Content::Table(entries) = &mut node.content else {
            self.wrong_type(part, node);
            return false;
        };
        let entries = std::mem::take(entries);
        let table = self.table(resolved, choice);
        let written: Vec<_> = entries.iter().map(|(key, _)| key.clone()).collect();
        let kept = self.entries(&table, entries);
        let has = |entries: &[(String, Node)], key: &str| entries.iter().any(|(name, _)| name == key);
        let needed = required(resolved).chain(choice.into_iter().flat_map(required));
        for key in needed.filter(|key| !written.iter().any(|name| name == key)) {
            let what = self.wanted(resolved, &table, key);
            self.missing(key, &what, node.key.clone());
        }
        let is_kept = required(resolved).all(|key| has(&kept, key));
        node.content = Content::Table(kept);
        is_kept
    }

    fn entries(&mut self, table: &Table<'a>, entries: Vec<(String, Node)>) -> Vec<(String, Node)> {
        let mut kept = Vec::new();
        for (key, node) in entries {
            let known = table
                .properties
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, part)| *part);
            let node = match (known, &table.others) {
                (Some(part), _) | (None, &Others::Each(part)) => self.below(Step::Key(key.clone()), part, node),
                (None, Others::Anything) => Some(node),
                (None, Others::Nothing) => {
                    self.unknown(&key, table, &node);
                    None
                }
            };
            kept.extend(node.map(|node| (key, node)));
        }
        kept
    }

    /// Which of several tables is meant, where a key says so.
    fn choice(&mut self, part: &'a Value, node: &Node) -> Option<&'a Value> {
        let (key, choices) = self.schema.distinction(part)?;
        let written = node.get(key)?;
        let text = written.text()?;
        let chosen = choices.iter().find(|(value, _)| *value == text);
        if chosen.is_none() {
            let known: Vec<_> = choices.iter().map(|(value, _)| (*value, "")).collect();
            self.way.push(Step::Key(key.to_owned()));
            self.is_word(&known, written);
            self.way.pop();
        }
        chosen.map(|(_, part)| *part)
    }

    fn table(&self, part: &'a Value, choice: Option<&'a Value>) -> Table<'a> {
        let mut known: Vec<_> = properties(part).collect();
        for (key, part) in choice.into_iter().flat_map(properties) {
            match known.iter_mut().find(|(name, _)| *name == key) {
                Some(property) => property.1 = part,
                None => known.push((key, part)),
            }
        }
        let parts = [choice, Some(part)].into_iter().flatten();
        let given = ["additionalProperties", "unevaluatedProperties", "patternProperties"];
        let others = parts
            .into_iter()
            .find_map(|part| given.iter().find_map(|key| part.get(key)));
        let is_undecided = choice.is_none() && self.schema.distinction(part).is_some();
        let others = match others {
            _ if is_undecided => Others::Anything,
            Some(Value::Bool(false)) => Others::Nothing,
            Some(schema) if schema.is_object() => Others::Each(schema),
            _ => Others::Anything,
        };
        Table {
            properties: known,
            others,
        }
    }

    fn unknown(&mut self, key: &str, table: &Table<'a>, node: &Node) {
        let known: Vec<_> = table.properties.iter().map(|(name, _)| *name).collect();
        let remedy = match self.texts.variable(&node.key) {
            Some(variable) => instead(key, &known, |known| respelled(variable, key, known)),
            None => instead(key, &known, |known| format!("`{known}`")),
        };
        let wherein = header(&self.way).map_or_else(String::new, |header| format!(" in {header}"));
        let of_kind = table
            .properties
            .iter()
            .find_map(|(name, part)| (*name == "kind").then(|| part.get("const"))?);
        let of_kind = of_kind.map_or_else(String::new, |kind| format!(" of kind {kind}"));
        self.fault(
            node.key.clone(),
            format!("unknown key `{key}`{wherein}{of_kind}"),
            remedy,
        );
    }

    fn missing(&mut self, key: &str, what: &str, place: Place) {
        let wherein = header(&self.way).map_or_else(String::new, |header| format!(" in {header}"));
        self.fault(
            place,
            format!("`{key}` is missing{wherein}"),
            format!("add `{key} = …`, {what}"),
        );
    }

    /// What is to stand under `key`.
    fn wanted(&self, resolved: &'a Value, table: &Table<'a>, key: &str) -> String {
        if let Some((_, choices)) = self.schema.distinction(resolved).filter(|(name, _)| *name == key) {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            return format!("one of {}", words.join(", "));
        }
        let part = table
            .properties
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, part)| *part);
        part.map_or_else(
            || "whatever its kind asks for".to_owned(),
            |part| kind_of(self.schema, part),
        )
    }

    fn is_word(&mut self, words: &[(&str, &str)], node: &Node) -> bool {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let name = self.name();
        match node.text() {
            Some(text) if known.contains(&text) => return true,
            Some(text) => {
                let all = format!("there are: {}", known.join(", "));
                let remedy = match instead(text, &known, |known| format!("\"{known}\"")) {
                    remedy if remedy == all || known.is_empty() => remedy,
                    remedy => format!("{remedy}; {all}"),
                };
                let text = self.quoted(&Value::from(text));
                self.fault(node.place.clone(), format!("{name} may not be {text}"), remedy);
            }
            None => {
                let remedy = format!("write one of: {}", known.join(", "));
                self.fault(
                    node.place.clone(),
                    format!("{name} is {}, not a word", node.noun()),
                    remedy,
                );
            }
        }
        false
    }

    /// One of several things that no key tells apart: whichever fits best.
    fn is_choice_kept(&mut self, part: &'a Value, resolved: &'a Value, node: &mut Node) -> bool {
        let choices = choices(resolved);
        if choices.is_empty() || resolved.get("allOf").is_some() {
            return self.is_writable(node);
        }
        let mut best: Option<(Vec<Fault>, Option<Node>)> = None;
        for choice in choices.into_iter().filter(|choice| self.fits(choice, node)) {
            let mut check = Check {
                schema: self.schema,
                texts: self.texts,
                way: self.way.clone(),
                faults: Vec::new(),
            };
            let kept = check.kept(choice, node.clone());
            if best
                .as_ref()
                .is_none_or(|(faults, _)| check.faults.len() < faults.len())
            {
                best = Some((check.faults, kept));
            }
        }
        let Some((faults, kept)) = best else {
            self.wrong_type(part, node);
            return false;
        };
        self.faults.extend(faults);
        let is_kept = kept.is_some();
        if let Some(kept) = kept {
            *node = kept;
        }
        is_kept
    }

    /// What may be anything has to be what can be written down.
    fn is_writable(&mut self, node: &Node) -> bool {
        let place = unwritable(node).map(|number| number.place.clone());
        let Some(place) = place else { return true };
        let problem = format!("{} has a number that is none", self.name());
        self.fault(place, problem, "write a number such as 1.5");
        false
    }

    fn is_value_kept(&mut self, part: &'a Value, resolved: &'a Value, node: &mut Node) -> bool {
        if !self.fits(resolved, node) {
            self.wrong_type(part, node);
            return false;
        }
        match &mut node.content {
            Content::Text(text) => {
                let fault = text_fault(resolved, text);
                self.is_within(node, fault)
            }
            Content::Integer(_) | Content::Float(_) => {
                let fault = number_fault(resolved, node);
                self.is_within(node, fault)
            }
            Content::List(nodes) => {
                let nodes = std::mem::take(nodes);
                self.is_list_kept(resolved, nodes, node)
            }
            _ => true,
        }
    }

    fn is_list_kept(&mut self, resolved: &'a Value, nodes: Vec<Node>, node: &mut Node) -> bool {
        let least = resolved.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let is_short = u64::try_from(nodes.len()).is_ok_and(|length| length < least);
        if is_short {
            let problem = format!("{} has {} entries", self.name(), nodes.len());
            self.fault(node.place.clone(), problem, format!("give it at least {least}"));
        }
        let kept = match resolved.get("items").filter(|items| items.is_object()) {
            Some(items) => {
                let numbered = nodes.into_iter().enumerate();
                numbered
                    .filter_map(|(index, node)| self.below(Step::Index(index), items, node))
                    .collect()
            }
            None => nodes,
        };
        node.content = Content::List(kept);
        !is_short
    }

    /// Whether there is no fault; where there is one it is told.
    fn is_within(&mut self, node: &Node, fault: Option<(String, String)>) -> bool {
        let Some((problem, remedy)) = fault else { return true };
        let value = match node.content {
            Content::Integer(_) | Content::Float(_) => self.texts.written(&node.place).to_owned(),
            _ => self.quoted(&node.value()),
        };
        let problem = format!("{} is {value}{problem}", self.name());
        self.fault(node.place.clone(), problem, remedy);
        false
    }

    fn wrong_type(&mut self, part: &'a Value, node: &Node) {
        let wanted = kind_of(self.schema, part);
        let remedy = self.example(part, node);
        let place = match node.content {
            Content::Table(_) => node.key.clone(),
            _ => node.place.clone(),
        };
        let problem = format!("{} is {}, and should be {wanted}", self.name(), node.noun());
        self.fault(place, problem, remedy);
    }

    /// How to write what `part` asks for.
    fn example(&self, part: &'a Value, node: &Node) -> String {
        let resolved = self.schema.resolved(part);
        let default = part
            .get("default")
            .filter(|default| !default.is_null() && !default.is_object());
        let format = resolved.get("format").and_then(Value::as_str);
        let items = resolved.get("items").map(|items| self.schema.resolved(items));
        if items.is_some_and(|items| self.is_table(items)) {
            let entry: Vec<_> = self.way.iter().cloned().chain([Step::Index(0)]).collect();
            return format!("write {} before each of them", header(&entry).unwrap_or_default());
        }
        match (default, self.way.last(), types(resolved).first()) {
            (Some(default), Some(Step::Key(key)), _) if default.as_array().is_none_or(|list| !list.is_empty()) => {
                format!("write it as in `{key} = {}`", toml(default))
            }
            _ if format == Some("span") => "write it as in \"5s\"".to_owned(),
            (_, _, Some(&"string")) if node.is_scalar() => "put it in quotes".to_owned(),
            (_, _, Some(&"array")) => "put it in [ ]".to_owned(),
            (_, _, Some(&"object")) => "write it as in { key = value }".to_owned(),
            (_, _, Some(&("integer" | "number"))) => "write it without quotes, as in 10".to_owned(),
            _ => format!("write {}", kind_of(self.schema, part)),
        }
    }

    fn fits(&self, part: &'a Value, node: &Node) -> bool {
        let part = self.schema.resolved(part);
        let is_type = |name: &str| match &node.content {
            Content::Text(_) | Content::Date(_) => name == "string" && node.text().is_some(),
            Content::Integer(_) => name == "integer" || name == "number",
            Content::Float(_) => name == "number",
            Content::Boolean(_) => name == "boolean",
            Content::List(_) => name == "array",
            Content::Table(_) => name == "object",
        };
        let types = types(part);
        types.is_empty() || types.into_iter().any(is_type)
    }

    /// What the value at hand is called.
    fn name(&self) -> String {
        let key = self.way.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key),
            Step::Index(_) => None,
        });
        match (self.way.last(), key) {
            (Some(Step::Index(_)), Some(key)) => format!("an entry of `{key}`"),
            (_, Some(key)) => format!("`{key}`"),
            _ => "this".to_owned(),
        }
    }

    /// A value as it is written, unless it is a secret.
    fn quoted(&self, value: &Value) -> String {
        if is_secret_way(&self.way) {
            HIDDEN.to_owned()
        } else {
            toml(value)
        }
    }
}

/// The name of a variable with one of its keys written otherwise.
fn respelled(variable: &str, key: &str, known: &str) -> String {
    match variable.to_ascii_lowercase().rfind(key) {
        Some(at) => format!(
            "{}{}{}",
            &variable[..at],
            known.to_uppercase(),
            &variable[at + key.len()..]
        ),
        None => known.to_owned(),
    }
}
