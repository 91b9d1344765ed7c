//! Dialect files as text: `extends`, deep merge, and reading tables key by key.
//!
//! Contract: [`Sources::load`] follows `extends` (cycles and missing files are errors), merges
//! parent under child, and can say afterwards in which file and line a key stands. [`Keys`] reads a
//! table and collects every error, unknown keys included, instead of stopping at the first.
//! Deliberately absent: what the keys mean ([`super::dialect_fields`], [`super::dialect_load`]).

use super::error::DialectError;
use std::cell::RefCell;
use toml::{Table, Value};

/// Files deeper than this are a mistake even without a cycle.
const EXTENDS_MAX: usize = 16;

/// The chain of files a dialect is made of, the child first.
pub(crate) struct Sources {
    files: Vec<(String, String)>,
    pub(crate) merged: Table,
    /// The child's own table, before anything was merged under it.
    pub(crate) own: Table,
}

impl Sources {
    pub(crate) fn load(
        name: &str,
        source: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, DialectError> {
        let mut files: Vec<(String, String)> = Vec::new();
        let mut tables = Vec::new();
        let mut next = Some(name.to_owned());
        while let Some(name) = next.take() {
            let by = files.last().map_or(name.clone(), |(file, _)| file.clone());
            let refuse = |reason: String| located(&by, "extends", reason);
            if files.iter().any(|(file, _)| *file == name) {
                return Err(refuse(format!("`{name}` extends itself, directly or through others")));
            }
            if files.len() == EXTENDS_MAX {
                return Err(refuse(format!("more than {EXTENDS_MAX} files in one chain")));
            }
            let text = source(&name).ok_or_else(|| refuse(format!("no dialect named `{name}`")))?;
            let table: Table = toml::from_str(&text).map_err(|e| syntax(&name, &text, &e))?;
            next = table.get("extends").and_then(Value::as_str).map(str::to_owned);
            files.push((name, text));
            tables.push(table);
        }
        let own = tables.first().cloned().unwrap_or_default();
        let mut merged = Table::new();
        for table in tables.into_iter().rev() {
            merge(&mut merged, table, Place::Top);
        }
        Ok(Self { files, merged, own })
    }

    /// Fills in file and line: the most derived file that has the key, else the first.
    pub(crate) fn locate(&self, mut error: DialectError) -> DialectError {
        if !error.file.is_empty() {
            return error;
        }
        let mut key = error.key.as_str();
        loop {
            let found = self.files.iter().find_map(|(f, text)| Some((f, line_of(text, key)?)));
            if let Some((file, line)) = found {
                error.file.clone_from(file);
                error.line = Some(line);
                return error;
            }
            // A key that should be there but is not: the table it belongs in.
            match key.rsplit_once('.') {
                Some((outer, _)) => key = outer,
                None => break,
            }
        }
        error.file = self.files.first().map(|(file, _)| file.clone()).unwrap_or_default();
        error
    }
}

fn located(file: &str, key: &str, reason: String) -> DialectError {
    DialectError { file: file.to_owned(), ..DialectError::new(key, reason) }
}

fn syntax(file: &str, text: &str, error: &toml::de::Error) -> DialectError {
    let line = error.span().map(|s| line_at(text, s.start));
    DialectError { line, ..located(file, "TOML", error.message().to_owned()) }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

/// The line of a dotted key, if the text has it.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let parsed = toml::de::DeTable::parse(text).ok()?;
    let mut table = parsed.get_ref();
    let mut steps = key.split('.').peekable();
    while let Some(step) = steps.next() {
        let (name, value) = table.get_key_value(step)?;
        if steps.peek().is_none() {
            return Some(line_at(text, name.span().start));
        }
        let inner = value.get_ref().as_table();
        match inner {
            Some(inner) => table = inner,
            // Into an array: its own line is as close as we say.
            None => return Some(line_at(text, name.span().start)),
        }
    }
    None
}

/// Where in a file tables are merged: only definitions of fields have a short form.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    /// A section without definitions.
    Elsewhere,
    /// A table of definitions: `[fields]`, `tags`, `parts`.
    Definitions,
    /// Within one definition.
    Definition,
}

impl Place {
    fn under(self, key: &str) -> Self {
        match (self, key) {
            (Self::Top, "fields") | (Self::Definition, "tags" | "parts") => Self::Definitions,
            (Self::Top, "header") | (Self::Definitions | Self::Definition, _) => Self::Definition,
            (Self::Top | Self::Elsewhere, _) => Self::Elsewhere,
        }
    }
}

