//! Messages as JSON, and back.
//!
//! Contract: `{"dialect", "mti", "header", "fields"}`: text fields
//! as text, `b` fields as upper-case hex, composites as objects by name, tag or bit, repeated tags
//! as arrays. What would not come back the same (padding inside a TLV, bytes that are no
//! text) is written plainly: as hex for `b`, as `hex:…` for text. Secrets are masked unless
//! revealed, and masked output does not encode. Deliberately absent: any other shape.

use super::coding::{hex_text, parse_hex};
use super::dialect::Dialect;
use super::error::{self, PackError};
use super::field::Field;
use super::inside::{DEPTH_MAX, Inside};
use super::inside_walk::Item;
use super::mask;
use super::message::{Message, MessageError};
use super::mti::Mti;
use serde_json::{Map, Value};

/// Why JSON is no message of the dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct JsonError {
    /// Where: `fields.55.9F02`.
    pub path: String,
    /// What is wrong; never holds the value.
    pub reason: String,
}

const HEX: &str = "hex:";

/// A message as JSON. Without `reveal`, secrets are masked.
pub fn to_json(dialect: &Dialect, msg: &Message, reveal: bool) -> Value {
    let mut fields = Map::new();
    if msg.bitmaps() == 2 && msg.fields().all(|de| de <= 64) {
        // An empty secondary bitmap would otherwise be lost.
        fields.insert("1".to_owned(), Value::String("0".repeat(16)));
    }
    for de in msg.fields() {
        let field = dialect.field(de);
        let value = msg.get(de).unwrap_or_default();
        fields.insert(de.to_string(), field_json(field, value, reveal, 0));
    }
    let mut object = Map::new();
    object.insert("dialect".to_owned(), Value::String(dialect.name().to_owned()));
    object.insert("mti".to_owned(), Value::String(msg.mti().to_string()));
    let header = msg.header().map_or(Value::Null, |h| Value::String(hex_text(h)));
    object.insert("header".to_owned(), header);
    object.insert("fields".to_owned(), Value::Object(fields));
    Value::Object(object)
}

fn field_json(field: Option<&Field>, value: &[u8], reveal: bool, depth: usize) -> Value {
    let inside = field.and_then(Field::inside).filter(|_| depth < DEPTH_MAX);
    if let Some(parts) = inside.and_then(|i| parts_json(i, value, reveal, depth)) {
        return parts;
    }
    Value::String(mask::shown(field, plain(field, value), reveal))
}

/// A value without looking inside: text as text, bytes as hex.
pub(crate) fn plain(field: Option<&Field>, value: &[u8]) -> String {
    if field.is_none_or(|f| f.class().is_binary()) {
        return hex_text(value);
    }
    match std::str::from_utf8(value) {
        Ok(text) if !text.starts_with(HEX) && !text.chars().any(char::is_control) => text.into(),
        _ => format!("{HEX}{}", hex_text(value)),
    }
}

/// A composite as an object, if it comes back the same from it.
fn parts_json(inside: &Inside, content: &[u8], reveal: bool, depth: usize) -> Option<Value> {
    let clear = object(inside, content, true, depth)?;
    let mut back = Vec::new();
    content_of(inside, &clear, "", depth, &mut back).ok()?;
    if back != content {
        return None;
    }
    let object = if reveal { clear } else { object(inside, content, false, depth)? };
    Some(Value::Object(object))
}

fn object(
    inside: &Inside,
    content: &[u8],
    reveal: bool,
    depth: usize,
) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for item in inside.items(content) {
        let item = item.ok()?;
        let value = item.value().ok()?;
        let json = item_json(inside, &item, &value, reveal, depth);
        match object.get_mut(&item.key()) {
            None => drop(object.insert(item.key(), json)),
            Some(Value::Array(all)) => all.push(json),
            Some(first) => *first = Value::Array(vec![first.take(), json]),
        }
    }
    Some(object)
}

fn item_json(inside: &Inside, item: &Item<'_>, value: &[u8], reveal: bool, depth: usize) -> Value {
    let nests = item.part.is_none() && inside.nests(item) && depth < DEPTH_MAX;
    if nests && let Some(parts) = parts_json(inside, value, reveal, depth + 1) {
        return parts;
    }
    field_json(item.part.map(|p| p.field()), value, reveal, depth + 1)
}

