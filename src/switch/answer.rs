//! What banks send: answers find the one who waits, or are journaled as late or unmatched.
//!
//! Contract: an answer is looked up by {bank, MTI family, STAN} and must agree with its request
//! in `F4`, `F41`, `F42` and what the bank must echo, each where it states them; what does not
//! agree is never trusted and never handed to anybody else.

use super::Switch;
use super::ids::{BankId, LineId, RecordNo, SessionId, TxnNo};
use super::inflight::{SendOwner, Target, match_key};
use super::leg::Answered;
use super::nonsense::Nonsense;
use super::output::Event;
#[cfg(feature = "faults")]
use super::plants::Plant;
use super::policy::{MatchScope, Unlisted};
use super::proof::{Knowledge, Proof, Question, proof, unlisted_is_decline};
use super::record::{BankKeys, Ending, Intent, Late, Leg, Record};
use super::reply;
use super::role::Role;
use super::standing::Standing;
use super::txn::{Happening, Verdict};
use crate::canonical::{Answer, Canonical, Kind, MacCheck, Reason, ResponseClass};
use crate::iso8583::rules::Atom;
use crate::money::Amount;
use crate::text::Text;
use std::sync::Arc;

impl Switch {
    /// A message of a bank other than network management.
    pub(super) fn bank_message(&mut self, from: SessionId, bank: BankId, mut msg: Box<Canonical>) {
        if msg.flow == crate::canonical::Flow::Notification {
            // Nobody waits for an answer; the journal has it.
            return self.unmatched_from(from, bank, None, &msg);
        }
        let Some(line) = self.lines.sessions.get(from).map(|s| s.line) else { return };
        if !msg.flow.is_answer() {
            if msg.kind == Kind::Reconciliation {
                return self.bank_reconciles(bank, (line, from), msg);
            }
            // Banks may ask for nothing else.
            self.nonsense(from, Nonsense::Unasked);
            let answer = reply::own_answer(msg, Reason::InvalidTransaction);
            self.send((line, from), answer, None, None, SendOwner::Plain);
            return;
        }
        let key = match_key(bank, msg.kind.family(), msg.stan.unwrap_or_default());
        let signs_again = asks_to_sign_on(&msg);
        let terminal = match self.air.matches.get(key).filter(|_| signs_again) {
            Some(target) => msg.terminal.or_else(|| self.terminal_of(target)),
            None => None,
        };
        let met = match self.air.matches.get(key) {
            Some(Target::Flight(slot)) if self.is_awaited(slot, bank, line) => {
                self.answer_in_flight(slot, bank, msg);
                true
            }
            Some(Target::Decided(txn)) => {
                msg.in_currency_of(self.state.unanswered.get(&txn).and_then(|i| i.amount));
                self.answer_too_late(txn, bank, &msg);
                true
            }
            Some(Target::Saf(entry)) if self.saf_expects(entry, &msg, line) => {
                msg.in_currency_of(self.state.saf.get(&entry).and_then(|e| e.queued.amount));
                self.saf_answer(entry, &msg);
                true
            }
            Some(Target::Flight(_) | Target::Saf(_)) => {
                self.unmatched_from(from, bank, None, &msg);
                false
            }
            None => {
                let again = self.air.recently_answered(key);
                self.unmatched_from(from, bank, again, &msg);
                false
            }
        };
        if met && signs_again {
            self.sign_on_again_on(from, terminal.as_ref());
        }
    }

    /// The terminal in whose name something was asked.
    fn terminal_of(&self, target: Target) -> Option<Text<16>> {
        match target {
            Target::Flight(slot) => self.air.flights.get(slot)?.intent.keys.terminal,
            Target::Decided(txn) => self.state.unanswered.get(&txn)?.keys.terminal,
            Target::Saf(entry) => self.state.saf.get(&entry)?.queued.keys.terminal,
        }
    }

    /// Whether the request has left, over a line that this answer may come back on.
    pub(super) fn is_awaited(&self, slot: usize, bank: BankId, line: LineId) -> bool {
        let scope = self.policy.banks.get(usize::from(bank.0)).map(|b| b.match_scope);
        self.air.flights.get(slot).is_some_and(|f| {
            f.released.is_some() && (scope != Some(MatchScope::Line) || f.line == line)
        })
    }

    /// What answers of a bank must repeat, and what is made of codes that no list has.
    fn judging(&self, bank: BankId) -> (&[Atom], Unlisted) {
        let bank = self.policy.banks.get(usize::from(bank.0));
        bank.map_or((&[], Unlisted::Reverse), |bank| (&bank.must_echo, bank.codes.unlisted))
    }

    /// Whether the bank may grant this more than it asks for.
    fn may_grant_more(&self, bank: BankId, intent: &Intent) -> bool {
        let Some(mcc) = &intent.facts.merchant_type else { return false };
        let bank = self.policy.banks.get(usize::from(bank.0));
        bank.is_some_and(|bank| bank.grants_more.contains(mcc))
    }

