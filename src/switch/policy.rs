//! What the switch is told to do: platforms, banks, lines, routes and limits, validated.
//!
//! Contract: built whole by `config`, never changed afterwards, swapped whole on reload. Every
//! index in it is valid: a rule names an existing bank, a bank at least one existing line.

use super::ids::{BankId, LineId, Name, PlatformId};
use crate::canonical::{Flow, TransactionType};
use crate::iso8583::Dialect;
use crate::iso8583::rules::{Atom, FollowUpRule};
use crate::text::Text;
use std::sync::Arc;
use std::time::Duration;

pub use super::bank_codes::{Codes, NotFoundAfterTry, Unlisted};

/// What is known as it was sent to a bank, and so can be compared with what its answer repeats.
/// Amount, terminal and merchant are always compared.
pub const JUDGED: [Atom; 7] = [
    Atom::Transmission,
    Atom::LocalTime,
    Atom::LocalDate,
    Atom::Acquirer,
    Atom::Forwarder,
    Atom::Rrn,
    Atom::Batch,
];

/// All of it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Fingerprint of the configuration text and every dialect it uses.
    pub hash: u64,
    /// Everyone who may submit requests.
    pub platforms: Vec<Platform>,
    /// Everyone who may answer them.
    pub banks: Vec<Bank>,
    /// Every line: a bank's, or a platform's door.
    pub lines: Vec<Line>,
    /// Ordered: the first rule that matches decides.
    pub routes: Vec<Route>,
    /// How long and how many finished transactions are remembered for duplicates.
    pub duplicates: DuplicateWindow,
}

/// One platform.
#[derive(Debug, Clone)]
pub struct Platform {
    /// Its name.
    pub name: Name,
    /// How long it waits for an answer, counted from its frame's last byte.
    pub budget: Duration,
    /// What of the budget is kept for the way back.
    pub margin: Duration,
    /// Requests of it that may be in flight; beyond that its sessions are not read.
    pub max_in_flight: usize,
    /// Whether the switch or the platform starts echo tests.
    pub echo: Option<Echo>,
    /// A session from which nothing came for so long is closed; `None`: never.
    pub idle_limit: Option<Duration>,
    /// For how long a repeat may come under another `F7` than what it repeats.
    pub repeat_window: Duration,
    /// Whether such a repeat need not say that it is one.
    pub restamps: bool,
    /// Whose `F37` its answers carry where both have one.
    pub rrn: RrnRule,
    /// Items of the desk it may have made alone, by naming originals that nobody knows.
    pub desk_items_max: usize,
    /// Its part of the room at a bank that other platforms wait for as well, at least 1: places
    /// it has in one round.
    pub weight: u32,
}

/// Whose `F37` an answer to a platform carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RrnRule {
    /// The platform's; the bank's only where the platform sent none.
    #[default]
    Platform,
    /// The bank's, wherever it states one: what receipts and disputes name.
    Bank,
}