/// Reads a message from JSON of the shape [`to_json`] writes. `dialect` in it is not looked at.
///
/// # Errors
/// [`JsonError`] with the first place that is no message of the dialect.
pub fn from_json(dialect: &Dialect, json: &Value) -> Result<Message, JsonError> {
    let refuse = |path: &str, reason: &str| Err(bad(path, reason));
    let Some(object) = json.as_object() else { return refuse("JSON", "expected an object") };
    if let Some(key) = object.keys().find(|k| !KEYS.contains(&k.as_str())) {
        return refuse(key, "unknown key: expected dialect, mti, header and fields");
    }
    let mut msg = Message::new();
    let mti = object.get("mti").and_then(Value::as_str).unwrap_or_default();
    msg.set_mti(mti.parse::<Mti>().map_err(|e| bad("mti", &e.to_string()))?);
    match object.get("header") {
        None | Some(Value::Null) => {}
        Some(header) => msg.set_header(Some(&hex("header", header)?)),
    }
    let fields = object.get("fields").and_then(Value::as_object);
    let Some(fields) = fields else { return refuse("fields", "expected an object") };
    for (key, value) in fields {
        let path = format!("fields.{key}");
        let de = key.parse::<u8>().map_err(|_| bad(&path, "expected a data element number"))?;
        if de == 1 {
            msg.set_bitmaps(2);
            continue;
        }
        let mut bytes = Vec::new();
        value_of(dialect.field(de), value, &path, 0, &mut bytes)?;
        msg.set(de, &bytes).map_err(|e: MessageError| bad(&path, &e.to_string()))?;
    }
    if msg.fields().any(|de| de > 64) {
        msg.set_bitmaps(msg.fields().last().map_or(1, |de| de.div_ceil(64)));
    }
    Ok(msg)
}

const KEYS: [&str; 4] = ["dialect", "mti", "header", "fields"];

fn bad(path: &str, reason: &str) -> JsonError {
    JsonError { path: path.to_owned(), reason: reason.to_owned() }
}

fn hex(path: &str, value: &Value) -> Result<Vec<u8>, JsonError> {
    let text = value.as_str().ok_or_else(|| bad(path, "expected hex as text"))?;
    parse_hex(text).ok_or_else(|| bad(path, "expected an even number of hex digits"))
}

/// Appends a field's value in normal form.
fn value_of(
    field: Option<&Field>,
    value: &Value,
    path: &str,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    if let Value::Object(object) = value {
        let inside = field.and_then(Field::inside).filter(|_| depth < DEPTH_MAX);
        let inside = inside.ok_or_else(|| bad(path, "this is no composite: expected text"))?;
        return content_of(inside, object, path, depth, out);
    }
    let Some(text) = value.as_str() else { return Err(bad(path, "expected text")) };
    if field.is_none_or(|f| f.class().is_binary()) {
        out.extend(hex(path, value)?);
    } else if let Some(digits) = text.strip_prefix(HEX) {
        out.extend(hex(path, &Value::from(digits))?);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    Ok(())
}

/// Appends the content of a composite.
fn content_of(
    inside: &Inside,
    object: &Map<String, Value>,
    path: &str,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    let mut values = Vec::new();
    for (key, json) in object {
        let one = std::slice::from_ref(json);
        let all = json.as_array().map_or(one, Vec::as_slice);
        for json in all {
            let path = format!("{path}.{key}");
            let mut bytes = Vec::new();
            part_value(inside, key, json, &path, depth, &mut bytes)?;
            values.push((key.as_str(), bytes));
        }
    }
    let given: Vec<(&str, &[u8])> = values.iter().map(|(k, v)| (*k, v.as_slice())).collect();
    inside.compose(&given, out).map_err(|inner| {
        let PackError { path: below, expected, got, .. } = error::pack_error(
            inner.path.clone(),
            inside.part_by_key(&inner.path).map(|p| p.field()),
            inner.fault,
        );
        bad(&format!("{path}.{below}"), &format!("expected {expected}, got {got}"))
    })
}

fn part_value(
    inside: &Inside,
    key: &str,
    json: &Value,
    path: &str,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    match (inside.part_by_key(key), json) {
        (None, Value::Object(object)) if depth < DEPTH_MAX => {
            content_of(inside, object, path, depth + 1, out)
        }
        (part, json) => value_of(part.map(|p| p.field()), json, path, depth + 1, out),
    }
}
