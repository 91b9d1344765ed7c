//! The auditor's books: what it keeps of the records it has seen, and how it judges the next.
//!
//! Contract: some 60 bytes per transaction, also while it is open; what is owed is kept as long
//! as it is owed. [`Auditor::bounded`] keeps so many transactions and what is not settled, so
//! that it can run beside a switch for years; [`Auditor::new`] keeps all. What came before the
//! first record it was given is not known and not judged.

use super::audit::{OpenItem, OpenWhat, Report, Totals, TotalsKey, Violation};
use super::duplicates;
use super::hash::{Digest, Lookup};
use super::ids::{Name, RecordNo, TxnNo};
use super::input::DeskVerb;
use super::record::{
    Attempt, Closed, Debt, Desk, Ending, Forgotten, Intent, Late, Leg, Outcome, Owed, Queued,
    Record,
};
use super::txn::debt_of;
use crate::meaning::{Kind, Reason, TransactionType};
use crate::money::{Amount, Currency};
use crate::text::Text;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Where sums go: bank, currency and business date as numbers.
type Account = (u16, u16, u16);

/// One transaction.
#[derive(Debug, Clone, Copy)]
struct Told {
    txn: TxnNo,
    /// Fingerprint of its name and bank.
    name: u64,
    minor: u64,
    /// What its bank has that was not taken back.
    at_bank: Option<i64>,
    /// What its platform has that was not returned.
    granted: i64,
    stan: u32,
    bank: u16,
    currency: u16,
    date: u16,
    /// +1 debits the card, −1 credits it, 0 moves nothing.
    sign: i8,
    owes: Debt,
    leg: Option<Leg>,
    delivered: bool,
    /// A reversal of it was ever queued.
    chained: bool,
    /// One was acknowledged.
    reversed: bool,
    /// Its bank is to be told what was decided in its place.
    advised: bool,
    /// Of the debit of a top-up its credit, of a credit its debit.
    partner: Option<TxnNo>,
    /// Of the debit of a top-up: its credit was granted and stands, which tells of both.
    carried: bool,
}

impl Told {
    /// Whether nothing more needs to happen to it; an open reversal is kept elsewhere.
    fn is_settled(&self) -> bool {
        self.leg.is_some_and(|leg| {
            let told = !leg.grants() || self.delivered || self.chained || self.carried;
            debt_of(leg, self.owes) != Debt::Desk && (told || self.owes == Debt::Nothing)
        })
    }

    fn effect(&self, amount: Option<Amount>) -> i64 {
        let minor = amount.map_or(self.minor, |amount| amount.minor);
        i64::try_from(minor).unwrap_or(i64::MAX) * i64::from(self.sign)
    }

    /// What a reversal leaves of an effect: nothing, or as much as it says.
    fn left_of(&self, effect: i64, reversal: &Queued) -> i64 {
        let left = reversal.replacement.map_or(0, |left| self.effect(Some(left)));
        if left.unsigned_abs() < effect.unsigned_abs() { left } else { effect }
    }

    const fn account(&self) -> Account {
        (self.bank, self.currency, self.date)
    }
}

/// A SAF entry.
#[derive(Debug)]
struct Owing {
    queued: Arc<Queued>,
    tries: u32,
}

/// Sees records in order and keeps what is needed to judge them.
#[derive(Debug)]
pub struct Auditor {
    /// Records up to this one were not seen.
    unseen: RecordNo,
    last: RecordNo,
    /// Most transactions to keep.
    most: usize,
    /// Transactions by number.
    recent: VecDeque<Told>,
    /// So many of them, from the front, have lost their names: they left the duplicate window.
    nameless: usize,
    names: Lookup<u64>,
    /// Not settled, and older than the recent ones.
    kept: BTreeMap<TxnNo, Told>,
    entries: BTreeMap<RecordNo, Owing>,
    /// Given up until an operator decides.
    dead: BTreeMap<RecordNo, Owing>,
    /// Open reversals by transaction.
    chains: BTreeMap<TxnNo, RecordNo>,
    stans: BTreeMap<(u16, u32), RecordNo>,
    banks: Vec<Name>,
    totals: BTreeMap<Account, Totals>,
    violations: Vec<Violation>,
    records: u64,
    transactions: u64,
}

impl Default for Auditor {
    fn default() -> Self {
        Self::new()
    }
}

impl Auditor {
    /// An auditor that has seen nothing and forgets nothing.
    pub fn new() -> Self {
        Self::bounded(usize::MAX)
    }