    /// What an answer to this flight granted, where that can be trusted and is not all.
    pub(super) fn granted_in(&self, slot: usize, msg: Option<&Canonical>) -> Option<Amount> {
        let msg = msg.filter(|msg| is_partial(msg))?;
        let flight = self.air.flights.get(slot)?;
        granted(&flight.intent, msg, self.judging(flight.bank).0)
    }

    fn answer_in_flight(&mut self, slot: usize, bank: BankId, mut msg: Box<Canonical>) {
        let Some(flight) = self.air.flights.get(slot) else { return };
        msg.in_currency_of(flight.intent.amount);
        let more = self.may_grant_more(bank, &flight.intent);
        let (verdict, fault) = judge(&flight.intent, &msg, self.judging(bank), more);
        let verdict = self.judged(verdict, &flight.intent, &msg);
        self.happen(slot, Happening::Answered(verdict), Some(Answered { msg, fault }));
    }

    /// An answer to what was decided without it.
    pub(super) fn answer_too_late(&mut self, txn: TxnNo, bank: BankId, msg: &Canonical) {
        let Some(intent) = self.state.unanswered.get(&txn).map(Arc::clone) else {
            return self.unmatched(bank, None, msg);
        };
        let more = self.may_grant_more(bank, &intent);
        let (verdict, _) = judge(&intent, msg, self.judging(bank), more);
        let granted = granted(&intent, msg, self.judging(bank).0);
        self.decided_answered(txn, &intent, verdict, msg, granted);
    }

    /// What a late answer changes, by what it proves.
    fn decided_answered(
        &mut self,
        txn: TxnNo,
        intent: &Arc<Intent>,
        verdict: Verdict,
        msg: &Canonical,
        granted: Option<Amount>,
    ) {
        #[cfg(feature = "faults")]
        if self.planted.has(Plant::LateAnswerForwarded) {
            self.forward_late(intent, msg);
        }
        let leg = verdict.late_leg();
        if leg == Leg::LateApproved || (leg == Leg::InvalidAnswer && !declines(msg)) {
            self.original_done(txn);
            // Trusted or not, the bank may have done it after all: reversed, if need be again.
            let standing = Standing { granted, ..Standing::told(Some(msg), intent.pan.as_ref()) };
            self.owe_for(txn, intent, standing, leg, Reason::AnswerTooLate);
        }
        self.note_late(Some(txn), intent.bank, leg, msg, granted);
        self.event(Event::LateAnswer {
            bank: intent.bank,
            txn,
            approved: leg == Leg::LateApproved,
        });
        let unsent = self.state.chains.get(&txn).copied();
        let unsent = unsent.filter(|e| self.state.saf.get(e).is_some_and(|e| e.tries == 0));
        if leg == Leg::LateDeclined {
            // The original cannot arrive any more: "not found" is believed from here on.
            self.original_answered(txn);
        }
        if let (Leg::LateDeclined, Some(entry)) = (leg, unsent) {
            self.close_entry(entry, Ending::Needless);
        }
    }

    /// An answer that fits nothing, or comes a second time.
    pub(super) fn unmatched(&mut self, bank: BankId, again: Option<TxnNo>, msg: &Canonical) {
        let name = self.bank_name(bank);
        let leg = if approves(msg) { Leg::LateApproved } else { Leg::LateDeclined };
        let no = self.note_late(again, name, leg, msg, None);
        if again.is_none() {
            self.stray_approval(no, &name, msg);
        }
        self.event(match again {
            Some(txn) => Event::DuplicateAnswer { bank: name, txn },
            None => Event::UnmatchedAnswer { bank: name },
        });
    }

    pub(super) fn note_late(
        &mut self,
        txn: Option<TxnNo>,
        bank: super::ids::Name,
        leg: Leg,
        msg: &Canonical,
        granted: Option<Amount>,
    ) -> RecordNo {
        let (class, bank_code) = match msg.answer {
            Some(Answer::Given { class, code }) => (Some(class), Some(code)),
            Some(Answer::Own(_)) | None => (None, None),
        };
        let trusted = !matches!(msg.mac, MacCheck::Bad | MacCheck::Missing);
        self.record(Record::Late(Late {
            txn,
            at: self.now.wall,
            bank,
            stan: msg.stan.unwrap_or_default(),
            leg,
            bank_code,
            auth_id: msg.auth_id,
            amount: msg.amount,
            class: class.filter(|_| trusted),
            // Of what is known the request tells the rest.
            kind: Some(msg.kind).filter(|_| txn.is_none()),
            rrn: msg.rrn,
            terminal: msg.terminal.filter(|_| txn.is_none()),
            merchant: msg.merchant.filter(|_| txn.is_none()),
            batch: msg.batch.filter(|_| txn.is_none()),
            settlement_date: msg.settlement_date,
            granted,
        }))
    }
}

pub(super) fn approves(msg: &Canonical) -> bool {
    matches!(msg.answer, Some(Answer::Given { class, .. }) if class.is_approval())
}

/// Whether it says that nothing was done.
fn declines(msg: &Canonical) -> bool {
    let Some(Answer::Given { class, .. }) = msg.answer else { return false };
    proof(Question::Original, Knowledge::Unknown, class, false) == Proof::NoEffect
}

