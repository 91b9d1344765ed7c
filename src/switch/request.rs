//! What a platform asks for: validated, compared with the past, routed; and what is refused.
//!
//! Contract: a request reaches at most one bank at most once; every request hears an answer.
//! Errors stand in order of precedence: MAC, format, duplicates, staleness, route, identities,
//! PIN, line, window, STAN. Deliberately absent: what is remembered of it already
//! ([`super::repeats`]), and how it leaves ([`super::launch`]).

use super::duplicates::Likeness;
use super::following::{self, Original};
use super::ids::{BankId, Name, RecordNo};
use super::inflight::{Pending, Requester, SendOwner};
use super::launch::Way;
use super::nonsense::Nonsense;
use super::output::Event;
use super::record::{Cause, Leg, Record, Refused};
use super::role::Role;
use super::{Switch, reply, routing};
use crate::canonical::{Canonical, Flow, Kind, MacCheck, Reason, TransactionType};
use crate::limits::STAN_MAX;

/// Where a request goes.
struct Placed {
    /// Index of the rule that says so.
    rule: usize,
    bank: BankId,
    role: Role,
    way: Way,
}

impl Switch {
    /// A message of a platform other than network management.
    pub(super) fn platform_message(&mut self, from: Requester, msg: Box<Canonical>) {
        if msg.flow.is_answer() {
            // Whatever it means, nobody asked.
            return self.unasked(&from, &msg);
        }
        if let Err(reason) = readable(&msg) {
            self.nonsense(from.session, Nonsense::Refused);
            return self.refuse(&from, msg, reason, None, None);
        }
        match (msg.kind, msg.flow) {
            (Kind::Transaction(_), Flow::Request) => self.request(from, msg),
            (Kind::Transaction(_), _) => self.platform_advice(from, msg),
            (Kind::Reversal(_), _) => self.platform_reversal(from, msg),
            (Kind::Reconciliation | Kind::BatchUpload | Kind::NetworkManagement(_), _) => {
                self.nonsense(from.session, Nonsense::Unasked);
                self.refuse(&from, msg, Reason::InvalidTransaction, None, None);
            }
        }
    }

    fn unasked(&mut self, from: &Requester, msg: &Canonical) {
        let name = self.platform_name(from).unwrap_or_default();
        self.nonsense(from.session, Nonsense::UnmatchedAnswer);
        self.note_late(None, name, Leg::LateDeclined, msg, None);
        self.event(Event::UnmatchedAnswer { bank: name });
    }

    pub(super) fn request(&mut self, from: Requester, msg: Box<Canonical>) {
        let Some(platform) = self.policy.platforms.get(usize::from(from.platform.0)) else {
            return self.impossible("a request of an unknown platform");
        };
        let likeness = likeness_of(&platform.name, &msg);
        if let Some(past) = self.state.memory.find(likeness.name()) {
            return self.seen_before(from, msg, likeness, past);
        }
        if let Some(ticket) = self.air.waiting_names.get(likeness.name()) {
            return self.repeat_of_waiting(from, msg, likeness, ticket);
        }
        let restamped = msg.repeat || platform.restamps;
        let asks = restamped || self.may_be_forgotten(&platform.name, &msg);
        if asks || self.is_aged(&msg) {
            return self.ask_for_own(from, msg, likeness.name());
        }
        let late = self.state.memory.has_tombstones();
        if msg.original.is_none() && !following::follows(&msg) && !late {
            return self.admit_named(from, msg, None, likeness);
        }
        self.fresh(from, msg);
    }

    /// A request or advice nobody has seen before, unless its reversal has come already.
    pub(super) fn fresh(&mut self, from: Requester, msg: Box<Canonical>) {
        if self.reversed_ahead(&msg).is_some() {
            return self.ask_what_came_ahead(from, msg);
        }
        self.begin(from, msg);
    }

    /// A new request or advice. What it refers to is asked for first.
    pub(super) fn begin(&mut self, from: Requester, msg: Box<Canonical>) {
        if msg.original.is_none() && !following::follows(&msg) {
            return match msg.flow {
                Flow::Request => self.admit(from, msg, None),
                _ => self.advise(from, msg, None),
            };
        }
        self.look_for(from, msg);
    }

