//! The bytes of an imported file as text.
//!
//! Contract: UTF-8 with or without a mark, UTF-16 with one, and – where the XML says so – the
//! one-byte codings whose first half is ASCII; anything else is an error with its line. A file
//! longer than [`IMPORT_BYTES_MAX`] is refused unread. Deliberately absent: guessing codings.

use super::{At, Stop};
use crate::limits::IMPORT_BYTES_MAX;

/// The one-byte codings: what is beyond ASCII only stands in names, which people read.
const LATIN: [&str; 6] =
    ["iso-8859-1", "iso-8859-15", "iso8859-1", "latin1", "windows-1252", "cp1252"];

/// Decodes a file.
pub(super) fn text_of(bytes: &[u8]) -> Result<String, Stop> {
    if bytes.len() > IMPORT_BYTES_MAX {
        let reason = format!("is longer than {IMPORT_BYTES_MAX} bytes, which no description is");
        return Err(Stop::new(At::file(None), reason));
    }
    match bytes {
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => narrow(rest),
        _ => narrow(bytes),
    }
}

fn wide(bytes: &[u8], join: fn([u8; 2]) -> u16) -> Result<String, Stop> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| join(*pair)).collect();
    String::from_utf16(&units)
        .ok()
        .filter(|_| odd.is_empty())
        .ok_or_else(|| Stop::new(At::file(None), "begins like UTF-16, but is not"))
}

fn narrow(bytes: &[u8]) -> Result<String, Stop> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text.to_owned()),
        Err(error) => error,
    };
    if declared(bytes).is_some_and(|coding| LATIN.contains(&coding.as_str())) {
        return Ok(bytes.iter().copied().map(char::from).collect());
    }
    let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let reason = "is not UTF-8, and does not say in its first line what else it is";
    Err(Stop::new(At::file(u32::try_from(line).ok()), reason))
}

/// What the XML declaration says in `encoding`.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..bytes.len().min(200))?;
    let head: String = head.iter().copied().map(char::from).collect();
    let declaration = head.trim_start().strip_prefix("<?xml")?;
    let declaration = declaration.split("?>").next()?;
    let value = declaration.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next()?;
    Some(value.get(1..)?.split(quote).next()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_told_by_mark_or_declaration() {
        let read = |bytes: &[u8]| text_of(bytes).map_err(|s| (s.at.line, s.reason.len() > 10));
        assert_eq!(read("é".as_bytes()), Ok("é".to_owned()));
        assert_eq!(read(b"\xEF\xBB\xBFa"), Ok("a".to_owned()));
        assert_eq!(read(b"\xFF\xFEa\x00"), Ok("a".to_owned()));
        assert_eq!(read(b"\xFE\xFF\x00a"), Ok("a".to_owned()));
        assert_eq!(read(b"\xFE\xFF\x00"), Err((None, true)));
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?>\n\xE9";
        assert_eq!(read(latin).map(|t| t.ends_with("\né")), Ok(true));
        assert_eq!(read(b"a\n\xE9"), Err((Some(2), true)));
        assert_eq!(read(&vec![b' '; IMPORT_BYTES_MAX + 1]), Err((None, true)));
    }
}
