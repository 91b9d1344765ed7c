//! Reconciliation (05xx) with banks: what we ask, how we judge the answer, and what banks ask us.
//!
//! Contract: a question goes through the SAF: repeated until it is answered, on the desk after
//! some tries, remembered over a restart. Totals in balance close it; out of balance it stands
//! on the desk with both sides' totals in the journal, and alarms. What a bank asks is compared
//! with the same totals and answered once that is durable. Deliberately absent: when a period may
//! be asked about ([`super::settling`]), batch upload (0320) after an unbalanced settlement, and
//! reconciliation with platforms, who are answered 12.

use super::ids::{BankId, LineId, Name, RecordNo, SessionId};
use super::inflight::SendOwner;
use super::input::Which;
use super::output::Event;
use super::policy::{Bank, SignOn};
use super::record::{BankKeys, Desk, Ending, Owed, Queued, Reconciled, Record, Weighing};
use super::totals::{Bucket, Period, TerminalBatch};
use super::{Switch, reply};
use crate::canonical::{
    Answer, Balance, Canonical, Flow, Kind, MacCheck, Reason, Reconciliation, ResponseClass, Totals,
};
use crate::money::Currency;
use crate::text::Text;
use crate::time::Day;
use std::sync::Arc;

impl Switch {
    /// Totals by bank, period and currency.
    pub fn totals(&self) -> &super::totals::Books {
        &self.state.books
    }

    /// An operator wants a bank reconciled.
    pub(super) fn reconcile(&mut self, name: &Name, which: Which, operator: Name) {
        let Some(bank) = self.bank_id(name) else {
            return self.impossible("a reconciliation with an unknown bank");
        };
        let date = match which {
            Which::Batch(of) => {
                return self.order_settlement(*name, &[Period::Batch(of)], operator);
            }
            Which::Present => None,
            Which::Date(stated) => match self.day_at(name, &stated) {
                Some(day) => Some(day),
                // The days before the bank named any.
                None if stated == Day::UNNAMED.digits() => Some(Day::UNNAMED),
                None => return,
            },
        };
        let periods = self.periods(bank, date);
        if let [Period::Date(_)] = periods[..] {
            self.ask_about(bank, &periods, Some(operator));
        } else {
            self.order_settlement(*name, &periods, operator);
        }
    }

    /// The day that these digits name at a bank: near its own date, or else today.
    fn day_at(&self, bank: &Name, stated: &Text<4>) -> Option<Day> {
        let current = self.state.business_date(bank);
        let today = Day::of(self.now.wall);
        Day::stated(stated, if current == Day::UNNAMED { today } else { current })
    }

    /// What is settled together now: a business date, or the batches of the bank's terminals.
    pub(super) fn periods(&self, bank: BankId, date: Option<Day>) -> Vec<Period> {
        let Some(settings) = self.policy.banks.get(usize::from(bank.0)) else { return vec![] };
        match &settings.network.sign_on {
            SignOn::Terminals(terminals) => terminals
                .iter()
                .filter_map(|(terminal, _)| {
                    let terminal = terminal.trimmed();
                    let batch = self.batch_at(bank, &terminal)?;
                    Some(Period::Batch(TerminalBatch { terminal, batch }))
                })
                .collect(),
            SignOn::No | SignOn::Line => {
                let date = date.unwrap_or_else(|| self.state.business_date(&settings.name));
                vec![Period::Date(date)]
            }
        }
    }

    fn ask_about(&mut self, bank: BankId, periods: &[Period], operator: Option<Name>) {
        let policy = Arc::clone(&self.policy);
        let Some(settings) = policy.banks.get(usize::from(bank.0)) else { return };
        for period in periods {
            // What has no currency moves no money.
            let all = self.state.books.of_period(settings.name, *period);
            let money = all.map(|(bucket, _)| *bucket).filter(|b| b.currency.code() != 0);
            for bucket in money.collect::<Vec<_>>() {
                if !self.state.books.questions.contains_key(&bucket) {
                    self.ask_totals(settings, bucket, operator);
                }
            }
        }
    }

