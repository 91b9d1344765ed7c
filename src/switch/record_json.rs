//! Records as JSON for `journal dump`: every field by its name, card numbers masked.
//!
//! Contract: one object per record, `{"no": 7, "record": {"intent": {...}}}`; absent fields are
//! left out; stamps are UTC text, words are those of the code in small letters. Nothing in it
//! is secret.

use super::ids::RecordNo;
use super::record::Record;
use crate::canonical::Carried;
use crate::money::Amount;
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::{Day, Wall};
use serde_json::{Value, json};
use std::sync::Arc;

/// What can be shown; secrets show themselves masked.
pub(super) trait Shown {
    /// The value as JSON; null is left out.
    fn shown(&self) -> Value;
}

/// A record as one JSON object, masked.
pub fn describe(no: RecordNo, record: &Record) -> Value {
    json!({ "no": no.0, "record": record.shown() })
}

/// A variant: its name in small letters (`SentUnknown` is `sent_unknown`), or an object of that
/// name with what it holds.
pub(super) fn variant<const N: usize>(name: &str, holds: [Value; N]) -> Value {
    let mut word = String::with_capacity(name.len() + 2);
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    match holds.into_iter().next() {
        Some(value) => Value::Object(serde_json::Map::from_iter([(word, value)])),
        None => Value::String(word),
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::shown)
    }
}

impl<T: Shown> Shown for Arc<T> {
    fn shown(&self) -> Value {
        T::shown(self)
    }
}

impl<T: Shown> Shown for Box<T> {
    fn shown(&self) -> Value {
        T::shown(self)
    }
}

macro_rules! shown_plainly {
    ($($plain:ty),*) => {$(
        impl Shown for $plain {
            fn shown(&self) -> Value {
                Value::from(*self)
            }
        }
    )*};
}

shown_plainly!(u8, u16, u32, u64, bool);

impl Shown for RecordNo {
    fn shown(&self) -> Value {
        Value::from(self.0)
    }
}

impl Shown for [u8; 16] {
    fn shown(&self) -> Value {
        Value::from(crate::hex::upper(self))
    }
}

impl Shown for Wall {
    fn shown(&self) -> Value {
        Value::from(self.to_string())
    }
}

/// As messages and operators spell it; the record's own time tells the year.
impl Shown for Day {
    fn shown(&self) -> Value {
        Value::from(self.digits().as_str())
    }
}

impl<const N: usize> Shown for Text<N> {
    fn shown(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl Shown for Pan {
    fn shown(&self) -> Value {
        Value::from(self.masked())
    }
}

/// Which fields and how long, not what.
impl Shown for Carried {
    fn shown(&self) -> Value {
        Value::from(format!("{self:?}"))
    }
}

impl Shown for Amount {
    fn shown(&self) -> Value {
        json!({ "minor": self.minor, "currency": self.currency.to_string() })
    }
}
