//! Compiling a dialect file: merge, read, check, flatten.
//!
//! Contract: [`Dialect::compile`] gives a dialect or every error at once, each with file, line, key
//! and reason; it never panics on any text. The message sections (`[messages]`, `[mac]`, …)
//! are handed to [`Rules::compile`] unread. Deliberately absent: reading files – the caller
//! gives a function from name to text.

use super::coding::Encoding;
use super::dialect::{BitmapCoding, Dialect};
use super::dialect_fields::{self, Defaults, ENCODINGS, as_table};
use super::dialect_text::{Keys, Sources};
use super::error::DialectError;
use super::field::{FieldTable, Secret};
use super::header::{self, Header, Tpdu};
use super::inside_load;
use super::length_prefix::LengthCoding;
use super::plan::{Side, Sign, Unit};
use super::quick;
use super::rules::{self, Rules};
use crate::limits::DE_MAX;
use std::cell::RefCell;
use toml::{Table, Value};

const ASCII: Defaults = Defaults {
    numeric: Encoding::Ascii,
    text: Encoding::Ascii,
    track: Encoding::Ascii,
    binary: Encoding::Raw,
    length: LengthCoding::Ascii,
    bcd_counts: Unit::Digits,
    pad: Side::Left,
    pad_variable: Side::Left,
    pad_nibble: 0,
    sign: Sign::Byte,
};

/// What `[encoding]` says.
struct Encodings {
    defaults: Defaults,
    mti: Encoding,
    bitmap: BitmapCoding,
}

impl Dialect {
    /// Compiles a dialect. `source` gives the text of a dialect file by name, also for what
    /// `extends` names (for the shipped ones: [`super::shipped`]).
    ///
    /// # Errors
    /// Every reason why it cannot be used, with file, line and key.
    pub fn compile(
        name: &str,
        source: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<DialectError>> {
        let sources = Sources::load(name, source).map_err(|e| vec![e])?;
        let errors = RefCell::new(Vec::new());
        let dialect = read(name, &sources, &errors);
        let mut errors = errors.into_inner();
        let rules = match Rules::compile(&sources.merged, &dialect.fields) {
            Ok(rules) => rules,
            Err(more) => {
                errors.extend(more);
                Rules::default()
            }
        };
        if errors.is_empty() {
            return Ok(Self { rules, ..dialect });
        }
        Err(errors.into_iter().map(|e| sources.locate(e)).collect())
    }
}

fn read(name: &str, sources: &Sources, errors: &RefCell<Vec<DialectError>>) -> Dialect {
    let mut keys = Keys::new(&sources.merged, "", errors);
    keys.leave(&rules::SECTIONS);
    let _ = keys.text("extends");
    let _ = keys.text("name");
    let title = keys.text("title").unwrap_or_default().to_owned();
    let version = keys.count("version", 9).map(|v| v as u8);
    let encodings = encodings(&mut keys);
    let header = header(&mut keys, &encodings.defaults);
    let only = numbers(&mut keys, "only");
    let show = numbers(&mut keys, "show");
    let mut fields = FieldTable::default();
    if let Some(table) = keys.table("fields") {
        let own = sources.own.get("fields").and_then(Value::as_table);
        let reading = Reading { encodings: &encodings, own, only: only.as_deref() };
        reading.fields(table, errors, &mut fields);
    }
    let own = sources.own.contains_key("show");
    reveal(&keys, &mut fields, &show.unwrap_or_default(), own);
    check_currencies(&fields, errors);
    keys.finish();
    let Encodings { mti, bitmap, .. } = encodings;
    let plans = fields.plans();
    let quick = quick::table(&plans);
    let in_first = fields.iter().take_while(|(de, _)| *de <= 64);
    let known = in_first.fold(0, |bits, (de, _)| bits | 1 << (64 - de));
    let (name, rules) = (name.to_owned(), Rules::default());
    Dialect { name, title, version, mti, bitmap, header, fields, plans, quick, known, rules }
}

fn encodings(keys: &mut Keys<'_>) -> Encodings {
    let bitmap = BitmapCoding { encoding: Encoding::Raw, most: 2, least: 1, third_at_65: false };
    let mut all = Encodings { defaults: ASCII, mti: Encoding::Ascii, bitmap };
    let Some(table) = keys.table("encoding") else { return all };
    let mut inner = Keys::new(table, "encoding", keys.errors());
    inside_load::overrides(&mut inner, &mut all.defaults);
    if let Some(mti) = inner.choice("mti", &ENCODINGS) {
        all.mti = mti;
        let carries = [Encoding::Ascii, Encoding::Cp037, Encoding::Cp1047, Encoding::Bcd];
        if !carries.contains(&mti) {
            inner.refuse("mti", "expected ascii, ebcdic, cp1047 or bcd");
        }
    }
    let codings = [
        ("binary", Encoding::Raw),
        ("hex", Encoding::Hex),
        ("hex-lower", Encoding::HexLower),
        ("ebcdic-hex", Encoding::EbcdicHex),
    ];
    all.bitmap.encoding = inner.choice("bitmap", &codings).unwrap_or(Encoding::Raw);
    bitmap_counts(&mut inner, &mut all.bitmap);
    inner.finish();
    all
}

fn bitmap_counts(keys: &mut Keys<'_>, bitmap: &mut BitmapCoding) {
    bitmap.most = keys.count("bitmaps", 3).map_or(2, |n| n as u8);
    bitmap.least = keys.count("bitmaps_at_least", 3).map_or(1, |n| n as u8);
    if bitmap.most == 0 {
        keys.refuse("bitmaps", "expected 1, 2 or 3");
        bitmap.most = 1;
    }
    if bitmap.least == 0 || bitmap.least > bitmap.most {
        keys.refuse("bitmaps_at_least", format!("expected 1 to {}", bitmap.most));
        bitmap.least = 1;
    }
    let places = [("leading", false), ("field-65", true)];
    bitmap.third_at_65 = keys.choice("third_bitmap", &places).unwrap_or(false);
}

fn header(keys: &mut Keys<'_>, defaults: &Defaults) -> Option<Header> {
    let table = keys.table_or_false("header")?;
    let mut inner = Keys::new(table, "header", keys.errors());
    let tpdus =
        [("never", Tpdu::Never), ("optional", Tpdu::Optional), ("required", Tpdu::Required)];
    let tpdu = inner.choice("tpdu", &tpdus).unwrap_or(Tpdu::Never);
    let optional = inner.flag("optional").unwrap_or(false);
    let lri = inner.flag("lri").unwrap_or(false);
    let length_at = inner.count("length_at", 255).map(usize::from);
    let field = dialect_fields::field(&mut inner, defaults, 0);
    inner.finish();
    let mut field = field?;
    field.plan.unit = Unit::Bytes;
    let varies = field.plan.prefix.coding == LengthCoding::Rest;
    if varies != length_at.is_some() {
        keys.refuse("header.format", "a header of varying length is `b*` with `length_at`");
    }
    let size = field.max_len();
    if length_at.is_some_and(|at| at >= size || size > 255) {
        keys.refuse("header.length_at", format!("one byte within a header of up to {size} bytes"));
    }
    if !varies && field.plan.room(field.max_len()) > header::ROOM {
        keys.refuse("header.format", format!("longer than {}", header::ROOM / 2));
    }
    Some(Header { tpdu, optional, lri, length_at, field })
}

/// A list of data element numbers.
fn numbers(keys: &mut Keys<'_>, key: &'static str) -> Option<Vec<u8>> {
    let list = keys.list(key)?;
    let number = |v: &Value| {
        let de = v.as_integer().and_then(|n| u8::try_from(n).ok());
        let good = de.filter(|n| (2..=DE_MAX).contains(n));
        if good.is_none() {
            keys.refuse(key, format!("{v} is no data element: expected 2 to {DE_MAX}"));
        }
        good
    };
    Some(list.iter().filter_map(number).collect())
}

/// What reading `[fields]` needs to know of the rest.
struct Reading<'a> {
    encodings: &'a Encodings,
    /// The child's own `[fields]`: what a parent defines too far out is left out silently.
    own: Option<&'a Table>,
    only: Option<&'a [u8]>,
}