/// Puts `over` on top of `under`: tables key by key, everything else replaced. A table that says
/// `replace = true` takes the place of its parent's whole.
fn merge(under: &mut Table, mut over: Table, place: Place) {
    if over.get("replace").and_then(Value::as_bool) == Some(true) {
        over.remove("replace");
        under.clear();
    }
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => {
                merge(below, above, place.under(&key));
            }
            (Some(below @ Value::String(_)), Value::Table(above))
                if place == Place::Definitions =>
            {
                // `4 = "n12"` is short for `4 = { format = "n12" }`.
                let mut table = Table::new();
                table.insert("format".to_owned(), below.clone());
                merge(&mut table, above, Place::Definition);
                *below = Value::Table(table);
            }
            (_, Value::Table(above)) => {
                let mut fresh = Table::new();
                merge(&mut fresh, above, place.under(&key));
                under.insert(key, Value::Table(fresh));
            }
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

/// A table being read key by key.
pub(crate) struct Keys<'a> {
    table: &'a Table,
    path: String,
    used: Vec<&'static str>,
    errors: &'a RefCell<Vec<DialectError>>,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(
        table: &'a Table,
        path: impl Into<String>,
        errors: &'a RefCell<Vec<DialectError>>,
    ) -> Self {
        Self { table, path: path.into(), used: Vec::new(), errors }
    }

    /// The full key below this table.
    pub(crate) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(crate) fn refuse(&self, key: &str, reason: impl Into<String>) {
        self.errors.borrow_mut().push(DialectError::new(self.path(key), reason));
    }

    pub(crate) fn errors(&self) -> &'a RefCell<Vec<DialectError>> {
        self.errors
    }

    fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.used.push(key);
        self.table.get(key)
    }

    /// Looks at a value without counting its key as read.
    pub(crate) fn peek(&self, key: &str) -> Option<&'a Value> {
        self.table.get(key)
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<&'a str> {
        let value = self.value(key)?;
        let text = value.as_str();
        if text.is_none() {
            self.refuse(key, format!("expected text, got {}", value.type_str()));
        }
        text
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.refuse(key, format!("expected true or false, got {}", value.type_str()));
        }
        flag
    }

    pub(crate) fn count(&mut self, key: &'static str, most: u16) -> Option<u16> {
        let value = self.value(key)?;
        let number = value.as_integer().and_then(|n| u16::try_from(n).ok());
        let good = number.filter(|n| *n <= most);
        if good.is_none() {
            self.refuse(key, format!("expected a number of 0 to {most}"));
        }
        good
    }

    pub(crate) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        options: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(key)?;
        let found = options.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
            self.refuse(key, format!("`{text}` is none of {}", names.join(", ")));
        }
        found
    }

    pub(crate) fn table(&mut self, key: &'static str) -> Option<&'a Table> {
        let value = self.value(key)?;
        let table = value.as_table();
        if table.is_none() {
            self.refuse(key, format!("expected a table, got {}", value.type_str()));
        }
        table
    }

    /// A table, or `false` to take away what a parent states: `None` for both absent and false.
    pub(crate) fn table_or_false(&mut self, key: &'static str) -> Option<&'a Table> {
        if self.table.get(key).and_then(Value::as_bool) == Some(false) {
            self.used.push(key);
            return None;
        }
        self.table(key)
    }

    pub(crate) fn list(&mut self, key: &'static str) -> Option<&'a [Value]> {
        let value = self.value(key)?;
        let list = value.as_array().map(Vec::as_slice);
        if list.is_none() {
            self.refuse(key, format!("expected a list, got {}", value.type_str()));
        }
        list
    }

    /// One character or hex digit given as text, or a digit given as a number.
    pub(crate) fn one(&mut self, key: &'static str) -> Option<u8> {
        let value = self.value(key)?;
        let byte = match value {
            Value::String(s) if s.len() == 1 => s.bytes().next(),
            Value::Integer(n @ 0..=9) => Some(b'0' + *n as u8),
            _ => None,
        };
        if byte.is_none() {
            self.refuse(key, "expected one character");
        }
        byte
    }

    /// Marks keys as read elsewhere.
    pub(crate) fn leave(&mut self, keys: &[&'static str]) {
        self.used.extend_from_slice(keys);
    }

    /// Refuses every key that nobody asked for.
    pub(crate) fn finish(self) {
        for key in self.table.keys().filter(|k| !self.used.contains(&k.as_str())) {
            self.refuse(key, "unknown key");
        }
    }
}
