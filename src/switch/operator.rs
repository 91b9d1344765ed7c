//! The operator's desk at work: its lists are made, and decisions carried out.
//!
//! Contract: a decision is checked first and recorded only when it makes sense. Deliberately
//! absent: the words of the lists ([`super::desk`]).

use super::Switch;
use super::desk::{Allowed, DeskItem, ItemState, LateItem, LateKind, Refusal, Why};
use super::doubt::{DeadLetter, Doubt, LateNote};
use super::forwarding::Place;
use super::ids::{BankId, Name, RecordNo};
use super::input::{DeskAction, DeskSweep, DeskVerb};
use super::output::Event;
use super::record::{Cause, Debt, Desk, Ending, Intent, Leg, Owed, Queued, Record};
use super::state::Entry;
use super::timers::Timer;
use crate::canonical::Kind;

/// Decisions of one step of a sweep: each may send a message, and payments wait meanwhile.
const SWEEP_DECISIONS: usize = 64;

/// Items one step of a sweep looks at.
const SWEEP_LOOKS: usize = 4_096;

impl Switch {
    /// The newest late, second and unknown answers, newest first.
    pub fn late(&self, limit: usize) -> Vec<LateItem> {
        self.state.late.iter().rev().take(limit).map(|note| self.late_item(note)).collect()
    }

    pub(super) fn desk_item(&self, no: RecordNo) -> Option<DeskItem> {
        if let Some(entry) = self.state.saf.get(&no) {
            return Some(self.owed_item(no, entry));
        }
        let doubt = self.state.desk.get(&no)?;
        Some(match self.state.dead.get(&no) {
            Some(letter) => self.dead_item(no, letter),
            None => self.bare_item(no, doubt),
        })
    }

    fn owed_item(&self, no: RecordNo, entry: &Entry) -> DeskItem {
        let queued = &entry.queued;
        let doubt = self.state.desk.get(&no);
        let state = self.owed_state(no, queued);
        DeskItem {
            tries: entry.tries,
            next_try: self.timers.at(Timer::Saf(no)).map(|at| at.since(self.now.mono)),
            attention: doubt.is_some(),
            state,
            allowed: allowed_of(state, queued),
            cause: doubt.and_then(|doubt| doubt.cause),
            ..self.item_of(no, queued)
        }
    }

    /// What an obligation says of itself; the rest is filled in by who knows more.
    fn item_of(&self, no: RecordNo, queued: &Queued) -> DeskItem {
        let original = queued.original.stan;
        // What the bank said late the message owed could not say yet.
        let mut late = self.state.late.iter().rev().map(|note| (note.entry, &note.late));
        let late = late.find(|(entry, _)| *entry == Some(no)).map(|(_, late)| late);
        let asked = queued.txn.and_then(|txn| self.state.unanswered.get(&txn));
        let platform = queued.platform.or_else(|| asked.map(|intent| intent.platform));
        let advice = queued.origin.as_ref().filter(|_| queued.owed == Owed::Repeat);
        let about = queued.about;
        let platform = platform.or(about.map(|about| about.platform));
        let platform_stan = asked.map(|intent| intent.origin.stan);
        let platform_stan = platform_stan.or(about.map(|about| about.stan));
        DeskItem {
            item: no,
            txn: queued.txn,
            bank: queued.bank,
            amount: queued.amount,
            booked: None,
            left: queued.replacement,
            since: queued.at,
            tries: 0,
            next_try: None,
            attention: false,
            state: ItemState::WaitsForTurn,
            allowed: Allowed::NOTHING,
            why: match queued.kind {
                Kind::Reconciliation => Why::AsksTotals,
                _ => Why::Owed(queued.owed, queued.reason),
            },
            cause: None,
            stan: Some(queued.keys.stan),
            original_stan: (original != 0 && original != queued.keys.stan).then_some(original),
            rrn: queued.keys.rrn,
            bank_rrn: about.and_then(|about| about.bank_rrn).or_else(|| late.and_then(|l| l.rrn)),
            auth_id: queued.auth_id.or_else(|| late.and_then(|late| late.auth_id)),
            terminal: queued.keys.terminal,
            merchant: queued.keys.merchant,
            platform_stan: platform_stan.or_else(|| advice.map(|origin| origin.stan)),
            platform,
            card: queued.pan.as_ref().map(|pan| pan.masked()),
        }
    }