    /// An auditor that keeps at most so many transactions besides those that are not settled.
    pub fn bounded(most: usize) -> Self {
        Self {
            unseen: RecordNo(0),
            last: RecordNo(0),
            most,
            recent: VecDeque::new(),
            nameless: 0,
            names: Lookup::default(),
            kept: BTreeMap::new(),
            entries: BTreeMap::new(),
            dead: BTreeMap::new(),
            chains: BTreeMap::new(),
            stans: BTreeMap::new(),
            banks: Vec::new(),
            totals: BTreeMap::new(),
            violations: Vec::new(),
            records: 0,
            transactions: 0,
        }
    }

    /// Takes in the next record; returns the rules it breaks.
    pub fn see(&mut self, no: RecordNo, record: &Record) -> &[Violation] {
        let before = self.violations.len();
        if self.records == 0 {
            self.unseen = RecordNo(no.0.saturating_sub(1));
        } else if no.0 != self.last.0 + 1 {
            self.broken(Violation::Gap { last: self.last, got: no });
        }
        self.last = no;
        self.records += 1;
        match record {
            Record::Intent(intent) => self.intent(no, intent),
            Record::Outcome(outcome) => self.outcome(no, outcome),
            Record::Queued(queued) => self.queued(no, queued),
            Record::Attempt(attempt) => self.attempt(no, attempt),
            Record::Closed(closed) => self.closed(no, closed),
            Record::Late(late) => self.late(late),
            Record::Desk(desk) => self.decided(desk),
            Record::Answered(txn) => self.answered(no, *txn),
            Record::Forgotten(Forgotten::Original(txn)) => self.forget_stan(*txn),
            Record::Forgotten(Forgotten::Window(upto)) => self.forget_names(*upto),
            Record::Policy(stamp) if stamp.start => {
                // Whether the last try left before the crash cannot be known.
                self.entries.values_mut().for_each(|owing| owing.tries = owing.tries.max(1));
            }
            Record::Refused(_)
            | Record::Cutover(_)
            | Record::Reconciled(_)
            | Record::Policy(_)
            | Record::LineState(_)
            | Record::Garbled(_)
            | Record::Released(_) => {}
        }
        self.violations.get(before..).unwrap_or_default()
    }

