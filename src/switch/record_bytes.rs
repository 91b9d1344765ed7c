//! Records as bytes: compact, versioned, total to decode.
//!
//! Contract: [`Record::encode`] then [`Record::decode`] gives the same record; any bytes decode
//! to a record or to an error that says where, never to a panic and never to another record's
//! meaning. `Coded` is implemented for what may be stored and for nothing else: there is no
//! implementation for tracks, PIN blocks or verification values, so the compiler refuses them.
//!
//! ```text
//! record   version u8 | tag u8 | fields in order
//! number   7 bits a byte, lowest first; signed ones zigzag
//! text     length + 1 (0: absent, where it may be) | characters
//! card     digits | two digits a byte, the odd one padded with F
//! option   0, or 1 and the value (text has its own way)
//! ```

use super::ids::RecordNo;
use super::record::Record;
use crate::canonical::Carried;
use crate::money::{Amount, Currency};
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::{Day, Wall};
use std::sync::Arc;

/// The format written. Adding a record, a field or a value is a new version; a reader knows all
/// versions up to its own.
pub const RECORD_VERSION: u8 = 4;

/// Why bytes are no record. Never holds the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer build.
    #[error("record format {got} is newer than this build's {RECORD_VERSION}; use the newer build")]
    Version {
        /// The version found.
        got: u8,
    },
    /// The bytes end too soon.
    #[error("{what} at byte {at}: the record ends too soon")]
    Short {
        /// The field.
        what: &'static str,
        /// Offset.
        at: usize,
    },
    /// A value outside what the field can be.
    #[error("{what} at byte {at}: no such value")]
    Value {
        /// The field.
        what: &'static str,
        /// Offset.
        at: usize,
    },
    /// Bytes are left over.
    #[error("{left} bytes left over after the record, from byte {at}")]
    Trailing {
        /// Offset of the first.
        at: usize,
        /// How many.
        left: usize,
    },
}

/// Bytes being read, with the place for errors.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    what: &'static str,
    version: u8,
}

impl<'a> Reader<'a> {
    /// Reads from the beginning what this build wrote.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, what: "version", version: RECORD_VERSION }
    }

    /// A field that this version brought; what older builds wrote has its usual value.
    pub(super) fn since<T: Coded + Default>(&mut self, version: u8) -> Result<T, RecordError> {
        if self.version < version { Ok(T::default()) } else { T::take(self) }
    }

    /// What is read next, for errors.
    pub(super) const fn name(&mut self, what: &'static str) {
        self.what = what;
    }

    /// A value error at the byte before.
    pub(super) const fn wrong(&self) -> RecordError {
        RecordError::Value { what: self.what, at: self.at.saturating_sub(1) }
    }

    /// How many bytes were read.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> Result<u8, RecordError> {
        let short = RecordError::Short { what: self.what, at: self.at };
        let byte = *self.bytes.get(self.at).ok_or(short)?;
        self.at += 1;
        Ok(byte)
    }

    /// So many bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], RecordError> {
        let short = RecordError::Short { what: self.what, at: self.at };
        let end = self.at.checked_add(len).ok_or(short)?;
        let taken = self.bytes.get(self.at..end).ok_or(short)?;
        self.at = end;
        Ok(taken)
    }

    /// Nothing may be left.
    pub(super) const fn end(&self) -> Result<(), RecordError> {
        let left = self.bytes.len() - self.at;
        if left == 0 { Ok(()) } else { Err(RecordError::Trailing { at: self.at, left }) }
    }
}

/// What may be stored.
pub(super) trait Coded: Sized {
    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads it back.
    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError>;

    /// Appends a value that may be absent.
    fn put_maybe(value: Option<&Self>, out: &mut Vec<u8>) {
        out.push(u8::from(value.is_some()));
        if let Some(value) = value {
            value.put(out);
        }
    }

    /// Reads it back.
    fn take_maybe(from: &mut Reader<'_>) -> Result<Option<Self>, RecordError> {
        match from.byte()? {
            0 => Ok(None),
            1 => Self::take(from).map(Some),
            _ => Err(from.wrong()),
        }
    }
}

impl<T: Coded> Coded for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put_maybe(self.as_ref(), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        T::take_maybe(from)
    }
}

impl Coded for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut left = *self;
        while left >= 0x80 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = from.byte()?;
            let part = u64::from(byte & 0x7F);
            if shift == 63 && part > 1 {
                return Err(from.wrong());
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(from.wrong())
    }
}

/// A struct is the sequence of its fields; an error names the field. What is `made` of the other
/// fields is not stored.
macro_rules! coded_struct {
    (
        $name:ident { $($field:ident),* $(,)? }
        $(since $version:literal { $($later:ident),* $(,)? })*
        $(made { $made:ident: $how:expr })?
    ) => {
        impl Coded for $name {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field,)* $($($later,)*)* $($made: _)? } = self;
                $($field.put(out);)*
                $($($later.put(out);)*)*
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
                $(
                    from.name(concat!(stringify!($name), ".", stringify!($field)));
                    let $field = Coded::take(from)?;
                )*
                $($(
                    from.name(concat!(stringify!($name), ".", stringify!($later)));
                    let $later = from.since($version)?;
                )*)*
                $(let $made = $how;)?
                Ok(Self { $($field,)* $($($later,)*)* $($made)? })
            }
        }
    };
}

