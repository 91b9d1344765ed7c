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

/// Which items are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// Only those after this one: the last of the page before.
    pub after: RecordNo,
    /// At most so many, and never more than [`crate::limits::PAGE_ITEMS_MAX`].
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
    /// The bank did it after all, its platform was told that it did not, and there is no reversal
    /// for it.
    BankDidIt,
    /// The bank approved something that nothing we know of waits for.
    Unmatched,
    /// Nothing is open: it was approved, and its platform has the approval as far as we know.
    Granted,
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
            Self::BankDidIt => "bank_did_it",
            Self::Unmatched => "unmatched",
            Self::Granted => "granted",
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
            Self::DeadLetter => "is not sent any more: resend it, or find out: did, or did-not",
            Self::NeverSent => "find out by hand: did its bank do it, or did-not",
            Self::Undelivered => {
                "the platform repeats or reverses it; else ask the platform: reverse, or give-up"
            }
            Self::NoReversal => "ask the bank whether it did it: did, or did-not",
            Self::BankDidIt => "settle it with the platform by hand, then say did",
            Self::Unmatched => "ask the bank whether it stands: did, or did-not",
            Self::Granted => "its platform has it, as far as we know; else reverse it",
            Self::Nothing => "was settled, or never was",
        }
    }

    /// What an operator may do at most: of some items not all of it makes sense.
    pub const fn allowed(self) -> Allowed {
        let owed = Allowed { did: true, did_not: true, give_up: true, ..Allowed::NOTHING };
        match self {
            Self::Pausing | Self::DeadLetter => Allowed { resend: true, ..owed },
            Self::WaitsForCard
            | Self::WaitsForTurn
            | Self::Leaving
            | Self::AtBank
            | Self::NeverSent
            | Self::NoReversal
            | Self::Unmatched => owed,
            Self::BankDidIt => Allowed { did_not: false, ..owed },
            Self::Undelivered => Allowed { reverse: true, give_up: true, ..Allowed::NOTHING },
            Self::Granted => Allowed { reverse: true, ..Allowed::NOTHING },
            Self::WaitsForOriginal | Self::Nothing => Allowed::NOTHING,
        }
    }
}

/// What an operator may do about an item now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Have it sent again.
    pub resend: bool,
    /// Have it reversed.
    pub reverse: bool,
    /// Say that the bank did it.
    pub did: bool,
    /// Say that the bank did not.
    pub did_not: bool,
    /// Close it by hand.
    pub give_up: bool,
}

impl Allowed {
    /// Nothing at all.
    pub const NOTHING: Self =
        Self { resend: false, reverse: false, did: false, did_not: false, give_up: false };

    /// The verbs, as operators spell them.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.resend, "resend"),
            (self.reverse, "reverse"),
            (self.did, "did"),
            (self.did_not, "did-not"),
            (self.give_up, "give-up"),
        ];
        all.into_iter().filter(|(allowed, _)| *allowed).map(|(_, word)| word)
    }

    /// Whether this is among them.
    pub const fn has(self, verb: DeskVerb) -> bool {
        match verb {
            DeskVerb::Resend => self.resend,
            DeskVerb::Reverse(_) => self.reverse,
            DeskVerb::Did(_) => self.did,
            DeskVerb::DidNot(_) => self.did_not,
            DeskVerb::GiveUp(_) => self.give_up,
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.words();
        f.write_str(words.next().unwrap_or("nothing"))?;
        words.try_for_each(|word| write!(f, ", {word}"))
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
    /// The bank's answer came late, and approved; nothing can be sent about it.
    DoneAfterAll,
    /// Totals do not agree, as a bank told us that asked.
    OutOfBalance,
    /// A bank is asked about totals.
    AsksTotals,
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
            Self::DoneAfterAll => f.write_str("the bank did it after all; no reversal exists"),
            Self::AsksTotals => f.write_str("a question about totals"),
            Self::OutOfBalance => f.write_str("the bank's totals do not agree with ours"),
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
    /// Of an advice: what the bank says it booked, where that is something else.
    pub booked: Option<Amount>,
    /// Of the reversal of a part: what is to stand.
    pub left: Option<Amount>,
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
    /// What of it makes sense now.
    pub allowed: Allowed,
    /// Why.
    pub why: Why,
    /// Why it waits for an operator, where one of the causes is why.
    pub cause: Option<Cause>,
    /// `F11` at the bank: of the message owed, or of the request.
    pub stan: Option<u32>,
    /// `F11` of the original at the bank, where the message owed has another.
    pub original_stan: Option<u32>,
    /// `F37` as sent to the bank.
    pub rrn: Option<Text<12>>,
    /// `F37` as the bank gave it.
    pub bank_rrn: Option<Text<12>>,
    /// `F38` as the bank gave it.
    pub auth_id: Option<Text<6>>,
    /// `F41` at the bank.
    pub terminal: Option<Text<16>>,
    /// `F42` at the bank.
    pub merchant: Option<Text<35>>,
    /// `F11` of the platform's request.
    pub platform_stan: Option<u32>,
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
    /// What would make sense.
    pub allowed: Allowed,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, allowed) = (self.state.word(), self.allowed);
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
