//! What the core asks of the shell. Drained by `poll` after every `handle`.
//!
//! Contract: records are appended in the order of their numbers; a [`Send`] with `after` is
//! held by the gate until that record is durable; the gate drops what is past `not_after` or
//! cancelled, and says so.

use super::desk::Refusal;
use super::ids::{LineId, Name, RecordNo, SendId, SessionId, Ticket, TxnNo};
use super::input::{DeskVerb, Unsent};
use super::nonsense::Nonsense;
use super::record::{Cause, Record};
use crate::canonical::{Canonical, NetworkFunction};
use crate::money::Amount;
use crate::text::Text;
use crate::time::{Day, Instant, Wall};

/// One thing to do outside.
#[derive(Debug)]
pub enum Output {
    /// Write this record. Every record passes here, in order.
    Append(RecordNo, Box<Record>),
    /// Send a message.
    Send(Send),
    /// Do not send it, if it is still held. `Unsent` or `Released` answers as always.
    Cancel {
        /// Which frame.
        id: SendId,
    },
    /// Fetch a record that is no longer in memory.
    Recall {
        /// Comes back with the answer.
        ticket: Ticket,
        /// Which record.
        key: RecallKey,
    },
    /// End a session.
    Close {
        /// Which session.
        session: SessionId,
        /// Why, for the log and the counter.
        why: CloseReason,
    },
    /// What this session has just said was of use to nobody.
    Nonsense {
        /// Which session.
        session: SessionId,
        /// Why.
        kind: Nonsense,
    },
    /// Something worth a log line or a metric. Holds no secrets.
    Event(Event),
}

/// One message to send.
#[derive(Debug)]
pub struct Send {
    /// Its name until `Released` or `Unsent` came back.
    pub id: SendId,
    /// The session chosen by the core.
    pub session: SessionId,
    /// The line of that session: dialect, framing and keys.
    pub line: LineId,
    /// What to say; the session writes it in the line's dialect.
    pub msg: Box<Canonical>,
    /// Hold it until this record is durable.
    pub after: Option<RecordNo>,
    /// Drop it (→ `Unsent`) once this instant has passed.
    pub not_after: Option<Instant>,
}

/// How a record is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecallKey {
    /// By its number.
    Record(RecordNo),
    /// The newest record of a request with one of these names, among the last `days` days that
    /// have records: an intent, a refusal, or what was queued for it ([`super::recall`]).
    Key {
        /// Fingerprints of the platform's names for it ([`super::duplicates`]), likeliest first;
        /// 0 fills up.
        names: [u64; super::recall::NAMES_MAX],
        /// How far back.
        days: u16,
    },
    /// What became of a transaction: the record that took it back, else its outcome.
    Ending {
        /// Which transaction.
        txn: TxnNo,
        /// How far back.
        days: u16,
    },
    /// Everything that may be meant by what a message says of another, with all that tells what
    /// became of each ([`super::library`]).
    Meant {
        /// Names as in [`RecallKey::Key`]; 0 fills up.
        names: [u64; super::recall::NAMES_MAX],
        /// Less than names ([`super::anchors`]); 0 fills up.
        anchors: [u64; super::anchors::ANCHORS_MAX],
        /// The anchor of a reference number, of which the newest are looked at; 0: none.
        reference: u64,
        /// How far back.
        days: u16,
    },
    /// A transaction or advice, what refers to it, and what became of all of them: completions,
    /// voids and refunds with their ends, reversals, outcomes.
    Family {
        /// Which.
        txn: TxnNo,
        /// How far back.
        days: u16,
    },
}

impl RecallKey {
    /// How many days that have records are searched.
    pub const fn days(&self) -> u16 {
        match self {
            Self::Record(_) => u16::MAX,
            Self::Key { days, .. }
            | Self::Ending { days, .. }
            | Self::Meant { days, .. }
            | Self::Family { days, .. } => *days,
        }
    }
}

