//! The rules of money that the journal alone can show, as one pure function over records.
//!
//! Contract: feed every record in order to [`Auditor::see`], then ask [`Auditor::finish`]. The
//! live auditor, `journal verify --money` and the three-ledger joiner of the tests use this and
//! nothing else. It shares no state with the switch, so that a bug there is not repeated here.
//! Deliberately absent: what only other ledgers know (did the platform see it, did the bank).

use super::ids::{Name, RecordNo, TxnNo};
use super::input::DeskVerb;
use super::record::{
    Closed, Debt, Desk, Ending, Forgotten, Intent, Late, Leg, Outcome, Owed, Queued, Record,
};
use super::txn::debt_of;
use crate::meaning::TransactionType;
use crate::money::Amount;
use crate::text::Text;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A broken rule, with the records that show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Record numbers run without gaps.
    #[error("record {got} follows record {last}")]
    Gap {
        /// The one before.
        last: RecordNo,
        /// The one found.
        got: RecordNo,
    },
    /// I1: an outcome belongs to an open intent.
    #[error("outcome {no} of transaction {txn}, which is not open")]
    StrayOutcome {
        /// The outcome.
        no: RecordNo,
        /// The transaction it names.
        txn: TxnNo,
    },
    /// I4: a debt is recorded before the outcome it follows from.
    #[error("outcome {no} of transaction {txn} owes a reversal that is not queued")]
    DebtNotQueued {
        /// The outcome.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
    /// I7: one reversal chain per original.
    #[error("record {no} opens a second reversal of transaction {txn}")]
    SecondChain {
        /// The queued reversal.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
    /// I5: what reached the platform is reversed only when the platform asks.
    #[error("record {no} reverses transaction {txn}, whose approval left for the platform")]
    GrantReversed {
        /// The queued reversal.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
    /// An advice or inquiry is never reversed.
    #[error("record {no} reverses transaction {txn}, which owes none")]
    NotReversible {
        /// The queued reversal.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
    /// I8: originals that may still be answered, reversed or wait share no STAN.
    #[error("intent {no} takes STAN {stan}, which transaction {holder} still holds")]
    StanShared {
        /// The intent.
        no: RecordNo,
        /// The number.
        stan: u32,
        /// Who holds it.
        holder: RecordNo,
    },
    /// A SAF entry is tried and closed only while it is open.
    #[error("record {no} concerns SAF entry {entry}, which is not open")]
    StrayEntry {
        /// The record.
        no: RecordNo,
        /// The entry it names.
        entry: RecordNo,
    },
    /// I2: an approval leaves only after its outcome.
    #[error("record {no} says that transaction {txn} was granted, and its outcome does not")]
    NotGranted {
        /// The record.
        no: RecordNo,
        /// The transaction.
        txn: TxnNo,
    },
}

/// Sums in minor units; debits positive, credits negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Approvals by banks.
    pub approvals: u64,
    /// Σ of what banks approved.
    pub at_banks: i128,
    /// Reversals of known effects that banks acknowledged.
    pub reversals: u64,
    /// Σ of what they took back.
    pub taken_back: i128,
    /// Σ of what platforms were granted.
    pub granted: i128,
    /// Σ of what platforms themselves reversed of that.
    pub returned: i128,
}

impl Totals {
    /// What banks hold and platforms do not: 0 once everything is settled.
    pub const fn difference(&self) -> i128 {
        (self.at_banks - self.taken_back) - (self.granted - self.returned)
    }
}

/// Something not settled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenItem {
    /// The transaction, or the SAF entry where the original is unknown.
    pub item: RecordNo,
    /// The bank.
    pub bank: Name,
    /// How much.
    pub amount: Option<Amount>,
    /// What is open.
    pub what: OpenWhat,
}

/// What is open about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpenWhat {
    /// At the bank, no outcome yet.
    AtBank,
    /// A reversal, advice or repeat waits in the SAF.
    InSaf,
    /// Approved, and not known to have left for the platform.
    Undelivered,
    /// Unknown, and no reversal exists for its kind.
    OnDesk,
}

/// What the records say altogether.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Every broken rule, in order.
    pub violations: Vec<Violation>,
    /// By currency and business date (`F15` MMDD; `None` where the bank stated none).
    pub totals: BTreeMap<(u16, Option<Text<4>>), Totals>,
    /// What is not settled, by number.
    pub open: Vec<OpenItem>,
}

#[derive(Debug)]
struct Txn {
    intent: Arc<Intent>,
    outcome: Option<Leg>,
    delivered: bool,
    /// What the bank is known to have done, and on which date it counts.
    effect: Option<(i128, Option<Text<4>>)>,
    granted: Option<(i128, Option<Text<4>>)>,
    chain: Option<RecordNo>,
    needed: bool,
}

/// Sees records in order and keeps what is needed to judge them.
#[derive(Debug, Default)]
pub struct Auditor {
    last: RecordNo,
    txns: BTreeMap<TxnNo, Txn>,
    entries: BTreeMap<RecordNo, Arc<Queued>>,
    /// Given up until an operator decides.
    dead: BTreeMap<RecordNo, Arc<Queued>>,
    stans: BTreeMap<(Name, u32), RecordNo>,
    report: Report,
}

