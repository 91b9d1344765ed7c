//! Values that must not leak: card numbers, tracks, PIN blocks and card verification values.
//!
//! Contract: no `Serialize`, no `Display` of the clear value, `Debug` masks, memory is wiped on
//! drop. `.expose()` is the only door and `tests/tidy.rs` lists the files that may use it.
//! Of these only [`Pan`] may be written to the journal (encrypted there); the record codec has
//! no encoder for the others, so the compiler refuses (safety.md sections 4 and 5).

use std::fmt;
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
}