/// One bank.
#[derive(Debug, Clone)]
pub struct Bank {
    /// Its name.
    pub name: Name,
    /// Its lines, in order of preference.
    pub lines: Vec<LineId>,
    /// From release to sent-unknown.
    pub response_timeout: Duration,
    /// Requests that may be in flight at once; more wait until their deadline.
    pub window: usize,
    /// Requests that may wait so; beyond that, whose platform has more than its share is declined.
    pub waiting_max: usize,
    /// When it is left alone because it answers nothing; unset: never.
    pub breaker: Option<BreakerRule>,
    /// Whether an answer may come back on another line than its request's.
    pub match_scope: MatchScope,
    /// What its answers must repeat besides amount, terminal and merchant, as far as they state
    /// it: of [`JUDGED`], what the dialect lists as `echo`.
    pub must_echo: Vec<Atom>,
    /// What its codes mean.
    pub codes: Codes,
    /// The dialect of its lines, asked whether it has a place for all money of a message; unset:
    /// it has.
    pub dialect: Option<Arc<Dialect>>,
    /// How reversals are written and when they are finished, from the dialect.
    pub reversal: Reversal,
    /// How long an original may still reach the bank after its release: until then "original
    /// not found" is not final.
    pub original_lifetime: Duration,
    /// What its follow-ups repeat of their original, from the dialect.
    pub follow_up: FollowUpRule,
    /// Store and forward.
    pub saf: Saf,
    /// What the switch may decide in its place while it cannot be reached; unset: nothing.
    pub stand_in: Option<StandIn>,
    /// Sign-on, echo.
    pub network: Network,
    /// The platform's identities and what they are called at this bank.
    pub identities: Identities,
    /// Value of `F32` towards this bank; unset: as the platform sent it.
    pub acquirer: Option<Text<11>>,
    /// Value of `F33` towards this bank; unset: not sent.
    pub forwarder: Option<Text<11>>,
    /// Whether the bank is asked about the totals of a business date when that is over.
    pub reconcile_at_cutover: bool,
    /// Whether its advices say what was decided (`F39`); an advice of a decline goes nowhere else.
    pub coded_advices: bool,
    /// Merchant category codes of which it may grant more than was asked for, as a partial
    /// approval (fuel dispensers ask for 1 and get what the card has).
    pub grants_more: Vec<Text<4>>,
    /// What all completions of a hold may come to, in percent of it.
    pub completion_percent: u64,
    /// Whether the bank takes a PIN block translated by us (not before an HSM is there).
    pub pin_translation: bool,
}

/// When a bank that answers nothing is not asked any more, and tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRule {
    /// Requests in a row that end in silence, at least 1.
    pub unanswered: u32,
    /// Pause before it is tried again.
    pub retry: Duration,
}

/// How a bank's dialect reverses.
#[derive(Debug, Clone)]
pub struct Reversal {
    /// Transaction types that have a reversal at all (UnionPay: not all have).
    pub types: Vec<TransactionType>,
    /// `Request` (0400) or `Advice` (0420).
    pub flow: Flow,
    /// Whether a second try carries the repeat MTI (0421); UnionPay sends 0400 each time.
    pub repeat_mti: bool,
    /// Whether the reversal keeps the original's STAN (UnionPay) or has its own plus `F90`.
    pub same_stan: bool,
    /// Whether it states the batch of the original (UnionPay) and so must go within it.
    pub original_batch: bool,
    /// Whether it can leave a part of the original standing (`F95`; `F24` 401 with `F30`).
    pub partial: bool,
    /// Whether `F4` says what was asked for also where less was granted.
    pub requested: bool,
}

/// Where an answer is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchScope {
    /// Among what was sent on the same line.
    Line,
    /// Among all that was sent to the bank.
    Bank,
}

/// Store and forward of one bank.
#[derive(Debug, Clone)]
pub struct Saf {
    /// How many entries may be in the bank's hands at once, whatever its window.
    pub slots: usize,
    /// Whether more may, where live requests leave room in the window.
    pub borrows: bool,
    /// Silence after which a try has failed.
    pub response_timeout: Duration,
    /// Pause before the second try.
    pub first_retry: Duration,
    /// Cap of the doubling pause.
    pub max_retry: Duration,
    /// Tries after which an entry is shown on the desk; reversals go on being tried.
    pub tries_before_desk: u32,
    /// Tries per second while the bank also has live requests, at least 1; more as far as it
    /// answers them and has room, and as fast as it answers when it has no live requests.
    pub live_rate_per_s: u32,
    /// Age after which an advice is not sent any more but left to an operator; unset: never.
    /// Reversals never expire.
    pub advice_lifetime: Option<Duration>,
    /// Tries after which an advice is left to an operator; unset: it is tried on.
    pub advice_tries: Option<u32>,
    /// Codes that are final for an advice, besides those whose class says so.
    pub dead_codes: Vec<Text<4>>,
}

