//! What both importers share about composites: is the content text, and which parts make it up.
//!
//! Contract: [`world`] says whether a composite's content is read as text or as bytes, and turns
//! its outer piece into that; parts get distinct names. Facts about us: parts of a text field are
//! ASCII text whatever the field's own coding, parts of a `b` field are coded one by one.
//! Deliberately absent: where parts come from.

use super::draft::{Counts, Length, Part, Piece};
use super::toml_words::clean_part;
use crate::iso8583::{Class, Encoding};

/// How a composite's content is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum World {
    /// As ASCII text.
    Text,
    /// Each part in its own coding.
    Bytes,
}

/// Whether a part can stand in a text composite: ASCII, or hex digits.
pub(super) fn is_plain(piece: &Piece) -> bool {
    let ascii = matches!(piece.encoding, Encoding::Ascii | Encoding::Hex);
    let length = match piece.length {
        Length::Prefixed(prefix) => prefix.coding == super::draft::Coding::Ascii,
        Length::Fixed | Length::Rest => true,
    };
    ascii && length
}

/// The outer piece as its parts need it, and how its content is read; `plain` says that all
/// parts are text.
pub(super) fn world(outer: Piece, plain: bool) -> Result<(Piece, World), String> {
    match (outer.class, outer.encoding) {
        (Class::B, _) => Ok((outer, World::Bytes)),
        (_, _) if plain => Ok((outer, World::Text)),
        (_, Encoding::Ascii) => {
            // The same bytes behind the same length, but no longer text.
            let counts = Counts::Bytes;
            Ok((Piece { class: Class::B, encoding: Encoding::Raw, counts, ..outer }, World::Bytes))
        }
        (_, encoding) => {
            let coding = encoding.as_str();
            Err(format!("its {coding} content is read as text, and not all subfields are text"))
        }
    }
}

/// Gives positional parts names that are not empty and not given twice.
pub(super) fn distinct(parts: &mut [Part]) {
    let mut seen: Vec<String> = Vec::new();
    for part in parts {
        let own = clean_part(&part.name);
        let own = if own.is_empty() { format!("subfield {}", part.key) } else { own };
        let mut name = own.clone();
        let mut count = 1;
        while seen.contains(&name) {
            count += 1;
            let again = if count == 2 { part.key.clone() } else { format!("{} {count}", part.key) };
            name = format!("{own} {again}");
        }
        seen.push(name.clone());
        part.name = name;
    }
}

/// Checks positional parts against a fixed outer length, in bytes, and marks those that may be
/// missing in a variable one.
pub(super) fn fit_positions(
    outer: &Piece,
    parts: &mut [Part],
    may_end_early: bool,
) -> Result<(), String> {
    if outer.length != Length::Fixed {
        for part in parts.iter_mut().skip(1).filter(|_| may_end_early) {
            part.optional = true;
        }
        return Ok(());
    }
    let size = |part: &Part| match (part.piece.length, part.piece.class) {
        (Length::Fixed, Class::Xn) => Some(part.piece.wire_bytes(part.piece.max) + 1),
        (Length::Fixed, _) => Some(part.piece.wire_bytes(part.piece.max)),
        _ => None,
    };
    let sizes: Option<Vec<usize>> = parts.iter().map(size).collect();
    let (Some(sizes), whole) = (sizes, outer.max) else { return Ok(()) };
    let sum: usize = sizes.iter().sum();
    if sum == whole {
        return Ok(());
    }
    Err(format!("its subfields make {sum} bytes of {whole}"))
}
