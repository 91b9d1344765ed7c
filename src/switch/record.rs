//! What the journal remembers: every decision, and nothing that could be decided again.
//!
//! Contract: a record carries the decision with its values (bank, rule, class, amounts, the
//! reversal as it will be written), so that `apply(&mut State, &Record)` needs no policy and no
//! clock; fields are allow-listed – no track, PIN block or verification value has an encoder.
//! The byte encoding lives in `record_bytes`, the masked JSON of `journal dump` in
//! `record_json`. Adding a variant or a field is a new format version; removing one is not done.

use super::ids::{Name, RecordNo, TxnNo};
use super::input::DeskVerb;
use super::role::{Debited, Role};
use super::totals::{Bucket, Period};
use crate::canonical::{Flow, Kind, NetworkFunction, Reason, ResponseClass, Totals};
use crate::money::{Amount, Currency};
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::Wall;
use std::sync::Arc;

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A request accepted and about to be sent to a bank, or decided in its place. Its number
    /// names the transaction.
    Intent(Arc<Intent>),
    /// The final outcome of a bank leg.
    Outcome(Outcome),
    /// A request answered without asking a bank (declined, duplicate, tombstone).
    Refused(Box<Refused>),
    /// A reversal, advice or repeat is owed and stands in the SAF.
    Queued(Arc<Queued>),
    /// A SAF entry is about to be sent once more.
    Attempt(Attempt),
    /// A SAF entry is finished.
    Closed(Closed),
    /// An answer arrived after its transaction had been decided.
    Late(Late),
    /// An operator decided.
    Desk(Desk),
    /// The business date of a bank moved.
    Cutover(Cutover),
    /// The policy in force from here on.
    Policy(PolicyStamp),
    /// A line or terminal signed on or off, or got a new batch.
    LineState(LineState),
    /// A message that could not be understood: where, how long, a keyed hash.
    Garbled(GarbledNote),
    /// Hint, not synced for its own sake: the bank request left. Nothing is decided on it.
    Released(TxnNo),
    /// Hint, not synced for its own sake: the approval to the platform left. An approval
    /// without one goes to the desk at recovery.
    Answered(TxnNo),
    /// Totals were asked about, or compared.
    Reconciled(Box<Reconciled>),
    /// Something that can have no consequence any more left the core's memory.
    Forgotten(Forgotten),
}

/// The platform's names for one request: what its answer must give back, and what makes it a
/// duplicate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// MTI as received.
    pub mti: Text<4>,
    /// `F7`.
    pub transmission: Option<Text<10>>,
    /// `F11`.
    pub stan: u32,
    /// `F12`.
    pub local_time: Option<Text<6>>,
    /// `F13`.
    pub local_date: Option<Text<4>>,
    /// `F32`.
    pub acquirer: Option<Text<11>>,
    /// `F33`.
    pub forwarder: Option<Text<11>>,
    /// `F37`.
    pub rrn: Option<Text<12>>,
    /// `F41`.
    pub terminal: Option<Text<16>>,
    /// `F42`.
    pub merchant: Option<Text<35>>,
    /// Batch, where the platform's dialect has one.
    pub batch: Option<u32>,
}

/// Our names for one request on the bank's side, as sent. A reversal is built from these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BankKeys {
    /// `F11` on the bank's line.
    pub stan: u32,
    /// `F7` as sent.
    pub transmission: Option<Text<10>>,
    /// `F12` as sent.
    pub local_time: Option<Text<6>>,
    /// `F13` as sent.
    pub local_date: Option<Text<4>>,
    /// `F32` as sent.
    pub acquirer: Option<Text<11>>,
    /// `F33` as sent.
    pub forwarder: Option<Text<11>>,
    /// `F37` as sent.
    pub rrn: Option<Text<12>>,
    /// `F41` as sent.
    pub terminal: Option<Text<16>>,
    /// `F42` as sent.
    pub merchant: Option<Text<35>>,
    /// Batch as sent (UnionPay).
    pub batch: Option<u32>,
}