    /// Routes a new request and sends it, or lets it wait.
    pub(super) fn admit(
        &mut self,
        from: Requester,
        msg: Box<Canonical>,
        referred: Option<Original>,
    ) {
        let name = self.platform_name(&from).unwrap_or_default();
        let likeness = likeness_of(&name, &msg);
        self.admit_named(from, msg, referred, likeness);
    }

    /// The same where the likeness is known.
    fn admit_named(
        &mut self,
        from: Requester,
        mut msg: Box<Canonical>,
        referred: Option<Original>,
        likeness: Likeness,
    ) {
        let Some(platform) = self.policy.platforms.get(usize::from(from.platform.0)) else {
            return;
        };
        let deadline = from.received.after(platform.budget.saturating_sub(platform.margin));
        let placed = match &referred {
            Some(original) => self.place_after(&from, &msg, original),
            None => self.place(&from, &msg),
        };
        let Placed { rule, bank, role, way } = match placed {
            Ok(placed) => placed,
            Err(why) if referred.is_none() => {
                return self.not_placed(from, msg, why, likeness);
            }
            Err((reason, bank)) => return self.refuse(&from, msg, reason, None, bank),
        };
        let mut original = None;
        if let Some(Original { no, keys, .. }) = referred {
            msg.original = Some(reply::reference(&keys, None));
            original = Some((no, Box::new(keys)));
        }
        let requester = from;
        let pending = Pending { msg, requester, likeness, rule, bank, deadline, original, role };
        self.launch_or_wait(pending, Some(way));
    }

    /// Which rule and bank a request goes to, or why not.
    fn place(
        &mut self,
        from: &Requester,
        msg: &Canonical,
    ) -> Result<Placed, (Reason, Option<BankId>)> {
        let policy = &self.policy;
        let Some((index, rule)) = routing::route(policy, from.platform, msg) else {
            return Err((Reason::NoRoute, None));
        };
        let (bank, credit) = (rule.bank, rule.credit);
        let Some(at) = policy.banks.get(usize::from(bank.0)) else {
            return Err((Reason::NoRoute, None));
        };
        let names = routing::identify(at, msg).map_err(|why| (why, Some(bank)))?;
        self.may_be_sent(from, msg, bank)?;
        if let Some(credit) = credit {
            self.may_be_sent(from, msg, credit)?;
        }
        let (bank, way) = match self.way_to(bank, names, msg) {
            Some(way) => (bank, way),
            None => self.way_to_second(index, bank, msg).ok_or((Reason::BankDown, Some(bank)))?,
        };
        if let Some(credit) = credit {
            self.reaches(credit, msg).map_err(|why| (why, Some(credit)))?;
        }
        let role = if credit.is_some() { Role::Debit } else { Role::Whole };
        Ok(Placed { rule: index, bank, role, way })
    }

    /// Where a request goes that follows an original: to the bank of that.
    fn place_after(
        &mut self,
        from: &Requester,
        msg: &Canonical,
        original: &Original,
    ) -> Result<Placed, (Reason, Option<BankId>)> {
        let bank = self.bank_id(&original.bank).ok_or((Reason::NoRoute, None))?;
        self.may_be_sent(from, msg, bank)?;
        let way = self.way_after(bank, original, msg).map_err(|why| (why, Some(bank)))?;
        let named = self.policy.routes.iter().position(|rule| rule.name == original.rule);
        Ok(Placed { rule: named.unwrap_or(usize::MAX), bank, role: Role::Whole, way })
    }

    /// Whether a request may be sent to this bank at all.
    #[inline(always)]
    fn may_be_sent(
        &mut self,
        from: &Requester,
        msg: &Canonical,
        bank: BankId,
    ) -> Result<(), (Reason, Option<BankId>)> {
        if msg.pin_block.is_some() {
            let bank_name = self.bank_name(bank);
            self.event(Event::PinDeclined { bank: bank_name });
            return Err((Reason::PinNotSupported, Some(bank)));
        }
        if let Some(field) = self.without_place(bank, msg) {
            self.no_place(from, bank, msg, field);
            return Err((Reason::InvalidTransaction, Some(bank)));
        }
        if self.draining || self.no_room || self.over_cap(from) {
            return Err((Reason::SystemError, Some(bank)));
        }
        Ok(())
    }

