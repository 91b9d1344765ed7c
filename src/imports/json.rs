//! JSON that keeps the order of keys and refuses a key that is given twice.
//!
//! Contract: [`read`] gives the value, every key with its line, or an error with its place. serde's
//! own maps would take the last of two equal keys in silence, and its parser says where it is only
//! in errors: the lines of the keys are counted beforehand, in the order in which it meets them.
//! What is nested deeper than its parser goes (127) is an error. Deliberately absent: everything
//! else.

use super::{At, Stop};
use crate::text::Fault;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// Whole numbers only; others are [`Json::Fraction`].
    Number(i64),
    Fraction,
    Text(String),
    List(Vec<Json>),
    Object(Vec<Pair>),
}

/// A key with its line, and what stands behind it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) line: Option<u32>,
    pub(super) value: Json,
}

impl Json {
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.object()?.iter().find(|pair| pair.key == key).map(|pair| &pair.value)
    }

    pub(super) fn object(&self) -> Option<&[Pair]> {
        match self {
            Self::Object(pairs) => Some(pairs),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for errors.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) | Self::Fraction => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Reads a whole file.
pub(super) fn read(text: &str) -> Result<Json, Stop> {
    let mut lines = key_lines(text).into_iter();
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = Values(&mut lines).deserialize(&mut parser);
    value.and_then(|value| parser.end().map(|()| value)).map_err(|error| {
        let (place, said) = ((error.line(), error.column()), error.to_string());
        let Fault { said, line, column } = Fault::of(text, &said, place, error.is_eof());
        let said = match said.as_str() {
            "recursion limit exceeded" => "nested too deep",
            said => said,
        };
        // The line stands in front already.
        let line = line.and_then(|line| u32::try_from(line).ok());
        let column = line.map_or_else(String::new, |_| format!(", column {column}"));
        Stop::new(At::file(line), format!("is no specification in JSON: {said}{column}"))
    })
}

/// The lines of all keys of a text that is JSON, in its order.
fn key_lines(text: &str) -> Vec<u32> {
    let (mut lines, mut line) = (Vec::new(), 1);
    // The line of the last text that ended; it was a key if a colon follows.
    let mut ended = None;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' => line += 1,
            b'"' => {
                while let Some(inner) = bytes.next().filter(|inner| *inner != b'"') {
                    if inner == b'\\' {
                        bytes.next();
                    }
                }
                ended = Some(line);
            }
            b':' => lines.extend(ended.take()),
            _ => {}
        }
    }
    lines
}

/// Takes in a value; the lines of keys still to come.
struct Values<'a>(&'a mut std::vec::IntoIter<u32>);

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Fraction, Json::Number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Fraction)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element_seed(Values(&mut *self.0))? {
            all.push(one);
        }
        Ok(Json::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut pairs = Vec::new();
        let mut known = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let line = self.0.next();
            if !known.insert(key.clone()) {
                return Err(A::Error::custom(format!("{key:?} is given twice")));
            }
            let value = map.next_value_seed(Values(&mut *self.0))?;
            pairs.push(Pair { key, line, value });
        }
        Ok(Json::Object(pairs))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn keys_have_their_lines_whatever_texts_look_like() {
        let text = "{\"a\":\n \"b\\\":\\\\\",\n\"c:\\\"{\": [{\n\"d\"\n: 1}, \"e\"],\n\n\"f\":{}}";
        let read = read(text).map_err(|stop| stop.reason);
        let line = |json: &Json, key: &str| -> Option<u32> {
            json.object()?.iter().find(|pair| pair.key == key)?.line
        };
        let Ok(read) = read else { panic!("{read:?}") };
        assert_eq!(["a", "c:\"{", "f"].map(|key| line(&read, key)), [Some(1), Some(3), Some(7)]);
        let Some(Json::List(list)) = read.get("c:\"{") else { panic!("{read:?}") };
        assert_eq!(line(&list[0], "d"), Some(4));
    }

    #[test]
    fn errors_say_line_and_column() {
        let told = |text: &str| read(text).map_err(|stop| (stop.at.line, stop.reason)).err();
        let said = |what: &str| format!("is no specification in JSON: {what}");
        let deep = format!("{{\n{}", "[".repeat(200_000));
        assert_eq!(told("{\"a\":1,\n\"a\":2}").map(|(line, _)| line), Some(Some(2)));
        assert_eq!(told("{\n  x"), Some((Some(2), said("key must be a string, column 3"))));
        let deep_json = format!("{{\n\"a\":{}", "[".repeat(200_000));
        assert_eq!(told(&deep_json), Some((Some(2), said("nested too deep, column 131"))));
        assert!(told(&deep).is_some() && told("{} {}").is_some());
        let early = "the text ends too early (EOF while parsing an object), column 7";
        assert_eq!(told("{\n \"a\": 1\n \n"), Some((Some(2), said(early))));
        assert_eq!(told("\n"), Some((None, said("the text is empty"))));
    }
}
