//! What must survive a crash: built from records and nothing else, live and at recovery alike.
//!
//! Contract: [`State::apply`] is the only way to change a [`State`]; it sees no policy, no clock
//! and no message. Every prefix of a journal is a valid state: a record that creates a debt
//! stands before the record that ends what it came from. Banks and lines are known by name.

use super::books::LastCutover;
use super::by_number::ByNumber;
use super::doubt::{DeadLetter, Doubt, Granted, LateNote};
use super::duplicates::{self, Likeness};
use super::ids::{Name, RecordNo, TxnNo};
use super::memory::{Memory, Past, Stamp};
use super::overtaken;
use super::proof::Knowledge;
use super::record::{
    Attempt, BankKeys, Closed, Debt, Forgotten, Intent, Leg, LineState, Origin, Outcome, Owed,
    Queued, Record, Refused,
};
use super::role::{Debited, Role};
use super::stamps::own_stamp;
use super::stand_in::Decisions;
use super::standing::granted_by;
use super::stans::Stans;
use super::totals::Books;
use super::txn::debt_of;
use crate::canonical::{Kind, NetworkFunction, Reason};
use crate::money::Amount;
use crate::text::Text;
use crate::time::{Day, Wall};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A transaction at a bank.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Open {
    /// What was intended.
    pub intent: Arc<Intent>,
    /// Where the memory of requests has it.
    pub position: u64,
}

/// An obligation in the SAF.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// What is owed.
    pub queued: Arc<Queued>,
    /// How often it was sent; after a restart at least once.
    pub tries: u32,
    /// The original was approved after the last try left: an acknowledgement of that try may
    /// have had no effect.
    pub again: bool,
    /// Of a reversal: what is known of its original by now.
    pub knows: Knowledge,
    /// The bank called the first try a duplicate: another time proves nothing more.
    pub twin: bool,
    /// The bank's business date when it was first sent.
    pub date: Option<Day>,
    /// What the bank turned out to have granted of the original, where that became known after
    /// this was queued and is not what it says.
    pub granted: Option<Amount>,
}

/// What is known of one bank.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BankState {
    /// Its name.
    pub name: Name,
    /// Its STANs.
    pub stans: Stans,
    /// Its business date, once it has named one.
    pub business_date: Option<Day>,
    /// When that moved last, and by which word of the bank.
    pub cutover: Option<LastCutover>,
    /// Transactions nobody knows the end of.
    pub doubts: u32,
    /// Dead letters.
    pub dead: u32,
    /// Approvals that fit nothing and wait for an operator.
    pub unmatched: u32,
}

/// What is known of a line, or of a terminal of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Signed {
    /// Whether it was signed on when last heard of.
    pub on: bool,
    /// The batch in force.
    pub batch: Option<u32>,
    /// An operator signed its bank off and not on again.
    pub held: bool,
}

/// Everything the records say.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct State {
    /// Number of the last record.
    pub last: RecordNo,
    /// Intents without outcome.
    pub open: ByNumber<TxnNo, Open>,
    /// Decided without the bank's answer: a late one is still recognized.
    pub unanswered: BTreeMap<TxnNo, Arc<Intent>>,
    /// What is owed, oldest first.
    pub saf: BTreeMap<RecordNo, Entry>,
    /// Approved debits of top-ups that nothing carries on: their credit is not asked for (yet),
    /// was not given, or has been taken back.
    pub debits: BTreeMap<TxnNo, Arc<Debited>>,
    /// The one open reversal of a transaction.
    pub chains: BTreeMap<TxnNo, RecordNo>,
    /// Approvals that are not known to have left for the platform.
    pub undelivered: ByNumber<TxnNo, Granted>,
    /// What an operator looks at: transactions, SAF entries and dead letters.
    pub desk: BTreeMap<RecordNo, Doubt>,
    /// What is owed and not sent any more until an operator decides.
    pub dead: BTreeMap<RecordNo, DeadLetter>,
    /// The newest late answers, oldest first.
    pub late: VecDeque<LateNote>,
    /// Requests of the duplicate window.
    pub memory: Memory,
    /// Banks seen so far.
    pub banks: Vec<BankState>,
    /// Lines and terminals that signed on or off.
    pub lines: BTreeMap<(Name, Option<Text<16>>), Signed>,
    /// Hash of the policy in force.
    pub policy: u64,
    /// Totals by bank, business date and currency.
    pub books: Books,
    /// What was decided in banks' places.
    pub stood_in: Arc<Decisions>,
    /// What was lost to damage.
    pub gap: Gap,
}

