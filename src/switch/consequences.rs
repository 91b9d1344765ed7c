//! What is done about a message that follows another, by what was found of the other.
//!
//! Contract: one table, [`then`], which `docs/originals.md` shows row by row; a test compares the
//! page with it. A request is declined, an advice or a reversal never is: what cannot be done with
//! it becomes an item of the desk, and nothing with money in it ends in silence. Deliberately
//! absent: how it is found ([`super::finding`]) and how it is done ([`super::following`]).

use super::finding::{Found, Standing};
use super::record::Cause;
use crate::canonical::{Canonical, Flow, Kind, Reason, TransactionType};

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follower {
    /// The reversal of anything.
    Reversal,
    /// The void of a purchase, refund, hold or completion.
    Void,
    /// The completion of a hold.
    Completion,
    /// A refund.
    Refund,
    /// A void that has happened already.
    VoidTold,
    /// A completion that has happened already.
    CompletionTold,
    /// A refund that has happened already.
    RefundTold,
}

impl Follower {
    /// All of them, as the page names them.
    #[cfg(test)]
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Reversal, "reversal"),
        (Self::Void, "void"),
        (Self::Completion, "completion"),
        (Self::Refund, "refund"),
        (Self::VoidTold, "void advice"),
        (Self::CompletionTold, "completion advice"),
        (Self::RefundTold, "refund advice"),
    ];

    /// What this message is.
    pub(super) fn of(msg: &Canonical) -> Self {
        let asks = msg.flow == Flow::Request;
        match msg.kind {
            Kind::Reversal(_) => Self::Reversal,
            Kind::Transaction(TransactionType::Completion) if asks => Self::Completion,
            Kind::Transaction(TransactionType::Completion) => Self::CompletionTold,
            Kind::Transaction(TransactionType::Refund) if asks => Self::Refund,
            Kind::Transaction(TransactionType::Refund) => Self::RefundTold,
            _ if asks => Self::Void,
            _ => Self::VoidTold,
        }
    }
}

/// What was found, without what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// One original, of which this became.
    One(Standing),
    /// One that differs in a data element.
    Contradicted(u8),
    /// More than one.
    Several,
    /// None, and there never was one.
    NeverSent,
    /// None, and nobody knows.
    Unknowable,
    /// None, for the records do not reach so far back.
    Forgotten,
}

impl Met {
    /// What this is.
    pub(super) fn of(found: &Found) -> Self {
        match found {
            Found::This(one) => Self::One(one.standing),
            Found::Contradicted(_, de) => Self::Contradicted(*de),
            Found::Several => Self::Several,
            Found::NeverSent => Self::NeverSent,
            Found::Unknowable => Self::Unknowable,
            Found::Forgotten => Self::Forgotten,
        }
    }

    /// What a request hears that is declined because of this. That its original is known and
    /// nothing of it stands, or of another amount, is not that it is unknown.
    pub(super) const fn declines(self) -> Reason {
        match self {
            Self::One(_) => Reason::InvalidTransaction,
            Self::Contradicted(4 | 49) => Reason::AmountDiffers,
            Self::Contradicted(_)
            | Self::Several
            | Self::NeverSent
            | Self::Unknowable
            | Self::Forgotten => Reason::OriginalNotFound,
        }
    }

