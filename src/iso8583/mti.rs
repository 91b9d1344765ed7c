//! The message type indicator: four digits that say version, class, function and origin.
//!
//! Contract: always four ASCII digits, whatever the wire coding was. What each digit means is
//! domain.md section 1; the third and fourth digit decide what is a request, an answer, a
//! repeat. Deliberately absent: which MTIs a bank knows – that is the dialect's.

use std::fmt;

/// A message type indicator, e.g. `0200`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mti([u8; 4]);

/// The bytes are not four decimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message type indicator is four decimal digits")]
pub struct MtiError;

impl Mti {
    /// `0000`: what a new message carries until it is told.
    pub(crate) const NONE: Self = Self(*b"0000");

    /// Takes four ASCII digits.
    ///
    /// # Errors
    /// [`MtiError`] when there are not exactly four, or one is no digit.
    pub fn new(digits: &[u8]) -> Result<Self, MtiError> {
        match <[u8; 4]>::try_from(digits) {
            Ok(four) if four.iter().all(u8::is_ascii_digit) => Ok(Self(four)),
            _ => Err(MtiError),
        }
    }

    /// From two packed bytes, e.g. `02 00`.
    pub(crate) fn from_bcd(packed: [u8; 2]) -> Result<Self, MtiError> {
        let digits = [packed[0] >> 4, packed[0] & 15, packed[1] >> 4, packed[1] & 15];
        if digits.iter().any(|d| *d > 9) {
            return Err(MtiError);
        }
        Ok(Self(digits.map(|d| b'0' + d)))
    }

    /// As two packed bytes.
    pub(crate) fn to_bcd(self) -> [u8; 2] {
        let d = self.0.map(|c| c & 15);
        [d[0] << 4 | d[1], d[2] << 4 | d[3]]
    }

    /// The four ASCII digits.
    pub fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    /// The four digits as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// First digit: 0 = 1987, 1 = 1993, 2 = 2003.
    pub fn version(self) -> u8 {
        self.0[0] & 15
    }

    /// Second digit: 1 authorization, 2 financial, 3 file action, 4 reversal,
    /// 5 reconciliation, 6 administrative, 7 fee, 8 network management.
    pub fn class(self) -> u8 {
        self.0[1] & 15
    }

    /// Third digit: 0 request, 1 response, 2 advice, 3 advice response, 4 notification,
    /// 5 notification acknowledgement.
    pub fn function(self) -> u8 {
        self.0[2] & 15
    }

    /// Fourth digit: 0 acquirer, 2 issuer, 4 other; odd is the repeat of the one before.
    pub fn origin(self) -> u8 {
        self.0[3] & 15
    }

    /// Whether the last digit is odd: the sender says it sends this a second time.
    pub fn is_repeat(self) -> bool {
        self.0[3] & 1 == 1
    }

    /// The same with an even last digit: `0421` → `0420`.
    #[must_use]
    pub fn without_repeat(mut self) -> Self {
        // The digit's low bit is its parity, and '0' is even.
        self.0[3] &= !1;
        self
    }

    /// The same with an odd last digit: `0420` → `0421`.
    #[must_use]
    pub fn as_repeat(mut self) -> Self {
        self.0[3] |= 1;
        self
    }

    /// What answers this: x0xx → x1xx, x2xx → x3xx, x4xx → x5xx, without the repeat digit.
    /// An answer stays what it is.
    #[must_use]
    pub fn response(self) -> Self {
        let mut answer = self.without_repeat();
        answer.0[2] |= 1;
        answer
    }

    /// Whether the third digit is odd: an answer, or an acknowledgement.
    pub fn is_response(self) -> bool {
        self.0[2] & 1 == 1
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mti({self})")
    }
}

impl std::str::FromStr for Mti {
    type Err = MtiError;
    fn from_str(s: &str) -> Result<Self, MtiError> {
        Self::new(s.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_say_what_it_is() {
        let mti: Result<Mti, _> = "0421".parse();
        assert_eq!(
            mti.map(|m| (m.version(), m.class(), m.function(), m.origin())),
            Ok((0, 4, 2, 1))
        );
        assert_eq!(mti.map(|m| m.is_repeat()), Ok(true));
        assert_eq!(mti.map(|m| m.without_repeat().to_string()), Ok("0420".to_owned()));
        assert_eq!(mti.map(|m| m.response().to_string()), Ok("0430".to_owned()));
    }

    #[test]
    fn answers_and_repeats() {
        for (asked, answered) in [("0200", "0210"), ("0201", "0210"), ("0840", "0850")] {
            assert_eq!(asked.parse::<Mti>().map(Mti::response), answered.parse());
        }
        assert_eq!("0200".parse::<Mti>().map(Mti::as_repeat), "0201".parse());
        assert_eq!("02A0".parse::<Mti>(), Err(MtiError));
    }

    #[test]
    fn packing_is_reversible() {
        let mti: Result<Mti, _> = "0810".parse();
        assert_eq!(mti.map(Mti::to_bcd), Ok([0x08, 0x10]));
        assert_eq!(Mti::from_bcd([0x08, 0x10]), mti);
        assert_eq!(Mti::from_bcd([0x0A, 0x10]), Err(MtiError));
    }
}
