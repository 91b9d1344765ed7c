//! What both importers make of a file, before it becomes text.
//!
//! Contract: a [`Draft`] says everything about every field outright – nothing is a default here;
//! [`super::toml_text`] finds the defaults that make the text short. Deliberately absent: what
//! the fields mean ([`super::rules_fit`]).

use super::At;
use crate::iso8583::{Class, Encoding};

/// How a length prefix is coded, as dialect files spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Coding {
    Ascii,
    Ebcdic,
    Bcd,
    Binary,
    Hex,
}

impl Coding {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Ebcdic => "ebcdic",
            Self::Bcd => "bcd",
            Self::Binary => "binary",
            Self::Hex => "hex",
        }
    }

    /// The most a prefix of so many bytes can say.
    pub(super) fn most(self, bytes: u8) -> usize {
        let base: usize = match self {
            Self::Ascii | Self::Ebcdic => 10,
            Self::Bcd => 100,
            Self::Binary => 256,
            Self::Hex => 16,
        };
        base.saturating_pow(u32::from(bytes)) - 1
    }
}

/// A length prefix: its coding, and its bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Prefix {
    pub(super) coding: Coding,
    pub(super) bytes: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Length {
    Fixed,
    Prefixed(Prefix),
    /// Whatever is left; parts only.
    Rest,
}

/// What the number in a prefix counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Counts {
    /// Characters of the value, bytes of a `b` value.
    Digits,
    /// Bytes on the wire.
    Bytes,
    /// Half-bytes on the wire.
    Nibbles,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Left,
    Right,
}

/// How one field or part stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) class: Class,
    pub(super) encoding: Encoding,
    pub(super) length: Length,
    /// Characters at most; bytes for `b`; without the sign for `x+n`.
    pub(super) max: usize,
    pub(super) counts: Counts,
    /// Which end of an odd packed value is padded, and with what.
    pub(super) side: Side,
    pub(super) nibble: u8,
    /// What a short fixed text is filled up with.
    pub(super) fill: char,
    pub(super) inside: Option<Box<Structure>>,
}

/// An inner structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Structure {
    pub(super) kind: Kind,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Positional,
    /// The tag is text, or bytes whose hex is the key.
    Tlv {
        tag_bytes: usize,
        text: bool,
        length: Prefix,
    },
    BerTlv,
    Bitmapped {
        bits: usize,
        hex: bool,
    },
}

/// A part: `key` is its tag or bit; positional parts go by their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) at: PartAt,
    pub(super) key: String,
    pub(super) name: String,
    pub(super) optional: bool,
    pub(super) piece: Piece,
    pub(super) notes: Vec<String>,
}

/// Where a part stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartAt {
    pub(super) line: Option<u32>,
    pub(super) path: String,
}

/// A data element: what it is, or why it is left out.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: At,
    pub(super) number: u8,
    pub(super) name: String,
    pub(super) what: Result<Piece, Left>,
    pub(super) notes: Vec<String>,
}

/// Why a data element is left out.
#[derive(Debug, Clone)]
pub(super) enum Left {
    /// It has nothing on the wire; nobody needs to be told.
    Unused,
    /// It cannot be expressed.
    Cannot(String),
}

/// A whole message description.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) file: String,
    /// `jPOS packager`, `moov specification`.
    pub(super) origin: &'static str,
    pub(super) title: String,
    pub(super) mti: Encoding,
    pub(super) bitmap: Encoding,
    pub(super) bitmaps: u8,
    pub(super) third_at_65: bool,
    /// Bytes before the MTI.
    pub(super) header: usize,
    /// By number, ascending.
    pub(super) fields: Vec<Entry>,
    /// About the file as a whole.
    pub(super) notes: Vec<(At, String)>,
}

impl Draft {
    /// The wire of a data element that is not left out.
    pub(super) fn piece(&self, number: u8) -> Option<&Piece> {
        self.fields.iter().find(|e| e.number == number)?.what.as_ref().ok()
    }
}

impl Piece {
    /// A piece with everything unusual switched off.
    pub(super) fn plain(class: Class, encoding: Encoding, length: Length, max: usize) -> Self {
        let counts = if encoding == Encoding::Bcd { Counts::Digits } else { Counts::Bytes };
        let (side, nibble, fill) = (Side::Left, 0, ' ');
        Self { class, encoding, length, max, counts, side, nibble, fill, inside: None }
    }

    /// Bytes on the wire of a value of so many characters (not for `x+n`).
    pub(super) fn wire_bytes(&self, chars: usize) -> usize {
        match self.encoding {
            Encoding::Bcd => chars.div_ceil(2),
            Encoding::Hex | Encoding::HexLower | Encoding::EbcdicHex => 2 * chars,
            Encoding::Ascii | Encoding::Raw | Encoding::Cp037 | Encoding::Cp1047 => chars,
        }
    }

    /// What the prefix of a value of so many characters says.
    pub(super) fn count(&self, chars: usize) -> usize {
        match self.counts {
            Counts::Digits => chars,
            Counts::Bytes => self.wire_bytes(chars),
            Counts::Nibbles if self.encoding == Encoding::Bcd => chars,
            Counts::Nibbles => 2 * self.wire_bytes(chars),
        }
    }
}