/// What a reversal repeats of its original besides keys: allow-listed, no track, no PIN, no ICC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CardFacts {
    /// `F14`.
    pub expiry: Option<Text<4>>,
    /// `F3`.
    pub processing_code: Option<Text<6>>,
    /// `F18`.
    pub merchant_type: Option<Text<4>>,
    /// `F22`.
    pub pos_entry_mode: Option<Text<12>>,
    /// `F23`.
    pub card_sequence: Option<Text<3>>,
    /// `F24`.
    pub network_id: Option<Text<3>>,
    /// `F25`.
    pub pos_condition: Option<Text<2>>,
}

/// A request accepted and about to be sent to a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// When.
    pub at: Wall,
    /// Who asked.
    pub platform: Name,
    /// Who is asked.
    pub bank: Name,
    /// Over which line.
    pub line: Name,
    /// The rule that chose the bank.
    pub rule: Name,
    /// What is asked.
    pub kind: Kind,
    /// Request or advice.
    pub flow: Flow,
    /// The platform's keys.
    pub origin: Origin,
    /// The bank's keys.
    pub keys: BankKeys,
    /// The card.
    pub pan: Option<Pan>,
    /// How much.
    pub amount: Option<Amount>,
    /// What a reversal will repeat.
    pub facts: CardFacts,
    /// Whether the platform takes partial approvals.
    pub accepts_partial: bool,
    /// What it owes if its outcome stays unknown, as the dialect and the table say.
    pub owes: Debt,
    /// The transaction this one completes, voids or refunds, where it was found.
    pub original: Option<TxnNo>,
    /// That transaction's keys at this bank; a reversal of this one repeats them.
    pub referred: Option<Box<BankKeys>>,
    /// Hash of the policy that decided.
    pub policy: u64,
    /// Which part of the platform's request it is.
    pub role: Role,
}

/// What an unknown outcome owes (domain.md section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Debt {
    /// A reversal.
    Reversal,
    /// The same message again, through the SAF, never reversed.
    Repeat,
    /// Nothing: no money moves.
    Nothing,
    /// An operator's decision: the dialect has no reversal for it.
    Desk,
}

/// How a bank leg ended. Closed: every outcome there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leg {
    /// Proof that no byte left.
    NotSent,
    /// It left; nothing is known.
    SentUnknown,
    /// Approved in full.
    Approved,
    /// Approved for less, and the platform takes that.
    PartiallyApproved,
    /// Declined.
    Declined,
    /// The bank refused our message (format, MAC, sign-on): no effect there.
    Refused,
    /// The answer cannot be trusted: declined to the platform, reversed at the bank.
    InvalidAnswer,
    /// Approved after we had decided.
    LateApproved,
    /// Declined after we had decided.
    LateDeclined,
    /// Decided locally within limits.
    StoodIn,
    /// An advice, reversal or network message was acknowledged.
    Acknowledged,
}

/// The final outcome of a bank leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which transaction.
    pub txn: TxnNo,
    /// When.
    pub at: Wall,
    /// How it ended.
    pub leg: Leg,
    /// Class of the bank's answer, if it gave one.
    pub class: Option<ResponseClass>,
    /// The bank's code, if it gave one.
    pub bank_code: Option<Text<4>>,
    /// Our own reason, where we decided.
    pub reason: Option<Reason>,
    /// `F38` as the bank gave it.
    pub auth_id: Option<Text<6>>,
    /// `F37` as the bank gave it.
    pub rrn: Option<Text<12>>,
    /// What was approved; equals the request's amount unless partial.
    pub amount: Option<Amount>,
    /// `F15` of the leg.
    pub settlement_date: Option<Text<4>>,
}