pub(super) use coded_struct;

macro_rules! coded_number {
    ($($number:ty),*) => {$(
        impl Coded for $number {
            fn put(&self, out: &mut Vec<u8>) {
                u64::from(*self).put(out);
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
                let value = u64::take(from)?;
                value.try_into().map_err(|_| from.wrong())
            }
        }
    )*};
}

coded_number!(u8, u16, u32);

impl Coded for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(from.wrong()),
        }
    }
}

impl Coded for [u8; 16] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let taken = from.take(16)?;
        taken.try_into().map_err(|_| from.wrong())
    }
}

impl Coded for RecordNo {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        u64::take(from).map(Self)
    }
}

impl Coded for Wall {
    fn put(&self, out: &mut Vec<u8>) {
        let millis = self.millis();
        (((millis << 1) ^ (millis >> 63)) as u64).put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let zigzag = u64::take(from)?;
        Ok(Self::from_millis((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)))
    }
}

/// The digits as a number; before version 4 the four characters of a message.
impl Coded for Day {
    fn put(&self, out: &mut Vec<u8>) {
        self.number().put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let number = if from.version < 4 {
            Text::<4>::take(from)?.as_str().parse().map_err(|_| from.wrong())?
        } else {
            u32::take(from)?
        };
        Self::from_number(number).ok_or(from.wrong())
    }
}

impl<const N: usize> Coded for Text<N> {
    fn put(&self, out: &mut Vec<u8>) {
        const { assert!(N < 255, "the length and the absence share one byte") };
        out.push(self.as_bytes().len() as u8 + 1);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        Self::take_maybe(from)?.ok_or(from.wrong())
    }

    fn put_maybe(value: Option<&Self>, out: &mut Vec<u8>) {
        match value {
            Some(text) => text.put(out),
            None => out.push(0),
        }
    }

    fn take_maybe(from: &mut Reader<'_>) -> Result<Option<Self>, RecordError> {
        let Some(len) = usize::from(from.byte()?).checked_sub(1) else { return Ok(None) };
        let characters = from.take(len)?;
        Self::new(characters).map(Some).map_err(|_| from.wrong())
    }
}

impl Coded for Currency {
    fn put(&self, out: &mut Vec<u8>) {
        self.code().put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let code = u16::take(from)?;
        Self::new(code).ok_or(from.wrong())
    }
}

impl Coded for Amount {
    fn put(&self, out: &mut Vec<u8>) {
        self.minor.put(out);
        self.currency.code().put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let minor = u64::take(from)?;
        let code = u16::take(from)?;
        Ok(Self::new(minor, Currency::new(code).ok_or(from.wrong())?))
    }
}

impl Coded for Pan {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.len() as u8);
        for pair in self.expose().chunks(2) {
            let low = pair.get(1).map_or(0x0F, |d| d - b'0');
            out.push((pair[0] - b'0') << 4 | low);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let len = usize::from(from.byte()?);
        let packed = from.take(len.div_ceil(2))?;
        let mut digits = zeroize::Zeroizing::new([0_u8; 20]);
        for (pair, byte) in digits.chunks_mut(2).zip(packed) {
            pair.copy_from_slice(&[b'0' + (byte >> 4), b'0' + (byte & 0x0F)]);
        }
        let odd = len % 2 == 1 && packed.last().is_some_and(|byte| byte & 0x0F != 0x0F);
        let digits = digits.get(..len).filter(|_| !odd).ok_or(from.wrong())?;
        Self::new(digits).map_err(|_| from.wrong())
    }
}

/// Allow-listed fields as they are, none of them secret.
impl Coded for Carried {
    fn put(&self, out: &mut Vec<u8>) {
        (self.as_bytes().len() as u64).put(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let len = usize::try_from(u64::take(from)?).map_err(|_| from.wrong())?;
        let bytes = from.take(len)?;
        Self::of_bytes(bytes).ok_or(from.wrong())
    }
}

impl<T: Coded> Coded for Arc<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        T::take(from).map(Self::new)
    }
}

impl<T: Coded> Coded for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        T::take(from).map(Self::new)
    }
}

impl Record {
    /// Appends the record's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(RECORD_VERSION);
        self.put(out);
    }

    /// Reads a record back.
    ///
    /// # Errors
    /// [`RecordError`] for bytes no build up to this one has written.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut from = Reader::new(bytes);
        let version = from.byte()?;
        if version > RECORD_VERSION {
            return Err(RecordError::Version { got: version });
        }
        if version == 0 {
            return Err(from.wrong());
        }
        from.version = version;
        let record = Self::take(&mut from)?;
        from.end()?;
        Ok(record)
    }
}
