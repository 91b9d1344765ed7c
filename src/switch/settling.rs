//! Periods that are to be settled: a bank is asked only when nothing of them is under way.
//!
//! Contract: what is at the bank is waited for, and so is what is owed to it: reversals of the
//! period, advices that were told before the order. New requests of a terminal whose batch is
//! being settled are held back, each until its own deadline, and new advices until the batch is
//! settled: then they go under the next one. What an operator looks at anyway holds no date
//! back; a batch waits on for it, because no bank takes a reversal into a batch that is closed,
//! but its terminal sells again meanwhile. The order stands in a record, so that a restart goes
//! on with it; what is waited for is found anew then. Deliberately absent: asking and judging
//! ([`super::reconciliation`]).

use super::Switch;
use super::ids::{BankId, Name, RecordNo};
use super::inflight::Pending;
use super::record::{Owed, Queued, Record, Weighing};
use super::routing;
use super::state::Entry;
use super::timers::Timer;
use super::totals::{Bucket, Counting, Period, Standing, TerminalBatch};
use crate::canonical::{Kind, Totals};
use crate::money::Currency;
use crate::text::Text;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A period of a bank.
type Of = (Name, Period);

/// A terminal of a bank.
type At = (Name, Text<16>);

/// What is waited for, and who waits. Nothing here survives a restart.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// Periods to be looked at.
    check: BTreeSet<Of>,
    /// What a period waits for: a transaction or an entry of the SAF.
    waits: BTreeSet<(RecordNo, Of)>,
    /// Batches that wait for an operator alone: their terminals go on.
    stuck: BTreeSet<Of>,
    /// Requests that are held back, oldest first.
    requests: BTreeMap<At, VecDeque<u64>>,
    /// Advices that are held back.
    advices: BTreeMap<At, BTreeSet<RecordNo>>,
}

impl Settling {
    /// Whether a period may be ready.
    pub(super) fn is_called(&self) -> bool {
        !self.check.is_empty()
    }

    /// Whether a period waits for what a record may end.
    pub(super) fn waits(&self) -> bool {
        !self.waits.is_empty()
    }

    /// What this record ends may have been waited for.
    pub(super) fn note(&mut self, record: &Record) {
        let over = match record {
            Record::Outcome(outcome) => outcome.txn,
            Record::Closed(closed) => closed.entry,
            Record::Desk(desk) => desk.item,
            _ => return,
        };
        let first = (over, (Name::EMPTY, Period::Date(crate::time::Day::UNNAMED)));
        let met: Vec<_> =
            self.waits.range(first..).take_while(|(no, _)| *no == over).copied().collect();
        for one in met {
            self.waits.remove(&one);
            self.check.insert(one.1);
        }
    }

    /// A waiting request has gone.
    pub(super) fn withdraw(&mut self, ticket: u64) {
        self.requests.values_mut().for_each(|queue| queue.retain(|t| *t != ticket));
        self.requests.retain(|_, queue| !queue.is_empty());
    }
}

/// What a period waits for.
#[derive(Debug, Clone, Copy)]
enum Waits {
    /// Something that ends by itself.
    For(RecordNo),
    /// Something that an operator looks at.
    ForOperator(RecordNo),
}

impl Switch {
    /// The bank is to be asked about this period as soon as nothing of it is under way.
    pub(super) fn order(&mut self, bank: Name, period: Period, operator: Option<Name>) {
        if self.state.books.due.contains_key(&(bank, period)) {
            return;
        }
        self.note_period((bank, period), Weighing::Ordered, operator);
        self.settling.check.insert((bank, period));
    }

    /// An operator wants these settled; nothing is ordered where nothing stands or is under way.
    pub(super) fn order_settlement(&mut self, bank: Name, periods: &[Period], operator: Name) {
        let all: BTreeSet<Of> = periods.iter().map(|period| (bank, *period)).collect();
        let busy = self.under_way(&all);
        for of in all {
            let money = |(bucket, _): (&Bucket, &_)| bucket.currency.code() != 0;
            let stands = self.state.books.of_period(of.0, of.1).any(money);
            let open = self.state.books.is_asked(of.0, of.1);
            if (stands || busy.contains_key(&of)) && !open {
                self.order(of.0, of.1, Some(operator));
            }
        }
    }