impl Reading<'_> {
    fn fields(&self, table: &Table, errors: &RefCell<Vec<DialectError>>, fields: &mut FieldTable) {
        let keys = Keys::new(table, "fields", errors);
        for (name, value) in table {
            let Some(de) = self.number(&keys, name) else { continue };
            if self.only.is_some_and(|only| !only.contains(&de)) {
                continue;
            }
            let Some(table) = as_table(value) else {
                if value.as_bool() != Some(false) {
                    keys.refuse(name, "expected a table, a format, or false to take it away");
                }
                continue;
            };
            let mut inner = Keys::new(&table, keys.path(name), errors);
            let field = dialect_fields::field(&mut inner, &self.encodings.defaults, 0);
            inner.finish();
            if let Some(field) = field {
                if field.plan.prefix.coding == LengthCoding::Rest {
                    keys.refuse(name, "only a part of a composite can take the rest");
                }
                fields.put(de, field);
            }
        }
        for de in self.only.unwrap_or_default() {
            if !table.contains_key(&de.to_string()) {
                errors.borrow_mut().push(DialectError::new("only", format!("no field {de}")));
            }
        }
    }

    /// The data element a key names, if the bitmaps can announce it.
    fn number(&self, keys: &Keys<'_>, name: &str) -> Option<u8> {
        let de = name.parse::<u8>().ok().filter(|de| (1..=DE_MAX).contains(de));
        let Some(de) = de.filter(|de| de.to_string() == name) else {
            keys.refuse(name, format!("expected a data element number of 2 to {DE_MAX}"));
            return None;
        };
        let bitmap = &self.encodings.bitmap;
        let reason = match de {
            1 => "data element 1 is the bitmap".to_owned(),
            65 if bitmap.most == 3 => "with three bitmaps this announces the third".to_owned(),
            _ if de > bitmap.most * 64 => {
                format!("unreachable: {} bitmap(s) end at {}", bitmap.most, bitmap.most * 64)
            }
            _ => return Some(de),
        };
        if self.own.is_some_and(|own| own.contains_key(name)) {
            keys.refuse(name, reason);
        }
        None
    }
}

/// `show = [3, 4, …]`: the data elements that are no secret.
fn reveal(keys: &Keys<'_>, fields: &mut FieldTable, show: &[u8], own: bool) {
    for de in show {
        let Some(field) = fields.get_mut(*de) else {
            // A parent may show what its child took away.
            if own {
                keys.refuse("show", format!("no field {de}"));
            }
            continue;
        };
        match field.secret {
            Secret::Unstated => field.secret = Secret::None,
            Secret::None => {}
            _ => keys.refuse("show", format!("{de} is stated to be secret")),
        }
    }
}

/// An amount's currency stands in a field of the dialect.
fn check_currencies(fields: &FieldTable, errors: &RefCell<Vec<DialectError>>) {
    for (de, field) in fields.iter() {
        if let Some(currency) = field.currency().filter(|c| fields.get(*c).is_none()) {
            let key = format!("fields.{de}.currency");
            errors.borrow_mut().push(DialectError::new(key, format!("no field {currency}")));
        }
    }
}