/// Records that were lost to damage, and an operator accepted that: what is not found may be one
/// of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Gap {
    /// Some were, and nothing was written since.
    pub lost: bool,
    /// When the newest loss was behind us.
    pub since: Option<Wall>,
}

impl State {
    /// A bank by name, once a record named it.
    pub(super) fn bank(&self, name: &Name) -> Option<&BankState> {
        self.banks.iter().find(|b| b.name == *name)
    }

    pub(super) fn bank_mut(&mut self, name: &Name) -> Option<&mut BankState> {
        let at = self.banks.iter().position(|b| b.name == *name).unwrap_or_else(|| {
            self.banks.push(BankState {
                name: *name,
                stans: Stans::default(),
                business_date: None,
                cutover: None,
                doubts: 0,
                dead: 0,
                unmatched: 0,
            });
            self.banks.len() - 1
        });
        self.banks.get_mut(at)
    }

    fn stans(&mut self, bank: &Name, change: impl FnOnce(&mut Stans)) {
        if let Some(bank) = self.bank_mut(bank) {
            change(&mut bank.stans);
        }
    }

    /// Takes in one record. Total: a record that fits nothing changes nothing.
    #[inline(always)]
    pub(super) fn apply(&mut self, no: RecordNo, record: &Record) {
        self.last = no;
        self.keep_books(no, record);
        let (first, second) = self.concerned(record);
        if first.is_none() && second.is_none() {
            return self.take(no, record);
        }
        let before = (self.in_doubt(first), self.in_doubt(second));
        self.take(no, record);
        self.count_doubts(before.0, self.in_doubt(first));
        self.count_doubts(before.1, self.in_doubt(second));
    }

    #[inline(always)]
    fn take(&mut self, no: RecordNo, record: &Record) {
        match record {
            Record::Intent(intent) => self.intent(no, intent),
            Record::Outcome(outcome) => self.outcome(no, outcome),
            Record::Refused(refused) => self.refused(no, refused),
            Record::Queued(queued) => self.queued(no, queued),
            Record::Attempt(attempt) => self.attempt(attempt),
            Record::Closed(closed) => self.closed(closed),
            Record::Late(late) => self.late(no, late),
            Record::Desk(desk) => self.on_desk(desk),
            Record::Cutover(cutover) => self.cut_over(cutover),
            Record::Policy(stamp) => {
                self.policy = stamp.hash;
                if stamp.start {
                    // Whether the last try left before the crash cannot be known.
                    self.saf.values_mut().for_each(|entry| entry.tries = entry.tries.max(1));
                    Arc::make_mut(&mut self.stood_in).begin(stamp.at);
                    if std::mem::take(&mut self.gap.lost) {
                        self.gap.since = Some(stamp.at);
                    }
                }
            }
            Record::LineState(line) => self.line_state(line),
            Record::Answered(txn) => {
                self.undelivered.remove(*txn);
                if self.desk.get(txn).is_some_and(Doubt::ends_by_delivery) {
                    self.desk.remove(txn);
                }
            }
            Record::Moved(moved) => {
                if let Some(open) = self.open.get_mut(moved.txn) {
                    Arc::make_mut(&mut open.intent).line = moved.line;
                }
            }
            Record::Forgotten(what) => self.forgotten(*what),
            // The books have it.
            Record::Reconciled(_) => {}
            Record::Released(_) | Record::Garbled(_) => {}
        }
    }

    fn intent(&mut self, no: RecordNo, intent: &Arc<Intent>) {
        self.stans(&intent.bank, |stans| stans.take(intent.keys.stan));
        let Intent { platform, origin, pan, amount, facts, likeness, .. } = &**intent;
        let code = facts.processing_code.as_ref();
        debug_assert_eq!(*likeness, Likeness::of(platform, origin, pan.as_ref(), code, *amount));
        let stamp = self.stamp(platform, origin, intent.at);
        let position =
            self.memory.insert(likeness.name(), likeness.content(), no, Past::Open, stamp);
        if let Some(debited) = intent.role.debited() {
            self.debits.remove(&debited.txn);
        }
        self.open.insert(no, Open { intent: Arc::clone(intent), position });
    }

    fn stamp(&mut self, platform: &Name, origin: &Origin, at: Wall) -> Stamp {
        self.memory.stamp(platform, own_stamp(origin, at))
    }

