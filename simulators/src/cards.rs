//! Card numbers that anybody may use: all from ranges that card schemes and acquirers publish
//! for tests. No other card number stands in this package.

/// Published Visa test cards.
pub const VISA: [&str; 3] = ["4111111111111111", "4242424242424242", "4012888888881881"];
/// Published Mastercard test cards.
pub const MASTERCARD: [&str; 3] = ["5555555555554444", "5105105105105100", "5454545454545454"];
/// Published UnionPay test cards.
pub const UNIONPAY: [&str; 3] = ["6250946000000016", "6250947000000014", "6212345678901232"];
/// Published JCB test cards.
pub const JCB: [&str; 2] = ["3530111333300000", "3566002020360505"];

/// The cards of a scheme by its lower-case name: `visa`, `mastercard`, `unionpay`, `jcb`.
pub fn of_scheme(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "visa" => Some(&VISA),
        "mastercard" => Some(&MASTERCARD),
        "unionpay" => Some(&UNIONPAY),
        "jcb" => Some(&JCB),
        _ => None,
    }
}

/// So many cards in the ranges of a scheme's published ones: their first ten digits, and a right
/// check digit.
pub fn in_ranges_of(name: &str, count: u32) -> Vec<String> {
    let published = of_scheme(name).unwrap_or_default();
    let ranges: Vec<&str> = published.iter().filter_map(|card| card.get(..10)).collect();
    let card = |(number, range): (u32, &&str)| with_check_digit(&format!("{range}{number:05}"));
    let numbered = (0..count).flat_map(|number| ranges.iter().map(move |range| (number, range)));
    numbered.take(count as usize).map(card).collect()
}

fn with_check_digit(digits: &str) -> String {
    let weighed = digits.bytes().rev().map(|b| u32::from(b.wrapping_sub(b'0'))).enumerate();
    let doubled = |(i, d): (usize, u32)| if i % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { d };
    let sum: u32 = weighed.map(doubled).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luhn(card: &str) -> bool {
        let digits = card.bytes().rev().map(|b| u32::from(b - b'0')).enumerate();
        let doubled = |(i, d): (usize, u32)| if i % 2 == 1 { d * 2 / 10 + d * 2 % 10 } else { d };
        digits.map(doubled).sum::<u32>() % 10 == 0
    }

    #[test]
    fn every_card_has_a_right_check_digit() {
        for scheme in ["visa", "mastercard", "unionpay", "jcb"] {
            let cards = of_scheme(scheme).unwrap_or_default();
            assert!(!cards.is_empty() && cards.iter().all(|c| luhn(c)), "{scheme}");
        }
    }

    #[test]
    fn cards_of_the_ranges_are_many_and_have_right_check_digits() {
        let cards = in_ranges_of("visa", 1_000);
        let different: std::collections::BTreeSet<_> = cards.iter().collect();
        assert_eq!(different.len(), 1_000);
        assert!(cards.iter().all(|card| luhn(card) && card.len() == 16));
        let known = |card: &String| VISA.iter().any(|visa| visa.get(..10) == card.get(..10));
        assert!(cards.iter().all(known));
    }
}
