//! Reads one TOML table key by key, and reports what nobody asked for.
//!
//! Contract: a reader never stops at an error; it notes it and hands out the default, so that
//! one pass finds everything. `finish` must be called on every section: it reports the unknown
//! keys and names the known ones.

use super::error::Findings;
use serde::Deserialize;
use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

#[cfg(test)]
type Number = (String, &'static str, u64, RangeInclusive<u64>);

#[cfg(test)]
thread_local! {
    /// Numbers that readers on this thread asked for: section, key, default, range.
    static ASKED: RefCell<Vec<Number>> = const { RefCell::new(Vec::new()) };
}

/// Takes the numbers that were asked for on this thread since the last time.
#[cfg(test)]
pub(super) fn asked_numbers() -> Vec<Number> {
    ASKED.take()
}

/// One table of the file.
pub(super) struct Section<'f, 'i> {
    path: String,
    span: Range<usize>,
    table: &'f DeTable<'i>,
    findings: &'f Findings<'i>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'f, 'i> Section<'f, 'i> {
    pub(super) fn root(table: &'f Spanned<DeTable<'i>>, findings: &'f Findings<'i>) -> Self {
        Self::at(String::new(), table.span(), table.get_ref(), findings)
    }

    fn at(
        path: String,
        span: Range<usize>,
        table: &'f DeTable<'i>,
        findings: &'f Findings<'i>,
    ) -> Self {
        Self { path, span, table, findings, asked: RefCell::default() }
    }

    /// The key of an entry from the outside in.
    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn get(&self, key: &'static str) -> Option<&'f Spanned<DeValue<'i>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    /// Notes an error at one key of this section, or at its head where the key is absent.
    pub(super) fn wrong(&self, key: &str, why: impl Into<String>) {
        let span = self.table.get(key).map_or(self.span.clone(), Spanned::span);
        self.findings.add(Some(span), &self.key(key), why);
    }

    fn expected(&self, key: &str, expected: &str, got: &Spanned<DeValue<'i>>) {
        let kind = got.get_ref().type_str();
        self.wrong(key, format!("expected {expected}, got a value of type {kind}"));
    }

    /// Whether the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A string, if it is there.
    pub(super) fn string(&self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.expected(key, "a string", value);
        }
        text
    }

    /// A string that must be there.
    pub(super) fn need(&self, key: &'static str) -> String {
        if !self.has(key) {
            self.wrong(key, "is missing");
        }
        self.string(key).unwrap_or_default()
    }

    /// A string that parses, if it is there.
    pub(super) fn parsed<T>(&self, key: &'static str) -> Option<T>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        match self.string(key)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(key, error.to_string());
                None
            }
        }
    }

    /// A list of strings that parse; empty if it is not there.
    pub(super) fn list<T>(&self, key: &'static str) -> Vec<T>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.expected(key, "a list of strings", value);
            return Vec::new();
        };
        let mut parsed = Vec::new();
        for item in items.iter() {
            match item.get_ref().as_str().map(str::parse::<T>) {
                Some(Ok(value)) => parsed.push(value),
                Some(Err(error)) => self.wrong(key, error.to_string()),
                None => self.expected(key, "a list of strings", item),
            }
        }
        parsed
    }

    /// A whole number in a range.
    pub(super) fn number(
        &self,
        key: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        #[cfg(test)]
        ASKED.with_borrow_mut(|all| all.push((self.path.clone(), key, default, range.clone())));
        let Some(value) = self.get(key) else { return default };
        let Some(number) = value.get_ref().as_integer() else {
            self.expected(key, "a whole number", value);
            return default;
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(n) if range.contains(&n) => n,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.wrong(key, format!("expected {low} to {high}, got {}", number.as_str()));
                default
            }
        }
    }

    /// A duration in milliseconds, in a range.
    pub(super) fn millis(
        &self,
        key: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_millis(self.number(key, default, range))
    }

    /// A count that must fit memory.
    pub(super) fn count(
        &self,
        key: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> usize {
        usize::try_from(self.number(key, default, range)).unwrap_or(usize::MAX)
    }

    /// True or false.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.get(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.expected(key, "true or false", value);
            default
        })
    }

    /// One of a closed set of words.
    pub(super) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let given = self.string(key)?;
        let found = words.iter().find(|(word, _)| *word == given).map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(key, format!("expected one of {}, got \"{given}\"", all.join(", ")));
        }
        found
    }

    /// Anything serde can read, if it is there.
    pub(super) fn value<T: Deserialize<'i>>(&self, key: &'static str) -> Option<T> {
        let value = self.get(key)?;
        match T::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(read) => Some(read),
            Err(error) => {
                self.wrong(key, error.message().to_owned());
                None
            }
        }
    }

    /// The tables under one key, by name: `[bank.river]`, `[bank.mountain]`.
    pub(super) fn named(&self, key: &'static str) -> Vec<(String, Section<'f, 'i>)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(tables) = value.get_ref().as_table() else {
            self.expected(key, "tables, one per name", value);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (name, inner) in tables.iter() {
            let path = format!("{}.{}", self.key(key), name.get_ref());
            match inner.get_ref().as_table() {
                Some(table) => {
                    let section = Self::at(path, inner.span(), table, self.findings);
                    sections.push((name.get_ref().to_string(), section));
                }
                None => self.findings.add(Some(inner.span()), &path, "expected a table"),
            }
        }
        sections
    }

    /// One table, if it is there.
    pub(super) fn table(&self, key: &'static str) -> Option<Section<'f, 'i>> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(Self::at(self.key(key), value.span(), table, self.findings)),
            None => {
                self.expected(key, "a table", value);
                None
            }
        }
    }

    /// A list of tables: `[[route]]`.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Section<'f, 'i>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.expected(key, "a list of tables", value);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item.get_ref().as_table() {
                Some(table) => {
                    let path = format!("{}[{index}]", self.key(key));
                    sections.push(Self::at(path, item.span(), table, self.findings));
                }
                None => self.expected(key, "a list of tables", item),
            }
        }
        sections
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(&self) {
        let mut known = self.asked.borrow().clone();
        known.sort_unstable();
        known.dedup();
        for (key, _) in self.table.iter() {
            if !known.contains(&key.get_ref().as_ref()) {
                let why = format!("unknown key; known here: {}", known.join(", "));
                self.findings.add(Some(key.span()), &self.key(key.get_ref()), why);
            }
        }
    }
}
