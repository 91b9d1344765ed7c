//! Totals in the words of flows: sums, currency and verdict of a reconciliation.
//!
//! Contract: what is written here is read back; sums of nothing are left out. Deliberately absent:
//! everything else of a message line ([`super::stage`]).

use pointsman::canonical::{Balance, Reconciliation, Sum, Totals};
use pointsman::money::Currency;
use std::fmt::Write;

/// `deb=2/300 debrev=1/100 cred=.. credrev=.. bal=1 cur=978`; none of the sums: no totals.
pub(crate) fn read<'w>(stated: &dyn Fn(&str) -> Option<&'w str>) -> Result<Reconciliation, String> {
    let mut read = Reconciliation { currency: Currency::new(978), ..Reconciliation::default() };
    if let Some(code) = stated("cur") {
        read.currency = code.parse().ok().and_then(Currency::new);
    }
    read.balance = stated("bal").and_then(|b| b.parse().ok()).and_then(Balance::of_digit);
    let mut put = |key: &str, place: fn(&mut Totals) -> &mut Sum| -> Result<(), String> {
        let Some(value) = stated(key) else { return Ok(()) };
        let (count, minor) = value.split_once('/').ok_or("a sum is COUNT/MINOR")?;
        let number = |n: &str| n.parse().map_err(|_| format!("no number: {n}"));
        let sum = Sum { count: number(count)?, minor: number(minor)? };
        *place(read.totals.get_or_insert_default()) = sum;
        Ok(())
    };
    put("deb", |t| &mut t.debits)?;
    put("debrev", |t| &mut t.debits_reversed)?;
    put("cred", |t| &mut t.credits)?;
    put("credrev", |t| &mut t.credits_reversed)?;
    Ok(read)
}

/// Writes what is compared.
pub(crate) fn show(stated: &Reconciliation) -> String {
    let mut s = String::new();
    if let Some(totals) = stated.totals {
        let sums = [
            ("deb", totals.debits),
            ("debrev", totals.debits_reversed),
            ("cred", totals.credits),
            ("credrev", totals.credits_reversed),
        ];
        for (key, sum) in sums.iter().filter(|(_, sum)| sum.count > 0) {
            let _ = write!(s, " {key}={}/{}", sum.count, sum.minor);
        }
        let _ = write!(s, " net={}", totals.net());
    }
    if let Some(balance) = stated.balance {
        let _ = write!(s, " bal={}", balance.digit());
    }
    s
}