/// What may be decided in a bank's place.
#[derive(Debug, Clone)]
pub struct StandIn {
    /// Of these types only.
    pub kinds: Vec<TransactionType>,
    /// Card number prefixes it is never done for: low and high of equal length, inclusive.
    pub never: Vec<(Text<8>, Text<8>)>,
    /// Over which time the limits per card run; at most a day.
    pub window: Duration,
    /// Decisions for one card within it, over all currencies.
    pub count: u32,
    /// One per currency; there is no stand-in in any other.
    pub limits: Vec<StandInLimit>,
}

/// What may be decided in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandInLimit {
    /// Numeric ISO 4217 code.
    pub currency: u16,
    /// The largest single amount, in minor units.
    pub floor: u64,
    /// The most for one card within the window, in minor units.
    pub total: u64,
}

/// Network management of one bank's lines.
#[derive(Debug, Clone)]
pub struct Network {
    /// Whether anything but network management waits for a sign-on.
    pub sign_on: SignOn,
    /// Whether an answer to a sign-on must bring working keys.
    pub keys: bool,
    /// Pause between sign-on tries.
    pub sign_on_retry: Duration,
    /// Answer limit of network management.
    pub response_timeout: Duration,
    /// Echo tests.
    pub echo: Option<Echo>,
}

/// Who signs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignOn {
    /// Nobody.
    No,
    /// The line, once per session.
    Line,
    /// Every terminal of the line (UnionPay), with its merchant: (F41, F42).
    Terminals(Vec<(Text<16>, Text<35>)>),
}

/// Echo tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// Silence of the peer after which it is asked.
    pub interval: Duration,
    /// Unanswered echoes after which the session is closed.
    pub missed: u32,
}

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its name.
    pub name: Name,
    /// Whose it is.
    pub owner: Owner,
    /// Whether its dialect states years (1993 and later).
    pub years: bool,
}

/// Whose a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A connection to a bank.
    Bank(BankId),
    /// A platform's door.
    Platform(PlatformId),
}

/// The table (F32, F42, F41) of the platform → merchant and terminal at the bank.
#[derive(Debug, Clone, Default)]
pub struct Identities {
    /// Sorted by key; unset parts of a key match everything.
    pub entries: Vec<Identity>,
    /// Used where no entry matches; unset: unknown is declined with 03 or 97.
    pub default: Option<(Text<35>, Text<16>)>,
}

/// One line of the identity table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The platform's `F32`, or any.
    pub acquirer: Option<Text<11>>,
    /// The platform's `F42`, or any.
    pub merchant: Option<Text<35>>,
    /// The platform's `F41`, or any.
    pub terminal: Option<Text<16>>,
    /// `F42` at the bank.
    pub bank_merchant: Text<35>,
    /// `F41` at the bank.
    pub bank_terminal: Text<16>,
}

/// One routing rule: every stated condition must hold.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name, recorded with every transaction it routes.
    pub name: Name,
    /// Ranges of card number prefixes: low and high of equal length (1–8 digits), inclusive.
    pub pan_prefixes: Vec<(Text<8>, Text<8>)>,
    /// First digits of the MTI, like `01` or `0200`.
    pub mtis: Vec<Text<4>>,
    /// First digits of the processing code.
    pub processing_codes: Vec<Text<6>>,
    /// Numeric ISO 4217 codes.
    pub currencies: Vec<u16>,
    /// Smallest and largest amount in minor units, inclusive.
    pub amount: Option<(u64, u64)>,
    /// Platforms it applies to.
    pub platforms: Vec<PlatformId>,
    /// Where to; of a top-up the bank that debits.
    pub bank: BankId,
    /// Where to instead, where nothing was sent to the first.
    pub second: Option<BankId>,
    /// The stored-value issuer that credits. Set, the rule is for top-ups alone, and each is
    /// two legs; unset, a top-up is one leg like any other request.
    pub credit: Option<BankId>,
    /// Whether a refund may go to the bank whose purchase the records do not have.
    pub unreferenced_refunds: bool,
}

/// The memory of finished transactions.
#[derive(Debug, Clone, Copy)]
pub struct DuplicateWindow {
    /// For how long.
    pub age: Duration,
    /// How many at most.
    pub count: usize,
}
