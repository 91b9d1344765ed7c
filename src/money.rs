//! Money on the wire path: unsigned minor units with an ISO 4217 currency, never a float.
//!
//! Contract: arithmetic is checked; an amount without a known currency cannot be built. Rates,
//! fees and reports may use `rust_decimal` through [`Amount::decimal`]; messages never do.

use rust_decimal::Decimal;
use std::fmt;

/// An ISO 4217 numeric currency code, 000–999 (`F49`–`F51`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(u16);

/// Numeric codes of the currencies without minor unit: BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF
/// UGX UYI VND VUV XAF XOF XPF (ISO 4217).
const EXPONENT_0: [u16; 17] =
    [108, 152, 262, 324, 352, 392, 174, 410, 600, 646, 800, 940, 704, 548, 950, 952, 953];
/// BHD IQD JOD KWD LYD OMR TND.
const EXPONENT_3: [u16; 7] = [48, 368, 400, 414, 434, 512, 788];
/// CLF UYW.
const EXPONENT_4: [u16; 2] = [990, 927];

impl Currency {
    /// The currency with this numeric code; `None` above 999.
    pub const fn new(code: u16) -> Option<Self> {
        if code <= 999 { Some(Self(code)) } else { None }
    }

    /// The numeric code.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// How many digits the minor unit has (ISO 4217 exponent); 2 unless listed otherwise.
    pub fn exponent(self) -> u32 {
        match self.0 {
            c if EXPONENT_0.contains(&c) => 0,
            c if EXPONENT_3.contains(&c) => 3,
            c if EXPONENT_4.contains(&c) => 4,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// An unsigned amount in minor units of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Amount {
    /// Minor units (cents, fen, yen).
    pub minor: u64,
    /// Whose.
    pub currency: Currency,
}

impl Amount {
    /// `minor` units of `currency`.
    pub const fn new(minor: u64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The difference, or `None` where `other` is larger or of another currency.
    pub fn minus(self, other: Self) -> Option<Self> {
        let minor = self.minor.checked_sub(other.minor)?;
        (self.currency == other.currency).then_some(Self { minor, ..self })
    }

    /// The amount in major units, for reports.
    pub fn decimal(self) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.minor), self.currency.exponent())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(minor: u64, code: u16) -> Option<Amount> {
        Currency::new(code).map(|c| Amount::new(minor, c))
    }

    #[test]
    fn exponents_follow_iso_4217() {
        let shown = |minor, code| amount(minor, code).map(|a| a.to_string());
        assert_eq!(shown(1_000, 156), Some("10.00 156".to_owned()));
        assert_eq!(shown(1_000, 392), Some("1000 392".to_owned()));
        assert_eq!(shown(1_000, 48), Some("1.000 048".to_owned()));
    }

    #[test]
    fn different_currencies_never_subtract() {
        let difference = amount(5, 156).zip(amount(3, 840)).and_then(|(a, b)| a.minus(b));
        assert_eq!(difference, None);
        assert_eq!(Currency::new(1000), None);
    }
}
