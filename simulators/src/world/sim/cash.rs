//! Cash and cash back: processing codes that say more than that something is bought.
//!
//! Contract: one of these codes goes to a bank as it was asked, or not at all. `east` knows cash
//! back (09) and no cash (01), whatever the switch thinks of that: the request for cash is
//! declined, an advice of it is an item of the desk. Deliberately absent: the amount of a cash
//! back (`F54`).

use super::coverage::{Coverage, Fault};
use super::platform::{Ask, Platform};
use super::wire;
use pointsman::canonical::{Canonical, Flow, TransactionType};

/// Of a thousand purchases at `east`, those that are cash, and as many with cash back.
const CASH: u64 = 20;

impl Platform {
    /// Asks for cash, or for cash back, instead of a plain purchase.
    pub(super) fn ask_for_cash(&mut self, msg: &mut Canonical, cover: &mut Coverage) {
        let purchase = msg.kind.transaction() == Some(TransactionType::Purchase);
        if !purchase || super::platform::is_of_west(msg.pan.as_ref()) {
            return;
        }
        let code = match self.dice.below(1_000) {
            at if at < CASH => "010000",
            at if at < 2 * CASH => "090000",
            _ => return,
        };
        cover.fault(if code == "010000" { Fault::PlatformCash } else { Fault::PlatformCashBack });
        msg.processing_code = Some(wire::text(code));
        msg.special = true;
    }
}

impl Ask {
    /// Whether no bank here could be told of it: an advice of cash.
    pub(super) fn has_no_place(&self) -> bool {
        self.msg.flow == Flow::Advice && self.said().starts_with("01") && !self.is_of_west()
    }

    /// What the bank made of its processing code, if that is another transaction than was asked.
    pub(super) fn posted_as(&self, code: &str) -> Option<String> {
        let two = |code: &str| code.get(..2).unwrap_or_default().to_owned();
        let other = self.kind() == TransactionType::Purchase && two(code) != two(self.said());
        other.then(|| format!("asked as {}, posted as {code}", self.said()))
    }

    fn said(&self) -> &str {
        self.msg.processing_code.as_ref().map_or("", |code| code.as_str())
    }
}
