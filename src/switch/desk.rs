//! The operator's desk: in-doubt money and late answers as lists, and what an operator may do.
//!
//! Contract: a list is bounded and asked for page by page, because a dead bank may owe a hundred
//! thousand messages and the core has other things to do. A decision is checked first and
//! recorded only when it makes sense; a refusal names the state and what would be allowed.
//! Cards show masked. Deliberately absent: who may ask (`admin`).

use super::ids::{Name, RecordNo, TxnNo};
use super::input::DeskVerb;
use super::record::{Cause, Ending, Late, Owed};
use crate::meaning::Reason;
use crate::money::Amount;
use crate::text::Text;
use crate::time::Wall;
use std::fmt;
use std::time::Duration;

/// Items a page may hold at most: a thousand are looked up in well under a millisecond.
pub const PAGE_MAX: usize = 1_000;

/// Which items are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// Only those after this one: the last of the page before.
    pub after: RecordNo,
    /// At most so many, and never more than [`PAGE_MAX`].
    pub limit: usize,
    /// Only what an operator is asked to look at.
    pub attention: bool,
    /// Only of this bank.
    pub bank: Option<Name>,
}

impl Listing {
    /// The first page of everything.
    pub const fn all(limit: usize) -> Self {
        Self { after: RecordNo(0), limit, attention: false, bank: None }
    }
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemState {
    /// Owed; its original is still at the bank.
    WaitsForOriginal,
    /// Owed; another of the same card goes first.
    WaitsForCard,
    /// Owed; goes as soon as there is a session and room.
    WaitsForTurn,
    /// A try is about to leave.
    Leaving,
    /// A try is in the bank's hands.
    AtBank,
    /// A try failed; the next comes after a pause.
    Pausing,
    /// Given up until an operator decides.
    DeadLetter,
    /// A reversal that was never sent and never can be: only its platform knows the original.
    NeverSent,
    /// Approved; whether the platform has the approval is not known.
    Undelivered,
    /// Whether the bank did it is not known, and there is no reversal for it.
    NoReversal,
    /// Nothing is open under this number.
    Nothing,
}

impl ItemState {
    /// As programs spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::WaitsForOriginal => "waits_for_original",
            Self::WaitsForCard => "waits_for_card",
            Self::WaitsForTurn => "waits_for_turn",
            Self::Leaving => "leaving",
            Self::AtBank => "at_bank",
            Self::Pausing => "pausing",
            Self::DeadLetter => "dead_letter",
            Self::NeverSent => "never_sent",
            Self::Undelivered => "undelivered",
            Self::NoReversal => "no_reversal",
            Self::Nothing => "nothing_open",
        }
    }

    /// What comes next, for people.
    pub const fn next(self) -> &'static str {
        match self {
            Self::WaitsForOriginal => "goes when its original is answered or timed out",
            Self::WaitsForCard => "goes after what is owed before it for the same card",
            Self::WaitsForTurn => "goes when the bank has a session and room",
            Self::Leaving => "is leaving now",
            Self::AtBank => "waits for the bank's answer",
            Self::Pausing => "is sent again after its pause, or at once by resend",
            Self::DeadLetter => "is not sent any more: resend it, or give it up with a reason",
            Self::NeverSent => "find the original at the bank by hand, then give it up",
            Self::Undelivered => "the platform repeats or reverses it; else ask the platform",
            Self::NoReversal => "ask the bank whether it did it, then give it up with a reason",
            Self::Nothing => "was settled, or never was",
        }
    }

    /// What an operator may do.
    pub const fn allowed(self) -> Allowed {
        match self {
            Self::Pausing | Self::DeadLetter => Allowed { resend: true, give_up: true },
            Self::WaitsForCard
            | Self::WaitsForTurn
            | Self::Leaving
            | Self::AtBank
            | Self::NeverSent
            | Self::Undelivered
            | Self::NoReversal => Allowed { resend: false, give_up: true },
            Self::WaitsForOriginal | Self::Nothing => Allowed { resend: false, give_up: false },
        }
    }
}

/// What an operator may do about an item now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Have it sent again.
    pub resend: bool,
    /// Close it by hand.
    pub give_up: bool,
}

