//! The life of one bank leg: phases × happenings as one table, and what each ending owes.
//!
//! ```text
//!            released          answer                 grant released
//!   Held ------------> Sent -----------> (Granting) ----------------> done, stands
//!    | deadline         |  \  platform reverses    \  grant unsent
//!    v                  |   `-> SentReversed         `-> done, reversed: undeliverable
//!   Cancelling          | deadline        \ answer or deadline
//!    | unsent  released v                  `-> done, its reversal goes out
//!    v      `--------> done, unknown: debt
//!   done, not sent
//! ```
//! The debit of a top-up has one more way out of `Sent`: approved, it ends with
//! [`Step::Credit`], and its credit begins as a leg of its own (`top_up`). Every pair
//! stands in `docs/transaction.md`.
//!
//! Contract: [`step`] is total and pure; a pair that cannot happen is [`Step::Impossible`],
//! counted and alarmed, and changes nothing. [`debt_of`] and [`unknown_debt`] are the one
//! table of what is owed, live and at recovery (domain.md section 6).

use super::policy::Reversal;
use super::record::{Debt, Leg};
use crate::canonical::{Flow, Kind};

/// Where a bank leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The intent is recorded, its frame held by the gate.
    Held,
    /// Held past its deadline; the cancellation is on its way.
    Cancelling,
    /// Held, and the platform reversed it; the cancellation is on its way.
    HeldReversed,
    /// The frame left: from now on sent-unknown.
    Sent,
    /// The frame left, and the platform reversed it before the answer.
    SentReversed,
    /// Approved; the answer to the platform is held by the gate.
    Granting,
    /// Approved; the answer is held past the platform's deadline and being cancelled.
    Withdrawing,
    /// Approved, then reversed by the platform while the answer was still held.
    Revoked,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Held,
        Self::Cancelling,
        Self::HeldReversed,
        Self::Sent,
        Self::SentReversed,
        Self::Granting,
        Self::Withdrawing,
        Self::Revoked,
    ];
}

/// What can happen to a bank leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Happening {
    /// The bank frame left.
    Released,
    /// The bank frame did not and will not leave.
    Unsent,
    /// The bank answered.
    Answered(Verdict),
    /// The deadline of the present phase has come.
    Deadline,
    /// The platform reverses the request.
    PlatformReversal,
    /// The approval left for the platform.
    GrantReleased,
    /// No copy of the approval left, and none will.
    GrantUnsent,
    /// The bank frame did not leave, and another session of the bank may have it.
    OtherWay,
}

impl Happening {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Released,
        Self::Unsent,
        Self::Answered(Verdict::Approved),
        Self::Answered(Verdict::Debited),
        Self::Answered(Verdict::Partial),
        Self::Answered(Verdict::Declined),
        Self::Answered(Verdict::Refused),
        Self::Answered(Verdict::Invalid),
        Self::Deadline,
        Self::PlatformReversal,
        Self::GrantReleased,
        Self::GrantUnsent,
        Self::OtherWay,
    ];

    /// Its place in [`Happening::ALL`].
    const fn place(self) -> usize {
        match self {
            Self::Released => 0,
            Self::Unsent => 1,
            Self::Answered(verdict) => 2 + verdict as usize,
            Self::Deadline => 8,
            Self::PlatformReversal => 9,
            Self::GrantReleased => 10,
            Self::GrantUnsent => 11,
            Self::OtherWay => 12,
        }
    }
}

/// Every phase with everything that can happen in it.
pub fn pairs() -> impl Iterator<Item = (Phase, Happening)> {
    Phase::ALL.into_iter().flat_map(|phase| Happening::ALL.into_iter().map(move |h| (phase, h)))
}

/// Which pairs came up: for each phase, in its order, one bit per [`Happening`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Met([u16; Phase::ALL.len()]);

impl Met {
    /// This happened in this phase.
    pub(super) fn note(&mut self, phase: Phase, happening: Happening) {
        self.0[phase as usize] |= 1 << happening.place();
    }

    /// All that came up.
    pub(super) fn pairs(self) -> impl Iterator<Item = (Phase, Happening)> {
        pairs().filter(move |(phase, what)| self.0[*phase as usize] & 1 << what.place() != 0)
    }
}

/// What a bank's answer amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Approved in full.
    Approved,
    /// Approved, and the credit of the top-up is to follow.
    Debited,
    /// Approved for less, and the platform takes that.
    Partial,
    /// Declined.
    Declined,
    /// The bank did not take our message: no effect there.
    Refused,
    /// It cannot be trusted or cannot be passed on: decline and reverse.
    Invalid,
}