    fn owed_state(&self, no: RecordNo, queued: &Queued) -> ItemState {
        if queued.txn.is_some_and(|txn| self.state.open.contains(txn)) {
            return ItemState::WaitsForOriginal;
        }
        match self.bank_id(&queued.bank).and_then(|bank| self.saf_place(bank, no)) {
            Some(Place::Parked) => ItemState::WaitsForCard,
            Some(Place::Ready) | None => ItemState::WaitsForTurn,
            Some(Place::Held) => ItemState::Leaving,
            Some(Place::AtBank) => ItemState::AtBank,
            Some(Place::Pausing) => ItemState::Pausing,
        }
    }

    fn dead_item(&self, no: RecordNo, letter: &DeadLetter) -> DeskItem {
        let state = dead_state(letter);
        let mut allowed = allowed_of(state, &letter.queued);
        // Sent again it would be a duplicate of what the bank has booked.
        allowed.resend &= letter.cause != Some(Cause::BookedOtherwise);
        DeskItem {
            booked: letter.granted.filter(|_| letter.queued.owed == Owed::Repeat),
            tries: letter.tries,
            attention: true,
            state,
            allowed,
            why: letter.cause.map_or(Why::Dead(letter.ending, letter.bank_code), Why::Because),
            cause: letter.cause,
            ..self.item_of(no, &letter.queued)
        }
    }

    fn bare_item(&self, no: RecordNo, doubt: &Doubt) -> DeskItem {
        let intent = doubt.intent.as_deref();
        let late = doubt.late.as_deref();
        let state = bare_state(doubt);
        let keys = intent.map(|intent| &intent.keys);
        DeskItem {
            item: no,
            txn: Some(no).filter(|_| late.is_none()),
            bank: doubt.bank,
            amount: intent.map_or_else(|| late.and_then(|late| late.amount), |i| i.amount),
            booked: None,
            left: None,
            since: doubt.at,
            tries: 0,
            next_try: None,
            attention: true,
            state,
            allowed: bare_allowed(state, doubt),
            why: match doubt.cause {
                _ if doubt.done => Why::DoneAfterAll,
                Some(cause) => Why::Because(cause),
                None if doubt.undelivered => Why::AnswerMayBeLost,
                None if intent.is_none() && doubt.bank.is_empty() => Why::OutOfBalance,
                None => Why::OutcomeUnknown,
            },
            cause: doubt.cause,
            stan: keys.map(|keys| keys.stan).or_else(|| late.map(|late| late.stan)),
            original_stan: None,
            rrn: keys.and_then(|keys| keys.rrn),
            bank_rrn: doubt.bank_rrn.or_else(|| late.and_then(|late| late.rrn)),
            auth_id: doubt.auth_id.or_else(|| late.and_then(|late| late.auth_id)),
            terminal: keys.map_or_else(|| late.and_then(|late| late.terminal), |k| k.terminal),
            merchant: keys.map_or_else(|| late.and_then(|late| late.merchant), |k| k.merchant),
            platform_stan: intent.map(|intent| intent.origin.stan),
            platform: intent.map(|intent: &Intent| intent.platform),
            card: intent.and_then(|intent| intent.pan.as_ref()).map(|pan| pan.masked()),
        }
    }

    fn late_item(&self, note: &LateNote) -> LateItem {
        let kind = match note.late.txn {
            None => LateKind::Unmatched,
            Some(_) if note.first => LateKind::Late,
            Some(_) => LateKind::Duplicate,
        };
        let desk = note.late.txn.is_some_and(|txn| self.state.desk.contains_key(&txn));
        let became = match (kind, note.entry, note.ending) {
            (_, Some(_), None) => "its reversal is owed to the bank",
            (_, Some(_), Some(ending)) => ended(ending),
            (LateKind::Unmatched, None, _) if self.state.desk.contains_key(&note.no) => {
                "nothing is known of it; it stands on the desk: ask the bank"
            }
            (LateKind::Unmatched, None, _) => "nothing is known of it",
            (LateKind::Duplicate, None, _) if desk => "it stands on the desk",
            (LateKind::Duplicate, None, _) => "the answer before it counted",
            (LateKind::Late, None, _) if desk => "it stands on the desk",
            (LateKind::Late, None, _) if note.late.leg == Leg::LateDeclined => {
                "the bank did nothing: nothing to reverse"
            }
            (LateKind::Late, None, _) => "no money moved",
        };
        LateItem { no: note.no, kind, late: note.late.clone(), became }
    }

