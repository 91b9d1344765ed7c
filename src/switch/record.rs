//! What the journal remembers: every decision, and nothing that could be decided again.
//!
//! Contract: a record carries the decision with its values (bank, rule, class, amounts, the
//! reversal as it will be written), so that `apply(&mut State, &Record)` needs no policy and no
//! clock; fields are allow-listed – no track, PIN block or verification value has an encoder.
//! The byte encoding lives in `record_bytes`, the masked JSON of `journal dump` in
//! `record_json`. Adding a variant or a field is a new format version; removing one is not done.

use super::ids::{Name, RecordNo, TxnNo};
use super::input::DeskVerb;
use super::proof::Knowledge;
use super::role::Debited;
use super::totals::{Bucket, Period};
use crate::canonical::{
    Carried, Flow, Kind, NetworkFunction, Reason, ResponseClass, Totals, TransactionType,
};
use crate::money::{Amount, Currency};
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::{Day, Wall};
use std::fmt;
use std::sync::Arc;

pub use super::record_legs::{BankKeys, CardFacts, Debt, Intent, Leg, Origin, Outcome, Refused};

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
    /// A request that provably never left goes over another line of its bank.
    Moved(Moved),
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
    /// The MTI of an original that was never ours, as its platform states it. What was ours says
    /// in `original` what it was sent as.
    pub original_mti: Option<Text<4>>,
    /// The card.
    pub pan: Option<Pan>,
    /// How much it is about; of a reversal what the bank granted of its original.
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
    /// In an advice: the transaction or advice it completes, voids or refunds, where it was found.
    pub of: Option<TxnNo>,
    /// What was known of the original of a reversal when it became owed.
    pub knows: Knowledge,
    /// What the bank's answer to the original said for this to repeat (network data).
    pub kept: Option<Box<Carried>>,
    /// In a completion: what was held.
    pub original_amount: Option<Amount>,
    /// What an advice says was decided (`F39`), where its platform said it.
    pub told: Option<Told>,
    /// What `F4` of a reversal says where that is not `amount`: what was asked for, at a bank that
    /// wants this also where it granted less.
    pub stated: Option<Amount>,
    /// What a reversal found of its original, where parts of it had been taken back before.
    pub stood: Option<Amount>,
    /// What a platform's reversal asked for, by which its repeat is known to ask for the same.
    pub asked: Option<u32>,
    /// Of a reversal of ours: what its original is called elsewhere.
    pub about: Option<About>,
}

/// What the original of our own reversal is called elsewhere: what people ask each other for on
/// the telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Who asked for it.
    pub platform: Name,
    /// `F11` of the platform's request.
    pub stan: u32,
    /// `F37` as the bank gave it, where it did.
    pub bank_rrn: Option<Text<12>>,
}

/// What a platform says was decided (`F39` of an advice).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// What it means.
    pub class: ResponseClass,
    /// As the platform spelled it.
    pub code: Text<4>,
}

impl Queued {
    /// A message owed to a bank of which nothing is known but its keys there, and when, as what
    /// and for which reason it became owed. "Original not found" is final at once.
    pub fn bare(
        at: Wall,
        bank: Name,
        (owed, kind, flow): (Owed, Kind, Flow),
        reason: Reason,
        keys: BankKeys,
    ) -> Self {
        Self {
            at,
            txn: None,
            bank,
            line: None,
            owed,
            kind,
            flow,
            reason,
            origin: None,
            platform: None,
            keys,
            original: BankKeys::default(),
            referred: None,
            original_mti: None,
            pan: None,
            amount: None,
            replacement: None,
            facts: CardFacts::default(),
            auth_id: None,
            not_found_final_after: at,
            debit: None,
            of: None,
            knows: Knowledge::Unknown,
            kept: None,
            original_amount: None,
            told: None,
            stated: None,
            stood: None,
            asked: None,
            about: None,
        }
    }

    /// Whether it reverses an original that was never seen, which may come after it.
    pub fn is_ahead(&self) -> bool {
        let unknown = self.owed == Owed::PlatformReversal && self.txn.is_none();
        unknown && self.original.stan != 0
    }

    /// Whether it is what a platform said that has happened.
    pub fn is_told(&self) -> bool {
        self.owed == Owed::Repeat && self.origin.is_some()
    }

    /// The transaction this advice tells the bank of, where the switch decided in its place, as
    /// its reason says. An advice of the platform belongs to none.
    pub fn stands_in_for(&self) -> Option<TxnNo> {
        let told = self.owed == Owed::Repeat && self.reason == Reason::BankDown;
        self.txn.filter(|_| told)
    }

