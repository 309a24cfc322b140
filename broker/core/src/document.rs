//! A TOML document read key by key, so that every fault is reported at once and with its place.
//!
//! A reader takes what it knows out of a [`Table`] and then [`Table::finish`]es it: what is left is
//! unknown, and an unknown key is a fault (a misspelt limit must not silently be no limit).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `line 12`, or the name of what overrode it.
    pub place: String,
    /// The key, in full: `role[2].approval[0].count`.
    pub key: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.place, self.problem),
            key => write!(f, "{}: `{key}` {}", self.place, self.problem),
        }
    }
}

/// Everything wrong with a document, in the order of its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one.
    pub fn push(&mut self, place: &str, key: &str, problem: impl fmt::Display) {
        self.0.push(Fault { place: place.to_owned(), key: key.to_owned(), problem: problem.to_string() });
    }

    /// Adds these.
    pub fn extend(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.0.extend(faults);
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, by line.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// `value` if nothing is wrong; else everything that is.
    ///
    /// # Errors
    /// All faults, sorted by line.
    pub fn or<T>(mut self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => {
                self.0.sort_by_key(|fault| {
                    let line = fault.place.strip_prefix("line ").and_then(|n| n.parse::<usize>().ok());
                    line.unwrap_or(usize::MAX)
                });
                Err(self)
            }
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, fault) in self.0.iter().enumerate() {
            if nth > 0 {
                writeln!(f)?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[derive(Debug, Clone)]
enum Value {
    Text(String),
    /// From a place that has no types, such as the environment: read as whatever is wanted.
    Untyped(String),
    Whole(i64),
    Truth(bool),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    Other(&'static str),
}

#[derive(Debug, Clone)]
struct Node {
    place: String,
    value: Value,
}

/// A table of a document, of which keys are taken one by one.
#[derive(Debug, Clone)]
pub struct Table {
    place: String,
    path: String,
    entries: BTreeMap<String, Node>,
    /// Where the keys stand that were taken already.
    taken: BTreeMap<String, String>,
}

/// Where a table and its keys stood, for what is found wrong only when everything is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    place: String,
    path: String,
    keys: BTreeMap<String, String>,
}

impl Places {
    /// Where the table stands.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What is wrong with a key of it, said or not; or, with no key, with the table as a whole.
    pub fn fault(&self, key: &str, problem: impl fmt::Display) -> Fault {
        let place = self.keys.get(key).unwrap_or(&self.place);
        let key = if key.is_empty() { self.path.clone() } else { format!("{}.{key}", self.path) };
        Fault { place: place.clone(), key, problem: problem.to_string() }
    }
}

impl Table {
    /// Reads a document's text.
    ///
    /// # Errors
    /// Every fault of syntax in it.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let lines = Lines::of(text);
        let mut faults = Faults::default();
        for error in errors {
            let line = error.span().map_or(1, |span| lines.at(span.start));
            faults.push(&format!("line {line}"), "", error.message());
        }
        let root = Self {
            place: "line 1".to_owned(),
            path: String::new(),
            entries: entries(&lines, document.get_ref()),
            taken: BTreeMap::new(),
        };
        faults.or(Some(root))
    }

    /// Sets the value at `keys` as if it stood in the document, overriding what does. `source` is
    /// named as its place in faults.
    pub fn set(&mut self, keys: &[&str], text: &str, source: &str) {
        let node = Node { place: source.to_owned(), value: Value::Untyped(text.to_owned()) };
        insert(&mut self.entries, keys, node, source);
    }

    /// Where the table stands.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Where it and the keys taken so far stand, to be kept when the reading is over.
    pub fn places(&self) -> Places {
        Places { place: self.place.clone(), path: self.path.clone(), keys: self.taken.clone() }
    }

    /// The full name of a key in it.
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes a fault of one of its keys, taken or not; or, with no key, of the table as a whole.
    pub fn fault(&self, faults: &mut Faults, key: &str, problem: impl fmt::Display) {
        let place = self.entries.get(key).map(|node| &node.place).or_else(|| self.taken.get(key));
        let name = if key.is_empty() { self.path.clone() } else { self.path(key) };
        faults.push(place.unwrap_or(&self.place), &name, problem);
    }

    /// Takes a text and reads it as `T`; `None` if it is absent or faulty.
    pub fn text<T>(&mut self, key: &str, faults: &mut Faults) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let node = self.take(key)?;
        self.read(&node, key, faults)
    }

    /// As [`Table::text`], and its absence is a fault.
    pub fn required<T>(&mut self, key: &str, faults: &mut Faults) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        if !self.entries.contains_key(key) {
            self.fault(faults, key, "is missing");
            return None;
        }
        self.text(key, faults)
    }

    /// Takes a list of texts, each read as `T`; `None` if it is absent. Faulty items are left out.
    pub fn texts<T>(&mut self, key: &str, faults: &mut Faults) -> Option<Vec<T>>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let node = self.take(key)?;
        match node.value {
            Value::List(items) => {
                let nth = |at: usize| format!("{key}[{at}]");
                Some(
                    items
                        .iter()
                        .enumerate()
                        .filter_map(|(at, item)| self.read(item, &nth(at), faults))
                        .collect(),
                )
            }
            Value::Untyped(text) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                let nodes =
                    items.map(|item| Node { place: node.place.clone(), value: Value::Text(item.to_owned()) });
                Some(nodes.filter_map(|item| self.read(&item, key, faults)).collect())
            }
            _ => {
                faults.push(&node.place, &self.path(key), "must be a list of texts");
                None
            }
        }
    }

    /// Takes a whole number within `range`; `None` if it is absent or faulty.
    pub fn whole(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
        faults: &mut Faults,
    ) -> Option<i64> {
        let node = self.take(key)?;
        let number = match &node.value {
            Value::Whole(number) => Some(*number),
            Value::Untyped(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                let problem = format!("must be a whole number from {} to {}", range.start(), range.end());
                faults.push(&node.place, &self.path(key), problem);
                None
            }
        }
    }

    /// Takes `true` or `false`; `None` if it is absent or faulty.
    pub fn truth(&mut self, key: &str, faults: &mut Faults) -> Option<bool> {
        let node = self.take(key)?;
        let truth = match &node.value {
            Value::Truth(truth) => Some(*truth),
            Value::Untyped(text) => text.parse().ok(),
            _ => None,
        };
        if truth.is_none() {
            faults.push(&node.place, &self.path(key), "must be `true` or `false`");
        }
        truth
    }

    /// Takes a table; an absent one is empty.
    pub fn table(&mut self, key: &str, faults: &mut Faults) -> Self {
        let path = self.path(key);
        let (place, entries) = match self.take(key) {
            None => (self.place.clone(), BTreeMap::new()),
            Some(Node { place, value: Value::Table(entries) }) => (place, entries),
            Some(node) => {
                faults.push(&node.place, &path, "must be a table");
                (node.place, BTreeMap::new())
            }
        };
        Self { place, path, entries, taken: BTreeMap::new() }
    }

    /// Takes every key that is left, each of which must be a table (`[path.NAME]`), with its name.
    pub fn named_tables(&mut self, faults: &mut Faults) -> Vec<(String, Self)> {
        let names: Vec<_> = self.entries.keys().cloned().collect();
        names.into_iter().map(|name| (name.clone(), self.table(&name, faults))).collect()
    }

    /// Takes an array of tables (`[[key]]`); an absent one is empty.
    pub fn tables(&mut self, key: &str, faults: &mut Faults) -> Vec<Self> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let Value::List(items) = node.value else {
            faults.push(&node.place, &self.path(key), format!("must be written as `[[{}]]`", self.path(key)));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (at, item) in items.into_iter().enumerate() {
            let path = format!("{}[{at}]", self.path(key));
            match item.value {
                Value::Table(entries) => {
                    tables.push(Self { place: item.place, path, entries, taken: BTreeMap::new() })
                }
                _ => faults.push(&item.place, &path, "must be a table"),
            }
        }
        tables
    }

    /// Whether a key is there.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Ends the reading: every key not taken is unknown, and a fault.
    pub fn finish(self, faults: &mut Faults) {
        for (key, node) in &self.entries {
            faults.push(&node.place, &self.path(key), "is not known here; is it misspelt?");
        }
    }

    fn take(&mut self, key: &str) -> Option<Node> {
        let node = self.entries.remove(key)?;
        self.taken.insert(key.to_owned(), node.place.clone());
        Some(node)
    }

    fn read<T>(&self, node: &Node, key: &str, faults: &mut Faults) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let (Value::Text(text) | Value::Untyped(text)) = &node.value else {
            faults.push(
                &node.place,
                &self.path(key),
                format!("must be a text in quotes, not {}", kind(&node.value)),
            );
            return None;
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                faults.push(&node.place, &self.path(key), format!("is wrong: {error}"));
                None
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Text(_) | Value::Untyped(_) => "a text",
        Value::Whole(_) => "a number",
        Value::Truth(_) => "true or false",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
        Value::Other(kind) => kind,
    }
}

