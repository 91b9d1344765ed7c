//! BER-TLV heads: tags and lengths of one or more bytes.
//!
//! Contract: at most four tag bytes and three length bytes after the first, always inside the
//! input; the indefinite length is refused. Deliberately absent: values and tag lists
//! ([`super::inside`]).

use super::fault::{Fault, Kind, take};
use nom::{Parser, number::complete::u8 as byte};

/// EMV tags have up to three bytes; four leave room for private ones.
const TAG_MAX: usize = 4;

/// Bytes of the tag at the front; `None` when it does not end within [`TAG_MAX`].
pub(crate) fn tag_length(input: &[u8]) -> Option<usize> {
    let first = input.first()?;
    if first & 0x1F != 0x1F {
        return Some(1);
    }
    let more = input.iter().skip(1).take(TAG_MAX - 1).position(|b| b & 0x80 == 0)?;
    Some(more + 2)
}

/// Tag length, where the value begins, its length.
pub(crate) fn head(input: &[u8]) -> Result<(usize, usize, usize), Fault> {
    let tag = tag_length(input).ok_or_else(|| Fault::new(0, Kind::Tag))?;
    let (after, _) = take(tag, input)?;
    let (size, len) = length(after).map_err(|f| f.moved(tag))?;
    Ok((tag, tag + size, len))
}

/// Bytes of the length, and what it says.
fn length(input: &[u8]) -> Result<(usize, usize), Fault> {
    let short = || Fault::new(0, Kind::Short { need: 1, have: input.len() });
    let first: Result<(&[u8], u8), nom::Err<Fault>> = byte.parse(input);
    let (rest, first) = first.map_err(|_| short())?;
    if first < 0x80 {
        return Ok((1, usize::from(first)));
    }
    let size = usize::from(first & 0x7F);
    if !(1..=3).contains(&size) {
        return Err(Fault::new(0, Kind::Tag));
    }
    let (_, bytes) = take(size, rest).map_err(|f| f.moved(1))?;
    Ok((1 + size, bytes.iter().fold(0, |sum, b| sum << 8 | usize::from(*b))))
}

/// Appends the shortest length.
pub(crate) fn write_length(len: usize, out: &mut Vec<u8>) {
    let bytes = (len as u32).to_be_bytes();
    match len {
        0..0x80 => out.push(len as u8),
        0x80..0x100 => out.extend_from_slice(&[0x81, bytes[3]]),
        0x100..0x1_0000 => out.extend_from_slice(&[0x82, bytes[2], bytes[3]]),
        _ => out.extend_from_slice(&[0x83, bytes[1], bytes[2], bytes[3]]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_every_size() {
        assert_eq!(head(&[0x82, 0x02, 0, 0]), Ok((1, 2, 2)));
        assert_eq!(head(&[0x9F, 0x02, 0x06]), Ok((2, 3, 6)));
        assert_eq!(head(&[0xDF, 0x81, 0x01, 0x81, 0x80]), Ok((3, 5, 128)));
        assert_eq!(head(&[0x5A, 0x82, 0x01, 0x00]), Ok((1, 4, 256)));
    }

    #[test]
    fn heads_that_lie_are_refused_where_they_lie() {
        assert_eq!(head(&[0x9F]), Err(Fault { at: 0, kind: Kind::Tag }));
        assert_eq!(head(&[0x5A, 0x80]), Err(Fault { at: 1, kind: Kind::Tag }));
        assert_eq!(head(&[0x5A]), Err(Fault { at: 1, kind: Kind::Short { need: 1, have: 0 } }));
        let cut = Kind::Short { need: 2, have: 1 };
        assert_eq!(head(&[0x5A, 0x82, 0x01]), Err(Fault { at: 2, kind: cut }));
    }

    #[test]
    fn lengths_are_written_as_they_are_read() {
        for len in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000] {
            let mut out = Vec::new();
            write_length(len, &mut out);
            assert_eq!(length(&out), Ok((out.len(), len)));
        }
    }
}