    /// Whether this advice says that nothing was done: it counts nowhere, and there is nothing to
    /// take back or to refer to.
    pub fn tells_of_decline(&self) -> bool {
        let class = self.told.map(|told| told.class);
        let declined =
            |class: ResponseClass| !class.is_approval() && class != ResponseClass::Unknown;
        self.owed == Owed::Repeat && class.is_some_and(declined)
    }

    /// What was voided, where this is a void or the reversal of one.
    pub fn voided(&self) -> Option<TransactionType> {
        match self.kind {
            Kind::Reversal(_) => self.referred.as_ref()?.sent?.kind.transaction(),
            _ => self.original.sent?.kind.transaction(),
        }
    }
}

/// A request that provably never left goes over another line of its bank, under the same keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The transaction.
    pub txn: TxnNo,
    /// When.
    pub at: Wall,
    /// Over which line it goes now.
    pub line: Name,
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
    /// The bank's business date as it leaves, where it is decided now: with the first try, and
    /// again as long as none has left. Unset: as decided before.
    pub date: Option<Day>,
    /// Its batch, decided like the date; a reversal has that of its original.
    pub batch: Option<u32>,
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

/// Why something waits for an operator, where its ending does not say so already: nothing with
/// money in it ends in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The bank does not find what it approved or acknowledged itself ("25").
    NotFoundThoughDone,
    /// The bank calls our first try a duplicate ("94"): it has another message under our keys.
    DuplicateAtFirstTry,
    /// The original that is named is not ours, and the journal cannot prove that it never was.
    NoOriginal,
    /// More than one transaction fits what is named.
    SeveralOriginals,
    /// The original that is named differs in this data element.
    Contradicted(u8),
    /// The original is older than the journal reaches.
    Forgotten,
    /// The bank's dialect has no place for this data element, and money depends on it.
    NoPlace(u8),
    /// The bank approved something, and nothing we know of waits for that.
    UnmatchedApproval,
    /// Its platform reversed it, and the bank's dialect has no reversal for it.
    NoReversal,
    /// The original that is named was declined, or was taken back.
    NothingStands,
    /// The totals of an old period were never settled, and are kept no longer.
    Unsettled,
    /// A platform's advice says by an unlisted code what was decided.
    UnlistedCode,
    /// It wants more of its original than refunds, voids, completions and reversals have left.
    MoreThanLeft,
    /// The bank took an advice, and says that it booked another amount than it was told.
    BookedOtherwise,
    /// It repeats an advice or reversal under its own name, with other amounts.
    RepeatDiffers,
    /// It takes back a part of an advice that stands on the desk itself.
    OriginalOnDesk,
    /// The bank took note of an advice and accepts no liability for it.
    NoLiability,
    /// An advice that no route leads anywhere, or of a merchant or terminal that no bank has.
    NoBank,
}

/// One of each cause, for whoever names one.
const CAUSES: [Cause; 18] = [
    Cause::NotFoundThoughDone,
    Cause::DuplicateAtFirstTry,
    Cause::NoOriginal,
    Cause::SeveralOriginals,
    Cause::Contradicted(0),
    Cause::Forgotten,
    Cause::NoPlace(0),
    Cause::UnmatchedApproval,
    Cause::NoReversal,
    Cause::NothingStands,
    Cause::Unsettled,
    Cause::UnlistedCode,
    Cause::MoreThanLeft,
    Cause::BookedOtherwise,
    Cause::RepeatDiffers,
    Cause::OriginalOnDesk,
    Cause::NoLiability,
    Cause::NoBank,
];

impl Cause {
    /// The cause of this word, of whatever field; with hyphens as well.
    pub fn named(word: &str) -> Option<Self> {
        let word = word.replace('-', "_");
        CAUSES.into_iter().find(|cause| cause.word() == word)
    }

    /// The words there are.
    pub fn words() -> impl Iterator<Item = &'static str> {
        CAUSES.into_iter().map(Self::word)
    }
}

impl Cause {
    /// Whether it is what the bank said to a message that it has had: sent again it may say
    /// something else.
    pub const fn is_the_banks_word(self) -> bool {
        matches!(self, Self::NotFoundThoughDone | Self::DuplicateAtFirstTry)
    }

