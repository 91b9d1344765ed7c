//! Values that must not leak: card numbers, tracks, PIN blocks and card verification values.
//!
//! Contract: no `Serialize`, no `Display` of the clear value, `Debug` masks, memory is wiped on
//! drop. `.expose()` is the only door and `tests/tidy.rs` lists the files that may use it.
//! Of these only [`Pan`] may be written to the journal (encrypted there); the record codec has
//! no encoder for the others, so the compiler refuses (safety.md sections 4 and 5). What people
//! type is searched for card numbers by [`card_number_in`].

use std::fmt;
use std::ops::RangeInclusive;
use zeroize::Zeroize;

/// Why a value is not one of ours. Never holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct SensitiveError {
    /// Which kind of value.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Bytes of at most `N`, inline, wiped on drop. What lies behind the value is zero and stays so.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Held<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Held<N> {
    fn new(value: &[u8]) -> Option<Self> {
        let len = u8::try_from(value.len()).ok()?;
        let mut bytes = [0; N];
        bytes.get_mut(..value.len())?.copy_from_slice(value);
        Some(Self { bytes, len })
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl<const N: usize> Drop for Held<N> {
    fn drop(&mut self) {
        self.bytes[..usize::from(self.len)].zeroize();
        self.len.zeroize();
    }
}

/// A primary account number: 8–19 digits (`F2`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pan(Held<19>);

impl Pan {
    /// Takes 8 to 19 ASCII digits. The check digit is not verified: private cards have none.
    ///
    /// # Errors
    /// When the length is outside 8–19 or a character is not a digit.
    pub fn new(digits: &[u8]) -> Result<Self, SensitiveError> {
        let refuse = |why| Err(SensitiveError { what: "card number", why });
        if !(8..=19).contains(&digits.len()) {
            return refuse("expected 8 to 19 digits");
        }
        if !digits.iter().all(u8::is_ascii_digit) {
            return refuse("expected digits only");
        }
        Held::new(digits).map(Self).ok_or(SensitiveError { what: "card number", why: "too long" })
    }

    /// The clear digits as ASCII.
    pub fn expose(&self) -> &[u8] {
        self.0.get()
    }

    /// The first `n` digits (at most 8), for routing and display.
    pub fn prefix(&self, n: usize) -> &[u8] {
        let digits = self.0.get();
        &digits[..n.min(8).min(digits.len())]
    }

    /// How many digits.
    pub fn len(&self) -> usize {
        self.0.get().len()
    }

    /// Never true; here because `len` is.
    pub fn is_empty(&self) -> bool {
        self.0.get().is_empty()
    }

    /// First six and last four, the rest starred; shorter than 14 digits shows the last four only.
    pub fn masked(&self) -> String {
        let digits = self.0.get();
        let head = if digits.len() >= 14 { 6 } else { 0 };
        let tail = digits.len() - 4;
        digits
            .iter()
            .enumerate()
            .map(|(i, d)| if i < head || i >= tail { char::from(*d) } else { '*' })
            .collect()
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pan({})", self.masked())
    }
}

impl fmt::Display for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

macro_rules! wholly_masked {
    ($(#[$doc:meta])* $name:ident, $what:literal, $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Held<$most>);

        impl $name {
            /// Takes the clear value.
            ///
            /// # Errors
            /// When it is empty or longer than the field allows.
            pub fn new(value: &[u8]) -> Result<Self, SensitiveError> {
                let held = if value.is_empty() { None } else { Held::new(value) };
                held.map(Self).ok_or(SensitiveError { what: $what, why: "empty or too long" })
            }

            /// The clear value.
            pub fn expose(&self) -> &[u8] {
                self.0.get()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    };
}

wholly_masked!(
    /// Track 1, 2 or 3 characters (`F45`, `F35`, `F36`).
    Track, "track", 107
);
wholly_masked!(
    /// An encrypted PIN block (`F52`), 8 or 16 bytes.
    PinBlock, "PIN block", 16
);
wholly_masked!(
    /// A card verification value.
    Cvv, "card verification value", 4
);

impl Track {
    /// The card number in track 2: the digits before `=` or `D`. `None` where there is none.
    pub fn pan(&self) -> Option<Pan> {
        let end = self.0.get().iter().position(|c| matches!(c, b'=' | b'D' | b'd'))?;
        Pan::new(&self.0.get()[..end]).ok()
    }

    /// The expiry in track 2: four digits (YYMM) after the separator.
    pub fn expiry(&self) -> Option<[u8; 4]> {
        let end = self.0.get().iter().position(|c| matches!(c, b'=' | b'D' | b'd'))?;
        let digits = self.0.get().get(end + 1..end + 5)?;
        digits.iter().all(u8::is_ascii_digit).then(|| digits.try_into().ok())?
    }
}

/// The lengths of card numbers in the field.
const CARD_DIGITS: RangeInclusive<usize> = 13..=19;
/// Characters between two groups of one number at most: `4111 - 1111`.
const GAP_MAX: usize = 3;

/// Digits that stand together in a text: the characters they take, and themselves.
struct Group {
    at: RangeInclusive<usize>,
    digits: Vec<u8>,
}

/// Where something that looks like a card number stands in a text that people typed, as the
/// numbers of its first and last character, from 1.
///
/// A number is one or more whole groups of digits, 13 to 19 digits together, that do not begin
/// with 0, and either have a right check digit (ISO/IEC 7812) or are 16 and more that begin with
/// 62, because not every card of that range has one. Groups belong together across up to three
/// characters that are neither letters nor the colons of a time of day. A longer run of digits
/// is also searched for a number at its front, with an expiry date or the like behind it.
pub fn card_number_in(text: &str) -> Option<RangeInclusive<usize>> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, c) in (1..).zip(text.chars().chain(['\n'])) {
        let behind = groups.last_mut().filter(|last| last.at.end() + 1 == at);
        if let Some(digit) = u8::try_from(c).ok().filter(u8::is_ascii_digit) {
            match behind {
                Some(group) => {
                    group.at = *group.at.start()..=at;
                    group.digits.push(digit);
                }
                None => groups.push(Group { at: at..=at, digits: vec![digit] }),
            }
            continue;
        }
        if behind.is_some()
            && let Some(found) = card_at_the_end(&groups)
        {
            return Some(found);
        }
        let far = groups.last().is_some_and(|last| at - last.at.end() > GAP_MAX);
        if far || c.is_alphabetic() || c == ':' {
            groups.clear();
        }
    }
    None
}

/// A card number that ends with the last of some groups.
fn card_at_the_end(groups: &[Group]) -> Option<RangeInclusive<usize>> {
    let last = groups.last()?;
    let mut digits = Vec::new();
    for group in groups.iter().rev() {
        digits.splice(0..0, group.digits.iter().copied());
        if digits.len() > *CARD_DIGITS.end() {
            break;
        }
        if is_card(&digits) {
            return Some(*group.at.start()..=*last.at.end());
        }
    }
    let front = |len: &usize| last.digits.get(..*len).is_some_and(is_card);
    let issued = last.digits.first().is_some_and(|digit| (b'3'..=b'6').contains(digit));
    let len = [15, 16, 19].into_iter().filter(|_| issued).find(front)?;
    Some(*last.at.start()..=last.at.start() + len - 1)
}

fn is_card(digits: &[u8]) -> bool {
    let without_check = digits.len() >= 16 && digits.starts_with(b"62");
    CARD_DIGITS.contains(&digits.len())
        && !digits.starts_with(b"0")
        && (without_check || has_check_digit(digits))
}

/// Whether the last of these ASCII digits is the check digit of those before it (ISO/IEC 7812-1,
/// annex B).
pub fn has_check_digit(digits: &[u8]) -> bool {
    let value = |(at, digit): (usize, &u8)| match (at % 2, u32::from(digit.wrapping_sub(b'0'))) {
        (0, value) => value,
        (_, value) => 2 * value - if value > 4 { 9 } else { 0 },
    };
    digits.iter().rev().enumerate().map(value).sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pan_prints_six_and_four() {
        let pan = Pan::new(b"6250946000000016").map(|p| format!("{p} {p:?}"));
        assert_eq!(pan, Ok("625094******0016 Pan(625094******0016)".to_owned()));
        assert_eq!(Pan::new(b"12345678").map(|p| p.to_string()), Ok("****5678".to_owned()));
    }

    #[test]
    fn what_is_no_pan_is_refused_without_being_shown() {
        let error = Pan::new(b"62509460x0000016").map_err(|e| e.to_string());
        assert_eq!(error, Err("card number: expected digits only".to_owned()));
    }

    #[test]
    fn track_two_gives_pan_and_expiry() {
        let track = Track::new(b"6250946000000016D30122010000");
        assert_eq!(track.as_ref().ok().and_then(Track::pan), Pan::new(b"6250946000000016").ok());
        assert_eq!(track.as_ref().ok().and_then(Track::expiry), Some(*b"3012"));
        assert_eq!(track.map(|t| format!("{t:?}")), Ok("Track(***)".to_owned()));
    }

    #[test]
    fn card_numbers_are_found_however_people_write_them() {
        for (text, expected) in [
            ("4111111111111111", 1..=16),
            ("card 4111 1111 1111 1111 refunded", 6..=24),
            ("4111-1111-1111-1111", 1..=19),
            ("pan=4111.1111.1111.1111;", 5..=23),
            ("4111 - 1111 - 1111 - 1111", 1..=25),
            ("item 7, 4111111111111111", 9..=24),
            ("x4111111111111111x", 2..=17),
            ("3782 822463 10005", 1..=17),
            ("4222222222222 was it", 1..=13),
            ("6205500000000000004", 1..=19),
            // With an expiry date or a verification value behind it.
            ("41111111111111113012", 1..=16),
            ("4111111111111111123", 1..=16),
            ("4111111111111111=3012", 1..=16),
            ("4111 1111 1111 1111 12/30", 1..=19),
            // Of the range whose older cards have no check digit.
            ("6212 3456 7890 1233", 1..=19),
        ] {
            assert_eq!(card_number_in(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn numbers_that_are_no_cards_may_be_written() {
        for text in [
            "",
            "booked by hand, ticket 88",
            "STAN 000123, RRN 123456789012, ticket 4711",
            "RRN 632612000123 STAN 000123 auth 123456",
            "call +86 138 0013 8000 or 010-65882288",
            "2026-11-22 12:30:15 and 2026-11-22 12:31:00",
            "amount 1000.00 978 of 1250.00",
            "4111 1111 1111 1112",
            "411111******1111",
            "000000000000000000",
            "ARN 74537604221222300000012",
        ] {
            assert_eq!(card_number_in(text), None, "{text}");
        }
    }
}