/// A request answered without asking a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub at: Wall,
    /// Who asked.
    pub platform: Name,
    /// What was asked.
    pub kind: Kind,
    /// Request, advice or notification.
    pub flow: Flow,
    /// The platform's keys.
    pub origin: Origin,
    /// The card.
    pub pan: Option<Pan>,
    /// `F3`.
    pub processing_code: Option<Text<6>>,
    /// How much.
    pub amount: Option<Amount>,
    /// What it was told; `Accepted` where it asked for what was so already.
    pub reason: Reason,
    /// The transaction it concerns, where there is one.
    pub concerns: Option<TxnNo>,
}

/// What a SAF entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owed {
    /// A reversal of ours: the outcome is unknown, invalid or undeliverable.
    OwnReversal,
    /// A reversal the platform asked for.
    PlatformReversal,
    /// An advice or other message to be repeated until it is acknowledged.
    Repeat,
}

/// A message is owed to a bank and stands in the SAF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// When.
    pub at: Wall,
    /// The transaction it reverses, repeats or tells of; unset for a reversal of an unknown
    /// original and for an advice of the platform.
    pub txn: Option<TxnNo>,
    /// The bank it is owed to.
    pub bank: Name,
    /// The line its original went over, where it should go first.
    pub line: Option<Name>,
    /// What it is.
    pub owed: Owed,
    /// What is asked; for a reversal the kind of its original inside `Kind::Reversal`.
    pub kind: Kind,
    /// Request or advice, as the bank's dialect writes it.
    pub flow: Flow,
    /// Why.
    pub reason: Reason,
    /// The platform's keys, where the platform asked for it.
    pub origin: Option<Origin>,
    /// Who asked, where it was a platform.
    pub platform: Option<Name>,
    /// The entry's own keys on the bank's side.
    pub keys: BankKeys,
    /// The keys of the original.
    pub original: BankKeys,
    /// What the original itself referred to (a void's purchase, a completion's hold).
    pub referred: Option<Box<BankKeys>>,
    /// The MTI of the original on the bank's side, where known.
    pub original_mti: Option<Text<4>>,
    /// The card.
    pub pan: Option<Pan>,
    /// How much the original was for.
    pub amount: Option<Amount>,
    /// What the amount really is after a partial reversal.
    pub replacement: Option<Amount>,
    /// What it repeats of the original.
    pub facts: CardFacts,
    /// `F38` of the original, if known.
    pub auth_id: Option<Text<6>>,
    /// Wall stamp before which "original not found" is not final.
    pub not_found_final_after: Wall,
    /// In the reversal of a top-up's credit: the debit that is reversed once this is over.
    pub debit: Option<Arc<Debited>>,
}

impl Queued {
    /// The transaction this advice tells the bank of, where the switch decided in its place, as
    /// its reason says. An advice of the platform belongs to none.
    pub fn stands_in_for(&self) -> Option<TxnNo> {
        let told = self.owed == Owed::Repeat && self.reason == Reason::BankDown;
        self.txn.filter(|_| told)
    }
}

/// A SAF entry is about to be sent once more. After a restart every entry counts as tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Number of the `Queued` record.
    pub entry: RecordNo,
    /// When.
    pub at: Wall,
    /// 1 for the first.
    pub count: u32,
}

/// How a SAF entry was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// The bank acknowledged it, or had done so before.
    Acknowledged,
    /// The bank does not know the original, and its lifetime has passed.
    NoOriginal,
    /// It was never sent and is not needed any more.
    Needless,
    /// The bank refuses it for good: on the desk, still counted.
    Dead,
    /// An operator closed it.
    GivenUp,
    /// An advice older than its bank takes: on the desk. Reversals never expire.
    Expired,
    /// An advice that was tried as often as configured: on the desk. Reversals are tried on.
    TriedOut,
}

impl Ending {
    /// Whether it is kept for an operator, who may have it sent again.
    pub const fn is_dead_letter(self) -> bool {
        matches!(self, Self::Dead | Self::Expired | Self::TriedOut)
    }
}

