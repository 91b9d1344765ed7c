//! The codings that most fields of a draft have in common, so that the others can say theirs.
//!
//! Contract: the same draft gives the same answer; of codings that are equally common the first by
//! name. Deliberately absent: writing them down ([`super::toml_text`]).

use super::draft::{Coding, Draft, Kind, Length, Piece, Side};
use crate::iso8583::{Class, Encoding};
use std::collections::BTreeMap;

/// The codings that a field has without saying so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usual {
    pub(super) numeric: Encoding,
    pub(super) text: Encoding,
    pub(super) track: Encoding,
    pub(super) binary: Encoding,
    pub(super) length: Coding,
    pub(super) pad: Side,
    pub(super) pad_variable: Side,
}

impl Usual {
    const TEXT: Self = Self {
        numeric: Encoding::Ascii,
        text: Encoding::Ascii,
        track: Encoding::Ascii,
        binary: Encoding::Hex,
        length: Coding::Ascii,
        pad: Side::Left,
        pad_variable: Side::Left,
    };

    /// What most fields of a draft have.
    pub(super) fn of(draft: &Draft) -> Self {
        let pieces = || draft.fields.iter().filter_map(|e| e.what.as_ref().ok());
        let coding = |holds: fn(Class) -> bool, otherwise: Encoding| {
            most(pieces().filter(|p| holds(p.class)).map(|p| p.encoding), Encoding::as_str)
                .unwrap_or(otherwise)
        };
        let numeric = coding(|c| matches!(c, Class::N | Class::Xn), Encoding::Ascii);
        let text = coding(text_class, Encoding::Ascii);
        let packed = |p: &&Piece| p.encoding == Encoding::Bcd && p.class != Class::Xn;
        let side = |fixed: bool| {
            let one = pieces().filter(packed).filter(move |p| {
                (p.length == Length::Fixed) == fixed && (!fixed || p.max % 2 == 1)
            });
            most(one.map(|p| p.side), word).unwrap_or(Side::Left)
        };
        let lengths = pieces().filter_map(|p| match p.length {
            Length::Prefixed(prefix) => Some(prefix.coding),
            Length::Fixed | Length::Rest => None,
        });
        Self {
            numeric,
            text,
            track: coding(|c| c == Class::Z, numeric),
            binary: coding(|c| c == Class::B, Encoding::Raw),
            length: most(lengths, Coding::word).unwrap_or(Coding::Ascii),
            pad: side(true),
            pad_variable: side(false),
        }
    }

    /// What parts of a composite have without saying so.
    pub(super) fn inside(&self, outer: Class, kind: Kind) -> Self {
        let usual = if outer == Class::B { *self } else { Self::TEXT };
        match kind {
            Kind::BerTlv => Self {
                numeric: Encoding::Bcd,
                text: Encoding::Ascii,
                binary: Encoding::Raw,
                ..usual
            },
            Kind::Positional | Kind::Tlv { .. } | Kind::Bitmapped { .. } => usual,
        }
    }

    pub(super) fn encoding(&self, class: Class) -> Encoding {
        match class {
            Class::N | Class::Xn => self.numeric,
            Class::Z => self.track,
            Class::B => self.binary,
            _ => self.text,
        }
    }
}

fn text_class(class: Class) -> bool {
    !matches!(class, Class::N | Class::Xn | Class::Z | Class::B)
}

/// The value that occurs most often; of equals the first by name.
fn most<T: Copy>(all: impl Iterator<Item = T>, word: fn(T) -> &'static str) -> Option<T> {
    let mut counted: BTreeMap<&str, (usize, T)> = BTreeMap::new();
    for one in all {
        counted.entry(word(one)).or_insert((0, one)).0 += 1;
    }
    let mut best: Option<(usize, T)> = None;
    for (count, value) in counted.into_values() {
        if best.as_ref().is_none_or(|(most, _)| count > *most) {
            best = Some((count, value));
        }
    }
    best.map(|(_, value)| value)
}

/// As dialect files spell it.
pub(super) fn word(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}
