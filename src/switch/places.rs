//! Money that a bank's dialect cannot say: such a request is declined, such an advice is taken over
//! and left to an operator. Nothing of it is left out in silence.
//!
//! Contract: asked before anything leaves; the dialect answers ([`without_place`]), and the writer
//! refuses the same. Deliberately absent: what becomes of the message, which is its room's.

use super::Switch;
use super::ids::BankId;
use super::inflight::Requester;
use super::output::Event;
use crate::canonical::{Canonical, without_place};

impl Switch {
    /// The first data element with money in it that this bank cannot be told.
    #[inline]
    pub(super) fn without_place(&self, bank: BankId, msg: &Canonical) -> Option<u8> {
        let bank = self.policy.banks.get(usize::from(bank.0))?;
        without_place(bank.dialect.as_ref()?, msg)
    }

    /// Says so to whoever watches.
    pub(super) fn no_place(&mut self, from: &Requester, bank: BankId, msg: &Canonical, field: u8) {
        self.event(Event::NoPlace {
            bank: self.bank_name(bank),
            platform: self.platform_name(from).unwrap_or_default(),
            stan: msg.stan.unwrap_or_default(),
            terminal: msg.terminal.unwrap_or_default(),
            field,
        });
    }
}