    /// Takes out the rules broken since this was last asked.
    pub fn broken_since(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.violations)
    }

    /// How many transactions are in the books now.
    pub fn transactions_kept(&self) -> usize {
        self.recent.len() + self.kept.len()
    }

    /// What the records say altogether, with what is still open.
    pub fn finish(self) -> Report {
        let entries = self.entries.iter().map(|(no, owing)| open_entry(*no, &owing.queued));
        let dead = self.dead.iter().map(|(no, owing)| OpenItem {
            what: OpenWhat::DeadLetter,
            ..open_entry(*no, &owing.queued)
        });
        let all = self.kept.values().chain(&self.recent);
        let mut open: Vec<OpenItem> =
            entries.chain(dead).chain(all.filter_map(|told| self.open_item(told))).collect();
        open.sort_by_key(|item| (item.item, item.what));
        let totals = self.totals.iter().map(|(account, totals)| (self.key_of(*account), *totals));
        Report {
            totals: totals.collect(),
            open,
            records: self.records,
            transactions: self.transactions,
            violations: self.violations,
        }
    }

    fn open_item(&self, told: &Told) -> Option<OpenItem> {
        let what = match told.leg {
            None => OpenWhat::AtBank,
            Some(leg) if debt_of(leg, told.owes) == Debt::Desk => OpenWhat::OnDesk,
            Some(_) if told.is_settled() => return None,
            Some(_) => OpenWhat::Undelivered,
        };
        let amount = Currency::new(told.currency).filter(|c| c.code() != 0);
        Some(OpenItem {
            item: told.txn,
            bank: self.bank_name(told.bank),
            amount: amount.map(|currency| Amount::new(told.minor, currency)),
            what,
        })
    }

    fn key_of(&self, (bank, currency, date): Account) -> TotalsKey {
        let date = (date > 0).then(|| format!("{date:04}"));
        let date = date.and_then(|date| Text::new(date.as_bytes()).ok());
        TotalsKey { date, currency, bank: self.bank_name(bank) }
    }

    fn bank_name(&self, bank: u16) -> Name {
        self.banks.get(usize::from(bank)).copied().unwrap_or_default()
    }

    fn bank_no(&mut self, name: &Name) -> u16 {
        let at = self.banks.iter().position(|bank| bank == name).unwrap_or_else(|| {
            self.banks.push(*name);
            self.banks.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    fn broken(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    fn totals(&mut self, account: Account) -> &mut Totals {
        self.totals.entry(account).or_default()
    }

    fn told(&mut self, txn: TxnNo) -> Option<&mut Told> {
        match self.recent.binary_search_by_key(&txn, |told| told.txn) {
            Ok(at) => self.recent.get_mut(at),
            Err(_) => self.kept.get_mut(&txn),
        }
    }

    fn intent(&mut self, no: RecordNo, intent: &Intent) {
        self.transactions += 1;
        let (bank, stan) = (self.bank_no(&intent.bank), intent.keys.stan);
        if let Some(holder) = self.stans.insert((bank, stan), no) {
            self.broken(Violation::StanShared { no, stan, holder });
        }
        // The two legs of one request at two banks are two originals.
        let name = duplicates::fingerprint(&intent.platform, &intent.origin);
        let name = Digest::new(name).bytes(intent.bank.as_bytes()).finish();
        if let Some(txn) = self.names.get(name) {
            self.broken(Violation::SentTwice { no, txn: RecordNo(txn) });
        }
        self.names.insert(name, no.0);
        let debit = intent.role.debited().map(|debited| debited.txn);
        // First, so that the room for `most` is never doubled for one more.
        while self.recent.len() >= self.most.max(1) {
            self.forget_oldest();
        }
        self.recent.push_back(Told {
            txn: no,
            name,
            minor: intent.amount.map_or(0, |amount| amount.minor),
            at_bank: None,
            granted: 0,
            stan,
            bank,
            currency: intent.amount.map_or(0, |amount| amount.currency.code()),
            date: 0,
            sign: if debit.is_some() { -1 } else { sign_of(intent.kind) },
            owes: intent.owes,
            leg: None,
            delivered: false,
            chained: false,
            reversed: false,
            advised: false,
            partner: debit,
            carried: false,
        });
        if let Some(of) = debit.and_then(|debit| self.told(debit)) {
            of.partner = Some(no);
        }
    }

    /// What is settled needs no more judging; the rest is kept aside.
    fn forget_oldest(&mut self) {
        if self.nameless == 0 {
            self.forget_name(0);
        }
        self.nameless = self.nameless.saturating_sub(1);
        let Some(told) = self.recent.pop_front() else { return };
        if !told.is_settled() || self.chains.contains_key(&told.txn) {
            self.kept.insert(told.txn, told);
        }
        if self.kept.len() > self.most {
            let chains = &self.chains;
            self.kept.retain(|txn, told| !told.is_settled() || chains.contains_key(txn));
        }
    }

    fn forget_name(&mut self, at: usize) {
        let Some((name, txn)) = self.recent.get(at).map(|told| (told.name, told.txn)) else {
            return;
        };
        if self.names.get(name) == Some(txn.0) {
            self.names.remove(name);
        }
    }

    /// Requests up to this record left the duplicate window: their names may come again.
    fn forget_names(&mut self, upto: RecordNo) {
        while self.recent.get(self.nameless).is_some_and(|told| told.txn <= upto) {
            self.forget_name(self.nameless);
            self.nameless += 1;
        }
    }

    fn outcome(&mut self, no: RecordNo, outcome: &Outcome) {
        let txn = outcome.txn;
        if txn <= self.unseen {
            return;
        }
        let date = date_of(outcome.settlement_date);
        let Some(of) = self.told(txn).filter(|told| told.leg.is_none()) else {
            return self.broken(Violation::StrayOutcome { no, txn });
        };
        let (leg, effect) = (outcome.leg, of.effect(outcome.amount));
        of.leg = Some(leg);
        of.date = date;
        let approved = leg.grants() || leg == Leg::LateApproved;
        // The bank has what was decided in its place when it has the advice.
        let at_bank = approved && leg != Leg::StoodIn;
        of.at_bank = at_bank.then_some(effect);
        of.granted = if leg.grants() { effect } else { 0 };
        let told = *of;
        if approved {
            let totals = self.totals(told.account());
            totals.approvals += 1;
            totals.at_banks += i128::from(told.at_bank.unwrap_or_default());
            totals.granted += i128::from(told.granted);
        }
        self.carry(&told, leg.grants());
        let untold = leg == Leg::StoodIn && !told.advised;
        if untold || (debt_of(leg, told.owes) == Debt::Reversal && !told.chained) {
            self.broken(Violation::DebtNotQueued { no, txn });
        }
        if !matches!(leg, Leg::SentUnknown | Leg::InvalidAnswer) {
            self.free(told.bank, told.stan, txn);
        }
    }

    fn queued(&mut self, no: RecordNo, queued: &Arc<Queued>) {
        self.entries.insert(no, Owing { queued: Arc::clone(queued), tries: 0 });
        if queued.keys.stan != queued.original.stan {
            let (bank, stan) = (self.bank_no(&queued.bank), queued.keys.stan);
            // The advice of a decision in the bank's place takes its transaction's number over.
            let own = queued.stands_in_for();
            let holder = self.stans.insert((bank, stan), no).filter(|h| Some(*h) != own);
            if let Some(holder) = holder {
                self.broken(Violation::StanShared { no, stan, holder });
            }
        }
        if let Some(of) = queued.stands_in_for().and_then(|txn| self.told(txn)) {
            of.advised = true;
        }
        if let Some(txn) = queued.txn.filter(|_| queued.owed != Owed::Repeat) {
            self.chain(no, txn, queued);
        }
    }

    /// A reversal of a known original.
    fn chain(&mut self, no: RecordNo, txn: TxnNo, queued: &Queued) {
        let second = self.chains.insert(txn, no).is_some();
        let Some(of) = self.told(txn) else { return };
        let own = queued.owed == Owed::OwnReversal;
        // Only a late approval makes us reverse once more what was reversed.
        let again = own && of.reversed && queued.reason != Reason::AnswerTooLate;
        of.chained = true;
        let stays = of.left_of(of.granted, queued);
        let returned = std::mem::replace(&mut of.granted, stays) - stays;
        let told = *of;
        self.totals(told.account()).returned += i128::from(returned);
        self.carry(&told, false);
        if let Some(credit) = told.partner.filter(|credit| *credit > txn)
            && !self.nothing_stands(credit)
        {
            self.broken(Violation::DebitBeforeCredit { no, txn, credit });
        }
        if second || again {
            self.broken(Violation::SecondChain { no, txn });
        }
        if own && told.delivered {
            self.broken(Violation::GrantReversed { no, txn });
        }
        if told.owes != Debt::Reversal {
            self.broken(Violation::NotReversible { no, txn });
        }
    }

    /// A credit speaks for its debit as long as it stands.
    fn carry(&mut self, credit: &Told, stands: bool) {
        let debit = credit.partner.filter(|debit| *debit < credit.txn);
        if let Some(of) = debit.and_then(|debit| self.told(debit)) {
            of.carried = stands;
        }
    }

    /// Whether nothing of it can stand at its bank: not given, or taken back.
    fn nothing_stands(&mut self, txn: TxnNo) -> bool {
        let open = self.chains.contains_key(&txn);
        let Some(of) = self.told(txn) else { return true };
        let refused = |leg: Leg| !leg.grants() && debt_of(leg, Debt::Reversal) == Debt::Nothing;
        !open && (of.chained || of.leg.is_some_and(refused))
    }

    fn attempt(&mut self, no: RecordNo, attempt: &Attempt) {
        let (entry, count) = (attempt.entry, attempt.count);
        let Some(owing) = self.entries.get_mut(&entry) else {
            return self.stray(no, entry);
        };
        let known = owing.tries;
        owing.tries = known.max(count);
        if count <= known {
            self.broken(Violation::TryCountedTwice { no, entry, count, known });
        }
    }

    fn stray(&mut self, no: RecordNo, entry: RecordNo) {
        if entry > self.unseen {
            self.broken(Violation::StrayEntry { no, entry });
        }
    }

    fn closed(&mut self, no: RecordNo, closed: &Closed) {
        let Some(owing) = self.entries.remove(&closed.entry) else {
            return self.stray(no, closed.entry);
        };
        let queued = Arc::clone(&owing.queued);
        if closed.ending.is_dead_letter() && queued.owed == Owed::Repeat {
            // It may be sent again, and keeps its number for that.
            self.dead.insert(closed.entry, owing);
            return;
        }
        let bank = self.bank_no(&queued.bank);
        self.free(bank, queued.keys.stan, closed.entry);
        if queued.owed == Owed::Repeat {
            return self.advised(&queued, closed);
        }
        let Some(txn) = queued.txn else { return };
        self.chains.remove(&txn);
        let Some(of) = self.told(txn) else { return };
        let acknowledged = closed.ending == Ending::Acknowledged;
        of.reversed |= acknowledged && queued.replacement.is_none();
        let left = of.at_bank.filter(|effect| *effect != 0);
        let stays = of.at_bank.map(|effect| of.left_of(effect, &queued)).filter(|e| *e != 0);
        let taken = of.at_bank.take_if(|_| acknowledged);
        if taken.is_some() {
            of.at_bank = stays;
        }
        let account = of.account();
        if let Some(effect) = taken {
            let totals = self.totals(account);
            totals.reversals += 1;
            totals.taken_back += i128::from(effect - stays.unwrap_or(0));
        }
        if closed.ending == Ending::Needless && left.is_some() {
            self.broken(Violation::MoneyLeft { no, txn });
        }
    }

    /// An advice ended.
    fn advised(&mut self, queued: &Queued, closed: &Closed) {
        if closed.ending != Ending::Acknowledged {
            return;
        }
        let currency = queued.amount.map_or(0, |amount| amount.currency.code());
        let minor = queued.amount.map_or(0, |amount| amount.minor);
        let bank = self.bank_no(&queued.bank);
        let effect = i128::from(minor) * i128::from(sign_of(queued.kind));
        if let Some(txn) = queued.stands_in_for() {
            // Its approval was counted when it was given, on no date of the bank.
            if let Some(of) = self.told(txn) {
                of.at_bank = Some(of.effect(None));
            }
            self.totals((bank, currency, 0)).at_banks += effect;
            return;
        }
        let account = (bank, currency, date_of(closed.settlement_date));
        let totals = self.totals(account);
        totals.advices += 1;
        totals.advised += effect;
    }

    fn free(&mut self, bank: u16, stan: u32, holder: RecordNo) {
        if self.stans.get(&(bank, stan)) == Some(&holder) {
            self.stans.remove(&(bank, stan));
        }
    }

    /// An operator takes a dead letter from the desk.
    fn decided(&mut self, desk: &Desk) {
        let Some(verb) = desk.verb else { return };
        let Some(owing) = self.dead.remove(&desk.item) else { return };
        match verb {
            DeskVerb::Resend => drop(self.entries.insert(desk.item, owing)),
            DeskVerb::GiveUp(_) => {
                let bank = self.bank_no(&owing.queued.bank);
                self.free(bank, owing.queued.keys.stan, desk.item);
            }
        }
    }

    fn late(&mut self, late: &Late) {
        let Some(txn) = late.txn else { return };
        let chained = self.chains.contains_key(&txn);
        let Some(of) = self.told(txn) else { return };
        let unknown = matches!(of.leg, Some(Leg::SentUnknown | Leg::InvalidAnswer));
        // Known effects count once; a second approval of one original is the same effect.
        if late.leg != Leg::LateApproved || !unknown || of.at_bank.is_some() || !chained {
            return;
        }
        let effect = of.effect(late.amount);
        of.at_bank = Some(effect);
        let account = of.account();
        let totals = self.totals(account);
        totals.approvals += 1;
        totals.at_banks += i128::from(effect);
    }

    fn answered(&mut self, no: RecordNo, txn: TxnNo) {
        match self.told(txn) {
            Some(of) if of.leg.is_some_and(Leg::grants) => of.delivered = true,
            Some(_) => self.broken(Violation::NotGranted { no, txn }),
            // It was settled, and left the books.
            None => {}
        }
    }

    fn forget_stan(&mut self, txn: TxnNo) {
        if let Some(told) = self.told(txn).copied() {
            self.free(told.bank, told.stan, txn);
        }
    }
}

fn open_entry(no: RecordNo, queued: &Queued) -> OpenItem {
    let item = queued.txn.unwrap_or(no);
    OpenItem { item, bank: queued.bank, amount: queued.amount, what: OpenWhat::InSaf }
}

/// MMDD as a number; 0 where the bank stated none.
fn date_of(date: Option<Text<4>>) -> u16 {
    date.and_then(|date| date.as_str().parse().ok()).unwrap_or(0)
}

/// The effect on the cardholder's account: debits positive, credits negative, holds none.
fn sign_of(kind: Kind) -> i8 {
    match kind.transaction() {
        Some(TransactionType::Purchase | TransactionType::Completion | TransactionType::TopUp) => 1,
        Some(TransactionType::Refund | TransactionType::Void | TransactionType::CompletionVoid) => {
            -1
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