/// Whether the bank wants the line or terminal to sign on anew.
fn asks_to_sign_on(msg: &Canonical) -> bool {
    let Some(Answer::Given { class, .. }) = msg.answer else { return false };
    matches!(class, ResponseClass::SignOn | ResponseClass::Mac)
}

/// What an answer amounts to, and what is wrong with it.
fn judge(
    intent: &Intent,
    msg: &Canonical,
    (must_echo, unlisted): (&[Atom], Unlisted),
    more: bool,
) -> (Verdict, Option<Reason>) {
    if matches!(msg.mac, MacCheck::Bad | MacCheck::Missing) {
        return (Verdict::Invalid, Some(Reason::MacFailed));
    }
    let invalid = (Verdict::Invalid, Some(Reason::InvalidAnswer));
    let Some(Answer::Given { class, .. }) = msg.answer else { return invalid };
    if !names_agree(msg, &intent.keys) || !echoes(msg, &intent.keys, must_echo) {
        return invalid;
    }
    match class {
        ResponseClass::Partial if !is_part(msg.amount, intent.amount, more) => invalid,
        ResponseClass::Partial if !intent.accepts_partial => invalid,
        ResponseClass::Partial => (Verdict::Partial, None),
        _ if msg.amount.is_some() && msg.amount != intent.amount => invalid,
        ResponseClass::Approved if intent.role == Role::Debit => (Verdict::Debited, None),
        ResponseClass::Approved => (Verdict::Approved, None),
        class if class.is_refusal() => (Verdict::Refused, None),
        class => match proof(Question::Original, Knowledge::Unknown, class, false) {
            Proof::NoEffect => (Verdict::Declined, None),
            _ if class == ResponseClass::Unknown
                && unlisted_is_decline(unlisted, msg.auth_id.is_some()) =>
            {
                (Verdict::Declined, None)
            }
            Proof::Effect | Proof::Nothing => invalid,
        },
    }
}

fn is_partial(msg: &Canonical) -> bool {
    matches!(msg.answer, Some(Answer::Given { class: ResponseClass::Partial, .. }))
}

/// What an answer granted, where it says that this is not all and is the bank's own word about
/// this request, whether or not it can be passed on: its reversal is about so much.
fn granted(intent: &Intent, msg: &Canonical, must_echo: &[Atom]) -> Option<Amount> {
    let amount = msg.amount.filter(|amount| is_partial(msg) && amount.minor > 0)?;
    let trusted = !matches!(msg.mac, MacCheck::Bad | MacCheck::Missing)
        && names_agree(msg, &intent.keys)
        && echoes(msg, &intent.keys, must_echo);
    let asked = intent.amount.filter(|asked| asked.currency == amount.currency);
    asked.filter(|asked| trusted && *asked != amount).map(|_| amount)
}

/// Whether an answer names the terminal and merchant that were sent, as far as it names any.
pub(super) fn names_agree(msg: &Canonical, keys: &BankKeys) -> bool {
    agrees(msg.terminal.as_ref(), keys.terminal.as_ref())
        && agrees(msg.merchant.as_ref(), keys.merchant.as_ref())
}

/// Whether an answer repeats what it must of what was sent, as far as it states that.
#[inline(always)]
fn echoes(msg: &Canonical, keys: &BankKeys, must_echo: &[Atom]) -> bool {
    must_echo.iter().all(|atom| match atom {
        Atom::Transmission => agrees(msg.transmission.as_ref(), keys.transmission.as_ref()),
        Atom::LocalTime => agrees(msg.local_time.as_ref(), keys.local_time.as_ref()),
        Atom::LocalDate => agrees(msg.local_date.as_ref(), keys.local_date.as_ref()),
        Atom::Acquirer => agrees(msg.acquirer.as_ref(), keys.acquirer.as_ref()),
        Atom::Forwarder => agrees(msg.forwarder.as_ref(), keys.forwarder.as_ref()),
        Atom::Rrn => agrees(msg.rrn.as_ref(), keys.rrn.as_ref()),
        Atom::Batch => msg.batch.is_none() || keys.batch.is_none() || msg.batch == keys.batch,
        // Nothing else is known as it was sent: see `policy::JUDGED`.
        _ => true,
    })
}

/// Stated by the bank and different from what was sent is wrong; hosts pad as they like.
#[inline(always)]
fn agrees<const N: usize>(stated: Option<&Text<N>>, sent: Option<&Text<N>>) -> bool {
    match (stated, sent) {
        (Some(stated), Some(sent)) => stated.eq_ignore_padding(sent),
        (None, _) | (_, None) => true,
    }
}

/// Whether this can be what was granted instead of all; `more`: also where that is more.
fn is_part(part: Option<Amount>, whole: Option<Amount>, more: bool) -> bool {
    part.zip(whole).is_some_and(|(part, whole)| {
        let fits = if more { part.currency == whole.currency } else { whole.minus(part).is_some() };
        part.minor > 0 && fits
    })
}