    fn note_period(&mut self, (bank, period): Of, weighing: Weighing, operator: Option<Name>) {
        let bucket = Bucket { bank, period, currency: Currency::none() };
        let noted = self.weighed(bucket, Totals::default(), None, weighing, None);
        self.record(Record::Reconciled(Box::new(super::record::Reconciled { operator, ..noted })));
    }

    /// The process has started: what was due is looked at.
    pub(super) fn recall_due(&mut self) {
        self.settling.check.extend(self.state.books.due.keys());
    }

    /// Asks about the periods of which nothing is under way any more.
    pub(super) fn settle_due(&mut self) {
        let check = std::mem::take(&mut self.settling.check);
        let busy = self.under_way(&check);
        for of in check {
            let Some(due) = self.state.books.due.get(&of).copied() else { continue };
            let was_stuck = self.settling.stuck.remove(&of);
            match busy.get(&of).copied() {
                None => self.ask_due(of, due.operator),
                Some(Waits::For(no)) => drop(self.settling.waits.insert((no, of))),
                Some(Waits::ForOperator(no)) => {
                    self.settling.waits.insert((no, of));
                    self.settling.stuck.insert(of);
                    if !was_stuck {
                        self.let_terminal_go(of);
                    }
                }
            }
        }
    }

    fn ask_due(&mut self, of: Of, operator: Option<Name>) {
        let all = self.state.books.of_period(of.0, of.1);
        // What has no currency moved no money.
        let money = all.filter(|(bucket, _)| bucket.currency.code() != 0);
        let unasked = money.filter(|(b, _)| !self.state.books.questions.contains_key(b));
        let wanted = |standing| operator.is_some() || standing != Standing::InBalance;
        let buckets: Vec<Bucket> =
            unasked.filter(|(_, kept)| wanted(kept.standing)).map(|(bucket, _)| *bucket).collect();
        if buckets.is_empty() {
            self.note_period(of, Weighing::Nothing, operator);
            return self.let_terminal_go(of);
        }
        let policy = Arc::clone(&self.policy);
        let Some(bank) = policy.banks.iter().find(|b| b.name == of.0) else { return };
        buckets.iter().for_each(|bucket| self.ask_totals(bank, *bucket, operator));
    }

    /// The last thing that each of these periods waits for: what is in order ends in order.
    fn under_way(&self, periods: &BTreeSet<Of>) -> BTreeMap<Of, Waits> {
        let mut busy = BTreeMap::new();
        for (no, entry) in &self.state.saf {
            for period in self.touches(*no, entry).into_iter().flatten() {
                let of = (entry.queued.bank, period);
                if !periods.contains(&of) {
                    continue;
                }
                let looked_at = self.state.desk.contains_key(no);
                match (looked_at, period) {
                    (false, _) => drop(busy.insert(of, Waits::For(*no))),
                    (true, Period::Batch(_)) => {
                        busy.entry(of).or_insert(Waits::ForOperator(*no));
                    }
                    (true, Period::Date(_)) => {}
                }
            }
        }
        for (no, open) in self.state.open.iter() {
            let intent = &open.intent;
            let date = intent.date.map(Period::Date);
            let batch = batch_of_keys(intent.keys.terminal.as_ref(), intent.keys.batch);
            for period in [date, batch].into_iter().flatten() {
                let of = (intent.bank, period);
                if periods.contains(&of) {
                    busy.insert(of, Waits::For(no));
                }
            }
        }
        busy
    }

    /// The periods that wait for an entry of the SAF: those it was sent in, and that of its
    /// original, which counts with it.
    fn touches(&self, no: RecordNo, entry: &Entry) -> [Option<Period>; 3] {
        let queued = &entry.queued;
        if queued.kind == Kind::Reconciliation {
            return [None; 3];
        }
        let original =
            queued.txn.filter(|txn| self.state.books.chains.get(txn) == Some(&Counting::Open));
        let original = original.and_then(|txn| self.state.unanswered.get(&txn)?.date);
        let batch = batch_of_keys(queued.keys.terminal.as_ref(), queued.keys.batch);
        let batch = batch.filter(|period| {
            let due = self.state.books.due.get(&(queued.bank, *period));
            let before = due.is_none_or(|due| no < due.order);
            queued.owed != Owed::Repeat || before || entry.tries > 0
        });
        [entry.date.map(Period::Date), original.map(Period::Date), batch]
    }