/// A SAF entry is finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Number of the `Queued` record.
    pub entry: RecordNo,
    /// When.
    pub at: Wall,
    /// How.
    pub ending: Ending,
    /// The bank's code.
    pub bank_code: Option<Text<4>>,
    /// `F15` of the answer: reversals count on their own date.
    pub settlement_date: Option<Text<4>>,
}

/// An answer arrived after its transaction had been decided, or a second time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// The transaction, if it is known.
    pub txn: Option<TxnNo>,
    /// When.
    pub at: Wall,
    /// From which bank.
    pub bank: Name,
    /// `F11` as received.
    pub stan: u32,
    /// What it meant: late-approved or late-declined; the same leg again for a duplicate.
    pub leg: Leg,
    /// The bank's code.
    pub bank_code: Option<Text<4>>,
    /// `F38` as the bank gave it.
    pub auth_id: Option<Text<6>>,
    /// The amount as the bank gave it.
    pub amount: Option<Amount>,
}

/// An operator decided about an in-doubt item, or the core put one before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desk {
    /// The transaction or the SAF entry.
    pub item: RecordNo,
    /// When.
    pub at: Wall,
    /// Who decided; unset when the core puts it on the desk.
    pub operator: Option<Name>,
    /// What was decided; unset when the core puts it on the desk.
    pub verb: Option<DeskVerb>,
}

/// The business date of a bank moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cutover {
    /// The bank.
    pub bank: Name,
    /// When.
    pub at: Wall,
    /// The new business date, MMDD.
    pub date: Text<4>,
}

/// How totals were weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weighing {
    /// We ask; the next record owes the question to the bank.
    Asked,
    /// Both sides agree.
    InBalance,
    /// They do not: an operator looks.
    OutOfBalance,
}

/// Totals were asked about, or compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// When.
    pub at: Wall,
    /// With which bank.
    pub bank: Name,
    /// What is settled together.
    pub period: Period,
    /// Numeric code of the currency.
    pub currency: u16,
    /// Our totals.
    pub ours: Totals,
    /// The bank's, where it stated any.
    pub theirs: Option<Totals>,
    /// How they were weighed.
    pub weighing: Weighing,
    /// The bank's code, where it answered.
    pub bank_code: Option<Text<4>>,
}

impl Reconciled {
    /// Whose totals.
    pub fn bucket(&self) -> Bucket {
        let currency = Currency::new(self.currency).unwrap_or_else(Currency::none);
        Bucket { bank: self.bank, period: self.period, currency }
    }
}

/// The policy in force from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyStamp {
    /// When.
    pub at: Wall,
    /// Its hash.
    pub hash: u64,
    /// At a start rather than a reload: every SAF entry counts as tried from here on.
    pub start: bool,
}

/// A line or terminal signed on or off, or got a new batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineState {
    /// The line.
    pub line: Name,
    /// The terminal, where state is per terminal (UnionPay).
    pub terminal: Option<Text<16>>,
    /// When.
    pub at: Wall,
    /// What happened.
    pub function: NetworkFunction,
    /// Whether it is signed on now.
    pub signed_on: bool,
    /// The batch in force now.
    pub batch: Option<u32>,
}

/// A message that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GarbledNote {
    /// The line.
    pub line: Name,
    /// When.
    pub at: Wall,
    /// Field path.
    pub path: Text<32>,
    /// Byte offset.
    pub offset: u32,
    /// Length in bytes.
    pub len: u32,
    /// Keyed hash.
    pub digest: [u8; 16],
}

/// What left the core's memory. Ages are measured on the monotonic clock when this is decided,
/// so that replay forgets exactly what was forgotten live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// Finished requests up to this record number left the duplicate window.
    Window(RecordNo),
    /// The lifetime of this unanswered original is over and no reversal of it is open: its
    /// STAN is free, an answer to it would be unmatched.
    Original(TxnNo),
}

impl Leg {
    /// Whether the platform is told that it has money or goods.
    pub const fn grants(self) -> bool {
        matches!(self, Self::Approved | Self::PartiallyApproved | Self::StoodIn)
    }
}