    /// An operator's decision: checked, recorded, carried out.
    pub(super) fn desk_action(&mut self, action: &DeskAction) {
        // An operator may name the transaction instead of its reversal.
        let item = self.state.chains.get(&action.item).copied().unwrap_or(action.item);
        let found = self.desk_item(item);
        if found.is_none() && matches!(action.verb, DeskVerb::Reverse(_)) {
            return self.look_for_granted(action);
        }
        let (state, allowed) =
            found.map_or((ItemState::Nothing, Allowed::NOTHING), |i| (i.state, i.allowed));
        if let Some(why) = objection(state, allowed, action.verb) {
            return self.refuse_decision(item, (state, allowed), action.verb, why);
        }
        if let DeskVerb::Reverse(_) = action.verb {
            return self.reverse_undelivered(item, action);
        }
        let dead = self.state.dead.contains_key(&item);
        self.note_decision(item, action);
        match (action.verb, self.place_of(item)) {
            (DeskVerb::Resend, _) if dead => self.revive(item),
            (DeskVerb::Resend, Some(bank)) => self.saf_hurry(bank, item),
            (DeskVerb::GiveUp(_) | DeskVerb::DidNot(_), Some(_)) => {
                self.close_entry(item, Ending::GivenUp);
            }
            (DeskVerb::Did(_), Some(_)) => self.close_entry(item, Ending::Acknowledged),
            _ => {}
        }
    }

    /// Records a decision that makes sense, and says so.
    pub(super) fn note_decision(&mut self, item: RecordNo, action: &DeskAction) -> RecordNo {
        let DeskAction { operator, verb, .. } = *action;
        let decided = Desk { operator: Some(operator), verb: Some(verb), ..self.bare_desk(item) };
        let no = self.record(Record::Desk(decided));
        self.event(Event::DeskDecided { item, no, operator, verb });
        no
    }

    const fn bare_desk(&self, item: RecordNo) -> Desk {
        Desk::put(item, self.now.wall, None)
    }

    /// A decision makes no sense: nothing is recorded.
    pub(super) fn refuse_decision(
        &mut self,
        item: RecordNo,
        (state, allowed): (ItemState, Allowed),
        verb: DeskVerb,
        why: &'static str,
    ) {
        self.event(Event::DeskRefused(Refusal { item, state, verb, allowed, why }));
    }

    /// The same decision about many items, a bounded number of them in one step.
    pub(super) fn desk_sweep(&mut self, sweep: &DeskSweep) {
        let after = (std::ops::Bound::Excluded(sweep.after), std::ops::Bound::Unbounded);
        let meant = |doubt: &Doubt| {
            let same = |cause: Cause| cause.word() == sweep.cause.word();
            doubt.bank == sweep.bank && doubt.cause.is_some_and(same)
        };
        let theirs = |no: RecordNo, doubt: &Doubt| {
            sweep.platform.is_none() || self.platform_of(no, doubt) == sweep.platform
        };
        let looked: Vec<(RecordNo, bool)> = self
            .state
            .desk
            .range(after)
            .take(SWEEP_LOOKS)
            .map(|(no, doubt)| (*no, meant(doubt) && theirs(*no, doubt)))
            .collect();
        let full = looked.len() == SWEEP_LOOKS;
        let mut meant = looked.iter().filter(|(_, meant)| *meant).map(|(no, _)| *no);
        let chosen: Vec<RecordNo> = meant.by_ref().take(SWEEP_DECISIONS).collect();
        let more = meant.next().is_some();
        let next_after = if more {
            chosen.last().copied()
        } else {
            looked.last().map(|(no, _)| *no).filter(|_| full)
        };
        let (DeskSweep { operator, verb, .. }, mut decided) = (sweep.clone(), 0);
        for item in &chosen {
            let before = self.state.last;
            self.desk_action(&DeskAction { item: *item, operator, verb });
            decided += u32::from(self.state.last != before);
        }
        let refused = u32::try_from(chosen.len()).unwrap_or(u32::MAX).saturating_sub(decided);
        let no = self.state.last;
        self.event(Event::DeskSwept { decided, refused, next_after, no });
    }