    fn outcome(&mut self, no: RecordNo, outcome: &Outcome) {
        let Some(Open { intent, position }) = self.open.remove(outcome.txn) else { return };
        self.granted_after_all(outcome.txn, granted_by(outcome));
        let past = match outcome.leg {
            _ if self.chains.contains_key(&outcome.txn) => Past::Reversed,
            // Only its credit decides.
            Leg::Approved if intent.role == Role::Debit => Past::Open,
            Leg::Approved | Leg::PartiallyApproved | Leg::StoodIn => Past::Granted,
            Leg::NotSent
            | Leg::SentUnknown
            | Leg::Declined
            | Leg::Refused
            | Leg::InvalidAnswer
            | Leg::LateApproved
            | Leg::LateDeclined
            | Leg::Acknowledged => Past::Denied,
        };
        self.memory.set(position, past, Some(no));
        self.learn_from_outcome(outcome);
        self.debit_left_over(outcome, &intent);
        if let (Leg::StoodIn, Some(amount)) = (outcome.leg, intent.amount) {
            let decisions = Arc::make_mut(&mut self.stood_in);
            decisions.add(&intent.bank, intent.pan.as_ref(), outcome.at, amount);
        }
        if matches!(outcome.leg, Leg::SentUnknown | Leg::InvalidAnswer) {
            self.unanswered.insert(outcome.txn, intent);
            self.date_undecided(outcome.txn, outcome.settlement_date, outcome.at);
            return;
        }
        self.stans(&intent.bank, |stans| stans.release(intent.keys.stan));
        // Whether an answer about no money arrived is nothing to decide.
        if past == Past::Granted && intent.owes != Debt::Nothing {
            let (auth_id, bank_rrn) = (outcome.auth_id, outcome.rrn);
            self.undelivered.insert(outcome.txn, Granted { intent, auth_id, bank_rrn });
        }
    }

    /// The bank granted something else than what the reversal at work was made for.
    pub(super) fn granted_after_all(&mut self, txn: TxnNo, granted: Option<Amount>) {
        let entry = granted.and_then(|_| self.chains.get(&txn).copied());
        if let Some(entry) = entry.and_then(|entry| self.saf.get_mut(&entry)) {
            entry.granted = granted.filter(|granted| entry.queued.amount != Some(*granted));
        }
    }

    /// The debit of a top-up that this outcome leaves without its credit.
    fn debit_left_over(&mut self, outcome: &Outcome, intent: &Intent) {
        if self.chains.contains_key(&outcome.txn) {
            return; // The end of the chain tells.
        }
        let debited = match (&intent.role, outcome.leg) {
            (Role::Debit, Leg::Approved) => {
                Arc::new(Debited::of(outcome.txn, intent, outcome.auth_id))
            }
            // What is unknown and has no reversal is an operator's, both legs.
            (Role::Credit(debited), leg)
                if !leg.grants() && debt_of(leg, intent.owes) == Debt::Nothing =>
            {
                Arc::clone(debited)
            }
            _ => return,
        };
        self.debits.insert(debited.txn, debited);
    }

    fn refused(&mut self, no: RecordNo, refused: &Refused) {
        // The platform reversed it and was told that this is done: its repeat is declined, also
        // where there was nothing to reverse at the bank or an operator settles it.
        if let (Kind::Reversal(_), Reason::Accepted, Some(txn)) =
            (refused.kind, refused.reason, refused.concerns)
            && let Some(position) = self.memory.position_of(txn)
        {
            self.memory.set(position, Past::Reversed, None);
        }
        if !is_remembered(refused.reason) {
            return;
        }
        let fingerprint = duplicates::fingerprint(&refused.platform, &refused.origin);
        if self.memory.find(fingerprint).is_none() {
            let code = refused.processing_code.as_ref();
            let content = match refused.kind {
                Kind::Reversal(_) => duplicates::money(refused.amount, refused.replacement),
                _ => duplicates::content(refused.pan.as_ref(), code, refused.amount),
            };
            let past = match refused.reason {
                Reason::Accepted => Past::Acknowledged,
                _ => Past::Refused,
            };
            let stamp = self.stamp(&refused.platform, &refused.origin, refused.at);
            self.memory.insert(fingerprint, content, no, past, stamp);
        }
    }