impl Auditor {
    /// An auditor that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next record; returns the rules it breaks.
    pub fn see(&mut self, no: RecordNo, record: &Record) -> &[Violation] {
        let before = self.report.violations.len();
        if self.last.0 != 0 && no.0 != self.last.0 + 1 {
            self.broken(Violation::Gap { last: self.last, got: no });
        }
        self.last = no;
        match record {
            Record::Intent(intent) => self.intent(no, intent),
            Record::Outcome(outcome) => self.outcome(no, outcome),
            Record::Queued(queued) => self.queued(no, queued),
            Record::Attempt(attempt) => {
                if !self.entries.contains_key(&attempt.entry) {
                    self.broken(Violation::StrayEntry { no, entry: attempt.entry });
                }
            }
            Record::Closed(closed) => self.closed(no, closed),
            Record::Late(late) => self.late(late),
            Record::Answered(txn) => self.answered(no, *txn),
            Record::Forgotten(Forgotten::Original(txn)) => self.forget_stan(*txn),
            Record::Forgotten(Forgotten::Window(upto)) => self.forget(*upto),
            Record::Desk(desk) => self.decided(desk),
            Record::Refused(_)
            | Record::Cutover(_)
            | Record::Policy(_)
            | Record::LineState(_)
            | Record::Garbled(_)
            | Record::Released(_) => {}
        }
        self.report.violations.get(before..).unwrap_or_default()
    }

    /// What the records say altogether, with what is still open.
    pub fn finish(mut self) -> Report {
        let entries = self.entries.iter().map(|(no, queued)| OpenItem {
            item: queued.txn.unwrap_or(*no),
            bank: queued.bank,
            amount: queued.amount,
            what: OpenWhat::InSaf,
        });
        let txns = self.txns.iter().filter_map(|(no, txn)| {
            let what = match txn.outcome {
                None => OpenWhat::AtBank,
                Some(leg) if leg.grants() && !txn.delivered && !txn.needed => OpenWhat::Undelivered,
                Some(leg) if debt_of(leg, txn.intent.owes) == Debt::Desk => OpenWhat::OnDesk,
                Some(_) => return None,
            };
            let (bank, amount) = (txn.intent.bank, txn.intent.amount);
            Some(OpenItem { item: *no, bank, amount, what })
        });
        self.report.open = entries.chain(txns).collect();
        self.report.open.sort_by_key(|item| (item.item, item.what));
        self.report
    }

    fn broken(&mut self, violation: Violation) {
        self.report.violations.push(violation);
    }

    fn totals(&mut self, amount: Option<Amount>, date: Option<Text<4>>) -> &mut Totals {
        let currency = amount.map_or(0, |a| a.currency.code());
        self.report.totals.entry((currency, date)).or_default()
    }

    fn intent(&mut self, no: RecordNo, intent: &Arc<Intent>) {
        let (key, stan) = ((intent.bank, intent.keys.stan), intent.keys.stan);
        if let Some(holder) = self.stans.insert(key, no) {
            self.broken(Violation::StanShared { no, stan, holder });
        }
        self.txns.insert(
            no,
            Txn {
                intent: Arc::clone(intent),
                outcome: None,
                delivered: false,
                effect: None,
                granted: None,
                chain: None,
                needed: false,
            },
        );
    }

    fn outcome(&mut self, no: RecordNo, outcome: &Outcome) {
        let txn = outcome.txn;
        let Some(of) = self.txns.get_mut(&txn).filter(|t| t.outcome.is_none()) else {
            return self.broken(Violation::StrayOutcome { no, txn });
        };
        of.outcome = Some(outcome.leg);
        let intent = Arc::clone(&of.intent);
        let owes = debt_of(outcome.leg, intent.owes) == Debt::Reversal;
        let queued = of.needed;
        let amount = outcome.amount.or(intent.amount);
        let effect = signed(&intent, amount);
        let date = outcome.settlement_date;
        if outcome.leg.grants() {
            of.granted = Some((effect, date));
            of.effect = Some((effect, date));
        } else if outcome.leg == Leg::LateApproved {
            of.effect = Some((effect, date));
        }
        if outcome.leg.grants() || outcome.leg == Leg::LateApproved {
            let totals = self.totals(amount, date);
            totals.approvals += 1;
            totals.at_banks += effect;
            totals.granted += if outcome.leg.grants() { effect } else { 0 };
        }
        if owes && !queued {
            self.broken(Violation::DebtNotQueued { no, txn });
        }
        if !matches!(outcome.leg, Leg::SentUnknown | Leg::InvalidAnswer) {
            self.release(&intent, txn);
        }
    }

