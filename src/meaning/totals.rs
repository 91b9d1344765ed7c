//! What two sides of a line compare: counts and amounts of one business date and currency.
//!
//! Contract: amounts are minor units; sums saturate instead of wrapping, so that they can be
//! wrong only by being far too large. Deliberately absent: whose totals these are, and the fields
//! they stand in.

use crate::money::Currency;

/// How many, and how much together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// How many transactions.
    pub count: u64,
    /// Minor units.
    pub minor: u64,
}

impl Sum {
    /// One more.
    pub const fn add(&mut self, minor: u64) {
        self.count = self.count.saturating_add(1);
        self.minor = self.minor.saturating_add(minor);
    }

    /// What is left of it without `other`.
    const fn without(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_sub(other.count),
            minor: self.minor.saturating_sub(other.minor),
        }
    }
}

/// Counts and amounts (`F74`–`F81`, `F86`–`F89`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Credits to cardholders (`F74`, `F86`).
    pub credits: Sum,
    /// Reversals of credits (`F75`, `F87`).
    pub credits_reversed: Sum,
    /// Debits of cardholders (`F76`, `F88`).
    pub debits: Sum,
    /// Reversals of debits (`F77`, `F89`).
    pub debits_reversed: Sum,
    /// Balance inquiries (`F80`).
    pub inquiries: u64,
    /// Authorizations (`F81`): holds, no money yet.
    pub authorizations: u64,
}

impl Totals {
    /// Credits less debits, reversals taken out (`F97`): what is owed to cardholders' banks is
    /// negative.
    pub const fn net(&self) -> i64 {
        let plus = self.credits.minor.saturating_add(self.debits_reversed.minor);
        let minus = self.debits.minor.saturating_add(self.credits_reversed.minor);
        let net = plus as i128 - minus as i128;
        if net > i64::MAX as i128 {
            i64::MAX
        } else if net < i64::MIN as i128 {
            i64::MIN
        } else {
            net as i64
        }
    }

    /// The same with what was reversed taken out: what terminals count.
    #[must_use]
    pub const fn standing(&self) -> Self {
        Self {
            credits: self.credits.without(self.credits_reversed),
            credits_reversed: Sum { count: 0, minor: 0 },
            debits: self.debits.without(self.debits_reversed),
            debits_reversed: Sum { count: 0, minor: 0 },
            inquiries: 0,
            authorizations: 0,
        }
    }

    /// Whether the money agrees: every count and amount of credits, debits and their reversals.
    /// Inquiries and authorizations move none, and not every bank counts them.
    pub fn agrees(&self, other: &Self) -> bool {
        self.credits == other.credits
            && self.credits_reversed == other.credits_reversed
            && self.debits == other.debits
            && self.debits_reversed == other.debits_reversed
    }
}

/// What one side says about the other's totals (`F66`; UnionPay `F48` flag).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::enum_variant_names, reason = "the words of the field")]
pub enum Balance {
    /// They agree.
    InBalance,
    /// They do not.
    OutOfBalance,
    /// They could not be compared.
    Error,
}

impl Balance {
    /// Its digit.
    pub const fn digit(self) -> u8 {
        match self {
            Self::InBalance => 1,
            Self::OutOfBalance => 2,
            Self::Error => 3,
        }
    }

    /// The one with this digit.
    pub const fn of_digit(digit: u64) -> Option<Self> {
        match digit {
            1 => Some(Self::InBalance),
            2 => Some(Self::OutOfBalance),
            3 => Some(Self::Error),
            _ => None,
        }
    }
}

/// What a reconciliation message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reconciliation {
    /// The currency of the amounts (`F50`, or the dialect's only one).
    pub currency: Option<Currency>,
    /// Counts and amounts, where it states any.
    pub totals: Option<Totals>,
    /// Whether reversals are taken out of the totals, as terminals count.
    pub standing: bool,
    /// `F97` as stated.
    pub net: Option<i64>,
    /// What the sender says about the other side's totals.
    pub balance: Option<Balance>,
}

impl Reconciliation {
    /// Whether what is stated here agrees with these totals.
    pub fn agrees(&self, ours: &Totals) -> bool {
        let ours = if self.standing { ours.standing() } else { *ours };
        self.totals.is_none_or(|theirs| theirs.agrees(&ours))
            && self.net.is_none_or(|net| net == ours.net())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_net_takes_reversals_out_and_standing_totals_do_too() {
        let sum = |count, minor| Sum { count, minor };
        let totals = Totals {
            credits: sum(2, 500),
            credits_reversed: sum(1, 100),
            debits: sum(3, 900),
            debits_reversed: sum(1, 250),
            inquiries: 4,
            authorizations: 1,
        };
        assert_eq!(totals.net(), 500 + 250 - 900 - 100);
        assert_eq!(totals.standing().net(), totals.net());
        assert_eq!(totals.standing().debits, sum(2, 650));
        let stated = Reconciliation { totals: Some(totals.standing()), ..Default::default() };
        assert!(!stated.agrees(&totals));
        assert!(Reconciliation { standing: true, ..stated }.agrees(&totals));
        assert!(!Reconciliation { net: Some(1), standing: true, ..stated }.agrees(&totals));
    }
}
