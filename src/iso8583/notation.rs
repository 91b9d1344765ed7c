//! The compact field notation: `n12`, `z..37`, `ans...999`, `b64`, `x+n8`, `ans*`.
//!
//! Contract: class letters, then nothing (fixed), one dot per digit of the length prefix
//! (variable), or `*` (whatever is left, parts only), then the length. A fixed `b` counts bits,
//! a variable one bytes; `x+n8` is a sign and eight digits. Deliberately absent: codings.

use super::charset::Class;

/// What a notation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notation {
    pub(crate) class: Class,
    pub(crate) length: Length,
    /// Normal-form characters at most (bytes for `b`).
    pub(crate) max: u16,
}

/// Fixed, with a prefix of so many digits, or the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Fixed,
    Prefixed(u8),
    Rest,
}

/// Longest spelling first, so that `an` does not hide `ans`.
const CLASSES: [(&str, Class); 11] = [
    ("text", Class::Any),
    ("x+n", Class::Xn),
    ("anp", Class::Anp),
    ("ans", Class::Ans),
    ("an", Class::An),
    ("as", Class::As),
    ("ns", Class::Ns),
    ("a", Class::A),
    ("n", Class::N),
    ("z", Class::Z),
    ("b", Class::B),
];

/// Reads a notation; the error says what would be right.
pub(crate) fn parse(text: &str) -> Result<Notation, String> {
    let class = CLASSES.iter().find_map(|(word, c)| Some((text.strip_prefix(word)?, *c)));
    let Some((rest, class)) = class else {
        return Err(format!("`{text}` begins with no class: expected n, a, an, ans, z, x+n or b"));
    };
    let digits = rest.trim_start_matches('.');
    let dots = rest.len() - digits.len();
    let (length, digits) = match (dots, digits.strip_prefix('*')) {
        (0, Some(digits)) => (Length::Rest, digits),
        (0, None) => (Length::Fixed, digits),
        (1..=6, None) => (Length::Prefixed(dots as u8), digits),
        _ => return Err(format!("`{text}`: expected at most six dots, or a single `*`")),
    };
    let max = match (length, digits) {
        (Length::Rest, "") => 9_999,
        _ => size(text, digits)?,
    };
    Ok(Notation { class, length, max: scaled(text, class, length, max)? })
}

fn size(text: &str, digits: &str) -> Result<u16, String> {
    match digits.parse::<u16>() {
        Ok(n @ 1..=9_999) => Ok(n),
        _ => Err(format!("`{text}`: expected a length of 1 to 9999 at the end")),
    }
}

fn scaled(text: &str, class: Class, length: Length, max: u16) -> Result<u16, String> {
    match (class, length) {
        (Class::Xn, Length::Fixed) if max <= 30 => Ok(max + 1),
        (Class::Xn, _) => Err(format!("`{text}`: x+n is fixed, of at most 30 digits")),
        (Class::B, Length::Fixed) if max.is_multiple_of(8) => Ok(max / 8),
        (Class::B, Length::Fixed) => Err(format!("`{text}`: a fixed b counts bits: use eights")),
        _ => Ok(max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Option<(Class, Length, u16)> {
        parse(text).ok().map(|n| (n.class, n.length, n.max))
    }

    #[test]
    fn every_form_reads_as_it_looks() {
        assert_eq!(reads("n12"), Some((Class::N, Length::Fixed, 12)));
        assert_eq!(reads("z..37"), Some((Class::Z, Length::Prefixed(2), 37)));
        assert_eq!(reads("an...020"), Some((Class::An, Length::Prefixed(3), 20)));
        assert_eq!(reads("ans......9999"), Some((Class::Ans, Length::Prefixed(6), 9999)));
        assert_eq!(reads("b64"), Some((Class::B, Length::Fixed, 8)));
        assert_eq!(reads("b...255"), Some((Class::B, Length::Prefixed(3), 255)));
        assert_eq!(reads("x+n8"), Some((Class::Xn, Length::Fixed, 9)));
        assert_eq!(reads("ans*"), Some((Class::Ans, Length::Rest, 9999)));
        assert_eq!(reads("anp6"), Some((Class::Anp, Length::Fixed, 6)));
    }

    #[test]
    fn what_is_no_notation_says_why() {
        for text in ["", "q12", "n", "n0", "b7", "n.......9", "x+n..8", "n*..3", "n10000"] {
            assert!(parse(text).is_err(), "{text} was accepted");
        }
    }
}