    /// Why an operator has to look where nothing else can be done.
    const fn cause(self) -> Cause {
        match self {
            Self::One(_) => Cause::NothingStands,
            Self::Contradicted(de) => Cause::Contradicted(de),
            Self::Several => Cause::SeveralOriginals,
            Self::NeverSent | Self::Unknowable => Cause::NoOriginal,
            Self::Forgotten => Cause::Forgotten,
        }
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// To the bank, over the line and under the keys of the original.
    Forwarded,
    /// By the routing table and without a reference: the bank knows its own `F38`.
    ForwardedAlone,
    /// The same where the route allows refunds of what we do not know, else declined.
    IfAllowed,
    /// Declined: there is nothing to refer to.
    Declined(Option<Cause>),
    /// Answered with a system error and not remembered: it is tried again.
    Later,
    /// Acknowledged: what it wants is so already.
    Acknowledged,
    /// Acknowledged, remembered for an original that comes late, counted and alarmed.
    Needless,
    /// Acknowledged, and an operator decides.
    OnDesk(Cause),
}

/// The table.
pub(super) fn then(follower: Follower, met: Met) -> Then {
    use Follower::{Completion, CompletionTold, Refund, RefundTold, Reversal, Void, VoidTold};
    use Met::{Contradicted, Forgotten, NeverSent, One, Several, Unknowable};
    use Standing::{Denied, Open, Owed, Partly, Stands, TakenBack, Unknown};
    match (follower, met) {
        (Reversal, One(TakenBack | Denied)) => Then::Acknowledged,
        (Reversal, One(Open | Stands | Partly | Owed | Unknown)) => Then::Forwarded,
        (Reversal, NeverSent) => Then::Needless,

        (Void | Completion | Refund, One(Stands | Partly)) => Then::Forwarded,
        (Void | Completion | Refund, One(Owed)) => Then::Later,
        (Void | Completion | Refund, One(Open | TakenBack | Denied | Unknown)) => {
            Then::Declined(None)
        }
        (Void | Completion | Refund, Contradicted(_) | Several) => {
            Then::Declined(Some(met.cause()))
        }
        (Void, NeverSent | Unknowable | Forgotten) => Then::Declined(Some(met.cause())),
        (Completion | CompletionTold, NeverSent | Unknowable | Forgotten) => Then::ForwardedAlone,
        (Refund | RefundTold, NeverSent | Unknowable | Forgotten) => Then::IfAllowed,

        (VoidTold | CompletionTold | RefundTold, One(Open | Stands | Partly | Owed | Unknown)) => {
            Then::Forwarded
        }
        (VoidTold | CompletionTold | RefundTold, One(TakenBack | Denied))
        | (Reversal | VoidTold | CompletionTold | RefundTold, Contradicted(_) | Several)
        | (Reversal | VoidTold, Unknowable | Forgotten)
        | (VoidTold, NeverSent) => Then::OnDesk(met.cause()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METS: [(Met, &str); 12] = [
        (Met::One(Standing::Stands), "it stands"),
        (Met::One(Standing::Partly), "part of it was taken back"),
        (Met::One(Standing::Open), "it is at the bank"),
        (Met::One(Standing::Owed), "it is an advice still owed"),
        (Met::One(Standing::TakenBack), "it was taken back"),
        (Met::One(Standing::Denied), "it was not granted"),
        (Met::One(Standing::Unknown), "its end is unknown"),
        (Met::Contradicted(4), "it differs"),
        (Met::Several, "several fit"),
        (Met::NeverSent, "never sent"),
        (Met::Unknowable, "cannot know"),
        (Met::Forgotten, "forgotten"),
    ];

    fn word(then: Then) -> String {
        match then {
            Then::Forwarded => "to its bank".to_owned(),
            Then::ForwardedAlone => "by the table, with its F38".to_owned(),
            Then::IfAllowed => "by the table where `unreferenced_refunds`".to_owned(),
            Then::Declined(_) => "declined".to_owned(),
            Then::Later => "96, again later".to_owned(),
            Then::Acknowledged => "acknowledged".to_owned(),
            Then::Needless => "acknowledged, alarm".to_owned(),
            Then::OnDesk(_) => "desk".to_owned(),
        }
    }

    /// `UPDATE_FLOWS=1` does not write it: the page is for reading, and is changed by hand.
    #[test]
    fn the_page_has_the_table_row_by_row() {
        let mut table = String::from("| what was found |");
        Follower::ALL.iter().for_each(|(_, name)| table.push_str(&format!(" {name} |")));
        table.push_str("\n|---|");
        Follower::ALL.iter().for_each(|_| table.push_str("---|"));
        for (met, name) in METS {
            table.push_str(&format!("\n| {name} |"));
            for (follower, _) in Follower::ALL {
                table.push_str(&format!(" {} |", word(then(follower, met))));
            }
        }
        let page = include_str!("../../docs/originals.md");
        assert!(page.contains(&table), "docs/originals.md should have:\n{table}");
    }

    #[test]
    fn nothing_but_a_request_is_ever_declined() {
        for (follower, name) in Follower::ALL {
            let asks = matches!(follower, Follower::Void | Follower::Completion | Follower::Refund);
            for (met, found) in METS {
                let declined = matches!(then(follower, met), Then::Declined(_) | Then::Later);
                assert!(asks || !declined, "{name}, {found}");
            }
        }
    }
}