    /// As programs spell it, without the data element.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotFoundThoughDone => "not_found_though_done",
            Self::DuplicateAtFirstTry => "duplicate_at_first_try",
            Self::NoOriginal => "no_original",
            Self::SeveralOriginals => "several_originals",
            Self::Contradicted(_) => "contradicted",
            Self::Forgotten => "forgotten",
            Self::NoPlace(_) => "no_place",
            Self::UnmatchedApproval => "unmatched_approval",
            Self::NoReversal => "no_reversal",
            Self::NothingStands => "nothing_stands",
            Self::Unsettled => "unsettled",
            Self::UnlistedCode => "unlisted_code",
            Self::MoreThanLeft => "more_than_left",
            Self::BookedOtherwise => "booked_otherwise",
            Self::RepeatDiffers => "repeat_differs",
            Self::OriginalOnDesk => "original_on_desk",
            Self::NoLiability => "no_liability",
            Self::NoBank => "no_bank",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFoundThoughDone => f.write_str("the bank does not find what it did"),
            Self::DuplicateAtFirstTry => {
                f.write_str("the bank calls it a duplicate of what it has not done")
            }
            Self::NoOriginal => f.write_str("no original of this name is known"),
            Self::SeveralOriginals => f.write_str("several originals fit"),
            Self::Contradicted(field) => write!(f, "its original differs in F{field}"),
            Self::Forgotten => f.write_str("its original is older than the journal reaches"),
            Self::NothingStands => f.write_str("nothing stands of its original"),
            Self::NoPlace(field) => write!(f, "the bank's dialect has no place for F{field}"),
            Self::UnmatchedApproval => f.write_str("the bank approved what nobody waits for"),
            Self::NoReversal => f.write_str("its platform reversed it; no reversal exists"),
            Self::Unsettled => f.write_str("its totals were never settled"),
            Self::UnlistedCode => f.write_str("whether it was approved is said by no listed code"),
            Self::MoreThanLeft => f.write_str("it wants more of its original than is left"),
            Self::BookedOtherwise => f.write_str("the bank booked another amount than it was told"),
            Self::RepeatDiffers => f.write_str("repeated under its own name with other amounts"),
            Self::OriginalOnDesk => f.write_str("a part of an advice that is on the desk itself"),
            Self::NoLiability => f.write_str("the bank took note of it and is not liable for it"),
            Self::NoBank => {
                f.write_str("no route leads to a bank that knows its merchant and terminal")
            }
        }
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
    /// Why it waits for an operator, where the ending does not say it.
    pub cause: Option<Cause>,
    /// What the bank says that it booked of an advice, where that is not what it was told.
    pub booked: Option<Amount>,
}

impl Closed {
    /// An end of which nothing more is known than how and when.
    pub const fn bare(entry: RecordNo, at: Wall, ending: Ending) -> Self {
        Self {
            entry,
            at,
            ending,
            bank_code: None,
            settlement_date: None,
            cause: None,
            booked: None,
        }
    }
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
    /// What the code is called, where the answer can be trusted.
    pub class: Option<ResponseClass>,
    /// What it answers, where nothing is known of that.
    pub kind: Option<Kind>,
    /// `F37` as the bank gave it.
    pub rrn: Option<Text<12>>,
    /// `F41` as the bank gave it.
    pub terminal: Option<Text<16>>,
    /// `F42` as the bank gave it.
    pub merchant: Option<Text<35>>,
    /// Batch as the bank gave it.
    pub batch: Option<u32>,
    /// `F15` of the answer.
    pub settlement_date: Option<Text<4>>,
    /// What it granted, where that can be trusted and is not all that was asked for.
    pub granted: Option<Amount>,
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
    /// Why the core puts it there, where that is not that an answer is missing.
    pub cause: Option<Cause>,
    /// The request, where only the journal has it besides.
    pub about: Option<Arc<Intent>>,
}

impl Desk {
    /// The core puts an item before an operator, for this cause or because an answer is missing.
    pub const fn put(item: RecordNo, at: Wall, cause: Option<Cause>) -> Self {
        Self { item, at, operator: None, verb: None, cause, about: None }
    }
}

/// The business date of a bank moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cutover {
    /// The bank.
    pub bank: Name,
    /// When.
    pub at: Wall,
    /// The new business date.
    pub date: Day,
    /// Who ordered it; `None`: the bank said so.
    pub operator: Option<Name>,
    /// `F11` of the bank's word, by which it is known when it comes again.
    pub stan: Option<u32>,
    /// `F7` of the bank's word.
    pub transmission: Option<Text<10>>,
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
    /// The bank is to be asked, once nothing of the period is in flight or owed.
    Ordered,
    /// Nothing of the period moved money: nobody is asked.
    Nothing,
    /// More periods are unsettled than are kept: this one is let go, on the desk.
    LetGo,
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
    /// Who had the bank asked; `None`: a cutover did, or the bank asked us.
    pub operator: Option<Name>,
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
    /// Who ordered it, about all lines of the bank; `None`: the bank or our sign-on did.
    pub operator: Option<Name>,
    /// Why an operator signed the bank off.
    pub reason: Option<Text<64>>,
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