impl Allowed {
    /// The verbs, as operators spell them.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let resend = self.resend.then_some("resend");
        resend.into_iter().chain(self.give_up.then_some("give-up"))
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.resend, self.give_up) {
            (true, true) => f.write_str("resend, give-up"),
            (true, false) => f.write_str("resend"),
            (false, true) => f.write_str("give-up"),
            (false, false) => f.write_str("nothing"),
        }
    }
}

/// Why an item stands where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A message is owed, for this reason.
    Owed(Owed, Reason),
    /// It was given up like this, with the bank's code where it gave one.
    Dead(Ending, Option<Text<4>>),
    /// This does not fit.
    Because(Cause),
    /// The answer to the platform may have been lost in a crash.
    AnswerMayBeLost,
    /// The bank's answer never came or could not be used, and nothing can be sent about it.
    OutcomeUnknown,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owed(Owed::OwnReversal, reason) => write!(f, "our reversal: {reason:?}"),
            Self::Owed(Owed::PlatformReversal, reason) => {
                write!(f, "the platform's reversal: {reason:?}")
            }
            // No platform's advice has this reason.
            Self::Owed(Owed::Repeat, Reason::BankDown) => {
                f.write_str("an advice of what was decided in its place")
            }
            Self::Owed(Owed::Repeat, _) => f.write_str("an advice of the platform"),
            Self::Dead(ending, code) => {
                f.write_str(match ending {
                    Ending::Expired => "grew too old",
                    Ending::TriedOut => "was tried as often as configured",
                    Ending::Dead
                    | Ending::Acknowledged
                    | Ending::NoOriginal
                    | Ending::Needless
                    | Ending::GivenUp => match code {
                        Some(_) => "the bank refused it",
                        None => "its original is older than our memory",
                    },
                })?;
                code.map_or(Ok(()), |code| write!(f, " with {code}"))
            }
            Self::Because(cause) => cause.fmt(f),
            Self::AnswerMayBeLost => f.write_str("approved; the answer may have been lost"),
            Self::OutcomeUnknown => f.write_str("the bank's answer never came"),
        }
    }
}

/// One line of the desk: in-doubt money and what is being done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskItem {
    /// What an operator's decision names: a SAF entry, or a transaction.
    pub item: RecordNo,
    /// The transaction, where it is known.
    pub txn: Option<TxnNo>,
    /// The bank; empty where only the journal still knows it.
    pub bank: Name,
    /// How much.
    pub amount: Option<Amount>,
    /// Since when it is owed, or stands on the desk.
    pub since: Wall,
    /// How often it was sent.
    pub tries: u32,
    /// How long until it is sent again, or until silence counts as a try.
    pub next_try: Option<Duration>,
    /// Whether an operator is asked to look.
    pub attention: bool,
    /// Where it stands, and so what comes next and what is allowed.
    pub state: ItemState,
    /// Why.
    pub why: Why,
    /// `F11` at the bank: of the message owed, or of the request.
    pub stan: Option<u32>,
    /// `F11` of the original at the bank, where the message owed has another.
    pub original_stan: Option<u32>,
    /// `F37`.
    pub rrn: Option<Text<12>>,
    /// Who asked for the transaction.
    pub platform: Option<Name>,
    /// The card, masked.
    pub card: Option<String>,
}

/// A command that makes no sense now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What it was about.
    pub item: RecordNo,
    /// Where that stands.
    pub state: ItemState,
    /// What was asked for.
    pub verb: DeskVerb,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, allowed) = (self.state.word(), self.state.allowed());
        write!(f, "{} (state: {state}; allowed: {allowed})", self.why)
    }
}

/// What kind of unexpected answer it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LateKind {
    /// Its request had been decided without it.
    Late,
    /// Its request had been answered before.
    Duplicate,
    /// It fits nothing we know.
    Unmatched,
}

impl LateKind {
    /// As programs spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Unmatched => "unmatched",
        }
    }
}

/// One line of the late-answer inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateItem {
    /// Its record.
    pub no: RecordNo,
    /// What kind.
    pub kind: LateKind,
    /// What it said.
    pub late: Late,
    /// What became of it.
    pub became: &'static str,
}