    pub(super) fn ask_totals(&mut self, bank: &Bank, bucket: Bucket, operator: Option<Name>) {
        let Some(stan) = self.free_stan(&bank.name) else {
            return self.event(Event::StansExhausted { bank: bank.name });
        };
        let ours = self.state.books.of(&bucket);
        let asked = self.weighed(bucket, ours, None, Weighing::Asked, None);
        self.record(Record::Reconciled(Box::new(Reconciled { operator, ..asked })));
        let (terminal, batch) = match bucket.period {
            Period::Batch(of) => (Some(of.terminal), Some(of.batch)),
            Period::Date(_) => (bank.identities.default.as_ref().map(|i| i.1), None),
        };
        let merchant = match &bank.network.sign_on {
            SignOn::Terminals(all) => {
                all.iter().find(|(t, _)| Some(t.trimmed()) == terminal).map(|(_, m)| *m)
            }
            _ => bank.identities.default.as_ref().map(|i| i.0),
        };
        let keys = BankKeys {
            stan,
            transmission: Some(self.stamp.at(self.now.wall)),
            acquirer: bank.acquirer,
            forwarder: bank.forwarder,
            terminal,
            merchant,
            batch,
            ..BankKeys::default()
        };
        let queued = Queued::bare(
            self.now.wall,
            bank.name,
            (Owed::Repeat, Kind::Reconciliation, Flow::Request),
            Reason::Accepted,
            keys,
        );
        self.queue(queued, self.now.mono);
    }

    pub(super) fn note_weighing(
        &mut self,
        bucket: Bucket,
        ours: Totals,
        theirs: Option<Totals>,
        weighing: Weighing,
        bank_code: Option<Text<4>>,
    ) -> RecordNo {
        let weighed = self.weighed(bucket, ours, theirs, weighing, bank_code);
        self.record(Record::Reconciled(Box::new(weighed)))
    }

    /// Totals as they stand now, weighed on nobody's order.
    pub(super) fn weighed(
        &self,
        bucket: Bucket,
        ours: Totals,
        theirs: Option<Totals>,
        weighing: Weighing,
        bank_code: Option<Text<4>>,
    ) -> Reconciled {
        let Bucket { bank, period, currency } = bucket;
        let (at, currency, operator) = (self.now.wall, currency.code(), None);
        Reconciled { at, bank, period, currency, ours, theirs, weighing, bank_code, operator }
    }

    /// Puts the totals into a question that is about to be sent.
    pub(super) fn state_totals(&self, entry: RecordNo, msg: &mut Canonical) {
        let Some(asked) = self.state.books.asked.get(&entry) else { return };
        if let Period::Date(date) = asked.bucket.period {
            msg.settlement_date = Some(date.digits());
        }
        msg.reconciliation = Some(Box::new(Reconciliation {
            currency: Some(asked.bucket.currency),
            totals: Some(asked.totals),
            ..Reconciliation::default()
        }));
    }

    /// Judges the answer to a question; `None` where it is none and the question is asked again.
    pub(super) fn weigh_answer(&mut self, entry: RecordNo, msg: &Canonical) -> Option<Ending> {
        let asked = self.state.books.asked.get(&entry)?.clone();
        let (class, code) = match msg.answer {
            Some(Answer::Given { class, code }) => (class, Some(code)),
            Some(Answer::Own(_)) | None => (ResponseClass::Unknown, None),
        };
        let stated = msg.reconciliation.as_deref().copied().unwrap_or_default();
        let balance = match (stated.balance, class) {
            (Some(balance), _) => balance,
            (None, class) if class.accepts() => Balance::InBalance,
            (None, _) => return None,
        };
        let balanced = balance == Balance::InBalance && stated.agrees(&asked.totals);
        let weighing = if balanced { Weighing::InBalance } else { Weighing::OutOfBalance };
        self.note_weighing(asked.bucket, asked.totals, stated.totals, weighing, code);
        self.event(Event::Reconciled { bank: asked.bucket.bank, balanced });
        // Compared, the batch is closed at the bank, in balance or not.
        if balance != Balance::Error {
            self.next_batch(asked.bucket);
        }
        Some(if balanced { Ending::Acknowledged } else { Ending::Dead })
    }