    /// The shell stops reading a platform at its cap; twice the cap is what batches may add.
    fn over_cap(&self, from: &Requester) -> bool {
        let cap = self.policy.platforms.get(usize::from(from.platform.0)).map(|p| p.max_in_flight);
        cap.is_some_and(|cap| self.in_flight(from.platform) >= cap.saturating_mul(2))
    }

    pub(super) fn platform_name(&self, from: &Requester) -> Option<Name> {
        self.policy.platforms.get(usize::from(from.platform.0)).map(|p| p.name)
    }

    /// Journals a refusal and says so.
    pub(super) fn refuse(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        reason: Reason,
        concerns: Option<RecordNo>,
        bank: Option<BankId>,
    ) {
        self.refuse_with(from, msg, (reason, None), concerns, bank);
    }

    /// The same for what is wrong with the original it names.
    pub(super) fn refuse_because(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        reason: Reason,
        concerns: Option<RecordNo>,
        cause: Option<Cause>,
    ) {
        self.refuse_with(from, msg, (reason, cause), concerns, None);
    }

    fn refuse_with(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        (reason, cause): (Reason, Option<Cause>),
        concerns: Option<RecordNo>,
        bank: Option<BankId>,
    ) {
        let Some(platform) = self.platform_name(from) else { return };
        let unplaced = bank.filter(|_| reason == Reason::InvalidTransaction);
        let unplaced = unplaced.and_then(|bank| self.without_place(bank, &msg));
        let cause = cause.or(unplaced.map(Cause::NoPlace));
        let refused = Refused {
            at: self.now.wall,
            platform,
            kind: msg.kind,
            flow: msg.flow,
            origin: reply::origin_of(&msg),
            pan: msg.pan.clone(),
            processing_code: msg.processing_code,
            amount: msg.amount,
            reason,
            concerns,
            cause,
            replacement: msg.replacement_amount,
        };
        let no = self.record(Record::Refused(Box::new(refused.clone())));
        self.refusals.note(no, refused);
        self.mark_window();
        let word = if reason == Reason::Accepted { "acknowledged" } else { "refused" };
        let after = (reason == Reason::Accepted).then_some(no);
        self.answer_own(from, msg, reason, after);
        self.answered_event(from, bank.map(|b| self.bank_name(b)), concerns, word);
    }

    /// Sends our own answer to a request in hand, where its kind is answered at all.
    pub(super) fn answer_own(
        &mut self,
        from: &Requester,
        msg: Box<Canonical>,
        reason: Reason,
        after: Option<RecordNo>,
    ) {
        if msg.flow == Flow::Notification {
            return;
        }
        if let Some(to) = self.way_back(from) {
            let answer = reply::own_answer(msg, reason);
            self.send(to, answer, after, None, SendOwner::Plain);
        }
    }

    pub(super) fn answered_event(
        &mut self,
        from: &Requester,
        bank: Option<Name>,
        txn: Option<RecordNo>,
        outcome: &'static str,
    ) {
        let platform = self.platform_name(from).unwrap_or_default();
        let own = self.now.mono.since(from.received).as_micros();
        let own_micros = u64::try_from(own).unwrap_or(u64::MAX);
        let bank_micros = 0;
        self.event(Event::Answered { platform, bank, txn, outcome, bank_micros, own_micros });
    }
}

/// What a repeat of a request is recognized by.
pub(super) fn likeness_of(platform: &Name, msg: &Canonical) -> Likeness {
    let code = msg.processing_code.as_ref();
    Likeness::of(platform, &reply::origin_of(msg), msg.pan.as_ref(), code, msg.amount)
}

/// Whether a platform's message can be worked with at all.
fn readable(msg: &Canonical) -> Result<(), Reason> {
    if matches!(msg.mac, MacCheck::Bad | MacCheck::Missing) {
        return Err(Reason::MacFailed);
    }
    if !msg.stan.is_some_and(|stan| (1..=STAN_MAX).contains(&stan)) {
        return Err(Reason::FormatError);
    }
    match msg.kind {
        Kind::Transaction(TransactionType::Unstated) => Err(Reason::InvalidTransaction),
        Kind::Transaction(kind)
            if msg.pan.is_none() || (kind.has_money_effect() && msg.amount.is_none()) =>
        {
            Err(Reason::FormatError)
        }
        Kind::Transaction(_)
        | Kind::Reversal(_)
        | Kind::Reconciliation
        | Kind::BatchUpload
        | Kind::NetworkManagement(_) => Ok(()),
    }
}