    /// Whose message an item of the desk is about.
    fn platform_of(&self, no: RecordNo, doubt: &Doubt) -> Option<Name> {
        let letter = self.state.dead.get(&no).map(|letter| &letter.queued);
        let owed = letter.and_then(|queued| queued.platform.or(queued.about.map(|a| a.platform)));
        owed.or_else(|| doubt.intent.as_ref().map(|intent| intent.platform))
    }

    /// The bank an entry is owed to, while it is owed.
    fn place_of(&self, entry: RecordNo) -> Option<BankId> {
        self.bank_id(&self.state.saf.get(&entry)?.queued.bank)
    }

    /// A dead letter is owed again: behind what its card is owed meanwhile.
    fn revive(&mut self, item: RecordNo) {
        let Some(queued) = self.state.saf.get(&item).map(|entry| entry.queued.clone()) else {
            return;
        };
        let now = self.now.mono;
        self.saf_take(item, &queued, now);
        if let Some(bank) = self.bank_id(&queued.bank) {
            self.saf_pump(bank);
        }
    }
}

/// What stands in the way of a decision.
fn objection(state: ItemState, allowed: Allowed, verb: DeskVerb) -> Option<&'static str> {
    let silent = verb.reason().is_some_and(|reason| reason.trimmed().is_empty());
    match (state, verb) {
        (ItemState::Nothing, _) => Some("nothing is open under this number"),
        (_, DeskVerb::GiveUp(_)) if silent => Some("giving up needs a reason"),
        (_, DeskVerb::Reverse(_) | DeskVerb::Did(_) | DeskVerb::DidNot(_)) if silent => {
            Some("that needs a reason")
        }
        (ItemState::WaitsForOriginal, _) => Some("its original is still at the bank"),
        (ItemState::Leaving | ItemState::AtBank, DeskVerb::Resend) => {
            Some("it is being sent already")
        }
        (ItemState::WaitsForCard | ItemState::WaitsForTurn, DeskVerb::Resend) => {
            Some("it goes by itself in its turn")
        }
        (ItemState::BankDidIt, DeskVerb::DidNot(_)) => {
            Some("the bank has said that it did it: give it up if that is wrong")
        }
        (ItemState::Undelivered, DeskVerb::Did(_) | DeskVerb::DidNot(_)) => {
            Some("the bank did it: the question is whether its platform has it")
        }
        (ItemState::Unmatched, DeskVerb::Reverse(_)) => {
            Some("its original is not known, so it cannot be named to the bank")
        }
        _ if allowed.has(verb) => None,
        (_, DeskVerb::Resend) => Some("there is nothing that could be sent"),
        (_, DeskVerb::Reverse(_)) => Some("it cannot be reversed"),
        (_, DeskVerb::Did(_) | DeskVerb::DidNot(_)) => Some("no money depends on it"),
        (_, DeskVerb::GiveUp(_)) => Some("it cannot be given up now"),
    }
}

/// Of what the state allows, what makes sense for this message: one about no money is not done.
fn allowed_of(state: ItemState, queued: &Queued) -> Allowed {
    let (all, money) = (state.allowed(), queued.kind.transaction().is_some());
    Allowed { did: all.did && money, did_not: all.did_not && money, ..all }
}

/// The same for a transaction.
fn bare_allowed(state: ItemState, doubt: &Doubt) -> Allowed {
    let all = state.allowed();
    let known = doubt.intent.is_some() || doubt.late.is_some();
    let reversible = doubt.intent.as_ref().is_some_and(|intent| intent.owes == Debt::Reversal);
    Allowed {
        did: all.did && known,
        did_not: all.did_not && known,
        reverse: all.reverse && reversible,
        ..all
    }
}

fn dead_state(letter: &DeadLetter) -> ItemState {
    if letter.can_be_sent() { ItemState::DeadLetter } else { ItemState::NeverSent }
}

fn bare_state(doubt: &Doubt) -> ItemState {
    match doubt {
        Doubt { late: Some(_), .. } => ItemState::Unmatched,
        Doubt { undelivered: true, .. } => ItemState::Undelivered,
        Doubt { done: true, .. } => ItemState::BankDidIt,
        _ => ItemState::NoReversal,
    }
}

fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::Acknowledged => "reversed, and the bank acknowledged it",
        Ending::NoOriginal => "the bank has no such original any more",
        Ending::Needless => "its reversal was not needed",
        Ending::GivenUp => "an operator gave its reversal up",
        Ending::Dead | Ending::Expired | Ending::TriedOut => "its reversal is a dead letter",
    }
}