/// Why the core ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// Echo tests went unanswered.
    EchoMissed,
    /// A platform said nothing for its idle limit.
    Idle,
    /// Sign-on was refused or unanswered.
    SignOnFailed,
    /// Too many messages that could not be understood.
    Garbage,
    /// The peer broke the protocol.
    Protocol,
    /// Drained, or the line was taken out of the configuration.
    Shutdown,
}

/// Why a new policy is not taken while the switch runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReloadRefused {
    /// A bank with open obligations would vanish; a start would be refused as well.
    #[error(
        "bank {bank} is missing, but {count} of its transactions are open or owe it a message: \
         configure it until they are settled"
    )]
    Owed {
        /// The bank.
        bank: Name,
        /// Transactions open there, and messages owed to it.
        count: usize,
    },
    /// What has a number by its place would lose it.
    #[error("{what} {name} is missing or not where it was, which needs a restart")]
    Moved {
        /// `bank`, `platform` or `line`.
        what: &'static str,
        /// Its name.
        name: Name,
    },
}

/// Something that happened, for logs, metrics and the demo. Levels are in `telemetry::events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A platform's request got its final answer.
    Answered {
        /// The platform.
        platform: Name,
        /// The bank, where one was chosen.
        bank: Option<Name>,
        /// The transaction, where one was opened.
        txn: Option<TxnNo>,
        /// How it ended, as a word from a closed set.
        outcome: &'static str,
        /// Microseconds in the bank's hands; 0 where none was asked.
        bank_micros: u64,
        /// Microseconds of our own.
        own_micros: u64,
    },
    /// A bank leg passed its deadline after it was released.
    TimedOut {
        /// The bank.
        bank: Name,
        /// The transaction.
        txn: TxnNo,
    },
    /// A reversal was queued.
    ReversalQueued {
        /// The bank.
        bank: Name,
        /// The transaction it reverses.
        txn: TxnNo,
        /// Found at recovery rather than live.
        recovered: bool,
    },
    /// A reversal got its final answer.
    ReversalClosed {
        /// The bank.
        bank: Name,
        /// The transaction it reversed.
        txn: TxnNo,
        /// How many times it was sent.
        tries: u32,
    },
    /// An answer came after its transaction had been decided.
    LateAnswer {
        /// The bank.
        bank: Name,
        /// The transaction.
        txn: TxnNo,
        /// Whether it approved.
        approved: bool,
    },
    /// An answer came a second time.
    DuplicateAnswer {
        /// The bank.
        bank: Name,
        /// The transaction.
        txn: TxnNo,
    },
    /// A sign-on was granted, but its keys are missing or wrong: no financial traffic.
    KeysRefused {
        /// The line.
        line: Name,
        /// The terminal, where terminals sign on.
        terminal: Option<Text<16>>,
    },
    /// A bank answered with a code that no list has: it proves nothing.
    UnlistedCode {
        /// The bank.
        bank: Name,
        /// The code.
        code: Text<4>,
        /// For the first time since the start.
        first: bool,
    },
    /// An answer fitted nothing we know.
    UnmatchedAnswer {
        /// The bank.
        bank: Name,
    },
    /// A platform repeated a request.
    Repeat {
        /// The platform.
        platform: Name,
        /// The transaction repeated.
        txn: TxnNo,
    },
    /// Same key, other content: refused with 94.
    DuplicateConflict {
        /// The platform.
        platform: Name,
    },
    /// What a message refers to is not clear, or never was: the message is not sent after it.
    UnclearOriginal {
        /// The platform.
        platform: Name,
        /// `F11` of the message.
        stan: u32,
        /// `F41` of the message.
        terminal: Option<Text<16>>,
        /// Why; unset where there never was an original.
        cause: Option<Cause>,
    },
    /// A platform has made as many items of the desk alone as it may have: what would be one more
    /// is not acknowledged, and comes again.
    DeskFull {
        /// The platform.
        platform: Name,
        /// How many it has.
        items: usize,
        /// Whether this is the first since there was room.
        first: bool,
    },
    /// A request nobody has seen is older than it should be: a clock is wrong, theirs or ours.
    ClockSkew {
        /// The platform.
        platform: Name,
        /// Whether it was processed: the records reach back to its time.
        processed: bool,
    },
    /// A message that could not be understood.
    Garbled {
        /// The line.
        line: Name,
        /// Field path and offset.
        at: Text<64>,
    },
    /// A line became usable (signed on where the dialect wants it).
    LineReady {
        /// The line.
        line: Name,
    },
    /// A line is signed off: connected, and not usable.
    LineOff {
        /// The line.
        line: Name,
    },
    /// A line's last session went down.
    LineLost {
        /// The line.
        line: Name,
    },
    /// Network management was answered, or not.
    Network {
        /// The line.
        line: Name,
        /// What was asked.
        function: NetworkFunction,
        /// Whether it succeeded.
        ok: bool,
    },
    /// A frame stayed behind.
    NotSent {
        /// The line.
        line: Name,
        /// Why.
        why: Unsent,
    },
    /// In-doubt money was put before an operator.
    OnDesk {
        /// The bank.
        bank: Name,
        /// The transaction.
        txn: TxnNo,
        /// How much.
        amount: Option<Amount>,
        /// Why, where that is not that an answer is missing.
        cause: Option<Cause>,
    },
    /// A request was declined because it carries a PIN and the route cannot translate it.
    PinDeclined {
        /// The bank.
        bank: Name,
    },
    /// Money is stated that the bank's dialect has no place for: a request is declined, an
    /// advice put before an operator.
    NoPlace {
        /// The bank.
        bank: Name,
        /// Who stated it.
        platform: Name,
        /// Its STAN.
        stan: u32,
        /// Its terminal.
        terminal: Text<16>,
        /// The data element.
        field: u8,
    },
    /// An advice of a decline was acknowledged and stays here: the bank's advices do not say what
    /// was decided.
    DeclineKept {
        /// The bank.
        bank: Name,
    },
    /// A bank has answered nothing for too long: it is not asked any more, but tried now and then.
    BreakerOpened {
        /// The bank.
        bank: Name,
        /// The line of the last request.
        line: Name,
        /// Requests in a row that ended in silence.
        unanswered: u32,
        /// When the first of them left.
        since: Wall,
    },
    /// It has answered something: it is asked again.
    BreakerClosed {
        /// The bank.
        bank: Name,
        /// The line that was asked over.
        line: Name,
        /// Requests in a row that ended in silence, trials included.
        unanswered: u32,
        /// When the first of them left.
        since: Wall,
    },
    /// No STAN is free on this bank.
    StansExhausted {
        /// The bank.
        bank: Name,
    },
    /// A bank named a business date that is past, far away, or none: its date stays.
    DateIgnored {
        /// The bank.
        bank: Name,
        /// What it named, where that is a day.
        stated: Option<Day>,
        /// The date that stays in force.
        current: Day,
    },
    /// Totals were compared with a bank's.
    Reconciled {
        /// The bank.
        bank: Name,
        /// Whether they agree.
        balanced: bool,
    },
    /// A new policy was refused, and the old one runs on.
    ReloadRefused(ReloadRefused),
    /// An operator decided, and it is recorded.
    DeskDecided {
        /// What it was about.
        item: RecordNo,
        /// The record of the decision.
        no: RecordNo,
        /// Who decided.
        operator: Name,
        /// What was decided.
        verb: DeskVerb,
    },
    /// An operator's command makes no sense now: nothing was recorded.
    DeskRefused(Refusal),
    /// A step of a decision about many items is over; each of them was told by an event of its own.
    DeskSwept {
        /// How many were decided.
        decided: u32,
        /// About how many it makes no sense now.
        refused: u32,
        /// There may be more, after this one.
        next_after: Option<RecordNo>,
        /// The last record.
        no: RecordNo,
    },
    /// An input that is impossible in the present state: our bug or the shell's. Alarmed.
    Impossible {
        /// What was impossible.
        what: &'static str,
    },
}
