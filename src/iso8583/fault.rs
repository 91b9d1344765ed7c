//! What can be wrong with bytes or values, small enough to pass around on the hot path.
//!
//! Contract: a [`Fault`] is a place and a kind, never the offending bytes; words, field path and
//! the guess at the cause are added later, off the hot path ([`super::error`]). It is also the
//! error type of the nom parsers here. Deliberately absent: allocation.

use nom::error::{ErrorKind, ParseError};

/// Where (bytes from the beginning of what was being read) and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The bytes end too early.
    Short { need: usize, have: usize },
    /// The length prefix is no number in its coding.
    LengthCoding,
    /// The length prefix counts itself, and says less than its own size.
    LengthBelowItself { got: usize },
    /// An odd number of nibbles or hex digits where whole bytes are needed.
    Odd { got: usize },
    /// Longer than the definition.
    TooLong { most: usize, got: usize },
    /// Shorter than the definition.
    TooShort { least: usize, got: usize },
    /// The value is longer than its length prefix can say.
    PrefixTooSmall { got: usize },
    /// A character outside the class, or one the coding cannot express.
    Character,
    /// The pad nibble is not the one the dialect states.
    Pad,
    /// The value breaks its `validate` rule or is not the constant the dialect states.
    Value,
    /// The data element, tag or bit is not in the dialect.
    Unknown,
    /// A mandatory part of a composite is missing.
    Missing,
    /// Bytes are left after the last part.
    Trailing { got: usize },
    /// A tag or a length of a tag is not well formed.
    Tag,
    /// The same tag a second time where the dialect says it cannot repeat.
    Repeated,
    /// The MTI is no four digits, or of another version than the dialect's.
    Mti,
    /// The bitmap is not well formed in its coding.
    Bitmap,
    /// A further bitmap is announced that the dialect does not have.
    TooManyBitmaps,
    /// No header the dialect describes stands before the MTI.
    Header,
    /// The frame or the message exceeds what we hold.
    TooBig { most: usize },
}

impl Fault {
    #[cold]
    pub(crate) fn new(at: usize, kind: Kind) -> Self {
        Self { at, kind }
    }

    /// The same fault, seen from `by` bytes further out.
    pub(crate) fn moved(mut self, by: usize) -> Self {
        self.at += by;
        self
    }
}

/// nom asks for a value where a primitive parser fails; ours only ever run out of bytes. The
/// caller knows how many it needed and replaces this.
impl ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        Self { at: 0, kind: Kind::Short { need: input.len() + 1, have: input.len() } }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// `take` that says how much was missing.
#[inline]
pub(crate) fn take(count: usize, input: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    nom::bytes::complete::take::<_, _, Fault>(count)(input)
        .map_err(|_| Fault::new(0, Kind::Short { need: count, have: input.len() }))
}