fn insert(entries: &mut BTreeMap<String, Node>, keys: &[&str], node: Node, source: &str) {
    match keys {
        [] => {}
        [key] => {
            entries.insert((*key).to_owned(), node);
        }
        [key, rest @ ..] => {
            let table = || Node { place: source.to_owned(), value: Value::Table(BTreeMap::new()) };
            let inner = entries.entry((*key).to_owned()).or_insert_with(table);
            if !matches!(inner.value, Value::Table(_)) {
                *inner = table();
            }
            if let Value::Table(entries) = &mut inner.value {
                insert(entries, rest, node, source);
            }
        }
    }
}

fn entries(lines: &Lines, table: &DeTable<'_>) -> BTreeMap<String, Node> {
    table
        .iter()
        .map(|(key, value)| (key.get_ref().to_string(), node(lines, key.span().start, value)))
        .collect()
}

/// A node stands where its key stands; an item of a list where it stands itself.
fn node(lines: &Lines, at: usize, value: &Spanned<DeValue<'_>>) -> Node {
    let place = format!("line {}", lines.at(at));
    let value = match value.get_ref() {
        DeValue::String(words) => Value::Text(words.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Whole(number),
            Err(_) => Value::Other("a number too large"),
        },
        DeValue::Boolean(truth) => Value::Truth(*truth),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| node(lines, item.span().start, item)).collect())
        }
        DeValue::Table(table) => Value::Table(entries(lines, table)),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
    };
    Node { place, value }
}

/// Where the lines of a text begin, so that a place in it is found without reading it again.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line, from 1, that this byte stands in.
    fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|end| *end < byte).saturating_add(1)
    }
}

#[cfg(test)]
mod tests;
