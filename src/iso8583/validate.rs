//! Checks of a value beyond its characters: dates, times, the Luhn digit.
//!
//! Contract: a [`Rule`] looks at a normal-form value alone and never fails, it says yes or no.
//! 29 February is accepted where the year is not part of the value. Deliberately absent: rules
//! about several fields (the dialect's message rules) and about now (the switch has the clock).

use crate::sensitive::has_check_digit;

/// What a value must look like (`validate = "…"` in a dialect file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    None,
    /// Luhn check digit at the end.
    Luhn,
    /// MMDD
    MonthDay,
    /// YYMM
    YearMonth,
    /// YYMMDD
    Date,
    /// hhmmss
    Time,
    /// MMDDhhmmss
    MonthDayTime,
    /// YYMMDDhhmmss
    DateTime,
    /// CCYYMMDDhhmmss
    CenturyDateTime,
    /// Not all zeros.
    NotZero,
}

/// How dialect files spell the rules.
pub(crate) const RULES: [(&str, Rule); 10] = [
    ("none", Rule::None),
    ("luhn", Rule::Luhn),
    ("MMDD", Rule::MonthDay),
    ("YYMM", Rule::YearMonth),
    ("YYMMDD", Rule::Date),
    ("hhmmss", Rule::Time),
    ("MMDDhhmmss", Rule::MonthDayTime),
    ("YYMMDDhhmmss", Rule::DateTime),
    ("CCYYMMDDhhmmss", Rule::CenturyDateTime),
    ("not-zero", Rule::NotZero),
];

impl Rule {
    pub(crate) fn accepts(self, value: &[u8]) -> bool {
        match self {
            Self::None => true,
            Self::Luhn => luhn(value),
            Self::MonthDay => day(value, 0),
            Self::YearMonth => month(value, 2),
            Self::Date => day(value, 2),
            Self::Time => time(value, 0),
            Self::MonthDayTime => day(value, 0) && time(value, 4),
            Self::DateTime => day(value, 2) && time(value, 6),
            Self::CenturyDateTime => day(value, 4) && time(value, 8),
            Self::NotZero => value.iter().any(|c| *c != b'0'),
        }
    }

    /// The rule as dialect files spell it.
    pub(crate) fn as_str(self) -> &'static str {
        RULES.iter().find(|(_, rule)| *rule == self).map_or("none", |(name, _)| name)
    }
}

/// Two digits at an index; anything else is 100, which no rule accepts.
fn two(value: &[u8], at: usize) -> u8 {
    match value.get(at..at + 2) {
        Some([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => (tens - b'0') * 10 + ones - b'0',
        _ => 100,
    }
}

fn month(value: &[u8], at: usize) -> bool {
    (1..=12).contains(&two(value, at))
}

fn day(value: &[u8], at: usize) -> bool {
    let days = match two(value, at) {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 29,
        _ => 0,
    };
    (1..=days).contains(&two(value, at + 2))
}

fn time(value: &[u8], at: usize) -> bool {
    two(value, at) < 24 && two(value, at + 2) < 60 && two(value, at + 4) < 60
}

fn luhn(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit) && has_check_digit(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_check_digits() {
        let cases: [(Rule, &[u8], bool); 12] = [
            (Rule::MonthDay, b"0229", true),
            (Rule::MonthDay, b"0230", false),
            (Rule::MonthDay, b"1301", false),
            (Rule::YearMonth, b"3012", true),
            (Rule::YearMonth, b"3000", false),
            (Rule::Time, b"235959", true),
            (Rule::Time, b"240000", false),
            (Rule::MonthDayTime, b"1231235960", false),
            (Rule::DateTime, b"261231235959", true),
            (Rule::Luhn, b"4111111111111111", true),
            (Rule::Luhn, b"4111111111111112", false),
            (Rule::Date, b"26", false),
        ];
        for (rule, value, accepted) in cases {
            assert_eq!(rule.accepts(value), accepted, "{rule:?} {value:?}");
        }
    }
}