    fn queued(&mut self, no: RecordNo, queued: &Arc<Queued>) {
        let (own, original) = (queued.keys.stan, queued.original.stan);
        self.stans(&queued.bank, |stans| {
            // The advice of a decision in the bank's place goes under its transaction's number.
            if own == original || queued.stands_in_for().is_some() {
                stans.hold(own)
            } else {
                stans.take(own)
            }
            if own != original && queued.txn.is_some() {
                stans.hold(original);
            }
        });
        if let (Some(platform), Some(origin)) = (&queued.platform, &queued.origin) {
            let code = queued.facts.processing_code.as_ref();
            let content = match queued.owed {
                Owed::Repeat => duplicates::content(queued.pan.as_ref(), code, queued.amount),
                _ => queued.asked.unwrap_or_default(),
            };
            let fingerprint = duplicates::fingerprint(platform, origin);
            let stamp = self.stamp(platform, origin, queued.at);
            self.memory.insert(fingerprint, content, no, Past::Acknowledged, stamp);
            if queued.is_ahead() {
                let original = original_name(&queued.original, queued.original_mti, origin.batch);
                let fingerprint = duplicates::fingerprint(platform, &original);
                let stamp = self.stamp(platform, &original, queued.at);
                self.memory.insert(fingerprint, 0, no, Past::Tombstone, stamp);
                for anchor in overtaken::anchors_ahead(queued).into_iter().flatten() {
                    self.memory.insert(anchor, 0, no, Past::Tombstone, stamp);
                }
            }
        }
        if let (Some(txn), true) = (queued.txn, queued.owed != Owed::Repeat) {
            self.chains.insert(txn, no);
            self.taken_back(txn);
            self.undelivered.remove(txn);
            self.debits.remove(&txn);
            self.desk.remove(&txn);
            if let Some(position) = self.memory.position_of(txn) {
                let part = queued.replacement.is_some();
                let past = if part { Past::PartlyReversed } else { Past::Reversed };
                self.memory.set(position, past, None);
            }
        }
        let (queued, knows) = (Arc::clone(queued), queued.knows);
        let (tries, again, twin, date, granted) = (0, false, false, None, None);
        self.saf.insert(no, Entry { queued, tries, again, knows, twin, date, granted });
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let Some(entry) = self.saf.get_mut(&attempt.entry) else { return };
        entry.tries = entry.tries.max(attempt.count);
        entry.again = false;
        entry.date = attempt.date.or(entry.date);
        if attempt.batch.is_some() {
            Arc::make_mut(&mut entry.queued).keys.batch = attempt.batch;
        }
    }

    fn closed(&mut self, closed: &Closed) {
        let Some(entry) = self.saf.remove(&closed.entry) else { return };
        self.desk.remove(&closed.entry);
        self.late_ended(closed);
        self.learn_from_advice(closed, &entry.queued);
        if let Some(txn) = entry.queued.txn.filter(|_| entry.queued.owed != Owed::Repeat) {
            self.chains.remove(&txn);
            // A credit that is approved late is reversed again, its debit is not.
            if let Some(debited) = &entry.queued.debit {
                self.debits.insert(debited.txn, Arc::clone(debited));
                if let Some(credit) = self.unanswered.get_mut(&txn) {
                    Arc::make_mut(credit).role = Role::Whole;
                }
            }
        }
        if closed.ending.is_dead_letter() {
            self.dies(closed, entry);
        } else {
            self.let_go(&entry.queued);
        }
    }

    /// The STANs that an obligation held are free as far as it is concerned.
    pub(super) fn let_go(&mut self, queued: &Queued) {
        let (own, original) = (queued.keys.stan, queued.original.stan);
        self.stans(&queued.bank, |stans| {
            stans.release(own);
            if own != original && queued.txn.is_some() {
                stans.release(original);
            }
        });
    }

    fn line_state(&mut self, line: &LineState) {
        let signed = self.lines.entry((line.line, line.terminal)).or_default();
        signed.on = line.signed_on;
        signed.batch = line.batch.or(signed.batch);
        if line.operator.is_some() {
            signed.held = line.function == NetworkFunction::SignOff;
        }
    }

    fn forgotten(&mut self, what: Forgotten) {
        match what {
            Forgotten::Window(upto) => self.memory.forget(upto),
            Forgotten::Original(txn) => {
                if let Some(intent) = self.unanswered.remove(&txn) {
                    self.stans(&intent.bank, |stans| stans.release(intent.keys.stan));
                }
            }
        }
    }
}

/// The platform's name of an original as its reversal gives it.
pub(super) fn original_name(keys: &BankKeys, mti: Option<Text<4>>, batch: Option<u32>) -> Origin {
    Origin {
        mti: mti.unwrap_or_default(),
        transmission: keys.transmission,
        stan: keys.stan,
        local_time: keys.local_time,
        local_date: keys.local_date,
        acquirer: keys.acquirer,
        forwarder: keys.forwarder,
        rrn: keys.rrn,
        terminal: keys.terminal,
        merchant: keys.merchant,
        batch: keys.batch.or(batch),
    }
}

/// Whether a request refused for this reason is remembered, so that its repeat hears the same.
/// Not what could not be read or is not authentic – it may not be the platform's at all – nor
/// what concerns another request of the same name.
pub(super) const fn is_remembered(reason: Reason) -> bool {
    !matches!(reason, Reason::FormatError | Reason::MacFailed | Reason::Duplicate)
}