    /// A batch that is closed is followed by the next one.
    fn next_batch(&mut self, bucket: Bucket) {
        let Period::Batch(TerminalBatch { terminal, batch }) = bucket.period else { return };
        let policy = Arc::clone(&self.policy);
        let Some(bank) = policy.banks.iter().find(|b| b.name == bucket.bank) else { return };
        for line in &bank.lines {
            let line_name = self.line_name(*line);
            let key = (line_name, Some(terminal));
            let Some(signed) = self.state.lines.get(&key).copied() else { continue };
            if signed.batch == Some(batch) {
                self.record(Record::LineState(super::record::LineState {
                    line: line_name,
                    terminal: Some(terminal),
                    at: self.now.wall,
                    function: crate::canonical::NetworkFunction::Unstated,
                    signed_on: signed.on,
                    batch: Some(if batch >= 999_999 { 1 } else { batch + 1 }),
                    operator: None,
                    reason: None,
                }));
            }
        }
    }

    /// A bank asks for, or tells, totals.
    pub(super) fn bank_reconciles(
        &mut self,
        bank: BankId,
        to: (LineId, SessionId),
        msg: Box<Canonical>,
    ) {
        if matches!(msg.mac, MacCheck::Bad | MacCheck::Missing) {
            let answer = reply::own_answer(msg, Reason::MacFailed);
            self.send(to, answer, None, None, SendOwner::Plain);
            return;
        }
        let name = self.bank_name(bank);
        let stated = msg.reconciliation.as_deref().copied().unwrap_or_default();
        let on = msg.settlement_date.and_then(|d| self.day_at(&name, &d));
        let date = on.unwrap_or_else(|| self.state.business_date(&name));
        let period = match (msg.batch, msg.terminal) {
            (Some(batch), Some(terminal)) => {
                Period::Batch(TerminalBatch { terminal: terminal.trimmed(), batch })
            }
            _ => Period::Date(date),
        };
        let Some(currency) = stated.currency.or_else(|| self.only_currency(&name, period)) else {
            let answer = reply::own_answer(msg, Reason::FormatError);
            self.send(to, answer, None, None, SendOwner::Plain);
            return;
        };
        let bucket = Bucket { bank: name, period, currency };
        let ours = self.state.books.of(&bucket);
        let balanced = stated.agrees(&ours);
        let weighing = if balanced { Weighing::InBalance } else { Weighing::OutOfBalance };
        let no = self.note_weighing(bucket, ours, stated.totals, weighing, None);
        self.event(Event::Reconciled { bank: name, balanced });
        if !balanced {
            let at = self.now.wall;
            self.record(Record::Desk(Desk::put(no, at, None)));
            self.event(Event::OnDesk { bank: name, txn: no, amount: None, cause: None });
        }
        let after = RecordNo(self.state.last.0);
        let mut answer = reply::own_answer(msg, Reason::Accepted);
        let balance = if balanced { Balance::InBalance } else { Balance::OutOfBalance };
        answer.settlement_date = Some(date.digits());
        answer.reconciliation = Some(Box::new(Reconciliation {
            currency: Some(currency),
            totals: Some(ours),
            standing: stated.standing,
            net: None,
            balance: Some(balance),
        }));
        self.send(to, answer, Some(after), None, SendOwner::Plain);
    }

    fn only_currency(&self, bank: &Name, period: Period) -> Option<Currency> {
        let all = self.state.books.of_period(*bank, period).map(|(bucket, _)| bucket);
        let mut all = all.filter(|bucket| bucket.currency.code() != 0);
        let first = all.next()?.currency;
        all.next().is_none().then_some(first)
    }
}
