//! Bytes as hexadecimal text, and back.
//!
//! Contract: writes upper case, reads both cases, refuses everything else (no spaces, no `0x`).
//! The error tells a position and never a character: the text may have been a key.

/// Why a text is not hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// An odd number of digits.
    #[error("{digits} hexadecimal digits where an even number is needed")]
    Odd {
        /// Digits given.
        digits: usize,
    },
    /// A character that is no hexadecimal digit.
    #[error("character {at} is not a hexadecimal digit")]
    NotHex {
        /// Index of the first such byte.
        at: usize,
    },
}

/// The value of one hexadecimal digit, 0–15.
pub fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The upper-case digit of a value; only the low four bits count.
pub fn digit(value: u8) -> u8 {
    b"0123456789ABCDEF"[usize::from(value & 0x0F)]
}

/// Reads hexadecimal text.
///
/// # Errors
/// [`HexError`] on an odd number of digits or any other character.
pub fn parse(text: impl AsRef<[u8]>) -> Result<Vec<u8>, HexError> {
    let text = text.as_ref();
    if let Some(at) = text.iter().position(|c| nibble(*c).is_none()) {
        return Err(HexError::NotHex { at });
    }
    if text.len() % 2 != 0 {
        return Err(HexError::Odd { digits: text.len() });
    }
    let value = |c: u8| nibble(c).unwrap_or_default();
    Ok(text.chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect())
}

/// Writes bytes as upper-case hexadecimal text at the end of `out`.
pub fn push(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().flat_map(|b| [digit(b >> 4), digit(*b)]));
}

/// Bytes as upper-case hexadecimal text.
pub fn upper(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [char::from(digit(b >> 4)), char::from(digit(*b))]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_cases_and_writes_upper() {
        assert_eq!(parse("00ff7A"), Ok(vec![0x00, 0xFF, 0x7A]));
        assert_eq!(upper(&[0x00, 0xFF, 0x7A]), "00FF7A");
    }

    #[test]
    fn refuses_with_a_position_and_no_character() {
        assert_eq!(parse("0g"), Err(HexError::NotHex { at: 1 }));
        assert_eq!(parse("012"), Err(HexError::Odd { digits: 3 }));
        assert_eq!(parse("é"), Err(HexError::NotHex { at: 0 }));
    }
}