    fn queued(&mut self, no: RecordNo, queued: &Arc<Queued>) {
        self.entries.insert(no, Arc::clone(queued));
        if queued.keys.stan != queued.original.stan {
            let (key, stan) = ((queued.bank, queued.keys.stan), queued.keys.stan);
            if let Some(holder) = self.stans.insert(key, no) {
                self.broken(Violation::StanShared { no, stan, holder });
            }
        }
        let Some(txn) = queued.txn.filter(|_| queued.owed != Owed::Repeat) else { return };
        let Some(of) = self.txns.get_mut(&txn) else { return };
        let second = of.chain.replace(no).is_some();
        of.needed = true;
        let own = queued.owed == Owed::OwnReversal;
        let granted = own && of.delivered;
        let reversible = of.intent.owes == Debt::Reversal;
        let taken = of.granted.take();
        let amount = of.intent.amount;
        if second {
            self.broken(Violation::SecondChain { no, txn });
        }
        if granted {
            self.broken(Violation::GrantReversed { no, txn });
        }
        if !reversible {
            self.broken(Violation::NotReversible { no, txn });
        }
        if let Some((effect, date)) = taken {
            self.totals(amount, date).returned += effect;
        }
    }

    fn closed(&mut self, no: RecordNo, closed: &Closed) {
        let Some(queued) = self.entries.remove(&closed.entry) else {
            return self.broken(Violation::StrayEntry { no, entry: closed.entry });
        };
        if closed.ending.is_dead_letter() && queued.owed == Owed::Repeat {
            // It may be sent again, and keeps its number for that.
            self.dead.insert(closed.entry, queued);
            return;
        }
        self.free(closed.entry, &queued);
        let Some(of) = queued.txn.and_then(|txn| self.txns.get_mut(&txn)) else { return };
        of.chain = None;
        let amount = of.intent.amount;
        if closed.ending == Ending::Acknowledged
            && let Some((effect, date)) = of.effect.take()
        {
            let totals = self.totals(amount, date);
            totals.reversals += 1;
            totals.taken_back += effect;
        }
    }

    fn free(&mut self, entry: RecordNo, queued: &Queued) {
        let key = (queued.bank, queued.keys.stan);
        if self.stans.get(&key) == Some(&entry) {
            self.stans.remove(&key);
        }
    }

    /// An operator takes a dead letter from the desk.
    fn decided(&mut self, desk: &Desk) {
        let Some(verb) = desk.verb else { return };
        let Some(queued) = self.dead.remove(&desk.item) else { return };
        match verb {
            DeskVerb::Resend => drop(self.entries.insert(desk.item, queued)),
            DeskVerb::GiveUp(_) => self.free(desk.item, &queued),
        }
    }

    fn late(&mut self, late: &Late) {
        let Some(of) = late.txn.and_then(|txn| self.txns.get_mut(&txn)) else { return };
        let unknown = matches!(of.outcome, Some(Leg::SentUnknown | Leg::InvalidAnswer));
        // Known effects count once; a second approval of one original is the same effect.
        if late.leg != Leg::LateApproved || !unknown || of.effect.is_some() {
            return;
        }
        let amount = late.amount.or(of.intent.amount);
        let effect = signed(&of.intent, amount);
        of.effect = of.chain.map(|_| (effect, None));
        if of.effect.is_some() {
            let totals = self.totals(amount, None);
            totals.approvals += 1;
            totals.at_banks += effect;
        }
    }

    fn answered(&mut self, no: RecordNo, txn: TxnNo) {
        match self.txns.get_mut(&txn) {
            Some(of) if of.outcome.is_some_and(Leg::grants) => of.delivered = true,
            Some(_) => self.broken(Violation::NotGranted { no, txn }),
            // Its intent left the window this auditor was given.
            None => {}
        }
    }

    fn release(&mut self, intent: &Intent, txn: TxnNo) {
        let key = (intent.bank, intent.keys.stan);
        if self.stans.get(&key) == Some(&txn) {
            self.stans.remove(&key);
        }
    }

    fn forget_stan(&mut self, txn: TxnNo) {
        if let Some(intent) = self.txns.get(&txn).map(|t| Arc::clone(&t.intent)) {
            self.release(&intent, txn);
        }
    }

    /// What is settled and out of the window needs no more judging.
    fn forget(&mut self, upto: RecordNo) {
        self.txns.retain(|no, txn| {
            let settled = txn.outcome.is_some_and(|leg| {
                debt_of(leg, txn.intent.owes) != Debt::Desk
                    && (!leg.grants() || txn.delivered || txn.needed)
            });
            *no > upto || !settled || txn.chain.is_some()
        });
    }
}

/// The effect on the cardholder's account: debits positive, credits negative, holds none.
fn signed(intent: &Intent, amount: Option<Amount>) -> i128 {
    let minor = i128::from(amount.map_or(0, |a| a.minor));
    match intent.kind.transaction() {
        Some(TransactionType::Purchase | TransactionType::Completion | TransactionType::TopUp) => {
            minor
        }
        Some(TransactionType::Refund | TransactionType::Void | TransactionType::CompletionVoid) => {
            -minor
        }
        Some(
            TransactionType::PreAuthorization
            | TransactionType::PreAuthorizationVoid
            | TransactionType::Balance
            | TransactionType::Unstated,
        )
        | None => 0,
    }
}