impl Verdict {
    /// The outcome this answer makes when it is in time.
    pub const fn leg(self) -> Leg {
        match self {
            Self::Approved | Self::Debited => Leg::Approved,
            Self::Partial => Leg::PartiallyApproved,
            Self::Declined => Leg::Declined,
            Self::Refused => Leg::Refused,
            Self::Invalid => Leg::InvalidAnswer,
        }
    }

    /// The outcome this answer makes when everything is decided already.
    pub const fn late_leg(self) -> Leg {
        match self {
            Self::Approved | Self::Debited | Self::Partial => Leg::LateApproved,
            Self::Declined | Self::Refused => Leg::LateDeclined,
            Self::Invalid => Leg::InvalidAnswer,
        }
    }
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Nothing but the phase changes.
    Enter(Phase),
    /// Cancel the held frame.
    Cancel(Phase),
    /// The same request goes over another line of its bank.
    Again,
    /// Record the outcome and tell the platform: approved.
    Grant(Leg),
    /// Record the outcome of the debit and ask for the credit; the platform goes on waiting.
    Credit,
    /// Record the outcome and what it owes, and tell the platform: declined. What was not sent
    /// may be approved in the bank's place instead, where its limits allow ([`Leg::StoodIn`]).
    Deny(Leg),
    /// Record the outcome and what it owes; the platform has been told.
    Settle(Leg),
    /// The approval stands.
    Stands,
    /// The approval never left: reverse it, reason undeliverable.
    Undeliverable,
    /// The approval was too late: reverse it and decline.
    TooLate,
    /// Everything was said and done.
    Finish,
    /// Nothing changes.
    Stay,
    /// This cannot happen here.
    Impossible,
}

/// The table. Each row is read: in this phase, when this happens, do that.
pub const fn step(phase: Phase, happening: Happening) -> Step {
    use Happening as H;
    use Phase as P;
    match (phase, happening) {
        (P::Held, H::Released) => Step::Enter(P::Sent),
        (P::Held, H::Unsent) => Step::Deny(Leg::NotSent),
        (P::Held, H::OtherWay) => Step::Again,
        (P::Held, H::Deadline) => Step::Cancel(P::Cancelling),
        (P::Held, H::PlatformReversal) => Step::Cancel(P::HeldReversed),

        (P::Cancelling, H::Released) => Step::Deny(Leg::SentUnknown),
        (P::Cancelling, H::Unsent) => Step::Deny(Leg::NotSent),
        (P::Cancelling, H::PlatformReversal) => Step::Enter(P::HeldReversed),

        (P::HeldReversed, H::Released) => Step::Enter(P::SentReversed),
        (P::HeldReversed, H::Unsent) => Step::Settle(Leg::NotSent),

        (P::Sent, H::Answered(verdict)) => match verdict {
            Verdict::Approved | Verdict::Partial => Step::Grant(verdict.leg()),
            Verdict::Debited => Step::Credit,
            Verdict::Declined | Verdict::Refused | Verdict::Invalid => Step::Deny(verdict.leg()),
        },
        (P::Sent, H::Deadline) => Step::Deny(Leg::SentUnknown),
        (P::Sent, H::PlatformReversal) => Step::Enter(P::SentReversed),

        (P::SentReversed, H::Answered(verdict)) => Step::Settle(verdict.late_leg()),
        (P::SentReversed, H::Deadline) => Step::Settle(Leg::SentUnknown),

        (P::Granting, H::Deadline) => Step::Cancel(P::Withdrawing),
        (P::Granting, H::PlatformReversal) => Step::Cancel(P::Revoked),
        (P::Granting, H::GrantReleased) => Step::Stands,
        (P::Granting, H::GrantUnsent) => Step::Undeliverable,

        (P::Withdrawing, H::PlatformReversal) => Step::Enter(P::Revoked),
        (P::Withdrawing, H::GrantReleased) => Step::Stands,
        (P::Withdrawing, H::GrantUnsent) => Step::TooLate,

        (P::Revoked, H::GrantReleased | H::GrantUnsent) => Step::Finish,

        // Held frames keep their deadline running; it has nothing to add. A second reversal of
        // the platform is answered as a repeat and changes nothing here.
        (P::Cancelling | P::HeldReversed | P::Withdrawing | P::Revoked, H::Deadline)
        | (P::HeldReversed | P::SentReversed | P::Revoked, H::PlatformReversal) => Step::Stay,

        // A frame is released or unsent once, and only while the gate has it.
        (
            P::Sent | P::SentReversed | P::Granting | P::Withdrawing | P::Revoked,
            H::Released | H::Unsent,
        )
        // `Released` is fed before any message that could answer it; an answer ends the leg.
        | (
            P::Held | P::Cancelling | P::HeldReversed | P::Granting | P::Withdrawing | P::Revoked,
            H::Answered(_),
        )
        // Nothing is granted before an approval.
        | (
            P::Held | P::Cancelling | P::HeldReversed | P::Sent | P::SentReversed,
            H::GrantReleased | H::GrantUnsent,
        )
        // What is being taken back, or has left, goes no other way.
        | (
            P::Cancelling | P::HeldReversed | P::Sent | P::SentReversed | P::Granting
            | P::Withdrawing | P::Revoked,
            H::OtherWay,
        ) => Step::Impossible,
    }
}

