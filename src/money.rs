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

/// ISO 4217: the letters of each currency and its number. Withdrawn codes that hosts still send
/// are listed too.
const LETTERS: &str = "\
    AED784 AFN971 ALL008 AMD051 ANG532 AOA973 ARS032 AUD036 AWG533 AZN944 BAM977 BBD052 BDT050 \
    BGN975 BHD048 BIF108 BMD060 BND096 BOB068 BRL986 BSD044 BTN064 BWP072 BYN933 BZD084 CAD124 \
    CDF976 CHF756 CLF990 CLP152 CNY156 COP170 CRC188 CUP192 CVE132 CZK203 DJF262 DKK208 DOP214 \
    DZD012 EGP818 ERN232 ETB230 EUR978 FJD242 FKP238 GBP826 GEL981 GHS936 GIP292 GMD270 GNF324 \
    GTQ320 GYD328 HKD344 HNL340 HRK191 HTG332 HUF348 IDR360 ILS376 INR356 IQD368 IRR364 ISK352 \
    JMD388 JOD400 JPY392 KES404 KGS417 KHR116 KMF174 KPW408 KRW410 KWD414 KYD136 KZT398 LAK418 \
    LBP422 LKR144 LRD430 LSL426 LYD434 MAD504 MDL498 MGA969 MKD807 MMK104 MNT496 MOP446 MRU929 \
    MUR480 MVR462 MWK454 MXN484 MYR458 MZN943 NAD516 NGN566 NIO558 NOK578 NPR524 NZD554 OMR512 \
    PAB590 PEN604 PGK598 PHP608 PKR586 PLN985 PYG600 QAR634 RON946 RSD941 RUB643 RWF646 SAR682 \
    SBD090 SCR690 SDG938 SEK752 SGD702 SHP654 SLE925 SOS706 SRD968 SSP728 STN930 SVC222 SYP760 \
    SZL748 THB764 TJS972 TMT934 TND788 TOP776 TRY949 TTD780 TWD901 TZS834 UAH980 UGX800 USD840 \
    UYI940 UYU858 UYW927 UZS860 VED926 VES928 VND704 VUV548 WST882 XAF950 XCD951 XOF952 XPF953 \
    YER886 ZAR710 ZMW967 ZWG924 ZWL932";

impl Currency {
    /// The currency with this numeric code; `None` above 999.
    pub const fn new(code: u16) -> Option<Self> {
        if code <= 999 { Some(Self(code)) } else { None }
    }

    /// No currency: 000, which ISO 4217 gives to none.
    pub const fn none() -> Self {
        Self(0)
    }

    /// The numeric code.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The numeric code as its three digits.
    pub const fn digits(self) -> [u8; 3] {
        [b'0' + (self.0 / 100) as u8, b'0' + (self.0 / 10 % 10) as u8, b'0' + (self.0 % 10) as u8]
    }

    /// The currency of these three upper-case letters, where ISO 4217 has one.
    pub fn from_letters(letters: &[u8]) -> Option<Self> {
        let found = LETTERS.split(' ').find(|one| one.as_bytes().get(..3) == Some(letters))?;
        found.get(3..)?.parse().ok().and_then(Self::new)
    }

    /// Its three letters, where ISO 4217 has them.
    pub fn letters(self) -> Option<&'static str> {
        let number = |one: &&str| one.get(3..).and_then(|n| n.parse().ok()) == Some(self.0);
        LETTERS.split(' ').find(number)?.get(..3)
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
    fn letters_and_numbers_name_each_currency_once() {
        let mut numbers = std::collections::BTreeSet::new();
        for one in LETTERS.split(' ') {
            let currency = Currency::from_letters(&one.as_bytes()[..3]);
            assert_eq!(currency.map(|c| c.to_string()), one.get(3..).map(str::to_owned), "{one}");
            assert_eq!(currency.and_then(Currency::letters), one.get(..3), "{one}");
            assert!(numbers.insert(currency), "{one} comes twice");
        }
        let all = [EXPONENT_0.as_slice(), &EXPONENT_3, &EXPONENT_4].concat();
        let known = |code: &u16| Currency::new(*code).and_then(Currency::letters).is_some();
        assert!(all.iter().all(known), "a currency of an exponent list has no letters");
        assert_eq!(Currency::from_letters(b"cny").or(Currency::from_letters(b"156")), None);
    }

    #[test]
    fn different_currencies_never_subtract() {
        let difference = amount(5, 156).zip(amount(3, 840)).and_then(|(a, b)| a.minus(b));
        assert_eq!(difference, None);
        assert_eq!(Currency::new(1000), None);
    }
}