    /// Whether the batch in force for a terminal is being settled.
    fn settles(&self, bank: BankId, terminal: Option<&Text<16>>) -> Option<At> {
        if !self.state.books.is_settling() {
            return None;
        }
        let settings = self.policy.banks.get(usize::from(bank.0))?;
        let terminal = terminal?.trimmed();
        let batch = self.batch_at(bank, &terminal)?;
        let of = (settings.name, Period::Batch(TerminalBatch { terminal, batch }));
        let books = &self.state.books;
        let due = books.due.contains_key(&of) && !self.settling.stuck.contains(&of);
        (due || books.is_asked(of.0, of.1)).then_some((settings.name, terminal))
    }

    /// A sign-in brings a terminal its batch: the one before is asked about where the bank wants
    /// what is over asked about. Said before the new one is in force, so that no crash comes
    /// between.
    pub(super) fn batch_over(&mut self, bank: BankId, terminal: Text<16>, new: Option<u32>) {
        let Some(settings) = self.policy.banks.get(usize::from(bank.0)) else { return };
        let (name, asks) = (settings.name, settings.reconcile_at_cutover);
        let old = self.batch_at(bank, &terminal);
        if let (Some(batch), true, true) = (old, asks, new.is_some() && new != old) {
            self.order(name, Period::Batch(TerminalBatch { terminal, batch }), None);
        }
    }

    /// The batch in force for a terminal of a bank.
    pub(super) fn batch_at(&self, bank: BankId, terminal: &Text<16>) -> Option<u32> {
        let settings = self.policy.banks.get(usize::from(bank.0))?;
        settings.lines.iter().find_map(|line| self.batch_of(*line, Some(terminal)))
    }

    /// Whether a request has to wait because the batch of its terminal is being settled.
    pub(super) fn holds_back(&self, pending: &Pending) -> Option<At> {
        if !self.state.books.is_settling() {
            return None;
        }
        let bank = self.policy.banks.get(usize::from(pending.bank.0))?;
        let (_, terminal) = routing::identify(bank, &pending.msg).ok()?;
        self.settles(pending.bank, terminal.as_ref())
    }

    /// A request waits until the batch of its terminal is settled, or its time is over.
    pub(super) fn hold_back(&mut self, pending: Pending, at: At) {
        let deadline = pending.deadline;
        let ticket = self.air.wait(pending);
        self.settling.requests.entry(at).or_default().push_back(ticket);
        self.timers.set(Timer::Waiting(ticket), deadline);
    }

    /// Whether an advice has to wait for the next batch of its terminal.
    pub(super) fn advice_waits(&mut self, bank: BankId, no: RecordNo, queued: &Queued) -> bool {
        if !self.state.books.is_settling() || !takes_the_batch_of_its_day(queued) {
            return false;
        }
        let Some(at) = self.settles(bank, queued.keys.terminal.as_ref()) else { return false };
        let tried = self.state.saf.get(&no).is_none_or(|entry| entry.tries > 0);
        let batch = batch_of_keys(queued.keys.terminal.as_ref(), queued.keys.batch);
        let due = batch.and_then(|period| self.state.books.due.get(&(queued.bank, period)));
        if tried || due.is_some_and(|due| no < due.order) {
            return false;
        }
        self.settling.advices.entry(at).or_default().insert(no);
        true
    }

    /// The batch of a terminal is not being settled any more: what waited for that goes.
    pub(super) fn let_terminal_go(&mut self, (bank, period): Of) {
        let Period::Batch(TerminalBatch { terminal, .. }) = period else { return };
        let at = (bank, terminal);
        for entry in self.settling.advices.remove(&at).unwrap_or_default() {
            self.saf_wake(entry);
        }
        for ticket in self.settling.requests.remove(&at).unwrap_or_default() {
            self.timers.stop(Timer::Waiting(ticket));
            let Some(pending) = self.air.leave_queue(ticket) else { continue };
            self.load(pending.requester.platform, -1);
            self.launch_or_wait(pending, None);
        }
    }
}

/// Whether it goes under the batch in force when it is sent, rather than that of its original.
pub(super) fn takes_the_batch_of_its_day(queued: &Queued) -> bool {
    queued.owed == Owed::Repeat
        && queued.keys.batch.is_some()
        && matches!(queued.kind, Kind::Transaction(_))
}

fn batch_of_keys(terminal: Option<&Text<16>>, batch: Option<u32>) -> Option<Period> {
    let (terminal, batch) = (terminal?.trimmed(), batch?);
    Some(Period::Batch(TerminalBatch { terminal, batch }))
}
