//! What makes a request the same as an earlier one.
//!
//! Contract: a platform's request is named by {platform, MTI without the repeat digit, `F7` or
//! `F12` + `F13` (from 1993 on these first), batch where the dialect has one, `F11`, `F32`,
//! `F41`, `F42`: a terminal is one within its merchant only}; what it asks for is `F2`, `F3`, `F4`
//! (domain.md section 6). Padding and leading zeros do not count. Deliberately absent: what
//! became of it (`memory`).

use super::hash::Digest;
use super::ids::Name;
use super::record::Origin;
use crate::money::Amount;
use crate::sensitive::Pan;
use crate::text::Text;

/// What a request is recognized by: the fingerprint of its name, and that of what it asks for.
/// Made once where a request is taken in, and once where a record is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    name: u64,
    content: u32,
}

impl Likeness {
    /// Of a request of this platform that says so.
    pub fn of(
        platform: &Name,
        origin: &Origin,
        pan: Option<&Pan>,
        code: Option<&Text<6>>,
        amount: Option<Amount>,
    ) -> Self {
        Self { name: fingerprint(platform, origin), content: content(pan, code, amount) }
    }

    /// Fingerprint of its name: [`fingerprint`].
    pub const fn name(self) -> u64 {
        self.name
    }

    /// Fingerprint of what it asks for: card, processing code and amount.
    pub(super) const fn content(self) -> u32 {
        self.content
    }
}

/// Fingerprint of the name a platform gives a request; the same in every run and build.
pub fn fingerprint(platform: &Name, origin: &Origin) -> u64 {
    let mut mti = [0; 4];
    for (to, from) in mti.iter_mut().zip(origin.mti.as_bytes()) {
        *to = *from;
    }
    mti[3] &= !1; // 0201 repeats 0200.
    let digest = Digest::new(1).bytes(platform.as_bytes()).bytes(&mti);
    let digest = match &origin.transmission {
        Some(f7) if origin.is_named_by_f7() => digest.bytes(f7.as_bytes()),
        _ => digest
            .maybe(origin.local_time.as_ref().map(Text::as_bytes))
            .maybe(origin.local_date.as_ref().map(Text::as_bytes)),
    };
    digest
        .num(origin.batch.map_or(u64::MAX, u64::from))
        .num(u64::from(origin.stan))
        .bytes(without_leading_zeros(origin.acquirer.as_ref()))
        .bytes(origin.terminal.as_ref().map_or(&[], Text::trimmed_bytes))
        .bytes(origin.merchant.as_ref().map_or(&[], Text::trimmed_bytes))
        .finish()
}

impl Origin {
    /// Whether `F7` rather than `F12` and `F13` names this request: its reversal can say in
    /// `F90` (1987) the one, in `F56` (later versions) the others.
    pub(super) fn is_named_by_f7(&self) -> bool {
        self.mti.as_bytes().first().is_none_or(|version| *version == b'0')
            || self.local_time.is_none()
    }
}

/// `F90` fills institution ids with zeros on the left; `F32` has none.
fn without_leading_zeros(id: Option<&Text<11>>) -> &[u8] {
    let bytes = id.map_or(&[][..], Text::as_bytes);
    let zeros = bytes.iter().take_while(|b| **b == b'0').count();
    &bytes[zeros..]
}

/// Fingerprint of what a request asks for.
pub(super) fn content(pan: Option<&Pan>, code: Option<&Text<6>>, amount: Option<Amount>) -> u32 {
    let digest = Digest::new(2)
        .maybe(pan.map(Pan::expose))
        .maybe(code.map(Text::as_bytes))
        .num(amount.map_or(u64::MAX, |a| a.minor))
        .num(amount.map_or(u64::MAX, |a| u64::from(a.currency.code())));
    digest.finish() as u32
}

/// Fingerprint of the money that a reversal is about: how much, and how much is to stand. Never 0:
/// that is what older records have, of which it is not known.
pub(super) fn money(amount: Option<Amount>, left: Option<Amount>) -> u32 {
    let mut digest = Digest::new(4);
    for amount in [amount, left.filter(|left| left.minor > 0)] {
        digest = digest
            .num(amount.map_or(u64::MAX, |a| a.minor))
            .num(amount.map_or(u64::MAX, |a| u64::from(a.currency.code())));
    }
    (digest.finish() as u32).max(1)
}

/// Fingerprint of a card or, where there is none, of a terminal: what the SAF keeps in order.
pub(super) fn order_key(pan: Option<&Pan>, terminal: Option<&Text<16>>) -> u64 {
    let terminal = terminal.filter(|_| pan.is_none()).map(Text::as_bytes);
    Digest::new(3).maybe(pan.map(Pan::expose)).maybe(terminal).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_padding_and_zero_filled_acquirers_are_the_same_request() {
        let text = |s: &str| s.parse::<Text<11>>().ok();
        let origin = Origin {
            mti: "0200".parse().unwrap_or_default(),
            transmission: "1122123000".parse().ok(),
            stan: 7,
            acquirer: text("123456"),
            terminal: "TERM1".parse().ok(),
            ..Origin::default()
        };
        let same = Origin {
            mti: "0201".parse().unwrap_or_default(),
            acquirer: text("00000123456"),
            terminal: "TERM1   ".parse().ok(),
            ..origin.clone()
        };
        let name = Name::default();
        assert_eq!(fingerprint(&name, &origin), fingerprint(&name, &same));
        let other = Origin { stan: 8, ..origin.clone() };
        assert_ne!(fingerprint(&name, &origin), fingerprint(&name, &other));
    }
}
