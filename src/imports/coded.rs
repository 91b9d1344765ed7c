//! From a field's content, length prefix and longest length to a [`Piece`].
//!
//! Contract: [`piece`] gives the piece and what must be said about it, or why there is none:
//! lengths that the prefix cannot say, or that no frame can hold. Deliberately absent: where the
//! numbers come from.

use super::class_name::{Content, Wire};
use super::draft::{Coding, Counts, Length, Piece, Side};
use crate::iso8583::{Class, Encoding};
use crate::limits::FRAME_MAX;

/// The longest `x+n`, in digits.
const SIGNED_MAX: usize = 30;
/// The longest fixed `b`, in bytes: the notation says bits, in four digits.
const FIXED_BYTES_MAX: usize = 1_249;

/// A piece, and remarks about it.
pub(super) type Noted = (Piece, Vec<String>);

/// What a jPOS class with its `length` and `pad` attributes puts on the wire.
pub(super) fn of_wire(wire: &Wire, length: usize, pad_left: bool) -> Result<Noted, String> {
    match wire {
        Wire::Field(content) | Wire::Tagged { content, .. } => {
            // Packed digits behind a count of bytes are always padded with F on the right.
            let counts_bytes = content.counts == Counts::Bytes && content.encoding == Encoding::Bcd;
            let left = pad_left && !counts_bytes;
            let (side, nibble) = if left { (Side::Left, 0) } else { (Side::Right, content.nibble) };
            let (piece, notes) = piece(content, length)?;
            Ok((Piece { side, nibble, ..piece }, notes))
        }
        Wire::Filled(content) => filled(content, length),
        Wire::Bitmap(_) => Err("is a bitmap, where a field should be".into()),
        Wire::Nothing => Err("has nothing on the wire".into()),
    }
}

/// Content with its prefix.
pub(super) fn piece(content: &Content, length: usize) -> Result<Noted, String> {
    let mut notes: Vec<String> = content.note.map(str::to_owned).into_iter().collect();
    let max = if content.class == Class::Xn { length.saturating_sub(1) } else { length };
    if max == 0 {
        return Err(format!("has a length of {length}"));
    }
    let wire_length = content.prefix.map_or(Length::Fixed, Length::Prefixed);
    let mut piece = Piece::plain(content.class, content.encoding, wire_length, max);
    (piece.counts, piece.nibble) = (content.counts, content.nibble);
    match content.prefix {
        None => fixed(&piece)?,
        Some(prefix) => {
            let most = prefix.coding.most(prefix.bytes);
            let fits = (0..=max.min(FRAME_MAX)).rev().find(|n| piece.count(*n) <= most);
            let fits = fits.filter(|n| *n > 0).ok_or("has a length that says nothing")?;
            if fits < max {
                let why = if fits == FRAME_MAX { "a frame here ends" } else { "its length ends" };
                notes.push(format!(
                    "says it holds {max}, but {why} at {fits}: read as up to {fits}"
                ));
                piece.max = fits;
            }
        }
    }
    Ok((piece, notes))
}

fn fixed(piece: &Piece) -> Result<(), String> {
    let most = match piece.class {
        Class::Xn => SIGNED_MAX,
        Class::B => FIXED_BYTES_MAX,
        _ => FRAME_MAX,
    };
    if piece.max > most {
        return Err(format!("has a length of {}: at most {most} can be expressed", piece.max));
    }
    Ok(())
}

/// A length, then content filled up to the longest: together one fixed value.
fn filled(content: &Content, length: usize) -> Result<Noted, String> {
    let bytes = content.prefix.map_or(0, |p| usize::from(p.bytes));
    let same_coding = content.prefix.is_some_and(|p| match content.encoding {
        Encoding::Ascii => p.coding == Coding::Ascii,
        Encoding::Cp1047 => p.coding == Coding::Ebcdic,
        _ => false,
    });
    let (class, encoding) =
        if same_coding { (Class::Ans, content.encoding) } else { (Class::B, Encoding::Raw) };
    let whole = Piece::plain(class, encoding, Length::Fixed, length + bytes);
    fixed(&whole)?;
    let note = format!(
        "is a length of {bytes} byte(s) and then always {length} bytes: read as one value of {}, \
         its length in front",
        length + bytes
    );
    Ok((whole, vec![note]))
}

/// The note that a field is padded in a way that ours are not.
pub(super) fn signed_needs_left(piece: &Piece) -> Option<String> {
    let odd = piece.class == Class::Xn && piece.encoding == Encoding::Bcd && piece.max % 2 == 1;
    (odd && piece.side == Side::Right)
        .then(|| "pads its odd digits on the right, here they are padded on the left".into())
}
