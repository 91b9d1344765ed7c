//! Messages that are of use to nobody: told, so that whoever reads their session can read it less.
//!
//! The core only names them, one value for one message. How many of them are too many, by which
//! clock, and what becomes of the session and its address then is the `link` room's: it alone sees
//! what cannot be read, holds all that is counted in one place, and can leave a peer unread at
//! once, where an order of the core would come after all that was read meanwhile. So nothing of
//! it has to be remembered here, and no recovery can differ by it.
//!
//! Contract: an answer to anything we ever asked and still remember is no nonsense, however late.

use super::Switch;
use super::answer::approves;
use super::ids::{BankId, SessionId, TxnNo};
use super::output::Output;
use crate::canonical::{Canonical, Flow, Kind};

/// Why a message is of use to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nonsense {
    /// It cannot be understood.
    Unreadable,
    /// It asks for what nobody may ask for here.
    Unasked,
    /// It was refused as it stands: its MAC is wrong, or what every message must have is missing.
    Refused,
    /// It has the name of another message.
    Conflict,
    /// It answers nothing, and says that nothing moved.
    UnmatchedAnswer,
    /// It answers nothing, and says that money moved.
    StrayApproval,
    /// It answers what was answered before.
    RepeatedAnswer,
    /// It follows or takes back what is not known.
    UnknownOriginal,
}

impl Nonsense {
    /// All of them, in the order of [`Nonsense::index`].
    pub const ALL: [Self; 8] = [
        Self::Unreadable,
        Self::Unasked,
        Self::Refused,
        Self::Conflict,
        Self::UnmatchedAnswer,
        Self::StrayApproval,
        Self::RepeatedAnswer,
        Self::UnknownOriginal,
    ];

    /// Its place in [`Nonsense::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Honest peers say this too, and many at once after a bad hour: an outage leaves a reversal of
    /// every request that never came, and a bank that was cut off answers twice. Behind each there
    /// may be money, so that it is taken in slowly rather than cut off.
    pub const fn may_be_money(self) -> bool {
        matches!(self, Self::StrayApproval | Self::RepeatedAnswer | Self::UnknownOriginal)
    }

    /// As logs spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Unasked => "unasked",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::UnmatchedAnswer => "unmatched_answer",
            Self::StrayApproval => "stray_approval",
            Self::RepeatedAnswer => "repeated_answer",
            Self::UnknownOriginal => "unknown_original",
        }
    }
}

impl Switch {
    /// What this session said was of no use. What cannot be read it counts itself.
    pub(super) fn nonsense(&mut self, session: SessionId, kind: Nonsense) {
        self.out.push_back(Output::Nonsense { session, kind });
    }

    /// An answer of a bank that fits nothing, or comes a second time.
    pub(super) fn unmatched_from(
        &mut self,
        session: SessionId,
        bank: BankId,
        again: Option<TxnNo>,
        msg: &Canonical,
    ) {
        let of_money = matches!(msg.kind, Kind::Transaction(_) | Kind::Reversal(_));
        let kind = match again {
            Some(_) => Nonsense::RepeatedAnswer,
            None if msg.flow == Flow::Notification => Nonsense::StrayApproval,
            None if of_money && approves(msg) => Nonsense::StrayApproval,
            None => Nonsense::UnmatchedAnswer,
        };
        self.nonsense(session, kind);
        self.unmatched(bank, again, msg);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_at_its_index() {
        for (at, kind) in Nonsense::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), at, "{}", kind.word());
        }
    }
}