/// What an intent will owe if its outcome stays unknown.
pub fn unknown_debt(kind: Kind, flow: Flow, reversal: &Reversal) -> Debt {
    match (kind, flow) {
        (Kind::NetworkManagement(_), _) => Debt::Nothing,
        (Kind::Reversal(_) | Kind::BatchUpload | Kind::Reconciliation, _) => Debt::Repeat,
        (Kind::Transaction(_), Flow::Advice | Flow::Notification) => Debt::Repeat,
        (Kind::Transaction(kind), Flow::Request) if !kind.has_money_effect() => Debt::Nothing,
        (Kind::Transaction(kind), Flow::Request) if reversal.types.contains(&kind) => {
            Debt::Reversal
        }
        (Kind::Transaction(_), Flow::Request) => Debt::Desk,
        (
            Kind::Transaction(_),
            Flow::Response | Flow::AdviceResponse | Flow::NotificationResponse,
        ) => Debt::Nothing,
    }
}

/// What is owed after a leg ended like this, given what it owes if it stays unknown.
pub const fn debt_of(leg: Leg, unknown: Debt) -> Debt {
    match leg {
        Leg::SentUnknown | Leg::InvalidAnswer | Leg::LateApproved => unknown,
        Leg::NotSent
        | Leg::Approved
        | Leg::PartiallyApproved
        | Leg::Declined
        | Leg::Refused
        | Leg::LateDeclined
        | Leg::StoodIn
        | Leg::Acknowledged => Debt::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::TransactionType;

    #[test]
    fn only_what_may_have_an_effect_owes_a_reversal() {
        let reversal = Reversal {
            types: vec![TransactionType::Purchase],
            flow: Flow::Advice,
            repeat_mti: true,
            same_stan: false,
            original_batch: false,
            partial: false,
            requested: false,
        };
        let debt = |t, flow| unknown_debt(Kind::Transaction(t), flow, &reversal);
        assert_eq!(debt(TransactionType::Purchase, Flow::Request), Debt::Reversal);
        assert_eq!(debt(TransactionType::Purchase, Flow::Advice), Debt::Repeat);
        assert_eq!(debt(TransactionType::Balance, Flow::Request), Debt::Nothing);
        assert_eq!(debt(TransactionType::Refund, Flow::Request), Debt::Desk);
        assert_eq!(debt_of(Leg::Approved, Debt::Reversal), Debt::Nothing);
        assert_eq!(debt_of(Leg::SentUnknown, Debt::Desk), Debt::Desk);
    }

    #[test]
    fn a_frame_that_may_have_left_is_never_called_not_sent() {
        for phase in [Phase::Sent, Phase::SentReversed, Phase::Cancelling] {
            for happening in [Happening::Released, Happening::Deadline] {
                let step = step(phase, happening);
                assert!(!matches!(step, Step::Deny(Leg::NotSent) | Step::Settle(Leg::NotSent)));
            }
        }
    }

    /// Every pair that can happen, as the page has it.
    fn legal_pairs() -> String {
        let steps = pairs().map(|(p, h)| (p, h, step(p, h)));
        let legal = steps.filter(|(_, _, s)| *s != Step::Impossible);
        legal.map(|(p, h, s)| format!("| {p:?} | {h:?} | {s:?} |\n")).collect()
    }

    #[test]
    fn what_came_up_is_told_pair_by_pair() {
        for pair in pairs() {
            let mut met = Met::default();
            assert_eq!(met.pairs().count(), 0);
            met.note(pair.0, pair.1);
            assert_eq!(met.pairs().collect::<Vec<_>>(), [pair]);
        }
    }

    #[test]
    fn the_page_about_transactions_has_every_pair_of_the_table() {
        let page = include_str!("../../docs/transaction.md");
        let pairs = legal_pairs();
        assert!(page.contains(&pairs), "docs/transaction.md should have:\n{pairs}");
    }
}
